// The life of a connection: how a session opens, how long it may be silent, and how it ends.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { Client } from './client.mjs';
import { Server, use_server } from './server.mjs';

describe('a session', () => {
  const server = use_server(before, after, { shards: 2, flags: { 'heartbeat-timeout': '5', 'connections-per-user': '3', 'node-id': 'n7' } });
  const waiting = {};   // says nothing, from the beginning of all these tests
  before(async () => {
    const began = Date.now();
    waiting.client = await server().connect({ ready: false });
    waiting.client.closed.then(() => { waiting.ended = Date.now(); });
    waiting.took_ms = () => waiting.ended - began;
  });

  it('opens by header with the subprotocol, and session.ready is the first thing heard', async () => {
    const ada = await server().person('ada');
    const client = await ada.connect();
    assert.equal(client.socket.protocol, 'uproar.v1');
    assert.equal(client.events[0].type, 'session.ready');
    const { session_id, user_id, server_time, heartbeat_interval_ms, resume_window_s, limits, node } = client.ready;
    assert.match(session_id, /^[0-9a-f-]{36}$/);
    assert.equal(user_id, ada.id);
    assert.ok(Math.abs(Date.parse(server_time) - Date.now()) < 60_000);
    assert.ok(heartbeat_interval_ms * 2 <= 5_000, `a client that pings every ${heartbeat_interval_ms} ms is closed after 5 s`);
    assert.ok(resume_window_s > 0);
    assert.equal(node, 'n7');
    assert.deepEqual(limits, { content_bytes_max: 16384, event_bytes_max: 8192, message_bytes_max: 131072, members_max: 10000,
                               history_limit_max: 200, sync_conversations_max: 1000, presence_watch_max: 256 });
    const bare = await ada.connect({ subprotocol: '' });
    assert.equal(bare.socket.protocol, '');
  });

  it('is refused by name to whom offers other subprotocols alone; offered beside ours they do no harm', async () => {
    const ada = await server().person('ada');
    await assert.rejects(ada.connect({ subprotocol: 'uproar.v2' }), ({ status, body }) => {
      assert.equal(status, 400);
      assert.equal(body.type, 'error');
      assert.equal(body.code, 'unknown_subprotocol');
      assert.match(body.message, /uproar\.v1/);
      return true;
    });
    const client = await ada.connect({ subprotocol: ['uproar.v2', 'uproar.v1'] });
    assert.equal(client.socket.protocol, 'uproar.v1');
    client.terminate();
  });

  it('may be spoken to before it is ready: nothing that was said is lost', async () => {
    const ada = await server().person('ada');
    const client = await Client.connect(server().ws_url, { ready: false });
    client.send({ type: 'session.open', token: ada.token });
    for (let i = 0; i < 10; ++i) client.send({ type: 'ping', id: i });
    for (let i = 0; i < 10; ++i) await client.waitFor({ type: 'pong', id: i });
    assert.equal(client.events[0].type, 'session.ready');
    client.terminate();
  });

  it('does nothing for strangers: commands before session.open are unauthorized, and the connection stays', async () => {
    const ada = await server().person('ada');
    const client = await server().connect({ ready: false });
    await client.refused({ type: 'ping' }, 'unauthorized');
    await client.refused({ type: 'message.send', to: ada.id, client_id: 'x', content: 'x' }, 'unauthorized');
    client.send('{"type":');
    assert.equal((await client.waitFor({ type: 'error' })).code, 'bad_json');
    client.send({ type: 'session.open', token: ada.token });
    await client.waitFor({ type: 'session.ready' });
    await client.refused({ type: 'session.open', token: ada.token }, 'already_open');
    await client.ping();
    client.terminate();
  });

  it('that falls silent is closed with 4208, and is offline; one that pings stays', async () => {
    const [ada, bob] = await server().people('ada', 'bob');
    await bob.rest('POST', '/api/v1/conversations', { kind: 'channel', name: 'news', members: [ada.id] });
    const watcher = await bob.connect();
    // `ws` answers pings by itself; a peer that is gone does not.
    const silent = await ada.connect({ ws: { autoPong: false } });
    await watcher.get({ type: 'presence.subscribe', user_ids: [ada.id] }, 'presence.state');
    const alive = setInterval(() => watcher.send({ type: 'ping' }), 1000);
    try {
      let late;
      const closed = await Promise.race([silent.closed, new Promise((resolve) => { late = setTimeout(resolve, 12_000, 'open'); })]);
      clearTimeout(late);
      assert.equal(closed.code, 4208);
      await watcher.waitFor({ type: 'presence.update', user_id: ada.id, status: 'offline' }, 'offline', 12_000);
      await watcher.ping();
    } finally {
      clearInterval(alive);
    }
  });

  it('beyond the connections of one user is closed with 4009; the older ones go on', async () => {
    const ada = await server().person('ada');
    const clients = [];
    for (let i = 0; i < 3; ++i) clients.push(await ada.connect());
    const fourth = await ada.connect({ ready: false });
    assert.equal((await fourth.waitFor({ type: 'error' })).code, 'too_many_connections');
    assert.equal((await fourth.closed).code, 4009);
    for (const client of clients) await client.ping();
    await clients[0].close();
    await (await ada.connect()).ping();
  });

  it('ends cleanly when the client says so', async () => {
    const ada = await server().person('ada');
    const client = await ada.connect();
    assert.deepEqual(await client.close(), { code: 1000, reason: '' });
  });

  it('that sends binary is closed with 1003', async () => {
    const ada = await server().person('ada');
    const client = await ada.connect();
    client.socket.send(Buffer.from('{"type":"ping"}'), { binary: true });
    assert.equal((await client.closed).code, 1003);
  });

  it('that has not opened is kept for ten seconds, then closed with 4401', async () => {
    const error = await waiting.client.waitFor({ type: 'error' }, 'session_open_timeout', 15_000);
    assert.equal(error.code, 'session_open_timeout');
    assert.equal((await waiting.client.closed).code, 4401);
    assert.ok(waiting.took_ms() >= 9_000, `after ${waiting.took_ms()} ms`);
  });

  it('is found at /ws only, and not by a foreign page', async () => {
    const ada = await server().person('ada');
    await assert.rejects(Client.connect(`${server().url.replace('http', 'ws')}/elsewhere`, { token: ada.token }), { status: 404 });
    await assert.rejects(ada.connect({ headers: { origin: 'https://evil.example' } }), { status: 403 });
    const own = await ada.connect({ headers: { origin: server().url } });
    await own.ping();
    const plain = await server().rest('GET', '/ws');
    assert.equal(plain.status === 426 || plain.status === 404 || plain.status === 400, true, String(plain.status));
  });
});

