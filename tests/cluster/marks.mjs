// Where everybody's marks stand: as members heard it, as each node says when it is asked, and as it is stored. Pure.
//
//   heard     [{member, conversation, user_id, delivered_seq, read_seq}]   each receipt.update; a mark that is not in it is undefined
//   due       [{member, conversation, user_id, kind, seq}]                 what this member must have heard in the end: kind is 'delivered' or 'read'
//   views     [{node, conversation, members}]                              conversation.get: [{user_id, delivered_seq, read_seq}], 0 left out
//   stored    conversation -> user -> {delivered_seq, read_seq}

export const kMarkFaults = ['unheard', 'mark_ahead', 'mark_differs'];

export function check_marks({ heard, due, views, stored }) {
  const faults = [];
  const fault = (kind, text) => faults.push({ fault: kind, text });
  const known = new Map();   // "member conversation user kind" -> the highest heard
  const note = (key, seq) => known.set(key, Math.max(known.get(key) ?? 0, seq));
  for (const { member, conversation, user_id, delivered_seq, read_seq } of heard) {
    const marks = stored[conversation]?.[user_id];
    for (const [kind, seq, top] of [['delivered', Math.max(delivered_seq ?? 0, read_seq ?? 0), marks?.delivered_seq], ['read', read_seq ?? 0, marks?.read_seq]]) {
      note(`${member} ${conversation} ${user_id} ${kind}`, seq);
      if (top !== undefined && seq > top) fault('mark_ahead', `${member} heard that ${user_id} has ${kind} ${conversation} up to ${seq}, stored is ${top}`);
    }
  }
  for (const { member, conversation, user_id, kind, seq } of due) {
    const heard_up_to = known.get(`${member} ${conversation} ${user_id} ${kind}`) ?? 0;
    if (heard_up_to < seq) fault('unheard', `${member} never heard that ${user_id} has ${kind} ${conversation} up to ${seq}, heard is ${heard_up_to}`);
  }
  for (const { node, conversation, members } of views) {
    const wanted = Object.entries(stored[conversation] ?? {});
    if (members.length !== wanted.length) fault('mark_differs', `${conversation} at ${node} has ${members.length} members, stored are ${wanted.length}`);
    for (const [user_id, { delivered_seq, read_seq }] of wanted) {
      const told = members.find((each) => each.user_id === user_id);
      if ((told?.read_seq ?? 0) !== read_seq || (told?.delivered_seq ?? 0) !== delivered_seq) {
        fault('mark_differs', `${conversation} at ${node}: ${user_id} has delivered ${told?.delivered_seq}, read ${told?.read_seq}, stored is ${delivered_seq}, ${read_seq}`);
      }
    }
  }
  return faults;
}
