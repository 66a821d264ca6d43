import { RawSocket, frame } from './raw.mjs';

const kPings = Buffer.concat(Array(256).fill(frame(0x89, Buffer.alloc(125, 'p'))));

// Each ping of 131 bytes asks for a pong of 127.
export default {
  title: 'pings as fast as they can be written',
  weakness: 'control_frames',

  async attack({ port, goes_on }) {
    let sent_bytes = 0;
    let code;
    while (goes_on()) {
      const raw = await RawSocket.upgrade(port);
      while (goes_on() && !raw.is_closed && raw.close_frame() === undefined) await raw.write(kPings);
      await Promise.race([raw.closed, raw.until(() => raw.close_frame()?.code > 999)]);
      code ??= raw.close_frame()?.code;
      sent_bytes += raw.bytes_sent;
      raw.destroy();
    }
    return { sent_bytes, code };
  },

  look: async ({ server }) => ({ floods: await server.metric('uproar_net_control_floods_total') }),
  judge: ({ extra }) => [['floods of control frames are closed', extra.floods > 0, `${extra.floods} were`]],
};
