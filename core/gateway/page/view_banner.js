// How the connection is doing: a word that is always there, and a banner while something is wrong.

import { h } from './dom.js';

const kUpToDateMs = 1800;

export function banner_view(client) {
  const words = h('span', { role: 'status' });
  const again = h('button', { type: 'button', class: 'link', on: { click: () => client.connection.connect() } }, 'Try now');
  const element = h('div', { class: 'banner', hidden: true }, words, again);
  const state = h('span', { class: 'state' });
  let good_until = 0;
  let was_bad = false;
  let shown = '';

  function draw() {
    const { phase, connection } = client;
    const seconds = Math.max(0, Math.ceil((connection.retry_at - Date.now()) / 1000));
    const offline = navigator.onLine === false;
    const bad = phase === 'waiting' || phase === 'stopped' || (phase === 'connecting' && (was_bad || client.was_live));
    if (bad) was_bad = true;
    if (phase === 'live' && was_bad) {
      was_bad = false;
      good_until = Date.now() + kUpToDateMs;
      setTimeout(draw, kUpToDateMs + 20);
    }
    const good = phase === 'live' && Date.now() < good_until;
    const text = {
      connecting: 'Reconnecting…',
      waiting: offline ? 'You are offline. What you write is kept and sent later.'
        : seconds > 1 ? `Connection lost. Trying again in ${seconds} s` : 'Connection lost. Reconnecting…',
      resuming: 'Catching up…',
      stopped: connection.words,
      live: 'Up to date',
    }[phase];
    const visible = bad || good || (phase === 'resuming' && was_bad);
    element.hidden = !visible;
    element.dataset.phase = phase;
    if (visible && text !== shown) words.textContent = shown = text;   // the same words are not read out twice
    if (!visible) words.textContent = shown = '';
    again.hidden = !(phase === 'waiting' || phase === 'stopped');
    state.dataset.phase = phase;
    state.textContent = { connecting: 'connecting', waiting: 'offline', resuming: 'catching up', stopped: 'offline',
                          live: 'online' }[phase];
  }

  const clock = setInterval(() => { if (client.phase === 'waiting') draw(); }, 500);
  return { element, state, draw, close: () => clearInterval(clock) };
}
