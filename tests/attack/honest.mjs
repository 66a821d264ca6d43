// Who has done nothing: a pair that talks, and newcomers who connect.

import { Client } from '../e2e/client.mjs';

const kMessageEveryMs = 20;
const kNewcomerEveryMs = 250;
const kAnswerMs = 15_000;   // later is never

export class HonestPair {
  static async make(server) {
    const pair = new HonestPair();
    pair.server = server;
    const [alice, bob] = await server.people('alice', 'bob');
    pair.alice = await alice.connect();
    pair.bob = await bob.connect();
    const made = await pair.alice.get({ type: 'conversation.create', name: 'honest', members: [bob.id] }, 'conversation.created');
    pair.conversation_id = made.conversation.id;
    pair.newcomer = await server.token({ name: 'newcomer' });
    return pair;
  }

  // Talks for so long, or until the promise is fulfilled. -> what became of it
  async talk(seconds, until = new Promise(() => {})) {
    const waits_ms = [];
    const failures = [];
    const newcomers = { came: 0, failures: [] };
    const pending = [];
    let goes_on = true;
    until.then(() => { goes_on = false; });
    const ends_at = performance.now() + seconds * 1000;
    let next_message_at = performance.now();
    let next_newcomer_at = performance.now();
    while (goes_on && performance.now() < ends_at) {
      const now = performance.now();
      // By the schedule, not after the answer: who waits for the slow one measures only the fast ones.
      for (; next_message_at <= now; next_message_at += kMessageEveryMs) {
        pending.push(this.#say(next_message_at).then((ms) => waits_ms.push(ms), (error) => failures.push(error.message)));
      }
      for (; next_newcomer_at <= now; next_newcomer_at += kNewcomerEveryMs) {
        ++newcomers.came;
        pending.push(this.#come().catch((error) => newcomers.failures.push(error.message)));
      }
      await new Promise((resolve) => { setTimeout(resolve, Math.max(1, Math.min(next_message_at, ends_at) - performance.now())); });
    }
    await Promise.all(pending);
    waits_ms.sort((a, b) => a - b);
    const at = (part) => waits_ms[Math.min(waits_ms.length - 1, Math.floor(waits_ms.length * part))];
    return { said: waits_ms.length + failures.length, p50_ms: at(0.5), p99_ms: at(0.99), max_ms: waits_ms.at(-1), failures, newcomers };
  }

  // Milliseconds from when it was due until the other has heard it.
  async #say(due_at) {
    const client_id = `honest-${HonestPair.#next++}`;
    const heard = this.bob.waitFor({ type: 'message.new', content: client_id }, client_id, kAnswerMs);
    heard.catch(() => {});
    const id = client_id;
    this.alice.send({ type: 'message.send', id, conversation_id: this.conversation_id, client_id, content: client_id });
    const answer = await this.alice.waitFor({ id }, client_id, kAnswerMs);
    if (answer.type !== 'message.sent') throw new Error(JSON.stringify(answer));
    await heard;
    return performance.now() - due_at;
  }

  async #come() {
    const client = await Client.connect(this.server.ws_url, { token: this.newcomer });
    await client.ping();
    client.terminate();
  }

  static #next = 1;
}
