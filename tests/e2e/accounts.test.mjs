// Register, login, refresh, logout and tickets.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import { Client } from './client.mjs';
import { Server, use_server } from './server.mjs';

const kPassword = 'correct horse';

describe('accounts', () => {
  const server = use_server(before, after, { shards: 2 });
  const post = (path, body, token) => server().rest('POST', `/api/v1/${path}`, { body, token });
  const is_refused = (answer, status, code) => assert.deepEqual([answer.status, answer.body?.code], [status, code], answer.text);

  it('register gives tokens that work, and the name is taken from then on', async () => {
    const answer = await post('register', { name: 'ada', password: kPassword });
    assert.equal(answer.status, 201);
    const { user_id, name, access_token, token_type, expires_in, refresh_token, ticket, ws_url } = answer.body;
    assert.deepEqual([name, token_type, expires_in, ws_url], ['ada', 'Bearer', 900, server().ws_url]);
    assert.ok(refresh_token.length >= 32 && ticket.length >= 32);
    const me = await server().rest('GET', '/api/v1/me', { token: access_token });
    assert.deepEqual([me.status, me.body.user_id, me.body.name], [200, user_id, 'ada']);
    const client = await server().connect({ token: access_token });
    assert.equal(client.ready.user_id, user_id);
    is_refused(await post('register', { name: 'ADA', password: kPassword }), 409, 'name_taken');
  });

  it('names and passwords have rules', async () => {
    for (const name of ['ab', 'a'.repeat(33), 'with space', '-dash', 'dot.', 'é', '']) {
      const answer = await post('register', { name, password: kPassword });
      assert.equal(answer.status, 400, `${name}: ${answer.text}`);
    }
    for (const password of ['short', 'x'.repeat(129)]) assert.equal((await post('register', { name: 'rules', password })).status, 400);
    is_refused(await post('register', { name: 'rules' }), 400, 'missing_field');
    is_refused(await post('register', { name: 3, password: kPassword }), 400, 'invalid_field');
    is_refused(await server().rest('POST', '/api/v1/register', { raw: '{"name":' }), 400, 'bad_json');
    const empty = await server().rest('POST', '/api/v1/register');
    is_refused(empty, 400, 'bad_json');
    assert.equal(empty.body.message, 'the body is empty: expected a JSON object');
  });

  it('login wants the right password, and does not tell whether the name or the password was wrong', async () => {
    await post('register', { name: 'bob', password: kPassword });
    assert.equal((await post('login', { name: 'Bob', password: kPassword })).status, 200);
    assert.equal((await server().rest('POST', '/login', { body: { name: 'bob', password: kPassword } })).status, 200);
    const wrong = await post('login', { name: 'bob', password: 'wrong horse' });
    const nobody = await post('login', { name: 'nobody-here', password: kPassword });
    is_refused(wrong, 401, 'unauthorized');
    assert.deepEqual([nobody.status, nobody.text], [wrong.status, wrong.text]);
  });

  it('what is granted and what is refused is counted', async () => {
    const names = ['registrations', 'registrations_refused', 'logins', 'logins_refused', 'refreshes', 'refreshes_refused', 'tokens_refused'];
    const read = () => Promise.all(names.map((name) => server().metric(`uproar_gateway_${name}_total`)));
    const earlier = await read();
    const { refresh_token } = (await post('register', { name: 'counted', password: kPassword })).body;
    await post('register', { name: 'counted', password: kPassword });
    await post('login', { name: 'counted', password: kPassword });
    await post('login', { name: 'counted', password: 'wrong horse' });
    await post('refresh', { refresh_token });
    await post('refresh', { refresh_token: 'nonsense' });
    is_refused(await server().rest('GET', '/api/v1/me', { token: 'nonsense' }), 401, 'unauthorized');
    is_refused(await server().rest('GET', '/api/v1/me', {}), 401, 'unauthorized');   // gave none: not counted
    assert.deepEqual((await read()).map((count, i) => count - earlier[i]), names.map(() => 1));
  });

  it('guessing one account\'s password is slowed down', async () => {
    const limited_before = await server().metric('uproar_gateway_logins_limited_total');
    await post('register', { name: 'victim', password: kPassword });
    // Ten guesses at once where it has been before, on the whole node, not on each of its shards.
    let limited;
    let guesses = 0;
    for (; guesses < 15 && !limited; ++guesses) {
      const answer = await post('login', { name: 'victim', password: `guess ${guesses} guess` });
      if (answer.status === 429) limited = answer;
    }
    assert.ok(limited, `${guesses} guesses and no limit`);
    is_refused(limited, 429, 'rate_limited');
    assert.ok(limited.body.retry_after_ms > 0);
    assert.ok(Number(limited.headers.get('retry-after')) >= 1);
    assert.equal(await server().metric('uproar_gateway_logins_limited_total'), limited_before + 1);
  });

  it('a refresh token that two hold and use at once leaves each with a login of their own', async () => {
    const name = 'uproar_gateway_refreshes_of_second_holders_total';
    const earlier = await server().metric(name);
    const { refresh_token, user_id } = (await post('register', { name: 'bea', password: kPassword })).body;
    let holders = await Promise.all([1, 2].map(() => post('refresh', { refresh_token })));
    for (let round = 0; round < 3; ++round) {
      assert.deepEqual(holders.map(({ status, body }) => [status, body.user_id]), [[200, user_id], [200, user_id]]);
      holders = await Promise.all(holders.map(({ body }) => post('refresh', { refresh_token: body.refresh_token })));
    }
    const [one, other] = await Promise.all(holders.map(({ body }) => server().connect({ token: body.access_token })));
    assert.equal((await post('logout', undefined, holders[0].body.access_token)).status, 204);
    assert.equal((await one.closed).code, 4102);
    await other.ping();
    assert.equal((await post('refresh', { refresh_token: holders[1].body.refresh_token })).status, 200);
    assert.equal(await server().metric(name), earlier + 1);
  });

  it('a refresh token works once; when it comes back after the next was used, its login ends', async () => {
    const first = (await post('register', { name: 'cyd', password: kPassword })).body;
    const second = await post('refresh', { refresh_token: first.refresh_token });
    assert.equal(second.status, 200);
    assert.notEqual(second.body.refresh_token, first.refresh_token);
    assert.equal(second.body.user_id, first.user_id);
    const third = await post('refresh', { refresh_token: second.body.refresh_token });
    assert.equal(third.status, 200);
    const live = await server().connect({ token: third.body.access_token });
    const replay = await post('refresh', { refresh_token: first.refresh_token });
    is_refused(replay, 401, 'token_revoked');
    assert.equal((await live.closed).code, 4102, 'what the thief has opened is closed');
    is_refused(await server().rest('GET', '/api/v1/me', { token: third.body.access_token }), 401, 'token_revoked');
    const after_replay = await post('refresh', { refresh_token: third.body.refresh_token });
    assert.equal(after_replay.status, 401, 'a thief and the owner cannot both go on');
    is_refused(await post('refresh', { refresh_token: 'nonsense' }), 401, 'unauthorized');
  });

  it('logout closes the live connection with 4102 and refuses the token', async () => {
    const { access_token: token, refresh_token, user_id } = (await post('register', { name: 'dan', password: kPassword })).body;
    const elsewhere = (await post('login', { name: 'dan', password: kPassword })).body;
    const clients = await Promise.all([1, 2, 3].map(() => server().connect({ token })));
    const other = await server().connect({ token: elsewhere.access_token });
    assert.equal((await post('logout', undefined, token)).status, 204);
    for (const client of clients) {
      assert.equal((await client.closed).code, 4102);
      assert.equal(client.heard('error').at(-1)?.code, 'token_revoked');
    }
    is_refused(await server().rest('GET', '/api/v1/me', { token }), 401, 'token_revoked');
    await assert.rejects(server().connect({ token }), { status: 401 });
    const late = await server().connect({ session_token: token, ready: false });
    assert.equal((await late.waitFor({ type: 'error' })).code, 'token_revoked');
    assert.equal((await late.closed).code, 4102);
    assert.equal((await post('refresh', { refresh_token })).status, 401);
    assert.equal((await other.ping()).type, 'pong', 'the other login goes on');
    assert.equal(other.ready.user_id, user_id);
  });

  it('a ticket opens one connection, on whatever shard, and no second one', async () => {
    await post('register', { name: 'fay', password: kPassword });
    for (let i = 0; i < 6; ++i) {
      const { ticket, user_id } = (await post('login', { name: 'fay', password: kPassword })).body;
      const client = await server().connect({ ticket });
      assert.equal(client.ready.user_id, user_id);
      const second = await Client.connect(server().ws_url, { ticket, ready: false });
      assert.equal((await second.waitFor({ type: 'error' })).code, 'unauthorized');
      assert.equal((await second.closed).code, 4401);
    }
    await assert.rejects(server().connect({ ticket: 'never-issued' }), { status: 401 });
  });

  it('a logout takes its unused tickets with it', async () => {
    const { ticket, access_token } = (await post('register', { name: 'gus', password: kPassword })).body;
    await post('logout', undefined, access_token);
    const client = await Client.connect(server().ws_url, { ticket, ready: false });
    assert.equal((await client.closed).code >= 4102, true);
    assert.deepEqual(client.heard('session.ready'), []);
  });

  it('users are found by name and by id', async () => {
    const { access_token: token, user_id } = (await post('register', { name: 'hal', password: kPassword })).body;
    const found = await server().rest('GET', '/api/v1/users?name=HAL', { token });
    assert.deepEqual(found.body.users.map((user) => [user.user_id, user.name]), [[user_id, 'hal']]);
    assert.deepEqual((await server().rest('GET', '/api/v1/users?name=not-there', { token })).body.users, []);
    assert.equal((await server().rest('GET', `/api/v1/users/${user_id}`, { token })).body.name, 'hal');
    is_refused(await server().rest('GET', '/api/v1/users/00000000-0000-4000-8000-000000000000', { token }), 404, 'not_found');
    is_refused(await server().rest('GET', '/api/v1/users/17', { token }), 400, 'invalid_field');
    assert.doesNotMatch(found.text, /hash|argon/);
  });
});

