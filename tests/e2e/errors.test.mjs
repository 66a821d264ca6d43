// Every code of the error table, provoked from outside, with the HTTP status and the close code that the table promises.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';

import { Client } from './client.mjs';
import { limit_files, Server, use_server } from './server.mjs';

const protocol = () => readFile(new URL('../../docs/protocol.md', import.meta.url), 'utf8');

// The table of docs/protocol.md: code -> {status, close}. A close code in parentheses is only for who goes on and on.
async function documented_table() {
  const text = await protocol();
  const rows = [...text.matchAll(/^\| `(\w+)` \| (\d{3}) \| *(\(?\d*\)?) *\|/gm)];
  return new Map(rows.map(([, code, status, close]) => [code, { status: Number(status), close: Number(close.replace(/\D/g, '')) || undefined,
                                                                usually_stays: close.startsWith('(') }]));
}

// What the connection answers by itself, before there is a command.
async function documented_codes_of_the_connection() {
  const section = (await protocol()).split('### Codes of the connection')[1].split('\n### ')[0];
  return [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, code]) => code);
}

describe('the error table', () => {
  const server = use_server(before, after, { flags: { 'connections-per-user': '3', 'heartbeat-timeout': '5' } });

  // These say nothing, and are waited for when their turn comes.
  let not_opened, silent;
  before(async () => {
    not_opened = await server().connect({ ready: false });
    silent = await (await server().person()).connect({ ws: { autoPong: false } });
  });

  // An answer to a command: the connection stays.
  async function by_command(command, code) {
    const [ada, bob] = await server().people('ada', 'bob');
    const client = await ada.connect();
    const context = { ada, bob, client };
    const error = await client.refused(typeof command === 'function' ? await command(context) : command, code);
    assert.equal(typeof error.message, 'string');
    await client.ping();
    return {};
  }

  async function by_rest(method, path, options, code) {
    const answer = await server().rest(method, path, options);
    assert.equal(answer.body?.type, 'error', answer.text);
    assert.equal(answer.body.code, code);
    return { status: answer.status };
  }

  const register = (name) => server().rest('POST', '/api/v1/register', { body: { name, password: 'correct horse' } });

  async function closing(client, code) {
    const error = await client.waitFor({ type: 'error', code }, code, 15_000);
    assert.equal(typeof error.message, 'string');
    return { close: (await client.closed).code };
  }

  const group = async ({ client }) => (await client.get({ type: 'conversation.create', kind: 'group', name: 'G' }, 'conversation.created')).conversation.id;

  // What provokes each code; gives the status and the close code that were seen, if any.
  const provoke = {
    bad_json: async () => {
      const client = await (await server().person()).connect();
      client.send('{"type":');
      assert.equal((await client.waitFor({ type: 'error' })).code, 'bad_json');
      await client.ping();
      return by_rest('POST', '/api/v1/login', { raw: '{"name":' }, 'bad_json');
    },
    unknown_type: () => by_command({ type: 'message.sned' }, 'unknown_type'),
    missing_field: () => by_command(({ bob }) => ({ type: 'message.send', to: bob.id, content: 'x' }), 'missing_field'),
    invalid_field: () => by_command(({ bob }) => ({ type: 'message.send', to: bob.id, content: 3, client_id: 'x' }), 'invalid_field'),
    unknown_subprotocol: async () => {
      const ada = await server().person();
      const refused = await ada.connect({ subprotocol: ['mqtt', 'uproar.v0'] }).then(() => undefined, (error) => error);
      assert.equal(refused?.body?.code, 'unknown_subprotocol');
      return { status: refused.status };
    },
    too_large: () => by_command(({ bob }) => ({ type: 'message.send', to: bob.id, content: 'x'.repeat(17_000), client_id: 'x' }), 'too_large'),
    unauthorized: async () => {
      const seen = await closing(await server().connect({ session_token: 'forged', ready: false }), 'unauthorized');
      return { ...seen, ...await by_rest('GET', '/api/v1/me', {}, 'unauthorized') };
    },
    token_expired: async () => {
      const token = await server().token({ lifetime_s: -60 });
      const seen = await closing(await server().connect({ session_token: token, ready: false }), 'token_expired');
      return { ...seen, ...await by_rest('GET', '/api/v1/me', { token }, 'token_expired') };
    },
    token_revoked: async () => {
      const { access_token: token } = (await register('revoked')).body;
      const live = await server().connect({ token });
      await server().rest('POST', '/api/v1/logout', { token });
      return { ...await closing(live, 'token_revoked'), ...await by_rest('GET', '/api/v1/me', { token }, 'token_revoked') };
    },
    forbidden: async () => {
      const eve = await (await server().person('eve')).connect();
      const ada = await (await server().person('ada')).connect();
      await eve.refused({ type: 'conversation.join', conversation_id: await group({ client: ada }) }, 'forbidden');
      return {};
    },
    not_member: async () => {
      const eve = await (await server().person('eve')).connect();
      const ada = await (await server().person('ada')).connect();
      await eve.refused({ type: 'history', conversation_id: await group({ client: ada }) }, 'not_member');
      return {};
    },
    not_found: () => by_command({ type: 'message.send', to: randomUUID(), content: 'x', client_id: 'x' }, 'not_found'),
    name_taken: async () => {
      await register('taken');
      return by_rest('POST', '/api/v1/register', { body: { name: 'taken', password: 'correct horse' } }, 'name_taken');
    },
    key_reused: () => by_command(async ({ bob, client }) => {
      await client.get({ type: 'message.send', to: bob.id, content: 'one', client_id: 'k' }, 'message.sent');
      return { type: 'message.send', to: bob.id, content: 'two', client_id: 'k' };
    }, 'key_reused'),
    conflict: () => by_command(async ({ bob, client }) => {
      const { conversation_id } = await client.get({ type: 'message.send', to: bob.id, content: 'one', client_id: 'k' }, 'message.sent');
      return { type: 'conversation.leave', conversation_id };
    }, 'conflict'),
    method_not_allowed: () => by_rest('PUT', '/api/v1/me', {}, 'method_not_allowed'),
    rate_limited: async () => {
      await register('guessed');
      let answer;
      do answer = await server().rest('POST', '/login', { body: { name: 'guessed', password: 'wrong horse' } });
      while (answer.status === 401);
      assert.ok(answer.body.retry_after_ms > 0);
      return { status: answer.body.code === 'rate_limited' ? answer.status : 0 };
    },
    too_many_connections: async () => {
      const ada = await server().person();
      for (let i = 0; i < 3; ++i) await ada.connect();
      return closing(await ada.connect({ ready: false }), 'too_many_connections');
    },
    overloaded: async () => {
      // More than the server keeps for somebody whom it does not know yet, in one write.
      const client = await Client.connect(server().ws_url, { ready: false });
      const token = await server().token({});
      client.socket._socket.cork();
      client.send({ type: 'session.open', token });
      for (let i = 0; i < 200; ++i) client.send({ type: 'ping' });
      client.socket._socket.uncork();
      const error = await client.waitFor({ type: 'error' });
      client.terminate();
      assert.equal(error.code, 'overloaded');
      return {};
    },
    unavailable: async () => {
      const [ada, bob] = await server().people('ada', 'bob');
      const client = await ada.connect();
      await limit_files(server(), 1);
      const error = await client.refused({ type: 'message.send', to: bob.id, content: 'x', client_id: 'x' }, 'unavailable');
      assert.ok(error.retry_after_ms > 0);
      const rest = await ada.rest('POST', '/api/v1/messages', { to: bob.id, content: 'x', client_id: 'x' });
      await limit_files(server(), 'unlimited');
      assert.equal(rest.body.code, 'unavailable');
      let answer;
      do answer = await client.ask({ type: 'message.send', to: bob.id, content: 'x', client_id: 'x' });
      while (answer.code === 'unavailable');
      assert.equal(answer.type, 'message.sent');
      return { status: rest.status };
    },
    slow_reader: async () => {
      const [ada, slow] = await server().people('ada', 'slow');
      const [a, s] = [await ada.connect(), await slow.connect()];
      const content = 'x'.repeat(16_000);
      const closed = () => server().metric('uproar_net_closed_slow_total');
      await a.get({ type: 'message.send', to: slow.id, content, client_id: 'first' }, 'message.sent');
      await s.waitFor({ type: 'message.new' });
      s.socket.pause();
      for (let i = 0; i < 4000 && (i % 200 !== 0 || await closed() === 0); i += 50) {   // a metric costs a second
        await Promise.all(Array.from({ length: 50 }, (_, j) => a.get({ type: 'message.send', to: slow.id, content, client_id: `k${i + j}` }, 'message.sent')));
      }
      s.socket.resume();
      return { close: (await s.closed).code };
    },
    heartbeat_timeout: async () => ({ close: (await silent.closed).code }),
    session_open_timeout: () => closing(not_opened, 'session_open_timeout'),
    already_open: () => by_command(({ ada }) => ({ type: 'session.open', token: ada.token }), 'already_open'),
    draining: async () => {
      const going = await Server.start({ flags: { 'drain-seconds': '1' } });
      const client = await (await going.person()).connect();
      going.child.kill('SIGTERM');
      await client.waitFor({ type: 'server.draining' });
      const { code } = await client.closed;
      await going.stop();
      return { close: code };
    },
    // Nothing from outside makes the server err; whatever does would be a defect, and is looked for after all others.
    internal: async () => {
      assert.equal(server().child.exitCode, null);
      assert.doesNotMatch(server().output, /check failed|internal/);
      return {};
    },
  };

  it('of the documentation, of the OpenAPI document and of this test is the same', async () => {
    const of_connection = await documented_codes_of_the_connection();
    const documented = [...(await documented_table()).keys()].filter((code) => !of_connection.includes(code));
    const { body } = await server().rest('GET', '/openapi.json');
    assert.deepEqual([...documented, ...of_connection].sort(), [...body.components.schemas.Error.properties.code.enum].sort());
    assert.deepEqual(Object.keys(provoke).sort(), [...documented].sort());
  });

  for (const [code, how] of Object.entries(provoke)) {
    it(`${code} is provoked`, async () => {
      const { status, close } = await how();
      const promised = (await documented_table()).get(code);
      if (status !== undefined) assert.equal(status, promised.status, 'HTTP status');
      if (close !== undefined) assert.equal(close, promised.close, 'close code');
      if (promised.close && !promised.usually_stays) assert.equal(close, promised.close, 'the connection is closed');
    });
  }
});
