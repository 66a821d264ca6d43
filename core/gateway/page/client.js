// What the page says to the server and does with what it hears: the exact resume after every (re)connect, filling of
// gaps, marks, typing. Knows the protocol; knows no DOM.
//
// After session.ready: 1. conversation.list, page by page; 2. sync from our cursors; 3. what the outbox still holds.
// `?resume=1` makes the server hold live events until 2 is answered, so nothing is missed and nothing comes twice.

import * as api from './api.js';
import { Connection } from './connection.js';
import { keep, kept, drop } from './keep.js';
import { Outbox } from './outbox.js';
import { Store, kGap } from './store.js';

const kListPage = 100;
const kSyncConversationsMax = 1000;
const kPresenceMax = 256;
const kHistoryPage = 50;
const kDeliveredAfterMs = 150;   // marks of a burst travel as one
const kTypingEveryMs = 3000;
const kSnapshotEveryMs = 400;

export class Client extends EventTarget {
  // Events: 'changed', 'signed_out', 'message' (detail: {conversation, row} heard live from somebody else).
  constructor(account) {
    super();
    this.account = account;
    this.phase = 'connecting';   // connecting | resuming | live | waiting | stopped
    this.was_live = false;
    this.store = new Store({ me: account.user_id, changed: () => this.#changed() });
    this.store.names.set(account.user_id, account.name);
    this.store.restore(kept('uproar.snapshot'));
    this.connection = new Connection(account);
    this.outbox = new Outbox({
      send: (command) => this.connection.request(command),
      stored: (entry, sent) => this.#stored(entry, sent),
      changed: () => this.#outbox_changed(),
      entries: kept('uproar.outbox') ?? [],
    });
    this.filling = new Set();
    this.naming = new Set();
    this.delivered_timers = new Map();
    this.typing_said = new Map();     // conversation id -> when
    this.connection.addEventListener('state', () => this.#state());
    this.connection.addEventListener('ready', () => this.#resume());
    this.connection.addEventListener('event', ({ detail }) => this.#hear(detail));
    this.connection.addEventListener('signed_out', () => this.dispatchEvent(new Event('signed_out')));
    this.on_hide = () => this.#save();
    addEventListener('pagehide', this.on_hide);
  }

  start() { this.connection.connect(); }

  close() {
    this.closed = true;
    clearTimeout(this.save_timer);
    removeEventListener('pagehide', this.on_hide);
    for (const timer of this.delivered_timers.values()) clearTimeout(timer);
    this.connection.close();
  }

  // ---- connection ----

  #state() {
    const { state } = this.connection;
    this.phase = state === 'open' ? 'resuming' : state;
    if (state !== 'open') {
      this.outbox.disconnected();
      this.filling.clear();
      this.typing_said.clear();
      if (state === 'waiting') this.store.forget_live_state();
    }
    this.#changed();
  }

  async #resume() {
    const turn = this.connection.socket;
    try {
      const views = [];
      for (let after; ;) {
        const page = await this.connection.request(
          { type: 'conversation.list', limit: kListPage, ...(after ? { after } : {}) });
        views.push(...page.conversations);
        if (!page.has_more || page.conversations.length === 0) break;
        after = page.conversations.at(-1).id;
      }
      this.store.adopt_list(views);
      const cursors = Object.entries(this.store.cursors());
      do {   // once at least: an empty sync says that we are ready for live events
        await this.#sync(Object.fromEntries(cursors.splice(0, kSyncConversationsMax)));
      } while (cursors.length > 0);
    } catch (error) {
      if (this.connection.socket === turn && turn) turn.close();   // lost or refused: the next connection tries again
      return;
    }
    this.phase = 'live';
    this.was_live = true;
    this.outbox.connected();
    this.#watch_presence();
    for (const conversation of this.store.conversations.values()) {
      if (conversation.unread > 0) this.#deliver_soon(conversation);
    }
    this.#changed();
  }

  async #sync(cursors) {
    const done = await this.connection.request({ type: 'sync', cursors }, (page) => {
      this.store.on_sync_page(page);
      this.#settle_outbox(page.messages);
      const conversation = this.store.conversations.get(page.conversation_id);
      if (conversation?.unread > 0 && this.phase === 'live') this.#deliver_soon(conversation);
    });
    for (const [id, seq] of Object.entries(done.cursors ?? {})) {
      const conversation = this.store.conversations.get(id);
      if (conversation) conversation.timeline.cursor = Math.max(conversation.timeline.cursor, seq);
    }
  }

  // ---- hearing ----

  #hear(event) {
    const conversation = this.store.conversations.get(event.conversation_id);
    const outcome = this.store.on_event(event);
    if (outcome === kGap && !event.is_reply) this.#fill(conversation);
    if (event.type === 'message.new') {
      this.#settle_outbox([event]);
      if (conversation && event.sender_id !== this.account.user_id) {
        this.#deliver_soon(conversation);
        if (outcome === 'applied') {
          this.dispatchEvent(new CustomEvent('message', { detail: { conversation, row: event } }));
        }
      }
    }
    if (event.type === 'conversation.joined' || event.type === 'member.added') this.#watch_presence();
    if (event.type === 'conversation.not_live') {   // of those that we do not know the next connection hears
      for (const id of event.conversation_ids ?? []) {
        const known = this.store.conversations.get(id);
        if (known) this.#fill(known);
      }
    }
    if (event.type === 'typing.update') setTimeout(() => this.#changed(), 6100);   // it fades by itself
  }

  async #fill(conversation) {
    if (this.filling.has(conversation.id)) return;
    this.filling.add(conversation.id);
    try {
      await this.#sync({ [conversation.id]: conversation.timeline.cursor });
    } catch { /* the next event, or the next connection, asks again */ }
    this.filling.delete(conversation.id);
  }

  #settle_outbox(rows) {
    for (const row of rows) if (row.sender_id === this.account.user_id) this.outbox.seen_in_log(row.client_id);
  }

