// The page's logic without a browser: cursors, gaps, pages, what is unread, what waits to be sent.

import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { test } from 'node:test';

globalThis.crypto ??= webcrypto;   // Node 18 has it only by this name

const page = new URL('../../core/gateway/page/', import.meta.url);
const { Timeline } = await import(new URL('timeline.js', page));
const { Store } = await import(new URL('store.js', page));
const { Outbox } = await import(new URL('outbox.js', page));
const { backoff_ms, advice_of } = await import(new URL('backoff.js', page));

const kRoom = 'room';
const at = '2026-01-02T03:04:05.678Z';
const row = (seq, more = {}) => ({ seq, message_id: `m${seq}`, sender_id: 'bob', content: `text ${seq}`, sent_at: at, ...more });
const live = (seq, more = {}) => ({ type: 'message.new', conversation_id: kRoom, ...row(seq, more) });
const seqs = (timeline) => timeline.sorted().map((each) => each.seq);
const view = (more = {}) => ({
  id: kRoom, kind: 'direct', role: 'member', last_seq: 0, unread: 0, member_count: 2, created_at: at,
  members: [{ user_id: 'ann', role: 'member' }, { user_id: 'bob', role: 'member' }], ...more,
});

test('the event after the cursor is applied, an older one is known, a later one is a gap', () => {
  const timeline = new Timeline(4);
  assert.equal(timeline.apply(live(5)), 'applied');
  assert.equal(timeline.apply(live(5)), 'known');
  assert.equal(timeline.apply(live(3)), 'known');
  assert.equal(timeline.apply(live(7)), 'gap');
  assert.equal(timeline.cursor, 5);
  assert.deepEqual(seqs(timeline), [5]);
});

test('a sync page fills the gap, and what is said again after it changes nothing', () => {
  const timeline = new Timeline(4);
  timeline.apply(live(7));
  timeline.apply_page({ messages: [row(5), row(6), row(7)], upto_seq: 7 });
  assert.equal(timeline.apply(live(7)), 'known');
  assert.equal(timeline.apply(live(8)), 'applied');
  assert.deepEqual(seqs(timeline), [5, 6, 7, 8]);
});

test('a sync page brings edits of rows that are shown, not rows that are out of sight', () => {
  const timeline = new Timeline(2);
  timeline.apply(live(3));
  timeline.apply_page({ messages: [row(1, { version: 4, content: 'old, edited' }), row(3, { version: 5, content: 'edited' })],
                        upto_seq: 5 });
  assert.deepEqual(seqs(timeline), [3], 'row 1 is below the floor: history brings it');
  assert.equal(timeline.rows.get(3).content, 'edited');
  assert.equal(timeline.cursor, 5);
});

test('the cursor follows upto_seq even when a page has no rows', () => {
  const timeline = new Timeline(2);
  timeline.apply_page({ messages: [], upto_seq: 9 });
  assert.equal(timeline.cursor, 9);
});

test('history goes below the floor until the beginning is reached', () => {
  const timeline = new Timeline(6);
  timeline.prepend({ messages: [row(4), row(5), row(6)], has_more: true });
  assert.equal(timeline.floor, 4);
  assert.equal(timeline.complete, false);
  timeline.prepend({ messages: [row(2)], has_more: false });
  assert.equal(timeline.complete, true);
  assert.deepEqual(seqs(timeline), [2, 4, 5, 6]);
});

test('a change that overtakes the page of history with its message is not lost', () => {
  const timeline = new Timeline(6);
  timeline.loading = true;
  timeline.apply({ type: 'message.updated', seq: 7, message_seq: 5, content: 'edited', edited_at: at });
  timeline.prepend({ messages: [row(5), row(6)], has_more: false });
  assert.equal(timeline.rows.get(5).content, 'edited');
  assert.equal(timeline.rows.get(5).version, 7);
});

