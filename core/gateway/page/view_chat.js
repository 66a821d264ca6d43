// The signed-in page: list on the left, one conversation on the right; on a phone one of the two at a time.
// Which conversation is open stands in the address (#c/<id>), so back, reload and a bookmark do what one expects.

import { h, icon, avatar } from './dom.js';
import { banner_view } from './view_banner.js';
import { conversations_view } from './view_conversations.js';
import { conversation_view } from './view_conversation.js';
import { group_dialog } from './view_dialogs.js';

export function chat_view(client, { sign_out }) {
  const { store } = client;
  const open = (id) => { location.hash = id ? `c/${id}` : ''; };
  const banner = banner_view(client);
  const list = conversations_view(client, { open });
  const pane = conversation_view(client, { close: () => open(null) });

  const new_group = () => group_dialog(client, { done: (conversation) => open(conversation.id) });
  const header = h('header', { class: 'bar' },
    h('img', { src: '/favicon.svg', alt: '', width: 30, height: 30 }),
    h('h1', {}, 'Uproar'),
    h('button', { class: 'icon-button', type: 'button', title: 'New group', aria: { label: 'New group' },
                  on: { click: new_group } }, icon('people')),
    h('button', { class: 'icon-button', type: 'button', title: 'Sign out', aria: { label: 'Sign out' },
                  on: { click: sign_out } }, icon('leave')));
  const myself = h('footer', { class: 'myself' },
    avatar(client.account.name),
    h('span', { class: 'grow' }, h('strong', {}, client.account.name)), banner.state);

  const empty_title = h('h2');
  const empty = h('section', { class: 'pane empty' },
    h('img', { src: '/favicon.svg', alt: '', width: 72, height: 72 }),
    empty_title,
    h('p', {}, 'Type a name on the left to start a conversation. Alone here? Open this page in a second tab and sign in as somebody else.'));
  const element = h('div', { class: 'chat' },
    h('nav', { class: 'side', aria: { label: 'Conversations' } }, header, list.element, myself),
    h('div', { class: 'stage' }, banner.element, empty, pane.element));

  function current() { return store.conversations.get(location.hash.replace(/^#c\//, '')) ?? null; }

  function draw() {
    const conversation = current();
    element.dataset.open = conversation ? 'conversation' : 'list';
    empty.hidden = Boolean(conversation);
    empty_title.textContent = store.conversations.size > 0 ? 'Pick a conversation' : 'Nobody is shouting yet';
    pane.element.hidden = !conversation;
    list.draw(conversation?.id);
    banner.draw();
    pane.draw(conversation);
    let unread = 0;
    for (const each of store.conversations.values()) unread += each.unread;
    document.title = unread > 0 ? `(${unread}) Uproar` : 'Uproar';
  }

  addEventListener('hashchange', draw);
  addEventListener('focus', draw);
  document.addEventListener('visibilitychange', draw);
  client.addEventListener('changed', draw);
  const clock = setInterval(draw, 30_000);   // "5 min ago" moves on
  draw();

  return {
    element,
    close() {
      clearInterval(clock);
      removeEventListener('hashchange', draw);
      removeEventListener('focus', draw);
      document.removeEventListener('visibilitychange', draw);
      client.removeEventListener('changed', draw);
      banner.close();
    },
  };
}
