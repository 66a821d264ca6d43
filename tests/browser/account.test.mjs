// How the page renews its tokens over a bad line: what is fetched, and how long it waits, is the test's.

import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

let fetched;   // bodies, in the order in which they were said
let answers;   // of each: (signal) => a response
let waits;     // {ms, end}: as long as an answer may take

globalThis.fetch = async (path, { body, signal }) => {
  fetched.push(JSON.parse(body));
  return answers.shift()(signal);
};
AbortSignal.timeout = (ms) => {
  const controller = new AbortController();
  waits.push({ ms, end: () => controller.abort() });
  return controller.signal;
};

const { Account } = await import(new URL('../../core/gateway/page/account.js', import.meta.url));

const kGraceMs = 30_000;   // in which a refresh token is taken a second time

const says = (body, status = 200) => () => ({ ok: status < 300, status, json: async () => body });
const is_cut = (status = 200) => () => ({ ok: status < 300, status, json: async () => { throw new SyntaxError('the end came too soon'); } });
const never_comes = (signal) => new Promise((_, reject) => { signal.addEventListener('abort', () => reject(signal.reason)); });
const kNext = { access_token: 'a2', refresh_token: 'r2', expires_in: 900 };

let account;

beforeEach(() => {
  fetched = [];
  answers = [];
  waits = [];
  account = new Account({ access_token: 'a1', refresh_token: 'r1', expires_in: 900, expires_at: 0 });
});

// The tokens are as they were, and the next try says the same one.
async function tries_again() {
  assert.equal(account.signed_in.refresh_token, 'r1');
  answers.push(says(kNext));
  await account.renew();
  assert.deepEqual(fetched, [{ refresh_token: 'r1' }, { refresh_token: 'r1' }]);
  assert.equal(account.signed_in.refresh_token, 'r2');
}

test('an answer that is cut off is none', async () => {
  answers.push(is_cut());
  await assert.rejects(account.renew(), { code: 'connection_lost', status: 0 });
  await tries_again();
});

test('an answer that does not come is given up while the token is good a second time', async () => {
  answers.push(never_comes);
  const renewal = account.renew();
  await Promise.resolve();
  assert.equal(waits.length, 1);
  assert.ok(waits[0].ms <= kGraceMs / 2, `${waits[0].ms} ms`);
  waits[0].end();
  await assert.rejects(renewal, { code: 'connection_lost', status: 0 });
  await tries_again();
});

test('a refusal without our words keeps its status', async () => {
  answers.push(is_cut(502));
  await assert.rejects(account.renew(), { code: 'internal', status: 502 });
  await tries_again();
});

test('two who need a token at once ask once', async () => {
  answers.push(says(kNext));
  assert.deepEqual(await Promise.all([account.token(), account.token()]), ['a2', 'a2']);
  assert.equal(fetched.length, 1);
});
