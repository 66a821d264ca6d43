// The clients of tests/cluster/faults.py: people on all nodes who talk without end while nodes and services fail. Told what to do by lines of
// JSON on stdin, answers by lines of JSON on stdout.
//
//   first line: {nodes: [{name, url}], auth_key, seed, people, groups, pause_ms}   -> {said: 'flowing'}: everybody is acked and heard on every node
//   {do: 'count', from_ns, fresh_only}     recovery counts from then      -> {said: 'counting'}
//   {do: 'recover', wait_ms}               until everybody is served      -> {said: 'recovered', …milliseconds} or {said: 'stuck', why}
//   {do: 'gather'}                         everybody to the node it prefers          -> {said: 'gathered'}
//   {do: 'finish', wait_ms}                no more sends; until all is acked and told -> {said: 'read', conversations, behind}
//   {do: 'judge', stored}                  stored: conversation -> {last_seq, rows, marks} of the database   -> {said: 'verdict', faults, …counts}

import { randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline';

import { SignJWT } from '../e2e/packages.mjs';
import { call } from '../e2e/rest.mjs';
import { check, key_of } from '../crash/checker.mjs';
import { dice } from '../crash/dice.mjs';
import { Ledger } from '../crash/ledger.mjs';
import { Changes, check_changes } from './changes.mjs';
import { check_members, check_views } from './history.mjs';
import { check_marks } from './marks.mjs';
import { Member, now_ns, sleep } from './member.mjs';
import { Recovery } from './recovery.mjs';

const kLanes = 2;                // sends in flight per person
const kLargeEvery = 40;          // one message in so many is
const kLargeBytes = 16_000;      // large: more than fits into one reply buffer of Redis
const kReadMarkEvery = 25;       // one delivery in so many is answered by a read mark
const kMovers = 2;               // people who are added to groups, leave them and are removed, and say nothing
const kPausesPerChange = 4;      // between two changes of a person, in pauses between sends
const kRetriesOfAcked = 40;      // at the end, each on another node than before
const kPageRows = 200;
const kTokenSeconds = 3600;
const kLookMs = 5;

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const ms = (from_ns, to_ns) => Math.round((to_ns - from_ns) / 1e4) / 100;

class Talk {
  ledger = new Ledger();
  people = [];
  movers = [];
  conversations = [];        // {id, kind, members: [person]}: those who stay
  top = new Map();           // conversation -> highest seq that was acked
  is_talking = false;
  #keys = 0;
  #lanes = [];
  #random;
  due = [];                  // marks that must have been heard in the end (marks.mjs)
  views = [];                // {conversation, node, name, rows, members}: read back
  failed;                    // the first thing that must never happen

  constructor(config) {
    this.config = config;
    this.#random = dice(config.seed);
    this.recovery = new Recovery();
  }

  async begin() {
    const { nodes, people, auth_key } = this.config;
    const key = new TextEncoder().encode(auth_key);
    for (let i = 0; i < people + kMovers; ++i) {
      const id = randomUUID();
      const now_s = Math.floor(Date.now() / 1000);
      const token = await new SignJWT({ sub: id, name: `p${id.slice(0, 13)}`, iat: now_s, exp: now_s + kTokenSeconds }).setProtectedHeader({ alg: 'HS256' }).sign(key);
      (i < people ? this.people : this.movers).push(new Member({ id, token, nodes, home: i % nodes.length, random: this.#random,
                                    on_live: (member, event, connection) => this.#heard(member, event, connection),
                                    on_page: (member, event) => this.#paged(member, event) }));
    }
    await Promise.all(this.#all().map((person) => person.online()));
    await this.#found();
    this.changes = new Changes({ conversations: this.conversations, movable: this.movers, random: this.#random, pause_ms: kPausesPerChange * this.config.pause_ms,
                                 on_acked: (conversation, seq) => this.#reached(conversation, seq) });
    this.is_talking = true;
    for (const person of this.people) {
      for (let lane = 0; lane < kLanes; ++lane) this.#lanes.push(this.#lane(person));
      this.#lanes.push(this.changes.lane(person));
    }
    this.ended = Promise.all(this.#lanes);
    this.ended.catch((error) => { this.failed ??= error; });
  }

  #all() { return [...this.people, ...this.movers]; }

  // Groups of two thirds of all, and a direct conversation of each with the next, who lives on another node.
  async #found() {
    const { people } = this;
    const make = async (members, extra) => {
      const made = await members[0].insist({ type: 'conversation.create', client_id: randomUUID(), members: members.slice(1).map((member) => member.id), ...extra },
                                           'conversation.created');
      members[0].begin(made.conversation.id, made.conversation.last_seq);
      this.conversations.push({ id: made.conversation.id, kind: extra.kind, members });
    };
    for (let i = 0; i < this.config.groups; ++i) await make(people.filter((_, at) => i === 0 || (at + i) % 3 !== 0), { kind: 'group', name: `g${i}` });
    for (let i = 0; i + 1 < people.length; i += 2) await make([people[i], people[i + 1]], { kind: 'direct' });
    await this.#until(() => this.conversations.every(({ id, members }) => members.every((member) => member.cursors[id] !== undefined)), 'everybody knows the conversations', 10_000);
  }

  async #until(condition, what, wait_ms) {
    const late = now_ns() + wait_ms * 1e6;
    while (!condition()) {
      if (this.failed) throw this.failed;
      if (now_ns() > late) throw new Error(`not within ${wait_ms} ms: ${what}`);
      await sleep(kLookMs);
    }
  }

  // --- what is said

  async #lane(person) {
    const mine = this.conversations.filter((conversation) => conversation.members.includes(person));
    while (this.is_talking) {
      await this.#send(person, mine[Math.floor(this.#random() * mine.length)]);
      await sleep(this.config.pause_ms * (0.5 + this.#random()));
    }
  }

  async #send(person, conversation) {
    const client_id = `k${++this.#keys}`;
    const large = this.#keys % kLargeEvery === 0 ? 'x'.repeat(kLargeBytes) : 'é🦁 '.repeat(Math.floor(this.#random() * 20));
    const command = { type: 'message.send', conversation_id: conversation.id, client_id, content: `${client_id} ${large}`.trim() };
    const attempt = this.ledger.sends(person.id, client_id, conversation.id, command);
    Object.assign(attempt, { person, sent_ns: now_ns() });
    this.#acked(attempt, await person.insist(command, 'message.sent'));
    this.changes.sent(conversation.id, attempt.seq, person);
    return attempt.seq;
  }

  #acked(attempt, answer) {
    this.ledger.ack(attempt, answer, 0);
    attempt.seq = answer.seq;
    this.#reached(attempt.conversation, answer.seq);
    this.recovery.acked(attempt);
  }

  #reached(conversation, seq) { this.top.set(conversation, Math.max(this.top.get(conversation) ?? 0, seq)); }

  // --- what is heard

  #heard(member, event, connection) {
    if (event.type !== 'message.new') return;
    this.ledger.hears(member.id, `${member.id} ${connection}`, event);
    if (!this.movers.includes(member)) this.recovery.heard(member, event.sender_id, event.client_id);
    if (this.#random() * kReadMarkEvery < 1) member.say({ type: 'message.read', conversation_id: event.conversation_id, seq: event.seq });
  }

  #paged(member, event) {
    if (!this.movers.includes(member)) for (const row of event.messages) if (row.client_id) this.recovery.heard(member, row.sender_id, row.client_id);
  }

  // Each pair of nodes, both ways, has carried something.
  async flowing() {
    this.recovery.begin(now_ns(), new Map());
    await this.#until(() => this.recovery.is_over(this.people), 'everybody is acked and hears the other nodes', 15_000);
  }

  count(from_ns, fresh_only) {
    this.counts_from_ns = from_ns;
    this.recovery.begin(from_ns, new Map(this.top), { fresh_only });
    clearInterval(this.looking);   // the fault may last on while some are served already
    this.looking = setInterval(() => { if (this.recovery.is_over(this.people)) clearInterval(this.looking); }, kLookMs);
  }

  async recovered(wait_ms) {
    try {
      await this.#until(() => this.recovery.is_over(this.people), '', wait_ms);
    } catch (error) {
      if (this.failed) throw error;
      return { said: 'stuck', why: this.recovery.missing(this.people), errors: this.people.map((person) => String(person.last_error ?? '')).filter(Boolean).slice(0, 3) };
    }
    await Promise.all(this.people.map((person) => person.online()));   // one that was told to come back later may have been acked before it left
    const by_person = this.people.map((person) => person.reconnects.filter(({ from_ns }) => from_ns >= this.counts_from_ns));
    const back = by_person.flat();
    return { said: 'recovered', ...this.recovery.times(), reconnects_ms: back.map(({ from_ns, to_ns }) => ms(from_ns, to_ns)),
             reconnects_max: Math.max(...by_person.map((each) => each.length)), reconnect_codes: [...new Set(back.map(({ why }) => why))] };
  }

  async gather() {
    for (const person of this.people) await person.go_home();   // one after the other: some conversations always have hearers elsewhere
  }

  // --- the end

  #behind() {
    return this.conversations.flatMap(({ id, members }) => [...members, ...this.movers.filter((mover) => mover.cursors[id] !== undefined)]
      .filter((member) => (member.cursors[id] ?? 0) < (this.top.get(id) ?? 0))
      .map((member) => `${member.id} on ${member.node} knows ${id} up to ${member.cursors[id]}, acked is ${this.top.get(id)}`));
  }

  // Nobody says anything any more, and nobody asks: whoever lacks something must be told by itself.
  async finish(wait_ms) {
    this.is_talking = this.changes.is_changing = false;
    await Promise.race([this.ended, sleep(wait_ms).then(() => { throw new Error(`${this.ledger.unacked().length} sends were never acked within ${wait_ms} ms`); })]);
    await this.#level(wait_ms);
    const behind = this.#behind();
    await this.#mark_all(wait_ms);
    await this.#retry_some();
    await this.#read_back();
    return { said: 'read', conversations: this.conversations.map(({ id }) => id), behind };
  }

  async #level(wait_ms) {
    try { await this.#until(() => this.#behind().length === 0, '', wait_ms); } catch (error) { if (this.failed) throw error; }
  }

  // A last message to each conversation, and the marks of all but its sender, every other of which says that it was delivered, not read. Nobody leaves
  // meanwhile, so everybody must hear of every mark.
  async #mark_all(wait_ms) {
    const stays = new Map(this.people.map((person) => [person, person.connections]));
    await Promise.all(this.conversations.map(async (conversation) => {
      const [sender, ...others] = conversation.members;
      const seq = await this.#send(sender, conversation);
      await this.#level(wait_ms);
      await Promise.all(others.map(async (person, i) => {
        const kind = i % 2 === 0 ? 'read' : 'delivered';
        await person.insist({ type: `message.${kind}`, conversation_id: conversation.id, seq }, 'receipt.update');
        for (const member of conversation.members) if (member !== person) this.due.push({ member, conversation: conversation.id, user_id: person.id, kind, seq });
      }));
    }));
    const heard = (each) => each.member.log.some(({ what, conversation, event }) => what === 'mark' && conversation === each.conversation &&
      event.user_id === each.user_id && Math.max(event.read_seq ?? 0, each.kind === 'delivered' ? event.delivered_seq ?? 0 : 0) >= each.seq);
    let open = this.due;
    try { await this.#until(() => (open = open.filter((each) => !heard(each))).length === 0, '', wait_ms); } catch (error) { if (this.failed) throw error; }
    this.due = this.due.filter(({ member }) => member.connections === stays.get(member));   // a sync does not bring marks level
  }

  // A retry on another node finds what was stored.
  async #retry_some() {
    const acked = this.ledger.acked();
    for (let i = 0; i < Math.min(kRetriesOfAcked, acked.length); ++i) {
      const attempt = acked[Math.floor(this.#random() * acked.length)];
      const other = this.config.nodes[(attempt.person.at + 1) % this.config.nodes.length];
      const { status, body, text } = await call(other.url, 'POST', `/api/v1/conversations/${attempt.conversation}/messages`,
                                                { token: attempt.person.token, body: { client_id: attempt.client_id, content: attempt.content } });
      if (status !== 200 && status !== 201) throw new Error(`a retry on ${other.name} was answered by ${status} ${text}`);
      this.ledger.ack(attempt, body, 1);
      attempt.person.log.push({ what: 'answer', conversation: attempt.conversation, event: { ...body, type: 'message.sent' } });
    }
  }

  // Over REST, each conversation on every node, by a member in turn.
  async #read_back() {
    for (const { id, members } of this.conversations) {
      for (let i = 0; i < this.config.nodes.length; ++i) {
        const node = this.config.nodes[i];
        const reader = members[i % members.length];
        const rows = [];
        for (let after_seq = 0; ;) {
          const { status, body, text } = await call(node.url, 'GET', `/api/v1/conversations/${id}/messages?after_seq=${after_seq}&limit=${kPageRows}`, { token: reader.token });
          if (status !== 200) throw new Error(`history of ${id} on ${node.name}: ${status} ${text}`);
          rows.push(...body.messages);
          if (!body.has_more) break;
          after_seq = body.messages.at(-1).seq;
        }
        const { status, body, text } = await call(node.url, 'GET', `/api/v1/conversations/${id}`, { token: reader.token });
        if (status !== 200) throw new Error(`${id} on ${node.name}: ${status} ${text}`);
        this.views.push({ conversation: id, node: node.name, name: `${reader.id} at ${node.name}`, rows, members: body.members ?? body.conversation.members });
      }
    }
  }

  judge(stored) {
    const told_of = new Map(Object.entries(stored));
    for (const [id, { rows }] of told_of) this.views.push({ conversation: id, name: 'PostgreSQL', rows });
    for (const { conversation, name, rows } of this.views) {
      this.ledger.read(conversation, name, this.#as_sent(rows, stored[conversation]), { from_start: true });
      this.ledger.was_read(conversation, name);
    }
    const told = check_members(this.#all().map((person) => ({ member: `${person.id} (${person.node})`, id: person.id, log: person.log })), told_of, this.changes.uncertain);
    const marks = check_marks({ due: this.due.map((each) => ({ ...each, member: each.member.id })), views: this.views.filter(({ members }) => members),
                                heard: this.#all().flatMap(({ id, log }) => log.filter(({ what }) => what === 'mark').map(({ conversation, event }) => ({ member: id, conversation, ...event }))),
                                stored: Object.fromEntries([...told_of].map(([id, { marks: of_members }]) => [id, of_members])) });
    const totals = this.ledger.totals();
    const lives = this.people.map((person) => person.log.filter((entry) => entry.what === 'live').length);
    return { said: 'verdict', faults: [...check(this.ledger.history()), ...told.faults, ...check_views(this.views, told_of), ...check_changes(this.changes.acked, told_of), ...marks], early: told.early,
             messages: totals.messages, acked: totals.acked, changes: this.changes.acked.length, marks: this.due.length, duplicates: totals.duplicates, deliveries: lives.reduce((a, b) => a + b, 0),
             rows: [...told_of.values()].reduce((sum, { rows }) => sum + rows.length, 0),
             reconnects: this.people.flatMap((person) => person.reconnects.map(({ from_ns, to_ns, why, node }) => ({ ms: ms(from_ns, to_ns), why, node }))) };
  }

  // For the checker of messages: what was edited or deleted reads as it was sent, and seqs of changes that left no row are system rows.
  #as_sent(rows, { last_seq, rows: stored }) {
    const sent = new Map(this.ledger.attempts.map((attempt) => [attempt.key, attempt.content]));
    const has_row = new Set(stored.map(({ seq }) => seq));
    const others = Array.from({ length: last_seq }, (_, i) => i + 1).filter((seq) => !has_row.has(seq)).map((seq) => ({ seq, kind: 'system' }));
    const as_sent = rows.map((row) => (row.edited_at || row.deleted_at ? { ...row, content: sent.get(key_of(row.sender_id, row.client_id)) } : row));
    return [...as_sent, ...others].sort((a, b) => a.seq - b.seq);
  }

  leave() { for (const person of this.#all()) person.leave(); }
}

async function main() {
  let talk;
  for await (const line of createInterface({ input: process.stdin })) {
    const order = JSON.parse(line);
    if (talk === undefined) {
      talk = new Talk(order);
      await talk.begin();
      await talk.flowing();
      say({ said: 'flowing' });
    } else if (order.do === 'count') {
      talk.count(order.from_ns, order.fresh_only);
      say({ said: 'counting' });
    } else if (order.do === 'recover') {
      say(await talk.recovered(order.wait_ms));
    } else if (order.do === 'gather') {
      await talk.gather();
      say({ said: 'gathered' });
    } else if (order.do === 'finish') {
      say(await talk.finish(order.wait_ms));
    } else if (order.do === 'judge') {
      say(talk.judge(order.stored));
      talk.leave();
      break;
    }
  }
}

// A verdict can be longer than a pipe takes at once.
const end = (status) => process.stdout.write('', () => process.exit(status));

main().then(() => end(0), (error) => {
  say({ said: 'failed', why: error.stack });
  end(1);
});
