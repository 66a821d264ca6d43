// Faults that were mended once and would come back unnoticed: each is a promise that only several shards, several connections or
// an unlucky moment break.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { Server } from './server.mjs';

const kPassword = 'correct horse';

async function with_server(options, run) {
  const server = await Server.start(options);
  try {
    await run(server);
  } finally {
    await server.stop();
  }
}

describe('what was mended stays mended', () => {
  it('login attempts of one address are counted on the whole node, whichever shard takes them', async () => {
    await with_server({ shards: 4, flags: { 'logins-per-address': '1' } }, async (server) => {
      // A connection of its own for each attempt, so that the kernel spreads them over the shards. Nobody has this name:
      // only the address counts, since each account is another one.
      const attempts = Array.from({ length: 120 }, (_, i) => server.rest('POST', '/api/v1/login', {
        headers: { connection: 'close' }, body: { name: `nobody-${i}`, password: kPassword } }));
      const answers = await Promise.all(attempts);
      const taken = answers.filter((answer) => answer.status !== 429).length;
      assert.ok(answers.some((answer) => answer.status === 429), 'no limit at all');
      assert.ok(taken <= 40, `${taken} of 120 attempts were taken: more than one burst of 30`);
    });
  });

  it('a logout while the connection is opening leaves nobody in', async () => {
    await with_server({ shards: 2 }, async (server) => {
      for (let round = 0; round < 30; ++round) {
        const made = await server.rest('POST', '/api/v1/register', { body: { name: `racer-${round}`, password: kPassword } });
        assert.equal(made.status, 201, made.text);
        const { access_token: token } = made.body;
        const says_first = round % 2 === 1;   // the token in session.open instead of the handshake
        const opening = server.connect(says_first ? { session_token: token, ready: false } : { token, ready: false })
          .catch((error) => error);
        const logout = await server.rest('POST', '/api/v1/logout', { token });
        assert.ok(logout.status < 300, logout.text);
        const opened = await opening;
        if (opened instanceof Error) {
          assert.equal(opened.status, 401, opened.message);
        } else {
          const late = setTimeout(() => opened.terminate(), 8_000);   // seen as 1006 then
          const { code } = await opened.closed;
          clearTimeout(late);
          assert.equal(code, 4102, `round ${round}: heard ${JSON.stringify(opened.events)}`);
        }
      }
    });
  });

  it('a connection in more than a thousand conversations hears each of them', async () => {
    await with_server({ shards: 2 }, async (server) => {
      const kRooms = 1100;
      const [ada, bob] = await server.people('ada', 'bob');
      const a = await ada.connect();
      const rooms = [];
      while (rooms.length < kRooms) {
        const made = await Promise.all(Array.from({ length: 100 }, () => a.get(
          { type: 'conversation.create', kind: 'group', name: 'a room', members: [bob.id] }, 'conversation.created')));
        rooms.push(...made.map((answer) => answer.conversation.id));
      }
      const b = await bob.connect();   // hears all from its start
      const heard = new Set();
      b.on_event = (event) => { if (event.type === 'event') heard.add(event.conversation_id); };
      for (let at = 0; at < kRooms; at += 50) {   // few at a time: such events are lossy for who reads slowly
        const some = rooms.slice(at, at + 50);
        for (const conversation_id of some) a.send({ type: 'event.publish', conversation_id, name: 'here', data: 1 });
        await b.waitFor((event) => event.type === 'event' && event.conversation_id === some.at(-1));
      }
      const left = rooms.filter((room) => !heard.has(room));
      if (left.length > 0) await b.waitFor(() => rooms.every((room) => heard.has(room)), `events of ${left.length} more conversations`);
      assert.equal(heard.size, kRooms);
    });
  });
});
