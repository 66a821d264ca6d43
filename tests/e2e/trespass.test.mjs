// Who has no business in a conversation hears nothing of it, and nobody can spoil it for the others.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { use_server } from './server.mjs';

for (const shards of [1, 2]) {
  describe(`trespassers, ${shards} shard${shards > 1 ? 's' : ''}`, () => {
    const server = use_server(before, after, { shards });

    async function group_of(owner, ...others) {
      const answer = await owner.rest('POST', '/api/v1/conversations', { kind: 'group', name: 'ours', members: others.map((person) => person.id) });
      assert.equal(answer.status, 201, answer.text);
      return answer.body.conversation.id;
    }

    it('watching a conversation\'s id as if it were a user brings nothing of the conversation', async () => {
      const [ada, bob, mallory] = await server().people('ada', 'bob', 'mallory');
      const room = await group_of(ada, bob);
      const [a, b] = [await ada.connect(), await bob.connect()];
      // Several connections: they spread over the shards.
      const spies = await Promise.all([1, 2, 3, 4].map(() => mallory.connect()));
      for (const spy of spies) {
        spy.send({ type: 'presence.subscribe', id: 1, user_ids: [room, bob.id] });
        await spy.waitFor({ type: 'presence.state', id: 1 });
      }
      a.send({ type: 'message.send', id: 1, conversation_id: room, client_id: 'secret', content: 'between us' });
      a.send({ type: 'event.publish', id: 2, conversation_id: room, name: 'cursor', data: [1] });
      await b.waitFor({ type: 'message.new', content: 'between us' });
      await b.waitFor({ type: 'event', name: 'cursor' });
      for (const spy of spies) {
        await spy.ping();
        assert.deepEqual(spy.events.filter((event) => event.conversation_id === room), []);
      }
    });

    it('a reaction that is no text is refused on every way in, and nobody\'s connection ends over it', async () => {
      const [ada, bob] = await server().people('ada', 'bob');
      const room = await group_of(ada, bob);
      const b = await bob.connect();
      const sent = await ada.rest('POST', `/api/v1/conversations/${room}/messages`, { client_id: 'm', content: 'hello' });
      for (const escapes of ['%FF', '%F0%9F', '%ED%A0%80', '%C0%80', '%0d%0aX', '%00', '%7F']) {
        for (const method of ['PUT', 'DELETE']) {
          const answer = await ada.rest(method, `/api/v1/conversations/${room}/messages/${sent.body.seq}/reactions/${escapes}`, {});
          assert.deepEqual([answer.status, answer.body.code], [400, 'invalid_field'], `${method} ${escapes}: ${answer.text}`);
        }
      }
      const good = await ada.rest('PUT', `/api/v1/conversations/${room}/messages/${sent.body.seq}/reactions/${encodeURIComponent('👍')}`, {});
      assert.equal(good.status, 200, good.text);
      await b.waitFor({ type: 'reaction.updated', emoji: '👍' });
      await b.ping();
      assert.equal(b.close_code, undefined);
    });
  });
}
