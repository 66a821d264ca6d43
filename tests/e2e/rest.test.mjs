// REST: the same commands through the other door, and the documents that describe it.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { fits } from './client.mjs';
import { use_server } from './server.mjs';

const kUuid = '00000000-0000-4000-8000-000000000000';
const kMethods = ['get', 'put', 'post', 'delete', 'patch'];

for (const shards of [1, 2]) {
  describe(`on ${shards} shard${shards > 1 ? 's' : ''}`, () => {
    const server = use_server(before, after, { shards });

    it('every command can be said, and is heard on the WebSocket', async () => {
      const [ada, bob, cyd] = await server().people('ada', 'bob', 'cyd');
      const hearer = await bob.connect();
      const say = async (who, method, path, body, status = 200) => {
        const answer = await who.rest(method, `/api/v1${path}`, body);
        assert.equal(answer.status, status, `${method} ${path}: ${answer.status} ${answer.text}`);
        return answer.body;
      };
      const { conversation } = await say(ada, 'POST', '/conversations', { kind: 'group', name: 'Lions', members: [bob.id] }, 201);
      const c = `/conversations/${conversation.id}`;
      await hearer.waitFor({ type: 'conversation.joined', conversation: { id: conversation.id } });
      const sent = await say(ada, 'POST', `${c}/messages`, { client_id: 'k1', content: 'one' }, 201);
      await hearer.waitFor({ type: 'message.new', seq: sent.seq, content: 'one' });
      const edited = await say(ada, 'PATCH', `${c}/messages/${sent.seq}`, { content: 'two' });
      assert.ok(fits(edited, { message_seq: sent.seq, content: 'two' }));
      await hearer.waitFor({ type: 'message.updated', seq: edited.seq });
      const reacted = await say(bob, 'PUT', `${c}/messages/${sent.message_id}/reactions/${encodeURIComponent('👍')}`);
      assert.ok(fits(reacted, { emoji: '👍', added: true, message_seq: sent.seq }));
      await say(bob, 'DELETE', `${c}/messages/${sent.seq}/reactions/${encodeURIComponent('👍')}`);
      await hearer.waitFor({ type: 'reaction.updated', added: false });
      await say(ada, 'POST', `${c}/typing`, { typing: true });
      await hearer.waitFor({ type: 'typing.update', user_id: ada.id, typing: true });
      await say(ada, 'POST', `${c}/typing`, { typing: false });
      await hearer.waitFor({ type: 'typing.update', typing: false });
      await say(ada, 'POST', `${c}/events`, { name: 'cursor', data: { x: 1 } });
      await hearer.waitFor({ type: 'event', name: 'cursor', data: { x: 1 } });
      assert.equal((await say(bob, 'GET', '/unread')).pages[0].messages[0].content, 'two');
      await say(bob, 'POST', `${c}/delivered`, { seq: sent.seq });
      assert.equal((await say(bob, 'POST', `${c}/read`, { seq: sent.seq })).read_seq, sent.seq);
      await hearer.waitFor({ type: 'receipt.update', user_id: bob.id, read_seq: sent.seq });
      assert.deepEqual((await say(bob, 'GET', '/unread')).pages ?? [], []);
      await say(ada, 'POST', `${c}/members`, { user_ids: [cyd.id] });
      await hearer.waitFor({ type: 'member.added', user_id: cyd.id });
      await say(ada, 'PATCH', `${c}/members/${cyd.id}`, { role: 'admin' });
      await hearer.waitFor({ type: 'conversation.updated', user_id: cyd.id, role: 'admin' });
      await say(ada, 'DELETE', `${c}/members/${cyd.id}`);
      await hearer.waitFor({ type: 'member.removed', user_id: cyd.id });
      await say(ada, 'PATCH', c, { name: 'Tigers' });
      await hearer.waitFor({ type: 'conversation.updated', name: 'Tigers' });
      assert.ok((await say(ada, 'PUT', `${c}/mute`, { for_ms: 60_000 })).muted_until);
      const info = (await say(ada, 'GET', c)).conversation;
      assert.ok(fits(info, { id: conversation.id, name: 'Tigers', role: 'owner', member_count: 2 }) && info.muted_until);
      assert.ok((await say(ada, 'GET', '/conversations?limit=10')).conversations.some((each) => each.id === conversation.id));
      const page = await say(ada, 'GET', `${c}/messages?after_seq=${sent.seq - 1}&limit=1`);
      assert.ok(fits(page, { messages: [{ seq: sent.seq, content: 'two' }], has_more: true }), JSON.stringify(page));
      const synced = await say(ada, 'POST', '/sync', { cursors: { [conversation.id]: 0 } });
      assert.equal(synced.pages[0].messages.find((message) => message.seq === sent.seq).content, 'two');
      assert.equal(synced.cursors[conversation.id], info.last_seq);
      assert.deepEqual((await say(cyd, 'POST', '/sync', { cursors: { [conversation.id]: 0 } })).refused, { [conversation.id]: 'not_member' });
      const state = await say(ada, 'POST', '/presence', { user_ids: [bob.id] });
      assert.deepEqual(state.users.map((user) => [user.user_id, user.status]), [[bob.id, 'online']]);
      await say(ada, 'DELETE', `${c}/messages/${sent.message_id}`);
      await hearer.waitFor({ type: 'message.deleted', message_seq: sent.seq });
      const last_words = await say(bob, 'POST', `${c}/messages`, { client_id: 'bye', content: 'bye' }, 201);
      await say(bob, 'POST', `${c}/leave`);
      const again = await say(bob, 'POST', `${c}/messages`, { client_id: 'bye', content: 'bye' });
      assert.deepEqual([again.seq, again.message_id, again.duplicate], [last_words.seq, last_words.message_id, true]);
      assert.equal((await say(bob, 'POST', `${c}/messages`, { client_id: 'more', content: 'more' }, 403)).code, 'not_member');
      const { conversation: channel } = await say(ada, 'POST', '/conversations', { kind: 'channel', name: 'News' }, 201);
      assert.equal((await say(bob, 'POST', `/conversations/${channel.id}/join`)).conversation.id, channel.id);
      await hearer.waitFor({ type: 'conversation.joined', conversation: { id: channel.id } });
      const direct = await say(ada, 'POST', '/messages', { to: bob.id, client_id: 'k1', content: 'hello bob' }, 201);
      await hearer.waitFor({ type: 'message.new', conversation_id: direct.conversation_id });
    });

    it('/openapi.json is valid enough to be used, and each path of it is answered', async () => {
      const { status, body: document, headers } = await server().rest('GET', '/openapi.json');
      assert.equal(status, 200);
      assert.match(headers.get('content-type'), /^application\/json/);
      assert.match(document.openapi, /^3\.1\./);
      check_references(document, document);
      const ada = await server().person('ada');
      const { body: { conversation } } = await ada.rest('POST', '/api/v1/conversations', { kind: 'channel', name: 'c' });
      await ada.rest('POST', `/api/v1/conversations/${conversation.id}/messages`, { client_id: 'k', content: 'x' });
      const places = { id: conversation.id, ref: '1', user_id: ada.id, emoji: 'x' };
      const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
        Object.entries(methods).filter(([method]) => kMethods.includes(method)).map(([method, operation]) => ({ path, method, operation })));
      assert.ok(operations.length >= 35);
      for (const { path, method, operation } of operations) {
        const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
        const declared = [...(operation.parameters ?? []), ...(document.paths[path].parameters ?? [])].filter((parameter) => parameter.in === 'path');
        assert.deepEqual(declared.map((parameter) => parameter.name).sort(), [...names].sort(), `${method} ${path}: declared parameters`);
        if (path === '/api/v1/logout') continue;
        const where = path.replace(/\{(\w+)\}/g, (_, name) => { assert.ok(places[name], name); return places[name]; });
        const is_elsewhere = operation.servers !== undefined;   // for operators
        const answer = is_elsewhere ? await server().admin(where) : await ada.rest(method.toUpperCase(), where, operation.requestBody ? {} : undefined);
        assert.ok(![404, 405].includes(answer.status), `${method} ${where}: ${answer.status} ${answer.text}`);
        assert.ok(operation.responses[answer.status], `${method} ${path}: ${answer.status} is not documented: ${answer.text}`);
        const wants_token = (operation.security ?? document.security).some((scheme) => Object.keys(scheme).length > 0);
        if (wants_token) {
          const stranger = await server().rest(method.toUpperCase(), where, { body: operation.requestBody ? {} : undefined });
          assert.deepEqual([stranger.status, stranger.body?.code], [401, 'unauthorized'], `${method} ${path} without a token`);
        }
      }
    });

    it('/openapi.json declares the conflicts and the bodies that are too large', async () => {
      const { body: document } = await server().rest('GET', '/openapi.json');
      for (const [path, methods] of Object.entries(document.paths)) {
        for (const [method, operation] of Object.entries(methods).filter(([name]) => kMethods.includes(name))) {
          if (operation.requestBody) assert.ok(operation.responses[413], `${method} ${path}: any body may be too large`);
        }
      }
      const [ada, bob] = await server().people('ada', 'bob');
      const { body: sent } = await ada.rest('POST', '/api/v1/messages', { to: bob.id, client_id: 'k', content: 'x' });
      const direct = '/api/v1/conversations/{id}';
      const reaction = `${direct}/messages/{ref}/reactions/{emoji}`;
      await ada.rest('DELETE', `/api/v1/conversations/${sent.conversation_id}/messages/1`);
      for (const [method, path, body] of [['PATCH', direct, { name: 'x' }], ['PUT', reaction], ['DELETE', reaction]]) {
        const where = path.replace('{id}', sent.conversation_id).replace('{ref}', '1').replace('{emoji}', 'x');
        const answer = await ada.rest(method, where, body);
        assert.equal(answer.status, 409, `${method} ${where}: ${answer.text}`);
        assert.ok(document.paths[path][method.toLowerCase()].responses[409], `${method} ${path}`);
      }
      assert.ok(document.paths['/api/v1/logout'].post.responses[409], 'a token that belongs to no login');
    });

    it('unread shows the newest of each conversation, as many as asked for', async () => {
      const [ada, bob] = await server().people('ada', 'bob');
      const room = await group(ada, [bob]);
      for (const content of ['one', 'two', 'three']) await post(ada, room, content);
      const unread = async (query = '') => {
        const { status, body, text } = await bob.rest('GET', `/api/v1/unread${query}`);
        assert.equal(status, 200, text);
        return { ...body, pages: body.pages.map((page) => [page.conversation_id, page.messages.map((message) => message.content), page.has_more]) };
      };
      assert.deepEqual(await unread('?limit=2'), { pages: [[room, ['two', 'three'], true]], cursors: {}, has_more: true });
      const { pages: [[, shown, more]], has_more } = await unread();
      assert.deepEqual([shown.slice(-3), more, has_more], [['one', 'two', 'three'], false, false]);
      for (const query of ['?limit=0', '?limit=201', '?limit=x']) {
        const answer = await bob.rest('GET', `/api/v1/unread${query}`);
        assert.deepEqual([answer.status, answer.body.code], [400, 'invalid_field'], query);
        assert.match(answer.body.message, /limit/);
      }
    });

    it('sync comes in bounded answers: asked again with the cursors of each, it brings everything once', async () => {
      const [ada, bob, cyd] = await server().people('ada', 'bob', 'cyd');
      const rooms = [await group(ada, [cyd]), await group(bob, [cyd]), await group(cyd, [ada])];
      const wanted = new Map(rooms.map((room) => [room, []]));
      const says = async (who, room, count) => {
        const client = await who.connect();
        for (let i = 0; i < count; i++) {
          client.send({ type: 'message.send', id: i, conversation_id: room, client_id: `k${i}`, content: `${i}` });
          wanted.get(room).push(`${i}`);
        }
        for (let i = 0; i < count; i++) await client.waitFor({ type: 'message.sent', id: i });
      };
      await Promise.all([says(ada, rooms[0], 300), says(bob, rooms[1], 300), says(cyd, rooms[2], 300)]);
      const heard = new Map(rooms.map((room) => [room, []]));
      let cursors = { ...Object.fromEntries(rooms.map((room) => [room, 0])), [kUuid]: 0 };
      let answers = 0;
      const refused = [];
      for (let has_more = true; has_more; answers++) {
        assert.ok(answers < 10);
        const { status, body, text } = await cyd.rest('POST', '/api/v1/sync', { cursors });
        assert.equal(status, 200, text);
        assert.deepEqual(Object.keys({ ...body.cursors, ...body.refused }).sort(), Object.keys(cursors).sort(), 'each is mentioned');
        const ids = body.pages.map((page) => page.conversation_id);
        assert.equal(new Set(ids).size, ids.length, 'one page of each');
        for (const page of body.pages) {
          assert.equal(page.upto_seq, body.cursors[page.conversation_id]);
          heard.get(page.conversation_id).push(...page.messages.filter((row) => row.kind !== 'system').map((row) => row.content));
        }
        if (answers === 0) assert.ok(body.has_more, 'too much for one');
        // The store is asked about it, and the answer may be full before: then it keeps its cursor, and the next one says so.
        if (body.refused) refused.push(body.refused);
        cursors = body.cursors;
        has_more = body.has_more;
      }
      assert.deepEqual(heard, wanted);
      assert.deepEqual(refused, [{ [kUuid]: 'not_member' }], 'once');
      assert.deepEqual((await cyd.rest('POST', '/api/v1/sync', { cursors })).body, { pages: [], cursors, has_more: false });
    });

    it('unknown paths and methods are named errors', async () => {
      for (const [method, path, status, code] of [
        ['GET', '/api/v1/nothing', 404, 'not_found'], ['GET', '/api/v2/me', 404, 'not_found'], ['GET', '/nothing', 404, 'not_found'],
        ['PUT', '/api/v1/me', 405, 'method_not_allowed'], ['DELETE', '/', 405, 'method_not_allowed'], ['GET', '/api/v1/login', 405, 'method_not_allowed'],
      ]) {
        const answer = await server().rest(method, path);
        assert.deepEqual([answer.status, answer.body?.code], [status, code], `${method} ${path}`);
      }
    });

    it('HEAD answers what GET answers, without the body', async () => {
      const ada = await server().person('ada');
      const { body: { conversation } } = await ada.rest('POST', '/api/v1/conversations', { kind: 'channel', name: 'c' });
      const { body: document } = await server().rest('GET', '/openapi.json');
      const is_public = ({ get }) => get && !get.servers;   // the others are for operators, elsewhere
      const paths = Object.entries(document.paths).filter(([, methods]) => is_public(methods)).map(([path]) => path);
      assert.ok(paths.length >= 8);
      for (const path of [...paths, '/api/v1/nothing', '/', '/healthz']) {
        const where = path.replace('{id}', conversation.id).replace('{user_id}', ada.id).replace('{name}', 'ada');
        const got = await ada.rest('GET', where);
        const told = await ada.rest('HEAD', where);
        assert.deepEqual([told.status, told.text], [got.status, ''], where);
        // Node's fetch asks for the end of the connection with every HEAD.
        const lasting = (headers) => Object.fromEntries([...headers].filter(([name]) => name !== 'date' && name !== 'connection'));
        assert.deepEqual(lasting(told.headers), lasting(got.headers), where);
        assert.ok(got.status !== 200 || Number(told.headers.get('content-length')) > 0, where);
      }
      assert.equal((await server().rest('HEAD', '/api/v1/me')).status, 401);
      assert.equal((await server().rest('HEAD', '/login')).status, 405);
      assert.equal((await server().rest('PUT', '/api/v1/me')).headers.get('allow'), 'GET, HEAD');
    });

    it('wrong fields in path, query and body are refused by name', async () => {
      const ada = await server().person('ada');
      for (const [method, path, body, code, named] of [
        ['GET', '/api/v1/conversations/17', undefined, 'invalid_field'], ['GET', '/api/v1/conversations?limit=0', undefined, 'invalid_field'],
        ['GET', '/api/v1/conversations?limit=x', undefined, 'invalid_field'],
        ['GET', '/api/v1/conversations?limit=', undefined, 'invalid_field', /^limit: /], ['GET', '/api/v1/conversations?limit=1&limit=2', undefined, 'invalid_field', /^limit: /],
        ['GET', '/api/v1/conversations?limit=%zz', undefined, 'invalid_field', /^limit: /], ['GET', '/api/v1/conversations?limit=1e1', undefined, 'invalid_field', /^limit: /],
        ['GET', '/api/v1/conversations?after=', undefined, 'invalid_field', /^after: /], ['GET', `/api/v1/conversations?after=${'x'.repeat(100)}`, undefined, 'invalid_field', /^after: /],
        ['GET', `/api/v1/conversations/${kUuid.replace(/0$/, '1')}/messages?before_seq=0`, undefined, 'invalid_field', /^before_seq: /],
        ['GET', `/api/v1/conversations/${kUuid.replace(/0$/, '1')}/messages?after_seq=%00`, undefined, 'invalid_field', /^after_seq: /],
        ['GET', `/api/v1/conversations/${kUuid.replace(/0$/, '1')}/messages?before_seq=3&after_seq=1`, undefined, 'invalid_field', /before_seq/],
        ['GET', '/api/v1/users', undefined, 'missing_field', /^name: /], ['GET', '/api/v1/users?name=a&name=b', undefined, 'invalid_field', /^name: /], ['GET', `/api/v1/conversations/${kUuid}/messages?before_seq=-1`, undefined, 'invalid_field'],
        ['POST', '/api/v1/messages', { to: 'bob', client_id: 'k', content: 'x' }, 'invalid_field'], ['POST', '/api/v1/messages', {}, 'missing_field'],
        ['POST', '/api/v1/presence', { user_ids: ['x'] }, 'invalid_field'],
        ['POST', '/api/v1/messages', undefined, 'bad_json', /^the body is empty: expected a JSON object$/],
        ['POST', '/api/v1/sync', undefined, 'bad_json', /^the body is empty: expected a JSON object$/],
      ]) {
        const answer = await ada.rest(method, path, body);
        assert.deepEqual([answer.status, answer.body?.code], [400, code], `${method} ${path}: ${answer.text}`);
        if (named) assert.match(answer.body.message, named, path);
      }
      const broken = await server().rest('POST', '/api/v1/messages', { token: ada.token, raw: '[1,' });
      assert.deepEqual([broken.status, broken.body?.code], [400, 'bad_json']);
      const large = await server().rest('POST', '/api/v1/messages', { token: ada.token, raw: `{"content":"${'x'.repeat(140_000)}"}` });
      assert.deepEqual([large.status, large.body?.code], [413, 'too_large'], large.text);
    });
  });
}

