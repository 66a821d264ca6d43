// The checker finds each fault that is planted, names it, and is silent when there is none.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { check, kFaults, key_of } from './checker.mjs';

// Two people, five messages of which the last was never acked but stored, one retry, both read all of it.
function sound_run() {
  const attempts = [];
  const acks = [];
  const heard = [];
  const rows = [{ seq: 1, system: true }];
  let step = 0;
  for (let i = 1; i <= 5; ++i) {
    const sender = i % 2 === 0 ? 'bob' : 'ada';
    const key = key_of(sender, `k${i}`);
    attempts.push({ key, conversation: 'c', sender, content: `text ${i}`, step: ++step });
    rows.push({ seq: i + 1, message_id: `m${i}`, sender, client_id: `k${i}`, content: `text ${i}`, no: i });
    if (i < 5) acks.push({ key, seq: i + 1, message_id: `m${i}`, duplicate: false, step: ++step });
    heard.push({ member: 'cyd', connection: 1, conversation: 'c', seq: i + 1, message_id: `m${i}`, content: `text ${i}` });
  }
  acks.push({ key: key_of('ada', 'k1'), seq: 2, message_id: 'm1', duplicate: true, step: ++step });
  attempts.push({ key: key_of('bob', 'never-stored'), conversation: 'c', sender: 'bob', content: 'gone', step: ++step });
  const copy = () => rows.map((row) => ({ ...row }));
  return { attempts, acks, heard, stored: [{ conversation: 'c', member: 'ada', rows: copy() }, { conversation: 'c', member: 'bob', rows: copy() }] };
}

const in_all = (run, change) => { for (const view of run.stored) view.rows = change(view.rows); };
const renumber = (rows) => rows.map((row, i) => ({ ...row, seq: i + 1 }));

// name -> [the fault that must be found, how it is planted]
const kPlanted = {
  'an acked message that nobody can read': ['lost', (run) => in_all(run, (rows) => rows.filter((row) => row.client_id !== 'k4').map((row) => row))],
  'an acked message that one member cannot read': ['lost', (run) => { run.stored[1].rows.splice(3, 1); }],
  'the newest acked message, cut off without a hole': ['lost', (run) => in_all(run, (rows) => rows.slice(0, 4))],
  'a conversation that is gone': ['lost', (run) => { run.stored = []; }],
  'a message that was heard and not stored': ['lost', (run) => in_all(run, (rows) => rows.slice(0, 5))],
  'a message stored twice under two seqs': ['duplicated', (run) => in_all(run, (rows) => [...rows, { ...rows[2], seq: 7, message_id: 'm9', no: 6 }])],
  'a message id stored twice': ['duplicated', (run) => in_all(run, (rows) => [...rows, { ...rows[5], seq: 7, client_id: 'never-stored', sender: 'bob', content: 'gone', no: 6 }])],
  'a seq given twice': ['duplicated', (run) => in_all(run, (rows) => rows.map((row) => (row.seq === 4 ? { ...row, seq: 3 } : row)))],
  'a message heard twice': ['duplicated', (run) => { run.heard.splice(2, 0, { ...run.heard[1] }); }],
  'two messages that changed places in a page': ['reordered', (run) => in_all(run, ([a, b, c, d, ...rest]) => [a, b, d, c, ...rest])],
  'two messages that changed their seqs everywhere': ['reordered', (run) => {
    const swap = (seq) => (seq === 3 ? 4 : seq === 4 ? 3 : seq);
    in_all(run, (rows) => rows.map((row) => ({ ...row, seq: swap(row.seq) })).sort((a, b) => a.seq - b.seq).map((row) => ({ ...row, no: row.seq - 1 })));
    for (const ack of run.acks) ack.seq = swap(ack.seq);
    run.heard = [];
  }],
  'a message heard after a later one': ['reordered', (run) => { [run.heard[1], run.heard[2]] = [run.heard[2], run.heard[1]]; }],
  'a message with another seq than was acked': ['wrong_seq', (run) => { run.acks[1].seq = 9; }],
  'a message with another id than was acked': ['wrong_seq', (run) => { run.acks[1].message_id = 'other'; }],
  'a retry that was answered with another seq': ['wrong_seq', (run) => { run.acks.at(-1).seq = 3; }],
  'a message heard under another seq than stored': ['wrong_seq', (run) => { run.heard[1].message_id = 'm4'; }],
  'a seq that nothing has': ['hole', (run) => in_all(run, (rows) => rows.map((row) => (row.seq === 6 ? { ...row, seq: 7 } : row)))],
  'a beginning that is missing': ['hole', (run) => in_all(run, (rows) => rows.slice(1))],
  'a message number that nothing has': ['hole', (run) => in_all(run, (rows) => rows.map((row) => (row.no === 5 ? { ...row, no: 6 } : row)))],
  'content that changed': ['changed', (run) => in_all(run, (rows) => rows.map((row) => (row.seq === 3 ? { ...row, content: 'Text 2' } : row)))],
  'content that was cut': ['changed', (run) => in_all(run, (rows) => rows.map((row) => (row.seq === 3 ? { ...row, content: 'text' } : row)))],
  'content that was heard otherwise': ['changed', (run) => { run.heard[0].content = 'other'; }],
  'a message that nobody sent': ['phantom', (run) => in_all(run, (rows) => renumber([...rows, { seq: 7, message_id: 'm6', sender: 'ada', client_id: 'k99', content: 'boo', no: 6 }]))],
  'a message of another conversation': ['phantom', (run) => { run.attempts[4].conversation = 'd'; }],
  'an ack for what was never sent': ['phantom', (run) => { run.acks.push({ key: 'ada k77', seq: 9, message_id: 'm9', step: 99 }); }],
  'a retry that is not called a duplicate': ['not_duplicate', (run) => { run.acks.at(-1).duplicate = false; }],
  'members that read different ends': ['differs', (run) => { run.stored[1].rows.pop(); run.heard = []; }],
};

describe('the checker', () => {
  it('finds nothing wrong with a sound run', () => assert.deepEqual(check(sound_run()), []));

  it('lets a message that was never acked be stored or not', () => {
    const run = sound_run();
    in_all(run, (rows) => rows.slice(0, 5));
    run.heard.pop();
    assert.deepEqual(check(run), []);
  });

  it('lets messages that were in flight together stand in either order', () => {
    const run = sound_run();
    [run.attempts[1].step, run.attempts[2].step] = [3, 4];
    [run.acks[1].step, run.acks[2].step] = [6, 5];
    assert.deepEqual(check(run), []);
  });

  for (const [name, [fault, plant]] of Object.entries(kPlanted)) {
    it(`finds ${name}: ${fault}`, () => {
      const run = sound_run();
      plant(run);
      const found = check(run).map((each) => each.fault);
      assert.ok(found.includes(fault), `found ${found.join(', ') || 'nothing'}`);
    });
  }

  it('has a planted example of every fault it can name', () => {
    assert.deepEqual(new Set(Object.values(kPlanted).map(([fault]) => fault)), new Set(kFaults));
  });
});
