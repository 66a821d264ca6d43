// Making a group, and looking after one.

import { h, icon, avatar } from './dom.js';
import { last_seen } from './format.js';

// A dialog that removes itself. `build(close)` gives its content.
function dialog(title, build) {
  const element = h('dialog', { class: 'card', aria: { label: title } });
  const close = () => element.close();
  element.append(
    h('header', {}, h('h2', {}, title),
      h('button', { type: 'button', class: 'icon-button', aria: { label: 'Close' }, on: { click: close } }, icon('close'))),
    ...build(close));
  element.addEventListener('close', () => element.remove());
  element.addEventListener('click', (event) => { if (event.target === element) close(); });   // the backdrop
  document.body.append(element);
  element.showModal();
  return element;
}

// A field that turns names into people, one by one.
function people_field(client, { added, problem }) {
  const field = h('input', { placeholder: 'Add people: a name, then Enter', maxlength: 32, autocomplete: 'off', autocapitalize: 'none',
                             spellcheck: 'false', aria: { label: 'Add a person by name' }, on: { keydown: keys } });
  async function take() {
    const name = field.value.trim().toLowerCase();
    if (name === '') return true;
    problem.textContent = '';
    try {
      const user = await client.find_user(name);
      if (user) {
        field.value = '';
        await added(user);
        return true;
      }
      problem.textContent = `Nobody is called “${name}” here.`;
    } catch (error) {
      problem.textContent = error.message;
    }
    return false;
  }
  function keys(event) {
    if (event.key !== 'Enter' || field.value.trim() === '') return;
    event.preventDefault();
    take();
  }
  return { field, take };
}

export function group_dialog(client, { done }) {
  dialog('New group', (close) => {
    const people = new Map();
    const name = h('input', { placeholder: 'Name of the group', required: true, maxlength: 60, aria: { label: 'Name of the group' } });
    const chips = h('ul', { class: 'chips' });
    const problem = h('p', { class: 'problem', role: 'alert' });
    const { field, take } = people_field(client, { problem, added: (user) => {
      if (user.user_id !== client.account.user_id) people.set(user.user_id, user.name);
      draw();
    } });

    function draw() {
      chips.replaceChildren(...[...people].map(([id, each]) => h('li', {}, avatar(each), each,
        h('button', { type: 'button', aria: { label: `Remove ${each}` }, on: { click: () => {
          people.delete(id);
          draw();
        } } }, icon('close')))));
    }

    async function go(event) {
      event.preventDefault();
      if (!await take()) return;
      try {
        const conversation = await client.create('group', [...people.keys()], name.value.trim());
        close();
        done(conversation);
      } catch (error) {
        problem.textContent = error.message;
      }
    }

    return [h('form', { on: { submit: go } }, name, field, chips, problem,
      h('button', { class: 'primary', type: 'submit' }, 'Create group'))];
  });
}

export function members_dialog(client, conversation, { left }) {
  const { store } = client;
  dialog(store.title_of(conversation), (close) => {
    const problem = h('p', { class: 'problem', role: 'alert' });
    const list = h('ul', { class: 'members' });
    const may_manage = conversation.role === 'owner' || conversation.role === 'admin';

    function draw() {
      list.replaceChildren(...[...conversation.members].map(([id, member]) => {
        const state = id === store.me ? { status: 'online' } : store.presence.get(id);
        const online = state?.status === 'online';
        return h('li', {}, avatar(store.name_of(id), online ? 'online' : null),
          h('span', { class: 'grow' }, h('strong', {}, id === store.me ? `${store.name_of(id)} (you)` : store.name_of(id)),
            h('span', { class: 'quiet' }, online ? 'Online' : state ? last_seen(state.last_online) : '')),
          member.role !== 'member' ? h('span', { class: 'role' }, member.role) : null);
      }));
    }

    const { field } = people_field(client, { problem, added: async ({ user_id }) => {
      await client.add_members(conversation, [user_id]);
      draw();
    } });

    async function leave() {
      try {
        await client.leave(conversation);
        close();
        left();
      } catch (error) {
        problem.textContent = error.message;
      }
    }

    draw();
    client.addEventListener('changed', draw);
    queueMicrotask(() => list.closest('dialog').addEventListener('close', () => client.removeEventListener('changed', draw)));
    return [list, may_manage ? field : null, problem,
      h('button', { type: 'button', class: 'danger', on: { click: leave } }, 'Leave this group')].filter(Boolean);
  });
}
