// Two real nodes on one database and one bus, with clients on both. Run by with_services.py.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import { Client } from '../../e2e/client.mjs';
import { Server } from '../../e2e/server.mjs';

const services = JSON.parse(process.env.UPROAR_TEST_SERVICES);

let key = 0;
const fresh_key = () => `k-${++key}`;

// Redis as with_services.py started it: killed, and started again on its port.
const redis = {
  pid: services.redis.pid,
  kill() { process.kill(this.pid, 'SIGKILL'); },
  start() {
    this.child = spawn(services.redis.command[0], services.redis.command.slice(1), { stdio: 'ignore' });
    this.pid = this.child.pid;
  },
  end() { this.child?.kill(); },
};

// What a client that follows docs/protocol.md keeps of one conversation, and every break of the rule.
class Replica {
  cursor = 0;
  contents = [];
  breaks = [];

  constructor(conversation, cursor = 0) {
    this.conversation = conversation;
    this.cursor = cursor;
  }

  follow(client) {
    for (const event of client.events) this.apply(event);
    client.on_event = (event) => this.apply(event);
    return this;
  }

  apply(event) {
    if (event.conversation_id !== this.conversation) return;
    if (event.type === 'history.page') {
      for (const message of event.messages) this.#take(message);
      this.cursor = event.upto_seq;
    } else if (event.seq !== undefined && event.id === undefined) {
      if (event.seq !== this.cursor + 1) this.breaks.push(`${event.type} has seq ${event.seq} after ${this.cursor}`);
      this.cursor = event.seq;
      if (event.type === 'message.new') this.#take(event);
    }
  }

  #take(message) { if (message.kind !== 'system') this.contents.push(message.content); }
}