describe('registrations from one address', () => {
  it('are limited by the hour; those that made no account are not counted', async () => {
    const server = await Server.start({ flags: { 'registrations-per-address': '3' } });
    try {
      const register = (name) => server.rest('POST', '/api/v1/register', { body: { name, password: kPassword } });
      for (let i = 0; i < 3; ++i) {
        assert.equal((await register(`pupil-${i}`)).status, 201);
        if (i < 2) assert.equal((await register('pupil-0')).status, 409);
      }
      const limited = await register('pupil-3');
      assert.deepEqual([limited.status, limited.body.code], [429, 'rate_limited']);
      assert.ok(limited.body.retry_after_ms > 600_000 && limited.body.retry_after_ms <= 1_200_000, limited.text);
      assert.equal((await server.rest('POST', '/api/v1/login', { body: { name: 'pupil-0', password: kPassword } })).status, 200);
    } finally {
      await server.stop();
    }
  });
});

describe('logins from one address', () => {
  it('are limited, with the time to wait', async () => {
    const server = await Server.start({ flags: { 'logins-per-address': '1' } });
    try {
      let limited;
      for (let i = 0; i < 40 && !limited; ++i) {
        const answer = await server.rest('POST', '/api/v1/refresh', { body: { refresh_token: 'nonsense' } });
        if (answer.status === 429) limited = answer;
      }
      assert.equal(limited?.body.code, 'rate_limited');
      assert.ok(limited.body.retry_after_ms > 1000);
    } finally {
      await server.stop();
    }
  });
});

