import http from 'node:http';

import { kAttackerAddress } from './raw.mjs';

const kAtOnce = 4;    // lines of guessing beside each other
const kPauseMs = 10;   // some 1,000 guesses in all: what counts is how many are looked at, not how fast they come
// --logins-per-address is 60 a minute, 30 at once: in the seconds of the attack some more fall due, no second burst.
const kBurst = 30;
const kPerSecond = 1;

// One guess, as whoever the headers name. -> the status
function guess(port, agent, from) {
  const body = '{"refresh_token":"a guess"}';
  const headers = { 'content-type': 'application/json', 'content-length': body.length, 'x-forwarded-for': from, forwarded: `for=${from}`,
                    'x-real-ip': from };
  return new Promise((resolve, reject) => {
    const asked = http.request({ host: '127.0.0.1', port, path: '/api/v1/refresh', method: 'POST', agent, headers, localAddress: kAttackerAddress },
                               (answer) => { answer.resume(); answer.on('end', () => resolve(answer.statusCode)); });
    asked.on('error', reject);
    asked.end(body);
  });
}

// Whoever is believed to be somebody else at each request has as many allowances as there are addresses.
export default {
  title: 'guessing with another X-Forwarded-For each time',
  weakness: 'forged_forwarded',

  async attack({ port, goes_on }) {
    const agent = new http.Agent({ keepAlive: true, maxSockets: kAtOnce });
    const statuses = {};
    let guesses = 0;
    const began_at = performance.now();
    await Promise.all(Array.from({ length: kAtOnce }, async () => {
      while (goes_on()) {
        const n = ++guesses;
        const status = await guess(port, agent, `203.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`);
        statuses[status] = (statuses[status] ?? 0) + 1;
        await new Promise((resolve) => { setTimeout(resolve, kPauseMs); });
      }
    }));
    agent.destroy();
    return { sent_bytes: guesses * 350, guesses, statuses, seconds: (performance.now() - began_at) / 1000 };
  },

  judge({ result }) {
    const { 401: looked_at = 0, 429: limited = 0 } = result.statuses;
    const allowed = kBurst + Math.ceil(result.seconds * kPerSecond);
    return [['guesses are limited by the address that they come from', looked_at <= allowed && looked_at > 0 && limited > 0,
             `${looked_at} of ${result.guesses} were looked at, ${allowed} may be, in ${result.seconds.toFixed(1)} s; ${JSON.stringify(result.statuses)}`]];
  },
};
