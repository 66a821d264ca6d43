// The first thing a newcomer sees: sign in, or make an account.

import { Account } from './account.js';
import { h } from './dom.js';

const kModes = {
  login: { title: 'Welcome back', button: 'Sign in', complete: 'current-password',
           other: 'New here?', switch: 'Create an account' },
  register: { title: 'Create your account', button: 'Create account', complete: 'new-password',
              other: 'Have an account?', switch: 'Sign in' },
};

export function sign_in_view({ words, entered }) {
  let mode = 'register';
  try {
    mode = localStorage.getItem('uproar.known') ? 'login' : 'register';
  } catch { /* a stranger, then */ }

  const title = h('h1');
  const name = h('input', { id: 'name', name: 'username', required: true, minlength: 3, maxlength: 32,
                            autocomplete: 'username', autocapitalize: 'none', spellcheck: 'false',
                            placeholder: 'ada' });
  const password = h('input', { id: 'password', name: 'password', type: 'password', required: true, minlength: 8,
                                maxlength: 128, placeholder: 'at least 8 characters' });
  const problem = h('p', { class: 'problem', role: 'alert' }, words);
  const submit = h('button', { class: 'primary', type: 'submit' });
  const other = h('span');
  const change = h('button', { class: 'link', type: 'button', on: { click: toggle } });

  function show(next) {
    mode = next;
    const text = kModes[mode];
    title.textContent = text.title;
    submit.textContent = text.button;
    password.autocomplete = text.complete;
    other.textContent = text.other;
    change.textContent = text.switch;
  }

  function toggle() {
    problem.textContent = '';
    show(mode === 'login' ? 'register' : 'login');
    name.focus();
  }

  function words_for(error) {
    if (mode === 'register' && error.code === 'name_taken') return 'Somebody else has this name. Is it you? Then sign in.';
    if (error.code === 'rate_limited' && error.retry_after_ms > 0)
      return `Too many attempts. Try again in ${Math.ceil(error.retry_after_ms / 1000)} s.`;
    return error.message;
  }

  async function go(event) {
    event.preventDefault();
    submit.disabled = true;
    problem.textContent = '';
    try {
      const account = await Account.enter(mode, name.value.trim(), password.value);
      try {
        localStorage.setItem('uproar.known', '1');
      } catch { /* asked again next time */ }
      entered(account);
    } catch (error) {
      problem.textContent = words_for(error);
      submit.disabled = false;
    }
  }

  show(mode);
  return h('div', { class: 'welcome' },
    h('form', { class: 'card', on: { submit: go } },
      h('img', { class: 'logo', src: '/favicon.svg', alt: '', width: 56, height: 56 }),
      title,
      h('p', { class: 'quiet' }, 'Talk, and know that it arrived.'),
      h('label', { for: 'name' }, 'Name'), name,
      h('label', { for: 'password' }, 'Password'), password,
      problem, submit,
      h('p', { class: 'switch' }, other, ' ', change)),
    h('p', { class: 'hint' }, 'Every tab is a person of its own: open a second one to talk to yourself.'));
}
