import { RawSocket } from './raw.mjs';

const kSlots = 400;
const kBound = 300;   // three quarters, as by default

// The same with sessions, which do not make room for others: many accounts behind one address.
export default {
  title: 'one address holds all slots with sessions of many users',
  weakness: 'connections_per_address',
  flags: { 'connections-max': String(kSlots), 'connections-per-address': '0', 'openings-per-second': '0' },
  seconds: 4,

  prepare: async ({ server }) => ({
    tokens: await Promise.all(Array.from({ length: kSlots }, (_, i) => server.token({ name: `mallory-${i}` }))),
  }),

  async attack({ port, prepared, goes_on }) {
    const held = [];
    for (const token of prepared.tokens) {
      if (!goes_on()) break;
      held.push(await RawSocket.upgrade(port, { token }));
    }
    const open = () => held.filter((raw) => raw.is_upgraded && !raw.is_closed).length;
    let most = open();
    while (goes_on()) {
      most = Math.max(most, open());
      await new Promise((resolve) => { setTimeout(resolve, 20); });
    }
    const sent_bytes = held.reduce((sum, raw) => sum + raw.bytes_sent, 0);
    for (const raw of held) raw.destroy();
    return { sent_bytes, most };
  },

  judge: ({ result }) => [['an address has three quarters of the slots at most', result.most <= kBound, `${result.most} of ${kSlots}`]],
};