// -> {status, body, cookie: what a browser sends back, set_cookie}. From an address of ours.
function post_from(server, localAddress, path, body, headers = {}) {
  return new Promise((resolve, reject) => {
    const asked = request(`${server.url}/api/v1/${path}`, { method: 'POST', localAddress, headers: { 'content-type': 'application/json', ...headers } }, (answer) => {
      let text = '';
      answer.on('data', (bytes) => { text += bytes; });
      answer.on('end', () => {
        const [set_cookie] = answer.headers['set-cookie'] ?? [];
        resolve({ status: answer.statusCode, body: JSON.parse(text), set_cookie, cookie: set_cookie?.split(';')[0] });
      });
    });
    asked.on('error', reject);
    asked.end(JSON.stringify(body));
  });
}

describe('an account whose password is guessed', () => {
  const right = { name: 'owner', password: kPassword };
  const login = (server, from, cookie) => post_from(server, from, 'login', right, cookie ? { cookie } : {});
  // A guess of each of so many addresses that were never here before -> how many were looked at
  let addresses = 0;
  const guess_from = async (server, count) => {
    const answers = await Promise.all(Array.from({ length: count }, () => {
      const from = `127.1.${addresses >> 8}.${addresses++ & 255}`;
      return post_from(server, from, 'login', { ...right, password: `guess ${from}` });
    }));
    for (const { status, body } of answers) assert.ok(status === 401 || (status === 429 && body.retry_after_ms > 0), JSON.stringify(body));
    return answers.filter(({ status }) => status === 401).length;
  };

  it('is open to its owner where they are known, and after a stated time where they are not', async () => {
    const data = await mkdtemp(join(tmpdir(), 'uproar-e2e-'));
    let server = await Server.start({ data, shards: 2 });
    try {
      const { cookie } = await post_from(server, '127.0.0.1', 'register', right);
      const looked_at = await guess_from(server, 60);
      assert.ok(looked_at >= 10 && looked_at < 30, `${looked_at} of 60 guesses were looked at`);
      assert.equal((await login(server, '127.0.0.1')).status, 200, 'by its address');
      assert.equal((await login(server, '127.0.9.1', cookie)).status, 200, 'by its cookie');
      assert.equal((await login(server, '127.0.9.1')).status, 200, 'by its address since then');
      await guess_from(server, 20);
      const stranger = await login(server, '127.0.9.2');
      is_limited(stranger, 30_000);
      is_limited(await login(server, '127.0.9.2'), stranger.body.retry_after_ms);
      await guess_from(server, 20);
      is_limited(await login(server, '127.0.9.3', cookie.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'))), 30_000);
      const others = (await post_from(server, '127.0.0.1', 'register', { ...right, name: 'other' })).cookie;
      await guess_from(server, 20);
      is_limited(await login(server, '127.0.9.4', others), 30_000);
      await server.stop();
      server = await Server.start({ data });
      await guess_from(server, 20);
      is_limited(await login(server, '127.0.0.1'), 30_000);   // addresses are not kept
      assert.equal((await login(server, '127.0.9.5', cookie)).status, 200, 'cookies are');
    } finally {
      await server.stop();
      await rm(data, { recursive: true, force: true });
    }
  });

  it('waits as told at a new place, while the guessing goes on', async () => {
    const server = await Server.start();
    try {
      await post_from(server, '127.0.0.1', 'register', right);
      await guess_from(server, 12);   // as many as are free, and no more: the wait is a second or two
      const told = await login(server, '127.0.9.2');
      is_limited(told, 4_000);
      await new Promise((resolve) => { setTimeout(resolve, told.body.retry_after_ms + 5); });
      await guess_from(server, 40);
      assert.equal((await login(server, '127.0.9.2')).status, 200);
    } finally {
      await server.stop();
    }
  });

  it('a cookie gathers the accounts of a browser, and a refresh renews it', async () => {
    const server = await Server.start();
    try {
      const first = await post_from(server, '127.0.0.1', 'register', right);
      assert.match(first.set_cookie, /^uproar_device=1\.[\w-]+; Path=\/api\/v1; Max-Age=15552000; HttpOnly; SameSite=Strict$/);
      const origin = server.url.replace('http:', 'https:');   // a proxy before us ends TLS
      const second = await post_from(server, '127.0.0.1', 'register', { ...right, name: 'second' }, { cookie: first.cookie, origin });
      assert.equal(second.status, 201, JSON.stringify(second.body));
      assert.match(second.set_cookie, /; Secure$/);
      const renewed = await post_from(server, '127.0.0.1', 'refresh', { refresh_token: first.body.refresh_token }, { cookie: second.cookie });
      await guess_from(server, 40);
      assert.equal((await login(server, '127.0.9.1', second.cookie)).status, 200);
      assert.equal((await login(server, '127.0.9.2', renewed.cookie)).status, 200);
      assert.equal((await post_from(server, '127.0.9.3', 'login', { ...right, password: 'wrong horse' }, { cookie: first.cookie })).set_cookie, undefined);
    } finally {
      await server.stop();
    }
  });

  function is_limited({ status, body }, wait_ms_max) {
    assert.deepEqual([status, body.code], [429, 'rate_limited'], JSON.stringify(body));
    assert.ok(body.retry_after_ms > 0 && body.retry_after_ms <= wait_ms_max, `${body.retry_after_ms} ms`);
  }
});

// fetch() says its own Host.
function post_as(server, host, path, body, headers = {}) {
  return new Promise((resolve, reject) => {
    const asked = request(`${server.url}/api/v1/${path}`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers, host } }, (answer) => {
      let text = '';
      answer.on('data', (bytes) => { text += bytes; });
      answer.on('end', () => resolve({ status: answer.statusCode, body: JSON.parse(text) }));
    });
    asked.on('error', reject);
    asked.end(JSON.stringify(body));
  });
}

