// One conversation's log, as far as this page knows it. No network, no DOM: tests/browser/store.test.mjs runs it.
//
//            floor                cursor
//   . . . . . |====================|          every row in between is in `rows`, each exactly once
//   (history)                        (live events, sync)
//
// The server gives every durable event of a conversation a seq: 1, 2, 3 … without holes. So there is one rule:
// the event after `cursor` is applied, an older one is known already, a later one means that something is missing
// and must be fetched by `sync` before anything else is shown.

export const kApplied = 'applied';
export const kKnown = 'known';
export const kGap = 'gap';

// Rows kept by a snapshot; older ones are one request for history away.
const kSnapshotRows = 60;

export class Timeline {
  constructor(cursor = 0) {
    this.cursor = cursor;     // highest seq applied
    this.floor = cursor + 1;  // lowest seq known; 1: from the beginning
    this.rows = new Map();    // seq -> row
    this.early = [];          // changes to rows that a request for history may be bringing just now
    this.loading = false;
  }

  // `event` is a server event with a seq. Says kApplied, kKnown or kGap.
  apply(event) {
    if (event.seq <= this.cursor) return kKnown;
    if (event.seq > this.cursor + 1) return kGap;
    this.cursor = event.seq;
    const row = row_of(event);
    if (row) this.#put(row);
    else this.#change(event);
    return kApplied;
  }

  // A page of `sync`: rows that are new or have changed since the cursor, and where the cursor is now.
  apply_page(page) {
    for (const row of page.messages) {
      if (row.seq >= this.floor) this.#put(row);
      else if (this.loading) this.early.push(row);
    }
    this.cursor = Math.max(this.cursor, page.upto_seq ?? 0, ...page.messages.map(version_of));
  }

  // A page of `history` that was asked for with before_seq = floor.
  prepend(page) {
    this.loading = false;
    for (const row of page.messages) if (row.seq < this.floor) this.#put(row);
    if (page.messages.length > 0) this.floor = Math.min(this.floor, page.messages[0].seq);
    if (!page.has_more) this.floor = 1;
    const early = this.early.splice(0);
    for (const each of early) {
      if (each.type) this.#change(each);
      else if (each.seq >= this.floor) this.#put(each);
    }
  }

  get complete() { return this.floor <= 1; }

  sorted() { return [...this.rows.values()].sort((a, b) => a.seq - b.seq); }

  // Newest row that a person wrote, or null.
  newest() {
    let found = null;
    for (const row of this.rows.values()) {
      if (row.kind !== 'system' && (!found || row.seq > found.seq)) found = row;
    }
    return found;
  }

  to_json() {
    const rows = this.sorted();
    const kept = rows.slice(-kSnapshotRows);
    const floor = kept.length < rows.length ? kept[0].seq : this.floor;
    return { cursor: this.cursor, floor, rows: kept };
  }

  static from_json({ cursor, floor, rows }) {
    const timeline = new Timeline(cursor);
    timeline.floor = floor;
    for (const row of rows) timeline.rows.set(row.seq, row);
    return timeline;
  }

  // A page may be older than what a live event has said since: the higher version stays.
  #put(row) {
    const known = this.rows.get(row.seq);
    if (!known || version_of(row) >= version_of(known)) this.rows.set(row.seq, row);
  }

  #change(event) {
    const row = this.rows.get(event.message_seq);
    if (!row) {
      if (this.loading && event.message_seq < this.floor) this.early.push(event);
      return;
    }
    if (version_of(row) >= event.seq) return;
    const changed = { ...row, version: event.seq };
    switch (event.type) {
      case 'message.updated':
        changed.content = event.content;
        changed.edited_at = event.edited_at;
        break;
      case 'message.deleted':
        changed.deleted_at = event.deleted_at;
        delete changed.content;
        delete changed.attachments;
        delete changed.reactions;
        break;
      case 'reaction.updated':
        changed.reactions = with_reaction(row.reactions ?? {}, event);
        break;
      default:
        return;
    }
    this.rows.set(row.seq, changed);
  }
}

export function version_of(row) { return row.version ?? row.seq; }

function with_reaction(reactions, { emoji, user_id, added }) {
  const users = (reactions[emoji] ?? []).filter((user) => user !== user_id);
  if (added) users.push(user_id);
  const changed = { ...reactions, [emoji]: users };
  if (users.length === 0) delete changed[emoji];
  return changed;
}

// The row that an event makes, or null when it changes another one. Rows look as they do in pages of history.
function row_of(event) {
  switch (event.type) {
    case 'message.new': {
      const { type, conversation_id, id, ...row } = event;
      return row;
    }
    case 'member.added':
    case 'member.removed':
      return { seq: event.seq, kind: 'system', event: event.type, sender_id: event.by, user_id: event.user_id,
               role: event.role, sent_at: event.at };
    case 'conversation.updated':
      return { seq: event.seq, kind: 'system', event: event.user_id ? 'role.changed' : 'conversation.renamed',
               sender_id: event.by, user_id: event.user_id, role: event.role, content: event.name,
               sent_at: event.at };
    default:
      return null;
  }
}
