// Who is online, as clients of two real nodes see it. Run by ../two_nodes/with_services.py.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

import { Server } from '../../e2e/server.mjs';

const services = JSON.parse(process.env.UPROAR_TEST_SERVICES);
const kLeaseS = 2;
const kLongMs = 30_000;
const kLookMs = 20;

describe('presence over two nodes', () => {
  let data;
  let redis;   // started again by a test
  const nodes = [];
  const start = (name) => Server.start({
    data, shards: 2, flags: { redis: services.redis.url, etcd: services.etcd, 'node-id': name, 'node-lease': `${kLeaseS}s` },
  });

  before(async () => {
    data = await mkdtemp(join(tmpdir(), 'uproar-presence-'));
    nodes.push(await start('one'), await start('two'));
  });
  after(async () => {
    for (const node of nodes) await node.stop();
    redis?.kill();
    await rm(data, { recursive: true, force: true });
  });

  const update = (person, status, fields = {}) => ({ type: 'presence.update', user_id: person.id, status, ...fields });
  // Ada on the first node, who watches Bob; Bob nowhere.
  async function ada_watches_bob() {
    const [ada, bob] = await nodes[0].people('ada', 'bob');
    await ada.rest('POST', '/api/v1/conversations', { kind: 'channel', name: 'news', members: [bob.id] });
    const a = await nodes[0].connect({ token: ada.token });
    const { users } = await a.get({ type: 'presence.subscribe', user_ids: [bob.id] }, 'presence.state');
    assert.deepEqual([users[0].status, users[0].uncertain], ['offline', undefined]);
    return { ada, bob, a };
  }
  const asked = async (client, person) => (await client.get({ type: 'presence.get', user_ids: [person.id] }, 'presence.state')).users[0];

  async function until(condition, what) {
    for (const deadline = Date.now() + kLongMs; !await condition(); await pause(kLookMs)) assert.ok(Date.now() < deadline, `waited ${kLongMs} ms for ${what}`);
  }

  it('shows who comes to the other node and who leaves it', async () => {
    const { bob, a } = await ada_watches_bob();
    const b = await nodes[1].connect({ token: bob.token });
    await a.waitFor(update(bob, 'online'));
    const began = Date.now();
    await b.close();
    const gone = await a.waitFor(update(bob, 'offline'));
    assert.ok(Date.now() - began < 5_000, 'a goodbye is told at once');
    assert.ok(Math.abs(Date.parse(gone.last_online) - began) < 5_000, gone.last_online);
  });

  it('knows of somebody whom nobody watches', async () => {
    const [cyd, dan] = await nodes[0].people('cyd', 'dan');
    await cyd.rest('POST', '/api/v1/conversations', { kind: 'channel', name: 'news', members: [dan.id] });
    await nodes[1].connect({ token: dan.token });
    const c = await nodes[0].connect({ token: cyd.token });
    await until(async () => (await asked(c, dan)).status === 'online', 'the first node to know of dan');
  });

  it('keeps somebody online who leaves one node and is at the other', async () => {
    const { bob, a } = await ada_watches_bob();
    const here = await nodes[0].connect({ token: bob.token });
    await a.waitFor(update(bob, 'online'));
    const heard = () => nodes[0].metric('uproar_chat_presence_heard_total');
    const before_it = await heard();
    const there = await nodes[1].connect({ token: bob.token });
    await until(async () => await heard() > before_it, 'the first node to know of the second device');
    await here.close();
    assert.equal((await asked(a, bob)).status, 'online');
    await there.close();
    await a.waitFor(update(bob, 'offline'));
    assert.equal(a.heard(update(bob, 'offline')).length, 1, 'once, at the end');
  });

  it('is called uncertain while Redis is away, and is right again when it is back', async () => {
    const { bob, a } = await ada_watches_bob();
    const b = await nodes[1].connect({ token: bob.token });
    await a.waitFor(update(bob, 'online'));
    process.kill(services.redis.pid, 'SIGKILL');
    await a.waitFor(update(bob, 'online', { uncertain: true }), 'uncertainty', kLongMs);
    assert.equal((await asked(a, bob)).uncertain, true);
    assert.equal((await asked(b, bob)).uncertain, undefined, 'whoever is here is known');
    await b.close();
    redis = spawn(services.redis.command[0], services.redis.command.slice(1), { stdio: 'ignore' });
    const back = await a.waitFor((event) => event.type === 'presence.update' && event.user_id === bob.id && event.status === 'offline' && !event.uncertain,
                                 'certainty', kLongMs);
    assert.equal(back.uncertain, undefined);
    const again = await nodes[1].connect({ token: bob.token });
    await a.waitFor((event) => event.type === 'presence.update' && event.user_id === bob.id && event.status === 'online' && !event.uncertain, 'bob again', kLongMs);
    await again.close();
  });

  it('is called uncertain when etcd could not say for a lease who lives, and is certain again when it can', async () => {
    const { bob, a } = await ada_watches_bob();
    const b = await nodes[1].connect({ token: bob.token });
    await a.waitFor(update(bob, 'online'));
    const began = Date.now();
    process.kill(services.etcd_pid, 'SIGSTOP');
    try {
      await a.waitFor(update(bob, 'online', { uncertain: true }), 'uncertainty', kLongMs);
      assert.ok(Date.now() - began >= kLeaseS * 1000, 'within a lease nobody could be found dead anyway');
      assert.equal((await asked(a, bob)).uncertain, true);
    } finally {
      process.kill(services.etcd_pid, 'SIGCONT');
    }
    await until(async () => { const now = await asked(a, bob); return now.status === 'online' && !now.uncertain; }, 'certainty');
    await b.close();
    await a.waitFor(update(bob, 'offline'), 'bob to go', kLongMs);
  });

  it('gives up the users of a node that is killed within its lease', async () => {
    const { bob, a } = await ada_watches_bob();
    await nodes[1].connect({ token: bob.token });
    await a.waitFor(update(bob, 'online'));
    await nodes[1].kill();
    const began = Date.now();
    await a.waitFor(update(bob, 'offline'), 'bob to be given up', kLongMs);
    const took_ms = Date.now() - began;
    console.log(`# offline ${took_ms} ms after kill -9, lease ${kLeaseS} s`);
    // etcd counts leases in seconds and looks for dead ones every half: docs/decisions/0025.
    assert.ok(took_ms <= kLeaseS * 1000 + 2_500, `${took_ms} ms`);
    nodes[1] = await start('two');
    const b = await nodes[1].connect({ token: bob.token });
    await a.waitFor(update(bob, 'online'), 'bob at the new node', kLongMs);
    await b.close();
  });
});
