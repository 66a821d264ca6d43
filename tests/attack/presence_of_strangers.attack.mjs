import { randomUUID } from 'node:crypto';

import { Client } from '../e2e/client.mjs';
import { call } from '../e2e/rest.mjs';

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

// Somebody who shares no conversation with the victim wants to know when they sleep.
export default {
  title: 'a stranger watches when somebody is online',
  weakness: 'presence_of_strangers',
  seconds: 1,

  async prepare({ server }) {
    const [victim, mallory] = await server.people('victim', 'mallory');
    const before = await victim.connect();
    await before.close();   // there is a time at which they were online last
    return { victim: { id: victim.id, token: victim.token }, mallory: mallory.token };
  },

  async attack({ port, prepared }) {
    const { victim, mallory } = prepared;
    const nobody = randomUUID();
    const theirs = await Client.connect(`ws://127.0.0.1:${port}/ws`, { token: victim.token });
    const spy = await Client.connect(`ws://127.0.0.1:${port}/ws`, { token: mallory, ws: { localAddress: '127.0.0.66' } });
    const told = [];
    for (const type of ['presence.get', 'presence.subscribe', 'presence.unsubscribe', 'presence.subscribe']) {
      const { users } = await spy.get({ type, user_ids: [victim.id, nobody] }, 'presence.state');
      told.push(...users);
    }
    const url = `http://127.0.0.1:${port}`;
    const { body } = await call(url, 'POST', '/api/v1/presence', { token: mallory, body: { user_ids: [victim.id, nobody] } });
    told.push(...body.users);
    const profile = (await call(url, 'GET', `/api/v1/users/${victim.id}`, { token: mallory })).body;
    await theirs.close();   // and nothing is heard of it
    await pause(300);
    await spy.ping();
    const updates = spy.heard('presence.update').filter((event) => event.user_id === victim.id);
    spy.terminate();
    const shape = ({ user_id, ...rest }) => JSON.stringify(rest);
    return {
      sent_bytes: 2000,
      of_victim: told.filter((user) => user.user_id === victim.id).map(shape),
      of_nobody: told.filter((user) => user.user_id === nobody).map(shape),
      updates, profile_tells: profile.last_online !== undefined,
    };
  },

  judge: ({ result }) => [
    ['the victim is answered as somebody who is not there', result.of_victim.length === 5
      && result.of_victim.every((said, i) => said === result.of_nobody[i]), [...new Set(result.of_victim)].join(' ')],
    ['nobody tells when they come and go', result.updates.length === 0, JSON.stringify(result.updates)],
    ['their profile does not tell either', !result.profile_tells, ''],
  ],
};
