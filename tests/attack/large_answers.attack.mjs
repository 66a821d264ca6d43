import { RawSocket } from './raw.mjs';

const kConnections = 100;
const kPipelined = Buffer.from('GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'.repeat(200));

// 50 bytes are answered with 60 KB, of which nothing has to be looked up: what is answered is work like what is asked.
export default {
  title: 'the largest document over and over on 100 connections, without a token',
  weakness: 'work_share',

  async attack({ port, goes_on }) {
    const asking = Array.from({ length: kConnections }, async () => {
      const raw = await RawSocket.connect(port);
      while (goes_on() && !raw.is_closed) {
        const heard_before = raw.bytes_heard;
        await raw.write(kPipelined);
        await raw.until(() => raw.bytes_heard > heard_before);
      }
      raw.destroy();
      return raw;
    });
    const all = await Promise.all(asking);
    const sum = (name) => all.reduce((bytes, raw) => bytes + raw[name], 0);
    return { sent_bytes: sum('bytes_sent'), heard_bytes: sum('bytes_heard') };
  },

  look: async ({ server }) => ({ throttled: await server.metric('uproar_net_work_throttled_total') }),

  judge: ({ result, extra }) => [['whoever has been answered so much waits', extra.throttled > 0,
    `${extra.throttled} waits, ${Math.round(result.heard_bytes / 2 ** 20)} MiB answered`]],
};
