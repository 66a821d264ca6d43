import { RawSocket } from './raw.mjs';

const kSlots = 400;

// Connections that ask for a page now and then hold their slots as long as they like, and need no account.
export default {
  title: 'one address holds all slots over HTTP',
  weakness: 'sessionless_slots',
  flags: { 'connections-max': String(kSlots), 'connections-per-address': '0', 'open-per-address': String(kSlots) },
  seconds: 4,

  async attack({ port, goes_on }) {
    const held = [];
    let sent_bytes = 0;
    const hold = async () => {
      const raw = await RawSocket.connect(port);
      await raw.write('GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
      held.push(raw);
    };
    while (goes_on()) {
      await Promise.all(Array.from({ length: 50 }, hold));
      // As many as there are slots, and a few more that knock: what was ended is replaced.
      for (let i = held.length - 1; i >= 0; --i) {
        if (held[i].is_closed || held.length > kSlots + 100) { sent_bytes += held[i].bytes_sent; held[i].destroy(); held.splice(i, 1); }
      }
      await new Promise((resolve) => { setTimeout(resolve, 10); });
    }
    for (const raw of held) { sent_bytes += raw.bytes_sent; raw.destroy(); }
    return { sent_bytes };
  },
};