for (const discovery of ['etcd', 'redis']) {
  describe(`two nodes that find each other over ${discovery}`, () => {
    let data;
    const nodes = [];
    const start = (name, more = {}) => Server.start({
      data, shards: 2,
      flags: { redis: services.redis.url, 'node-id': name, 'node-lease': '2s', ...(discovery === 'etcd' ? { etcd: services.etcd } : {}), ...more },
    });

    before(async () => {
      data = await mkdtemp(join(tmpdir(), 'uproar-two-nodes-'));
      nodes.push(await start('one'), await start('two'));
    });
    after(async () => {
      for (const node of nodes) await node.stop();
      await rm(data, { recursive: true, force: true });
    });

    // Ada on the first node, Bob on the second, in a group that both hear.
    async function world() {
      const [ada, bob] = await nodes[0].people('ada', 'bob');
      const a = await nodes[0].connect({ token: ada.token });
      const b = await nodes[1].connect({ token: bob.token });
      const made = await a.get({ type: 'conversation.create', kind: 'group', name: 'g', members: [bob.id] }, 'conversation.created');
      const { id, last_seq = 0 } = made.conversation;
      await b.waitFor({ type: 'conversation.joined', conversation: { id } });
      return { ada, bob, a, b, id, last_seq };
    }

    const say = (client, conversation_id, content) =>
      client.get({ type: 'message.send', conversation_id, client_id: fresh_key(), content }, 'message.sent');

    // As an event of its own, or in a page when it was read from the store.
    const hears = (client, conversation_id, seq) => client.waitFor(
      (event) => event.conversation_id === conversation_id &&
        (event.type === 'message.new' ? event.seq === seq : event.type === 'history.page' && event.upto_seq >= seq),
      `message ${seq}`, 20_000);

    // When this returns, each of `clients` has heard a message that came after all that was said before.
    async function settle(speaker, conversation_id, ...clients) {
      const last = await say(speaker, conversation_id, `last ${fresh_key()}`);
      await Promise.all(clients.map((client) => hears(client, conversation_id, last.seq)));
      return last;
    }

    it('hear each other\'s messages in one order', async () => {
      const { a, b, id } = await world();
      const replicas = [a, b].map((client) => new Replica(id).follow(client));
      await Promise.all([a, b].map(async (client, who) => { for (let i = 0; i < 50; ++i) await say(client, id, `${who} ${i}`); }));
      await settle(a, id, a, b);
      for (const replica of replicas) assert.deepEqual(replica.breaks, []);
      assert.equal(replicas[0].contents.length, 101);
      assert.deepEqual(replicas[0].contents, replicas[1].contents);
    });

    it('carry typing, receipts, free events and edits', async () => {
      const { ada, bob, a, b, id } = await world();
      await settle(a, id, b);
      b.send({ type: 'typing.start', conversation_id: id });
      await a.waitFor({ type: 'typing.update', conversation_id: id, user_id: bob.id, typing: true });
      const sent = await say(a, id, 'read me');
      await b.waitFor({ type: 'message.new', seq: sent.seq });
      await b.get({ type: 'message.read', conversation_id: id, seq: sent.seq }, 'receipt.update');
      await a.waitFor({ type: 'receipt.update', conversation_id: id, user_id: bob.id, read_seq: sent.seq });
      a.send({ type: 'event.publish', conversation_id: id, name: 'cursor', data: { x: 1 } });
      await b.waitFor({ type: 'event', conversation_id: id, sender_id: ada.id, data: { x: 1 } });
      await a.get({ type: 'message.edit', conversation_id: id, seq: sent.seq, content: 'read me again' }, 'message.updated');
      await b.waitFor({ type: 'message.updated', conversation_id: id, content: 'read me again' });
    });

    it('store a retry at the other node once', async () => {
      const { ada, a, b, id } = await world();
      const command = { type: 'message.send', conversation_id: id, client_id: fresh_key(), content: 'once' };
      const first = await a.get(command, 'message.sent');
      const elsewhere = await nodes[1].connect({ token: ada.token });
      const again = await elsewhere.get(command, 'message.sent');
      assert.deepEqual([again.duplicate, again.seq, again.message_id], [true, first.seq, first.message_id]);
      await settle(a, id, b);
      assert.equal(b.heard({ type: 'message.new', content: 'once' }).length, 1);
    });

    it('send logins to one after the other, and any node takes the ticket, once', async () => {
      const name = `fay-${discovery}-${fresh_key()}`;
      const credentials = { name, password: 'correct horse' };
      const seen = new Set();
      await nodes[0].rest('POST', '/api/v1/register', { body: credentials });
      for (let i = 0; i < 4; ++i) {
        const { ticket, ws_url } = (await nodes[0].rest('POST', '/login', { body: credentials })).body;
        seen.add(ws_url);
        const client = await Client.connect(ws_url, { ticket });
        await client.close();
        for (const node of nodes) {
          const again = await Client.connect(node.ws_url, { ticket, ready: false });
          assert.equal((await again.closed).code, 4401, 'used, wherever that was');
        }
      }
      assert.deepEqual([...seen].sort(), nodes.map((node) => node.ws_url).sort());
    });

    it('list each other for operators', async () => {
      for (const node of nodes) {
        const { status, body } = await node.admin('/api/v1/admin/nodes');
        assert.equal(status, 200);
        assert.deepEqual(body.nodes.map((listed) => listed.url).sort(), nodes.map((each) => each.ws_url.replace('/ws', '')).sort());
        assert.deepEqual(body.nodes.filter((listed) => listed.self).map((listed) => `${listed.url}/ws`), [node.ws_url]);
        assert.ok(body.nodes.every((listed) => listed.state === 'live' && listed.shards === 2));
      }
    });

    it('end a login everywhere: its token, and its connection at the other node', async () => {
      const { access_token: token } = (await nodes[0].rest('POST', '/api/v1/register', { body: { name: `eve-${discovery}-${fresh_key()}`, password: 'correct horse' } })).body;
      const elsewhere = await nodes[1].connect({ token });
      assert.equal((await nodes[0].rest('POST', '/api/v1/logout', { token })).status, 204);
      assert.equal((await elsewhere.closed).code, 4102);
      // The connection was closed by one shard, a request meets any: each is told for itself, and this one not always last.
      const until = Date.now() + 10_000;
      for (let refused = 0; refused < 8;) {
        const me = await nodes[1].rest('GET', '/api/v1/me', { token });
        refused = me.status === 401 ? refused + 1 : 0;
        if (refused > 0) assert.equal(me.body.code, 'token_revoked');
        assert.ok(Date.now() < until, 'a shard still takes the token');
      }
    });

    it('end a login everywhere also while Redis is away', async () => {
      const { access_token: token } = (await nodes[0].rest('POST', '/api/v1/register', { body: { name: `eve-${discovery}-${fresh_key()}`, password: 'correct horse' } })).body;
      const elsewhere = await nodes[1].connect({ token });
      redis.kill();
      assert.equal((await nodes[0].rest('POST', '/api/v1/logout', { token })).status, 204);
      assert.equal((await elsewhere.closed).code, 4102);
      redis.start();
    });

    it('let people in by ticket while Redis is away', async () => {
      const body = { name: `gil-${discovery}-${fresh_key()}`, password: 'correct horse' };
      await nodes[0].rest('POST', '/api/v1/register', { body });
      redis.kill();
      const { ticket } = (await nodes[0].rest('POST', '/login', { body })).body;
      const client = await nodes[1].connect({ ticket });
      assert.ok(client.ready);
      redis.start();
    });

    it('let a client resume at the other node with its cursor', async () => {
      const { ada, a, b, id } = await world();
      const replica = new Replica(id).follow(a);
      await settle(b, id, a);
      a.terminate();
      await a.closed;
      for (let i = 0; i < 30; ++i) await say(b, id, `missed ${i}`);
      const again = await nodes[1].connect({ token: ada.token, resume: true });
      replica.follow(again);
      const { done } = await again.sync({ [id]: replica.cursor });
      assert.equal(done.refused, undefined);
      await settle(b, id, again);
      assert.deepEqual(replica.breaks, []);
      assert.equal(replica.contents.filter((content) => content.startsWith('missed')).length, 30);
    });

    it('lose nothing while Redis is killed and comes back, and go on talking meanwhile', async () => {
      const { a, b, id } = await world();
      const replicas = [a, b].map((client) => new Replica(id).follow(client));
      await settle(a, id, b);
      redis.kill();
      let sent;
      for (let i = 0; i < 20; ++i) {
        sent = await say(a, id, `without Redis ${i}`);
        await a.waitFor({ type: 'message.new', conversation_id: id, seq: sent.seq });   // who is on the same node hears it
      }
      redis.start();
      await hears(b, id, sent.seq);
      await settle(b, id, a, b);
      for (const replica of replicas) assert.deepEqual(replica.breaks, []);
      assert.deepEqual(replicas[0].contents, replicas[1].contents);
    });

    it('announce what was read while Redis was away', async () => {
      const { bob, a, b, id } = await world();
      const sent = await say(a, id, 'read me');
      await hears(b, id, sent.seq);
      redis.kill();
      await b.get({ type: 'message.read', conversation_id: id, seq: sent.seq }, 'receipt.update');
      redis.start();
      await a.waitFor({ type: 'receipt.update', conversation_id: id, user_id: bob.id, read_seq: sent.seq }, 'what Bob has read', 20_000);
    });

    it('miss nothing of a node that drains, and know at once that it has left', async () => {
      const leaving = await start('leaving', { 'drain-seconds': 1 });
      const [ada, bob] = await nodes[0].people('ada', 'bob');
      const a = await leaving.connect({ token: ada.token });
      const made = await a.get({ type: 'conversation.create', kind: 'group', name: 'g', members: [bob.id] }, 'conversation.created');
      const { id } = made.conversation;
      const b = await nodes[1].connect({ token: bob.token });
      const replica = new Replica(id, made.conversation.last_seq ?? 0).follow(b);
      const last = await say(a, id, 'the last words');
      leaving.child.kill('SIGTERM');
      assert.ok((await a.waitFor({ type: 'server.draining' })).reconnect_after_ms >= 0);
      assert.equal((await a.closed).code, 4300);
      assert.equal((await leaving.ended).code, 0);
      await hears(b, id, last.seq);
      assert.deepEqual(replica.breaks, []);
      const { body } = await nodes[1].admin('/api/v1/admin/nodes');
      assert.deepEqual(body.nodes.map((node) => node.name).sort(), ['one', 'two'], 'it said goodbye: nobody waits for its lease');
      assert.equal(await nodes[1].metric('uproar_nodes_deaths_total'), 0);
    });

    it('lose nothing when a node is killed: its clients resume at the other one', async () => {
      const { bob, a, b, id } = await world();
      const [mine, theirs] = [a, b].map((client) => new Replica(id).follow(client));
      await settle(a, id, b);
      const acked = [];
      const talk = (async () => { for (let i = 0; i < 10_000; ++i) acked.push((await say(b, id, `until the end ${i}`)).seq); })().catch(() => {});
      while (acked.length < 20) await b.waitFor({ type: 'message.new', conversation_id: id });
      await nodes[1].kill();
      await talk;
      const again = await nodes[0].connect({ token: bob.token, resume: true });
      theirs.follow(again);
      await again.sync({ [id]: theirs.cursor });
      const last = await settle(a, id, a, again);
      for (const replica of [mine, theirs]) assert.deepEqual(replica.breaks, []);
      assert.deepEqual(mine.contents, theirs.contents);
      // What was acknowledged by the dead node is there for both, once.
      const page = await again.get({ type: 'history', conversation_id: id, before_seq: last.seq + 1, limit: 200 }, 'history.page');
      const stored = new Set(page.messages.map((message) => message.seq));
      assert.deepEqual(acked.filter((seq) => last.seq - seq < 200 && !stored.has(seq)), []);
      nodes[1] = await start('two again');
    });
  });
}

after(() => redis.end());
