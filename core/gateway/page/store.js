// What this page knows: conversations, people, who is online, who is typing. Server events go in, `changed` goes out.
// No network, no DOM, no clock of its own: tests/browser/store.test.mjs runs it.

import { Timeline, kApplied, kGap } from './timeline.js';

const kTypingMs = 6000;       // as the server forgets it
const kCatchUpMax = 500;      // further behind than this, the newest page of history is shown instead
const kSnapshotConversations = 50;
// What has a seq of its own in the log. message.sent has one too, but is the answer to the event, not the event.
const kDurable = new Set(['message.new', 'message.updated', 'message.deleted', 'reaction.updated', 'member.added',
                          'member.removed', 'conversation.updated']);

export class Store {
  constructor({ me, now = Date.now, changed = () => {} }) {
    this.me = me;
    this.now = now;
    this.changed = changed;
    this.conversations = new Map();   // id -> Conversation
    this.names = new Map();           // user id -> name
    this.presence = new Map();        // user id -> {status, last_online}
  }

  // ---- conversations ----

  // The whole list, as read after every (re)connect: what is not in it is no longer ours.
  adopt_list(views) {
    const ids = new Set(views.map((view) => view.id));
    for (const id of this.conversations.keys()) if (!ids.has(id)) this.conversations.delete(id);
    for (const view of views) this.adopt(view, { fresh: true });
    this.changed();
  }

  // `fresh`: the view's unread count is the server's word as of its last_seq.
  adopt(view, { fresh = false } = {}) {
    let conversation = this.conversations.get(view.id);
    if (!conversation) {
      conversation = {
        id: view.id, members: new Map(), typing: new Map(), unread: 0, last: null,
        counted_seq: 0, read_seq: 0, delivered_seq: 0, opened: false, timeline: new Timeline(view.last_seq),
      };
      this.conversations.set(view.id, conversation);
      fresh = true;
    } else if (view.last_seq - conversation.timeline.cursor > kCatchUpMax) {
      conversation.timeline = new Timeline(view.last_seq);
      conversation.opened = false;
    }
    Object.assign(conversation, {
      kind: view.kind, name: view.name ?? '', role: view.role, member_count: view.member_count ?? 0,
      muted_until: view.muted_until, created_at: view.created_at,
    });
    if (fresh) {
      conversation.unread = view.unread;
      conversation.counted_seq = Math.max(conversation.counted_seq, view.last_seq);
    }
    conversation.read_seq = Math.max(conversation.read_seq, view.read_seq ?? 0);
    conversation.delivered_seq = Math.max(conversation.delivered_seq, view.delivered_seq ?? 0);
    if (view.last_message && (!conversation.last || view.last_message.seq >= conversation.last.seq)) {
      conversation.last = view.last_message;
    }
    if (view.members) {
      const before = conversation.members;
      conversation.members = new Map();
      for (const member of view.members) {
        if (member.name) this.names.set(member.user_id, member.name);
        const known = before.get(member.user_id);
        conversation.members.set(member.user_id, {
          role: member.role,
          read_seq: Math.max(member.read_seq ?? 0, known?.read_seq ?? 0),
          delivered_seq: Math.max(member.delivered_seq ?? 0, known?.delivered_seq ?? 0),
        });
      }
    }
    this.changed();
    return conversation;
  }

  cursors() {
    return Object.fromEntries([...this.conversations.values()].map((each) => [each.id, each.timeline.cursor]));
  }

  sorted() {
    const at = (each) => each.last?.sent_at ?? each.created_at ?? '';
    return [...this.conversations.values()].sort((a, b) => (at(a) < at(b) ? 1 : at(a) > at(b) ? -1 : 0));
  }

  // The other one of a direct conversation, or null.
  peer_of(conversation) {
    if (conversation.kind !== 'direct') return null;
    for (const id of conversation.members.keys()) if (id !== this.me) return id;
    return this.me;
  }

  title_of(conversation) {
    const peer = this.peer_of(conversation);
    if (peer) return this.name_of(peer);
    return conversation.name || 'Group';
  }

  name_of(user) { return this.names.get(user) ?? 'Somebody'; }

  // People who are spoken of and whose name is not known yet.
  unnamed() {
    const missing = new Set();
    for (const { members, last, timeline, opened } of this.conversations.values()) {
      for (const id of members.keys()) missing.add(id);
      if (last?.sender_id) missing.add(last.sender_id);
      if (!opened) continue;
      for (const row of timeline.rows.values()) {
        if (row.sender_id) missing.add(row.sender_id);
        if (row.user_id) missing.add(row.user_id);
      }
    }
    for (const id of this.names.keys()) missing.delete(id);
    return [...missing];
  }

  // ---- events ----

  // Any server event. Says kGap when something before it is missing: then `sync` from our cursor fills the hole.
  on_event(event) {
    const conversation = this.conversations.get(event.conversation_id);
    switch (event.type) {
      case 'typing.update': return this.#typing(conversation, event);
      case 'presence.update': return this.#presence([event]);
      case 'presence.state': return this.#presence(event.users);
      case 'receipt.update': return this.#receipt(conversation, event);
      case 'conversation.joined':
      case 'conversation.created':
      case 'conversation.info': this.adopt(event.conversation); return kApplied;
      case 'conversation.muted':
        if (conversation) conversation.muted_until = event.muted_until;
        break;
      default: return kDurable.has(event.type) && event.seq && conversation ? this.#durable(conversation, event) : kApplied;
    }
    this.changed();
    return kApplied;
  }

