// The database is taken away under load and given back: nothing is acknowledged that is not stored, reads come from memory and say so, what needs no
// store goes on, nothing grows, and no hand is needed afterwards.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { Postgres } from './postgres.mjs';
import { Server } from './server.mjs';

const kBackMs = 5_000;          // promised
const kSenders = 8;
const kGrownBytesMax = 64 << 20;
const kShards = 2;
const kLanes = 2;               // storage/postgres/limits.h
const kBatchRowsMax = 1024;     // storage/limits.h

function rss_bytes(pid) {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;
}

// What a commit whose answer was lost turns out to have stored is heard as a page that nobody asked for.
function heard_by(client) {
  return client.events.flatMap((event) => {
    if (event.type === 'message.new') return [event.seq];
    return event.type === 'history.page' && event.id === undefined ? event.messages.map((message) => message.seq) : [];
  });
}

// Somebody who sends as fast as it is answered, and the same again while it is refused.
class Sender {
  acks = new Map();   // client_id -> ack
  refused = 0;

  constructor(client, conversation, name) { Object.assign(this, { client, conversation, name, next: 0, running: true }); }

  command() { return { type: 'message.send', conversation_id: this.conversation, client_id: `${this.name}-${this.next}`, content: `${this.name} ${this.next}` }; }

  async run() {
    while (this.running) {
      const command = this.command();
      const answer = await this.client.ask(command);
      if (answer.type === 'message.sent') {
        this.acks.set(command.client_id, answer);
        ++this.next;
        continue;
      }
      assert.ok(['unavailable', 'overloaded'].includes(answer.code), JSON.stringify(answer));
      assert.ok(answer.retry_after_ms > 0, JSON.stringify(answer));
      ++this.refused;
      await sleep(answer.retry_after_ms);   // as it was told
    }
  }
}

// take: how the database goes; give: how it comes back.
const kWays = [
  { name: 'a database that is killed and started', take: 'kill', give: 'start', is_silent: false },
  { name: 'a database that is restarted', take: 'stop', give: 'start', is_silent: false },
  { name: 'a database that stands still', take: 'pause', give: 'resume', is_silent: true },
];

