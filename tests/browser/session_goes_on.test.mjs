// The page stays connected when its token ends: it gets the next one by itself, and says it over the same connection.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { Person, kDesk, launch } from './person.mjs';
import { start_server } from './server.mjs';

const kLifetimeS = 10;

let server;
let browser;

before(async () => {
  server = await start_server();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

// The server's own tokens live for a quarter of an hour: the same claims, signed with its key, and a nearer end.
async function shortened(token) {
  const key = (await readFile(join(server.data, 'auth.key'), 'utf8')).trim();
  const [header, claims] = token.split('.');
  const encoded = Buffer.from(JSON.stringify({
    ...JSON.parse(Buffer.from(claims, 'base64url')), exp: Math.floor(Date.now() / 1000) + kLifetimeS })).toString('base64url');
  return `${header}.${encoded}.${createHmac('sha256', key).update(`${header}.${encoded}`).digest('base64url')}`;
}

// Every WebSocket of the page: {types of what it heard, is_closed}.
function watch_sockets(page) {
  const sockets = [];
  page.on('websocket', (websocket) => {
    const socket = { heard: [], is_closed: false };
    sockets.push(socket);
    websocket.on('framereceived', ({ payload }) => socket.heard.push(JSON.parse(payload).type));
    websocket.on('close', () => { socket.is_closed = true; });
  });
  return sockets;
}

test('a page goes on over the end of its token', async () => {
  const ada = await Person.comes(browser, 'ada', { port: server.port, screen: kDesk });
  const sockets = watch_sockets(ada.page);
  let first;
  await ada.page.route('**/api/v1/register', async (route) => {
    const response = await route.fetch();
    const signed_in = await response.json();
    first = await shortened(signed_in.access_token);
    const { ticket, ...rest } = signed_in;   // without it the page opens with the token
    assert.ok(ticket);
    await route.fulfill({ response, json: { ...rest, access_token: first, expires_in: kLifetimeS } });
  });
  const refreshed = ada.page.waitForResponse('**/api/v1/refresh');
  await ada.registers();

  // Another connection with the same token, which does nothing for it: when that is closed, the time is over.
  const code = await ada.page.evaluate((token) => new Promise((resolve) => {
    const socket = new WebSocket(`ws://${location.host}/ws`, 'uproar.v1');
    socket.onopen = () => socket.send(JSON.stringify({ type: 'session.open', token }));
    socket.onclose = (event) => resolve(event.code);
  }), first);
  assert.equal(code, 4101);

  assert.equal((await refreshed).status(), 200);
  await ada.is_online();
  const [own, other] = sockets;
  assert.deepEqual(own.heard.filter((type) => type.startsWith('session.')), ['session.ready', 'session.expiring', 'session.refreshed']);
  assert.deepEqual(other.heard.filter((type) => type.startsWith('session.')), ['session.ready', 'session.expiring']);
  assert.equal(own.is_closed, false);
  assert.equal(sockets.length, 2, 'the page has connected once');
  assert.deepEqual(ada.mistakes, []);
});
