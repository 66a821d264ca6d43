// A PostgreSQL server of a test's own, that can be taken away and given back.

import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const kKeeper = fileURLToPath(new URL('postgres_keeper.py', import.meta.url));

export class Postgres {
  static async start() {
    const postgres = new Postgres();
    postgres.keeper = spawn('python3', [kKeeper], { stdio: ['pipe', 'pipe', 'inherit'] });
    postgres.ended = new Promise((resolve) => { postgres.keeper.once('close', resolve); });
    postgres.lines = createInterface({ input: postgres.keeper.stdout })[Symbol.asyncIterator]();
    postgres.base = await postgres.#line();
    return postgres;
  }

  // The URL of a new database.
  make_database(name) {
    const made = spawnSync('psql', ['-X', '-q', this.base, '-c', `create database ${name}`], { encoding: 'utf8' });
    if (made.status !== 0) throw new Error(`psql: ${made.error ?? made.stderr}`);
    return this.base.replace(/[^/]*$/, name);
  }

  // start, stop, kill, pause, resume: comes back when it is done; after a start it answers.
  async does(what) {
    this.keeper.stdin.write(`${what}\n`);
    const said = await this.#line();
    if (said !== what) throw new Error(`postgres_keeper.py: ${said}`);
  }

  async end() {
    this.keeper.stdin.end();
    await this.ended;
  }

  async #line() {
    const { value, done } = await this.lines.next();
    if (done) throw new Error('postgres_keeper.py ended');
    return value;
  }
}
