// One WebSocket that comes back by itself. Knows how to connect, to authenticate and to keep alive; what is said over
// it is client.js.
//
//   connecting -> open (session.ready) -> closed -> waiting (backoff) -> connecting …
//                                             \-> stopped (the server said: do not come back)
//
// The token never stands in a URL: just after signing in a single-use ticket does, later session.open carries it. Before it
// ends the server says session.expiring, and session.refresh carries the next one over the same connection.

import { advice_of, backoff_ms, final_words } from './backoff.js';

const kSubprotocol = 'uproar.v1';
const kAnswerMs = 15_000;    // a ping, or the way to session.ready, may take this long: a busy server reads on within 10 s
const kElsewhereMs = 3_000;  // another address than the page's own may take so long to be reached
const kRequestMs = 30_000;
const kRefreshAgainMs = 5_000;   // a token that could not be had is asked for again

export class Connection extends EventTarget {
  // Events: 'state', 'ready' (detail: session.ready), 'event' (detail: any message that answers no request),
  // 'signed_out' (the login has ended).
  constructor(account) {
    super();
    this.account = account;
    this.socket = null;
    this.state = 'connecting';
    this.retry_at = 0;
    this.words = '';
    this.attempt = 0;
    this.asks_here = false;           // where the page came from, not where the login was told to connect
    this.has_opened = false;          // the socket of this dial
    this.token = null;                // that this connection lives by
    this.renew_first = false;
    this.reconnect_after_ms = null;   // from server.draining
    this.pending = new Map();         // id -> {resolve, reject, part, timer}
    this.next_id = 1;
    this.dials = 0;
    this.timers = {};
    this.on_online = () => { if (this.state === 'waiting') this.connect(); };
    this.on_offline = () => this.#lost(1006);
    addEventListener('online', this.on_online);
    addEventListener('offline', this.on_offline);
  }

