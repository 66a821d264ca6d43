// Somebody with one connection at a time, who keeps to docs/protocol.md: cursors, sync after each reconnect, retries with the same
// client_id, another node when this one is silent. Notes what happens (history.mjs); judges nothing.

import { WebSocket } from '../e2e/packages.mjs';

const kPatienceMs = 4_000;          // for an answer, and for a connection
const kPauseMs = [30, 150];         // before the next try to connect
const kRetryMs = 100;               // after a refusal that names no time
const kAgain = new Set(['unavailable', 'overloaded', 'rate_limited', 'draining']);

export const now_ns = () => Number(process.hrtime.bigint());   // CLOCK_MONOTONIC, as Python's time.monotonic_ns()
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class Member {
  cursors = {};          // conversation -> last seq applied
  log = [];              // for history.mjs
  connections = 0;       // so far, refused ones not counted
  reconnects = [];       // {from_ns, to_ns, why}: from the loss to the end of the sync
  #waiting = new Map();  // id -> {resolve, reject}
  #next_id = 1;
  #is_leaving = false;
  #online;               // a promise while there is, or will be, a connection that is level

  // nodes: [{name, url}]; home: index of the node it prefers. on_live(member, event), on_page(member, event): each as it comes.
  constructor({ id, token, nodes, home, on_live, on_page, random = Math.random }) {
    Object.assign(this, { id, token, nodes, home, at: home, on_live, on_page, random });
  }

  get node() { return this.nodes[this.at].name; }

  // Resolves when it is in and level with its cursors.
  online() {
    this.#online ??= this.#come().catch((error) => { this.#online = undefined; throw error; });
    return this.#online;
  }

  async #come() {
    const from_ns = this.lost_ns;
    const why = this.lost_why;
    for (let tries = 0; ; ++tries) {
      if (this.#is_leaving) throw new Error(`${this.id} has left`);
      try {
        await this.#connect();
        if (from_ns !== undefined) this.reconnects.push({ from_ns, to_ns: now_ns(), why, node: this.node });
        return;
      } catch (error) {
        this.last_error = error;
        const socket = this.socket;
        this.socket = undefined;   // its end is not news
        socket?.terminate();
        this.at = (this.at + 1) % this.nodes.length;
        await sleep(kPauseMs[0] + this.random() * (kPauseMs[1] - kPauseMs[0]));
      }
    }
  }

  async #connect() {
    const knows = Object.keys(this.cursors).length > 0;
    const url = `${this.nodes[this.at].url.replace('http', 'ws')}/ws${knows ? '?resume=1' : ''}`;
    const socket = new WebSocket(url, ['uproar.v1'], { perMessageDeflate: false, headers: { authorization: `Bearer ${this.token}` },
                                                       handshakeTimeout: kPatienceMs });
    this.socket = socket;
    const connection = ++this.connections;
    const cursors = { ...this.cursors };
    let is_level = false;
    let ready_ns;
    let due_ns = 0;   // when the server wants to see it again
    const ready = new Promise((resolve, reject) => {
      socket.on('message', (data) => {
        if (this.socket !== socket) return;   // of a connection that was given up
        const event = JSON.parse(data.toString());
        if (event.type === 'session.ready') { ready_ns = now_ns(); resolve(); }
        else if (event.type === 'server.draining') due_ns = now_ns() + event.reconnect_after_ms * 1e6;
        else this.#hear(event, connection, { since_ms: (now_ns() - ready_ns) / 1e6, bytes: data.length });
      });
      socket.on('error', reject);
      socket.on('unexpected-response', (request, response) => { response.resume(); reject(new Error(`handshake refused: ${response.statusCode}`)); });
      socket.on('close', (code) => {
        reject(new Error(`closed with ${code}`));
        if (this.socket === socket) this.#lose(code, is_level, due_ns);
      });
    });
    await in_time(ready, 'session.ready');
    this.log.push({ what: 'connected', connection, node: this.node, cursors });
    if (knows) {
      const done = await this.#ask_on(socket, { type: 'sync', cursors });
      if (done.type !== 'sync.done') throw new Error(`sync was answered by ${JSON.stringify(done)}`);
      for (const [conversation, code] of Object.entries(done.refused ?? {})) {
        if (code !== 'not_member') throw new Error(`sync of ${conversation} was refused: ${code}`);
        this.#end(conversation, 'refused');
      }
    }
    this.log.push({ what: 'synced', connection });
    is_level = true;
  }

  #lose(code, was_level, due_ns) {
    for (const { reject } of this.#waiting.values()) reject(new Error(`closed with ${code}`));
    this.#waiting.clear();
    if (!was_level || this.#is_leaving) return;   // #come() tries on by itself
    this.lost_ns = now_ns();
    this.lost_why = code;
    const wait_ms = Math.max(0, (due_ns - this.lost_ns) / 1e6);
    this.at = (this.at + 1) % this.nodes.length;
    // Somebody who is not connected hears nothing: back at once, wanted or not.
    this.#online = sleep(wait_ms).then(() => this.#come());
    this.#online.catch(() => {});
  }

  #hear(event, connection, came) {
    if (event.id !== undefined && event.type !== 'history.page') {
      const { id, ...told } = event;
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (told.seq !== undefined) this.log.push({ what: 'answer', conversation: told.conversation_id, event: told });
      waiting?.resolve(told);
      return;
    }
    const conversation = event.conversation_id;
    if (event.type === 'history.page' && event.upto_seq !== undefined) {
      this.log.push({ what: 'page', connection, conversation, upto: event.upto_seq, rows: event.messages.map((row) => ({ ...row, version: row.version ?? row.seq })) });
      this.#move(conversation, event.upto_seq);
      this.on_page(this, event);
    } else if (event.type === 'conversation.joined') {
      this.begin(event.conversation.id, event.conversation.last_seq);
    } else if (event.type === 'receipt.update') {
      this.log.push({ what: 'mark', conversation, event });
      this.on_mark?.(event);
    } else if (event.seq !== undefined) {
      this.log.push({ what: 'live', connection, conversation, seq: event.seq, event, ...came });
      if (event.seq === this.cursors[conversation] + 1) this.#move(conversation, event.seq);
      if (event.type === 'member.removed' && event.user_id === this.id) this.#end(conversation, 'removed');
      this.on_live(this, event, connection);
    }
  }

  // A conversation that it is in from now on.
  begin(conversation, last_seq) {
    if (this.cursors[conversation] !== undefined) return;
    this.cursors[conversation] = last_seq;
    this.log.push({ what: 'joined', connection: this.connections, conversation, last_seq });
  }

  #end(conversation, why) {
    if (this.cursors[conversation] === undefined) return;
    delete this.cursors[conversation];
    this.log.push({ what: 'left', conversation, why });
  }

  #move(conversation, seq) {
    if (this.cursors[conversation] !== undefined) this.cursors[conversation] = Math.max(this.cursors[conversation], seq);
  }

  // The answer, whatever it is. Fails when the connection ends or nothing comes; then the connection was given up.
  async ask(command) {
    await this.online();
    return this.#ask_on(this.socket, command);
  }

  async #ask_on(socket, command) {
    const id = this.#next_id++;
    const answered = new Promise((resolve, reject) => { this.#waiting.set(id, { resolve, reject }); });
    socket.send(JSON.stringify({ ...command, id }), () => {});
    try {
      return await in_time(answered, command.type);
    } catch (error) {
      this.#waiting.delete(id);
      socket.terminate();   // silent for so long: somebody else may answer
      throw error;
    }
  }

  say(command) { if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(command)); }

  // Until it is answered for good, on whatever node: by type `wanted`, or by an error whose code is one of `refusals`. on_retry: it may be stored twice.
  async insist(command, wanted, { refusals = [], on_retry } = {}) {
    for (;;) {
      let answer;
      try {
        answer = await this.ask(command);
      } catch (error) {
        if (this.#is_leaving) throw error;
        on_retry?.();
        continue;
      }
      if (answer.type === wanted || (answer.type === 'error' && refusals.includes(answer.code))) return answer;
      if (answer.type !== 'error' || !kAgain.has(answer.code)) throw new Error(`${JSON.stringify(command).slice(0, 200)} was answered by ${JSON.stringify(answer)}`);
      on_retry?.();   // `unavailable` may be the word for a commit whose end is unknown
      await sleep(answer.retry_after_ms ?? kRetryMs);
    }
  }

  // To its own node, when it is elsewhere.
  async go_home() {
    if (this.at === this.home) return;
    await this.online();
    this.at = (this.home + this.nodes.length - 1) % this.nodes.length;   // losing the connection moves on by one
    this.socket.terminate();
    await new Promise((resolve) => { this.socket.once('close', resolve); });
    await this.online();
  }

  leave() {
    this.#is_leaving = true;
    this.socket?.terminate();
  }
}

function in_time(promise, what) {
  let late;
  const too_late = new Promise((resolve, reject) => { late = setTimeout(() => reject(new Error(`no answer to ${what} within ${kPatienceMs} ms`)), kPatienceMs); });
  return Promise.race([promise, too_late]).finally(() => clearTimeout(late));
}
