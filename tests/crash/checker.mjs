// Compares what the server said with what it holds. Pure: no clock, no network, no randomness.
//
// History (all from outside the server):
//   attempts  {key, conversation, sender, content, step}           each distinct message that was ever sent; step: when
//   acks      {key, seq, message_id, duplicate, step, round}       each message.sent, in the order of their arrival
//   heard     {member, connection, conversation, seq, message_id, content}   each message.new, as it came
//   stored    {conversation, member, rows}                         what a member reads back, in the order of the pages
// A key names sender and client_id. A row is {seq, message_id, sender, client_id, content, no, system}. Steps come from
// one counter, so that "acked before it was sent" can be told.

export const kFaults = ['lost', 'duplicated', 'reordered', 'wrong_seq', 'hole', 'changed', 'phantom', 'not_duplicate', 'differs'];

export const key_of = (sender, client_id) => `${sender} ${client_id}`;

// -> [{fault, text}], empty when all is well. first_seqs: where a conversation begins for its members (default 1).
export function check({ attempts, acks, heard = [], stored, first_seqs = {} }) {
  const faults = [];
  const fault = (kind, text) => faults.push({ fault: kind, text });
  const attempt_of = new Map(attempts.map((attempt) => [attempt.key, attempt]));
  const first_ack = check_answers(acks, attempt_of, fault);

  const views = new Map();   // conversation -> [{member, rows}]
  for (const view of stored) views.set(view.conversation, [...(views.get(view.conversation) ?? []), view]);
  for (const [conversation, all] of views) {
    for (const view of all) check_view(view, first_seqs[conversation] ?? 1, attempt_of, first_ack, fault);
    check_alike(conversation, all, fault);
  }
  check_nothing_lost(attempts, first_ack, views, fault);
  check_order(first_ack, attempt_of, fault);
  check_heard(heard, views, fault);
  return faults;
}

// What was answered, by itself: one key, one answer, and only the first is not a duplicate.
function check_answers(acks, attempt_of, fault) {
  const first_ack = new Map();
  for (const ack of acks) {
    if (!attempt_of.has(ack.key)) fault('phantom', `${ack.key} was acked and never sent`);
    const first = first_ack.get(ack.key);
    if (first === undefined) {
      first_ack.set(ack.key, ack);
    } else if (ack.seq !== first.seq || ack.message_id !== first.message_id) {
      fault('wrong_seq', `${ack.key} was acked as ${first.seq} ${first.message_id}, then as ${ack.seq} ${ack.message_id}`);
    } else if (!ack.duplicate) {
      fault('not_duplicate', `${ack.key} (seq ${ack.seq}) was acked before, and its retry is not called a duplicate`);
    }
  }
  return first_ack;
}

function check_view({ conversation, member, rows }, first_seq, attempt_of, first_ack, fault) {
  const where = `${conversation} as ${member} reads it`;
  const seq_of_key = new Map();
  const seqs = new Set();
  const ids = new Set();
  let last = first_seq - 1;
  let last_no = 0;
  for (const row of rows) {
    if (seqs.has(row.seq)) fault('duplicated', `${where}: seq ${row.seq} is there twice`);
    else if (row.seq < last) fault('reordered', `${where}: seq ${row.seq} comes after ${last}`);
    else if (row.seq !== last + 1) fault('hole', `${where}: seq ${row.seq} follows ${last}`);
    seqs.add(row.seq);
    last = Math.max(last, row.seq);
    if (row.system) continue;
    const key = key_of(row.sender, row.client_id);
    if (seq_of_key.has(key)) fault('duplicated', `${where}: ${key} is there as ${seq_of_key.get(key)} and as ${row.seq}`);
    if (ids.has(row.message_id)) fault('duplicated', `${where}: message ${row.message_id} is there twice`);
    seq_of_key.set(key, row.seq);
    ids.add(row.message_id);
    if (row.no !== undefined) {
      if (row.no !== last_no + 1) fault('hole', `${where}: message number ${row.no} (seq ${row.seq}) follows ${last_no}`);
      last_no = row.no;
    }
    const attempt = attempt_of.get(key);
    if (attempt === undefined || attempt.conversation !== conversation) {
      fault('phantom', `${where}: ${key} (seq ${row.seq}) was never sent there`);
      continue;
    }
    if (attempt.content !== row.content) fault('changed', `${where}: seq ${row.seq} reads ${JSON.stringify(row.content)}, sent was ${JSON.stringify(attempt.content)}`);
    const ack = first_ack.get(key);
    if (ack && (ack.seq !== row.seq || ack.message_id !== row.message_id)) {
      fault('wrong_seq', `${where}: ${key} was acked as ${ack.seq} ${ack.message_id} and is there as ${row.seq} ${row.message_id}`);
    }
  }
}