  on_sync_page(page) {
    const conversation = this.conversations.get(page.conversation_id);
    if (!conversation) return;
    conversation.timeline.apply_page(page);
    for (const row of page.messages) this.#count(conversation, row);
    this.#refresh_last(conversation);
    this.changed();
  }

  on_history_page(page) {
    const conversation = this.conversations.get(page.conversation_id);
    if (!conversation) return;
    conversation.timeline.prepend(page);
    conversation.opened = true;
    this.#refresh_last(conversation);
    this.changed();
  }

  // Read up to here by ourselves.
  mark_read(conversation, seq) {
    conversation.read_seq = Math.max(conversation.read_seq, seq);
    conversation.delivered_seq = Math.max(conversation.delivered_seq, seq);
    conversation.unread = 0;
    this.changed();
  }

  forget_live_state() {   // the connection is gone: who is online or typing is unknown
    this.presence.clear();
    for (const { typing } of this.conversations.values()) typing.clear();
    this.changed();
  }

  #durable(conversation, event) {
    const outcome = conversation.timeline.apply(event);
    if (outcome !== kApplied) return outcome;
    switch (event.type) {
      case 'message.new':
        conversation.typing.delete(event.sender_id);
        this.#count(conversation, event);
        break;
      case 'member.added':
        if (conversation.members.size > 0 || conversation.member_count <= 1) {
          conversation.members.set(event.user_id, { role: event.role, read_seq: 0, delivered_seq: 0 });
        }
        conversation.member_count += 1;
        break;
      case 'member.removed':
        conversation.members.delete(event.user_id);
        conversation.member_count = Math.max(0, conversation.member_count - 1);
        if (event.user_id === this.me) this.conversations.delete(conversation.id);
        break;
      case 'conversation.updated':
        if (event.name) conversation.name = event.name;
        if (event.user_id && conversation.members.has(event.user_id)) {
          conversation.members.get(event.user_id).role = event.role;
        }
        if (event.user_id === this.me) conversation.role = event.role;
        break;
    }
    this.#refresh_last(conversation);
    this.changed();
    return outcome;
  }

  // Each message of somebody else counts once, whichever way it came. Writing is reading: whoever wrote it has seen all
  // before it, and no receipt says so again.
  #count(conversation, row) {
    const sender = row.kind === 'system' ? undefined : conversation.members.get(row.sender_id);
    if (sender) {
      sender.read_seq = Math.max(sender.read_seq, row.seq);
      sender.delivered_seq = Math.max(sender.delivered_seq, row.seq);
    }
    if (row.seq <= conversation.counted_seq) return;
    conversation.counted_seq = row.seq;
    if (row.kind === 'system' || row.deleted_at) return;
    if (row.sender_id === this.me) this.mark_read(conversation, row.seq);
    else if (row.seq > conversation.read_seq) conversation.unread += 1;
  }

  #refresh_last(conversation) {
    const newest = conversation.timeline.newest();
    if (newest && (!conversation.last || newest.seq >= conversation.last.seq)) conversation.last = newest;
  }

  #receipt(conversation, { user_id, delivered_seq = 0, read_seq = 0 }) {
    if (!conversation) return kApplied;
    const member = conversation.members.get(user_id);
    if (member) {
      member.read_seq = Math.max(member.read_seq, read_seq);
      member.delivered_seq = Math.max(member.delivered_seq, delivered_seq, read_seq);
    }
    if (user_id === this.me && read_seq > conversation.read_seq) {   // another device of ours
      conversation.read_seq = read_seq;
      if (read_seq >= (conversation.last?.seq ?? 0)) conversation.unread = 0;
    }
    this.changed();
    return kApplied;
  }

  #typing(conversation, { user_id, typing }) {
    if (!conversation || user_id === this.me) return kApplied;
    if (typing) conversation.typing.set(user_id, this.now() + kTypingMs);
    else conversation.typing.delete(user_id);
    this.changed();
    return kApplied;
  }

  typing_in(conversation) {
    const now = this.now();
    return [...conversation.typing].filter(([, until]) => until > now).map(([user]) => user);
  }

  #presence(users) {
    for (const { user_id, status, last_online } of users) this.presence.set(user_id, { status, last_online });
    this.changed();
    return kApplied;
  }

  // 'sent' | 'delivered' | 'seen': what has become of a message of ours. In a group the slowest member counts.
  mark_of(conversation, row) {
    let seen = 0, delivered = 0, others = 0;
    for (const [user, member] of conversation.members) {
      if (user === this.me) continue;
      others += 1;
      if (member.read_seq >= row.seq) seen += 1;
      if (Math.max(member.delivered_seq, member.read_seq) >= row.seq) delivered += 1;
    }
    if (others === 0) return row.seen_at ? 'seen' : row.delivered_at ? 'delivered' : 'sent';
    if (seen === others) return 'seen';
    return delivered === others ? 'delivered' : 'sent';
  }

  // ---- over a reload ----

  // Cursors and the rows they stand for, together: one without the other would be a gap.
  snapshot() {
    const conversations = this.sorted().slice(0, kSnapshotConversations).map((each) => ({
      ...each, members: [...each.members], typing: undefined, timeline: each.timeline.to_json(),
    }));
    return { me: this.me, names: [...this.names], conversations };
  }

  restore(snapshot) {
    if (snapshot?.me !== this.me) return;
    this.names = new Map(snapshot.names);
    for (const each of snapshot.conversations) {
      this.conversations.set(each.id, {
        ...each, members: new Map(each.members), typing: new Map(), timeline: Timeline.from_json(each.timeline),
      });
    }
    this.changed();
  }
}

export { kApplied, kGap };
