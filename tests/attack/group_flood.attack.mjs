import { Client } from '../e2e/client.mjs';
import { kAttackerAddress } from './raw.mjs';

const kConnections = 20;       // as many as a user may have
const kInFlight = 8;
const kStrangers = 1000;
const kSmall = 30;
const kPeopleMax = 10_000;      // --first-contacts-per-day
const kMakers = 20;            // of the strangers, at a time

// One user makes groups with people who never heard of them, large ones and small ones, over all of their connections.
export default {
  title: 'groups of 30 and of 1,000 strangers from 20 connections of one user',
  weakness: 'quotas',

  async prepare({ server }) {
    const ids = [];
    const make = async () => { while (ids.length < kStrangers) { ids.push(null); ids.push((await server.person('stranger')).id); } };
    await Promise.all(Array.from({ length: kMakers }, make));
    return { token: await server.token({ name: 'mallory' }), strangers: ids.filter(Boolean) };
  },

  async attack({ port, prepared, goes_on }) {
    const { token, strangers } = prepared;
    const seen = { sent_bytes: 0, groups: 0, people: 0, refused: {}, detail: undefined };
    let next = 0;
    const play = async () => {
      while (goes_on()) {
        const client = await Client.connect(`ws://127.0.0.1:${port}/ws`, { token, ws: { localAddress: kAttackerAddress } })
          .catch(() => undefined);   // the one before is not gone yet
        if (!client) {
          await new Promise((resolve) => { setTimeout(resolve, 20); });
          continue;
        }
        const one_after_the_other = async () => {
          while (goes_on() && client.close_code === undefined) {
            const count = next++ % 4 === 0 ? strangers.length : kSmall;
            const at = Math.floor(Math.random() * (strangers.length - count + 1));
            const id = `g${next}`;
            const said = { type: 'conversation.create', id, name: 'look', members: strangers.slice(at, at + count) };
            seen.sent_bytes += JSON.stringify(said).length;
            client.send(said);
            const answer = await client.waitFor({ id }, id, 20_000).catch(() => undefined);
            if (answer?.type === 'conversation.created') {
              ++seen.groups;
              seen.people += count;
            } else if (answer) {
              seen.refused[answer.code] = (seen.refused[answer.code] ?? 0) + 1;
              if (answer.message.includes('day')) seen.detail = answer.message;
            }
          }
        };
        await Promise.all(Array.from({ length: kInFlight }, one_after_the_other));
        client.terminate();
      }
    };
    await Promise.all(Array.from({ length: kConnections }, play));
    return seen;
  },

  judge: ({ result }) => [
    ['no more strangers are added than a day allows', result.people > 0 && result.people <= kPeopleMax,
      `${result.people} in ${result.groups} groups, refused ${JSON.stringify(result.refused)}: ${result.detail}`],
  ],
};
