// A recorder over the stock `ws` client: everything heard is kept in `events`; waitFor() takes the first event that fits
// and has not been taken, whether it came already or comes later.

import WebSocket from 'ws';

const kWaitMs = 8_000;

// {type: 'x', seq: 1} fits an event that has these values; nested objects are compared by their named fields.
export function fits(event, wanted) {
  if (typeof wanted === 'function') return wanted(event);
  if (wanted === null || typeof wanted !== 'object') return event === wanted;
  if (event === null || typeof event !== 'object') return false;
  return Object.entries(wanted).every(([name, value]) => fits(event[name], value));
}

export class Client {
  events = [];
  #taken = new Set();
  #waiting = new Set();
  #next_id = 1;

  // token, ticket, session_token (said in session.open), resume, query, headers, subprotocol, deflate, ready
  static async connect(url, options = {}) {
    const { token, ticket, session_token, resume = false, query = {}, headers = {}, subprotocol = 'uproar.v1',
            deflate = false, ready = true, ws = {} } = options;
    const where = new URL(url);
    if (ticket) where.searchParams.set('ticket', ticket);
    if (resume) where.searchParams.set('resume', '1');
    for (const [name, value] of Object.entries(query)) where.searchParams.set(name, value);
    const client = new Client();
    client.socket = new WebSocket(where, subprotocol ? [subprotocol].flat() : [], {
      perMessageDeflate: deflate, headers: { ...(token ? { authorization: `Bearer ${token}` } : {}), ...headers }, ...ws });
    client.#listen();
    await client.opened;
    if (session_token) client.send({ type: 'session.open', token: session_token });
    if (ready) client.ready = await client.waitFor({ type: 'session.ready' });
    return client;
  }

  #listen() {
    const { socket } = this;
    this.opened = new Promise((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
      socket.once('unexpected-response', (request, response) => {
        let text = '';
        response.on('data', (bytes) => { text += bytes; });
        response.on('end', () => {
          const error = new Error(`handshake refused: ${response.statusCode} ${text}`);
          error.status = response.statusCode;
          try { error.body = JSON.parse(text); } catch { /* not ours */ }
          reject(error);
          socket.terminate();
        });
      });
    });
    this.closed = new Promise((resolve) => {
      socket.once('close', (code, reason) => {
        this.close_code = code;
        resolve({ code, reason: reason.toString() });
        for (const waiting of [...this.#waiting]) waiting.fail(`the connection was closed with ${code} ${reason}`);
      });
    });
    socket.on('error', () => {});
    socket.on('message', (data, is_binary) => {
      if (is_binary) throw new Error('the server sent a binary message');
      const event = JSON.parse(data.toString());
      this.events.push(event);
      this.on_event?.(event);
      for (const waiting of [...this.#waiting]) if (waiting.offer(event, this.events.length - 1)) break;
    });
  }

  send(command) { this.socket.send(typeof command === 'string' ? command : JSON.stringify(command)); }

  // Sends with a fresh id and gives the answer, whatever it is.
  async ask(command) {
    const id = this.#next_id++;
    this.send({ ...command, id });
    return this.waitFor({ id });
  }

  // The same, and the answer must be of this type.
  async get(command, type) {
    const answer = await this.ask(command);
    if (type && answer.type !== type) {
      throw new Error(`${command.type}: expected ${type}, heard ${JSON.stringify(answer)}`);
    }
    return answer;
  }

  // The same, and the answer must be this error.
  async refused(command, code) {
    const answer = await this.ask(command);
    if (answer.type !== 'error' || answer.code !== code) {
      throw new Error(`${JSON.stringify(command).slice(0, 300)}: expected error ${code}, heard ${JSON.stringify(answer)}`);
    }
    return answer;
  }

  // -> {pages, done}
  async sync(cursors, type = 'sync', fields = {}) {
    const id = this.#next_id++;
    this.send({ type, id, ...(type === 'sync' ? { cursors } : {}), ...fields });
    const pages = [];
    for (;;) {
      const answer = await this.waitFor({ id });
      if (answer.type === 'history.page') pages.push(answer);
      else if (answer.type === 'sync.done') return { pages, done: answer };
      else throw new Error(`sync: heard ${JSON.stringify(answer)}`);
    }
  }

  // When this returns, whatever the server had said to us before is in `events`.
  ping() { return this.get({ type: 'ping' }, 'pong'); }

  waitFor(wanted, what = describe_wish(wanted), wait_ms = kWaitMs) {
    for (let i = 0; i < this.events.length; ++i) {
      if (this.#taken.has(i) || !fits(this.events[i], wanted)) continue;
      this.#taken.add(i);
      return Promise.resolve(this.events[i]);
    }
    return new Promise((resolve, reject) => {
      const waiting = {
        offer: (event, index) => {
          if (!fits(event, wanted)) return false;
          this.#taken.add(index);
          clearTimeout(late);
          this.#waiting.delete(waiting);
          resolve(event);
          return true;
        },
        fail: (why) => {
          clearTimeout(late);
          this.#waiting.delete(waiting);
          const tail = this.events.slice(-8).map((event) => JSON.stringify(event).slice(0, 300)).join('\n  ');
          reject(new Error(`${why} while waiting for ${what}; the last that was heard:\n  ${tail}`));
        },
      };
      const late = setTimeout(() => waiting.fail(`nothing within ${wait_ms} ms`), wait_ms);
      if (this.close_code !== undefined) return waiting.fail(`the connection was closed with ${this.close_code}`);
      this.#waiting.add(waiting);
    });
  }

  // All events of a type that were heard so far, taken or not.
  heard(wanted) { return this.events.filter((event) => fits(event, typeof wanted === 'string' ? { type: wanted } : wanted)); }

  async close() {
    this.socket.close(1000);
    return this.closed;
  }

  terminate() { this.socket.terminate(); }
}

function describe_wish(wanted) {
  return typeof wanted === 'function' ? wanted.toString().slice(0, 200) : JSON.stringify(wanted);
}
