// A session lasts as long as its tokens: it is told before the end, goes on with the next token, and ends without one.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { decodeJwt } from 'jose';

import { use_server } from './server.mjs';

const kShortS = 3;
const kLeewayMs = 5_000;
const kLateMs = 20_000;   // of a machine that has other things to do

describe('a session whose token expires', () => {
  const server = use_server(before, after, { shards: 2 });
  const token_of = (person, lifetime_s, claims) => server().token({ sub: person.id, lifetime_s, claims });
  const ends_at = (token) => decodeJwt(token).exp * 1000;
  // Resolves when the server has closed it; what a session without a refresh comes to.
  const ended = async (client) => {
    let late;
    const never = new Promise((resolve) => { late = setTimeout(resolve, kShortS * 1000 + kLeewayMs + kLateMs, { code: 'never' }); });
    const { code } = await Promise.race([client.closed, never]);
    clearTimeout(late);
    return code;
  };

  it('is told when, and before; is closed with 4101 a moment later, and hears nothing more', async () => {
    const [ada, bob] = await server().people('ada', 'bob');
    const token = await token_of(ada, kShortS);
    const a = await ada.connect({ token });
    const b = await bob.connect();
    assert.equal(Date.parse(a.ready.expires_at), ends_at(token));
    const expiring = await a.waitFor({ type: 'session.expiring' });
    assert.equal(Date.parse(expiring.expires_at), ends_at(token));
    assert.equal(expiring.id, undefined);
    assert.ok(Date.now() < ends_at(token) + kLateMs);

    const { conversation_id } = await b.get({ type: 'message.send', to: ada.id, client_id: '1', content: 'before' }, 'message.sent');
    await a.waitFor({ type: 'message.new', content: 'before' });
    assert.equal(await ended(a), 4101);
    assert.ok(Date.now() >= ends_at(token), 'not before the token has ended');
    await b.get({ type: 'message.send', conversation_id, client_id: '2', content: 'after' }, 'message.sent');
    assert.equal(a.events.at(-1).type, 'error');
    assert.equal(a.events.at(-1).code, 'token_expired');
    assert.ok(await server().metric('uproar_chat_sessions_expired_total') >= 1);
    // And it comes back with what it missed.
    const again = await ada.connect({ resume: true });
    const { pages } = await again.sync({ [conversation_id]: 1 });
    assert.deepEqual(pages.flatMap(({ messages }) => messages.map(({ content }) => content)), ['after']);
  });

  it('goes on over the end of the first with a second one, on the same connection', async () => {
    const [ada, bob] = await server().people('ada', 'bob');
    const [first, second] = [await token_of(ada, kShortS), await token_of(ada, 600)];
    const goes_on = await ada.connect({ token: first });
    const without = await ada.connect({ token: first });   // its end says that the time is over
    await goes_on.waitFor({ type: 'session.expiring' });
    const refreshed = await goes_on.get({ type: 'session.refresh', token: second }, 'session.refreshed');
    assert.equal(Date.parse(refreshed.expires_at), ends_at(second));
    assert.equal(await ended(without), 4101);
    await goes_on.ping();
    const b = await bob.connect();
    await b.get({ type: 'message.send', to: ada.id, client_id: '1', content: 'still there?' }, 'message.sent');
    await goes_on.waitFor({ type: 'message.new', content: 'still there?' });
    assert.equal(goes_on.heard('session.expiring').length, 1);
  });

  it('is not helped by a token of somebody else, or none; and goes on until its end', async () => {
    const [ada, eve] = await server().people('ada', 'eve');
    const credentials = { name: `ada.${Date.now()}`, password: 'correct horse battery' };
    const login = (await server().rest('POST', '/api/v1/register', { body: credentials })).body;
    const other = (await server().rest('POST', '/api/v1/login', { body: credentials })).body;
    const client = await server().connect({ token: login.access_token });
    const refuses = async (token, code) => {
      const { message } = await client.refused({ type: 'session.refresh', token }, code);
      assert.ok(message.length > 0);
      assert.ok(!message.includes(token), 'a token is not repeated');
    };
    await refuses(eve.token, 'forbidden');
    await refuses(await token_of(ada, 600, { sid: decodeJwt(login.access_token).sid }), 'forbidden');
    await refuses(await server().token({ sub: login.user_id, lifetime_s: -1 }), 'token_expired');
    await refuses('forged', 'unauthorized');
    await refuses(`${login.access_token.slice(0, -8)}AAAAAAAA`, 'unauthorized');
    await client.refused({ type: 'session.refresh' }, 'missing_field');
    await server().rest('POST', '/api/v1/logout', { token: other.access_token });
    await refuses(other.access_token, 'token_revoked');
    await client.ping();
    // One that belongs to no login is the same person's.
    const minted = await server().token({ sub: login.user_id, lifetime_s: 1200 });
    const { expires_at } = await client.get({ type: 'session.refresh', token: minted }, 'session.refreshed');
    assert.equal(Date.parse(expires_at), ends_at(minted));
    // Logging out ends it all the same.
    await server().rest('POST', '/api/v1/logout', { token: login.access_token });
    assert.equal((await client.closed).code, 4102);
  });

  it('opened by a ticket lives by the token that came with the ticket, and is refreshed by the next of that login', async () => {
    const body = { name: `grace.${Date.now()}`, password: 'correct horse battery' };
    const login = (await server().rest('POST', '/api/v1/register', { body })).body;
    const client = await server().connect({ ticket: login.ticket });
    assert.equal(Date.parse(client.ready.expires_at), ends_at(login.access_token));
    const next = (await server().rest('POST', '/api/v1/refresh', { body: { refresh_token: login.refresh_token } })).body;
    const { expires_at } = await client.get({ type: 'session.refresh', token: next.access_token }, 'session.refreshed');
    assert.equal(Date.parse(expires_at), ends_at(next.access_token));
  });

  // Two tabs with one refresh token, of which each says the access token that it got for it.
  it('belongs to the login of the token that it goes on with', async () => {
    const post = async (path, body, token) => (await server().rest('POST', `/api/v1/${path}`, { body, token })).body;
    const sid = ({ access_token }) => decodeJwt(access_token).sid;
    const login = await post('register', { name: `hopper.${Date.now()}`, password: 'correct horse battery' });
    const tabs = await Promise.all([1, 2].map(() => server().connect({ token: login.access_token })));
    const first = await post('refresh', { refresh_token: login.refresh_token });
    const second = await post('refresh', { refresh_token: login.refresh_token });
    assert.equal(sid(first), sid(login));
    assert.notEqual(sid(second), sid(login));
    for (const [i, { access_token }] of [first, second].entries()) {
      const { expires_at } = await tabs[i].get({ type: 'session.refresh', token: access_token }, 'session.refreshed');
      assert.equal(Date.parse(expires_at), ends_at(access_token));
    }
    await post('logout', undefined, first.access_token);
    assert.equal((await tabs[0].closed).code, 4102);
    await tabs[1].ping();
    const third = await post('refresh', { refresh_token: second.refresh_token });
    await tabs[1].get({ type: 'session.refresh', token: third.access_token }, 'session.refreshed');
    await post('logout', undefined, third.access_token);
    assert.equal((await tabs[1].closed).code, 4102);
  });

  it('is not opened by session.refresh, and refreshed also before session.ready', async () => {
    const ada = await server().person('ada');
    const client = await server().connect({ ready: false });
    await client.refused({ type: 'session.refresh', token: ada.token }, 'unauthorized');
    client.send({ type: 'session.open', token: await token_of(ada, 60) });
    client.send({ type: 'session.refresh', id: 'early', token: ada.token });
    const refreshed = await client.waitFor({ id: 'early' });
    assert.equal(refreshed.type, 'session.refreshed');
    assert.deepEqual(client.events.filter(({ type }) => type.startsWith('session.')).map(({ type }) => type),
                     ['session.ready', 'session.refreshed']);
    client.terminate();
  });
});
