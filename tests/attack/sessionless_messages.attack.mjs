import { constants, deflateRawSync } from 'node:zlib';

import { RawSocket, frame } from './raw.mjs';

const kDeflatedText = 0xC1;   // FIN, RSV1, text
const kBomb = deflateRawSync(Buffer.alloc(64 * 1024, 'a'), { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
const kBombs = Buffer.concat(Array(64).fill(frame(kDeflatedText, kBomb)));

// Nobody has logged in: a few hundred bytes ask the server to inflate 64 KiB, over and over.
export default {
  title: 'compressed bombs without a token',
  weakness: 'sessionless_messages',

  async attack({ port, goes_on }) {
    let sent_bytes = 0;
    let first_code;
    while (goes_on()) {
      const raw = await RawSocket.upgrade(port, { deflate: true });
      if (raw.is_upgraded) await raw.write(kBombs);
      await raw.until(() => raw.close_frame() !== undefined);
      first_code ??= raw.close_frame()?.code;
      sent_bytes += raw.bytes_sent;
      raw.destroy();
    }
    return { sent_bytes, first_code };
  },

  judge: ({ result }) => [['the first is refused by its size (1009)', result.first_code === 1009, `closed with ${result.first_code}`]],
};
