// One attack on one server: calm seconds, the attack, and what both cost.

import { fork, spawnSync } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { Server } from '../e2e/server.mjs';
import { HonestPair } from './honest.mjs';

const kWarmUpSeconds = 0.5;   // its first messages are the slowest of all
const kCalmSeconds = 1.5;
const kAttackSecondsDefault = 3;
const kEndMs = 30_000;       // from the end of the attack's time to the attacker's last word
const kSlowerMax = 10;       // README.md says why so much
const kSlowFloorMs = 1_000;

// Processor time of all threads of a process, in ms.
async function cpu_ms(pid) {
  let ns = 0;
  for (const task of await readdir(`/proc/${pid}/task`)) {
    const text = await readFile(`/proc/${pid}/task/${task}/schedstat`, 'utf8').catch(() => '0');
    ns += Number(text.split(' ')[0]);
  }
  return ns / 1e6;
}

export const settings_of = (program) => spawnSync(program, ['serve', '--help'], { encoding: 'utf8' }).stdout;

function start_attacker(file, order) {
  const child = fork(fileURLToPath(new URL('attacker.mjs', import.meta.url)));
  const result = new Promise((resolve, reject) => {
    const late = setTimeout(() => { child.kill('SIGKILL'); reject(new Error('the attacker came to no end')); },
                            order.seconds * 1000 + kEndMs);
    child.once('message', (said) => { clearTimeout(late); resolve(said); });
    child.once('exit', (code) => { clearTimeout(late); reject(new Error(`the attacker ended with ${code} and said nothing`)); });
  });
  result.catch(() => {});
  child.send({ file, ...order });
  return result;
}

// -> {calm, attacked, server_ms, cpu_share, seconds, result}: what the honest had before and during the attack, the server's processor time for
// it, what the attacker reports, and what the attack's own bystanders had (`meanwhile`) and the server shows afterwards (`extra`).
// is_old: it knows no --seccomp.
export async function play(attack, file, { program, weakness, is_old = false } = {}) {
  const seconds = attack.seconds ?? kAttackSecondsDefault;
  const server = await Server.start({ program, usual: false, flags: { 'drain-seconds': '0', ...attack.flags },
                                      env: { ...(weakness && { WEAKEN_UPROAR: weakness }), ...(is_old && { UPROAR_SECCOMP: undefined }) }, launcher: attack.launcher });
  try {
    const prepared = await attack.prepare?.({ server });
    const pair = await HonestPair.make(server);
    await pair.talk(kWarmUpSeconds);
    const calm_began_ms = await cpu_ms(server.pid);
    const calm = await pair.talk(kCalmSeconds);
    const calm_ms_per_s = (await cpu_ms(server.pid) - calm_began_ms) / kCalmSeconds;

    const began_ms = await cpu_ms(server.pid);
    const began_at = performance.now();
    const attacker = start_attacker(file, { port: server.port, prepared, seconds });
    const ended = attacker.catch(() => {});
    const [attacked, result, meanwhile] = await Promise.all([pair.talk(seconds + kEndMs / 1000, ended), attacker,
                                                             attack.meanwhile?.({ server, prepared, ended })]);
    const took_s = (performance.now() - began_at) / 1000;
    const server_ms = Math.max(0, await cpu_ms(server.pid) - began_ms - calm_ms_per_s * took_s);
    const extra = await attack.look?.({ server, result });
    return { calm, attacked, server_ms, seconds: took_s, result, meanwhile, extra, alive: server.child.exitCode === null };
  } finally {
    server.expects_end = true;   // how it ends is judged by `alive`
    await server.stop();
  }
}

// -> [{what, ok, said}]
export function judge(attack, seen) {
  const { calm, attacked } = seen;
  const p99_max_ms = Math.max(kSlowFloorMs, kSlowerMax * calm.p99_ms);
  const usual = [
    ['the server is there', seen.alive, ''],
    ['every message of the honest pair arrives', attacked.failures.length === 0,
      `${attacked.failures.length} of ${attacked.said} failed: ${attacked.failures[0] ?? ''}`],
    ['every newcomer gets in', attacked.newcomers.failures.length === 0,
      `${attacked.newcomers.failures.length} of ${attacked.newcomers.came} did not: ${attacked.newcomers.failures[0] ?? ''}`],
    ['the honest pair is not slowed down', attacked.p99_ms <= p99_max_ms,
      `p99 ${attacked.p99_ms?.toFixed(1)} ms, ${calm.p99_ms?.toFixed(1)} ms before`],
  ];
  return [...usual, ...(attack.judge?.(seen) ?? [])].map(([what, ok, said]) => ({ what, ok, said }));
}