describe('the documents and the page', () => {
  const server = use_server(before, after);

  it('the AsyncAPI document is there and names every command', async () => {
    const { status, body } = await server().rest('GET', '/asyncapi.json');
    assert.equal(status, 200);
    assert.match(body.asyncapi, /^3\./);
    check_references(body, body);
    const text = JSON.stringify(body);
    for (const type of ['session.open', 'message.send', 'message.new', 'sync', 'sync.done', 'presence.update', 'server.draining']) {
      assert.ok(text.includes(`"${type}"`), type);
    }
  });

  it('the page is served with a policy, and not again when it has not changed', async () => {
    const page = await server().rest('GET', '/');
    assert.equal(page.status, 200);
    assert.match(page.headers.get('content-type'), /^text\/html/);
    assert.match(page.headers.get('content-security-policy'), /default-src 'self'/);
    const again = await server().rest('GET', '/', { headers: { 'if-none-match': page.headers.get('etag') } });
    assert.equal(again.status, 304);
    for (const [, path] of page.text.matchAll(/(?:src|href)="(\/[^"]+)"/g)) {
      assert.equal((await server().rest('GET', path)).status, 200, path);
    }
  });
});

async function group(owner, others) {
  const body = { kind: 'group', name: 'Lions', members: others.map((other) => other.id) };
  return (await owner.rest('POST', '/api/v1/conversations', body)).body.conversation.id;
}

async function post(who, conversation_id, content) {
  const answer = await who.rest('POST', `/api/v1/conversations/${conversation_id}/messages`, { client_id: `p-${content}`, content });
  assert.equal(answer.status, 201, answer.text);
}

function check_references(node, document) {
  if (node === null || typeof node !== 'object') return;
  if (typeof node.$ref === 'string') {
    const found = node.$ref.slice(2).split('/').reduce((at, name) => at?.[name.replaceAll('~1', '/').replaceAll('~0', '~')], document);
    assert.ok(node.$ref.startsWith('#/') && found !== undefined, `${node.$ref} leads nowhere`);
  }
  for (const child of Object.values(node)) check_references(child, document);
}
