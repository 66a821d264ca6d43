import { Caller, all_do, sleep } from './http.mjs';

const kPassword = 'correct horse';
const kAddresses = 50;
const kLogins = 3;
const kPauseMs = 20;   // up to 150,000 guesses a minute

async function timed(work) {
  const began = performance.now();
  const { status } = await work();
  return { status, ms: Math.round(performance.now() - began) };
}

// Who guesses alice's password keeps alice out.
export default {
  title: '50 addresses guess one account\'s password, thousands of times a second',
  weakness: 'guessing_locks_owner',

  prepare: async ({ server }) => {
    const made = await server.rest('POST', '/api/v1/register', { body: { name: 'alice', password: kPassword } });
    if (made.status !== 201) throw new Error(made.text);
    const calm = [];
    for (let i = 0; i < kLogins; ++i)
      calm.push(await timed(() => server.rest('POST', '/api/v1/login', { body: { name: 'alice', password: kPassword } })));
    return { calm_ms: calm.map(({ ms }) => ms) };
  },

  async attack({ port, prepared, goes_on }) {
    const guessers = Array.from({ length: kAddresses }, (_, i) => new Caller(port, `127.0.2.${i + 1}`));
    const guesses = {};
    const guess = async (caller, i) => {
      const { status } = await caller.post('/api/v1/login', { name: 'alice', password: `guess ${i} ${caller.bytes_sent}` });
      guesses[status] = (guesses[status] ?? 0) + 1;
    };
    // From where she has been before, without a cookie.
    const alice = new Caller(port, '127.0.0.1');
    const logins = [];
    const owner = async () => {
      for (let i = 0; i < kLogins; ++i) {
        await sleep(700);
        logins.push(await timed(() => alice.post('/api/v1/login', { name: 'alice', password: kPassword })));
      }
    };
    await Promise.all([all_do(guessers, goes_on, kPauseMs, guess), owner()]);
    const sent_bytes = guessers.reduce((sum, caller) => sum + caller.bytes_sent, 0);
    for (const caller of [...guessers, alice]) caller.destroy();
    return { sent_bytes, guesses, logins, calm_ms: prepared.calm_ms };
  },

  judge: ({ result: { guesses, logins, calm_ms } }) => [
    ['alice logs in from her address', logins.length === kLogins && logins.every(({ status }) => status === 200),
      `answered ${logins.map(({ status, ms }) => `${status} in ${ms} ms`)}; before in ${calm_ms} ms`],
    ['her password was guessed at and few guesses were looked at', guesses[429] > 0 && (guesses[401] ?? 0) <= 100, JSON.stringify(guesses)],
  ],
};
