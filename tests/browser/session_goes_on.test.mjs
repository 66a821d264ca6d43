// The page stays connected when its token ends: it gets the next one by itself, and says it over the same connection.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { Person, kDesk, launch } from './person.mjs';
import { start_server } from './server.mjs';

const kLifetimeS = 10;
const kLifetimeOfTwoS = 20;   // a second tab is open before half of it is over

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
async function shortened(token, lifetime_s) {
  const key = (await readFile(join(server.data, 'auth.key'), 'utf8')).trim();
  const [header, claims] = token.split('.');
  const encoded = Buffer.from(JSON.stringify({
    ...JSON.parse(Buffer.from(claims, 'base64url')), exp: Math.floor(Date.now() / 1000) + lifetime_s })).toString('base64url');
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

// What a person who registers is answered; the access token in it lives for so long.
function register_for(person, lifetime_s) {
  return new Promise((resolve, reject) => {
    person.page.route('**/api/v1/register', async (route) => {
      const response = await route.fetch();
      const { ticket, ...rest } = await response.json();   // without it the page opens with the token
      assert.ok(ticket);
      const signed_in = { ...rest, access_token: await shortened(rest.access_token, lifetime_s), expires_in: lifetime_s };
      await route.fulfill({ response, json: signed_in });
      resolve(signed_in);
    }).then(() => person.registers()).catch(reject);
  });
}

// Another connection with the same token, which does nothing for it -> the code with which it is closed, when the time is over.
function end_of(page, token) {
  return page.evaluate((token) => new Promise((resolve) => {
    const socket = new WebSocket(`ws://${location.host}/ws`, 'uproar.v1');
    socket.onopen = () => socket.send(JSON.stringify({ type: 'session.open', token }));
    socket.onclose = (event) => resolve(event.code);
  }), token);
}

test('a page goes on over the end of its token', async () => {
  const ada = await Person.comes(browser, 'ada', { port: server.port, screen: kDesk });
  const sockets = watch_sockets(ada.page);
  const refreshed = ada.page.waitForResponse('**/api/v1/refresh');
  const { access_token: first } = await register_for(ada, kLifetimeS);
  await ada.is_online();
  assert.equal(await end_of(ada.page, first), 4101);

  assert.equal((await refreshed).status(), 200);
  await ada.is_online();
  const [own, other] = sockets;
  assert.deepEqual(own.heard.filter((type) => type.startsWith('session.')), ['session.ready', 'session.expiring', 'session.refreshed']);
  assert.deepEqual(other.heard.filter((type) => type.startsWith('session.')), ['session.ready', 'session.expiring']);
  assert.equal(own.is_closed, false);
  assert.equal(sockets.length, 2, 'the page has connected once');
  assert.deepEqual(ada.mistakes, []);
});

// As browsers copy a tab: with its sessionStorage.
test('a copied tab and its original go on side by side', async () => {
  const bob = await Person.comes(browser, 'bob', { port: server.port, screen: kDesk });
  const tabs = [{ page: bob.page }, { page: await bob.context.newPage() }];
  for (const tab of tabs) {
    tab.sockets = watch_sockets(tab.page);
    tab.refreshed = tab.page.waitForResponse('**/api/v1/refresh', { timeout: 60_000 });
  }
  const { access_token, refresh_token } = await register_for(bob, kLifetimeOfTwoS);
  await bob.is_online();
  const storage = await bob.page.evaluate(() => Object.entries(sessionStorage));
  await tabs[1].page.addInitScript((entries) => { for (const [key, value] of entries) sessionStorage.setItem(key, value); }, storage);
  await tabs[1].page.goto(`http://127.0.0.1:${server.port}/`);

  const [code] = await Promise.all([end_of(bob.page, access_token), ...tabs.map(({ refreshed }) => refreshed)]);
  assert.equal(code, 4101);
  for (const tab of tabs) {
    const response = await tab.refreshed;
    assert.equal(response.status(), 200);
    assert.deepEqual(response.request().postDataJSON(), { refresh_token });
    tab.next = (await response.json()).refresh_token;
    await tab.page.locator('.state[data-phase="live"]').waitFor({ state: 'attached' });
    assert.deepEqual(tab.sockets.map(({ is_closed }) => is_closed), tab.page === bob.page ? [false, true] : [false]);
    assert.ok(tab.sockets[0].heard.includes('session.refreshed'));
  }
  assert.notEqual(tabs[0].next, tabs[1].next);
  assert.deepEqual(bob.mistakes, []);
});