function check_alike(conversation, views, fault) {
  const spelled = (row) => JSON.stringify([row.seq, row.message_id, row.sender, row.client_id, row.content]);
  const [first, ...others] = views;
  const wanted = first.rows.map(spelled);
  for (const view of others) {
    const at = wanted.findIndex((row, i) => view.rows[i] === undefined || spelled(view.rows[i]) !== row);
    if (at < 0 && view.rows.length === wanted.length) continue;
    fault('differs', `${conversation}: ${first.member} and ${view.member} read different things from row ${at < 0 ? wanted.length : at} on`);
  }
}

function check_nothing_lost(attempts, first_ack, views, fault) {
  for (const { key, conversation } of attempts) {
    const ack = first_ack.get(key);
    if (!ack) continue;
    const all = views.get(conversation);
    if (!all) fault('lost', `${key} was acked with seq ${ack.seq}, and nobody can read ${conversation}`);
    for (const { member, rows } of all ?? []) {
      views.index ??= new Map();
      const name = `${conversation} ${member}`;
      if (!views.index.has(name)) views.index.set(name, new Set(rows.filter((row) => !row.system).map((row) => key_of(row.sender, row.client_id))));
      if (!views.index.get(name).has(key)) fault('lost', `${key} was acked with seq ${ack.seq} and is not in ${conversation} as ${member} reads it`);
    }
  }
}

// What was acked before another message was first sent stands before it.
function check_order(first_ack, attempt_of, fault) {
  const by_conversation = new Map();
  for (const [key, ack] of first_ack) {
    const attempt = attempt_of.get(key);
    if (!attempt) continue;
    const list = by_conversation.get(attempt.conversation) ?? [];
    list.push({ key, seq: ack.seq, sent: attempt.step, acked: ack.step });
    by_conversation.set(attempt.conversation, list);
  }
  for (const [conversation, list] of by_conversation) {
    const by_send = [...list].sort((a, b) => a.sent - b.sent);
    const by_ack = [...list].sort((a, b) => a.acked - b.acked);
    let done = 0;
    let highest = { seq: 0 };
    for (const each of by_send) {
      for (; done < by_ack.length && by_ack[done].acked < each.sent; ++done) {
        if (by_ack[done].seq > highest.seq) highest = by_ack[done];
      }
      if (highest.seq >= each.seq) {
        fault('reordered', `${conversation}: ${highest.key} (seq ${highest.seq}) was acked before ${each.key} was sent, which has seq ${each.seq}`);
      }
    }
  }
}

// Nobody hears what is not durable; on one connection nothing is heard twice or backwards.
function check_heard(heard, views, fault) {
  const rows_of = new Map();
  for (const [conversation, all] of views) {
    rows_of.set(conversation, new Map(all[0].rows.map((row) => [row.seq, row])));
  }
  const last = new Map();
  for (const event of heard) {
    const row = rows_of.get(event.conversation)?.get(event.seq);
    if (!row) fault('lost', `${event.member} heard seq ${event.seq} of ${event.conversation}, which is not stored`);
    else if (row.message_id !== event.message_id) fault('wrong_seq', `${event.member} heard ${event.message_id} as seq ${event.seq} of ${event.conversation}, stored is ${row.message_id}`);
    else if (row.content !== event.content) fault('changed', `${event.member} heard seq ${event.seq} of ${event.conversation} with other content than is stored`);
    const name = `${event.connection} ${event.conversation}`;
    const before = last.get(name);
    if (before !== undefined && event.seq === before) fault('duplicated', `${event.member} heard seq ${event.seq} of ${event.conversation} twice`);
    else if (before !== undefined && event.seq < before) fault('reordered', `${event.member} heard seq ${event.seq} of ${event.conversation} after ${before}`);
    last.set(name, Math.max(before ?? 0, event.seq));
  }
}