describe('the database goes away and comes back', () => {
  let postgres;
  before(async () => { postgres = await Postgres.start(); });
  after(async () => { await postgres?.end(); });

  for (const [n, { name, take, give, is_silent }] of kWays.entries()) {
    it(name, async () => {
      const server = await Server.start({ shards: kShards, flags: { postgres: postgres.make_database(`down_${n}`) } });
      const senders = [];
      try {
        const people = await server.people(...Array.from({ length: kSenders }, (_, i) => `person${i}`));
        const clients = await Promise.all(people.map((person) => person.connect()));
        const reader = await people[1].connect();
        const { conversation } = await clients[0].get(
          { type: 'conversation.create', kind: 'group', name: 'G', members: people.slice(1).map((person) => person.id) }, 'conversation.created');
        for (const [i, client] of clients.entries()) {
          if (i > 0) await client.waitFor({ type: 'conversation.joined' });
          senders.push(new Sender(client, conversation.id, `s${i}`));
        }
        const running = Promise.all(senders.map((sender) => sender.run()));
        const everybody = async (fits) => {   // holds for each sender
          while (!senders.every(fits)) await Promise.race([sleep(20), running]);
        };
        await everybody((sender) => sender.acks.size >= 20);
        const before_bytes = rss_bytes(server.pid);

        await postgres.does(take);
        const seen_refused = senders.map((sender) => sender.refused);
        await everybody((sender) => sender.refused > seen_refused[senders.indexOf(sender)] + 2);
        const acked = senders.map((sender) => sender.acks.size);

        // While it is away.
        const page = await reader.get({ type: 'history', conversation_id: conversation.id, limit: 5 }, 'history.page');
        assert.equal(page.stale, true);
        assert.equal(page.messages.length, 5);
        await reader.get({ type: 'event.publish', conversation_id: conversation.id, name: 'still', data: 'here' }, 'ok');
        await clients[2].waitFor({ type: 'event', name: 'still' });
        reader.send({ type: 'typing.start', conversation_id: conversation.id });
        await clients[2].waitFor({ type: 'typing.update' });
        assert.equal((await server.rest('GET', '/healthz')).status, 200);
        let unready;
        do { unready = await server.rest('GET', '/readyz'); } while (unready.status === 200);   // the last verdict holds for a second
        assert.match(unready.text, /"store":false/);
        // A session that has asked for nothing does not know yet that nobody would answer.
        assert.ok(await server.metric('uproar_store_up') <= (is_silent ? kShards * kLanes - 1 : 0));
        assert.ok(await server.metric('uproar_batch_waiting_rows') <= kShards * kLanes * kBatchRowsMax);
        // A newcomer whom nothing in memory knows is refused, and not kept waiting for ever.
        const stranger = await server.rest('POST', '/api/v1/login', { body: { name: 'nobody', password: 'correct horse 9' } });
        assert.equal(stranger.status, 503, stranger.text);
        const seen = senders.map((sender) => sender.refused);
        await everybody((sender) => sender.refused > seen[senders.indexOf(sender)]);
        assert.deepEqual(senders.map((sender) => sender.acks.size), acked, 'nothing is acknowledged meanwhile');
        assert.ok(rss_bytes(server.pid) - before_bytes < kGrownBytesMax, `grew by ${rss_bytes(server.pid) - before_bytes} bytes`);

        await postgres.does(give);
        const back = performance.now();
        await everybody((sender) => sender.acks.size > acked[senders.indexOf(sender)]);
        const took_ms = Math.round(performance.now() - back);
        console.log(`${name}: everybody is served ${took_ms} ms after its return${is_silent ? '' : ', when it answers'}`);
        assert.ok(took_ms < kBackMs, `everybody is served after ${took_ms} ms`);
        for (const sender of senders) sender.running = false;
        await running;
        while ((await server.rest('GET', '/readyz')).status !== 200) await sleep(50);

        // The log says why, in PostgreSQL's or libpq's words, once for the node and not once a shard, a session or a message.
        const whole_ms = performance.now() + kBackMs;
        while (!/the store works again/.test(server.output) && performance.now() < whole_ms) await sleep(50);
        const said = server.output.split('\n').filter((line) => /the store (fails|still fails|works again)/.test(line));
        assert.match(said[0], is_silent ? /the store fails.*postgres:\/\/\S+: no answer/ : /the store fails.*postgres:\/\/\S+: .*(server|connection)/);
        assert.match(said.at(-1), /the store works again/);
        assert.ok(said.length <= 6, said.join('\n'));

        // What was acked is stored, once, under its seq and without holes; and everybody heard it once and in order.
        const rows = [];
        for (let after_seq = 0; ;) {
          const part = await reader.get({ type: 'history', conversation_id: conversation.id, after_seq, limit: 100 }, 'history.page');
          assert.notEqual(part.stale, true);
          rows.push(...part.messages);
          if (!part.has_more) break;
          after_seq = part.messages.at(-1).seq;
        }
        rows.forEach((row, i) => assert.equal(row.seq, rows[0].seq + i, 'no hole'));
        const stored = new Map(rows.map((row) => [row.client_id, row]));
        assert.equal(stored.size, rows.length, 'each once');
        for (const sender of senders) {
          for (const [client_id, ack] of sender.acks) {
            assert.deepEqual([stored.get(client_id)?.seq, stored.get(client_id)?.message_id], [ack.seq, ack.message_id], client_id);
          }
        }
        const last = rows.at(-1).seq;
        for (const client of [...clients, reader]) {
          const late_ms = performance.now() + kBackMs;
          while (heard_by(client).at(-1) !== last) {
            await client.ping();
            assert.ok(performance.now() < late_ms, `heard ${heard_by(client).at(-1)} last, stored is ${last}`);
          }
          const heard = heard_by(client);
          const due = rows.map((row) => row.seq).filter((seq) => seq >= heard[0]);
          const wrong = due.findIndex((seq, i) => heard[i] !== seq);
          assert.ok(wrong === -1 && heard.length === due.length,
                    `each once and in order: ${due.length} are stored, ${heard.length} were heard, first ${heard[wrong]} instead of ${due[wrong]}`);
        }
      } finally {
        for (const sender of senders) sender.running = false;
        await server.stop();
      }
    });
  }
});
