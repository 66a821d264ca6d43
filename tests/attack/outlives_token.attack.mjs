import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { Client } from '../e2e/client.mjs';
import { kAttackerAddress } from './raw.mjs';

const kLifetimeS = 1;
const kLeewayMs = 5_000;
const kLateMs = 2_000;   // of a machine that has other things to do

function mint(key, claims) {
  const encoded = (part) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const said = `${encoded({ alg: 'HS256' })}.${encoded(claims)}`;
  return `${said}.${createHmac('sha256', key).update(said).digest('base64url')}`;
}

// Whoever has stolen a token, or is given no more of them, stays connected when the last one has expired.
export default {
  title: 'a session that goes on when its token has expired',
  weakness: 'outlives_token',
  seconds: kLifetimeS + (kLeewayMs + kLateMs) / 1000,

  async prepare({ server }) {
    const [mallory, friend] = await server.people('mallory', 'friend');
    // The key makes the token live from the beginning of the attack on.
    const key = (await readFile(join(server.data, 'auth.key'), 'utf8')).trim();
    return { key, mallory_id: mallory.id, friend_token: friend.token };
  },

  async attack({ port, prepared }) {
    const connect = (token) => Client.connect(`ws://127.0.0.1:${port}/ws`, { token, ws: { localAddress: kAttackerAddress } });
    const friend = await connect(prepared.friend_token);
    const exp = Math.ceil(Date.now() / 1000) + kLifetimeS;
    const mallory = await connect(mint(prepared.key, { sub: prepared.mallory_id, exp }));
    const say = (content) => friend.get({ type: 'message.send', to: prepared.mallory_id, client_id: content, content }, 'message.sent');
    await say('before');
    await mallory.waitFor({ type: 'message.new', content: 'before' });

    const over = new Promise((resolve) => { setTimeout(resolve, exp * 1000 + kLeewayMs + kLateMs - Date.now()); });
    await Promise.race([mallory.closed, over]);
    const code = mallory.close_code;
    await say('after');
    await friend.ping();
    if (code === undefined) await mallory.waitFor({ type: 'message.new', content: 'after' });
    const result = { sent_bytes: 0, code, heard_after: mallory.heard({ content: 'after' }).length, told: mallory.heard('session.expiring').length };
    friend.terminate();
    mallory.terminate();
    return result;
  },

  judge: ({ result }) => [
    ['they are told before', result.told === 1, `${result.told} times`],
    ['they are closed with 4101', result.code === 4101, `closed with ${result.code}`],
    ['they hear nothing that is said afterwards', result.heard_after === 0, `${result.heard_after} messages`],
  ],
};
