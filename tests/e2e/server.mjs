// The real server for a test: a free port, a data folder of its own, gone afterwards.

import { spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { SignJWT } from 'jose';

import { Client } from './client.mjs';
import { call } from './rest.mjs';

const kStartMs = 20_000;
const kStopMs = 20_000;
const kOutputBytes = 65_536;

export function binary() {
  const path = process.env.UPROAR_BINARY;
  if (!path) throw new Error('UPROAR_BINARY must name the server, for example build/release/tools/uproar');
  return path;
}

// What every test wants unless it is about just that: nobody waits for a drain, and no limit of one address is met.
const kUsualFlags = {
  'drain-seconds': '0',
  'logins-per-address': '1000000',
  'registrations-per-address': '0',
  'connections-per-address': '0',
  'openings-per-second': '0',
  'resumes-per-second': '0',
  'connections-per-user': '100',
  'commands-per-second': '100000',
  'conversations-per-day': '0',
  'first-contacts-per-day': '0',
  'message-mb-per-day': '0',
};

// The server refuses UPROAR_* variables that it does not know; UPROAR_BINARY and the like are ours. A system call that is not on its
// list ends it in all tests, so that a list which lacks one is found.
function clean_environment(env) {
  const ours = Object.entries(process.env).filter(([name]) => !name.startsWith('UPROAR_'));
  return { ...Object.fromEntries(ours), UPROAR_SECCOMP: 'kill', ...env };
}

// Runs a subcommand of the server to its end: {code, signal, output}. launcher: words before the binary (prlimit …).
export function run(args, { env = {}, cwd, launcher = [] } = {}) {
  return new Promise((resolve, reject) => {
    const [command, ...words] = [...launcher, binary(), ...args];
    const child = spawn(command, words, { cwd, env: clean_environment(env), stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => { output += bytes; });
    const late = setTimeout(() => child.kill('SIGKILL'), kStartMs);
    child.once('error', reject);
    child.once('close', (code, signal) => { clearTimeout(late); resolve({ code, signal, output }); });
  });
}

// With on_postgres.py around the test: a database for each data folder, kept as long as that is.
function store_flags(data) {
  const base = process.env.UPROAR_TEST_POSTGRES;
  if (!base) return {};
  const database = basename(data).toLowerCase().replace(/[^a-z0-9]/g, '_');
  const made = spawnSync('psql', ['-X', '-q', base, '-c', `create database ${database}`], { encoding: 'utf8' });
  if (made.status !== 0 && !/already exists/.test(made.stderr)) throw new Error(`psql: ${made.error ?? made.stderr}`);
  return { postgres: base.replace(/[^/]*$/, database) };
}

export class Server {
  // flags: {name: value, …} over the usual ones, undefined takes one away. data: a folder to keep; otherwise a new one
  // that is removed by stop(). launcher: words before the binary (prlimit …). usual: false leaves the server's own defaults.
  // program: another one than UPROAR_BINARY.
  static async start({ flags = {}, data, launcher = [], env = {}, shards = 1, usual = true, program = binary() } = {}) {
    const server = new Server();
    server.owns_data = data === undefined;
    server.data = data ?? await mkdtemp(join(tmpdir(), 'uproar-e2e-'));
    server.clients = new Set();
    server.people_made = 0;
    const all = { listen: '127.0.0.1:0', 'admin-listen': '127.0.0.1:0', shards: String(shards), data: server.data, ...store_flags(server.data),
                  ...(usual ? kUsualFlags : {}), ...flags };
    const words = Object.entries(all).filter(([, value]) => value !== undefined)
      .flatMap(([name, value]) => [`--${name}`, String(value)]);
    // With SIGXFSZ ignored a write beyond limit_files() fails instead of killing.
    const command = ['sh', '-c', 'trap "" XFSZ; exec "$@"', 'sh', ...launcher, program, 'serve', ...words];
    server.output = '';
    server.child = spawn(command[0], command.slice(1),
                         { env: clean_environment(env), stdio: ['ignore', 'pipe', 'pipe'] });
    server.ended = new Promise((resolve) => {
      server.child.once('close', (code, signal) => resolve({ code, signal }));
    });
    try {
      await server.#listening();
    } catch (error) {
      await server.ended;
      if (server.owns_data) await rm(server.data, { recursive: true, force: true });
      throw error;
    }
    return server;
  }

  #listening() {
    return new Promise((resolve, reject) => {
      const fail = (why) => {
        this.child.kill('SIGKILL');
        reject(new Error(`the server did not start (${why}):\n${this.output}`));
      };
      const late = setTimeout(fail, kStartMs, 'too slow');
      this.child.once('error', (error) => { clearTimeout(late); fail(error.message); });
      this.child.once('exit', (code, signal) => { clearTimeout(late); fail(`exit ${code ?? signal}`); });
      for (const stream of [this.child.stdout, this.child.stderr]) {
        stream.on('data', (bytes) => {
          this.output = (this.output + bytes).slice(-kOutputBytes);
          const found = /listening on (http:\/\/\S+?:(\d+))/.exec(this.output);
          if (!found || this.port) return;
          this.port = Number(found[2]);
          this.admin_url = /metrics and administration on (\S+)/.exec(this.output)?.[1];   // said before; undefined: off
          clearTimeout(late);
          resolve();
        });
      }
    });
  }

  get url() { return `http://127.0.0.1:${this.port}`; }
  get ws_url() { return `ws://127.0.0.1:${this.port}/ws`; }
  get pid() { return this.child.pid; }

  // An access token as a trusted backend mints it.
  async token({ sub = randomUUID(), name, lifetime_s = 600, claims = {}, header = {} } = {}) {
    const key = (await readFile(join(this.data, 'auth.key'), 'utf8')).trim();
    const now_s = Math.floor(Date.now() / 1000);
    return new SignJWT({ sub, ...(name ? { name } : {}), iat: now_s, exp: now_s + lifetime_s, ...claims })
      .setProtectedHeader({ alg: 'HS256', ...header })
      .sign(new TextEncoder().encode(key));
  }

  // Somebody who is known to the server by a minted token: {id, name, token, rest(), connect()}. Names are unique:
  // a name that is taken would be left out.
  async person(called = 'someone') {
    const id = randomUUID();
    const name = `${called}-${++this.people_made}`;
    const token = await this.token({ sub: id, name });
    const person = {
      id, name, token,
      rest: (method, path, body) => call(this.url, method, path, { token, body }),
      connect: (options = {}) => this.connect({ token, ...options }),
    };
    const me = await person.rest('GET', '/api/v1/me');   // made at first sight
    if (me.status !== 200) throw new Error(`${name} was not provisioned: ${me.status} ${JSON.stringify(me.body)}`);
    return person;
  }

  async people(...names) { return Promise.all(names.map((name) => this.person(name))); }

  // A connection that has heard session.ready (ready: false: only opened).
  async connect(options = {}) {
    const client = await Client.connect(this.ws_url, options);
    this.clients.add(client);
    return client;
  }

  rest(method, path, options = {}) { return call(this.url, method, path, options); }

  // What only operators are answered (--admin-listen HOST:PORT).
  admin(path, options = {}) { return call(this.admin_url, 'GET', path, options); }

  // Its sum over all shards, not older than the question: the second one within a second waits for the rest of it.
  async metric(name) {
    const { status, text } = await this.admin('/metrics');
    if (status !== 200) throw new Error(`${this.admin_url}/metrics: ${status} ${text}`);
    let sum = 0;
    for (const [, value] of text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))) sum += Number(value);
    return sum;
  }

  // Ends it as an operator would; fails when it crashed or does not go.
  async stop() {
    for (const client of this.clients) client.terminate();
    const before = this.child.exitCode ?? this.child.signalCode;
    if (before === null) {
      this.child.kill('SIGTERM');
      this.child.kill('SIGTERM');
    }
    const hard = setTimeout(() => { this.was_killed = true; this.child.kill('SIGKILL'); }, kStopMs);
    const { code, signal } = await this.ended;
    clearTimeout(hard);
    if (this.owns_data) await rm(this.data, { recursive: true, force: true });
    if (this.expects_end) return;
    if (this.was_killed) throw new Error(`the server did not stop within ${kStopMs} ms:\n${this.output}`);
    if (code !== 0) throw new Error(`the server ended with ${code ?? signal}:\n${this.output.slice(-4000)}`);
  }

  async kill() {
    this.expects_end = true;
    this.child.kill('SIGKILL');
    await this.ended;
  }
}

// A store that fails without being root: no file of the server may grow beyond `bytes` until it is told otherwise.
export function limit_files(server, bytes) {
  return new Promise((resolve, reject) => {
    const child = spawn('prlimit', [`--pid=${server.pid}`, `--fsize=${bytes}:`], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (bytes_said) => { said += bytes_said; });
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve() : reject(new Error(`prlimit: ${said}`))));
  });
}

// One server for the tests of a describe() block: const server = use_server(before, after, {…}); then server().
export function use_server(before, after, options = {}) {
  let server;
  before(async () => { server = await Server.start(options); });
  after(async () => { await server?.stop(); });
  return () => server;
}
