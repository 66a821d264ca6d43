// The list of conversations, and the field above it that finds one or starts one.

import { h, icon, avatar, reconcile } from './dom.js';
import { list_time, listed } from './format.js';

const kName = /^[a-z0-9](?:[a-z0-9]|[_.-](?=[a-z0-9])){1,30}[a-z0-9]$/;

export function conversations_view(client, { open }) {
  const { store } = client;
  const field = h('input', { type: 'search', class: 'find', placeholder: 'Find, or write to somebody by name',
                             autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false', maxlength: 64,
                             aria: { label: 'Find a conversation, or a person by name' },
                             on: { input: changed, keydown: keys } });
  const start = h('button', { type: 'button', class: 'start', hidden: true, on: { click: begin } });
  const problem = h('p', { class: 'problem', role: 'alert' });
  const list = h('ul', { class: 'conversations', on: { keydown: arrows } });
  const nothing = h('p', { class: 'nothing' });
  let opened = null;

  function wanted() { return field.value.trim().toLowerCase(); }

  function changed() {
    problem.textContent = '';
    draw(opened);
  }

  function keys(event) {
    if (event.key === 'Escape') field.value = '';
    if (event.key === 'Escape') changed();
    if (event.key === 'ArrowDown') list.querySelector('button')?.focus();
    if (event.key !== 'Enter' || wanted() === '') return;
    const found = matching();
    if (found.length > 0) enter(found[0].id);
    else begin();
  }

  function arrows(event) {
    const step = { ArrowDown: 'nextElementSibling', ArrowUp: 'previousElementSibling' }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = event.target.closest('li')?.[step];
    (next?.querySelector('button') ?? (step === 'previousElementSibling' ? field : null))?.focus();
  }

  function enter(id) {
    field.value = '';
    changed();
    open(id);
  }

  async function begin() {
    const name = wanted();
    problem.textContent = '';
    if (!kName.test(name)) {
      problem.textContent = 'A name has 3 to 32 letters, digits or . _ -';
      return;
    }
    try {
      const user = await client.find_user(name);
      if (!user) problem.textContent = `Nobody is called “${name}” here.`;
      else enter((await client.create('direct', [user.user_id])).id);
    } catch (error) {
      problem.textContent = error.message;
    }
  }

  function matching() {
    const text = wanted();
    return store.sorted().filter((each) => store.title_of(each).toLowerCase().includes(text));
  }

  function preview_of(conversation) {
    const typing = store.typing_in(conversation);
    if (typing.length > 0) {
      return { typing: true, text: conversation.kind === 'direct' ? 'typing…'
        : `${listed(typing.map((user) => store.name_of(user)))} typing…` };
    }
    const waiting = client.outbox.waiting_in(conversation.id).at(-1);
    if (waiting) return { text: `You: ${waiting.content}` };
    const { last } = conversation;
    if (!last) return { text: conversation.kind === 'direct' ? 'Say hello' : 'No messages yet' };
    const text = last.deleted_at ? 'Message deleted' : last.content || `[${last.kind ?? 'attachment'}]`;
    if (last.sender_id === store.me) return { text: `You: ${text}` };
    return { text: conversation.kind === 'direct' ? text : `${store.name_of(last.sender_id)}: ${text}` };
  }

  function facts(conversation) {
    const peer = store.peer_of(conversation);
    const status = peer && peer !== store.me ? store.presence.get(peer)?.status ?? 'unknown' : null;
    const title = store.title_of(conversation);
    const preview = preview_of(conversation);
    const at = conversation.last?.sent_at;
    return { id: conversation.id, peer, status, title, preview, unread: conversation.unread,
             time: at ? list_time(at) : '', open: conversation.id === opened };
  }

  function build({ id, peer, status, title, preview, unread, time, open: is_open }) {
    const dot = status === 'online' ? 'online' : null;
    return h('li', {},
      h('button', { type: 'button', class: 'conversation', data: { id, name: title },
                    aria: is_open ? { current: 'true' } : {}, on: { click: () => enter(id) } },
        avatar(title, dot),
        h('span', { class: 'what' },
          h('span', { class: 'title' }, title, dot ? h('span', { class: 'unseen' }, ', online') : null),
          h('span', { class: preview.typing ? 'preview typing' : 'preview' }, preview.text)),
        h('span', { class: 'side-facts' },
          h('span', { class: 'time' }, time),
          unread > 0 ? h('span', { class: 'badge', aria: { label: `${unread} unread` } }, unread > 99 ? '99+' : String(unread))
            : null)));
  }

  function draw(id) {
    opened = id;
    const found = matching();
    reconcile(list, found.map(facts), { key: (each) => each.id, signature: (each) => JSON.stringify(each), build });
    const name = wanted();
    const known = found.some((each) => each.kind === 'direct' && store.title_of(each).toLowerCase() === name);
    start.hidden = name === '' || known;
    if (!start.hidden) start.replaceChildren(icon('plus'), h('span', {}, 'Write to ', h('strong', {}, name)));
    nothing.hidden = found.length > 0 || name !== '';
    nothing.textContent = client.was_live ? 'No conversations yet. Type somebody’s name above and press Enter.' : '';
  }

  const element = h('div', { class: 'list' },
    h('div', { class: 'find-box' }, icon('search'), field), start, problem, nothing, list);
  return { element, draw };
}
