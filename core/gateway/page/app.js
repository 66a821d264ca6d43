// Starts here: who is signed in decides what is shown.

import { Account } from './account.js';
import { Client } from './client.js';
import { forget } from './keep.js';
import { chat_view } from './view_chat.js';
import { sign_in_view } from './view_sign_in.js';

const root = document.getElementById('root');

function show_sign_in(words = '') {
  document.title = 'Uproar';
  root.replaceChildren(sign_in_view({ words, entered: show_chat }));
  root.querySelector('input')?.focus();
}

function show_chat(account) {
  const client = new Client(account);
  const leave = (words) => {
    view.close();
    client.close();
    forget();
    history.replaceState(null, '', location.pathname);
    show_sign_in(words);
  };
  const view = chat_view(client, {
    sign_out() {
      leave('');
      account.leave();
    },
  });
  client.addEventListener('signed_out', () => leave('Your sign-in has ended. Please sign in again.'));
  root.replaceChildren(view.element);
  client.start();
}

const account = Account.restore();
if (account) show_chat(account);
else show_sign_in();
