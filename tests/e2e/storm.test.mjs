// Everybody is dropped at once and comes back: what the store is asked grows with conversations, and a budget that is met
// tells each when to come again. Everybody joins at once: they wait, and nobody is refused.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { Client } from './client.mjs';
import { Server } from './server.mjs';

const kRooms = 20;
const kWaitMs = 60_000;

async function in_chunks(list, size, run) {
  const out = [];
  for (let i = 0; i < list.length; i += size) out.push(...await Promise.all(list.slice(i, i + size).map(run)));
  return out;
}

// A host in kRooms groups, and `count` people spread over them.
async function make_crowd(server, count) {
  const host = await server.person('host');
  const people = await in_chunks([...Array(count).keys()], 100, () => server.person('guest'));
  const talk = await host.connect();
  const rooms = [];
  for (let i = 0; i < kRooms; ++i) {
    const members = people.filter((person, at) => at % kRooms === i).map((person) => person.id);
    const made = await talk.get({ type: 'conversation.create', name: `room ${i}`, members }, 'conversation.created');
    rooms.push({ id: made.conversation.id, cursor: made.conversation.last_seq });
  }
  people.forEach((person, at) => { person.room = rooms[at % kRooms]; });
  return { talk, rooms, people };
}

let key = 0;
const say = (talk, room, content) => talk.get({ type: 'message.send', conversation_id: room.id, client_id: `s-${++key}`, content }, 'message.sent');

// Comes back with the cursor, as often as it is told to; -> how often it was turned away.
async function come_back(server, person) {
  for (let refusals = 0; ; ++refusals) {
    const client = await Client.connect(server.ws_url, { token: person.token, resume: true, ready: false });
    server.clients.add(client);
    const first = await client.waitFor((event) => event.type === 'session.ready' || event.type === 'error', 'an end of waiting', kWaitMs);
    if (first.type === 'session.ready') {
      const { pages } = await client.sync({ [person.room.id]: person.room.cursor });
      person.missed = pages.flatMap((page) => page.messages.map((message) => message.content));
      return refusals;
    }
    assert.equal(first.code, 'overloaded');
    assert.ok(first.retry_after_ms >= 500, JSON.stringify(first));
    assert.equal((await client.closed).code, 4200);
    await new Promise((resolve) => { setTimeout(resolve, first.retry_after_ms); });
  }
}

// Opens them all, then has all of them join at once a channel each. -> the answers by their type or error code.
async function join_at_once(server, count) {
  const channels = [];
  for (let at = 0; at < count; at += 1000) {
    const host = await (await server.person('host')).connect();
    const some = await in_chunks([...Array(Math.min(1000, count - at)).keys()], 250, (i) =>
      host.get({ type: 'conversation.create', kind: 'channel', name: `channel ${at + i}` }, 'conversation.created'));
    channels.push(...some.map((made) => made.conversation.id));
  }
  const tokens = await in_chunks(channels, 500, () => server.token({ name: 'guest' }));
  const clients = await in_chunks(tokens, 500, async (token) => {
    const client = await Client.connect(server.ws_url, { token });
    server.clients.add(client);
    return client;
  });
  const answers = {};
  await Promise.all(clients.map(async (client, i) => {
    const id = 'join';
    client.send({ type: 'conversation.join', id, conversation_id: channels[i] });
    const answer = await client.waitFor({ id }, 'an answer', kWaitMs);
    const said = answer.type === 'error' ? answer.code : answer.type;
    answers[said] = (answers[said] ?? 0) + 1;
  }));
  return answers;
}

describe('a storm of joins', () => {
  it('makes who comes wait, and refuses nobody', { timeout: 150_000 }, async () => {
    const count = Number(process.env.UPROAR_STORM_SESSIONS ?? 3000);
    const server = await Server.start({ flags: { 'connections-max': '20000', 'open-per-address': '20000' } });
    try {
      assert.deepEqual(await join_at_once(server, count), { 'conversation.joined': count });
      console.log(`# ${count} joined, ${await server.metric('uproar_chat_commands_held_up_total')} had to wait`);
    } finally {
      await server.stop();
    }
  });
});