  async connect() {
    const dial = ++this.dials;
    this.#drop();
    this.#become('connecting');
    let ticket;
    let token;
    try {
      if (this.renew_first) await this.account.renew();
      this.renew_first = false;
      ticket = this.account.take_ticket();
      if (!ticket) token = await this.account.token();
      this.token = this.account.signed_in.access_token;   // a ticket is as good as the token that came with it
    } catch (error) {
      if (dial !== this.dials || this.state !== 'connecting') return;
      if (error.status === 401) return this.#sign_out();
      return this.#wait();
    }
    if (dial !== this.dials || this.state !== 'connecting') return;
    const url = this.#url(ticket);
    const socket = new WebSocket(url, kSubprotocol);
    this.socket = socket;
    this.has_opened = false;
    if (url.host !== location.host) this.timers.open = setTimeout(() => this.#lost(4208), kElsewhereMs);
    socket.onopen = () => {
      this.has_opened = true;
      clearTimeout(this.timers.open);
      if (token) this.say({ type: 'session.open', token, resume: true });
    };
    socket.onmessage = ({ data }) => { if (this.socket === socket) this.#hear(JSON.parse(data)); };
    socket.onclose = ({ code }) => { if (this.socket === socket) this.#lost(code); };
    this.#expect_answer();
  }

  // The address that came with the login may be another node's, or one that is not reached from here (a container's, a
  // private network's). If nobody answers there, ask where the page came from, and as long as that works.
  #url(ticket) {
    const here = `${location.protocol === 'https:' ? 'wss:' : 'ws:'}//${location.host}/ws`;
    let url = new URL(here);
    try {
      const told = new URL(this.account.signed_in.ws_url);
      const safe = location.protocol !== 'https:' || told.protocol === 'wss:';
      if (safe && !this.asks_here) url = told;
    } catch { /* none was told */ }
    url.searchParams.set('resume', '1');
    if (ticket) url.searchParams.set('ticket', ticket);
    return url;
  }

  say(message) {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  // A promise of the reply; `part` hears the pages that come before it. Rejects with {code, message, retry_after_ms}.
  request(message, part = null) {
    return new Promise((resolve, reject) => {
      const id = this.next_id++;
      if (!this.say({ ...message, id })) return reject(lost());
      const timer = setTimeout(() => {
        this.pending.delete(id);
        reject(lost());
      }, kRequestMs);
      this.pending.set(id, { resolve, reject, part, timer });
    });
  }

  close() {
    removeEventListener('online', this.on_online);
    removeEventListener('offline', this.on_offline);
    this.#drop();
    this.#become('stopped');
  }

  #hear(message) {
    this.#heard();
    if (message.type === 'session.ready') {
      this.attempt = 0;
      this.timers.ping = setInterval(() => this.#ping(), message.heartbeat_interval_ms);
      this.#become('open');
      return this.#tell('ready', message);
    }
    if (message.type === 'session.expiring') return this.#refresh();
    if (message.type === 'server.draining') this.reconnect_after_ms = message.reconnect_after_ms ?? 0;
    const pending = this.pending.get(message.id);
    if (pending) {
      if (pending.part && message.type === 'history.page') return pending.part(message);
      this.pending.delete(message.id);
      clearTimeout(pending.timer);
      if (message.type === 'error') return pending.reject(message);
      this.#tell('event', { ...message, is_reply: true });
      return pending.resolve(message);
    }
    this.#tell('event', message);
  }

  // Should it come to nothing, the server closes with 4101, and the next connection begins with a fresh token.
  async #refresh() {
    const { socket } = this;
    try {
      // Unless somebody else on this page has asked for a fresh one since.
      if (this.account.signed_in.access_token === this.token) await this.account.renew();
      const token = await this.account.token();
      if (this.socket !== socket) return;
      await this.request({ type: 'session.refresh', token });
      this.token = token;
    } catch (error) {
      if (this.socket !== socket) return;
      if (error.status === 401) return this.#sign_out();
      const again_ms = Math.max(kRefreshAgainMs, error.retry_after_ms ?? 0);
      this.timers.refresh = setTimeout(() => { this.#refresh(); }, again_ms);
    }
  }

  #ping() {
    this.say({ type: 'ping' });
    this.#expect_answer();
  }

  // Anything heard will do. A connection that is only half there is closed, which starts the next one.
  #expect_answer() {
    this.timers.answer ??= setTimeout(() => this.#lost(4208), kAnswerMs);
  }

  #heard() {
    clearTimeout(this.timers.answer);
    delete this.timers.answer;
  }

  #drop() {
    for (const timer of Object.values(this.timers)) clearTimeout(timer);   // clears intervals as well
    this.timers = {};
    const socket = this.socket;
    this.socket = null;
    if (socket) {
      socket.onmessage = socket.onclose = socket.onopen = null;
      socket.close();
    }
    for (const { reject, timer } of this.pending.values()) {
      clearTimeout(timer);
      reject(lost());
    }
    this.pending.clear();
  }

  #lost(code) {
    if (this.state === 'stopped' || this.state === 'waiting') return;
    if (this.socket && !this.has_opened) this.asks_here = !this.asks_here;
    this.#drop();
    const advice = advice_of(code);
    if (advice === 'final') {
      this.words = final_words(code);
      return this.#become('stopped');
    }
    if (advice === 'token') this.renew_first = true;
    this.#wait();
  }

  #wait() {
    const told = this.reconnect_after_ms;
    this.reconnect_after_ms = null;
    const delay = told ?? backoff_ms(this.attempt);
    this.attempt += 1;
    this.retry_at = Date.now() + delay;
    this.#become('waiting');
    this.timers.retry = setTimeout(() => this.connect(), delay);
  }

  #sign_out() {
    this.close();
    this.#tell('signed_out');
  }

  #become(state) {
    this.state = state;
    this.#tell('state', state);
  }

  #tell(name, detail) { this.dispatchEvent(new CustomEvent(name, { detail })); }
}

function lost() { return { code: 'connection_lost', message: 'The connection was lost.' }; }
