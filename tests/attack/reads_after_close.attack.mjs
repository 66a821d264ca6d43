import { constants, deflateRawSync } from 'node:zlib';

import { RawSocket, frame } from './raw.mjs';

const kDeflatedText = 0xC1;   // FIN, RSV1, text
const kBomb = deflateRawSync(Buffer.alloc(3 * 1024, 'a'), { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
const kBombs = Buffer.concat(Array(512).fill(frame(kDeflatedText, kBomb)));
const kWrong = frame(0x81, Buffer.from('{"type":"ping"}'));   // five of them are answered with a close frame

// The server has said its close frame and waits for ours: what is sent in its place must cost it nothing.
export default {
  title: 'compressed messages after the close frame of the server',
  weakness: 'reads_after_close',

  async attack({ port, goes_on }) {
    let sent_bytes = 0;
    while (goes_on()) {
      const raw = await RawSocket.upgrade(port, { deflate: true });
      for (let i = 0; i < 5; ++i) await raw.write(kWrong);
      await raw.until(() => raw.close_frame() !== undefined);
      while (goes_on() && !raw.is_closed) await raw.write(kBombs);
      sent_bytes += raw.bytes_sent;
      raw.destroy();
    }
    return { sent_bytes };
  },

  look: async ({ server }) => ({ messages: await server.metric('uproar_net_messages_in_total') }),
  judge: ({ extra, attacked }) => {
    const honest = 2 * attacked.said + 2_000;   // what they and the server's own probes say, amply
    return [['what comes after the close frame is not read', extra.messages <= honest, `${extra.messages} messages were read`]];
  },
};
