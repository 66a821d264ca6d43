import { randomUUID } from 'node:crypto';

import { Client } from '../e2e/client.mjs';
import { call } from '../e2e/rest.mjs';

// Who joins a channel is shown nothing from before; they try to find it by what they may do to messages.
export default {
  title: 'a newcomer reacts and replies to what was said before they came',
  weakness: 'react_before_joining',
  seconds: 1,

  async prepare({ server }) {
    const [owner, mallory] = await server.people('owner', 'mallory');
    const client = await owner.connect();
    const { conversation } = await client.get({ type: 'conversation.create', kind: 'group', name: 'board' }, 'conversation.created');
    const secret = await client.get({ type: 'message.send', conversation_id: conversation.id, client_id: 's', content: 'secret' }, 'message.sent');
    await client.get({ type: 'conversation.add', conversation_id: conversation.id, user_ids: [mallory.id], role: 'admin' }, 'member.added');
    return { conversation_id: conversation.id, seq: secret.seq, message_id: secret.message_id, token: mallory.token };
  },

  async attack({ port, prepared }) {
    const { conversation_id, seq, message_id, token } = prepared;
    const client = await Client.connect(`ws://127.0.0.1:${port}/ws`, { token, ws: { localAddress: '127.0.0.66' } });
    const url = `http://127.0.0.1:${port}`;
    const base = `/api/v1/conversations/${conversation_id}/messages`;
    // What is there, and what is not: the answers must be the same.
    const tries = async (ref) => {
      const message = typeof ref === 'number' ? { message_seq: ref } : { message_id: ref };
      const answers = [];
      for (const command of [{ type: 'reaction.add', ...message, emoji: '+' }, { type: 'reaction.remove', ...message, emoji: '+' },
                             { type: 'message.edit', ...message, content: 'x' }, { type: 'message.delete', ...message },
                             ...(typeof ref === 'number'
                               ? [{ type: 'message.send', client_id: randomUUID(), content: 're', reply_to: ref }] : [])])
        answers.push(await client.ask({ ...command, conversation_id }));
      const rest = async (method, path, body) => answers.push((await call(url, method, path, { token, body })).body);
      await rest('PUT', `${base}/${ref}/reactions/%2B`);
      await rest('PATCH', `${base}/${ref}`, { content: 'x' });
      await rest('DELETE', `${base}/${ref}`);
      if (typeof ref === 'number') await rest('POST', base, { client_id: randomUUID(), content: 're', reply_to: ref });
      return answers.map(({ id, ...answer }) => JSON.stringify(answer));
    };
    const result = { sent_bytes: 4000, hidden: [...await tries(seq), ...await tries(message_id)],
                     absent: [...await tries(9_999), ...await tries(randomUUID())] };
    client.terminate();
    return result;
  },

  judge: ({ result }) => [
    ['a hidden message is answered as one that is not there', result.hidden.every((said, i) => said === result.absent[i])
      && result.hidden.every((said) => said.includes('"not_found"')), [...new Set(result.hidden)].join(' ')],
  ],
};
