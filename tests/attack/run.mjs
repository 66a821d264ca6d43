// Plays attacks: `node run.mjs NAME` (a test), `node run.mjs --table` (all of them, as Markdown), `--json` with either.

import { readdir } from 'node:fs/promises';

import { judge, play, settings_of } from './scene.mjs';

const kUsage = `usage: node run.mjs [--json] NAME... | --table
  UPROAR_BINARY     the server, which must stand each attack; without it that half is left out
  UPROAR_WEAKENED   uproar_weakened, which must not, without the defence that the attack is about; likewise
  UPROAR_BEFORE     an older server, for the table: what the honest had with that
    UPROAR_BINARY=build/release/tools/uproar node run.mjs endless_fragments
    node run.mjs --table > table.md`;

const words = process.argv.slice(2);
const as_json = words.includes('--json');
const as_table = words.includes('--table');
let names = words.filter((word) => !word.startsWith('--'));
const { UPROAR_BINARY, UPROAR_WEAKENED, UPROAR_BEFORE } = process.env;
if (words.includes('--help') || (names.length === 0 && !as_table) || !(UPROAR_BINARY || UPROAR_WEAKENED)) {
  console.log(kUsage);
  process.exit(words.includes('--help') ? 0 : 2);
}
const here = new URL('.', import.meta.url);
if (as_table && names.length === 0) {
  names = (await readdir(here)).filter((file) => file.endsWith('.attack.mjs')).map((file) => file.replace('.attack.mjs', '')).sort();
}

const failed = (verdict) => verdict.filter((line) => !line.ok);
const say = (line) => { if (!as_json && !as_table) console.log(line); };
const told = (verdict) => { for (const { what, ok, said } of verdict) say(`  ${ok ? 'ok  ' : 'FAIL'} ${what}${said ? ` (${said})` : ''}`); };

// What an older server lacks it is not started with, and what the attack looks for in it may not be there.
async function play_before(name, attack, file) {
  const known = settings_of(UPROAR_BEFORE);
  const unknown = Object.keys({ 'admin-listen': 0, ...attack.flags }).filter((flag) => !known.includes(`--${flag} `));
  const flags = { ...attack.flags, ...Object.fromEntries(unknown.map((flag) => [flag, undefined])) };
  try {
    return await play({ ...attack, flags, look: undefined, meanwhile: undefined }, file, { program: UPROAR_BEFORE, is_old: true });
  } catch (error) {
    return { error: error.message.split('\n')[0] };
  }
}

async function play_both(name) {
  const file = new URL(`${name}.attack.mjs`, here).href;
  const { default: attack } = await import(file);
  const row = { name, title: attack.title, failures: [], unnoticed: [] };
  if (UPROAR_BINARY) {
    say(`${name}: ${attack.title}`);
    row.seen = await play(attack, file, { program: UPROAR_BINARY });
    const verdict = judge(attack, row.seen);
    told(verdict);
    row.failures = failed(verdict);
  }
  if (as_table && UPROAR_BEFORE) row.before = await play_before(name, attack, file);
  for (const weakness of UPROAR_WEAKENED ? [attack.weakness].flat() : []) {
    say(`${name} without ${weakness}: must fail`);
    const weak = judge(attack, await play(attack, file, { program: UPROAR_WEAKENED, weakness }));
    told(weak);
    if (failed(weak).length === 0) row.unnoticed.push(weakness);
  }
  return row;
}

const rows = [];
if (as_table) {
  const old = UPROAR_BEFORE ? ' on the build before: p50 / p99, arrived, got in |' : '';
  console.log(`| attack | honest p50 / p99 without, ms | with, ms | arrived | got in | sent, KiB | server, ms | bytes per server ms |${old}`);
  console.log(`|---|---|---|---|---|---|---|---|${old && '---|'}`);
}
for (const name of names) {
  const row = await play_both(name);
  rows.push(row);
  if (!as_table || !row.seen) continue;
  const { calm, attacked, result, server_ms } = row.seen;
  const ms = (value) => value?.toFixed(1) ?? '-';
  const pair = (part) => `${ms(part.p50_ms)} / ${ms(part.p99_ms)}`;
  const arrived = (part) => `${part.said - part.failures.length} of ${part.said}`;
  const got_in = ({ newcomers }) => `${newcomers.came - newcomers.failures.length} of ${newcomers.came}`;
  const old = ({ error, attacked: had }) => (error ? ` ${error} |` : ` ${pair(had)}, ${arrived(had)}, ${got_in(had)} |`);
  console.log(`| ${row.title} | ${pair(calm)} | ${pair(attacked)} | ${arrived(attacked)} `
    + `| ${got_in(attacked)} | ${Math.round(result.sent_bytes / 1024)} | ${Math.round(server_ms)} `
    + `| ${server_ms < 1 ? 'more than ' : ''}${Math.round(result.sent_bytes / Math.max(1, server_ms))} |${row.before ? old(row.before) : ''}`);
}
if (as_json) console.log(JSON.stringify(rows, null, 1));

const bad = rows.filter((row) => row.failures.length > 0 || row.unnoticed.length > 0);
for (const { name, failures, unnoticed } of bad) {
  for (const { what, said } of failures) console.error(`${name}: not so: ${what} (${said})`);
  for (const weakness of unnoticed) console.error(`${name}: passes without the defence ${weakness}, so it tests nothing`);
}
process.exit(bad.length === 0 ? 0 : 1);
