import { readFile } from 'node:fs/promises';

import { Client } from '../e2e/client.mjs';
import { RawSocket, frame, kAttackerAddress } from './raw.mjs';

const kReaders = 20;          // as many as a user may have
const kRowBytes = 16_000;
const kRowsAsked = 4;         // 64,000 bytes: a page holds no more
const kAsksAtOnce = 10;       // of all readers together fewer than the 256 reads that may be under way
const kAskEveryMs = 80;
const kLoudMessages = 60;     // less than the burst of one connection
// An egress queue holds 1 MiB. Beside 20 of them stand what is on its way to and from the store, and what the honest need.
const kGrownMiBMax = 120;

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

// The most that the process ever had in memory.
async function peak_mib(pid) {
  return Number(/VmHWM:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;
}

// Zero windows: they sit in a room that is loud, ask for its history again and again, and read nothing.
export default {
  title: '20 connections of one user ask for history in a loud room and do not read',
  weakness: 'slow_readers',
  seconds: 4,

  async prepare({ server }) {
    const [mallory, loud] = await server.people('mallory', 'loud');
    const client = await mallory.connect();
    const { conversation } = await client.get({ type: 'conversation.create', name: 'loud', members: [loud.id] }, 'conversation.created');
    for (let i = 0; i < kRowsAsked; ++i) {
      await client.get({ type: 'message.send', conversation_id: conversation.id, client_id: `r${i}`, content: 'r'.repeat(kRowBytes) },
                       'message.sent');
    }
    client.terminate();
    return { mallory: mallory.token, loud: loud.token, room: conversation.id, mib: await peak_mib(server.pid) };
  },

  async attack({ port, prepared, goes_on }) {
    const { mallory, loud, room, mib } = prepared;
    const readers = await Promise.all(Array.from({ length: kReaders }, () => RawSocket.upgrade(port, { token: mallory })));
    await Promise.all(readers.map((raw) => raw.until(() => raw.heard.includes('session.ready'))));
    for (const raw of readers) raw.socket.pause();
    const talker = await Client.connect(`ws://127.0.0.1:${port}/ws`, { token: loud, ws: { localAddress: kAttackerAddress } });
    const content = 'l'.repeat(kRowBytes);
    for (let i = 0; i < kLoudMessages; ++i) talker.send({ type: 'message.send', conversation_id: room, client_id: `l${i}`, content });
    const ask = frame(0x81, Buffer.from(JSON.stringify({ type: 'history', conversation_id: room, limit: kRowsAsked })));
    const asks = Buffer.concat(Array(kAsksAtOnce).fill(ask));
    while (goes_on()) {
      await Promise.all(readers.map((raw) => raw.write(asks)));
      await pause(kAskEveryMs);
    }
    const sent_bytes = readers.reduce((sum, raw) => sum + raw.bytes_sent, 0);
    for (const raw of readers) raw.destroy();
    talker.terminate();
    return { sent_bytes, mib };
  },

  look: async ({ server, result }) => ({
    grown_mib: await peak_mib(server.pid) - result.mib,
    slow: await server.metric('uproar_net_closed_slow_total'),
    shed: await server.metric('uproar_net_shed_shard_egress_total'),
  }),

  judge: ({ extra }) => [
    ['who does not read is closed with 4201', extra.slow === kReaders, `${extra.slow} of ${kReaders}`],
    ['and before the room of all slow readers is used up', extra.shed === 0, `${extra.shed} were closed for want of it`],
    ['what they have not read stays small', extra.grown_mib < kGrownMiBMax, `${extra.grown_mib.toFixed(0)} MiB more at most`],
  ],
};
