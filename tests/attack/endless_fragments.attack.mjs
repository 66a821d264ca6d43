import { RawSocket, frame } from './raw.mjs';

const kBegin = frame(0x01);
const kContinuations = Buffer.concat(Array(4096).fill(frame(0x00)));

// A message that never ends: its frames are empty, so that no limit of bytes is met.
export default {
  title: 'empty continuation frames without end',
  weakness: 'endless_fragments',

  prepare: async ({ server }) => ({ token: await server.token({ name: 'mallory' }) }),

  async attack({ port, prepared, goes_on }) {
    let sent_bytes = 0;
    let closes = 0;
    let code;
    while (goes_on()) {
      const raw = await RawSocket.upgrade(port, { token: prepared.token });
      await raw.write(kBegin);
      while (goes_on() && !raw.is_closed) await raw.write(kContinuations);
      sent_bytes += raw.bytes_sent;
      if (raw.is_closed) ++closes;
      code ??= raw.close_frame()?.code;
      raw.destroy();
    }
    return { sent_bytes, closes, code };
  },

  judge: ({ result }) => [['such a message is closed with 1008', result.closes > 0 && result.code === 1008,
                           `${result.closes} times closed, first with ${result.code}`]],
};
