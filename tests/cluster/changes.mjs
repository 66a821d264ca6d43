// What is said beside messages: edits, deletions, reactions, names, comings and goings. They take seqs as messages do, so the order holds for all of them.
//
// Each person says one change at a time and insists on it, edits their own messages only and reacts for themselves: the last that was acked about a
// message, or a message and an emoji, is what must be stored.

import { sleep } from './member.mjs';

export const kChangeFaults = ['change_lost', 'change_differs'];

const kEmojis = ['👍', '🦁', '+1'];
const kMisses = ['conflict', 'not_found', 'not_member'];   // what somebody else changed meanwhile
const kRecentMax = 30;                                     // messages that a conversation offers to be changed

export class Changes {
  acked = [];                  // {kind, conversation, person id, seq (undefined: nothing changed), …what is wanted}
  uncertain = new Map();       // conversation -> how many may be stored twice
  is_changing = true;
  #recent = new Map();         // conversation -> [{seq, person}]
  #names = 0;

  // conversations: [{id, members, kind}]; movable: the members who come and go, of groups only. on_acked(conversation, seq).
  constructor({ conversations, movable, random, pause_ms, on_acked }) {
    Object.assign(this, { conversations, movable, random, pause_ms, on_acked });
  }

  sent(conversation, seq, person) {
    const recent = this.#recent.get(conversation) ?? [];
    recent.push({ seq, person, is_deleted: false });
    if (recent.length > kRecentMax) recent.shift();
    this.#recent.set(conversation, recent);
  }

  #one_of(list) { return list[Math.floor(this.random() * list.length)]; }

  async lane(person) {
    const mine = this.conversations.filter(({ members }) => members.includes(person));
    while (this.is_changing) {
      await this.#change(person, this.#one_of(mine));
      await sleep(this.pause_ms * (0.5 + this.random()));
    }
  }

  #change(person, conversation) {
    const recent = this.#recent.get(conversation.id) ?? [];
    const own = recent.filter((message) => message.person === person && !message.is_deleted);
    const dice = this.random();
    if (dice < 0.35 && own.length > 0) return this.#edit(person, conversation, this.#one_of(own));
    if (dice < 0.42 && own.length > 0) return this.#delete(person, conversation, this.#one_of(own));
    if (conversation.kind === 'group' && conversation.members[0] === person) {
      if (dice < 0.55) return this.#rename(person, conversation);
      if (dice < 0.85) return this.#move(person, conversation, this.#one_of(this.movable));
    }
    return recent.length > 0 ? this.#react(person, conversation, this.#one_of(recent)) : undefined;
  }

  // -> the answer, undefined when it was refused because of what others did.
  async #say(person, conversation, command, wanted, about) {
    const on_retry = () => this.uncertain.set(conversation.id, (this.uncertain.get(conversation.id) ?? 0) + 1);
    const answer = await person.insist({ ...command, conversation_id: conversation.id }, wanted, { refusals: kMisses, on_retry });
    if (answer.type === 'error') return undefined;
    this.acked.push({ conversation: conversation.id, by: person.id, seq: answer.seq, ...about });
    if (answer.seq !== undefined) this.on_acked(conversation.id, answer.seq);
    return answer;
  }

  async #edit(person, conversation, message) {
    const content = `edit ${++this.#names}`;
    await this.#say(person, conversation, { type: 'message.edit', seq: message.seq, content }, 'message.updated', { kind: 'edit', message_seq: message.seq, content });
  }

  async #delete(person, conversation, message) {
    message.is_deleted = true;
    await this.#say(person, conversation, { type: 'message.delete', seq: message.seq }, 'message.deleted', { kind: 'delete', message_seq: message.seq });
  }

  async #react(person, conversation, message) {
    const emoji = this.#one_of(kEmojis);
    const added = this.random() < 0.7;
    await this.#say(person, conversation, { type: added ? 'reaction.add' : 'reaction.remove', seq: message.seq, emoji }, 'reaction.updated',
                    { kind: 'reaction', message_seq: message.seq, emoji, added });
  }

  async #rename(person, conversation) {
    const name = `name ${++this.#names}`;
    await this.#say(person, conversation, { type: 'conversation.rename', name }, 'conversation.updated', { kind: 'rename', event: 'conversation.renamed', content: name });
  }

  // Somebody who is in goes, by themselves or not; somebody who is not in comes.
  async #move(person, conversation, other) {
    if (other.is_moving) return;
    other.is_moving = true;
    const place = other.places ??= new Set();
    if (!place.has(conversation.id)) {
      await this.#say(person, conversation, { type: 'conversation.add', user_id: other.id, role: 'member' }, 'member.added', { kind: 'add', event: 'member.added', user_id: other.id });
      place.add(conversation.id);
    } else {
      const goes = this.random() < 0.5;
      await this.#say(goes ? other : person, conversation, goes ? { type: 'conversation.leave' } : { type: 'conversation.remove', user_id: other.id }, 'member.removed',
                      { kind: goes ? 'leave' : 'remove', event: 'member.removed', user_id: other.id });
      place.delete(conversation.id);
    }
    other.is_moving = false;
  }
}

// What was acked, against what is stored (truth.mjs). -> [{fault, text}]
export function check_changes(acked, stored) {
  const faults = [];
  const last = new Map();   // what it is about -> the change that came last
  for (const change of acked) {
    const row = stored.get(change.conversation)?.rows.find(({ seq }) => seq === (change.message_seq ?? change.seq));
    const what = `${change.kind} by ${change.by}, seq ${change.seq} of ${change.conversation}`;
    if (change.message_seq === undefined) {
      if (change.seq === undefined) continue;   // it was so already
      if (row?.event !== change.event) faults.push({ fault: 'change_lost', text: `${what}: stored is ${JSON.stringify(row)}` });
      else if ((change.user_id ?? '') !== (row.user_id ?? '') || row.sender_id !== change.by || (change.content ?? '') !== (row.content ?? '')) faults.push({ fault: 'change_differs', text: `${what}: stored is ${JSON.stringify(row)}` });
      continue;
    }
    if (row === undefined) { faults.push({ fault: 'change_lost', text: `${what}: there is no message ${change.message_seq}` }); continue; }
    last.set(JSON.stringify([change.kind, change.conversation, change.message_seq, ...(change.kind === 'reaction' ? [change.by, change.emoji] : [])]), { change, row, what });
  }
  for (const { change, row, what } of last.values()) {
    const lost = (text) => faults.push({ fault: 'change_lost', text: `${what}: ${text}` });
    if (change.kind === 'delete' && row.deleted_at === undefined) lost('is not deleted');
    if (change.kind === 'edit' && row.deleted_at === undefined && row.content !== change.content) lost(`reads ${JSON.stringify(row.content)}, wanted ${JSON.stringify(change.content)}`);
    if (change.kind === 'reaction' && row.deleted_at === undefined && (row.reactions?.[change.emoji] ?? []).includes(change.by) !== change.added) lost(`${change.emoji} should ${change.added ? '' : 'not '}be there`);
  }
  return faults;
}