describe('permessage-deflate', () => {
  const lion = 'The lion sleeps tonight. '.repeat(200);
  for (const [offered, enabled] of [[true, true], [true, false], [false, true]]) {
    it(`offered ${offered}, enabled ${enabled}: the same words arrive`, async () => {
      const server = await Server.start({ flags: { deflate: String(enabled), 'deflate-bytes-min': '64' } });
      try {
        const [ada, bob, cyd] = await server.people('ada', 'bob', 'cyd');
        const [a, b, plain] = [await ada.connect({ deflate: offered }), await bob.connect({ deflate: offered }), await cyd.connect()];
        const group = await a.get({ type: 'conversation.create', kind: 'group', name: 'G', members: [bob.id, cyd.id] }, 'conversation.created');
        assert.equal(a.socket.extensions.includes('permessage-deflate'), offered && enabled);
        await b.waitFor({ type: 'conversation.joined' });
        await plain.waitFor({ type: 'conversation.joined' });
        for (const content of [lion.slice(0, 14_000), 'short', 'é🦁'.repeat(1000)]) {
          const sent = await a.get({ type: 'message.send', conversation_id: group.conversation.id, client_id: `k-${content.length}`, content }, 'message.sent');
          for (const hearer of [b, plain]) assert.equal((await hearer.waitFor({ type: 'message.new', seq: sent.seq })).content, content);
        }
        const bytes = b.socket._socket.bytesRead;
        assert.equal(bytes < 12_000, offered && enabled, `${bytes} bytes were read`);
      } finally {
        await server.stop();
      }
    });
  }
});

describe('draining', () => {
  for (const shards of [1, 2]) {
    it(`on SIGTERM tells everybody, closes with 4300, and leaves with 0 (${shards} shards)`, async () => {
      const server = await Server.start({ shards, flags: { 'drain-seconds': '1' } });
      const clients = await Promise.all((await server.people('ada', 'bob', 'cyd')).map((person) => person.connect()));
      const idle = await server.connect({ ready: false });
      const ended = server.ended;
      server.child.kill('SIGTERM');
      for (const client of clients) {
        const draining = await client.waitFor({ type: 'server.draining' });
        assert.ok(draining.reconnect_after_ms >= 0 && draining.reconnect_after_ms <= 1000, JSON.stringify(draining));
        assert.equal((await client.closed).code, 4300);
      }
      assert.equal((await idle.closed).code, 4300);
      assert.deepEqual(await ended, { code: 0, signal: null });
      await server.stop();
    });
  }

  it('a message that was acked while draining is there afterwards; a second signal ends it at once', async () => {
    const server = await Server.start({ flags: { 'drain-seconds': '60' } });
    const [ada, bob] = await server.people('ada', 'bob');
    const clients = [await ada.connect(), await ada.connect(), await ada.connect(), await ada.connect()];
    const sent = await clients[0].get({ type: 'message.send', to: bob.id, client_id: 'k', content: 'x' }, 'message.sent');
    assert.ok(sent.seq > 0);
    server.child.kill('SIGTERM');
    await Promise.any(clients.map((client) => client.waitFor({ type: 'server.draining' })));
    const began = Date.now();
    server.child.kill('SIGTERM');
    assert.deepEqual(await server.ended, { code: 0, signal: null });
    assert.ok(Date.now() - began < 10_000);
    await server.stop();
  });
});
