// Talking: direct, group and channel, edits, reactions, receipts, live signals; on one shard and on two.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';

import { fits } from './client.mjs';
import { use_server } from './server.mjs';

const kUuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const kTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

let key = 0;
const fresh_key = () => `k-${++key}`;

for (const shards of [1, 2]) {
  describe(`on ${shards} shard${shards > 1 ? 's' : ''}`, () => {
    const server = use_server(before, after, { shards });

    async function group_of(owner, ...others) {
      const created = await owner.get({ type: 'conversation.create', kind: 'group', name: 'Lions', members: others },
                                      'conversation.created');
      return created.conversation;
    }

    // The direct conversation of two, which the other one has heard of: from then on both hear everything live.
    async function first_message(from, to, content = 'hi') {
      const sent = await from.get({ type: 'message.send', to: to.id, client_id: fresh_key(), content }, 'message.sent');
      await to.waitFor({ type: 'message.new', conversation_id: sent.conversation_id, seq: sent.seq });
      return sent;
    }

    async function connected(...names) {
      const people = await server().people(...names);
      return Promise.all(people.map(async (person) => Object.assign(await person.connect(), { id: person.id, name: person.name })));
    }

    it('a message to a person makes the direct conversation and is heard with the acked seq', async () => {
      const [ada, bob] = await connected('ada', 'bob');
      const sent = await ada.get({ type: 'message.send', to: bob.id, client_id: 'k-1', content: 'Hello Bob' }, 'message.sent');
      assert.match(sent.conversation_id, kUuid);
      assert.match(sent.message_id, kUuid);
      assert.match(sent.sent_at, kTime);
      assert.equal(sent.duplicate, undefined);
      const joined = await bob.waitFor({ type: 'conversation.joined' });
      assert.equal(joined.conversation.id, sent.conversation_id);
      assert.equal(joined.conversation.kind, 'direct');
      const heard = await bob.waitFor({ type: 'message.new' });
      assert.deepEqual(heard, { type: 'message.new', conversation_id: sent.conversation_id, seq: sent.seq, message_id: sent.message_id,
                                sender_id: ada.id, content: 'Hello Bob', sent_at: sent.sent_at, no: 1, client_id: 'k-1' });
      const answer = await bob.get({ type: 'message.send', to: ada.id, client_id: 'k-1', content: 'Hello Ada' }, 'message.sent');
      assert.equal(answer.conversation_id, sent.conversation_id, 'one conversation per pair');
      assert.equal(answer.seq, sent.seq + 1);
      await ada.waitFor({ type: 'message.new', seq: answer.seq, content: 'Hello Ada' });
      await Promise.all([ada.ping(), bob.ping()]);
      for (const client of [ada, bob]) {
        assert.deepEqual(client.events.filter((event) => event.type === 'receipt.update'), [], 'message.new says as much');
      }
    });

    it('the first message to a person is heard by the sender\'s other device, too', async () => {
      const [ada, bob] = await server().people('ada', 'bob');
      const [phone, desk] = [await ada.connect(), await ada.connect()];
      await Promise.all([phone.ping(), desk.ping()]);
      const sent = await phone.get({ type: 'message.send', to: bob.id, client_id: fresh_key(), content: 'from my phone' }, 'message.sent');
      const heard = await desk.waitFor({ type: 'message.new', conversation_id: sent.conversation_id });
      assert.equal(heard.seq, sent.seq);
    });

    it('a group hears every message once, in one order, the sender\'s other devices included', async () => {
      const [ada, bob, cyd] = await connected('ada', 'bob', 'cyd');
      const { id } = await group_of(ada, bob.id, cyd.id);
      await bob.waitFor({ type: 'conversation.joined', conversation: { id } });
      await cyd.waitFor({ type: 'conversation.joined', conversation: { id } });
      const sends = [];
      for (let i = 0; i < 20; ++i) {
        for (const [who, client] of Object.entries({ ada, bob, cyd })) {
          sends.push(client.get({ type: 'message.send', conversation_id: id, client_id: `${who}-${i}`, content: `${who} ${i}` }, 'message.sent'));
        }
      }
      const acks = await Promise.all(sends);
      const last = Math.max(...acks.map((ack) => ack.seq));
      for (const client of [ada, bob, cyd]) {
        await client.waitFor({ type: 'message.new', conversation_id: id, seq: last });
        const seqs = client.heard({ type: 'message.new', conversation_id: id }).map((event) => event.seq);
        assert.deepEqual(seqs, acks.map((ack) => ack.seq).sort((a, b) => a - b));
      }
    });

    it('attachments are kept exactly as sent, reply_to and mentions come along', async () => {
      const [ada, bob] = await connected('ada', 'bob');
      const attachments = '[{"url" : "/m/lion.jpg", "n":1.50, "deep":[[{"é":null}]]}]';
      const first = await ada.get({ type: 'message.send', to: bob.id, client_id: fresh_key(), content: 'first' }, 'message.sent');
      ada.send(`{"type":"message.send","id":"raw","conversation_id":"${first.conversation_id}","client_id":"${fresh_key()}",` +
               `"content":"","kind":"image","attachments":${attachments},"reply_to":${first.seq},"mentions":["${bob.id}"]}`);
      await ada.waitFor({ id: 'raw', type: 'message.sent' });
      let raw = '';
      bob.socket.on('message', (data) => { if (data.toString().includes('"image"')) raw = data.toString(); });
      const page = bob.get({ type: 'history', conversation_id: first.conversation_id }, 'history.page');
      const heard = (await page).messages.at(-1);
      assert.equal(heard.kind, 'image');
      assert.equal(heard.reply_to, first.seq);
      assert.deepEqual(heard.mentions, [bob.id]);
      assert.ok(raw.includes(`"attachments":${attachments}`), `verbatim in ${raw}`);
    });

    it('an edit reaches everybody with a seq of its own and shows in the history', async () => {
      const [ada, bob] = await connected('ada', 'bob');
      const sent = await first_message(ada, bob, 'Helo');
      const edited = await ada.get({ type: 'message.edit', conversation_id: sent.conversation_id, seq: sent.seq, content: 'Hello' }, 'message.updated');
      assert.ok(fits(edited, { seq: sent.seq + 1, message_seq: sent.seq, message_id: sent.message_id, sender_id: ada.id, content: 'Hello' }));
      const { id, ...without_id } = edited;
      assert.deepEqual(await bob.waitFor({ type: 'message.updated' }), without_id);
      const by_id = await ada.get({ type: 'message.edit', conversation_id: sent.conversation_id, message_id: sent.message_id, content: 'Hello!' }, 'message.updated');
      assert.equal(by_id.message_seq, sent.seq);
      const page = await bob.get({ type: 'history', conversation_id: sent.conversation_id }, 'history.page');
      const message = page.messages.find((each) => each.seq === sent.seq);
      assert.ok(fits(message, { content: 'Hello!', version: by_id.seq, edited_at: by_id.edited_at }));
      await bob.refused({ type: 'message.edit', conversation_id: sent.conversation_id, seq: sent.seq, content: 'mine now' }, 'forbidden');
    });

    it('a deletion takes the content away from everybody', async () => {
      const [ada, bob] = await connected('ada', 'bob');
      const sent = await first_message(ada, bob, 'oops');
      await bob.refused({ type: 'message.delete', conversation_id: sent.conversation_id, seq: sent.seq }, 'forbidden');
      const deleted = await ada.get({ type: 'message.delete', conversation_id: sent.conversation_id, seq: sent.seq }, 'message.deleted');
      assert.ok(fits(deleted, { seq: sent.seq + 1, message_seq: sent.seq, message_id: sent.message_id, by: ada.id }));
      await bob.waitFor({ type: 'message.deleted', seq: deleted.seq });
      const page = await bob.get({ type: 'history', conversation_id: sent.conversation_id }, 'history.page');
      const message = page.messages.find((each) => each.seq === sent.seq);
      assert.equal(message.content, undefined);
      assert.equal(message.deleted_at, deleted.deleted_at);
      await ada.refused({ type: 'message.edit', conversation_id: sent.conversation_id, seq: sent.seq, content: 'back' }, 'conflict');
    });

    it('reactions are added and taken back, and a repeated one changes nothing', async () => {
      const [ada, bob] = await connected('ada', 'bob');
      const sent = await first_message(ada, bob, 'fun');
      const where = { conversation_id: sent.conversation_id, seq: sent.seq, emoji: '👍' };
      const added = await bob.get({ type: 'reaction.add', ...where }, 'reaction.updated');
      assert.ok(fits(added, { seq: sent.seq + 1, message_seq: sent.seq, user_id: bob.id, emoji: '👍', added: true }));
      await ada.waitFor({ type: 'reaction.updated', seq: added.seq });
      const again = await bob.get({ type: 'reaction.add', ...where }, 'reaction.updated');
      assert.equal(again.seq, undefined, 'nothing changed');
      let page = await ada.get({ type: 'history', conversation_id: sent.conversation_id }, 'history.page');
      assert.deepEqual(page.messages.at(-1).reactions, { '👍': [bob.id] });
      const removed = await bob.get({ type: 'reaction.remove', ...where }, 'reaction.updated');
      assert.equal(removed.added, false);
      assert.equal(removed.seq, added.seq + 1, 'the repeated one took no seq');
      await ada.waitFor({ type: 'reaction.updated', seq: removed.seq, added: false });
      page = await ada.get({ type: 'history', conversation_id: sent.conversation_id }, 'history.page');
      assert.equal(page.messages.at(-1).reactions, undefined);
    });

    it('delivered and read marks are announced, move forward only, and show in the history', async () => {
      const [ada, bob] = await connected('ada', 'bob');
      const sent = await first_message(ada, bob, 'one');
      const { conversation_id } = sent;
      bob.send({ type: 'message.delivered', conversation_id, seq: sent.seq });
      const delivered = await ada.waitFor({ type: 'receipt.update', user_id: bob.id, delivered_seq: sent.seq });
      assert.equal(delivered.read_seq, undefined);
      assert.match(delivered.at, kTime);
      const read = await bob.get({ type: 'message.read', conversation_id, seq: sent.seq }, 'receipt.update');
      assert.equal(read.read_seq, sent.seq);
      await ada.waitFor({ type: 'receipt.update', user_id: bob.id, read_seq: sent.seq });
      const back = await bob.get({ type: 'message.read', conversation_id, seq: 1 }, 'receipt.update');
      assert.equal(back.read_seq, sent.seq, 'a mark does not go back');
      const page = await ada.get({ type: 'history', conversation_id }, 'history.page');
      const message = page.messages.find((each) => each.seq === sent.seq);
      assert.match(message.delivered_at, kTime);
      assert.match(message.seen_at, kTime);
      const info = await ada.get({ type: 'conversation.get', conversation_id }, 'conversation.info');
      const member = info.conversation.members.find((each) => each.user_id === bob.id);
      assert.equal(member.read_seq, sent.seq);
      assert.equal(member.name, bob.name);
    });

    it('unread counts messages of others since the read mark', async () => {
      const [ada, bob] = await connected('ada', 'bob');
      let last;
      for (const content of ['one', 'two', 'three']) {
        last = await ada.get({ type: 'message.send', to: bob.id, client_id: fresh_key(), content }, 'message.sent');
      }
      const { conversation_id } = last;
      const unread = async () => (await bob.get({ type: 'conversation.get', conversation_id }, 'conversation.info')).conversation.unread;
      assert.equal(await unread(), 3);
      const { pages, done } = await bob.sync(undefined, 'unread.fetch', { limit: 2 });
      assert.deepEqual(pages.map((page) => page.messages.map((message) => message.content)), [['two', 'three']]);
      assert.deepEqual(done.cursors, {}, 'it is for badges: no cursor moves');
      await bob.get({ type: 'message.read', conversation_id, seq: last.seq - 1 }, 'receipt.update');
      assert.equal(await unread(), 1);
      await bob.get({ type: 'message.read', conversation_id, seq: last.seq }, 'receipt.update');
      assert.equal(await unread(), 0);
      assert.equal((await bob.sync(undefined, 'unread.fetch')).pages.length, 0);
    });

    it('typing is heard by the others and ends by itself after six seconds', async () => {
      const [ada, bob] = await connected('ada', 'bob');
      const { conversation_id } = await first_message(ada, bob);
      await ada.get({ type: 'typing.start', conversation_id }, 'ok');
      await bob.waitFor({ type: 'typing.update', user_id: ada.id, typing: true });
      await ada.get({ type: 'typing.stop', conversation_id }, 'ok');
      await bob.waitFor({ type: 'typing.update', user_id: ada.id, typing: false });
      ada.send({ type: 'typing.start', conversation_id });
      await bob.waitFor({ type: 'typing.update', user_id: ada.id, typing: true });
      await bob.waitFor({ type: 'typing.update', user_id: ada.id, typing: false }, 'the end of typing', 10_000);
      assert.deepEqual(ada.heard('typing.update'), [], 'who types is not told');
    });

    it('event.publish reaches every member and the sender, as it was sent', async () => {
      const [ada, bob] = await connected('ada', 'bob');
      const { conversation_id } = await first_message(ada, bob);
      const data = { x: 10, deep: [[1, { y: null }]], s: '\u0001é' };
      assert.deepEqual(await ada.get({ type: 'event.publish', conversation_id, name: 'cursor', data }, 'ok'), { type: 'ok', id: 2 });
      for (const client of [ada, bob]) {
        assert.deepEqual(await client.waitFor({ type: 'event' }),
                         { type: 'event', conversation_id, name: 'cursor', data, sender_id: ada.id });
      }
      bob.send({ type: 'event.publish', conversation_id, name: 'bare' });
      assert.equal((await ada.waitFor({ type: 'event', name: 'bare' })).data, undefined);
    });

    it('presence: online at connect, offline at once after a clean close, with the time', async () => {
      const [ada, bob] = await server().people('ada', 'bob');
      await ada.rest('POST', '/api/v1/conversations', { kind: 'channel', name: 'news', members: [bob.id] });
      const watcher = await ada.connect();
      const before_bob = await watcher.get({ type: 'presence.subscribe', user_ids: [bob.id] }, 'presence.state');
      assert.deepEqual(before_bob.users, [{ user_id: bob.id, status: 'offline' }]);
      const phone = await bob.connect();
      await watcher.waitFor({ type: 'presence.update', user_id: bob.id, status: 'online' });
      const desk = await bob.connect();
      await phone.close();
      const state = await watcher.get({ type: 'presence.get', user_ids: [bob.id, ada.id] }, 'presence.state');
      assert.deepEqual(new Map(state.users.map((user) => [user.user_id, user.status])), new Map([[bob.id, 'online'], [ada.id, 'online']]),
                       'one of two devices left: still online');
      await desk.close();
      const offline = await watcher.waitFor({ type: 'presence.update', user_id: bob.id, status: 'offline' });
      assert.match(offline.last_online, kTime);
      await watcher.get({ type: 'presence.unsubscribe', user_ids: [bob.id] }, 'presence.state');
    });

    it('people of one\'s direct conversations are watched without asking', async () => {
      const [ada, bob] = await server().people('ada', 'bob');
      const first = await ada.connect();
      await first.get({ type: 'message.send', to: bob.id, client_id: fresh_key(), content: 'hi' }, 'message.sent');
      await first.close();
      const [again, phone] = [await ada.connect(), await bob.connect()];
      await again.waitFor({ type: 'presence.update', user_id: bob.id, status: 'online' });
      await phone.close();
      await again.waitFor({ type: 'presence.update', user_id: bob.id, status: 'offline' });
    });

    it('a stranger neither reads nor writes nor hears', async () => {
      const [ada, bob, eve] = await connected('ada', 'bob', 'eve');
      const sent = await ada.get({ type: 'message.send', to: bob.id, client_id: fresh_key(), content: 'secret' }, 'message.sent');
      const { conversation_id, seq } = sent;
      for (const command of [
        { type: 'message.send', client_id: 'x', content: 'let me in' }, { type: 'message.edit', seq, content: 'x' },
        { type: 'message.delete', seq }, { type: 'reaction.add', seq, emoji: 'x' }, { type: 'message.read', seq },
        { type: 'message.delivered', seq }, { type: 'typing.start' }, { type: 'event.publish', name: 'x' }, { type: 'history' },
        { type: 'conversation.leave' }, { type: 'conversation.add', user_ids: [eve.id] }, { type: 'conversation.rename', name: 'x' },
        { type: 'conversation.mute' },
      ]) {
        await eve.refused({ ...command, conversation_id }, 'not_member');
      }
      assert.deepEqual((await eve.sync({ [conversation_id]: 0 })).done.refused, { [conversation_id]: 'not_member' });
      assert.equal((await eve.ask({ type: 'conversation.get', conversation_id })).type, 'error');
      assert.equal((await eve.ask({ type: 'conversation.join', conversation_id })).type, 'error');
      assert.deepEqual(eve.heard('message.new'), []);
    });

    it('a direct conversation with somebody who does not exist is not found', async () => {
      const [ada] = await connected('ada');
      await ada.refused({ type: 'message.send', to: randomUUID(), client_id: fresh_key(), content: 'anybody?' }, 'not_found');
    });

    it('commands are answered in order of arrival whatever their ids are', async () => {
      const [ada] = await connected('ada');
      for (const id of ['text', '🦁', 'a"b\\', 0, -7, 9007199254740991]) {
        ada.send({ type: 'ping', id });
        assert.deepEqual(await ada.waitFor({ type: 'pong' }), { type: 'pong', id });
      }
    });
  });
}
