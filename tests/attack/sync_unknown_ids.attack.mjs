import { randomUUID } from 'node:crypto';

import { Client } from '../e2e/client.mjs';
import { kAttackerAddress } from './raw.mjs';

const kConnections = 20;   // as many as a user may have
const kIds = 1000;
// A sync of 1,000 costs 127 units. A user's connections together have 400 at once and 400 a second: 3 and 3 a second, for
// 3 s and the 5 s that the last ones wait, are 28. Each connection for itself would have three at once.
const kSyncsMax = 34;
const kReadsMax = 200;     // of conversations, the honest ones among them

// One user syncs conversations that do not exist, over all of their connections.
export default {
  title: 'syncs of 1,000 unknown conversations from 20 connections of one user',
  weakness: ['cost_by_size', 'user_share', 'unknown_ids'],

  prepare: async ({ server }) => ({ token: await server.token({ name: 'mallory' }) }),

  async attack({ port, prepared, goes_on }) {
    const seen = { sent_bytes: 0, syncs: 0, refused: {} };
    let next = 0;
    const play = async () => {
      while (goes_on()) {
        const client = await Client.connect(`ws://127.0.0.1:${port}/ws`, { token: prepared.token, ws: { localAddress: kAttackerAddress } })
          .catch(() => undefined);   // the one before is not gone yet
        if (!client) {
          await new Promise((resolve) => { setTimeout(resolve, 20); });
          continue;
        }
        while (goes_on() && client.close_code === undefined) {
          const id = `s${++next}`;
          const cursors = Object.fromEntries(Array.from({ length: kIds }, () => [randomUUID(), 1]));
          const said = { type: 'sync', id, cursors };
          seen.sent_bytes += JSON.stringify(said).length;
          client.send(said);
          const answer = await client.waitFor({ id }, id, 20_000).catch(() => undefined);
          if (answer?.type === 'sync.done') ++seen.syncs;
          else if (answer) seen.refused[answer.code] = (seen.refused[answer.code] ?? 0) + 1;
          if (answer?.type === 'error') await new Promise((resolve) => { setTimeout(resolve, 20); });
        }
        client.terminate();
      }
    };
    await Promise.all(Array.from({ length: kConnections }, play));
    return seen;
  },

  look: async ({ server }) => ({ reads: await server.metric('uproar_chat_conversation_reads_total') }),

  judge: ({ result, extra }) => [
    ['no more syncs are carried out than a user may have', result.syncs > 0 && result.syncs <= kSyncsMax,
      `${result.syncs}, refused ${JSON.stringify(result.refused)}`],
    ['unknown conversations are not read one by one', extra.reads <= kReadsMax, `${extra.reads} reads`],
  ],
};
