// What each member was told, compared with what is stored: each seq once, in order, none missing. Pure: no clock, no network.
//
// A member's log, in the order in which things happened (member.mjs writes it):
//   {what: 'joined', conversation, last_seq}                       its first cursor
//   {what: 'connected', connection, cursors}                       a connection, and the cursors it will sync with
//   {what: 'live', connection, conversation, seq, message_id}      an event with a seq
//   {what: 'page', connection, conversation, upto, rows}           of a sync, or unasked; a row is {seq, message_id, version}
//   {what: 'synced', connection}                                   sync.done
// stored: conversation -> rows {seq, message_id, …} in their order.
//
// Until a connection is synced the hold may have run out (docs/protocol.md, "Resume"): live events are then no promise, its pages bring them.

export const kMemberFaults = ['hole', 'repeated', 'differs', 'phantom', 'behind'];

// -> {faults: [{fault, text}], early: live events that came before their connection was synced, and were not next}
export function check_members(members, stored) {
  const faults = [];
  let early = 0;
  for (const { member, log } of members) early += check_log(member, log, stored, (fault, text) => faults.push({ fault, text: `${member}: ${text}` }));
  return { faults, early };
}

function check_log(member, log, stored, fault) {
  const cursors = new Map();
  const synced = new Set();
  let early = 0;
  const compare = (conversation, seq, message_id) => {
    const row = stored.get(conversation)?.[seq - 1];
    if (row === undefined) fault('phantom', `heard seq ${seq} of ${conversation}, which is not stored`);
    else if ((row.message_id ?? undefined) !== (message_id ?? undefined)) fault('differs', `seq ${seq} of ${conversation} was ${message_id}, stored is ${row.message_id}`);
  };
  for (const entry of log) {
    const { conversation } = entry;
    const where = `${conversation} on connection ${entry.connection}`;
    const cursor = cursors.get(conversation);
    if (entry.what === 'joined') {
      cursors.set(conversation, entry.last_seq);
    } else if (entry.what === 'synced') {
      synced.add(entry.connection);
    } else if (entry.what === 'live') {
      compare(conversation, entry.seq, entry.message_id);
      if (entry.seq === cursor + 1) cursors.set(conversation, entry.seq);
      else if (!synced.has(entry.connection)) ++early;
      else if (entry.seq <= cursor) fault('repeated', `seq ${entry.seq} of ${where} came after ${cursor}`);
      else {
        fault('hole', `seq ${entry.seq} of ${where} came after ${cursor}`);
        cursors.set(conversation, entry.seq);   // each hole is told once
      }
    } else if (entry.what === 'page') {
      let last = cursor;
      for (const row of entry.rows) {
        compare(conversation, row.seq, row.message_id);
        if (row.version <= last) fault('repeated', `a page of ${where} has ${row.version} after ${last}`);
        else if (row.version !== last + 1) fault('hole', `a page of ${where} has ${row.version} after ${last}`);
        last = Math.max(last, row.version);
      }
      if (entry.upto > last) fault('hole', `a page of ${where} ends at ${entry.upto}, its last row is ${last}`);
      cursors.set(conversation, Math.max(entry.upto, last));
    }
  }
  for (const [conversation, cursor] of cursors) {
    const last = stored.get(conversation)?.at(-1)?.seq ?? 0;
    if (cursor < last) fault('behind', `was told ${conversation} up to ${cursor}, stored is ${last}`);
  }
  return early;
}
