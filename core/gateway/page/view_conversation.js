// One open conversation: its header, its messages, the composer. Also decides what has been read: what is at the end
// of an open conversation in a visible tab.

import { h, icon, avatar } from './dom.js';
import { last_seen, listed } from './format.js';
import { composer_view } from './view_composer.js';
import { members_dialog } from './view_dialogs.js';
import { messages_view } from './view_messages.js';

export function conversation_view(client, { close }) {
  const { store } = client;
  let conversation = null;

  const face = h('span', { class: 'face' });
  const title = h('h2');
  const subtitle = h('p', { class: 'subtitle' });
  const details = h('button', { type: 'button', class: 'icon-button', title: 'Members', aria: { label: 'Members' },
                                on: { click: () => members_dialog(client, conversation, { left: close }) } }, icon('info'));
  const header = h('header', { class: 'bar' },
    h('button', { type: 'button', class: 'icon-button back', aria: { label: 'Back to the conversations' },
                  on: { click: close } }, icon('back')),
    face, h('div', { class: 'grow' }, title, subtitle), details);
  const composer = composer_view(client);
  const messages = messages_view(client, { edit: composer.edit, reply: composer.reply, at_end: read });
  composer.sent = () => messages.to_end();
  const element = h('section', { class: 'pane', aria: { label: 'Conversation' }, hidden: true },
    header, messages.element, composer.element);

  function read() {
    if (conversation && !document.hidden && messages.is_at_end()) client.read(conversation);
  }

  function subtitle_of() {
    const typing = store.typing_in(conversation);
    if (typing.length > 0) {
      return { text: conversation.kind === 'direct' ? 'typing…'
        : `${listed(typing.map((user) => store.name_of(user)))} ${typing.length > 1 ? 'are' : 'is'} typing…`, kind: 'typing' };
    }
    const peer = store.peer_of(conversation);
    if (peer === store.me) return { text: 'Notes to yourself' };
    if (peer) {
      const state = store.presence.get(peer);
      if (!state) return { text: '' };
      return state.status === 'online' ? { text: 'Online', kind: 'online' } : { text: last_seen(state.last_online) };
    }
    const others = [...conversation.members.keys()];
    const online = others.filter((user) => user !== store.me && store.presence.get(user)?.status === 'online').length;
    const count = Math.max(conversation.member_count, others.length);
    return { text: `${count} ${count === 1 ? 'member' : 'members'}${online > 0 ? `, ${online} online` : ''}` };
  }

  function draw(next) {
    const changed = next?.id !== conversation?.id;
    conversation = next;
    if (!conversation) {
      if (changed) messages.show(null);
      composer.show(null);
      return;
    }
    const name = store.title_of(conversation);
    const peer = store.peer_of(conversation);
    const online = peer && peer !== store.me && store.presence.get(peer)?.status === 'online';
    const signature = `${conversation.id} ${name} ${online}`;
    if (face.dataset.signature !== signature) {
      face.dataset.signature = signature;
      face.replaceChildren(avatar(name, online ? 'online' : null));
      title.textContent = name;
    }
    const { text, kind = '' } = subtitle_of();
    if (subtitle.textContent !== text) subtitle.textContent = text;
    subtitle.dataset.kind = kind;
    details.hidden = conversation.kind === 'direct';
    if (changed) messages.show(conversation);
    else messages.draw();
    composer.show(conversation);
    if (!conversation.opened) client.load_older(conversation);
    read();
  }

  return { element, draw };
}
