// The messages of one conversation: bubbles in runs, days, the line above what is new, marks, reactions, older history
// on scrolling up. Redraws are cheap: an element is rebuilt only when what it shows has changed (dom.js).

import { h, icon, avatar, hue_of, linked, reconcile } from './dom.js';
import { clock_time, day_key, day_name, full_time } from './format.js';

const kEmoji = ['👍', '❤️', '😂', '😮', '😢', '🎉'];
const kRunMs = 5 * 60_000;      // messages of one person this close together are one run
const kNearEndPx = 80;
const kLoadOlderPx = 400;
const kMarks = {
  waiting: ['clock', 'Not sent yet'], failed: ['alert', 'Not sent'], sent: ['tick', 'Sent'],
  delivered: ['ticks', 'Delivered'], seen: ['ticks', 'Seen'],
};

export function messages_view(client, { edit, reply, at_end }) {
  const { store, outbox } = client;
  const list = h('ol', { class: 'messages', role: 'log', tabindex: '0', aria: { label: 'Messages' },
                         on: { keydown: arrows } });
  const scroller = h('div', { class: 'scroller', on: { scroll: scrolled } }, list);
  const down = h('button', { type: 'button', class: 'to-end', hidden: true, aria: { label: 'To the newest message' },
                             on: { click: to_end } }, icon('down'));
  const element = h('div', { class: 'messages-box' }, scroller, down);

  let conversation = null;
  let divider_after = null;   // the read mark as it stood when the conversation was opened
  let menu_of = null;         // seq of the message whose menu is open
  let stays_at_end = true;

  // ---- scrolling ----

  function is_at_end() { return scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < kNearEndPx; }

  function to_end() {
    stays_at_end = true;
    scroller.scrollTop = scroller.scrollHeight;
    at_end();
  }

  function scrolled() {
    stays_at_end = is_at_end();
    down.hidden = stays_at_end;
    if (stays_at_end) at_end();
    if (conversation?.opened && scroller.scrollTop < kLoadOlderPx) client.load_older(conversation);
  }

  new ResizeObserver(() => { if (stays_at_end) scroller.scrollTop = scroller.scrollHeight; }).observe(scroller);

  function show(next) {
    conversation = next;
    menu_of = null;
    stays_at_end = true;
    list.replaceChildren();
    divider_after = next && next.unread > 0 ? next.read_seq : null;
    if (!next) return;
    draw();
    const divider = list.querySelector('.divider');
    if (!divider) return to_end();
    divider.scrollIntoView({ block: 'center' });
    stays_at_end = is_at_end();   // now: a redraw may come before the scroll event
  }

  // ---- what is shown ----

  function items() {
    const found = [];
    let previous = null;
    let day = '';
    let divided = divider_after === null;
    const rows = conversation.timeline.sorted();
    const stored = new Set(rows.filter((row) => row.sender_id === store.me).map((row) => row.client_id));
    const waiting = outbox.waiting_in(conversation.id).filter((entry) => !stored.has(entry.client_id))
      .map((entry) => ({ client_id: entry.client_id, sender_id: store.me, content: entry.content, sent_at: entry.at,
                         reply_to: entry.reply_to, error: entry.error, pending: true }));
    for (const row of [...rows, ...waiting]) {
      if (day_key(row.sent_at) !== day) {
        day = day_key(row.sent_at);
        found.push({ kind: 'day', key: `day ${day}`, text: day_name(row.sent_at) });
        previous = null;
      }
      if (!divided && row.kind !== 'system' && row.sender_id !== store.me && row.seq > divider_after) {
        divided = true;
        found.push({ kind: 'divider', key: 'divider' });
        previous = null;
      }
      const item = row.kind === 'system' ? { kind: 'system', key: row.seq, text: system_words(row) } : message_item(row);
      const joins = previous?.kind === 'message' && item.kind === 'message' && previous.sender_id === item.sender_id
        && new Date(row.sent_at) - new Date(previous.sent_at) < kRunMs;
      if (item.kind === 'message') {
        item.first = !joins;
        item.last = true;
        if (joins) previous.last = false;
      }
      found.push(item);
      previous = item;
    }
    return found;
  }

  function message_item(row) {
    const mine = row.sender_id === store.me;
    const mark = !mine ? null : row.error ? 'failed' : row.pending ? 'waiting' : store.mark_of(conversation, row);
    const answered = row.reply_to ? conversation.timeline.rows.get(row.reply_to) : null;
    return {
      kind: 'message', key: mine && row.client_id ? `mine ${row.client_id}` : row.seq, seq: row.seq, row, mine, mark,
      sender_id: row.sender_id, sender: store.name_of(row.sender_id), sent_at: row.sent_at,
      named: !mine && conversation.kind !== 'direct', menu: row.seq !== undefined && row.seq === menu_of,
      quote: row.reply_to ? { who: answered ? store.name_of(answered.sender_id) : '',
                              text: answered?.deleted_at ? 'Message deleted' : answered?.content ?? 'An earlier message' } : null,
      reactions: Object.entries(row.reactions ?? {}).map(([emoji, users]) => ({
        emoji, count: users.length, mine: users.includes(store.me), who: users.map((user) => store.name_of(user)).join(', ') })),
    };
  }

  function system_words({ event, sender_id, user_id, role, content }) {
    const who = sender_id === store.me ? 'You' : store.name_of(sender_id);
    const whom = user_id === store.me ? 'you' : user_id ? store.name_of(user_id) : '';
    switch (event) {
      case 'member.added': return sender_id === user_id || !sender_id ? `${user_id === store.me ? 'You' : whom} joined` : `${who} added ${whom}`;
      case 'member.removed': return sender_id === user_id || !sender_id ? `${user_id === store.me ? 'You' : whom} left` : `${who} removed ${whom}`;
      case 'conversation.renamed': return `${who} named the conversation “${content}”`;
      case 'role.changed': return `${who} made ${whom} ${role === 'owner' ? 'the owner' : role === 'admin' ? 'an admin' : 'a member'}`;
      default: return '';
    }
  }

  // ---- building ----

  function build(item) {
    switch (item.kind) {
      case 'day': return h('li', { class: 'day' }, h('span', {}, item.text));
      case 'divider': return h('li', { class: 'divider' }, h('span', {}, 'New'));
      case 'system': return h('li', { class: 'system' }, item.text);
      default: return message(item);
    }
  }

  function message(item) {
    const { row, mine, mark } = item;
    const classes = ['message', mine ? 'mine' : 'theirs', item.first && 'first', item.last && 'last',
                     item.menu && 'menu-open', row.deleted_at && 'deleted'].filter(Boolean).join(' ');
    return h('li', { class: classes, tabindex: '-1', data: { seq: String(row.seq ?? ''), ...(mark ? { mark } : {}) } },
      item.named ? h('span', { class: 'gutter' }, item.last ? avatar(item.sender) : null) : null,
      h('div', { class: 'column' },
        h('div', { class: 'bubble' },
          item.named && item.first ? h('span', { class: `sender tint-${hue_of(item.sender)}` }, item.sender) : h('span', { class: 'unseen' }, `${mine ? 'You' : item.sender}: `),
          item.quote ? h('blockquote', {}, h('strong', {}, item.quote.who), h('span', {}, item.quote.text)) : null,
          h('span', { class: 'text' }, row.deleted_at ? 'Message deleted' : words_of(row)),
          h('span', { class: 'meta' },
            row.edited_at && !row.deleted_at ? h('span', {}, 'edited') : null,
            h('time', { datetime: row.sent_at, title: full_time(row.sent_at) }, clock_time(row.sent_at)),
            mark ? mark_of(mark) : null)),
        row.error ? failed(row) : null,
        item.reactions.length > 0 ? h('div', { class: 'reactions' }, item.reactions.map((each) => reaction(item, each))) : null,
        row.pending || row.deleted_at ? null : menu(item)));
  }

  function words_of(row) {
    if (row.content) return linked(row.content);
    return `[${row.kind ?? 'attachment'}]`;
  }

  function mark_of(mark) {
    const [name, label] = kMarks[mark];
    return h('span', { class: `mark ${mark}`, role: 'img', title: label, aria: { label } }, icon(name));
  }

  function reaction({ row }, { emoji, count, mine, who }) {
    return h('button', { type: 'button', class: mine ? 'reaction mine' : 'reaction', title: who,
                         aria: { pressed: String(mine), label: `${emoji} ${count}: ${who}` },
                         on: { click: () => quietly(client.react(conversation, row, emoji)) } },
      emoji, count > 1 ? h('span', {}, String(count)) : null);
  }

  function failed({ client_id, error }) {
    return h('div', { class: 'failed' }, h('span', {}, error),
      h('button', { type: 'button', class: 'link', on: { click: () => outbox.retry(client_id) } }, 'Try again'),
      h('button', { type: 'button', class: 'link', on: { click: () => outbox.discard(client_id) } }, 'Discard'));
  }

  // One button per message; its menu stands beside the bubble while it is open.
  function menu({ row, mine, menu: is_open }) {
    const more = h('button', { type: 'button', class: 'more', aria: { label: 'Message actions', expanded: String(is_open) },
                               on: { click: () => toggle_menu(row.seq) } }, icon('more'));
    if (!is_open) return more;
    const then = (go) => () => { toggle_menu(row.seq); go(); };
    const entry = (name, label, go) => h('button', { type: 'button', role: 'menuitem', on: { click: go } }, icon(name), label);
    let sure = false;
    const remove = entry('trash', 'Delete', () => {
      if (sure) return then(() => quietly(client.remove(conversation, row.seq)))();
      sure = true;
      remove.lastChild.textContent = 'Delete for all?';
    });
    return h('div', { class: 'menu', role: 'menu', on: { keydown: menu_keys } },
      h('div', { class: 'emoji' }, kEmoji.map((emoji) => h('button', { type: 'button', role: 'menuitem', aria: { label: `React ${emoji}` },
        on: { click: then(() => quietly(client.react(conversation, row, emoji))) } }, emoji))),
      entry('reply', 'Reply', then(() => reply(conversation, row))),
      mine && row.content ? entry('edit', 'Edit', then(() => edit(conversation, row))) : null,
      mine ? remove : null);
  }

  function toggle_menu(seq) {
    menu_of = menu_of === seq ? null : seq;
    draw();
    if (menu_of === null) return list.querySelector(`[data-seq="${seq}"] .more`)?.focus({ preventScroll: true });
    const opened = list.querySelector('.menu');
    if (!opened) return;
    const low = opened.closest('li').getBoundingClientRect().top - scroller.getBoundingClientRect().top < opened.offsetHeight + 12;
    opened.classList.toggle('below', low);
    opened.querySelector('button').focus({ preventScroll: true });
    opened.scrollIntoView({ block: 'nearest' });
  }

  function menu_keys(event) {
    if (event.key === 'Escape') toggle_menu(menu_of);
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const buttons = [...event.currentTarget.querySelectorAll('button')];
    buttons[(buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length].focus();
  }

  // A click elsewhere closes the menu; on a touch screen a tap on a bubble opens its own.
  function clicked({ target }) {
    if (target.closest('.menu, .more')) return;
    if (menu_of !== null) return toggle_menu(menu_of);
    if (target.closest('a, button') || !target.closest('.bubble') || !matchMedia('(hover: none)').matches) return;
    if (getSelection()?.isCollapsed === false) return;
    target.closest('.message').querySelector('.more')?.click();
  }
  element.addEventListener('click', clicked);

  // Up and down go from message to message, Enter opens what can be done with one.
  function arrows(event) {
    if (event.target.closest('.menu')) return;
    if (event.key === 'Enter' && event.target.matches('.message')) return event.target.querySelector('.more')?.click();
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const all = [...list.querySelectorAll('.message')];
    const at = all.indexOf(event.target.closest('.message'));
    (at < 0 ? all.at(-1) : all[at + step])?.focus();
  }

  function quietly(promise) { promise.catch(() => {}); }   // the log shows what has happened, and what has not

  // ---- drawing ----

  function draw() {
    if (!conversation) return;
    const from_end = scroller.scrollHeight - scroller.scrollTop;
    const first = list.firstElementChild?.dataset.key;
    const oldest = list.querySelector('.message, .system')?.dataset.key;
    reconcile(list, items(), { key: (item) => item.key, signature: (item) => JSON.stringify(item), build });
    list.classList.toggle('loading', conversation.timeline.loading);
    const grew_above = first !== undefined && oldest !== list.querySelector('.message, .system')?.dataset.key;
    if (stays_at_end) scroller.scrollTop = scroller.scrollHeight;
    else if (grew_above) scroller.scrollTop = scroller.scrollHeight - from_end;
    down.hidden = stays_at_end;
    if (conversation.opened && !conversation.timeline.complete && scroller.scrollHeight <= scroller.clientHeight + kLoadOlderPx) {
      client.load_older(conversation);
    }
  }

  return {
    element, show, draw, is_at_end,
    to_end() {
      divider_after = null;   // whoever answers has seen what is new
      draw();
      to_end();
    },
  };
}
