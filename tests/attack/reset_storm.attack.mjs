import { RawSocket, frame } from './raw.mjs';

const kUsers = 100;         // each from an address of its own: no limit of an address is met
const kAtOnce = 32;
const kHonestMax = 10;      // the pair, and probes and newcomers that are on their way
const kLookMs = 8_000;      // less than the 10 s after which a request is given up anyway
const kEnoughResets = 100;

const kHalfHead = 'GET /ws HTTP/1.1\r\nHost: 127';
const kHalfMessage = frame(0x81, Buffer.alloc(100, 'x')).subarray(0, 20);

const has_session = (raw) => raw.until(() => raw.heard.includes('session.ready'));

// What a client can leave behind: nothing, half a request, a WebSocket without a session, one in the middle of a message, and a
// connection that it has half closed.
const kWays = [
  (port, { local }) => RawSocket.connect(port, { local }),
  async (port, { local }) => { const raw = await RawSocket.connect(port, { local }); await raw.write(kHalfHead); return raw; },
  (port, { local }) => RawSocket.upgrade(port, { local }),
  async (port, who) => { const raw = await RawSocket.upgrade(port, who); await has_session(raw); await raw.write(kHalfMessage); return raw; },
  async (port, { local }) => { const raw = await RawSocket.connect(port, { local }); raw.socket.end(kHalfHead); return raw; },
];

// A slot that is not given back at once is lost to others: for 10 s without a session, for two minutes with one.
export default {
  title: 'connections that are reset at every stage of their life',
  weakness: 'reset_storm',

  prepare: async ({ server }) => ({
    tokens: await Promise.all(Array.from({ length: kUsers }, (_, i) => server.token({ name: `mallory-${i}` }))),
  }),

  async attack({ port, prepared, goes_on }) {
    let resets = 0;
    let sent_bytes = 0;
    const storm = async () => {
      while (goes_on()) {
        const n = resets++;
        const who = { token: prepared.tokens[n % kUsers], local: `127.0.5.${1 + n % kUsers}` };
        const raw = await kWays[Math.floor(n / kUsers) % kWays.length](port, who);
        if (raw.socket.writableEnded) raw.destroy();   // a reset after a FIN is refused by Node
        else raw.socket.resetAndDestroy();
        await raw.closed;
        sent_bytes += raw.bytes_sent + 60;   // a SYN and a RST
      }
    };
    await Promise.all(Array.from({ length: kAtOnce }, storm));
    return { sent_bytes, resets };
  },

  async look({ server }) {
    const gives_up_at = Date.now() + kLookMs;
    let left;
    do left = await server.metric('uproar_net_connections'); while (left > kHonestMax && Date.now() < gives_up_at);
    return { left, unnamed: await server.metric('uproar_net_accept_errors_total') };
  },

  judge: ({ result, extra }) => [
    ['no slot is lost', extra.left <= kHonestMax, `${extra.left} are in use; ${extra.unnamed} were reset before they were accepted`],
    ['there was a storm', result.resets >= kEnoughResets, `${result.resets} resets`],
  ],
};
