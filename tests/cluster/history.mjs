// What each member was told, compared with what is stored: each seq once, in order, none missing, and the same for all (truth.mjs); and what their client
// shows in the end is what is stored. Pure: no clock, no network.
//
// A member's log, in the order in which things happened (member.mjs writes it):
//   {what: 'joined', conversation, last_seq}                       its first cursor, also when it comes again after it has left
//   {what: 'left', conversation, why}                              it was told so: by member.removed, or by a sync that is refused (why: 'refused')
//   {what: 'connected', connection, cursors}                       a connection, and the cursors it will sync with
//   {what: 'live', connection, conversation, seq, event, since_ms, bytes}   an event with a seq, so long after session.ready
//   {what: 'answer', conversation, event}                          of a command of its own, without the `id`
//   {what: 'page', connection, conversation, upto, rows}           of a sync, or unasked
//   {what: 'synced', connection}                                   sync.done
// stored: conversation -> {last_seq, rows} (truth.mjs).
//
// Between session.ready and the pages of a conversation live events are held (docs/protocol.md, "Resume"), unless the hold runs out or over.

import { Truth, reactions_of } from './truth.mjs';

export const kMemberFaults = ['hole', 'repeated', 'differs', 'phantom', 'behind', 'stale', 'early', 'refused', 'leak'];

// Below these the hold of the server (10 s, 512 frames, 256 KiB) cannot have ended: what comes nevertheless was not held.
const kHeldMs = 9_000;
const kHeldEvents = 400;
const kHeldBytes = 200_000;

// members: [{member, id, log}]. uncertain: conversation -> how many changes were said more than once, each of which may have been stored twice.
// -> {faults: [{fault, text}], early: live events that came before the pages of their conversation, and were not next}
export function check_members(members, stored, uncertain = new Map()) {
  const faults = [];
  let early = 0;
  const truths = new Map([...stored].map(([conversation, each]) => [conversation, new Truth(each)]));
  for (const { log } of members) for (const { what, conversation, event } of log) if (what === 'live' || what === 'answer') truths.get(conversation)?.knows(event);
  for (const { member, id, log } of members) {
    const reader = new Reader(id, member, truths, (fault, text) => faults.push({ fault, text: `${member}: ${text}` }));
    for (const entry of log) reader[entry.what]?.(entry);
    reader.ends();
    early += reader.early;
  }
  for (const [conversation, truth] of truths) {
    const unknown = truth.unknown();
    if (unknown.length > (uncertain.get(conversation) ?? 0)) faults.push({ fault: 'hole', text: `${conversation}: nobody knows seqs ${unknown.slice(0, 10).join(', ')}` });
  }
  return { faults, early };
}

// views: [{conversation, name, rows}]: all of a conversation as somebody reads it back.
export function check_views(views, stored) {
  const faults = [];
  for (const { conversation, name, rows } of views) {
    const truth = new Truth(stored.get(conversation));
    for (const row of rows) {
      const found = truth.compare_row({ ...row, version: row.version ?? row.seq });
      if (found) faults.push({ fault: found[0], text: `${conversation} as ${name} reads it: ${found[1]}` });
    }
  }
  return faults;
}

class Reader {
  early = 0;
  #cursors = new Map();   // conversation -> last seq applied
  #begins = new Map();    // conversation -> cursor at its last joining
  #shown = new Map();     // conversation -> seq -> row, as a client would show it
  #synced = new Set();
  #paged = new Set();     // "connection conversation"
  #unheld = new Map();    // connection -> {events, bytes, since_ms, text}

  constructor(id, member, truths, fault) { Object.assign(this, { id, member, truths, fault }); }

  #judge(conversation, found) { if (found) this.fault(found[0], `${conversation}: ${found[1]}`); }

  joined({ conversation, last_seq }) {
    this.#cursors.set(conversation, last_seq);
    this.#begins.set(conversation, last_seq);
    this.#shown.set(conversation, new Map());
  }

  left({ conversation, why }) {
    this.#cursors.delete(conversation);
    const was_removed = [...(this.truths.get(conversation)?.rows ?? [])].some((row) => row.event === 'member.removed' && row.user_id === this.id);
    if (why === 'refused' && !was_removed) this.fault('refused', `a sync of ${conversation} was refused, and nobody has removed them`);
  }

