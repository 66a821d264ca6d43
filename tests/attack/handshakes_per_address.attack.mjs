import { RawSocket } from './raw.mjs';

const kAtOnce = 50;

// A connection costs the server more than its client: a slot, a stage, timers; and it is reset at once.
export default {
  title: 'connections that are opened and reset as fast as it goes',
  weakness: 'handshakes_per_address',

  async attack({ port, goes_on }) {
    let opened = 0;
    const storm = async () => {
      while (goes_on()) {
        const raw = await RawSocket.connect(port);
        ++opened;
        raw.socket.resetAndDestroy();
        await raw.closed;
      }
    };
    await Promise.all(Array.from({ length: kAtOnce }, storm));
    return { sent_bytes: opened * 60, opened };   // a SYN and a RST
  },

  look: async ({ server, result }) => ({ accepted: await server.metric('uproar_net_accepted_total'), opened: result.opened }),
  judge: ({ extra, attacked, seconds }) => {
    const most = 200 * (seconds + 2) + 4 * attacked.newcomers.came + 100;   // 200 a second, as by default
    return [['no more than 200 a second are let in', extra.accepted <= most, `${extra.accepted} of ${extra.opened}`]];
  },
};
