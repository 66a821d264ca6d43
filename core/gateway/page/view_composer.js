// Where one writes. Enter sends, Shift+Enter breaks the line; the same field edits an earlier message or answers one.

import { h, icon } from './dom.js';

const kContentBytesMax = 16_384;
const kIdleMs = 4000;

export function composer_view(client) {
  const { store } = client;
  let conversation = null;
  let editing = null;    // row
  let replying = null;   // row
  let idle;
  const drafts = new Map();

  const field = h('textarea', { class: 'field', rows: '1', placeholder: 'Write a message', enterkeyhint: 'send',
                                aria: { label: 'Write a message' }, on: { input: typed, keydown: keys, blur: stopped } });
  const send = h('button', { class: 'send', type: 'submit', aria: { label: 'Send' } }, icon('send'));
  const words = h('span', { class: 'grow' });
  const about = h('div', { class: 'about', hidden: true }, words,
    h('button', { type: 'button', class: 'icon-button', aria: { label: 'Cancel' }, on: { click: cancel } }, icon('close')));
  const problem = h('p', { class: 'problem', role: 'alert' });
  const element = h('form', { class: 'composer', on: { submit: go } }, about, problem, h('div', { class: 'line' }, field, send));
  const view = { element, show, edit, reply, sent: () => {} };

  function fit() {
    field.style.height = 'auto';
    field.style.height = `${Math.min(field.scrollHeight + 2, 160)}px`;
    send.disabled = field.value.trim() === '';
  }

  function typed() {
    problem.textContent = '';
    fit();
    clearTimeout(idle);
    if (!conversation || editing) return;
    if (field.value.trim() === '') return stopped();
    client.typing(conversation, true);
    idle = setTimeout(stopped, kIdleMs);
  }

  function stopped() {
    clearTimeout(idle);
    if (conversation) client.typing(conversation, false);
  }

  function keys(event) {
    if (event.isComposing) return;
    if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault();
      go(event);
    } else if (event.key === 'Escape' && (editing || replying)) {
      cancel();
    } else if (event.key === 'ArrowUp' && field.value === '' && !editing) {
      const last = conversation.timeline.sorted().filter((row) => row.sender_id === store.me && row.content && !row.deleted_at).at(-1);
      if (last) {
        event.preventDefault();
        edit(conversation, last);
      }
    }
  }

  async function go(event) {
    event.preventDefault();
    const content = field.value.trim();
    if (content === '' || !conversation) return;
    if (new TextEncoder().encode(content).length > kContentBytesMax) {
      problem.textContent = 'This message is too long: 16 KiB at most.';
      return;
    }
    if (editing) {
      const row = editing;
      if (content === row.content) return cancel();
      try {
        await client.edit(conversation, row.seq, content);
        cancel();
      } catch (error) {
        problem.textContent = error.message;
      }
      return;
    }
    if (!client.send(conversation, content, replying?.seq)) {
      problem.textContent = 'Too many messages are waiting for the connection.';
      return;
    }
    clearTimeout(idle);
    cancel();
    view.sent();
  }

  function cancel() {
    editing = replying = null;
    field.value = '';
    describe();
    fit();
    field.focus();
  }

  function edit(_, row) {
    editing = row;
    replying = null;
    field.value = row.content;
    describe();
    fit();
    field.focus();
  }

  function reply(_, row) {
    if (editing) field.value = '';
    editing = null;
    replying = row;
    describe();
    fit();
    field.focus();
  }

  function describe() {
    const row = editing ?? replying;
    about.hidden = !row;
    problem.textContent = '';
    send.setAttribute('aria-label', editing ? 'Save' : 'Send');
    if (!row) return;
    const who = row.sender_id === store.me ? 'yourself' : store.name_of(row.sender_id);
    words.replaceChildren(h('strong', {}, editing ? 'Edit message' : `Reply to ${who}`),
      h('span', {}, row.content ?? ''));
  }

  function show(next) {
    if (next?.id === conversation?.id) return;
    if (conversation) {
      stopped();
      drafts.set(conversation.id, editing ? '' : field.value);
    }
    conversation = next;
    editing = replying = null;
    field.value = next ? drafts.get(next.id) ?? '' : '';
    describe();
    fit();
    if (next && matchMedia('(hover: hover)').matches) field.focus();   // a phone's keyboard waits until it is wanted
  }

  fit();
  return view;
}
