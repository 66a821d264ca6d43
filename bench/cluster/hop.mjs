// One message at a time from one client to another, who are on the same node or on two: how long until the other has it.
// Config as JSON in argv: {same: [url, url], apart: [url, url], auth_key, blocks, each}. Prints {event: {same: [µs…], apart: […]}, stored: {…}}.
//
// The two ways take turns in short blocks, so that both meet the same weather.

import { randomUUID } from 'node:crypto';

import { SignJWT, WebSocket } from '../../tests/e2e/packages.mjs';

const config = JSON.parse(process.argv[2]);
const key = new TextEncoder().encode(config.auth_key);
const kWarmUp = 50;

async function client(url, id) {
  const now_s = Math.floor(Date.now() / 1000);
  const token = await new SignJWT({ sub: id, iat: now_s, exp: now_s + 3600 }).setProtectedHeader({ alg: 'HS256' }).sign(key);
  const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`, ['uproar.v1'], { perMessageDeflate: false, headers: { authorization: `Bearer ${token}` } });
  const waiting = [];
  socket.on('message', (data) => {
    const at = process.hrtime.bigint();
    const event = JSON.parse(data.toString());
    const i = waiting.findIndex(({ fits }) => fits(event));
    if (i >= 0) waiting.splice(i, 1)[0].resolve({ event, at });
  });
  const heard = (fits) => new Promise((resolve) => { waiting.push({ fits, resolve }); });
  const failed = new Promise((resolve, reject) => { socket.on('error', reject); socket.on('close', (code) => reject(new Error(`closed with ${code}`))); });
  failed.catch(() => {});
  const one = { id, heard: (fits) => Promise.race([heard(fits), failed]), say: (command) => socket.send(JSON.stringify(command)), close: () => socket.terminate() };
  await one.heard((event) => event.type === 'session.ready');
  return one;
}

let number = 0;
async function measure({ speaker, hearer, conversation }, stored, count) {
  const out = [];
  for (let i = 0; i < count; ++i) {
    const mark = `m${++number}`;
    const arrived = hearer.heard((event) => event.content === mark || event.data === mark);
    const from = process.hrtime.bigint();
    speaker.say(stored ? { type: 'message.send', conversation_id: conversation, client_id: mark, content: mark }
                       : { type: 'event.publish', conversation_id: conversation, name: 'x', data: mark });
    out.push(Number((await arrived).at - from) / 1000);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return out;
}

const pairs = {};
for (const where of ['same', 'apart']) {
  const [speaker, hearer] = [await client(config[where][0], randomUUID()), await client(config[where][1], randomUUID())];
  const joined = hearer.heard((event) => event.type === 'conversation.joined');
  const made = speaker.heard((event) => event.id === 'c');
  speaker.say({ type: 'conversation.create', id: 'c', kind: 'direct', members: [hearer.id] });
  const conversation = (await made).event.conversation?.id;
  if (!conversation || (await joined).event.conversation.id !== conversation) throw new Error('no conversation');
  pairs[where] = { speaker, hearer, conversation };
}
const out = {};
for (const what of ['event', 'stored']) {
  const stored = what === 'stored';
  out[what] = { same: [], apart: [] };
  for (const where of ['same', 'apart']) await measure(pairs[where], stored, kWarmUp);
  for (let block = 0; block < config.blocks; ++block) {
    for (const where of block % 2 ? ['apart', 'same'] : ['same', 'apart']) out[what][where].push(...await measure(pairs[where], stored, config.each));
  }
}
process.stdout.write(`${JSON.stringify(out)}\n`);
process.exit(0);
