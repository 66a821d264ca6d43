// The checkers of what members were told, of acked changes and of marks find each fault that is planted, name it, and are silent when there is none.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { check_changes, kChangeFaults } from './changes.mjs';
import { check_members, check_views, kMemberFaults } from './history.mjs';
import { check_marks, kMarkFaults } from './marks.mjs';

// 1 to 8: messages, of which bob's third was edited (9), reacted to (10), and edited again (11); cyd was added (12), the name changed (13), bob's fourth
// deleted (14), cyd removed (15).
const kLast = 15;
const id = (seq) => `m${seq}`;
const time = (seq) => `2026-01-01T00:00:${String(seq).padStart(2, '0')}.000Z`;
const message = (seq, extra = {}) => ({ seq, version: seq, message_id: id(seq), sender_id: 'bob', client_id: `k${seq}`, content: `text ${seq}`, no: seq, sent_at: time(seq), ...extra });
const system = (seq, event, extra) => ({ seq, version: seq, kind: 'system', event, sender_id: 'bob', sent_at: time(seq), ...extra });

const stored_rows = () => [message(1), message(2, { reply_to: 1 }), message(3, { version: 11, content: 'again', edited_at: time(11), reactions: { '👍': ['ada'] } }),
  message(4, { version: 14, content: undefined, deleted_at: time(14) }), message(5), message(6), message(7), message(8),
  system(12, 'member.added', { user_id: 'cyd', role: 'member' }), system(13, 'conversation.renamed', { content: 'Lions' }), system(15, 'member.removed', { user_id: 'cyd' })];
const stored = () => new Map([['c', { last_seq: kLast, rows: stored_rows() }]]);

const about = (type, seq, message_seq, extra) => ({ type, conversation_id: 'c', seq, message_seq, message_id: id(message_seq), ...extra });
const change = (type, seq, extra) => ({ type, conversation_id: 'c', seq, by: 'bob', at: time(seq), ...extra });
const kEvents = new Map([
  ...Array.from({ length: 8 }, (_, i) => i + 1).map((seq) => {
    const { version, ...fields } = message(seq, seq === 2 ? { reply_to: 1 } : {});
    return [seq, { type: 'message.new', conversation_id: 'c', ...fields }];
  }),
  [9, about('message.updated', 9, 3, { sender_id: 'bob', content: 'once', edited_at: time(9) })],
  [10, about('reaction.updated', 10, 3, { user_id: 'ada', emoji: '👍', added: true })],
  [11, about('message.updated', 11, 3, { sender_id: 'bob', content: 'again', edited_at: time(11) })],
  [12, change('member.added', 12, { user_id: 'cyd', role: 'member' })],
  [13, change('conversation.updated', 13, { name: 'Lions' })],
  [14, about('message.deleted', 14, 4, { by: 'bob', deleted_at: time(14) })],
  [15, change('member.removed', 15, { user_id: 'cyd' })],
]);

const live = (connection, seq, changed = {}, came = {}) => ({ what: 'live', connection, conversation: 'c', seq, event: { ...kEvents.get(seq), ...changed }, ...came });
const lives = (connection, from, upto) => Array.from({ length: upto - from + 1 }, (_, i) => live(connection, from + i));
const page = (connection, from, upto) => ({ what: 'page', connection, conversation: 'c', upto, rows: Array.from({ length: upto - from + 1 }, (_, i) => message(from + i)) });
const joined = (last_seq) => ({ what: 'joined', connection: 0, conversation: 'c', last_seq });
const came = (connection) => [{ what: 'connected', connection, cursors: {} }, { what: 'synced', connection }];

// Heard 1 to 3 live, was away, got 4 to 6 by a sync, then the rest live.
function sound_log() {
  return [joined(0), ...came(1), ...lives(1, 1, 3), { what: 'connected', connection: 2, cursors: { c: 3 } }, page(2, 4, 6), { what: 'synced', connection: 2 }, ...lives(2, 7, kLast)];
}