  synced({ connection }) { this.#synced.add(connection); }

  answer({ conversation, event }) { this.#judge(conversation, this.truths.get(conversation)?.compare_event(event, this.member)); }

  live({ connection, conversation, seq, event, since_ms = Infinity, bytes = 0 }) {
    const truth = this.truths.get(conversation);
    if (truth === undefined) return this.fault('phantom', `heard seq ${seq} of ${conversation}, which is not stored`);
    this.#judge(conversation, truth.compare_event(event, this.member));
    const cursor = this.#cursors.get(conversation);
    const where = `${conversation} on connection ${connection}`;
    if (cursor === undefined) return undefined;   // somebody put them back while they were away: they learn of it by conversation.list
    if (seq === cursor + 1) {
      this.#apply(conversation, event);
    } else if (!this.#synced.has(connection) && !this.#paged.has(`${connection} ${conversation}`)) {
      ++this.early;
      const unheld = this.#unheld.get(connection) ?? { events: 0, bytes: 0, since_ms, text: `seq ${seq} of ${where} came after ${cursor}, before any page` };
      this.#unheld.set(connection, { ...unheld, events: unheld.events + 1, bytes: unheld.bytes + bytes });
    } else if (seq <= cursor) {
      this.fault('repeated', `seq ${seq} of ${where} came after ${cursor}`);
    } else {
      this.fault('hole', `seq ${seq} of ${where} came after ${cursor}`);
      this.#apply(conversation, event);   // each hole is told once
    }
    return undefined;
  }

  #apply(conversation, event) {
    this.#cursors.set(conversation, event.seq);
    const shown = this.#shown.get(conversation);
    if (event.type === 'message.new') {
      shown.set(event.seq, { ...event, reactions: {} });
      return;
    }
    const row = shown.get(event.message_seq);
    if (row === undefined) return;   // of before they came
    if (event.type === 'message.updated') Object.assign(row, { content: event.content, edited_at: event.edited_at });
    else if (event.type === 'message.deleted') Object.assign(row, { content: undefined, deleted_at: event.deleted_at, reactions: {} });
    else if (event.type === 'reaction.updated') {
      const others = (row.reactions[event.emoji] ?? []).filter((user) => user !== event.user_id);
      row.reactions[event.emoji] = event.added ? [...others, event.user_id] : others;
    }
  }

  page({ connection, conversation, upto, rows }) {
    const truth = this.truths.get(conversation);
    const where = `${conversation} on connection ${connection}`;
    const cursor = this.#cursors.get(conversation);
    if (truth === undefined) return this.fault('phantom', `a page of ${conversation}, which is not stored`);
    if (cursor === undefined) return undefined;
    const joined = truth.joined(this.id, cursor, upto);   // they hear nothing from between a removal and a joining
    if (joined > 0) this.#begins.set(conversation, joined);
    const begin = this.#begins.get(conversation);   // changes of older messages are heard live, and in no page
    const is_missing = (seq) => seq >= joined && truth.is_known(seq) && !truth.is_superseded(seq) && !(truth.subject(seq) <= begin);
    let last = cursor;
    const passes = (upto_seq, text) => {
      for (let seq = last + 1; seq <= upto_seq; ++seq) if (is_missing(seq)) return this.fault('hole', `${text}; ${seq} is missing`);
      return undefined;
    };
    for (const row of rows) {
      this.#judge(conversation, truth.compare_row(row));
      if (row.seq <= begin && row.version > begin) this.fault('leak', `a page of ${where} has ${row.seq}, said before they came at ${begin}`);
      if (row.version <= last) this.fault('repeated', `a page of ${where} has ${row.version} after ${last}`);
      else passes(row.version - 1, `a page of ${where} has ${row.version} after ${last}`);
      last = Math.max(last, row.version);
      this.#shown.get(conversation).set(row.seq, { ...row, reactions: structuredClone(row.reactions ?? {}) });
    }
    passes(upto, `a page of ${where} ends at ${upto}, its last row is ${last}`);
    this.#cursors.set(conversation, Math.max(upto, last));
    this.#paged.add(`${connection} ${conversation}`);
    return undefined;
  }

  ends() {
    for (const { events, bytes, since_ms, text } of this.#unheld.values()) {
      if (since_ms < kHeldMs && events < kHeldEvents && bytes < kHeldBytes) this.fault('early', `${text}, ${Math.round(since_ms)} ms after session.ready (${events} such events)`);
    }
    for (const [conversation, cursor] of this.#cursors) {
      const truth = this.truths.get(conversation);
      const last = truth?.last_seq ?? 0;
      if (cursor < last) this.fault('behind', `was told ${conversation} up to ${cursor}, stored is ${last}`);
      else this.#compare_shown(conversation, truth);
    }
  }

  #compare_shown(conversation, truth) {
    const shows = ({ content, deleted_at, edited_at, ...row }) => JSON.stringify([content || null, edited_at ?? null, deleted_at ?? null, reactions_of(row)]);
    for (const row of truth?.rows ?? []) {
      if (row.kind === 'system' || row.seq <= this.#begins.get(conversation)) continue;
      const shown = this.#shown.get(conversation).get(row.seq);
      if (shown === undefined) this.fault('stale', `never shown seq ${row.seq} of ${conversation}`);
      else if (shows(shown) !== shows(row)) this.fault('stale', `seq ${row.seq} of ${conversation} shows ${shows(shown).slice(0, 300)}, stored is ${shows(row).slice(0, 300)}`);
    }
  }
}
