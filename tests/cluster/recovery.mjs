// How long it takes after a fault until everybody talks and hears again. Times are nanoseconds of CLOCK_MONOTONIC.
//
//   ack      a message of this person was acked, whenever it was sent; where a fault counts from its beginning, one that was sent since
//   cross    this person heard a message that was first sent after the fault by somebody who is on another node
//   level    this person knows all that had been acked when the fault was over

import { now_ns } from './member.mjs';

export class Recovery {
  #from_ns = Infinity;
  #acked = new Map();    // person -> ns
  #crossed = new Map();
  #level = new Map();
  #fresh = new Map();    // "sender client_id" -> node, of what was sent since and is acked
  #waiting = [];         // heard before its ack: the two race
  #tops = new Map();
  #fresh_only = false;

  // tops: conversation -> highest seq acked so far.
  begin(from_ns, tops, { fresh_only = false } = {}) {
    this.#from_ns = from_ns;
    this.#fresh_only = fresh_only;
    this.#tops = tops;
    for (const map of [this.#acked, this.#crossed, this.#level]) map.clear();
    this.#waiting = [];
    this.#fresh.clear();
  }

  acked(attempt) {
    const now = now_ns();
    if (now < this.#from_ns) return;
    const is_fresh = attempt.sent_ns >= this.#from_ns;
    if ((is_fresh || !this.#fresh_only) && !this.#acked.has(attempt.person)) this.#acked.set(attempt.person, now);
    if (is_fresh) this.#fresh.set(`${attempt.person.id} ${attempt.client_id}`, attempt.person.node);
  }

  heard(member, sender_id, client_id) {
    if (this.#from_ns === Infinity || this.#crossed.has(member) || sender_id === member.id) return;
    this.#waiting.push({ member, node: member.node, key: `${sender_id} ${client_id}`, at_ns: now_ns() });
  }

  is_over(people) {
    this.#waiting = this.#waiting.filter(({ member, node, key, at_ns }) => {
      const from = this.#fresh.get(key);
      if (from !== undefined && from !== node && !this.#crossed.has(member)) this.#crossed.set(member, at_ns);
      return from === undefined && !this.#crossed.has(member);
    });
    const now = now_ns();
    for (const person of people) {
      if (this.#level.has(person)) continue;
      const lacks = Object.entries(person.cursors).some(([id, seq]) => seq < (this.#tops.get(id) ?? 0));
      if (!lacks) this.#level.set(person, now);
    }
    const nodes = new Set(people.map((person) => person.node));
    const wants_cross = nodes.size > 1;
    return [this.#acked, this.#level, ...(wants_cross ? [this.#crossed] : [])].every((map) => map.size === people.length);
  }

  // Milliseconds from the fault's end: the first person, and the last.
  times() {
    const span = (map) => {
      const all = [...map.values()].map((ns) => Math.max(0, (ns - this.#from_ns) / 1e6));
      return { first: round(Math.min(...all)), last: round(Math.max(...all)) };
    };
    return { ack: span(this.#acked), cross: this.#crossed.size > 0 ? span(this.#crossed) : undefined, level: span(this.#level) };
  }

  missing(people) {
    const lacking = (map, what) => people.filter((person) => !map.has(person)).map((person) => `${person.id} on ${person.node}: no ${what}`);
    return [...lacking(this.#acked, 'ack'), ...lacking(this.#crossed, 'delivery from another node'), ...lacking(this.#level, 'end of what it missed')];
  }
}

const round = (ms) => Math.round(ms * 10) / 10;
