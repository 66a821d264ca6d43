// Who is signed in, in this tab. Kept in sessionStorage: a reload stays signed in, a second tab may be a second person. A
// copy of a tab begins with its tokens; at the next refresh one of the two gets a login of its own.

import * as api from './api.js';
import { keep, kept, forget } from './keep.js';

const kKey = 'uproar.account';
const kRefreshEarlyMs = 60_000;   // or half of its life, where that is less
const kTicketMs = 25_000;   // the server's 30 s, less the way there

export class Account {
  constructor(signed_in = null) {
    this.signed_in = signed_in;
    this.refreshing = null;
  }

  static restore() {
    const signed_in = kept(kKey);
    return signed_in ? new Account(signed_in) : null;
  }

  static async enter(mode, name, password) {
    const account = new Account();
    account.#adopt(await (mode === 'register' ? api.register(name, password) : api.login(name, password)));
    return account;
  }

  get user_id() { return this.signed_in.user_id; }
  get name() { return this.signed_in.name; }

  // An access token with some life left. Rejects with 401 when the login has ended.
  async token() {
    const { expires_at, expires_in } = this.signed_in;
    if (Date.now() > expires_at - Math.min(kRefreshEarlyMs, expires_in * 500)) await this.renew();
    return this.signed_in.access_token;
  }

  // One at a time: a refresh token is good for one use, and a second one makes another login.
  renew() {
    this.refreshing ??= api.refresh(this.signed_in.refresh_token)
      .then((answer) => this.#adopt(answer))
      .finally(() => { this.refreshing = null; });
    return this.refreshing;
  }

  // Good for one WebSocket within half a minute of signing in, or null.
  take_ticket() {
    const { ticket, ticket_until } = this.signed_in;
    if (!ticket) return null;
    delete this.signed_in.ticket;
    keep(kKey, this.signed_in);
    return Date.now() < ticket_until ? ticket : null;
  }

  async leave() {
    const { access_token } = this.signed_in;
    forget();
    await api.logout(access_token).catch(() => {});   // gone from here either way
  }

  #adopt(answer) {
    const now = Date.now();
    this.signed_in = { ...answer, expires_at: now + answer.expires_in * 1000, ticket_until: now + kTicketMs };
    keep(kKey, this.signed_in);
  }
}
