import { constants, deflateRawSync } from 'node:zlib';

import { RawSocket, frame } from './raw.mjs';

const kDeflatedText = 0xC1;   // FIN, RSV1, text
const kText = 0x81;
const kConnections = 20;      // as many as a user may have, each from an address of its own
// JSON that is no command, so that nothing but reading it costs. 120 KiB from some 150 bytes, and 16 KiB as they are.
const json = (bytes) => Buffer.from(`{"type":"${'a'.repeat(bytes)}"}`);
const kBomb = deflateRawSync(json(120 * 1024), { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
const kBombs = Buffer.concat(Array(64).fill(frame(kDeflatedText, kBomb)));
const kTexts = Buffer.concat(Array(16).fill(frame(kText, json(16 * 1024))));

// One user with all connections that they may have, from as many addresses: half of them send small frames that become 120 KiB
// each, the others as much as they can.
export default {
  title: 'compressed bombs and large messages of one user from 20 addresses',
  weakness: 'work_share',

  prepare: async ({ server }) => ({ token: await server.token({ name: 'mallory' }) }),

  async attack({ port, prepared, goes_on }) {
    let sent_bytes = 0;
    const flood = async (unused, i) => {
      const bytes = i % 2 === 0 ? kBombs : kTexts;
      while (goes_on()) {
        const raw = await RawSocket.upgrade(port, { token: prepared.token, deflate: true, local: `127.0.7.${i + 1}` });
        await Promise.race([(async () => { while (goes_on() && !raw.is_closed) await raw.write(bytes); })(),
                            new Promise((resolve) => { const timer = setInterval(() => { if (!goes_on()) { clearInterval(timer); resolve(); } }, 50); })]);
        sent_bytes += raw.bytes_sent;
        raw.destroy();
      }
    };
    await Promise.all(Array.from({ length: kConnections }, flood));
    return { sent_bytes };
  },

  look: async ({ server }) => ({ bytes: await server.metric('uproar_net_message_bytes_in_total') }),
  // The share of the user: 17 million bytes inflated at once, and 4.2 million a second. Each address would have five times as much.
  // What the shard has begun is not given back: the last message of each connection.
  judge: ({ extra, seconds }) => [['what was read and inflated is within the share of one user',
                                   extra.bytes <= 17e6 + 4.2e6 * (seconds + 2) + kConnections * 128 * 1024,
                                   `${Math.round(extra.bytes / 1e6)} MB in ${seconds.toFixed(1)} s`]],
};
