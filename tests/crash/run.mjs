// kill -9 under load, again and again on one data folder; afterwards everything that was acked must be there, once, as
// it was acked. `tools/dev crash --rounds N` or: node tests/crash/run.mjs --rounds N [--binary PATH] [--seed S] [--json]

import { randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { Server } from '../e2e/server.mjs';
import { check } from './checker.mjs';
import { dice } from './dice.mjs';
import { Ledger } from './ledger.mjs';
import { World } from './world.mjs';

const kHelp = `usage: node tests/crash/run.mjs [--rounds N] [--binary PATH] [--seed S] [--shards N] [--json] [--keep]

  --rounds N     kills (default 10)
  --binary PATH  the server; default $UPROAR_BINARY, else build/release/tools/uproar
  --seed S       repeats the choices of a run (moments of the kills, who says what); printed at the start
  --shards N     threads of the server (default 2)
  --json         one JSON object on stdout instead of words
  --keep         keep the data folder, and say where it is
`;

function options() {
  const { values } = parseArgs({ options: {
    rounds: { type: 'string', default: '10' }, binary: { type: 'string' }, seed: { type: 'string' },
    shards: { type: 'string', default: '2' }, json: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } } });
  if (values.help) { process.stdout.write(kHelp); process.exit(0); }
  const number = (name, text) => {
    if (!/^\d+$/.test(text) || Number(text) < 1) throw new Error(`--${name}: expected a number from 1, got "${text}"`);
    return Number(text);
  };
  return { ...values, rounds: number('rounds', values.rounds), shards: number('shards', values.shards),
           seed: values.seed === undefined ? randomInt(1, 2 ** 31) : number('seed', values.seed) };
}

const kFullReadEvery = 10;   // rounds; in between only what is new is read back

async function main() {
  const chosen = options();
  process.env.UPROAR_BINARY = chosen.binary ?? process.env.UPROAR_BINARY ?? 'build/release/tools/uproar';
  const say = chosen.json ? () => {} : (text) => process.stdout.write(`${text}\n`);
  const data = await mkdtemp(join(tmpdir(), 'uproar-crash-'));
  const random = dice(chosen.seed);
  const ledger = new Ledger();
  const world = new World(ledger, random);
  const began = Date.now();
  const restarts_ms = [];
  let faults = [];
  let server;
  say(`crash: ${chosen.rounds} rounds, seed ${chosen.seed}, ${chosen.shards} shards`);
  try {
    for (let round = 1; round <= chosen.rounds + 1 && faults.length === 0; ++round) {
      const is_last = round > chosen.rounds;
      const before = Date.now();
      server = await Server.start({ data, shards: chosen.shards });
      restarts_ms.push(Date.now() - before);
      await world.enter(server, round);
      // Before the retries: what was acked must be there without help.
      await world.read_back({ whole: is_last || round % kFullReadEvery === 0, all_members: is_last });
      faults = check(ledger.history());
      if (faults.length > 0) break;
      const retried = await world.retry();
      if (is_last) {
        await world.read_back({ whole: true, all_members: true });
        await world.compare_sync();
        faults = check(ledger.history());
        await world.leave();
        await server.stop();
        server = undefined;
        break;
      }
      const load = world.talk();
      await load.flowing;
      await new Promise((resolve) => setTimeout(resolve, 20 + random() * 300));
      const in_flight = world.in_flight();
      await server.kill();
      server = undefined;
      await load.ended;
      say(`round ${String(round).padStart(3)}: ${String(ledger.acks.length).padStart(7)} acks so far, ${String(in_flight).padStart(4)} in flight ` +
          `at the kill, ${retried.stored} of ${retried.unacked} unacked from before had been stored, restart ${restarts_ms.at(-1)} ms`);
    }
  } finally {
    await server?.kill();
    if (chosen.keep) say(`data: ${data}`);
    else await rm(data, { recursive: true, force: true });
  }
  const summary = { rounds: chosen.rounds, seed: chosen.seed, shards: chosen.shards, ...ledger.totals(), kills_under_load: world.kills_under_load,
                    restart_ms_max: Math.max(...restarts_ms), seconds: Math.round((Date.now() - began) / 1000), faults };
  if (chosen.json) process.stdout.write(`${JSON.stringify(summary)}\n`);
  const count = (...names) => faults.filter(({ fault }) => names.includes(fault)).length;
  say(`\n${summary.rounds} kills (${summary.kills_under_load} with sends in flight), ${summary.messages} messages sent, ${summary.acked} acked, ` +
      `${summary.duplicates} retries answered as duplicates, ${summary.heard} deliveries, ${summary.rows} rows read back, ${summary.seconds} s`);
  for (const { fault, text } of faults.slice(0, 20)) say(`  ${fault}: ${text}`);
  say(`${count('lost', 'hole')} lost, ${count('duplicated', 'not_duplicate')} duplicated, ${count('reordered', 'wrong_seq', 'differs')} reordered, ` +
      `${count('changed', 'phantom')} changed`);
  if (faults.length === 0 && summary.kills_under_load === 0) throw new Error('no kill met a send in flight: the run shows nothing');
  process.exitCode = faults.length === 0 ? 0 : 1;
}

main().catch((error) => {
  process.stderr.write(`crash: ${error.stack}\n`);
  process.exitCode = 2;
});
