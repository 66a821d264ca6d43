import { constants, deflateRawSync } from 'node:zlib';

import { RawSocket, frame } from './raw.mjs';

const kDeflatedText = 0xC1;   // FIN, RSV1, text
const kConnections = 10;
// JSON that is no command, so that nothing but reading it costs.
const kBomb = deflateRawSync(Buffer.from(`{"type":"${'a'.repeat(60 * 1024)}"}`), { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
const kBombs = Buffer.concat(Array(64).fill(frame(kDeflatedText, kBomb)));

// One user with ten connections: each small frame becomes 60 KiB.
export default {
  title: 'compressed bombs of one user on ten connections',
  weakness: 'work_share',

  prepare: async ({ server }) => ({ token: await server.token({ name: 'mallory' }) }),

  async attack({ port, prepared, goes_on }) {
    let sent_bytes = 0;
    const flood = async () => {
      while (goes_on()) {
        const raw = await RawSocket.upgrade(port, { token: prepared.token, deflate: true });
        await Promise.race([(async () => { while (goes_on() && !raw.is_closed) await raw.write(kBombs); })(),
                            new Promise((resolve) => { const timer = setInterval(() => { if (!goes_on()) { clearInterval(timer); resolve(); } }, 50); })]);
        sent_bytes += raw.bytes_sent;
        raw.destroy();
      }
    };
    await Promise.all(Array.from({ length: kConnections }, flood));
    return { sent_bytes };
  },

  look: async ({ server }) => ({ bytes: await server.metric('uproar_net_message_bytes_in_total') }),
  // The shares of both: a quarter of a second of work at once for the address, and 4 million bytes a second of the user.
  judge: ({ extra, seconds }) => [['what was inflated is within the share of one user',
                                   extra.bytes <= 16e6 + 30e6 + 5e6 * (seconds + 2),
                                   `${Math.round(extra.bytes / 1e6)} MB were inflated in ${seconds.toFixed(1)} s`]],
};
