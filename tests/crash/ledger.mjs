// Everything the clients know: what they sent, what was acked, heard and read back. The checker's input.

import { key_of } from './checker.mjs';

export class Ledger {
  attempts = [];
  acks = [];
  heard = [];
  #attempt_of = new Map();
  #acked = new Set();
  #views = new Map();   // conversation -> member -> rows
  #first_seqs = {};
  #step = 0;

  sends(sender, client_id, conversation, command) {
    const key = key_of(sender, client_id);
    const attempt = { key, conversation, sender, client_id, content: command.content, command, step: ++this.#step };
    this.attempts.push(attempt);
    this.#attempt_of.set(key, attempt);
    return attempt;
  }

  is_acked(attempt) { return this.#acked.has(attempt.key); }

  ack(attempt, answer, round) {
    this.#acked.add(attempt.key);
    this.acks.push({ key: attempt.key, seq: answer.seq, message_id: answer.message_id, duplicate: answer.duplicate === true,
                     step: ++this.#step, round });
  }

  hears(member, connection, event) {
    this.heard.push({ member, connection, conversation: event.conversation_id, seq: event.seq, message_id: event.message_id, content: event.content });
  }

  unacked() { return this.attempts.filter((attempt) => !this.is_acked(attempt)); }
  acked() { return this.attempts.filter((attempt) => this.is_acked(attempt)); }

  // The last seq that a member has read, 0 for none.
  read_up_to(conversation, member) { return this.#views.get(conversation)?.get(member)?.at(-1)?.seq ?? 0; }

  // Rows as the server spelled them.
  read(conversation, member, messages, { from_start }) {
    const rows = messages.map((message) => ({ seq: message.seq, message_id: message.message_id, sender: message.sender_id,
                                              client_id: message.client_id, content: message.content, no: message.no,
                                              system: message.kind === 'system' }));
    const views = this.#views.get(conversation) ?? new Map();
    this.#views.set(conversation, views);
    views.set(member, from_start ? rows : [...(views.get(member) ?? []), ...rows]);
    this.#first_seqs[conversation] ??= rows[0]?.seq;
  }

  // Views that were not read in this round are behind: only those that are level are compared.
  history() {
    const stored = [];
    for (const [conversation, views] of this.#views) {
      const level = Math.max(...[...views.values()].map((rows) => rows.at(-1)?.seq ?? 0));
      for (const [member, rows] of views) {
        if ((rows.at(-1)?.seq ?? 0) === level || this.#fresh.has(`${conversation} ${member}`)) stored.push({ conversation, member, rows });
      }
    }
    return { attempts: this.attempts, acks: this.acks, heard: this.heard, stored, first_seqs: this.#first_seqs };
  }

  #fresh = new Set();
  begin_reading() { this.#fresh.clear(); }
  was_read(conversation, member) { this.#fresh.add(`${conversation} ${member}`); }

  totals() {
    let rows = 0;
    for (const views of this.#views.values()) for (const view of views.values()) rows += view.length;
    return { messages: this.attempts.length, acked: this.#acked.size, duplicates: this.acks.filter((ack) => ack.duplicate).length,
             heard: this.heard.length, rows };
  }
}