// Was away for the changes: a page shows each message once, by its last change.
function late_log() {
  return [joined(0), ...came(1), ...lives(1, 1, 8), { what: 'connected', connection: 2, cursors: { c: 8 } },
          { what: 'page', connection: 2, conversation: 'c', upto: kLast, rows: stored_rows().filter(({ version }) => version > 8).sort((a, b) => a.version - b.version) }, { what: 'synced', connection: 2 }];
}

// Was in from 12 to 15.
const mover_log = () => [...came(1), joined(12), ...lives(1, 13, kLast), { what: 'left', conversation: 'c', why: 'removed' }];

const at = (log, what, seq) => log.findIndex((entry) => entry.what === what && (seq === undefined || entry.seq === seq));
const found_in = (log, others = [sound_log()], uncertain) => check_members([...others.map((each) => ({ member: 'bob', id: 'bob', log: each })), { member: 'ada', id: 'ada', log }], stored(), uncertain);
const alter = (seq, change_of) => (log) => Object.assign(log[at(log, 'live', seq)].event, change_of);
const row_of = (log, seq) => log[at(log, 'page')].rows.find((row) => row.seq === seq);

// name -> [the fault that must be found, how it is planted]
const kPlanted = {
  'a live event that was lost': ['hole', (log) => log.splice(at(log, 'live', 2), 1)],
  'the first live event after a resume that was lost': ['hole', (log) => log.splice(at(log, 'live', 7), 1)],
  'the last live event that was lost': ['behind', (log) => log.splice(at(log, 'live', kLast), 1)],
  'a member who heard nothing after its first connection': ['behind', (log) => log.splice(6)],
  'a member who joined and never heard anything': ['behind', (log) => log.splice(1)],
  'a live event that came twice': ['repeated', (log) => log.splice(at(log, 'live', 2), 0, live(1, 2))],
  'a live event that a page had brought already': ['repeated', (log) => log.splice(at(log, 'live', 7), 0, live(2, 6))],
  'a live event that a page had brought, before the sync is answered': ['repeated', (log) => log.splice(at(log, 'page') + 1, 0, live(2, 6))],
  'a live event after its pages with a hole before it': ['hole', (log) => log.splice(at(log, 'page') + 1, 0, live(2, 8))],
  'a live event that was not held for the pages': ['early', (log) => log.splice(at(log, 'page'), 0, live(2, 6, {}, { since_ms: 5, bytes: 300 }))],
  'an event of before that came again much later': ['repeated', (log) => log.push(live(2, 1))],
  'two live events that changed places': ['hole', (log) => { const i = at(log, 'live', 2); [log[i], log[i + 1]] = [log[i + 1], log[i]]; }],
  'two rows of a page that changed places': ['hole', (log) => log[at(log, 'page')].rows.reverse()],
  'a page that begins too late': ['hole', (log) => log[at(log, 'page')].rows.splice(0, 2)],
  'a page without a message that is deleted later': ['stale', (log) => log[at(log, 'page')].rows.shift()],
  'a page that begins before the cursor': ['repeated', (log) => { log[at(log, 'page')].rows.unshift(message(2, { reply_to: 1 })); }],
  'a page that lacks a row in its middle': ['hole', (log) => log[at(log, 'page')].rows.splice(1, 1)],
  'a page that claims more than it shows': ['hole', (log) => log[at(log, 'page')].rows.pop()],
  'a page that came twice': ['repeated', (log) => log.splice(at(log, 'page'), 0, page(2, 4, 6))],
  'an unasked page of what was there': ['repeated', (log) => log.push(page(2, 5, 8))],
  'a sync that is refused': ['refused', (log) => log.push({ what: 'left', conversation: 'c', why: 'refused' })],
  'an event that was never stored': ['phantom', (log) => log.push({ ...live(2, 1), seq: kLast + 1, event: { ...kEvents.get(1), seq: kLast + 1 } })],
  'a row that was never stored': ['phantom', (log) => log[at(log, 'page')].rows.push(message(9))],
  'a seq that means another message': ['differs', alter(2, { message_id: 'm7' })],
  'a row of a page that means another message': ['differs', (log) => { row_of(log, 5).message_id = 'other'; }],
  ...Object.fromEntries(Object.entries({ sender_id: 'nil', no: 9, sent_at: time(9), reply_to: 7, client_id: 'k9', content: 'text' }).flatMap(([name, value]) => [
    [`a live message with another ${name}`, ['differs', alter(7, { [name]: value })]],
    [`a row of a page with another ${name}`, ['differs', (log) => { row_of(log, 5)[name] = value; }]]])),
  'a reply that lost what it replies to': ['differs', alter(2, { reply_to: undefined })],
  'an ack with another time': ['differs', (log) => log.push({ what: 'answer', conversation: 'c', event: { type: 'message.sent', seq: 5, message_id: id(5), sent_at: time(6) } })],
  'an ack with another message': ['differs', (log) => log.push({ what: 'answer', conversation: 'c', event: { type: 'message.sent', seq: 5, message_id: id(6), sent_at: time(5) } })],
  'an edit that others were told otherwise': ['differs', alter(9, { content: 'never' })],
  'the last edit with other content than is stored': ['differs', alter(11, { content: 'once' })],
  'an edit that others were told of another message': ['differs', alter(9, { message_id: id(4) })],
  'a deletion by somebody else': ['differs', alter(14, { by: 'cyd' })],
  'a deletion at another time': ['differs', alter(14, { deleted_at: time(1) })],
  'a reaction of somebody else': ['differs', alter(10, { user_id: 'cyd' })],
  'a joining by somebody else': ['differs', alter(12, { by: 'cyd' })],
  'a joining with another role': ['differs', alter(12, { role: 'owner' })],
  'a removal of somebody else': ['differs', alter(15, { user_id: 'bob' })],
  'a name that is not the stored one': ['differs', alter(13, { name: 'planted' })],
  'an answer that is not what others were told': ['differs', (log) => log.push({ what: 'answer', conversation: 'c', event: { ...kEvents.get(9), content: 'never' } })],
  'a removal where a joining is stored': ['differs', (log) => { log[at(log, 'live', 12)].event = change('member.removed', 12, { user_id: 'cyd' }); }],
};

