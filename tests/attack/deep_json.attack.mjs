import { Client } from '../e2e/client.mjs';
import { kAttackerAddress } from './raw.mjs';

const kConnections = 4;
const kDepthMax = 32;
const kAnswerMs = 20_000;
const kAlmostAll = 120 * 1024;   // of the 128 KiB that a message may have

const arrays = (depth) => '['.repeat(depth) + ']'.repeat(depth);
const objects = (depth) => '{"a":'.repeat(depth) + '0' + '}'.repeat(depth);
const event = (room, data) => `{"type":"event.publish","conversation_id":"${room}","name":"n","data":${data}`;
const many_keys = (count) => Array.from({ length: count }, (_, i) => `"key${i}":0`).join();

// What is said, without its id and the last brace, and the answer that it gets.
const kSaid = (room) => ({
  'data as deep as it may be': [event(room, arrays(kDepthMax)), 'ok'],
  'data one deeper': [event(room, arrays(kDepthMax + 1)), 'invalid_field'],
  'objects one deeper': [event(room, objects(kDepthMax + 1)), 'invalid_field'],
  'data 64 deep': [event(room, arrays(64)), 'invalid_field'],
  'data 10,000 deep': [event(room, arrays(10_000)), 'invalid_field'],
  'data 60,000 deep': [event(room, arrays(kAlmostAll / 2)), 'invalid_field'],
  'objects 20,000 deep': [event(room, objects(20_000)), 'invalid_field'],
  'attachments 10,000 deep': [`{"type":"message.send","conversation_id":"${room}","client_id":"c","content":"x","attachments":${arrays(10_000)}`,
                              'invalid_field'],
  'attachments by thousands': [`{"type":"message.send","conversation_id":"${room}","client_id":"c","content":"x","attachments":[${
    Array(kAlmostAll / 3).fill('{}').join()}]`, 'too_large'],
  'an unknown key 10,000 deep': [`{"type":"ping","x":${arrays(10_000)}`, 'invalid_field'],
  'unknown keys by thousands': [`{"type":"ping",${many_keys(9_000)}`, 'pong'],
  'one key, again and again': [`{"type":"ping"${',"seq":1'.repeat(kAlmostAll / 8)}`, 'pong'],
  'keys that are escaped': [`{"type":"ping","${'\\u0061'.repeat(kAlmostAll / 6)}":0`, 'pong'],
  'a number without end': [`{"type":"ping","x":${'9'.repeat(kAlmostAll)}`, 'invalid_field'],
  'data of 120 KiB': [event(room, `"${'x'.repeat(kAlmostAll)}"`), 'too_large'],
});

function depth_of(value) {
  if (value === null || typeof value !== 'object') return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depth_of));
}

// What is hard to read, as large as a message may be. It is refused in words, costs what its bytes do, and no hearer is given what
// their own parser, which may be recursive, falls over.
export default {
  title: 'JSON of 128 KiB: 60,000 deep, of 9,000 keys, of one number',
  weakness: 'deep_json',

  async prepare({ server }) {
    const [mallory, friend] = await server.people('mallory', 'friend');
    const client = await mallory.connect();
    const { conversation } = await client.get({ type: 'conversation.create', name: 'deep', members: [friend.id] }, 'conversation.created');
    client.terminate();
    return { token: mallory.token, friend: friend.token, room: conversation.id };
  },

  async attack({ port, prepared, goes_on }) {
    const url = `ws://127.0.0.1:${port}/ws`;
    const ws = { localAddress: kAttackerAddress };
    const friend = await Client.connect(url, { token: prepared.friend, ws });
    const answers = {};
    let sent_bytes = 0;
    let next = 0;
    const say_all = async () => {
      const client = await Client.connect(url, { token: prepared.token, ws });
      const said = Object.entries(kSaid(prepared.room));
      // All of it once, however long that takes; then as long as there is time.
      for (let i = 0; i < said.length || goes_on(); ++i) {
        const [name, [text]] = said[i % said.length];
        for (;;) {
          const id = `j${next++}`;
          client.send(`${text},"id":"${id}"}`);
          sent_bytes += text.length;
          const answer = await client.waitFor({ id }, name, kAnswerMs).catch((error) => ({ type: error.message.split('\n')[0] }));
          const how = answer.code ?? answer.type;
          if (how === 'rate_limited') {
            await new Promise((resolve) => { setTimeout(resolve, answer.retry_after_ms); });
            continue;
          }
          (answers[name] ??= {})[how] = (answers[name][how] ?? 0) + 1;
          break;
        }
        if (client.close_code !== undefined) break;
      }
      client.terminate();
    };
    await Promise.all(Array.from({ length: kConnections }, say_all));
    await friend.ping();
    const depths = friend.heard('event').map((heard) => depth_of(heard.data));
    friend.terminate();
    return { sent_bytes, answers, heard: depths.length, deepest: Math.max(0, ...depths) };
  },

  judge: ({ result }) => [
    ...Object.entries(kSaid('')).map(([name, [, wanted]]) => {
      const got = Object.keys(result.answers[name] ?? {});
      return [`${name}: ${wanted}`, got.length === 1 && got[0] === wanted, JSON.stringify(result.answers[name])];
    }),
    [`hearers are given nothing deeper than ${kDepthMax}`, result.heard > 0 && result.deepest === kDepthMax,
      `${result.heard} events, ${result.deepest} deep at most`],
  ],
};