describe('a storm of reconnects', () => {
  it('of two thousand asks the store by conversation, not by client', { timeout: 150_000 }, async () => {
    const server = await Server.start({ flags: { 'resumes-per-second': '0', 'openings-per-second': '0' } });
    try {
      const { talk, rooms, people } = await make_crowd(server, 2000);
      const clients = await in_chunks(people, 200, (person) => person.connect({ ready: true }));
      for (const client of clients) client.terminate();
      await Promise.all(clients.map((client) => client.closed));
      for (const room of rooms) for (let i = 0; i < 3; ++i) await say(talk, room, `missed ${i}`);

      const reads_before = await server.metric('uproar_store_reads_total');
      const audiences_before = await server.metric('uproar_chat_audience_loads_total');
      const began = Date.now();
      await Promise.all(people.map((person) => come_back(server, person)));
      const took_ms = Date.now() - began;
      const audiences = await server.metric('uproar_chat_audience_loads_total') - audiences_before;
      const reads = await server.metric('uproar_store_reads_total') - reads_before;

      for (const person of people) assert.deepEqual(person.missed, ['missed 0', 'missed 1', 'missed 2']);
      console.log(`# 2000 clients resumed in ${kRooms} conversations: ${took_ms} ms, ${reads} reads, ${audiences} of them of audiences`);
      // Audiences are read for all who come within one read; the rest is one for each conversation at most.
      assert.ok(reads - audiences <= kRooms, `${reads} reads, ${audiences} of audiences`);
      assert.ok(audiences <= people.length / 2, `${audiences} reads of audiences`);
    } finally {
      await server.stop();
    }
  });

  it('above the budget tells each when to come again, and all get in', { timeout: 100_000 }, async () => {
    const server = await Server.start({ flags: { 'resumes-per-second': '100' } });
    try {
      const { talk, rooms, people } = await make_crowd(server, 300);
      for (const room of rooms) await say(talk, room, 'missed');
      const refusals = await Promise.all(people.map((person) => come_back(server, person)));
      const turned_away = refusals.filter((count) => count > 0).length;
      assert.ok(turned_away >= 100, `${turned_away} of 300 were turned away`);
      assert.ok(Math.max(...refusals) <= 6, `one was turned away ${Math.max(...refusals)} times`);
      const counted = await server.metric('uproar_gateway_resumes_turned_away_total');
      assert.equal(counted, refusals.reduce((sum, count) => sum + count, 0));
      for (const person of people) assert.deepEqual(person.missed, ['missed']);
    } finally {
      await server.stop();
    }
  });

  it('of those who resume keeps nobody out who begins, and the other way round', async () => {
    const server = await Server.start({ flags: { 'resumes-per-second': '1', 'openings-per-second': '5' } });
    try {
      const [ada] = await server.people('ada');
      const refused = async (resume) => {
        const client = await Client.connect(server.ws_url, { token: ada.token, resume, ready: false });
        server.clients.add(client);
        const first = await client.waitFor((event) => event.type === 'session.ready' || event.type === 'error', 'an answer');
        client.terminate();
        return first.type === 'error' ? first : null;
      };
      // As fast as this comes, sooner or later one finds no room.
      const first_refused = async (resume) => {
        for (let i = 0; i < 500; ++i) {
          const error = await refused(resume);
          if (error !== null) return error;
        }
        throw new Error('nobody was refused');
      };
      const of_resume = await first_refused(true);
      assert.deepEqual([of_resume.code, of_resume.retry_after_ms >= 500], ['overloaded', true]);
      assert.equal(await refused(false), null, 'who begins has a budget of their own');
      const of_opening = await first_refused(false);
      assert.deepEqual([of_opening.code, of_opening.retry_after_ms >= 500], ['overloaded', true]);
      assert.ok(await server.metric('uproar_gateway_resumes_turned_away_total') >= 1);
      assert.ok(await server.metric('uproar_gateway_openings_turned_away_total') >= 1);
    } finally {
      await server.stop();
    }
  });
});
