import { randomBytes } from 'node:crypto';

import { Caller, all_do, sleep } from './http.mjs';
import { RawSocket } from './raw.mjs';

const kPassword = 'correct horse';
const kOpeningsPerSecond = 20;   // so few that a flood of one process is more than that
const kGuessers = 4;             // addresses
const kAtOnce = 2;               // of each
const kPauseMs = 10;
const kBurst = 30;               // --logins-per-address is 60 a minute, 30 at once
const kPerSecond = 1;
const kTicketAddresses = 16;     // so many that what one of them may do in a second lasts for it
const kLogins = 3;

const secret = () => randomBytes(32).toString('base64url');

// Refresh tokens and tickets that nobody was given. A refresh is looked up in the store, so an address has few of them. A ticket
// is a look at a table behind a handshake of which an address has 200 a second (handshakes_per_address): what it must not
// cost is the place of those who come with a real one.
export default {
  title: 'refresh tokens and tickets by guessing',
  weakness: ['refresh_flood', 'ticket_flood'],
  flags: { 'openings-per-second': String(kOpeningsPerSecond) },
  seconds: 4,

  prepare: async ({ server }) => {
    const made = await server.rest('POST', '/api/v1/register', { body: { name: 'alice', password: kPassword } });
    if (made.status !== 201) throw new Error(made.text);
  },

  async attack({ port, goes_on }) {
    const began_at = performance.now();
    const callers = Array.from({ length: kGuessers }, (_, i) => new Caller(port, `127.0.6.${i + 1}`, kAtOnce));
    const statuses = {};
    const guess = async (caller) => {
      const { status } = await caller.post('/api/v1/refresh', { refresh_token: secret() });
      statuses[status] = (statuses[status] ?? 0) + 1;
    };
    let tickets = 0;
    let ticket_bytes = 0;
    const present = async (local) => {
      while (goes_on()) {
        const raw = await RawSocket.upgrade(port, { local, path: `/ws?ticket=0000${secret()}` });
        if (raw.is_upgraded) ++tickets;
        await raw.until(() => raw.close_frame() !== undefined);
        ticket_bytes += raw.bytes_sent;
        raw.destroy();
      }
    };
    await Promise.all([
      all_do(callers.flatMap((caller) => Array(kAtOnce).fill(caller)), goes_on, kPauseMs, guess),
      ...Array.from({ length: kTicketAddresses }, (_, i) => present(`127.0.6.${101 + i}`)),
    ]);
    const sent_bytes = callers.reduce((sum, caller) => sum + caller.bytes_sent, ticket_bytes);
    for (const caller of callers) caller.destroy();
    return { sent_bytes, statuses, tickets, seconds: (performance.now() - began_at) / 1000 };
  },

  // Somebody honest logs in and opens a session with the ticket that they are given.
  async meanwhile({ server }) {
    const logins = [];
    for (let i = 0; i < kLogins; ++i) {
      await sleep(700);
      const { status, body } = await server.rest('POST', '/api/v1/login', { body: { name: 'alice', password: kPassword } });
      const opened = await server.connect({ ticket: body?.ticket ?? '' }).then(() => 'ready', (error) => error.message.split('\n')[0]);
      logins.push(`${status} ${opened}`);
    }
    return { logins };
  },

  judge({ result, meanwhile }) {
    const { 401: looked_at = 0, 429: limited = 0 } = result.statuses;
    const allowed = kGuessers * (kBurst + Math.ceil(result.seconds * kPerSecond));
    return [
      ['refreshes are limited by the address that they come from', looked_at > 0 && looked_at <= allowed && limited > 0,
        `${looked_at} were looked at, ${allowed} may be, in ${result.seconds.toFixed(1)} s; ${JSON.stringify(result.statuses)}`],
      ['who logs in gets in with the ticket', meanwhile.logins.every((how) => how === '200 ready'), meanwhile.logins.join(', ')],
      ['there was a flood of tickets', result.tickets > kOpeningsPerSecond * result.seconds, `${result.tickets} presented`],
    ];
  },
};
