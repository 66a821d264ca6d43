import { RawSocket, frame } from './raw.mjs';

const kEach = 50;
const kByteEveryMs = 400;
const kAddress = '127.0.4.1';

const kMessage = frame(0x81, Buffer.from(JSON.stringify({ type: 'session.open', token: 'x'.repeat(400) })));

// How each of them begins; then comes a byte at a time, and never the last one.
const kKinds = {
  head: { begin: 'GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ', rest: () => 'x' },
  body: { begin: 'POST /api/v1/login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{',
          rest: () => ' ' },
  message: { is_websocket: true, begin: kMessage.subarray(0, 8), rest: (n) => kMessage.subarray(8 + n, 9 + n) },
};

async function begin(port, kind) {
  const raw = await (kind.is_websocket ? RawSocket.upgrade(port, { local: kAddress }) : RawSocket.connect(port, { local: kAddress }));
  await raw.write(kind.begin);
  return raw;
}

// Slowloris. Whoever has no session has 10 s for a request, from its first byte to its last, and 10 s from the upgrade to
// session.open; bytes on the way win nothing. In a session a message has 30 s and a user 20 connections: that is shown without
// waiting for it by ConnectionLife.DeadlinesAreAbsolute (tests/core/net).
export default {
  title: 'requests and messages that come a byte at a time',
  weakness: ['slow_requests', 'slow_openings'],
  seconds: 15,

  async attack({ port, goes_on }) {
    const held = {};
    for (const [name, kind] of Object.entries(kKinds)) held[name] = await Promise.all(Array.from({ length: kEach }, () => begin(port, kind)));
    const is_over = (raw) => raw.is_closed || raw.close_frame() !== undefined;
    const open = (name) => held[name].filter((raw) => !is_over(raw));
    for (let n = 0; goes_on(); ++n) {
      for (const [name, kind] of Object.entries(kKinds)) await Promise.all(open(name).map((raw) => raw.write(kind.rest(n))));
      await new Promise((resolve) => { setTimeout(resolve, kByteEveryMs); });
    }
    const all = Object.values(held).flat();
    const left = Object.fromEntries(Object.keys(kKinds).map((name) => [name, open(name).length]));
    const told = held.head.filter((raw) => raw.heard.toString('latin1').startsWith('HTTP/1.1 408')).length;
    const sent_bytes = all.reduce((sum, raw) => sum + raw.bytes_sent, 0);
    for (const raw of all) raw.destroy();
    return { sent_bytes, left, told };
  },

  judge: ({ result }) => [
    ...Object.entries(result.left).map(([name, left]) => [`no ${name} is waited for any more`, left === 0, `${left} of ${kEach}`]),
    ['who sent half a head is answered 408', result.told === kEach, `${result.told} of ${kEach}`],
  ],
};
