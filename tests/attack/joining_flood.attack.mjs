import { Client } from '../e2e/client.mjs';

// Groups are made beforehand, by people whom the victim has written to: what is judged here is not how many groups somebody may
// make, or how many strangers they may add.
const kFlooders = 12;      // 20 a second each, by what that costs
const kGroupsEach = 20;
const kSessions = 5;
const kJoinings = 128;     // while a session begins: twice what one without the defence had room for

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

// The victim is put into 240 groups and out of them again, without end, while they connect.
export default {
  title: 'one user is put into groups faster than they can connect',
  weakness: 'joining_flood',
  seconds: 30,   // at most: until all sessions of the victim were tried

  async prepare({ server }) {
    const victim = await server.person('victim');
    const theirs = await victim.connect();
    const flooders = [];
    for (let i = 0; i < kFlooders; ++i) {
      const flooder = await server.person('mallory');
      await theirs.get({ type: 'message.send', to: flooder.id, client_id: `hi-${i}`, content: 'hi' }, 'message.sent');
      const client = await flooder.connect();
      const groups = [];
      for (let n = 0; n < kGroupsEach; ++n) {
        const { conversation } = await client.get({ type: 'conversation.create', kind: 'group', name: `g${n}`, client_id: `g${n}` },
                                                  'conversation.created');
        groups.push(conversation.id);
      }
      client.terminate();
      flooders.push({ token: flooder.token, groups });
    }
    theirs.terminate();
    return { victim: { id: victim.id, token: victim.token }, flooders };
  },

  async attack({ port, prepared, goes_on }) {
    const url = `ws://127.0.0.1:${port}/ws`;
    const { victim, flooders } = prepared;
    let sent_bytes = 0;
    let joinings = 0;
    let goes_on_flooding = true;
    const ws = { localAddress: '127.0.0.66' };
    const flood = async ({ token, groups }) => {
      const client = await Client.connect(url, { token, ws });
      let waits_ms = 0;
      client.on_event = (event) => {
        waits_ms = Math.max(waits_ms, event.retry_after_ms ?? 0);
        if (event.type === 'member.added') ++joinings;
      };
      for (let n = 0; goes_on_flooding && client.close_code === undefined; n = (n + 1) % groups.length) {
        const conversation_id = groups[n];
        for (const command of [{ type: 'conversation.add', conversation_id, user_ids: [victim.id] },
                               { type: 'conversation.remove', conversation_id, user_id: victim.id }]) {
          const text = JSON.stringify(command);
          client.send(text);
          sent_bytes += text.length;
        }
        if (n % 10 !== 9) continue;
        await client.ping().catch(() => {});
        if (waits_ms > 0) await pause(waits_ms);
        waits_ms = 0;
      }
      client.terminate();
    };
    const floods = flooders.map(flood);
    // A phone on a poor line: it says that it resumes, and takes a moment until it does.
    const stood = [];
    for (let i = 0; i < kSessions && goes_on(); ++i) {
      const session = await Client.connect(url, { token: victim.token, resume: true }).catch((error) => ({ error }));
      if (session.error) { stood.push(session.error.message); continue; }
      const joined_before = joinings;
      while (joinings < joined_before + kJoinings && session.close_code === undefined && goes_on()) await pause(10);
      const answer = await session.sync({}).then(() => session.ping()).catch((error) => ({ type: error.message.split('\n')[0] }));
      stood.push(session.close_code ?? answer.type);
      session.terminate();
    }
    goes_on_flooding = false;
    await Promise.all(floods);
    return { sent_bytes, stood, joinings };
  },

  judge: ({ result: { stood, joinings } }) => [[`the ${kSessions} sessions of the victim stand`,
    stood.length === kSessions && stood.every((how) => how === 'pong'), `${stood.join(', ')}; ${joinings} joinings`]],
};
