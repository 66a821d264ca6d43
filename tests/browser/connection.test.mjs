// Where the page dials when the address that it was told is not reached, and how it goes on with the next token: timers and
// sockets are the test's.

import assert from 'node:assert/strict';
import { test } from 'node:test';

const kHere = 'ws://chat.example:8080/ws';
const kElsewhere = 'ws://172.17.0.2:8080/ws';

let sockets;
let timers;   // {callback, ms}, in the order in which they were set

class Socket {
  static OPEN = 1;
  readyState = 0;
  constructor(url) {
    this.address = `${url.protocol}//${url.host}${url.pathname}`;
    sockets.push(this);
  }
  said = [];
  send(text) { this.said.push(JSON.parse(text)); }
  hears(message) { this.onmessage({ data: JSON.stringify(message) }); }
  close() {}
  opens() { this.readyState = 1; this.onopen(); }
}

globalThis.WebSocket = Socket;
globalThis.CustomEvent ??= class extends Event {   // Node 18
  constructor(name, { detail }) { super(name); this.detail = detail; }
};
globalThis.addEventListener = globalThis.removeEventListener = () => {};
globalThis.setTimeout = (callback, ms) => { timers.push({ callback, ms }); return timers.at(-1); };
globalThis.setInterval = () => ({});
globalThis.clearTimeout = (timer) => { timers = timers.filter((each) => each !== timer); };

const { Connection } = await import(new URL('../../core/gateway/page/connection.js', import.meta.url));

function start(ws_url, page = 'http://chat.example:8080/', account = {}) {
  sockets = [];
  timers = [];
  globalThis.location = new URL(page);
  return new Connection({ signed_in: { ws_url, access_token: 'token' }, take_ticket: () => 'ticket',
                          async token() { return this.signed_in.access_token; }, renew: async () => {}, ...account });
}
const dialled = () => sockets.map(({ address }) => address);
async function fires(ms) {
  const due = timers.find((timer) => timer.ms <= ms);
  assert.ok(due, `nothing happens within ${ms} ms`);
  clearTimeout(due);
  await due.callback();
}
const kBackoffMs = 400;

test('an address that says nothing is left after three seconds for the page\'s own', async () => {
  const connection = start(kElsewhere);
  await connection.connect();
  assert.equal(connection.state, 'connecting');
  await fires(3_000);
  assert.equal(connection.state, 'waiting');
  await fires(kBackoffMs);
  assert.deepEqual(dialled(), [kElsewhere, kHere]);
});

test('the page\'s own address is then asked first, until it fails', async () => {
  const connection = start(kElsewhere);
  await connection.connect();
  sockets[0].onclose({ code: 1006 });   // refused
  await fires(kBackoffMs);
  sockets[1].opens();
  sockets[1].onclose({ code: 1006 });   // it was there, so it is asked again
  await fires(2 * kBackoffMs);
  sockets[2].onclose({ code: 1006 });
  await fires(4 * kBackoffMs);
  assert.deepEqual(dialled(), [kElsewhere, kHere, kHere, kElsewhere]);
});

test('an address that takes the connection has the time that any has to answer', async () => {
  const connection = start(kElsewhere);
  await connection.connect();
  sockets[0].opens();
  assert.equal(timers.some(({ ms }) => ms <= 3_000), false);
  await fires(15_000);
  await fires(kBackoffMs);
  assert.deepEqual(dialled(), [kElsewhere, kElsewhere], 'it was reached');
});

test('the page\'s own address is not hurried, and is asked again', async () => {
  const connection = start(kHere);
  await connection.connect();
  assert.equal(timers.some(({ ms }) => ms <= 3_000), false);
  await fires(15_000);
  await fires(kBackoffMs);
  assert.deepEqual(dialled(), [kHere, kHere]);
});

test('a page that came by TLS asks no address without', async () => {
  const connection = start(kElsewhere, 'https://chat.example/');
  await connection.connect();
  assert.deepEqual(dialled(), ['wss://chat.example/ws']);
});

// A connection that has heard session.ready and that its token ends. `renew` gives the page its next token, or throws.
async function expiring(renew) {
  const connection = start(kHere, undefined, { renew });
  await connection.connect();
  sockets[0].opens();
  sockets[0].hears({ type: 'session.ready', heartbeat_interval_ms: 48_000 });
  connection.signed_out = false;
  connection.addEventListener('signed_out', () => { connection.signed_out = true; });
  sockets[0].hears({ type: 'session.expiring', expires_at: '2026-01-02T03:19:05.000Z' });
  await settled();
  return connection;
}
const settled = () => new Promise((resolve) => { setImmediate(resolve); });
const refreshes = (socket) => socket.said.filter(({ type }) => type === 'session.refresh');

test('before its token ends the connection goes on with the next one', async () => {
  let renewed = 0;
  const connection = await expiring(async function renew() { this.signed_in.access_token = `token ${++renewed}`; });
  assert.deepEqual(refreshes(sockets[0]).map(({ token }) => token), ['token 1']);
  sockets[0].hears({ type: 'session.refreshed', id: refreshes(sockets[0])[0].id });
  await settled();
  sockets[0].hears({ type: 'session.expiring' });
  await settled();
  assert.deepEqual(refreshes(sockets[0]).map(({ token }) => token), ['token 1', 'token 2']);
  assert.equal(connection.state, 'open');
  assert.equal(sockets.length, 1);
});

test('a token that the page has got meanwhile for something else will do', async () => {
  const connection = start(kHere, undefined, { renew: async () => assert.fail('there is one already') });
  await connection.connect();
  sockets[0].opens();
  sockets[0].hears({ type: 'session.ready', heartbeat_interval_ms: 48_000 });
  connection.account.signed_in.access_token = 'a later one';
  sockets[0].hears({ type: 'session.expiring' });
  await settled();
  assert.deepEqual(refreshes(sockets[0]).map(({ token }) => token), ['a later one']);
});

test('a next token that cannot be had now is asked for again after five seconds', async () => {
  let asked = 0;
  const connection = await expiring(async function renew() {
    if (++asked === 1) throw Object.assign(new Error('away'), { status: 0 });
    this.signed_in.access_token = 'token 1';
  });
  assert.equal(refreshes(sockets[0]).length, 0);
  assert.equal(connection.state, 'open');
  await fires(5_000);
  await settled();
  assert.deepEqual(refreshes(sockets[0]).map(({ token }) => token), ['token 1']);
});

test('a login that has ended signs out', async () => {
  const connection = await expiring(async () => { throw Object.assign(new Error('log in'), { status: 401 }); });
  assert.equal(connection.signed_out, true);
  assert.equal(connection.state, 'stopped');
});

test('a connection that ends meanwhile is not told of the token, the next one begins with it', async () => {
  let give;
  const connection = await expiring(function renew() {
    return new Promise((resolve) => { give = () => { this.signed_in.access_token = 'token 1'; resolve(); }; });
  });
  sockets[0].onclose({ code: 1006 });
  give();
  await settled();
  assert.equal(refreshes(sockets[0]).length, 0);
  assert.equal(connection.state, 'waiting');
});
