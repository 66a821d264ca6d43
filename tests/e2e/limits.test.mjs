// Who asks too much, or reads too slowly, loses alone.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';

import { Server } from './server.mjs';

function rss_mb(pid) {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;
}

describe('rates', () => {
  it('above the burst commands are refused with the time to wait; a flood that goes on is closed with 4202', async () => {
    const server = await Server.start({ flags: { 'commands-per-second': '5' } });
    try {
      const [ada, bob] = await server.people('ada', 'bob');
      const [a, b] = [await ada.connect(), await bob.connect()];
      for (let i = 0; i < 40; ++i) a.send({ type: 'ping', id: i });
      const refused = await a.waitFor({ type: 'error', code: 'rate_limited' });
      assert.ok(refused.retry_after_ms > 0 && refused.retry_after_ms <= 10_000);
      await b.ping();
      for (let i = 0; i < 400; ++i) a.send({ type: 'ping' });
      assert.equal((await a.closed).code, 4202);
      await b.ping();
      assert.ok(await server.metric('uproar_chat_rate_limited_total') > 0);
    } finally {
      await server.stop();
    }
  });

  it('what is no command is charged like one: a flood of garbage is closed with 4202', async () => {
    const server = await Server.start({ flags: { 'commands-per-second': '5' } });
    try {
      const [ada] = await server.people('ada');
      for (const garbage of ['{', '{"type":"no.such","id":1}', '{"type":"history","id":1,"conversation_id":5}']) {
        const a = await ada.connect();
        for (let i = 0; i < 400; ++i) a.socket.send(garbage);
        assert.equal((await a.closed).code, 4202, garbage);
      }
    } finally {
      await server.stop();
    }
  });

  it('REST routes that the store answers are limited, too', async () => {
    const server = await Server.start({ flags: { 'commands-per-second': '5' } });
    try {
      const people = await server.people('ada', 'bob', 'cyd', 'dan');
      const routes = [['GET', '/api/v1/me'], ['GET', '/api/v1/users?name=ada'], ['GET', '/api/v1/unread'], ['POST', '/api/v1/sync', { cursors: {} }]];
      for (const [i, [method, path, body]] of routes.entries()) {
        const answers = await Promise.all(Array.from({ length: 40 }, () => people[i].rest(method, path, body)));
        assert.ok(answers.some((answer) => answer.status === 429), `${method} ${path}`);
      }
    } finally {
      await server.stop();
    }
  });

  it('REST is limited per user, with Retry-After', async () => {
    const server = await Server.start({ flags: { 'commands-per-second': '5' } });
    try {
      const [ada, bob] = await server.people('ada', 'bob');
      const answers = await Promise.all(Array.from({ length: 40 }, () => ada.rest('GET', '/api/v1/conversations')));
      const refused = answers.find((answer) => answer.status === 429);
      assert.equal(refused?.body.code, 'rate_limited');
      assert.ok(refused.headers.get('retry-after'));
      assert.equal((await bob.rest('GET', '/api/v1/conversations')).status, 200);
    } finally {
      await server.stop();
    }
  });
});