const kPlantedLate = {
  'a page without the last change of a message': ['hole', (log) => log[at(log, 'page')].rows.splice(0, 1)],
  'a page without a coming': ['hole', (log) => log[at(log, 'page')].rows.splice(1, 1)],
  'a page that shows an edit too few': ['differs', (log) => { row_of(log, 3).content = 'once'; }],
  'a page without a reaction': ['differs', (log) => { delete row_of(log, 3).reactions; }],
  'a page that shows what was deleted': ['differs', (log) => { row_of(log, 4).content = 'text 4'; }],
  'a coming by somebody else': ['differs', (log) => { row_of(log, 12).sender_id = 'ada'; }],
};

// The member alone heard it, so nobody contradicts: what it shows in the end is not what is stored.
const kPlantedAlone = {
  'a reaction that was told as taken away': ['stale', alter(10, { added: false })],
  'a reaction that was told with another emoji': ['stale', alter(10, { emoji: '🦁' })],
};

const newcomer_log = () => [...came(1), joined(12), { what: 'page', connection: 1, conversation: 'c', upto: 14, rows: [stored_rows().find(({ seq }) => seq === 13)] }, live(1, kLast), { what: 'left', conversation: 'c', why: 'removed' }];
const found_in_newcomer = (log) => check_members([{ member: 'bob', id: 'bob', log: sound_log() }, { member: 'cyd', id: 'cyd', log }], stored());

const kPlantedNewcomer = {
  'a page with a message of before they came that was changed since': ['leak', (log) => log[at(log, 'page')].rows.push(stored_rows().find(({ seq }) => seq === 4))],
};

