import { RawSocket, frame } from './raw.mjs';

const kUnfinished = frame(0x01, Buffer.alloc(63 * 1024, 'a'));   // FIN is still to come
const kConnections = 4_400;                                      // 4,096 of them fill the shard's 256 MiB
const kUsers = 220;

// Messages that are never finished fill the memory for messages that are not whole.
export default {
  title: 'unfinished messages of one address fill the memory for them',
  weakness: 'largest_holder',
  flags: { 'connections-per-address': '0', 'openings-per-second': '0' },
  seconds: 8,

  prepare: async ({ server }) => ({
    tokens: await Promise.all(Array.from({ length: kUsers }, (_, i) => server.token({ name: `mallory-${i}` }))),
  }),

  async attack({ port, prepared, goes_on }) {
    const held = [];
    let sent_bytes = 0;
    const hold = async (i) => {
      if (!goes_on()) return;
      const raw = await RawSocket.upgrade(port, { token: prepared.tokens[i % kUsers] });
      held.push(raw);
      await raw.write(kUnfinished);
    };
    for (let i = 0; i < kConnections && goes_on(); i += 100)
      await Promise.all(Array.from({ length: 100 }, (_, k) => hold(i + k)));
    while (goes_on()) await new Promise((resolve) => { setTimeout(resolve, 20); });
    const closed = held.filter((raw) => raw.is_closed || raw.close_frame() !== undefined).length;
    for (const raw of held) { sent_bytes += raw.bytes_sent; raw.destroy(); }
    return { sent_bytes, opened: held.length, closed };
  },

  // Somebody honest sends messages in two pieces, over and over, on one connection.
  async meanwhile({ server, ended }) {
    const client = await (await server.person('patient')).connect();
    let goes_on = true;
    ended.then(() => { goes_on = false; });
    let answered = 0;
    while (goes_on && client.close_code === undefined) {
      const id = `piece-${answered}`;
      client.socket.send('{"type":"ping",', { fin: false });
      await new Promise((resolve) => { setTimeout(resolve, 20); });
      client.socket.send(`"id":"${id}"}`, { fin: true });
      await client.waitFor({ id }).then(() => ++answered, () => {});
    }
    return { answered, close_code: client.close_code };
  },

  judge: ({ result, meanwhile }) => [
    ['who sends in two pieces is not closed', meanwhile.close_code === undefined && meanwhile.answered > 0,
      `${meanwhile.answered} answered, closed with ${meanwhile.close_code}`],
    ['so much was sent that somebody had to go', result.closed > 0, `${result.closed} of ${result.opened} closed`],
  ],
};
