// Browser apps of other origins (CORS, Fetch standard §3.2): what a page of a listed origin may ask and read, and that others
// are told nothing.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { use_server } from './server.mjs';

const kApp = 'https://app.example';
const kStranger = 'https://evil.example';

const cors_headers = (answer) => [...answer.headers.keys()].filter((name) => name.startsWith('access-control-'));
const from = (origin, options = {}) => ({ ...options, headers: { ...options.headers, origin } });
const preflight = (server, path, { origin = kApp, method = 'POST', headers = 'authorization,content-type' } = {}) =>
  server.rest('OPTIONS', path, { headers: { origin, 'access-control-request-method': method, 'access-control-request-headers': headers } });

describe('with a listed origin', () => {
  const server = use_server(before, after, { flags: { 'allow-origin': kApp } });

  it('a page of it logs in, asks and posts: each request with its preflight', async () => {
    const ask = async (method, path, options) => {
      const may = await preflight(server(), path, { method });
      assert.equal(may.status, 204, `${method} ${path}: ${may.text}`);
      assert.equal(may.headers.get('access-control-allow-origin'), kApp);
      assert.ok(may.headers.get('access-control-allow-methods').split(', ').includes(method), may.headers.get('access-control-allow-methods'));
      for (const name of ['authorization', 'content-type']) {
        assert.ok(may.headers.get('access-control-allow-headers').toLowerCase().split(', ').includes(name), name);
      }
      assert.ok(Number(may.headers.get('access-control-max-age')) > 0);
      assert.match(may.headers.get('vary'), /\bOrigin\b/);
      assert.equal(may.headers.get('access-control-allow-credentials'), null, 'tokens travel in headers, not in cookies');
      const answer = await server().rest(method, path, from(kApp, options));
      assert.equal(answer.headers.get('access-control-allow-origin'), kApp, `${method} ${path}`);
      assert.match(answer.headers.get('vary'), /\bOrigin\b/);
      return answer;
    };
    const who = { name: 'ada', password: 'correct horse' };
    assert.equal((await ask('POST', '/api/v1/register', { body: who })).status, 201);
    const { body: { access_token: token } } = await ask('POST', '/login', { body: who });
    assert.equal((await ask('GET', '/api/v1/me', { token })).body.name, 'ada');
    const { body: { conversation } } = await ask('POST', '/api/v1/conversations', { token, body: { kind: 'group', name: 'Lions' } });
    const path = `/api/v1/conversations/${conversation.id}`;
    const { body: sent } = await ask('POST', `${path}/messages`, { token, body: { client_id: 'k', content: 'x' } });
    assert.equal((await ask('PUT', `${path}/mute`, { token, body: { for_ms: 1000 } })).status, 200);
    assert.equal((await ask('DELETE', `${path}/messages/${sent.seq}`, { token })).status, 200);
    assert.equal((await ask('POST', '/api/v1/logout', { token })).status, 204);
  });

  it('it can read errors, too, and how long to wait', async () => {
    for (const [method, path, options, status] of [
      ['GET', '/api/v1/me', {}, 401], ['GET', '/api/v1/nothing', {}, 404], ['PUT', '/api/v1/me', {}, 405],
      ['POST', '/login', { body: { name: 'ada', password: 'not the horse' } }, 401], ['POST', '/login', { raw: '[' }, 400],
    ]) {
      const answer = await server().rest(method, path, from(kApp, options));
      assert.deepEqual([answer.status, answer.headers.get('access-control-allow-origin')], [status, kApp], `${method} ${path}`);
      assert.match(answer.headers.get('access-control-expose-headers'), /Retry-After/);
    }
  });

  it('the documents may be read from it; what operators ask may not', async () => {
    assert.equal((await server().rest('GET', '/openapi.json', from(kApp))).headers.get('access-control-allow-origin'), kApp);
    for (const path of ['/healthz', '/readyz']) {
      assert.deepEqual(cors_headers(await server().rest('GET', path, from(kApp))), [], path);
    }
    for (const path of ['/metrics', '/api/v1/admin/nodes']) {
      assert.deepEqual(cors_headers(await server().admin(path, from(kApp))), [], path);
    }
  });

  it('pages of other origins, and requests without one, are told nothing', async () => {
    const ada = await server().person('ada');
    for (const origin of [kStranger, 'http://app.example', 'https://app.example:8443', 'https://app.example.evil.example', 'null', '*']) {
      const may = await preflight(server(), '/api/v1/me', { origin, method: 'GET' });
      assert.deepEqual([may.status, cors_headers(may)], [405, []], origin);
      const answer = await server().rest('GET', '/api/v1/me', from(origin, { token: ada.token }));
      assert.deepEqual([answer.status, cors_headers(answer)], [200, []], origin);
      assert.match(answer.headers.get('vary'), /\bOrigin\b/, 'or a cache would give it to the listed ones');
    }
    for (const headers of [{}, { origin: server().url }]) {
      const answer = await server().rest('GET', '/api/v1/me', { token: ada.token, headers });
      assert.deepEqual([answer.status, cors_headers(answer)], [200, []]);
    }
  });

  it('OPTIONS that is no preflight, and a preflight for no path of ours, are refused as before', async () => {
    assert.equal((await server().rest('OPTIONS', '/api/v1/me', from(kApp))).status, 405);
    assert.equal((await preflight(server(), '/api/v1/nothing')).status, 404);
  });
});

describe('with *', () => {
  const server = use_server(before, after, { flags: { 'allow-origin': '*' } });

  it('every page may ask', async () => {
    for (const origin of [kStranger, 'null']) {
      const may = await preflight(server(), '/login', { origin });
      assert.deepEqual([may.status, may.headers.get('access-control-allow-origin')], [204, origin]);
    }
  });
});

describe('without a list', () => {
  const server = use_server(before, after);

  it('nobody hears of origins', async () => {
    assert.equal((await preflight(server(), '/login')).status, 405);
    const answer = await server().rest('GET', '/api/v1/me', from(kApp));
    assert.deepEqual([cors_headers(answer), answer.headers.get('vary')], [[], null]);
  });
});
