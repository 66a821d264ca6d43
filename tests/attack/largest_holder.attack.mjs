import { RawSocket, frame } from './raw.mjs';

const kUnfinished = frame(0x01, Buffer.alloc(63 * 1024, 'a'));   // FIN is still to come
const kConnections = 4_400;                                      // 4,096 of them fill the shard's 256 MiB
const kUsers = 220;
// One address would wait for its share of the work before it has sent that much.
const kAddresses = ['127.0.0.66', '127.0.0.67', '127.0.0.68', '127.0.0.69'];

// Messages that are never finished fill the memory for messages that are not whole.
export default {
  title: 'unfinished messages of four addresses fill the memory for them',
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
      const raw = await RawSocket.upgrade(port, { token: prepared.tokens[i % kUsers], local: kAddresses[i % kAddresses.length] });
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

  // Somebody honest has begun a message before, and ends it afterwards.
  async meanwhile({ server, ended }) {
    const client = await (await server.person('patient')).connect();
    client.socket.send('{"type":"ping",', { fin: false });
    await ended;
    client.socket.send('"id":"piece"}', { fin: true });
    const answer = await client.waitFor({ id: 'piece' }).catch((error) => ({ type: error.message.split('\n')[0] }));
    return { answer: answer.type, close_code: client.close_code };
  },

  judge: ({ result, meanwhile }) => [
    ['who sends in two pieces is not closed', meanwhile.answer === 'pong', meanwhile.close_code ?? meanwhile.answer],
    ['so much was sent that somebody had to go', result.closed > 0, `${result.closed} of ${result.opened} closed`],
  ],
};