describe('the checker of what members were told', () => {
  it('finds nothing wrong with a sound log', () => assert.deepEqual(found_in(sound_log()), { faults: [], early: 0 }));
  it('lets a page show each message once', () => assert.deepEqual(found_in(late_log()).faults, []));

  it('lets somebody come and go, and hear nothing before and after', () => {
    assert.deepEqual(check_members([{ member: 'bob', id: 'bob', log: sound_log() }, { member: 'cyd', id: 'cyd', log: mover_log() }], stored()).faults, []);
  });

  it('lets a page keep from a newcomer what changed in messages of before, which a live event tells', () => {
    assert.deepEqual(found_in_newcomer(newcomer_log()).faults, []);
  });

  it('lets a sync be refused to somebody who was removed', () => {
    const log = mover_log();
    log.splice(3, Infinity, { what: 'left', conversation: 'c', why: 'refused' });
    assert.deepEqual(check_members([{ member: 'bob', id: 'bob', log: sound_log() }, { member: 'cyd', id: 'cyd', log }], stored()).faults, []);
  });

  it('lets live events come before the pages when the hold has run out or over, and counts them', () => {
    for (const came_late of [{ since_ms: 10_100, bytes: 300 }, { since_ms: 5, bytes: 300_000 }]) {
      const log = sound_log();
      log.splice(at(log, 'page'), 0, live(2, 6, {}, came_late));
      assert.deepEqual(found_in(log), { faults: [], early: 1 });
    }
  });

  it('takes an unasked page for what it brings', () => {
    const log = sound_log();
    log.splice(at(log, 'live', 7), 1, page(2, 7, 7));
    assert.deepEqual(found_in(log).faults, []);
  });

  it('wants every seq to be known to somebody, but for changes that may have been stored twice', () => {
    const alone = (uncertain) => found_in(late_log(), [], uncertain).faults.map(({ fault }) => fault);   // of 9 and 10 nobody was told
    assert.deepEqual(alone(), ['hole']);
    assert.deepEqual(alone(new Map([['c', 2]])), []);
  });

  it('tells of whom it speaks', () => {
    const log = sound_log();
    log.pop();
    assert.match(found_in(log).faults[0].text, /^ada: /);
  });

  const finds = (planted, sound, found_in) => {
    for (const [name, [fault, plant]] of Object.entries(planted)) {
      it(`finds ${name}: ${fault}`, () => {
        const log = sound();
        plant(log);
        const found = found_in(log).faults.map((each) => each.fault);
        assert.ok(found.includes(fault), `found ${found.join(', ') || 'nothing'}`);
      });
    }
  };
  finds(kPlanted, sound_log, found_in);
  finds(kPlantedLate, late_log, found_in);
  finds(kPlantedAlone, sound_log, (log) => found_in(log, []));
  finds(kPlantedNewcomer, newcomer_log, found_in_newcomer);

  it('has a planted example of every fault it can name', () => {
    assert.deepEqual(new Set([kPlanted, kPlantedLate, kPlantedAlone, kPlantedNewcomer].flatMap(Object.values).map(([fault]) => fault)), new Set(kMemberFaults));
  });

  it('compares what is read back', () => {
    const view = { conversation: 'c', name: 'ada at n1', rows: stored_rows() };
    assert.deepEqual(check_views([view], stored()), []);
    view.rows[0].sender_id = 'nil';
    assert.deepEqual(check_views([view], stored()).map(({ fault }) => fault), ['differs']);
  });
});