describe('where a login is told to connect', () => {
  const credentials = { name: 'ida', password: kPassword };
  const start = async (flags) => {
    const server = await Server.start({ flags });
    server.login = (await server.rest('POST', '/api/v1/register', { body: credentials })).body;
    return server;
  };
  // By a refresh: logins into one account are limited.
  const told = async (server, host, headers) => {
    const { status, body } = await post_as(server, host, 'refresh', { refresh_token: server.login.refresh_token }, headers);
    assert.equal(status, 200, JSON.stringify(body));
    server.login = body;
    return body.ws_url;
  };

  it('a Host that is not the server\'s is not repeated', async () => {
    const server = await start({});
    try {
      const unknown = await server.metric('uproar_gateway_unknown_hosts_total');
      const { port } = server;
      for (const host of ['evil.example', `evil.example:${port}`, '127.0.0.1.evil.example', `127.0.0.2:${port}`, 'localhost:0', 'localhost:70000'])
        assert.equal(await told(server, host), server.ws_url, host);
      assert.equal(await told(server, `127.0.0.1:${port}`, { 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example' }), server.ws_url);
      for (const host of [`localhost:${port}`, 'LocalHost', '127.0.0.1:9000', `[::1]:${port}`])
        assert.equal(await told(server, host), `ws://${host}/ws`, host);
      assert.equal(await server.metric('uproar_gateway_unknown_hosts_total'), unknown + 6);
      assert.equal((await post_as(server, 'evil.example', 'login', credentials)).body.ws_url, server.ws_url);
      assert.equal((await post_as(server, 'evil.example', 'register', { name: 'joe', password: kPassword })).body.ws_url, server.ws_url);
    } finally {
      await server.stop();
    }
  });

  it('names of --server-name and hosts of --allow-origin are, at any port', async () => {
    const server = await start({ 'server-name': 'chat.example.com', 'allow-origin': 'https://app.example.com:8443' });
    try {
      for (const host of ['chat.example.com', 'CHAT.example.com:8443', 'chat.example.com.', 'app.example.com', 'app.example.com:8080'])
        assert.equal(await told(server, host), `ws://${host}/ws`, host);
      for (const host of ['www.chat.example.com', 'chat.example.com.evil.example', 'example.com'])
        assert.equal(await told(server, host), server.ws_url, host);
    } finally {
      await server.stop();
    }
  });

  it('--advertise has the last word', async () => {
    const server = await start({ advertise: 'wss://chat.example.com', 'server-name': 'other.example.com' });
    try {
      for (const host of ['evil.example', 'other.example.com', `127.0.0.1:${server.port}`])
        assert.equal(await told(server, host), 'wss://chat.example.com/ws', host);
    } finally {
      await server.stop();
    }
  });
});