test('a page that is older than a live change does not undo it, a newer one is not changed again', () => {
  const timeline = new Timeline(0);
  timeline.apply(live(1));
  timeline.apply({ type: 'message.updated', seq: 2, message_seq: 1, content: 'second', edited_at: at });
  timeline.apply_page({ messages: [row(1)], upto_seq: 2 });
  assert.equal(timeline.rows.get(1).content, 'second');
  timeline.apply_page({ messages: [row(1, { version: 4, content: 'fourth' })], upto_seq: 2 });
  timeline.apply({ type: 'message.updated', seq: 3, message_seq: 1, content: 'third', edited_at: at });
  assert.equal(timeline.rows.get(1).content, 'fourth');
});

for (const [name, event, check] of [
  ['an edit', { type: 'message.updated', content: 'better', edited_at: at }, (it) => assert.equal(it.content, 'better')],
  ['a deletion', { type: 'message.deleted', by: 'bob', deleted_at: at },
   (it) => assert.deepEqual([it.content, it.deleted_at], [undefined, at])],
  ['a reaction', { type: 'reaction.updated', user_id: 'ann', emoji: '👍', added: true },
   (it) => assert.deepEqual(it.reactions, { '👍': ['ann'] })],
  ['a reaction taken back', { type: 'reaction.updated', user_id: 'bob', emoji: '❤️', added: false },
   (it) => assert.deepEqual(it.reactions, {})],
]) {
  test(`${name} changes its message and moves the cursor`, () => {
    const timeline = new Timeline(0);
    timeline.apply(live(1, { reactions: name.endsWith('back') ? { '❤️': ['bob'] } : undefined }));
    assert.equal(timeline.apply({ ...event, seq: 2, message_seq: 1 }), 'applied');
    assert.equal(timeline.cursor, 2);
    check(timeline.rows.get(1));
  });
}

test('changes of membership are rows of the log', () => {
  const timeline = new Timeline(0);
  timeline.apply({ type: 'member.added', seq: 1, user_id: 'cat', role: 'member', by: 'ann', at });
  timeline.apply({ type: 'conversation.updated', seq: 2, name: 'Tea', by: 'ann', at });
  timeline.apply({ type: 'conversation.updated', seq: 3, user_id: 'cat', role: 'admin', by: 'ann', at });
  assert.deepEqual(timeline.sorted().map((each) => each.event), ['member.added', 'conversation.renamed', 'role.changed']);
  assert.equal(timeline.newest(), null);
});

test('a snapshot keeps cursor and rows together, and forgets the oldest rows rather than the newest', () => {
  const timeline = new Timeline(0);
  for (let seq = 1; seq <= 100; ++seq) timeline.apply(live(seq));
  const again = Timeline.from_json(JSON.parse(JSON.stringify(timeline.to_json())));
  assert.equal(again.cursor, 100);
  assert.equal(again.floor, again.sorted()[0].seq);
  assert.equal(again.sorted().at(-1).seq, 100);
  assert.equal(again.apply(live(100)), 'known');
  assert.equal(again.apply(live(101)), 'applied');
});

function store_of(views = [view()]) {
  const store = new Store({ me: 'ann' });
  store.adopt_list(views);
  return store;
}

test('each message of somebody else is unread once, whichever way it came', () => {
  const store = store_of([view({ last_seq: 2, unread: 1 })]);
  const room = store.conversations.get(kRoom);
  store.on_sync_page({ conversation_id: kRoom, messages: [row(2), row(3)], upto_seq: 3 });
  store.on_event(live(3));
  store.on_event(live(4));
  assert.equal(room.unread, 3, 'one from the list, then 3 and 4');
  store.mark_read(room, 4);
  assert.equal(room.unread, 0);
});

test('our own message, a deleted one and a change of members are not unread', () => {
  const store = store_of();
  const room = store.conversations.get(kRoom);
  store.on_event({ type: 'member.added', conversation_id: kRoom, seq: 1, user_id: 'cat', role: 'member', by: 'bob', at });
  store.on_event(live(2, { sender_id: 'ann', client_id: 'c' }));
  store.on_sync_page({ conversation_id: kRoom, messages: [row(3, { deleted_at: at })], upto_seq: 3 });
  assert.equal(room.unread, 0);
});

