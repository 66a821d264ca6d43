// Nothing lost, nothing twice: offline and back, retries, restarts.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { Server, use_server } from './server.mjs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

let key = 0;
const fresh_key = () => `k-${++key}`;

// What a client that follows docs/protocol.md holds: it applies pages and events and notes every break of the rule.
class Replica {
  cursors = {};
  messages = new Map();   // conversation -> seqs of messages, in the order in which they came
  breaks = [];
  #in_page = new Set();

  follow(client) {
    for (const event of client.events) this.apply(event);
    client.on_event = (event) => this.apply(event);
    return this;
  }

  apply(event) {
    if (event.type === 'history.page') {
      for (const message of event.messages) this.#note(event.conversation_id, message.seq, message);
      if (event.upto_seq < (this.cursors[event.conversation_id] ?? 0)) this.breaks.push(`upto_seq went back: ${JSON.stringify(event).slice(0, 200)}`);
      this.cursors[event.conversation_id] = event.upto_seq;
    } else if (event.seq !== undefined && event.id === undefined && event.type !== 'member.removed') {
      const last = this.cursors[event.conversation_id] ?? 0;
      if (event.seq !== last + 1) this.breaks.push(`${event.type} has seq ${event.seq} after ${last}`);
      this.cursors[event.conversation_id] = event.seq;
      if (event.type === 'message.new') this.#note(event.conversation_id, event.seq, event);
    } else if (event.type === 'conversation.joined') {
      this.cursors[event.conversation.id] ??= event.conversation.last_seq;
    }
  }

  #note(conversation, seq, message) {
    const list = this.messages.get(conversation) ?? [];
    this.messages.set(conversation, list);
    if (message.kind === 'system') return;
    if (list.includes(seq)) this.breaks.push(`message ${seq} came twice`);
    if (list.length > 0 && list.at(-1) > seq) this.breaks.push(`message ${seq} came after ${list.at(-1)}`);
    list.push(seq);
  }
}

for (const shards of [1, 2]) {
  describe(`on ${shards} shard${shards > 1 ? 's' : ''}`, () => {
    const server = use_server(before, after, { shards });

    // Ada in `count` groups with Bob and Cyd, everybody connected.
    async function world(count) {
      const [ada, bob, cyd] = await server().people('ada', 'bob', 'cyd');
      const [a, b, c] = await Promise.all([ada.connect(), bob.connect(), cyd.connect()]);
      const groups = [];
      for (let i = 0; i < count; ++i) {
        const made = await a.get({ type: 'conversation.create', kind: 'group', name: `g${i}`, members: [bob.id, cyd.id] }, 'conversation.created');
        groups.push(made.conversation.id);
      }
      for (const client of [b, c]) for (const id of groups) await client.waitFor({ type: 'conversation.joined', conversation: { id } });
      return { ada, bob, cyd, a, b, c, groups };
    }

    async function talk(client, groups, count) {
      const acks = [];
      for (let i = 0; i < count; ++i) {
        const command = { type: 'message.send', conversation_id: groups[i % groups.length], client_id: fresh_key(), content: `message ${i}` };
        acks.push(await client.get(command, 'message.sent'));
      }
      return acks;
    }

    // The seq of every message of a group as the store has them.
    async function stored(client, conversation_id) {
      const seqs = [];
      for (let after_seq = 0;;) {
        const page = await client.get({ type: 'history', conversation_id, after_seq, limit: 200 }, 'history.page');
        seqs.push(...page.messages.filter((message) => message.kind !== 'system').map((message) => message.seq));
        if (!page.has_more) return seqs;
        after_seq = page.messages.at(-1).seq;
      }
    }

    for (const resume of [false, true]) {
      it(`offline and back while others go on talking: every message once, in order (${resume ? '?resume=1' : 'sync at once'})`, async () => {
        const { ada, a, b, c, groups } = await world(5);
        const replica = new Replica().follow(a);
        await talk(b, groups, 20);
        await a.waitFor((event) => event.content === 'message 19' && event.type === 'message.new');
        a.terminate();
        await a.closed;
        const before_gap = structuredClone(replica.cursors);
        await talk(b, groups, 30);
        let going_on = true;
        const chatter = [b, c].map(async (client) => { while (going_on) await talk(client, groups, 5); });
        const again = await ada.connect({ resume });
        replica.follow(again);
        const { done } = await again.sync(before_gap);
        assert.deepEqual(Object.keys(done.cursors).sort(), [...groups].sort());
        assert.equal(done.refused, undefined);
        await talk(c, groups, 10);
        going_on = false;
        await Promise.all(chatter);
        const finals = await talk(b, groups, groups.length);
        for (const ack of finals) await again.waitFor({ type: 'message.new', conversation_id: ack.conversation_id, seq: ack.seq });
        assert.deepEqual(replica.breaks, []);
        for (const id of groups) assert.deepEqual(replica.messages.get(id), await stored(b, id));
      });
    }

    it('an edit of an old message comes with the sync as that message with its old seq', async () => {
      const { ada, a, b, groups: [id] } = await world(1);
      const [sent] = await talk(b, [id], 1);
      await a.waitFor({ type: 'message.new', seq: sent.seq });
      await a.close();
      const edited = await b.get({ type: 'message.edit', conversation_id: id, seq: sent.seq, content: 'corrected' }, 'message.updated');
      const again = await ada.connect({ resume: true });
      const { pages, done } = await again.sync({ [id]: sent.seq });
      assert.deepEqual(pages.flatMap((page) => page.messages.map((message) => [message.seq, message.version, message.content])),
                       [[sent.seq, edited.seq, 'corrected']]);
      assert.deepEqual(done.cursors, { [id]: edited.seq });
    });

    it('a cursor that is level gets an empty sync, one from the future is not believed', async () => {
      const { a, b, groups: [id] } = await world(1);
      const [sent] = await talk(b, [id], 1);
      const { pages, done } = await a.sync({ [id]: sent.seq });
      assert.deepEqual(pages.flatMap((page) => page.messages), []);
      assert.deepEqual(done.cursors, { [id]: sent.seq });
      const ahead = await a.sync({ [id]: sent.seq + 1000 });
      assert.ok(ahead.done.refused?.[id] || ahead.done.cursors?.[id] !== undefined, JSON.stringify(ahead.done));
      const [next] = await talk(b, [id], 1);
      await a.waitFor({ type: 'message.new', seq: next.seq });
    });

    it('a duplicate client_id gives the first answer, by WebSocket and by REST, and nobody hears it twice', async () => {
      const { ada, a, b, groups: [id] } = await world(1);
      const command = { type: 'message.send', conversation_id: id, client_id: 'once', content: 'only once' };
      const first = await a.get(command, 'message.sent');
      const { id: _, ...said } = first;
      const again = await a.get(command, 'message.sent');
      assert.deepEqual({ ...again, id: 0 }, { ...said, id: 0, duplicate: true });
      const rest = await ada.rest('POST', `/api/v1/conversations/${id}/messages`, { client_id: 'once', content: 'only once' });
      assert.equal(rest.status, 200);
      assert.deepEqual(rest.body, { ...said, duplicate: true });
      const [next] = await talk(b, [id], 1);
      assert.equal(next.seq, first.seq + 1);
      await b.waitFor({ type: 'message.new', seq: first.seq });
      await b.ping();
      assert.equal(b.heard({ type: 'message.new', content: 'only once' }).length, 1);
      await a.refused({ ...command, content: 'something else' }, 'key_reused');
      const other = await b.get(command, 'message.sent');
      assert.equal(other.duplicate, undefined, 'keys of different people do not meet');
    });

    it('many retries at once are one message', async () => {
      const { ada, groups: [id] } = await world(1);
      const clients = await Promise.all(Array.from({ length: 6 }, () => ada.connect()));
      const answers = await Promise.all(clients.flatMap((client) => [1, 2].map(
        () => client.get({ type: 'message.send', conversation_id: id, client_id: 'racing', content: 'race' }, 'message.sent'))));
      assert.equal(new Set(answers.map((answer) => `${answer.seq} ${answer.message_id}`)).size, 1);
      assert.equal(answers.filter((answer) => !answer.duplicate).length, 1);
    });
  });
}

