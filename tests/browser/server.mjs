// The real server for one test: a free port, a data directory of its own, gone afterwards.

import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const kReadyMs = 30_000;

async function free_port() {
  const probe = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => probe.once('listening', resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

export async function start_server() {
  const binary = process.env.UPROAR_BINARY;
  if (!binary) throw new Error('UPROAR_BINARY must name the server (build/…/tools/uproar)');
  const data = await mkdtemp(join(tmpdir(), 'uproar-browser-'));
  const port = await free_port();
  // What is meant for the test is no setting of the server, which refuses UPROAR_* names that it does not know.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('UPROAR_')));
  const child = spawn(binary, ['serve', '--listen', `127.0.0.1:${port}`, '--admin-listen', 'off', '--data', data],
                      { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (bytes) => { output = (output + bytes).slice(-16_384); });
  }
  const ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)));
  child.once('error', (error) => { output += error; });

  const server = {
    port,
    data,
    output: () => output,
    async stop() {
      child.kill('SIGTERM');
      const hard = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await ended;
      clearTimeout(hard);
      await rm(data, { recursive: true, force: true });
    },
  };
  const deadline = Date.now() + kReadyMs;
  for (;;) {
    const ready = await fetch(`http://127.0.0.1:${port}/readyz`).then((answer) => answer.ok, () => false);
    if (ready) return server;
    if (Date.now() > deadline || child.exitCode !== null) {
      await server.stop();
      throw new Error(`the server did not become ready:\n${output}`);
    }
    await pause(25);
  }
}