test('the answer to a send is not taken for the event itself', () => {
  const store = store_of();
  store.on_event({ type: 'message.sent', conversation_id: kRoom, seq: 1, message_id: 'm1', sent_at: at });
  assert.equal(store.conversations.get(kRoom).timeline.cursor, 0);
});

test('marks: sent, delivered, seen; in a group the slowest counts', () => {
  const store = store_of([view({ kind: 'group', members: ['ann', 'bob', 'cat'].map((user_id) => ({ user_id, role: 'member' })) })]);
  const room = store.conversations.get(kRoom);
  const mine = row(5, { sender_id: 'ann' });
  const receipt = (user_id, more) => store.on_event({ type: 'receipt.update', conversation_id: kRoom, user_id, at, ...more });
  assert.equal(store.mark_of(room, mine), 'sent');
  receipt('bob', { read_seq: 5 });
  assert.equal(store.mark_of(room, mine), 'sent');
  receipt('cat', { delivered_seq: 5 });
  assert.equal(store.mark_of(room, mine), 'delivered');
  receipt('cat', { read_seq: 4 });
  assert.equal(store.mark_of(room, mine), 'delivered');
  receipt('cat', { read_seq: 6 });
  assert.equal(store.mark_of(room, mine), 'seen');
  receipt('cat', { read_seq: 1 });
  assert.equal(store.mark_of(room, mine), 'seen', 'marks never go back');
});

test('who writes has seen what was written before, without a receipt', () => {
  const store = store_of();
  const room = store.conversations.get(kRoom);
  store.on_event(live(1, { sender_id: 'ann', client_id: 'c' }));
  assert.equal(store.mark_of(room, room.timeline.rows.get(1)), 'sent');
  store.on_event(live(2));
  assert.equal(store.mark_of(room, room.timeline.rows.get(1)), 'seen');
});

test('a list read again after a reconnect keeps the cursor, drops what is gone, and resets what is far behind', () => {
  const store = store_of([view({ last_seq: 10 }), view({ id: 'gone' }), view({ id: 'far', last_seq: 3 })]);
  store.adopt_list([view({ last_seq: 14, unread: 2 }), view({ id: 'far', last_seq: 9000 })]);
  assert.deepEqual(store.cursors(), { [kRoom]: 10, far: 9000 });
  assert.equal(store.conversations.get(kRoom).unread, 2);
});

test('typing fades by itself and ends with the message', () => {
  let now = 0;
  const store = new Store({ me: 'ann', now: () => now });
  store.adopt_list([view()]);
  const room = store.conversations.get(kRoom);
  const typing = () => store.on_event({ type: 'typing.update', conversation_id: kRoom, user_id: 'bob', typing: true });
  typing();
  assert.deepEqual(store.typing_in(room), ['bob']);
  now = 6001;
  assert.deepEqual(store.typing_in(room), []);
  typing();
  store.on_event(live(1));
  assert.deepEqual(store.typing_in(room), []);
});

test('a restored store resumes where the other one stopped', () => {
  const store = store_of();
  store.on_event(live(1));
  const again = new Store({ me: 'ann' });
  again.restore(JSON.parse(JSON.stringify(store.snapshot())));
  assert.deepEqual(again.cursors(), { [kRoom]: 1 });
  assert.equal(again.on_event(live(1)), 'known');
  assert.equal(again.on_event(live(2)), 'applied');
  const stranger = new Store({ me: 'somebody else' });
  stranger.restore(store.snapshot());
  assert.equal(stranger.conversations.size, 0);
});

// ---- outbox ----

class Line {   // records what is sent; the test answers
  sent = [];
  send = (command) => new Promise((resolve, reject) => this.sent.push({ command, resolve, reject }));
  contents() { return this.sent.map(({ command }) => command.content); }
}
const turn = () => new Promise((resolve) => setImmediate(resolve));

