import { Caller, all_do, sleep } from './http.mjs';

const kPassword = 'correct horse';
const kAddresses = 50;
const kAtOnce = 2;    // of each address: more than may wait
const kPauseMs = 30;
const kLogins = 5;
// A few are being hashed already, one in eight has its turn before a login, and answers may pass each other on their way.
const kBeforeLoginMax = 16;

// More registrations than two threads can hash: does a login wait behind those that came before it?
export default {
  title: '50 addresses register more accounts than can be hashed',
  weakness: 'registration_flood',

  prepare: async ({ server }) => {
    const made = await server.rest('POST', '/api/v1/register', { body: { name: 'alice', password: kPassword } });
    if (made.status !== 201) throw new Error(made.text);
  },

  async attack({ port, goes_on }) {
    const flood = Array.from({ length: kAddresses }, (_, i) => new Caller(port, `127.0.3.${i + 1}`, kAtOnce));
    let next = 0;
    const answers = {};
    const register = async (caller) => {
      const { status } = await caller.post('/api/v1/register', { name: `sybil-${next++}`, password: kPassword });
      answers[status] = (answers[status] ?? 0) + 1;
    };
    const alice = new Caller(port, '127.0.0.1');
    const logins = [];
    const owner = async () => {
      for (let i = 0; i < kLogins; ++i) {
        await sleep(400);
        const before = answers[201] ?? 0;
        const { status } = await alice.post('/api/v1/login', { name: 'alice', password: kPassword });
        logins.push({ status, before: (answers[201] ?? 0) - before });
      }
    };
    await Promise.all([all_do(flood.flatMap((caller) => Array(kAtOnce).fill(caller)), goes_on, kPauseMs, register), owner()]);
    const sent_bytes = flood.reduce((sum, caller) => sum + caller.bytes_sent, 0);
    for (const caller of [...flood, alice]) caller.destroy();
    return { sent_bytes, answers, logins };
  },

  judge: ({ result: { answers, logins } }) => [
    ['alice\'s logins are answered', logins.length === kLogins && logins.every(({ status }) => status === 200),
      `answered ${logins.map(({ status }) => status)}`],
    [`each before ${kBeforeLoginMax} of the registrations that were there before it`, logins.every(({ before }) => before <= kBeforeLoginMax),
      `${logins.map(({ before }) => before)} of ${answers[201]}`],
    ['there was a flood', (answers[503] ?? 0) > 0 && answers[201] > 0, JSON.stringify(answers)],
  ],
};
