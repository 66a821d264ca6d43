// Conversations: kinds, roles and rights, membership, names, mute, lists and pages of history.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { fits } from './client.mjs';
import { use_server } from './server.mjs';

let key = 0;
const fresh_key = () => `k-${++key}`;

for (const shards of [1, 2]) {
  describe(`on ${shards} shard${shards > 1 ? 's' : ''}`, () => {
    const server = use_server(before, after, { shards });

    async function connected(...names) {
      const people = await server().people(...names);
      return Promise.all(people.map(async (person) => Object.assign(await person.connect(), { id: person.id, name: person.name })));
    }

    async function create(owner, kind, members = [], fields = {}) {
      const created = await owner.get({ type: 'conversation.create', kind, members: members.map((member) => member.id), name: 'Lions', ...fields },
                                      'conversation.created');
      for (const member of members) await member.waitFor({ type: 'conversation.joined', conversation: { id: created.conversation.id } });
      return created.conversation;
    }

    it('a group is made with its members, who hear of it and see the owner', async () => {
      const [ada, bob, cyd] = await connected('ada', 'bob', 'cyd');
      const group = await create(ada, 'group', [bob, cyd]);
      assert.ok(fits(group, { kind: 'group', name: 'Lions', role: 'owner', unread: 0, member_count: 3 }));
      const info = (await bob.get({ type: 'conversation.get', conversation_id: group.id }, 'conversation.info')).conversation;
      assert.equal(info.role, 'member');
      assert.deepEqual(new Map(info.members.map((member) => [member.user_id, [member.name, member.role]])),
                       new Map([[ada.id, [ada.name, 'owner']], [bob.id, [bob.name, 'member']], [cyd.id, [cyd.name, 'member']]]));
    });

    it('a retried creation gives the same conversation, a repeated direct one the one there is', async () => {
      const [ada, bob] = await connected('ada', 'bob');
      const command = { type: 'conversation.create', kind: 'group', name: 'G', members: [bob.id], client_id: 'g-1' };
      const first = await ada.get(command, 'conversation.created');
      const second = await ada.get(command, 'conversation.created');
      assert.equal(first.duplicate, undefined);
      assert.equal(second.duplicate, true);
      assert.equal(second.conversation.id, first.conversation.id);
      const direct = await ada.get({ type: 'conversation.create', kind: 'direct', members: [bob.id] }, 'conversation.created');
      const mirrored = await bob.get({ type: 'conversation.create', kind: 'direct', user_ids: [ada.id] }, 'conversation.created');
      assert.equal(mirrored.conversation.id, direct.conversation.id);
      assert.equal(mirrored.duplicate, true);
    });

    it('anybody may join a channel and read; only its admins write', async () => {
      const [ada, bob] = await connected('ada', 'bob');
      const channel = await create(ada, 'channel');
      const joined = await bob.get({ type: 'conversation.join', conversation_id: channel.id }, 'conversation.joined');
      assert.ok(fits(joined.conversation, { id: channel.id, kind: 'channel', role: 'member', member_count: 2 }));
      assert.ok(fits(await ada.waitFor({ type: 'member.added' }), { user_id: bob.id, role: 'member', by: bob.id }));
      await bob.refused({ type: 'message.send', conversation_id: channel.id, client_id: 'x', content: 'me too' }, 'forbidden');
      const sent = await ada.get({ type: 'message.send', conversation_id: channel.id, client_id: fresh_key(), content: 'news' }, 'message.sent');
      await bob.waitFor({ type: 'message.new', seq: sent.seq });
      await bob.get({ type: 'reaction.add', conversation_id: channel.id, seq: sent.seq, emoji: '🎉' }, 'reaction.updated');
      await ada.get({ type: 'conversation.role', conversation_id: channel.id, user_id: bob.id, role: 'admin' }, 'conversation.updated');
      await bob.waitFor({ type: 'conversation.updated', user_id: bob.id, role: 'admin' });
      await bob.get({ type: 'message.send', conversation_id: channel.id, client_id: 'y', content: 'me too' }, 'message.sent');
    });

    it('a group cannot be joined, a direct conversation cannot be left or renamed', async () => {
      const [ada, bob, cyd] = await connected('ada', 'bob', 'cyd');
      const group = await create(ada, 'group', [bob]);
      await cyd.refused({ type: 'conversation.join', conversation_id: group.id }, 'forbidden');
      const { conversation_id } = await ada.get({ type: 'message.send', to: bob.id, client_id: fresh_key(), content: 'hi' }, 'message.sent');
      await ada.refused({ type: 'conversation.leave', conversation_id }, 'conflict');
      await ada.refused({ type: 'conversation.rename', conversation_id, name: 'us' }, 'conflict');
      await ada.refused({ type: 'conversation.add', conversation_id, user_ids: [cyd.id] }, 'conflict');
    });

    it('who is added hears and writes from then on, and sees nothing from before', async () => {
      const [ada, bob, cyd] = await connected('ada', 'bob', 'cyd');
      const group = await create(ada, 'group', [bob]);
      const old = await ada.get({ type: 'message.send', conversation_id: group.id, client_id: fresh_key(), content: 'before cyd' }, 'message.sent');
      const added = await ada.get({ type: 'conversation.add', conversation_id: group.id, user_ids: [cyd.id] }, 'member.added');
      assert.ok(fits(added, { seq: old.seq + 1, user_id: cyd.id, role: 'member', by: ada.id }));
      await bob.waitFor({ type: 'member.added', seq: added.seq });
      await cyd.waitFor({ type: 'conversation.joined', conversation: { id: group.id } });
      const sent = await cyd.get({ type: 'message.send', conversation_id: group.id, client_id: fresh_key(), content: 'hello all' }, 'message.sent');
      await bob.waitFor({ type: 'message.new', seq: sent.seq });
      await bob.get({ type: 'message.send', conversation_id: group.id, client_id: fresh_key(), content: 'hello cyd' }, 'message.sent');
      await cyd.waitFor({ type: 'message.new', content: 'hello cyd' });
      const page = await cyd.get({ type: 'history', conversation_id: group.id }, 'history.page');
      assert.deepEqual(page.messages.filter((message) => message.kind !== 'system').map((message) => message.content), ['hello all', 'hello cyd']);
      const synced = await cyd.sync({ [group.id]: 0 });
      assert.ok(synced.pages.every((each) => each.messages.every((message) => message.content !== 'before cyd')));
    });

    it('who is removed is told, hears no more and is refused', async () => {
      const [ada, bob, cyd] = await connected('ada', 'bob', 'cyd');
      const group = await create(ada, 'group', [bob, cyd]);
      await bob.refused({ type: 'conversation.remove', conversation_id: group.id, user_id: cyd.id }, 'forbidden');
      const removed = await ada.get({ type: 'conversation.remove', conversation_id: group.id, user_id: cyd.id }, 'member.removed');
      await bob.waitFor({ type: 'member.removed', seq: removed.seq, user_id: cyd.id, by: ada.id });
      await cyd.waitFor({ type: 'member.removed', conversation_id: group.id, user_id: cyd.id });
      const after_it = await ada.get({ type: 'message.send', conversation_id: group.id, client_id: fresh_key(), content: 'she is gone' }, 'message.sent');
      await bob.waitFor({ type: 'message.new', seq: after_it.seq });
      await cyd.refused({ type: 'message.send', conversation_id: group.id, client_id: 'x', content: 'let me back' }, 'not_member');
      await cyd.ping();
      assert.deepEqual(cyd.heard({ type: 'message.new', content: 'she is gone' }), []);
    });

    it('leaving is told to the others and ends one\'s own hearing', async () => {
      const [ada, bob] = await connected('ada', 'bob');
      const group = await create(ada, 'group', [bob]);
      const left = await bob.get({ type: 'conversation.leave', conversation_id: group.id }, 'member.removed');
      assert.ok(fits(left, { user_id: bob.id, by: bob.id }));
      await ada.waitFor({ type: 'member.removed', seq: left.seq });
      await bob.refused({ type: 'history', conversation_id: group.id }, 'not_member');
    });

    it('rights follow the roles', async () => {
      const [owner, admin, member, other] = await connected('owner', 'admin', 'member', 'other');
      const group = await create(owner, 'group', [admin, member, other]);
      const conversation_id = group.id;
      await owner.get({ type: 'conversation.role', conversation_id, user_id: admin.id, role: 'admin' }, 'conversation.updated');
      const hers = await member.get({ type: 'message.send', conversation_id, client_id: fresh_key(), content: 'rude' }, 'message.sent');
      await other.refused({ type: 'message.delete', conversation_id, seq: hers.seq }, 'forbidden');
      await admin.get({ type: 'message.delete', conversation_id, seq: hers.seq }, 'message.deleted');
      await member.refused({ type: 'conversation.rename', conversation_id, name: 'mine' }, 'forbidden');
      await member.refused({ type: 'conversation.role', conversation_id, user_id: member.id, role: 'owner' }, 'forbidden');
      await admin.refused({ type: 'conversation.role', conversation_id, user_id: admin.id, role: 'owner' }, 'forbidden');
      await admin.refused({ type: 'conversation.remove', conversation_id, user_id: owner.id }, 'forbidden');
      const renamed = await admin.get({ type: 'conversation.rename', conversation_id, name: 'Tigers' }, 'conversation.updated');
      await member.waitFor({ type: 'conversation.updated', name: 'Tigers', by: admin.id, seq: renamed.seq });
      await admin.get({ type: 'conversation.remove', conversation_id, user_id: other.id }, 'member.removed');
      await owner.refused({ type: 'conversation.role', conversation_id, user_id: other.id, role: 'admin' }, 'not_found');
      const page = await member.get({ type: 'history', conversation_id, limit: 200 }, 'history.page');
      const events = page.messages.filter((message) => message.kind === 'system').map((message) => message.event);
      assert.ok(['role.changed', 'conversation.renamed', 'member.removed'].every((event) => events.includes(event)), events.join());
    });

    it('when the last owner leaves, the conversation has an owner again', async () => {
      const [ada, bob, cyd] = await connected('ada', 'bob', 'cyd');
      const group = await create(ada, 'group', [bob, cyd]);
      await ada.get({ type: 'conversation.role', conversation_id: group.id, user_id: cyd.id, role: 'admin' }, 'conversation.updated');
      await ada.get({ type: 'conversation.leave', conversation_id: group.id }, 'member.removed');
      await cyd.waitFor({ type: 'conversation.updated', user_id: cyd.id, role: 'owner' });
      const info = await cyd.get({ type: 'conversation.get', conversation_id: group.id }, 'conversation.info');
      assert.equal(info.conversation.role, 'owner');
    });

    it('mute is for oneself alone and ends when asked', async () => {
      const [ada, bob] = await connected('ada', 'bob');
      const { conversation_id } = await ada.get({ type: 'message.send', to: bob.id, client_id: fresh_key(), content: 'hi' }, 'message.sent');
      const muted = await ada.get({ type: 'conversation.mute', conversation_id, for_ms: 3_600_000 }, 'conversation.muted');
      assert.ok(Math.abs(Date.parse(muted.muted_until) - Date.now() - 3_600_000) < 60_000);
      const seen_by = async (client) => (await client.get({ type: 'conversation.get', conversation_id }, 'conversation.info')).conversation.muted_until;
      assert.equal(await seen_by(ada), muted.muted_until);
      assert.equal(await seen_by(bob), undefined);
      const until = '2030-01-02T03:04:05.678Z';
      assert.equal((await ada.get({ type: 'conversation.mute', conversation_id, until }, 'conversation.muted')).muted_until, until);
      assert.equal((await ada.get({ type: 'conversation.mute', conversation_id }, 'conversation.muted')).muted_until, undefined);
      assert.equal(await seen_by(ada), undefined);
    });

    it('the list of conversations comes in pages and misses none', async () => {
      const [ada] = await connected('ada');
      const made = [];
      for (let i = 0; i < 7; ++i) made.push((await create(ada, 'group', [], { name: `g${i}` })).id);
      const seen = [];
      let after_id;
      for (let round = 0; round < 10; ++round) {
        const page = await ada.get({ type: 'conversation.list', limit: 3, ...(after_id ? { after: after_id } : {}) }, 'conversation.list');
        seen.push(...page.conversations.map((conversation) => conversation.id));
        if (!page.has_more) break;
        after_id = page.conversations.at(-1).id;
      }
      assert.deepEqual(seen, [...made].sort());
    });

    it('history pages backwards and forwards without gap or repeat', async () => {
      const [ada] = await connected('ada');
      const { id: conversation_id } = await create(ada, 'group');
      const contents = [];
      for (let i = 0; i < 25; ++i) {
        contents.push(`m${i}`);
        await ada.get({ type: 'message.send', conversation_id, client_id: fresh_key(), content: `m${i}` }, 'message.sent');
      }
      const talk = (messages) => messages.filter((message) => message.kind !== 'system').map((message) => message.content);
      let backwards = [];
      let bound = {};
      for (let round = 0; round < 20; ++round) {
        const page = await ada.get({ type: 'history', conversation_id, limit: 7, ...bound }, 'history.page');
        assert.ok(page.messages.length <= 7);
        const seqs = page.messages.map((message) => message.seq);
        assert.deepEqual(seqs, [...seqs].sort((a, b) => a - b), 'pages ascend');
        backwards = [...page.messages, ...backwards];
        if (!page.has_more) break;
        bound = { before_seq: seqs[0] };
      }
      assert.deepEqual(talk(backwards), contents);
      const forwards = [];
      bound = { after_seq: 0 };
      for (let round = 0; round < 20; ++round) {
        const page = await ada.get({ type: 'history', conversation_id, limit: 7, ...bound }, 'history.page');
        forwards.push(...page.messages);
        if (!page.has_more) break;
        bound = { after_seq: page.messages.at(-1).seq };
      }
      assert.deepEqual(talk(forwards), contents);
      for (const limit of [0, 201]) await ada.refused({ type: 'history', conversation_id, limit }, 'invalid_field');
    });
  });
}
