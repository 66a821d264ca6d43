// What one hostile account leaves behind: everything that it may say, on all of its connections, at the server's own settings.
// Prints what that is in disk, rows and memory, and what it comes to in a day.

import { execFileSync } from 'node:child_process';
import { readFile, readdir, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';

import { Server } from '../e2e/server.mjs';

const WebSocket = createRequire(new URL('../e2e/', import.meta.url))('ws');   // packages are kept there

const kUsage = `usage: node growth.mjs [--minutes N] [--message-mb-per-day N] [--json]
  UPROAR_BINARY            the server
  --minutes N              how long the account does all that it may (10)
  --message-mb-per-day N   the server's setting (1024). With little of it the first day's burst is used up within the run, and
                           what follows is what every later day is like
  --json                   the result as JSON
  An account has a day's quota at once, and a day's more each day: what is printed for the first 24 hours has both.
    UPROAR_BINARY=build/release/tools/uproar node tests/attack/growth.mjs --minutes 10
    UPROAR_BINARY=build/release/tools/uproar node tests/attack/growth.mjs --minutes 2 --message-mb-per-day 16 --json`;

const words = process.argv.slice(2);
function option(name, usual) {
  const at = words.indexOf(name);
  if (at < 0) return usual;
  const value = Number(words[at + 1]);
  if (!(value > 0)) fail(`${name} takes a number above 0, not ${words[at + 1]}`);
  words.splice(at, 2);
  return value;
}
function flag(name) {
  const at = words.indexOf(name);
  if (at >= 0) words.splice(at, 1);
  return at >= 0;
}
function fail(why) {
  console.error(`${why}\n${kUsage}`);
  process.exit(2);
}
if (flag('--help')) { console.log(kUsage); process.exit(0); }
const minutes = option('--minutes', 10);
const mb_per_day = option('--message-mb-per-day', 1024);
const as_json = flag('--json');
if (words.length > 0) fail(`${words[0]} is unknown`);
if (!process.env.UPROAR_BINARY) fail('UPROAR_BINARY must name the server');

const kDayS = 86_400;
const kPageBytes = 256;            // of which a row is one, and one more for each that its text fills
const kInFlight = 8;
const kStrangers = 1_000;
const kGroupOf = 30;
const kTextBytes = 16 * 1024;
const kSampleMs = 10_000;
const kAnswerMs = 60_000;
const kEmoji = ['👍', '🎉', '😀', '❤️'];

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
const random_of = (list) => list[Math.floor(Math.random() * list.length)];

// A connection that looks at the answers to what it said, and reads the rest only to have read it.
class Line {
  #waiting = new Map();
  #next = 0;

  static async open(server, token) {
    const line = new Line();
    line.socket = new WebSocket(server.ws_url, ['uproar.v1'], { headers: { authorization: `Bearer ${token}` }, perMessageDeflate: false });
    line.socket.on('error', () => {});
    line.socket.on('message', (data) => line.#hear(data));
    line.closed = new Promise((resolve) => { line.socket.once('close', (code) => { line.close_code = code; line.#end(); resolve(code); }); });
    await new Promise((resolve) => { line.on_ready = resolve; line.closed.then(resolve); });
    return line;
  }

  #hear(data) {
    const begin = data.toString('latin1', 0, 80);
    if (begin.includes('"session.ready"')) return this.on_ready();
    if (!begin.includes('"id":"g')) return;
    const event = JSON.parse(data.toString());
    this.#waiting.get(event.id)?.(event);
    this.#waiting.delete(event.id);
  }

  #end() {
    for (const resolve of this.#waiting.values()) resolve({ type: 'closed' });
    this.#waiting.clear();
  }

  // -> the answer; {type: 'closed'} when there will be none.
  ask(command) {
    if (this.close_code !== undefined) return Promise.resolve({ type: 'closed' });
    const id = `g${this.#next++}`;
    return new Promise((resolve) => {
      const late = setTimeout(() => this.socket.terminate(), kAnswerMs);
      this.#waiting.set(id, (answer) => { clearTimeout(late); resolve(answer); });
      this.socket.send(JSON.stringify({ ...command, id }));
    });
  }
}

const text_pages = (bytes) => Math.floor(bytes / kPageBytes);

// Everything that leaves something, and what of a day's room it takes.
function deeds({ room, strangers }) {
  let next = 0;
  let last_seq = 1;
  let marked = 0;
  const fresh = () => `${process.pid}-${next++}`;
  const seq = () => 1 + Math.floor(Math.random() * last_seq);
  const text = (bytes) => ({ type: 'message.send', conversation_id: room, client_id: fresh(), content: 't'.repeat(bytes) });
  const note = (answer) => { last_seq = Math.max(last_seq, answer.seq ?? 0); };
  const some = (count) => { const at = Math.floor(Math.random() * (strangers.length - count + 1)); return strangers.slice(at, at + count); };
  return {
    'large messages': { on: 5, say: () => text(kTextBytes), pages: 1 + text_pages(kTextBytes), then: note },
    'small messages': { on: 6, say: () => text(1), pages: 1, then: note },
    'edits': { on: 1, say: () => ({ type: 'message.edit', conversation_id: room, seq: seq(), content: 'e'.repeat(kTextBytes) }), pages: 1 + text_pages(kTextBytes) },
    'reactions': { on: 2, pages: 1, say: () => ({ type: Math.random() < 0.7 ? 'reaction.add' : 'reaction.remove', conversation_id: room, seq: seq(), emoji: random_of(kEmoji) }) },
    'receipts': { on: 1, pages: 1, say: () => ({ type: 'message.read', conversation_id: room, seq: (marked = Math.min(marked + 1, last_seq)) }) },
    'events': { on: 1, pages: 0, say: () => ({ type: 'event.publish', conversation_id: room, name: 'n', data: 'd'.repeat(8_000) }) },
    'groups': { on: 2, pages: kGroupOf + 2, say: () => ({ type: 'conversation.create', name: 'look', members: some(kGroupOf) }), quota: 'conversations' },
    'members': { on: 2, pages: 3,   // two of the joining, one of the leaving
                 say: () => ({ type: 'conversation.add', conversation_id: room, user_ids: some(1) }),
                 undo: (said) => ({ type: 'conversation.remove', conversation_id: room, user_id: said.user_ids[0] }) },
  };
}

async function disk_bytes(folder) {
  let bytes = 0;
  for (const name of await readdir(folder)) {
    const found = await stat(join(folder, name)).catch(() => undefined);
    if (found?.isFile()) bytes += found.size;
  }
  return bytes;
}

async function rss_bytes(pid) {
  return 1024 * Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))[1]);
}

// Of each table.
function rows(folder) {
  const program = `
import json, sqlite3, sys
db = sqlite3.connect("file:" + sys.argv[1] + "?mode=ro", uri=True)
names = [n for (n,) in db.execute("select name from sqlite_master where type = 'table' and name not like 'sqlite_%'")]
print(json.dumps({n: db.execute(f'select count(*) from "{n}"').fetchone()[0] for n in names}))`;
  return JSON.parse(execFileSync('python3', ['-c', program, join(folder, 'uproar.db')], { encoding: 'utf8' }));
}

const sum = (table) => Object.values(table).reduce((all, count) => all + count, 0);
const mib = (bytes) => bytes / 2 ** 20;

async function look(server) {
  return { at_ms: performance.now(), disk: await disk_bytes(server.data), rss: await rss_bytes(server.pid), rows: rows(server.data) };
}

async function run(server) {
  const mallory = await server.person('mallory');
  const strangers = [];
  while (strangers.length < kStrangers)
    strangers.push(...(await Promise.all(Array.from({ length: 20 }, () => server.person('stranger')))).map((person) => person.id));
  const first = await Line.open(server, mallory.token);
  const room = (await first.ask({ type: 'conversation.create', name: 'room', members: [] })).conversation.id;
  await first.ask({ type: 'message.send', conversation_id: room, client_id: 'first', content: 'x' });
  first.socket.terminate();
  await first.closed;
  await pause(1_000);

  const all = deeds({ room, strangers });
  const done = Object.fromEntries(Object.keys(all).map((name) => [name, { done: 0, pages: 0, refused: {}, quota_met_after_s: null, quota: null }]));
  const before = await look(server);
  const ends_at = before.at_ms + minutes * 60_000;
  const goes_on = () => performance.now() < ends_at;
  const rest = (ms) => pause(Math.max(0, Math.min(ms, ends_at - performance.now())));
  let closes = 0;

  const do_it = async (line, deed, tally) => {
    const said = deed.say();
    const answer = await line.ask(said);
    if (answer.type === 'closed') return;
    if (answer.type === 'error') {
      tally.refused[answer.code] = (tally.refused[answer.code] ?? 0) + 1;
      if (/a day allows/.test(answer.message)) {
        tally.quota ??= answer.message;
        tally.quota_met_after_s ??= Math.round((performance.now() - before.at_ms) / 1000);
      }
      await rest(answer.retry_after_ms ?? 20);
      return;
    }
    ++tally.done;
    tally.pages += deed.pages;
    deed.then?.(answer);
    if (deed.undo) await line.ask(deed.undo(said));
  };
  const play = async (deed, tally) => {
    while (goes_on()) {
      const line = await Line.open(server, mallory.token);
      if (line.close_code !== undefined) { ++closes; await rest(1_000); continue; }
      await Promise.all(Array.from({ length: kInFlight }, async () => {
        while (goes_on() && line.close_code === undefined) await do_it(line, deed, tally);
      }));
      if (line.close_code !== undefined) ++closes;
      line.socket.terminate();
      await line.closed;
    }
  };

  const samples = [{ seconds: 0, rss: before.rss, disk: before.disk }];
  const sampler = setInterval(async () => {
    const seconds = Math.round((performance.now() - before.at_ms) / 1000);
    const sample = { seconds, rss: await rss_bytes(server.pid), disk: await disk_bytes(server.data) };
    samples.push(sample);
    const so_far = Object.values(done).reduce((count, tally) => count + tally.done, 0);
    process.stderr.write(`${seconds} of ${minutes * 60} s: ${so_far} done, disk ${mib(sample.disk).toFixed(0)} MiB, memory ${mib(sample.rss).toFixed(0)} MiB\n`);
  }, kSampleMs);
  await Promise.all(Object.entries(all).flatMap(([name, deed]) => Array.from({ length: deed.on }, () => play(deed, done[name]))));
  clearInterval(sampler);
  const after = await look(server);
  return summary({ before, after, done, samples, closes });
}

function summary({ before, after, done, samples, closes }) {
  const seconds = (after.at_ms - before.at_ms) / 1000;
  const grown = { disk: after.disk - before.disk, rss: after.rss - before.rss, rows: sum(after.rows) - sum(before.rows) };
  const pages = Object.values(done).reduce((count, tally) => count + tally.pages, 0);
  const quota_pages = mb_per_day * 2 ** 20 / kPageBytes;
  // As fast as it went, or as much as the quota lets it: in the first day twice, what is there at once and what comes back.
  const day = (days_of_quota) => {
    const part = pages === 0 ? 0 : Math.min(pages / seconds * kDayS, days_of_quota * quota_pages) / pages;
    return { disk: grown.disk * part, rows: grown.rows * part };
  };
  const middle = samples[Math.floor(samples.length / 2)];
  return {
    minutes: seconds / 60, message_mb_per_day: mb_per_day, before, after, grown, done, closes, samples,
    pages, quota_pages, quota_used_up_in_s: pages === 0 ? null : quota_pages / (pages / seconds),
    rss_in_second_half: after.rss - middle.rss, first_day: day(2), each_later_day: day(1),
  };
}

function told(result) {
  const lines = [
    `${result.minutes.toFixed(1)} minutes of one account, --message-mb-per-day ${result.message_mb_per_day}`, '',
    '| what | done | of a day\'s room, MiB | refused | quota met after |', '|---|---|---|---|---|',
    ...Object.entries(result.done).map(([name, tally]) => `| ${name} | ${tally.done} | ${mib(tally.pages * kPageBytes).toFixed(1)} `
      + `| ${Object.entries(tally.refused).map(([code, times]) => `${times} ${code}`).join(', ') || '-'} `
      + `| ${tally.quota === null ? '-' : `${tally.quota_met_after_s} s: ${tally.quota}`} |`), '',
    '| | at the start | at the end | first 24 hours | each day after |', '|---|---|---|---|---|',
    `| disk, MiB | ${mib(result.before.disk).toFixed(1)} | ${mib(result.after.disk).toFixed(1)} | ${mib(result.first_day.disk).toFixed(0)} | ${mib(result.each_later_day.disk).toFixed(0)} |`,
    `| rows | ${sum(result.before.rows)} | ${sum(result.after.rows)} | ${Math.round(result.first_day.rows)} | ${Math.round(result.each_later_day.rows)} |`,
    `| memory, MiB | ${mib(result.before.rss).toFixed(1)} | ${mib(result.after.rss).toFixed(1)} | | |`, '',
    `Of the end's memory ${mib(result.rss_in_second_half).toFixed(1)} MiB came in the second half. Connections were closed ${result.closes} times.`,
    result.quota_used_up_in_s === null ? '' : `At this pace the day's room lasts ${(result.quota_used_up_in_s / 60).toFixed(1)} minutes.`,
  ];
  return lines.join('\n');
}

const server = await Server.start({ usual: false, flags: { 'drain-seconds': '0', 'message-mb-per-day': String(mb_per_day) } });
let result;
try {
  result = await run(server);
} finally {
  server.expects_end = true;
  await server.stop();
}
console.log(as_json ? JSON.stringify(result, null, 1) : told(result));
