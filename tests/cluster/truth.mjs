// What a conversation is: its rows as they are stored, and what was told of each seq. Whoever tells something of a seq is compared with the store and
// with whoever told of it first. Pure: no clock, no network.
//
// A stored conversation: {last_seq, rows}; a row is spelled as in a history.page (docs/protocol.md), `version` always there. Rows hold how things
// stand: an edit that was edited again is in no row. Such events are known by what members heard of them, so all members must have heard the same.

const kFixed = ['message_id', 'sender_id', 'client_id', 'no', 'sent_at', 'reply_to', 'kind', 'event', 'user_id', 'role'];   // of a row, whatever its version
const kState = ['content', 'edited_at', 'deleted_at'];

export class Truth {
  #rows = new Map();        // seq -> row
  #told = new Map();        // seq -> {body, by} of the event as it was told first
  #touching = new Map();    // seq of a message -> highest seq of an event that is about it
  #subject = new Map();     // seq of an event -> seq of the message that it is about
  #joinings = new Map();    // user -> seqs of their member.added

  constructor({ last_seq, rows }) {
    this.last_seq = last_seq;
    for (const row of rows) {
      this.#rows.set(row.seq, row);
      if (row.event === 'member.added') this.#joinings.set(row.user_id, [...(this.#joinings.get(row.user_id) ?? []), row.seq]);
      if (row.kind === 'system') continue;
      this.#touch(row.seq, row.seq);
      this.#touch(row.version, row.seq);
    }
  }

  #touch(seq, message_seq) {
    this.#subject.set(seq, message_seq);
    this.#touching.set(message_seq, Math.max(this.#touching.get(message_seq) ?? 0, seq));
  }

  get rows() { return this.#rows.values(); }

  // Notes what is told of a seq, for all that is asked later; each once, before any of it is judged.
  knows(event) { if (event.message_seq !== undefined) this.#touch(event.seq, event.message_seq); }

  // The seq of the message that this event is about, undefined where it is about none.
  subject(seq) { return this.#subject.get(seq); }

  // A page shows a message once, by its latest change: the others need not be in it.
  is_superseded(seq) {
    const message_seq = this.#subject.get(seq);
    return message_seq !== undefined && this.#touching.get(message_seq) > seq;
  }

  is_known(seq) { return this.#rows.has(seq) || this.#subject.has(seq) || this.#told.has(seq); }

  // Seqs of which nothing is known at all.
  unknown() { return Array.from({ length: this.last_seq }, (_, i) => i + 1).filter((seq) => !this.is_known(seq)); }

  // The last joining of this user in from < seq <= upto, 0: none.
  joined(user, from, upto) { return Math.max(0, ...(this.#joinings.get(user) ?? []).filter((seq) => seq > from && seq <= upto)); }

  // An event as a client got it, live or as an answer, without its `id`. -> [fault, text] or undefined.
  compare_event(event, by) {
    const { seq } = event;
    if (seq > this.last_seq) return ['phantom', `told of seq ${seq}, stored is up to ${this.last_seq}`];
    const other = difference(this.#of_store(event), event);
    if (other) return [other.absent ? 'phantom' : 'differs', `seq ${seq} (${event.type}): ${other.text}`];
    if (event.type === 'message.sent') return undefined;   // its own kind of telling; the store was its measure
    const body = JSON.stringify(Object.entries(event).sort(([a], [b]) => (a < b ? -1 : 1)));
    const first = this.#told.get(seq);
    if (first === undefined) this.#told.set(seq, { body, by });
    else if (first.body !== body) return ['differs', `seq ${seq}: ${by} was told ${body.slice(0, 300)}, ${first.by} ${first.body.slice(0, 300)}`];
    return undefined;
  }

  // What the store says of it, under the names of the event; undefined where there is no such row.
  #of_store(event) {
    const row = this.#rows.get(event.message_seq ?? event.seq);
    if (row === undefined) return undefined;
    const is_system = row.kind === 'system';
    const of_row = { event: row.event, user_id: row.user_id, by: row.sender_id, at: row.sent_at };
    switch (event.type) {
      case 'message.sent': return is_system ? undefined : { message_id: row.message_id, sent_at: row.sent_at };
      case 'message.new': {
        if (is_system) return undefined;
        const { message_id, sender_id, client_id, no, sent_at, reply_to } = row;
        const is_as_sent = row.edited_at === undefined && row.deleted_at === undefined;
        return { message_id, sender_id, client_id, no, sent_at, reply_to, ...(is_as_sent ? { content: row.content } : {}) };
      }
      case 'message.updated': {
        const { message_id, sender_id, edited_at } = row;
        if (row.deleted_at !== undefined || (row.version !== event.seq && edited_at !== event.edited_at)) return { message_id, sender_id };
        return { message_id, sender_id, edited_at, content: row.content };
      }
      case 'message.deleted': return { message_id: row.message_id, deleted_at: row.deleted_at };
      case 'reaction.updated': return { message_id: row.message_id };
      case 'member.added': return { ...of_row, event: row.event === event.type ? undefined : row.event ?? 'a message', role: row.role };
      case 'member.removed': return { ...of_row, event: row.event === event.type ? undefined : row.event ?? 'a message' };
      case 'conversation.updated': {
        const is_rename = event.name !== undefined;
        return { ...of_row, event: row.event === (is_rename ? 'conversation.renamed' : 'role.changed') ? undefined : row.event ?? 'a message',
                 name: is_rename ? row.content : undefined, role: row.role };
      }
      default: return {};
    }
  }

  // A row of a page. Its state is compared where nothing has changed since.
  compare_row(row) {
    const stored = this.#rows.get(row.seq);
    if (stored === undefined) return ['phantom', `a page has seq ${row.seq}, which is not stored as a row`];
    if (row.version > stored.version) return ['phantom', `a page has seq ${row.seq} in version ${row.version}, stored is ${stored.version}`];
    const names = row.version === stored.version ? [...kFixed, ...kState] : kFixed;
    const other = difference(pick(stored, names), pick(row, names));
    if (other) return ['differs', `seq ${row.seq} of a page: ${other.text}`];
    if (row.version === stored.version && reactions_of(row) !== reactions_of(stored)) return ['differs', `seq ${row.seq} of a page has reactions ${reactions_of(row)}, stored is ${reactions_of(stored)}`];
    return undefined;
  }
}

const pick = (row, names) => Object.fromEntries(names.map((name) => [name, row.kind === 'system' && name === 'no' ? undefined : row[name]]));

// {emoji: [user]} in one spelling.
export const reactions_of = (row) => Object.entries(row.reactions ?? {}).flatMap(([emoji, users]) => users.map((user) => `${emoji} ${user}`)).sort().join();

// Of what is wanted; what is empty is not on the wire.
function difference(wanted, got) {
  if (wanted === undefined) return { absent: true, text: 'nothing of that kind is stored there' };
  for (const [name, value] of Object.entries(wanted)) {
    if ((got[name] || undefined) !== (value || undefined)) return { text: `${name} is ${JSON.stringify(got[name])}, stored is ${JSON.stringify(value)}` };
  }
  return undefined;
}