  // The answer may be here before the event that everybody hears. If it is the next one, it is as good.
  #stored(entry, { conversation_id, seq, message_id, sent_at }) {
    const { content, reply_to, client_id } = entry;
    const conversation = this.store.conversations.get(conversation_id);
    if (!conversation) return;
    const outcome = this.store.on_event({ type: 'message.new', conversation_id, seq, message_id, sent_at, content,
                                          client_id, sender_id: this.account.user_id,
                                          ...(reply_to ? { reply_to } : {}) });
    if (outcome === kGap) this.#fill(conversation);
  }

  #deliver_soon(conversation) {
    if (this.delivered_timers.has(conversation.id)) return;
    this.delivered_timers.set(conversation.id, setTimeout(() => {
      this.delivered_timers.delete(conversation.id);
      const seq = conversation.timeline.cursor;
      if (this.phase !== 'live' || seq <= conversation.delivered_seq || seq <= conversation.read_seq) return;
      conversation.delivered_seq = seq;
      this.connection.say({ type: 'message.delivered', conversation_id: conversation.id, seq });
    }, kDeliveredAfterMs));
  }

  #watch_presence() {
    const people = new Set();
    for (const conversation of this.store.sorted()) {
      for (const user of conversation.members.keys()) if (people.size < kPresenceMax) people.add(user);
    }
    people.delete(this.account.user_id);
    if (people.size > 0) {
      this.connection.request({ type: 'presence.subscribe', user_ids: [...people] }).catch(() => {});
    }
  }

  // ---- saying ----

  send(conversation, content, reply_to) {
    this.typing_said.delete(conversation.id);
    return this.outbox.add({ conversation_id: conversation.id, content, reply_to, at: new Date().toISOString() });
  }

  // On the screen, and somebody is looking.
  read(conversation) {
    const seq = conversation.timeline.cursor;
    const newest = conversation.last;
    if (this.phase !== 'live' || !newest || seq <= conversation.read_seq) return;
    if (conversation.unread === 0 && newest.seq <= conversation.read_seq) return;
    if (!this.connection.say({ type: 'message.read', conversation_id: conversation.id, seq })) return;
    this.store.mark_read(conversation, seq);
  }

  typing(conversation, typing) {
    const said = this.typing_said.get(conversation.id);
    if (typing ? Date.now() - (said ?? 0) < kTypingEveryMs : said === undefined) return;
    if (typing) this.typing_said.set(conversation.id, Date.now());
    else this.typing_said.delete(conversation.id);
    if (this.phase === 'live') {
      this.connection.say({ type: typing ? 'typing.start' : 'typing.stop', conversation_id: conversation.id });
    }
  }

  async load_older(conversation) {
    const { timeline } = conversation;
    if (timeline.loading || this.phase !== 'live') return;
    if (timeline.complete) {
      conversation.opened = true;
      return;
    }
    timeline.loading = true;
    try {
      this.store.on_history_page(await this.connection.request({
        type: 'history', conversation_id: conversation.id, before_seq: timeline.floor, limit: kHistoryPage }));
      this.#name_people();
    } catch {
      timeline.loading = false;
    }
  }

  edit(conversation, seq, content) {
    return this.connection.request({ type: 'message.edit', conversation_id: conversation.id, seq, content });
  }

  remove(conversation, seq) {
    return this.connection.request({ type: 'message.delete', conversation_id: conversation.id, seq });
  }

  react(conversation, row, emoji) {
    const mine = row.reactions?.[emoji]?.includes(this.account.user_id);
    return this.connection.request({ type: mine ? 'reaction.remove' : 'reaction.add',
                                     conversation_id: conversation.id, seq: row.seq, emoji });
  }

  async find_user(name) {
    const { users } = await api.find_users(await this.account.token(), name);
    for (const { user_id, name: found } of users) this.store.names.set(user_id, found);
    return users[0] ?? null;
  }

  async create(kind, members, name) {
    const { conversation } = await this.connection.request({
      type: 'conversation.create', kind, members, ...(name ? { name } : {}) });
    this.#watch_presence();
    return this.store.conversations.get(conversation.id);
  }

  add_members(conversation, user_ids) {
    return this.connection.request({ type: 'conversation.add', conversation_id: conversation.id, user_ids });
  }

  rename(conversation, name) {
    return this.connection.request({ type: 'conversation.rename', conversation_id: conversation.id, name });
  }

  async leave(conversation) {
    await this.connection.request({ type: 'conversation.leave', conversation_id: conversation.id });
    this.store.conversations.delete(conversation.id);
    this.#changed();
  }

  // ---- keeping ----

  // Names that no list has told us, one request each and each once.
  #name_people() {
    for (const id of this.store.unnamed()) {
      if (this.naming.has(id)) continue;
      this.naming.add(id);
      this.account.token().then((token) => api.user(token, id)).then(({ name }) => {
        this.store.names.set(id, name ?? 'Somebody');
        this.#changed();
        this.naming.delete(id);
      }).catch(({ code }) => {   // whoever does not exist is not asked for twice
        if (code === 'connection_lost') this.naming.delete(id);
      });
    }
  }

  #outbox_changed() {
    if (this.closed) return;
    keep('uproar.outbox', this.outbox.to_json());
    this.#changed();
  }

  #changed() {
    if (this.closed || this.change_told) return;
    this.change_told = true;
    queueMicrotask(() => {
      this.change_told = false;
      if (this.closed) return;
      this.save_timer ??= setTimeout(() => this.#save(), kSnapshotEveryMs);
      if (this.phase === 'live') this.#name_people();
      this.dispatchEvent(new Event('changed'));
    });
  }

  #save() {
    clearTimeout(this.save_timer);
    this.save_timer = undefined;
    if (this.closed) return;
    if (!keep('uproar.snapshot', this.store.snapshot())) drop('uproar.snapshot');   // no room: history is a request away
  }
}