const acked_changes = () => [{ kind: 'edit', conversation: 'c', by: 'bob', seq: 9, message_seq: 3, content: 'once' }, { kind: 'edit', conversation: 'c', by: 'bob', seq: 11, message_seq: 3, content: 'again' },
  { kind: 'reaction', conversation: 'c', by: 'ada', seq: 10, message_seq: 3, emoji: '👍', added: true }, { kind: 'delete', conversation: 'c', by: 'bob', seq: 14, message_seq: 4 },
  { kind: 'rename', conversation: 'c', by: 'bob', seq: 13, event: 'conversation.renamed', content: 'Lions' }, { kind: 'remove', conversation: 'c', by: 'bob', seq: 15, event: 'member.removed', user_id: 'cyd' },
  { kind: 'add', conversation: 'c', by: 'bob', seq: undefined, event: 'member.added', user_id: 'cyd' }];

const kPlantedChanges = {
  'an edit that was taken back': ['change_lost', (acked) => acked.splice(2, 0, { ...acked[1], content: 'third', seq: 12 })],
  'a deletion that is not there': ['change_lost', (acked) => { acked[3].message_seq = 5; }],
  'a reaction that is not there': ['change_lost', (acked) => { acked[2].emoji = '🦁'; }],
  'a reaction that was taken away and is there': ['change_lost', (acked) => acked.push({ ...acked[2], added: false })],
  'a change of a message that is not there': ['change_lost', (acked) => { acked[1].message_seq = 9; }],
  'a name that is not stored': ['change_lost', (acked) => { acked[4].seq = 12; }],
  'another name than was acked': ['change_differs', (acked) => { acked[4].content = 'Tigers'; }],
  'a removal of somebody else': ['change_differs', (acked) => { acked[5].user_id = 'ada'; }],
};

const sound_marks = () => ({ heard: [{ member: 'ada', conversation: 'c', user_id: 'bob', read_seq: 5 }, { member: 'bob', conversation: 'c', user_id: 'ada', delivered_seq: 5 }],
  due: [{ member: 'ada', conversation: 'c', user_id: 'bob', kind: 'read', seq: 5 }, { member: 'bob', conversation: 'c', user_id: 'ada', kind: 'delivered', seq: 5 }],
  views: [{ node: 'n1', conversation: 'c', members: [{ user_id: 'ada', delivered_seq: 5 }, { user_id: 'bob', delivered_seq: 5, read_seq: 5 }] }],
  stored: { c: { ada: { delivered_seq: 5, read_seq: 0 }, bob: { delivered_seq: 5, read_seq: 5 } } } });

const kPlantedMarks = {
  'a receipt that never came': ['unheard', (marks) => marks.heard.pop()],
  'a receipt that came for an earlier mark': ['unheard', (marks) => { marks.heard[0].read_seq = 4; }],
  'a delivered mark where the read one is due': ['unheard', (marks) => { marks.heard[0] = { ...marks.heard[0], delivered_seq: 5, read_seq: undefined }; }],
  'a receipt for a mark that is not stored': ['mark_ahead', (marks) => { marks.heard[1].delivered_seq = 6; }],
  'a node that knows an earlier mark': ['mark_differs', (marks) => { marks.views[0].members[1].read_seq = 4; }],
  'a node that does not know a member': ['mark_differs', (marks) => marks.views[0].members.pop()],
  'a node that knows a member too many': ['mark_differs', (marks) => marks.views[0].members.push({ user_id: 'cyd' })],
};

for (const [name, faults, sound, planted, judge] of [['acked changes', kChangeFaults, acked_changes, kPlantedChanges, (acked) => check_changes(acked, stored())],
                                                     ['marks', kMarkFaults, sound_marks, kPlantedMarks, check_marks]]) {
  describe(`the checker of ${name}`, () => {
    it('finds nothing wrong where nothing is', () => assert.deepEqual(judge(sound()), []));
    for (const [what, [fault, plant]] of Object.entries(planted)) {
      it(`finds ${what}: ${fault}`, () => {
        const input = sound();
        plant(input);
        assert.ok(judge(input).some((each) => each.fault === fault), `found ${JSON.stringify(judge(input))}`);
      });
    }
    it('has a planted example of every fault it can name', () => assert.deepEqual(new Set(Object.values(planted).map(([fault]) => fault)), new Set(faults)));
  });
}
