// Where the page dials when the address that it was told is not reached: timers and sockets are the test's.

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
  send() {}
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

function start(ws_url, page = 'http://chat.example:8080/') {
  sockets = [];
  timers = [];
  globalThis.location = new URL(page);
  return new Connection({ signed_in: { ws_url }, take_ticket: () => 'ticket', token: async () => 'token', renew: async () => {} });
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
