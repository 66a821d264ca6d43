// A store that cannot write: `unavailable` with the time to wait, never an ack, reading goes on, and no hand is needed
// once there is room again.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';

import { limit_files, Server } from './server.mjs';

const execute = promisify(execFile);
const kContent = 'x'.repeat(4000);

// Two ways to run out of room. fill() begins it, free() ends it.
async function small_disk() {
  const folder = await mkdtemp(join(tmpdir(), 'uproar-e2e-disk-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    await execute('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', folder]);
  } catch {
    await remove();
    return undefined;   // not allowed here: the other way shows the same
  }
  const ballast = join(folder, 'ballast');
  await writeFile(ballast, Buffer.alloc(1_500_000));
  return { data: join(folder, 'data'), fill: async () => {}, free: () => rm(ballast),
           end: async () => { await execute('umount', [folder]); await remove(); } };
}

async function forbidden_growth() {
  const data = await mkdtemp(join(tmpdir(), 'uproar-e2e-disk-'));
  return { data, fill: (server) => limit_files(server, 1), free: (server) => limit_files(server, 'unlimited'),
           end: () => rm(data, { recursive: true, force: true }) };
}

// A disk of three megabytes where mounting is allowed, elsewhere once more the limit on file sizes.
const kWays = { 'a full disk': async () => await small_disk() ?? forbidden_growth(), 'files that may not grow': forbidden_growth };

for (const [name, make] of Object.entries(kWays)) {
  for (const shards of [1, 2]) {
    describe(`${name}, ${shards} shard${shards > 1 ? 's' : ''}`, () => {
      it('refuses what it cannot keep, keeps what it acked, and recovers by itself', async () => {
        const disk = await make();
        let server;
        try {
          server = await Server.start({ data: disk.data, shards });
          const [ada, bob, cyd] = await server.people('ada', 'bob', 'cyd');
          const [a, b] = [await ada.connect(), await bob.connect()];
          const { conversation } = await a.get({ type: 'conversation.create', kind: 'group', name: 'G', members: [bob.id] }, 'conversation.created');
          await b.waitFor({ type: 'conversation.joined' });
          const command = (i) => ({ type: 'message.send', conversation_id: conversation.id, client_id: `k${i}`, content: `${i} ${kContent}` });
          const acks = new Map();
          const send = async (i) => {
            const answer = await a.ask(command(i));
            if (answer.type === 'message.sent') acks.set(i, answer);
            else assert.equal(answer.code, 'unavailable', JSON.stringify(answer));
            return answer;
          };
          for (let i = 0; i < 5; ++i) assert.equal((await send(i)).type, 'message.sent');
          await disk.fill(server);

          const refused = [];
          for (let i = 5; i < 3000 && refused.length < 20; ++i) {
            const answer = await send(i);
            if (answer.type !== 'error') continue;
            assert.ok(answer.retry_after_ms > 0, JSON.stringify(answer));
            refused.push(i);
          }
          assert.equal(refused.length, 20, 'the store did not run out of room');
          const rest = await bob.rest('POST', `/api/v1/conversations/${conversation.id}/messages`, { client_id: 'rest', content: 'x' });
          assert.deepEqual([rest.status, rest.body.code], [503, 'unavailable']);
          assert.ok(rest.headers.get('retry-after'));
          const page = await b.get({ type: 'history', conversation_id: conversation.id, limit: 1 }, 'history.page');
          assert.equal(page.messages.length, 1, 'reading goes on');
          await b.get({ type: 'event.publish', conversation_id: conversation.id, name: 'still', data: 'here' }, 'ok');
          await a.waitFor({ type: 'event', name: 'still' });
          assert.equal((await server.rest('GET', '/healthz')).status, 200);
          const unready = await server.rest('GET', '/readyz');
          assert.equal(unready.status, 503, unready.text);
          assert.match(unready.text, /"store":false/);
          assert.equal(await server.metric('uproar_store_up'), 0, 'asking whether it is ready does not end the alarm');

          await disk.free(server);
          let answer;
          const began = Date.now();
          do {
            answer = await a.ask(command(refused[0]));
            assert.ok(Date.now() - began < 20_000, 'it did not recover');
          } while (answer.code === 'unavailable');
          assert.equal(answer.type, 'message.sent');
          acks.set(refused[0], answer);
          for (const i of refused.slice(1)) assert.equal((await send(i)).type, 'message.sent');
          while ((await server.rest('GET', '/readyz')).status !== 200) {   // the last verdict holds for a second
            assert.ok(Date.now() - began < 20_000, 'it is not ready again');
          }
          assert.equal(await server.metric('uproar_store_up'), 1);
          assert.match(server.output, /the store fails.* Try: (free disk space \(df -h|.*file size)/, 'the operator is told what to do');
          assert.match(server.output, /the store works again/);
          await cyd.connect();   // somebody new gets in, too

          const rows = [];
          for (let after_seq = 0; ;) {
            const part = await b.get({ type: 'history', conversation_id: conversation.id, after_seq, limit: 10 }, 'history.page');
            rows.push(...part.messages.filter((message) => message.kind !== 'system'));
            if (!part.has_more) break;
            after_seq = part.messages.at(-1).seq;
          }
          const stored = new Map(rows.map((row) => [row.client_id, row]));
          assert.equal(stored.size, rows.length, 'each once');
          for (const [i, ack] of acks) {
            const row = stored.get(`k${i}`);
            assert.deepEqual([row?.seq, row?.message_id, row?.content], [ack.seq, ack.message_id, command(i).content]);
          }
          rows.forEach((row, i) => assert.equal(row.seq, rows[0].seq + i, 'no hole'));
          await b.waitFor({ type: 'message.new', seq: rows.at(-1).seq }, 'the last message, live');
          const heard = b.heard('message.new').map((event) => event.seq);
          assert.deepEqual(heard, rows.map((row) => row.seq), 'what is stored was heard, once and in order');
        } finally {
          try { await server?.stop(); } finally { await disk.end(); }
        }
      });
    });
  }
}