describe('a slow reader', () => {
  it('is closed with 4201 when messages no longer fit; the others hear everything, and the server stays small', async () => {
    const server = await Server.start({});
    try {
      const [ada, bob, slow] = await server.people('ada', 'bob', 'slow');
      const [a, b, s] = [await ada.connect(), await bob.connect(), await slow.connect()];
      const group = await a.get({ type: 'conversation.create', kind: 'group', name: 'G', members: [bob.id, slow.id] }, 'conversation.created');
      const conversation_id = group.conversation.id;
      await b.waitFor({ type: 'conversation.joined' });
      await s.ping();
      s.socket.pause();
      const content = 'x'.repeat(16_000);
      const before_mb = rss_mb(server.pid);
      let sent = 0;
      let last;
      // Loopback sockets buffer several megabytes before the first byte waits in the server.
      while (await server.metric('uproar_net_closed_slow_total') === 0 && sent < 4000) {
        for (let rounds = 0; rounds < 4; ++rounds) {   // a metric costs a second
          const acks = await Promise.all(Array.from({ length: 50 }, () => a.get(
            { type: 'message.send', conversation_id, client_id: `m${sent++}`, content }, 'message.sent')));
          last = acks.at(-1).seq;
          await b.waitFor({ type: 'message.new', seq: last }, 'bob to keep up', 20_000);
        }
      }
      assert.equal(await server.metric('uproar_net_closed_slow_total'), 1, `after ${sent} messages`);
      assert.equal(b.heard('message.new').length, sent);
      const grown_mb = rss_mb(server.pid) - before_mb;
      assert.ok(grown_mb < 200, `${grown_mb} MiB more for ${sent * content.length / 1e6} MB sent`);
      s.socket.resume();
      assert.ok([4201, 1006].includes((await s.closed).code));
      const seqs = s.heard('message.new').map((event) => event.seq);
      assert.deepEqual(seqs, seqs.map((_, i) => seqs[0] + i), 'what was heard before has no hole');
      const again = await slow.connect({ resume: true });
      const { done } = await again.sync({ [conversation_id]: seqs.at(-1) ?? 0 });
      assert.deepEqual(done.cursors, { [conversation_id]: last });
    } finally {
      await server.stop();
    }
  });

  it('loses ephemeral events first and stays connected', async () => {
    const server = await Server.start({});
    try {
      const [ada, slow] = await server.people('ada', 'slow');
      const [a, s] = [await ada.connect(), await slow.connect()];
      const { conversation_id } = await a.get({ type: 'message.send', to: slow.id, client_id: 'k', content: 'hi' }, 'message.sent');
      await s.waitFor({ type: 'message.new' });
      s.socket.pause();
      const data = 'e'.repeat(8000);
      let count = 0;
      while (await server.metric('uproar_net_dropped_ephemeral_total') === 0 && count < 6000) {
        for (let i = 0; i < 400; ++i) a.send({ type: 'event.publish', conversation_id, name: 'n', data, n: count++ });
        await a.ping();
      }
      assert.ok(await server.metric('uproar_net_dropped_ephemeral_total') > 0, `after ${count} events`);
      const sent = await a.get({ type: 'message.send', conversation_id, client_id: 'k2', content: 'after the storm' }, 'message.sent');
      s.socket.resume();
      await s.waitFor({ type: 'message.new', seq: sent.seq }, 'the message', 20_000);
      assert.ok(s.heard('event').length < count);
      assert.equal(await server.metric('uproar_net_closed_slow_total'), 0);
    } finally {
      await server.stop();
    }
  });
});

describe('sizes', () => {
  it('content, data, attachments and whole messages have their limits, exactly', async () => {
    const server = await Server.start({});
    try {
      const [ada, bob] = await server.people('ada', 'bob');
      const a = await ada.connect();
      const send = (fields) => ({ type: 'message.send', to: bob.id, client_id: `k${Math.random()}`, content: 'x', ...fields });
      const { conversation_id } = await a.get(send({ content: 'x'.repeat(16_384) }), 'message.sent');
      await a.refused(send({ content: 'x'.repeat(16_385) }), 'too_large');
      await a.refused(send({ content: '' }), 'invalid_field');
      await a.refused(send({ client_id: 'k'.repeat(65) }), 'invalid_field');
      await a.refused(send({ mentions: Array(51).fill(bob.id) }), 'too_large');
      await a.refused(send({ attachments: Array(11).fill({}) }), 'too_large');
      await a.refused(send({ attachments: [{ x: 'x'.repeat(4096) }] }), 'too_large');
      await a.get({ type: 'event.publish', conversation_id, name: 'n', data: 'x'.repeat(8190) }, 'ok');
      await a.refused({ type: 'event.publish', conversation_id, name: 'n', data: 'x'.repeat(8191) }, 'too_large');
      await a.refused({ type: 'presence.get', user_ids: Array(257).fill(bob.id) }, 'too_large');
      await a.get({ type: 'ping', padding: 'x'.repeat(131_072 - 60) }, 'pong');
      a.send({ type: 'ping', padding: 'x'.repeat(131_072) });
      assert.equal((await a.closed).code, 1009);
      const rest = await ada.rest('POST', '/api/v1/messages', send({ content: 'x'.repeat(16_385) }));
      assert.deepEqual([rest.status, rest.body.code], [413, 'too_large']);
    } finally {
      await server.stop();
    }
  });
});