describe('a restart', () => {
  let data;
  before(async () => { data = await mkdtemp(join(tmpdir(), 'uproar-e2e-')); });
  after(async () => { await rm(data, { recursive: true, force: true }); });

  it('keeps people, logins, conversations, messages, marks and client_ids', async () => {
    const first = await Server.start({ data });
    const signed_in = (await first.rest('POST', '/api/v1/register', { body: { name: 'ada', password: 'correct horse' } })).body;
    const bob = await first.person('bob');
    const ada = await first.connect({ token: signed_in.access_token });
    const sent = await ada.get({ type: 'message.send', to: bob.id, client_id: 'before', content: 'still there?' }, 'message.sent');
    const { conversation_id } = sent;
    const bobs = await bob.connect();
    await bobs.get({ type: 'message.read', conversation_id, seq: sent.seq }, 'receipt.update');
    await bobs.get({ type: 'reaction.add', conversation_id, seq: sent.seq, emoji: '👍' }, 'reaction.updated');
    await ada.get({ type: 'conversation.mute', conversation_id, until: '2030-01-02T03:04:05.678Z' }, 'conversation.muted');
    const history = (await bobs.get({ type: 'history', conversation_id }, 'history.page')).messages;
    await first.stop();

    const second = await Server.start({ data, shards: 2 });
    try {
      const again = await second.connect({ token: signed_in.access_token });
      const page = await again.get({ type: 'history', conversation_id }, 'history.page');
      assert.deepEqual(page.messages, history);
      const info = (await again.get({ type: 'conversation.get', conversation_id }, 'conversation.info')).conversation;
      assert.equal(info.muted_until, '2030-01-02T03:04:05.678Z');
      assert.equal(info.members.find((member) => member.user_id === bob.id).read_seq, sent.seq);
      const retry = await again.get({ type: 'message.send', to: bob.id, client_id: 'before', content: 'still there?' }, 'message.sent');
      const { id: _, ...said } = sent;
      const { id: __, ...repeated } = retry;
      assert.deepEqual(repeated, { ...said, duplicate: true });
      const next = await again.get({ type: 'message.send', conversation_id, client_id: 'after', content: 'yes' }, 'message.sent');
      assert.equal(next.seq, sent.seq + 2, 'after the reaction');
      const login = await second.rest('POST', '/api/v1/login', { body: { name: 'ada', password: 'correct horse' } });
      assert.equal(login.body.user_id, signed_in.user_id);
      const refreshed = await second.rest('POST', '/api/v1/refresh', { body: { refresh_token: signed_in.refresh_token } });
      assert.equal(refreshed.status, 200);
    } finally {
      await second.stop();
    }
  });

  it('keeps a logout: the token stays refused', async () => {
    const first = await Server.start({ data });
    const { access_token: token } = (await first.rest('POST', '/api/v1/register', { body: { name: 'eve', password: 'correct horse' } })).body;
    assert.equal((await first.rest('POST', '/api/v1/logout', { token })).status, 204);
    await first.stop();
    const second = await Server.start({ data });
    try {
      const me = await second.rest('GET', '/api/v1/me', { token });
      assert.deepEqual([me.status, me.body.code], [401, 'token_revoked']);
    } finally {
      await second.stop();
    }
  });
});
