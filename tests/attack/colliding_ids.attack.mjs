import { randomBytes } from 'node:crypto';

import { sleep } from './http.mjs';
import { RawSocket, kAttackerAddress } from './raw.mjs';

const kVictims = 8;
const kConnections = 5;
const kAtOnce = 20;
const kAskEveryMs = 250;
const kPath = '/api/v1/conversations?limit=1';

const uuid_of = (high, low) => (high.toString(16).padStart(16, '0') + low.toString(16).padStart(16, '0'))
  .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
const random_u64 = () => randomBytes(8).readBigUInt64BE();

// Were requests counted in buckets that users share, whoever finds an account in the bucket of somebody could spend it: ids are
// told to everybody, and one account in 4,096 would do. Here the halves of all ids give the same when they are combined.
export default {
  title: 'requests by a user whose id is made like those of others',
  weakness: 'colliding_ids',

  async prepare({ server }) {
    const common = random_u64();
    const token = async (name) => {
      const high = random_u64();
      return server.token({ sub: uuid_of(high, high ^ common), name });
    };
    return { mallory: await token('mallory'),
             victims: await Promise.all(Array.from({ length: kVictims }, (_, i) => token(`victim-${i}`))) };
  },

  async attack({ port, prepared, goes_on }) {
    const ask = `GET ${kPath} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${prepared.mallory}\r\n\r\n`.repeat(kAtOnce);
    const count = (heard, what) => heard.toString('latin1').split(what).length - 1;
    const seen = { sent_bytes: 0, asked: 0, refused: 0 };
    await Promise.all(Array.from({ length: kConnections }, async () => {
      const raw = await RawSocket.connect(port, { local: kAttackerAddress });
      while (goes_on() && !raw.is_closed) {
        raw.heard = Buffer.alloc(0);
        await raw.write(ask);
        await raw.until(() => count(raw.heard, 'HTTP/1.1 ') >= kAtOnce);
        seen.asked += kAtOnce;
        seen.refused += count(raw.heard, 'HTTP/1.1 429');
      }
      seen.sent_bytes += raw.bytes_sent;
      raw.destroy();
    }));
    return seen;
  },

  async meanwhile({ server, prepared, ended }) {
    let goes_on = true;
    ended.then(() => { goes_on = false; });
    // How often each was refused.
    const refused = await Promise.all(Array.from({ length: kVictims }, async (_, i) => {
      const token = prepared.victims[i];
      let times = 0;
      while (goes_on) {
        if ((await server.rest('GET', kPath, { token })).status === 429) ++times;
        await sleep(kAskEveryMs);
      }
      return times;
    }));
    return { refused };
  },

  judge: ({ result, meanwhile }) => [
    ['the others are answered', meanwhile.refused.every((times) => times === 0), `refused ${meanwhile.refused} times`],
    ['who asks too much is not', result.refused > 0, `${result.refused} of ${result.asked} refused`],
  ],
};
