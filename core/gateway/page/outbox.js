// Messages that were written here and are not stored by the server yet. Each has a client_id, under which the server
// stores it once however often it is sent: so it is simply sent again after every reconnect until the answer comes.
// One at a time per conversation, so that what was typed first is stored first.

const kRetryCodes = new Set(['overloaded', 'unavailable', 'rate_limited', 'internal', 'draining', 'connection_lost']);
const kEntriesMax = 200;

export class Outbox {
  // `send(command)`: a promise of message.sent, rejected with {code, message, retry_after_ms}.
  // `stored(entry, sent)`: called once per message, when it has its seq.
  constructor({ send, stored = () => {}, changed = () => {}, later = (ms, go) => setTimeout(go, ms), entries = [] }) {
    this.send = send;
    this.stored = stored;
    this.changed = changed;
    this.later = later;
    this.entries = entries.map((entry) => ({ ...entry, in_flight: false }));
    this.open = false;
    this.turn = 0;   // counts connections: an answer to an earlier one changes nothing
  }

  // False: too much is waiting already.
  add({ conversation_id, content, reply_to, at }) {
    if (this.entries.length >= kEntriesMax) return false;
    this.entries.push({ client_id: fresh_client_id(), conversation_id, content, reply_to, at, error: null });
    this.changed();
    this.flush();
    return true;
  }

  waiting_in(conversation_id) { return this.entries.filter((entry) => entry.conversation_id === conversation_id); }

  connected() {
    this.open = true;
    this.turn += 1;
    for (const entry of this.entries) entry.in_flight = false;
    this.flush();
  }

  disconnected() { this.open = false; }

  retry(client_id) {
    const entry = this.#find(client_id);
    if (entry) entry.error = null;
    this.changed();
    this.flush();
  }

  discard(client_id) {
    this.entries = this.entries.filter((entry) => entry.client_id !== client_id);
    this.changed();
    this.flush();
  }

  // A message of ours has appeared in the log, by whichever way.
  seen_in_log(client_id) {
    if (client_id && this.#find(client_id)) this.discard(client_id);
  }

  flush() {
    if (!this.open) return;
    const busy = new Set();
    for (const entry of this.entries) {
      if (entry.error || busy.has(entry.conversation_id)) continue;
      busy.add(entry.conversation_id);
      if (!entry.in_flight) this.#send(entry);
    }
  }

  async #send(entry) {
    const turn = this.turn;
    entry.in_flight = true;
    try {
      const { conversation_id, client_id, content, reply_to } = entry;
      const sent = await this.send({ type: 'message.send', conversation_id, client_id, content,
                                     ...(reply_to ? { reply_to } : {}) });
      if (!this.#find(entry.client_id)) return;
      this.stored(entry, sent);
      this.discard(entry.client_id);
    } catch (error) {
      if (turn !== this.turn || error.code === 'connection_lost') return;   // connected() sends it again
      if (kRetryCodes.has(error.code)) {
        this.later(error.retry_after_ms ?? 1000, () => {
          if (turn === this.turn) entry.in_flight = false;
          this.flush();
        });
        return;
      }
      entry.in_flight = false;
      entry.error = error.message;
      this.changed();
      this.flush();
    }
  }

  #find(client_id) { return this.entries.find((entry) => entry.client_id === client_id); }

  to_json() { return this.entries.map(({ in_flight, ...entry }) => entry); }
}

export function fresh_client_id() {   // crypto.randomUUID() is not there without TLS
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