test('what is written offline is kept, and sent in order once connected, one at a time', async () => {
  const line = new Line();
  const outbox = new Outbox({ send: line.send });
  outbox.add({ conversation_id: kRoom, content: 'one', at });
  outbox.add({ conversation_id: kRoom, content: 'two', at });
  outbox.add({ conversation_id: 'other', content: 'three', at });
  assert.deepEqual(line.contents(), []);
  outbox.connected();
  assert.deepEqual(line.contents(), ['one', 'three']);
  line.sent[0].resolve({ seq: 1 });
  await turn();
  assert.deepEqual(line.contents(), ['one', 'three', 'two']);
});

test('a send without an answer is sent again under the same client_id, and stored once', async () => {
  const line = new Line();
  const stored = [];
  const outbox = new Outbox({ send: line.send, stored: (entry) => stored.push(entry.content) });
  outbox.connected();
  outbox.add({ conversation_id: kRoom, content: 'hello', at });
  outbox.disconnected();
  line.sent[0].reject({ code: 'connection_lost' });
  await turn();
  outbox.connected();
  assert.equal(line.sent.length, 2);
  assert.equal(line.sent[0].command.client_id, line.sent[1].command.client_id);
  line.sent[1].resolve({ seq: 1, duplicate: true });
  await turn();
  assert.deepEqual(stored, ['hello']);
  assert.deepEqual(outbox.to_json(), []);
});

test('a message that turns up in the log is not sent again', () => {
  const line = new Line();
  const outbox = new Outbox({ send: line.send });
  outbox.add({ conversation_id: kRoom, content: 'hello', at });
  outbox.seen_in_log(outbox.entries[0].client_id);
  outbox.connected();
  assert.deepEqual(line.contents(), []);
});

test('a busy server is asked again after the time it named; a refusal waits for the person', async () => {
  const line = new Line();
  const waits = [];
  const outbox = new Outbox({ send: line.send, later: (ms, go) => waits.push([ms, go]) });
  outbox.connected();
  outbox.add({ conversation_id: kRoom, content: 'hello', at });
  line.sent[0].reject({ code: 'unavailable', retry_after_ms: 250, message: 'later' });
  await turn();
  assert.equal(waits[0][0], 250);
  waits[0][1]();
  assert.equal(line.sent.length, 2);
  line.sent[1].reject({ code: 'not_member', message: 'You are not a member.' });
  await turn();
  assert.equal(outbox.entries[0].error, 'You are not a member.');
  outbox.connected();
  assert.equal(line.sent.length, 2);
  outbox.retry(outbox.entries[0].client_id);
  assert.equal(line.sent.length, 3);
});

test('entries survive a reload as they are', () => {
  const outbox = new Outbox({ send: () => {} });
  outbox.add({ conversation_id: kRoom, content: 'hello', at });
  const line = new Line();
  const again = new Outbox({ send: line.send, entries: JSON.parse(JSON.stringify(outbox.to_json())) });
  again.connected();
  assert.equal(line.sent[0].command.client_id, outbox.entries[0].client_id);
});

test('the outbox is bounded', () => {
  const outbox = new Outbox({ send: () => {} });
  let taken = 0;
  while (outbox.add({ conversation_id: kRoom, content: 'x', at })) taken += 1;
  assert.equal(taken, 200);
});

// ---- coming back ----

test('backoff grows to thirty seconds and is spread over half of it', () => {
  for (const attempt of [0, 1, 3, 6, 50]) {
    const shortest = backoff_ms(attempt, () => 0);
    const longest = backoff_ms(attempt, () => 1);
    assert.equal(shortest * 2, longest);
    assert.ok(longest <= 30_000);
  }
  assert.ok(backoff_ms(0, () => 1) < 1000);
  assert.equal(backoff_ms(50, () => 1), 30_000);
});

test('close codes carry their advice in the range', () => {
  for (const [code, advice] of [[4003, 'final'], [4009, 'final'], [4101, 'token'], [4102, 'token'], [4401, 'token'],
                                [4200, 'retry'], [4208, 'retry'], [4300, 'elsewhere'], [1006, 'retry'], [1001, 'retry'],
                                [1011, 'retry']]) {
    assert.equal(advice_of(code), advice, `close code ${code}`);
  }
});
