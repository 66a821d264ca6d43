// Measures what each command takes at its worst input: processor time of the busiest thread of the server, for one of them. Prints
// it as Markdown beside nothing: docs/security.md and core/chat/command_cost.cc are brought up to it by hand.
//   UPROAR_BINARY=… node command_costs.mjs [TYPE]...

import { randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';

import { Server } from '../e2e/server.mjs';

const kPeople = 1000;
const kUnread = 100;
const kLargeRoom = 10_000;
const kRestMs = 300;      // so that what follows from a command is in its measure
const kInFlight = 32;   // so that commits are shared, as under load

async function cpu_us(pid) {
  const threads = new Map();
  for (const task of await readdir(`/proc/${pid}/task`)) {
    const text = await readFile(`/proc/${pid}/task/${task}/schedstat`, 'utf8').catch(() => '0');
    const name = (await readFile(`/proc/${pid}/task/${task}/comm`, 'utf8').catch(() => '?')).trim();
    threads.set(`${name}/${task}`, Number(text.split(' ')[0]) / 1000);
  }
  return threads;
}

const rest = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

async function pool(count, workers, work) {
  let next = 0;
  await Promise.all(Array.from({ length: workers }, async () => { while (next < count) await work(next++); }));
}

const server = await Server.start({ flags: { 'heartbeat-timeout': '120' } });
try {
  const alice = await server.person('alice');
  const bob = await server.person('bob');
  const people = [];
  await pool(kLargeRoom - 1, 32, async () => { people.push((await server.person('p')).id); });
  const some = people.slice(0, kPeople);
  let a = await alice.connect();
  const made = async (members, kind = 'group') =>
    (await a.get({ type: 'conversation.create', name: 'n', kind, members }, 'conversation.created')).conversation.id;
  const pair = await made([some[0]]);   // who is not there: a hearer who reads slowly would be closed
  const large = await made(some);
  for (let at = kPeople; at < people.length; at += kPeople) await a.ask({ type: 'conversation.add', conversation_id: large, user_ids: people.slice(at, at + kPeople) });
  const text = 'x'.repeat(16 * 1024);
  let client_id = 0;
  const fresh = () => `c${++client_id}`;
  const unread = [];
  for (let i = 0; i < 2 * kUnread; ++i) unread.push(await made([bob.id, ...some.slice(0, 29)]));
  // By a connection of its own, which looks for its answers among few events.
  const fill = async (conversation_id, count, content) => {
    const filler = await alice.connect();
    for (let k = 1; k < count; ++k) filler.send({ type: 'message.send', conversation_id, client_id: fresh(), content });
    await filler.get({ type: 'message.send', conversation_id, client_id: fresh(), content }, 'message.sent');
    filler.terminate();
  };
  for (let i = 0; i < kUnread; ++i) await fill(unread[i], 200, 'hello there '.repeat(10));
  await fill(pair, 2000, 'x');
  const written = Array.from({ length: 2000 }, (_, i) => i + 1);
  let nth = 0;
  const next_written = () => written[nth++ % written.length];
  const rooms = [];
  const adders = async (count) => { while (rooms.length < count) rooms.push(await made([])); };
  await adders(12);
  const lone = await (await server.person('lone')).connect();   // in as many conversations as each user is looked for in
  for (let i = 0; i < 256; ++i) await lone.ask({ type: 'conversation.create', name: 'n', kind: 'channel', members: [] });
  const channels = [];
  for (let i = 0; i < 60; ++i) channels.push(await made([], 'channel'));

  // Fresh ones, who have heard nothing of all this.
  a.terminate();
  a = await alice.connect();
  const b = await bob.connect();
  const emoji = ['👍', '🎉', '😀', '❤️'];
  // [type, how many, who says it, what]
  const table = [
    ['ping', 2000, a, () => ({ type: 'ping' })],
    ['message.send', 500, a, () => ({ type: 'message.send', conversation_id: pair, client_id: fresh(), content: text, mentions: some.slice(0, 50) })],
    ['message.edit', 500, a, () => ({ type: 'message.edit', conversation_id: pair, seq: next_written(), content: text })],
    ['reaction.add', 500, a, (i) => ({ type: 'reaction.add', conversation_id: pair, seq: next_written(), emoji: emoji[i % 4] })],
    ['message.delete', 500, a, () => ({ type: 'message.delete', conversation_id: pair, seq: next_written() })],
    ['message.read', 200, b, (i) => ({ type: 'message.read', conversation_id: unread[1], seq: i + 1 }), 8],
    ['event.publish', 1000, a, () => ({ type: 'event.publish', conversation_id: pair, name: 'n', data: { x: 'y'.repeat(8000) } })],
    ['typing.start', 1000, a, (i) => ({ type: i % 2 ? 'typing.stop' : 'typing.start', conversation_id: pair })],
    ['presence.subscribe', 100, a, () => ({ type: 'presence.subscribe', user_ids: people.slice(0, 256) })],
    ['presence.get', 100, a, () => ({ type: 'presence.get', user_ids: people.slice(0, 256) })],
    ['presence.get of strangers', 20, lone, () => ({ type: 'presence.get', user_ids: people.slice(0, 256) }), 1],
    ['presence.unsubscribe', 100, a, () => ({ type: 'presence.unsubscribe', user_ids: people.slice(0, 256) })],
    ['conversation.create', 20, a, () => ({ type: 'conversation.create', name: 'n', members: some }), 4],
    ['conversation.list', 40, b, () => ({ type: 'conversation.list', limit: 200 }), 1],
    ['conversation.get', 20, a, () => ({ type: 'conversation.get', conversation_id: large }), 2],
    ['conversation.join', 60, b, (i) => ({ type: 'conversation.join', conversation_id: channels[i] })],
    ['conversation.role', 60, a, (i) => ({ type: 'conversation.role', conversation_id: channels[i], user_id: bob.id, role: 'admin' })],
    ['conversation.rename', 200, a, (i) => ({ type: 'conversation.rename', conversation_id: pair, name: `n${i}` })],
    ['conversation.mute', 200, a, () => ({ type: 'conversation.mute', conversation_id: pair, until: '2030-01-01T00:00:00Z' })],
    ['conversation.remove', 30, a, (i) => ({ type: 'conversation.remove', conversation_id: channels[i], user_id: bob.id })],
    ['conversation.leave', 30, b, (i) => ({ type: 'conversation.leave', conversation_id: channels[30 + i] })],
    ['conversation.add', 12, a, (i) => ({ type: 'conversation.add', conversation_id: rooms[i], user_ids: some }), 2],
    ['history', 200, a, () => ({ type: 'history', conversation_id: unread[0], limit: 200 }), 4],
    ['sync', 20, a, () => ({ type: 'sync', cursors: Object.fromEntries(Array.from({ length: 1000 }, () => [randomUUID(), 1])) }), 1],
    ['sync of 200 that one is in', 20, b, () => ({ type: 'sync', cursors: Object.fromEntries(unread.map((id) => [id, 200])) }), 1],
    ['unread.fetch', 10, b, () => ({ type: 'unread.fetch', limit: 200 }), 1],
  ];
  const wanted = process.argv.slice(2);
  console.log('| command | busiest thread, us | which | answered with |\n|---|---|---|---|');
  for (const [type, count, who, what, in_flight = kInFlight] of table) {
    if (wanted.length > 0 && !wanted.includes(type)) continue;
    await rest(kRestMs);
    const before = await cpu_us(server.pid);
    const answers = new Map();
    await pool(count, in_flight, async (i) => {
      const id = `${type}-${i}`;
      who.send({ id, ...what(i) });
      // Pages come before the end.
      const ends = /^(sync|unread)/.test(type) ? (event) => event.id === id && event.type !== 'history.page' : { id };
      const answer = await who.waitFor(ends, id, 60_000);
      const name = answer.type === 'error' ? `error ${answer.code}: ${answer.message}` : answer.type;
      answers.set(name, (answers.get(name) ?? 0) + 1);
    });
    await rest(kRestMs);
    const after = await cpu_us(server.pid);
    const used = [...after].map(([name, us]) => [name, (us - (before.get(name) ?? 0)) / count]).sort((x, y) => y[1] - x[1]);
    console.log(`| ${type} | ${used[0][1].toFixed(0)} | ${used.slice(0, 3).map(([name, us]) => `${name.split('/')[0]} ${us.toFixed(0)}`).join(', ')} `
      + `| ${[...answers].map(([name, times]) => `${times} ${name}`).join(', ')} |`);
  }
} finally {
  await server.stop();
}
