// Six people in four groups and three direct conversations, who talk as fast as they are answered.

import { randomUUID } from 'node:crypto';

import { call } from '../e2e/rest.mjs';

const kPeople = 6;
const kGroups = 4;
const kWindow = 12;              // sends in flight per person
const kRetriesOfAcked = 40;      // per round, besides everything unacked
const kFlowing = 30;             // acks of a round before the clock of the kill starts
const kPageRows = 200;

export class World {
  people = Array.from({ length: kPeople }, () => ({ id: randomUUID() }));
  conversations = [];   // {id, members: [person], other_of?: for direct ones}
  kills_under_load = 0;
  #in_flight = new Set();
  #keys = 0;

  constructor(ledger, random) {
    this.ledger = ledger;
    this.random = random;
  }

  #pick(list) { return list[Math.floor(this.random() * list.length)]; }

  async enter(server, round) {
    this.server = server;
    this.round = round;
    for (const person of this.people) {
      person.token = await server.token({ sub: person.id, name: `p${person.id.slice(0, 8)}` });
      person.client = await server.connect({ token: person.token });
      const connection = `${round} ${person.id}`;
      person.client.on_event = (event) => { if (event.type === 'message.new') this.ledger.hears(person.id, connection, event); };
    }
    if (this.conversations.length === 0) await this.#found();
  }

  async leave() { for (const person of this.people) await person.client.close(); }

  async #found() {
    const { people } = this;
    for (let i = 0; i < kGroups; ++i) {
      const members = people.filter((_, at) => i === 0 || (at + i) % 3 !== 0);
      const made = await members[0].client.get({ type: 'conversation.create', kind: 'group', name: `g${i}`, client_id: `g${i}`,
                                                 members: members.slice(1).map((member) => member.id) }, 'conversation.created');
      this.conversations.push({ id: made.conversation.id, members });
    }
    for (let i = 0; i < kPeople; i += 2) {
      const members = [people[i], people[i + 1]];
      const made = await members[0].client.get({ type: 'conversation.create', kind: 'direct', members: [members[1].id] }, 'conversation.created');
      this.conversations.push({ id: made.conversation.id, members, is_direct: true });
    }
  }

  // Reads history as members see it. Not whole: two members each, from where they stood.
  async read_back({ whole, all_members }) {
    this.ledger.begin_reading();
    await Promise.all(this.conversations.map(async (conversation) => {
      const readers = all_members ? conversation.members : [conversation.members[0], conversation.members.at(-1)];
      for (const member of readers) {
        let after_seq = whole ? 0 : this.ledger.read_up_to(conversation.id, member.id);
        let from_start = after_seq === 0;
        for (;;) {
          const page = await member.client.get({ type: 'history', conversation_id: conversation.id, after_seq, limit: kPageRows }, 'history.page');
          this.ledger.read(conversation.id, member.id, page.messages, { from_start });
          this.ledger.was_read(conversation.id, member.id);
          from_start = false;
          if (!page.has_more) break;
          after_seq = page.messages.at(-1).seq;
        }
      }
    }));
  }

  // Everything that was never acked is sent again, and some of what was: an answer is all a client wants.
  async retry() {
    const unacked = this.ledger.unacked();
    const acked = this.ledger.acked();
    const again = [...unacked, ...Array.from({ length: Math.min(kRetriesOfAcked, acked.length) }, () => this.#pick(acked))];
    let stored = 0;
    for (let i = 0; i < again.length; i += 100) {
      await Promise.all(again.slice(i, i + 100).map(async (attempt) => {
        const was_acked = this.ledger.is_acked(attempt);
        const answer = await this.#person(attempt.sender).client.get(attempt.command, 'message.sent');
        if (!was_acked && answer.duplicate) ++stored;
        this.ledger.ack(attempt, answer, this.round);
      }));
    }
    return { unacked: unacked.length, stored };
  }

  #person(id) { return this.people.find((person) => person.id === id); }

  in_flight() { return this.#in_flight.size; }

  // Talks until the server is gone. flowing: acks come; ended: nobody waits any more.
  talk() {
    let acks = 0;
    let tell_flowing;
    const flowing = new Promise((resolve) => { tell_flowing = resolve; });
    this.#in_flight.clear();
    const acked = () => { if (++acks === kFlowing) tell_flowing(); };
    const lanes = [];
    for (const person of this.people) {
      for (let lane = 0; lane < kWindow; ++lane) lanes.push(this.#lane(person, lane === 0, acked));
    }
    const ended = Promise.all(lanes).then(() => {
      tell_flowing();
      if (this.#in_flight.size > 0) ++this.kills_under_load;
    });
    ended.catch(() => {});   // who awaits it hears of it
    return { flowing, ended };
  }

  async #lane(person, by_rest, acked) {
    const mine = this.conversations.filter((conversation) => conversation.members.includes(person));
    for (;;) {
      const conversation = this.#pick(mine);
      const client_id = `${this.round}-${++this.#keys}`;
      const content = `${client_id} ${'é🦁 '.repeat(Math.floor(this.random() ** 6 * 1200))}`.trim();
      const other = conversation.is_direct && this.random() < 0.5 ? conversation.members.find((member) => member !== person) : undefined;
      const where = other ? { to: other.id } : { conversation_id: conversation.id };
      const command = { type: 'message.send', ...where, client_id, content };
      const attempt = this.ledger.sends(person.id, client_id, conversation.id, command);
      this.#in_flight.add(attempt);
      let answer;
      try {
        answer = by_rest ? await this.#send_by_rest(person, command) : await person.client.ask(command);
      } catch {
        return;   // the connection broke: nobody knows, so it stays in flight
      }
      if (answer.type !== 'message.sent') throw new Error(`a send was answered by ${JSON.stringify(answer)}`);
      this.#in_flight.delete(attempt);
      this.ledger.ack(attempt, answer, this.round);
      acked();
    }
  }

  async #send_by_rest(person, command) {
    const path = command.to ? '/api/v1/messages' : `/api/v1/conversations/${command.conversation_id}/messages`;
    const { status, body, text } = await call(this.server.url, 'POST', path, { token: person.token, body: command });
    return status === 201 || status === 200 ? { type: 'message.sent', ...body } : { type: 'error', status, text };
  }

  // The other way to read: a sync from nothing brings the same messages as the history.
  async compare_sync() {
    for (const person of this.people) {
      const mine = this.conversations.filter((conversation) => conversation.members.includes(person));
      const { pages, done } = await person.client.sync(Object.fromEntries(mine.map((conversation) => [conversation.id, 0])));
      for (const conversation of mine) {
        const messages = pages.filter((page) => page.conversation_id === conversation.id).flatMap((page) => page.messages);
        this.ledger.read(conversation.id, `${person.id} by sync`, messages, { from_start: true });
        this.ledger.was_read(conversation.id, `${person.id} by sync`);
        if (done.cursors[conversation.id] !== messages.at(-1)?.seq) throw new Error(`sync ended at ${done.cursors[conversation.id]}, its last message is ${messages.at(-1)?.seq}`);
      }
    }
  }
}
