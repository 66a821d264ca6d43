// The checker of what members were told finds each fault that is planted, names it, and is silent when there is none.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { check_members, kMemberFaults } from './history.mjs';

const kLast = 8;
const id = (seq) => `m${seq}`;
const live = (connection, seq) => ({ what: 'live', connection, conversation: 'c', seq, message_id: id(seq) });
const page = (connection, from, upto) => ({ what: 'page', connection, conversation: 'c', upto,
  rows: Array.from({ length: upto - from + 1 }, (_, i) => ({ seq: from + i, message_id: id(from + i), version: from + i })) });

// Heard 1 to 3 live, was away, got 4 to 6 by a sync, then 7 and 8 live.
function sound_log() {
  return [{ what: 'joined', connection: 0, conversation: 'c', last_seq: 0 },
          { what: 'connected', connection: 1, cursors: {} }, { what: 'synced', connection: 1 }, live(1, 1), live(1, 2), live(1, 3),
          { what: 'connected', connection: 2, cursors: { c: 3 } }, page(2, 4, 6), { what: 'synced', connection: 2 }, live(2, 7), live(2, kLast)];
}

const at = (log, what, seq) => log.findIndex((entry) => entry.what === what && (seq === undefined || entry.seq === seq));
const stored = () => new Map([['c', Array.from({ length: kLast }, (_, i) => ({ seq: i + 1, message_id: id(i + 1) }))]]);
const found_in = (log) => check_members([{ member: 'ada', log }], stored());

// name -> [the fault that must be found, how it is planted]
const kPlanted = {
  'a live event that was lost': ['hole', (log) => log.splice(at(log, 'live', 2), 1)],
  'the first live event after a resume that was lost': ['hole', (log) => log.splice(at(log, 'live', 7), 1)],
  'the last live event that was lost': ['behind', (log) => log.splice(at(log, 'live', kLast), 1)],
  'a member who heard nothing after its first connection': ['behind', (log) => log.splice(6)],
  'a member who joined and never heard anything': ['behind', (log) => log.splice(1)],
  'a live event that came twice': ['repeated', (log) => log.splice(at(log, 'live', 2), 0, live(1, 2))],
  'a live event that a page had brought already': ['repeated', (log) => log.splice(at(log, 'live', 7), 0, live(2, 6))],
  'an event of before that came again much later': ['repeated', (log) => log.push(live(2, 1))],
  'two live events that changed places': ['hole', (log) => { const i = at(log, 'live', 2); [log[i], log[i + 1]] = [log[i + 1], log[i]]; }],
  'two rows of a page that changed places': ['hole', (log) => log[at(log, 'page')].rows.reverse()],
  'a page that begins too late': ['hole', (log) => log[at(log, 'page')].rows.shift()],
  'a page that begins before the cursor': ['repeated', (log) => { log[at(log, 'page')] = page(2, 3, 6); }],
  'a page that lacks a row in its middle': ['hole', (log) => log[at(log, 'page')].rows.splice(1, 1)],
  'a page that claims more than it shows': ['hole', (log) => log[at(log, 'page')].rows.pop()],
  'a page that came twice': ['repeated', (log) => log.splice(at(log, 'page'), 0, page(2, 4, 6))],
  'an unasked page of what was there': ['repeated', (log) => log.push(page(2, 5, kLast))],
  'a seq that means another message': ['differs', (log) => { log[at(log, 'live', 2)].message_id = 'm7'; }],
  'a row of a page that means another message': ['differs', (log) => { log[at(log, 'page')].rows[1].message_id = 'other'; }],
  'an event that was never stored': ['phantom', (log) => log.push(live(2, kLast + 1))],
};

describe('the checker of what members were told', () => {
  it('finds nothing wrong with a sound log', () => assert.deepEqual(found_in(sound_log()), { faults: [], early: 0 }));

  it('lets live events come before the sync is answered, and counts them', () => {
    const log = sound_log();
    log.splice(at(log, 'page'), 0, live(2, 6));
    assert.deepEqual(found_in(log), { faults: [], early: 1 });
  });

  it('takes an unasked page for what it brings', () => {
    const log = sound_log();
    log.splice(at(log, 'live', 7), 1, page(2, 7, 7));
    assert.deepEqual(found_in(log).faults, []);
  });

  it('tells of whom it speaks', () => {
    const log = sound_log();
    log.pop();
    assert.match(found_in(log).faults[0].text, /^ada: /);
  });

  for (const [name, [fault, plant]] of Object.entries(kPlanted)) {
    it(`finds ${name}: ${fault}`, () => {
      const log = sound_log();
      plant(log);
      const found = found_in(log).faults.map((each) => each.fault);
      assert.ok(found.includes(fault), `found ${found.join(', ') || 'nothing'}`);
    });
  }

  it('has a planted example of every fault it can name', () => {
    assert.deepEqual(new Set(Object.values(kPlanted).map(([fault]) => fault)), new Set(kMemberFaults));
  });
});
