// From a data folder to PostgreSQL: clients meet what they left, and go on.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import { Postgres } from './postgres.mjs';
import { run, Server } from './server.mjs';

describe('uproar migrate', () => {
  it('moves a data folder to PostgreSQL, where cursors, tokens and retries stay good', async () => {
    const data = await mkdtemp(join(tmpdir(), 'uproar-e2e-move-'));
    const postgres = await Postgres.start();
    let server;
    try {
      const url = postgres.make_database('moved');
      const move = (...more) => run(['migrate', '--from', `sqlite:${data}`, '--postgres', url, ...more]);
      server = await Server.start({ data, flags: { postgres: undefined } });
      const [ada, bob] = await server.people('ada', 'bob');
      const account = { name: 'cyd', password: 'correct horse 3' };
      const registered = await server.rest('POST', '/api/v1/register', { body: account });
      assert.equal(registered.status, 201, registered.text);
      const [a, b] = [await ada.connect(), await bob.connect()];
      const { conversation } = await a.get({ type: 'conversation.create', kind: 'group', name: 'G', members: [bob.id] }, 'conversation.created');
      const send = (client, n) => client.ask({ type: 'message.send', conversation_id: conversation.id, client_id: `k${n}`, content: `text ${n}` });
      const first = [];
      for (let n = 0; n < 5; ++n) first.push(await send(a, n));
      await b.waitFor({ type: 'message.new', seq: first[1].seq });
      await b.get({ type: 'message.read', conversation_id: conversation.id, seq: first[1].seq }, 'receipt.update');

      const early = await move();
      assert.equal(early.code, 1, 'the server still runs');
      assert.match(early.output, /in use by process/);
      await server.stop();
      const moved = await move();
      assert.equal(moved.code, 0, moved.output);
      assert.match(moved.output, / {2,}3 users\n/);
      const twice = await move();
      assert.equal(twice.code, 1, twice.output);
      assert.match(twice.output, /is not empty/);
      assert.match((await run(['migrate', '--postgres', url])).output, /schema version \d+/);

      server = await Server.start({ data, flags: { postgres: url } });
      const again = await server.connect({ token: bob.token });
      const { pages } = await again.sync({ [conversation.id]: first[1].seq });
      assert.deepEqual(pages.flatMap((page) => page.messages.map((message) => [message.seq, message.content])),
                       first.slice(2).map((ack, n) => [ack.seq, `text ${n + 2}`]), 'what was missed, once');
      const { conversation: seen } = await again.get({ type: 'conversation.get', conversation_id: conversation.id }, 'conversation.info');
      assert.equal(seen.unread, 3);
      const author = await server.connect({ token: ada.token });
      const repeated = await send(author, 3);
      assert.deepEqual([repeated.seq, repeated.message_id, repeated.duplicate], [first[3].seq, first[3].message_id, true]);
      assert.equal((await send(author, 9)).seq, first[4].seq + 1);
      assert.equal((await server.rest('POST', '/api/v1/login', { body: account })).status, 200, 'the password is known');
    } finally {
      try { await server?.stop(); } finally {
        await postgres.end();
        await rm(data, { recursive: true, force: true });
      }
    }
  });

  it('says what it does not understand', async () => {
    for (const [words, expected] of [
      [['--from', 'sqlite:/x'], /--from wants --postgres/],
      [['--from', '/x', '--postgres', 'postgres://h/d'], /expected sqlite:DIR/],
      [['--data', '/x', '--postgres', 'postgres://h/d'], /--data goes with no other/],
      [['--nonsense'], /no option --nonsense/],
      [['--data'], /--data wants a value/],
    ]) {
      const said = await run(['migrate', ...words]);
      assert.equal(said.code, 2, said.output);
      assert.match(said.output, expected);
    }
    const missing = await run(['migrate', '--from', 'sqlite:/nonexistent', '--postgres', 'postgres://h/d']);
    assert.equal(missing.code, 1);
    assert.match(missing.output, /\/nonexistent\/uproar\.db.*name the data folder/s);
  });
});
