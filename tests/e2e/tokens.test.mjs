// Tokens that others sign: trusted backends with the server's key, external issuers with a key set; and the ways to forge one.

import assert from 'node:assert/strict';
import { createHmac, randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import { exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose';

import { Server, use_server } from './server.mjs';

const base64url = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const soon = () => Math.floor(Date.now() / 1000) + 600;

async function verdict(server, token) {
  const answer = await server.rest('GET', '/api/v1/me', { token });
  return answer.status === 200 ? 'accepted' : answer.body?.code ?? String(answer.status);
}

describe('a trusted backend\'s token', () => {
  const server = use_server(before, after);

  it('makes its user at first sight, on the WebSocket as over REST', async () => {
    const sub = randomUUID();
    const client = await server().connect({ token: await server().token({ sub, name: 'Ada Lovelace' }) });
    assert.equal(client.ready.user_id, sub);
    const me = await server().rest('GET', '/api/v1/me', { token: await server().token({ sub }) });
    assert.deepEqual([me.body.user_id, me.body.name], [sub, 'Ada Lovelace']);
    const nameless = await server().token({});
    assert.equal(await verdict(server(), nameless), 'accepted');
  });

  it('opens a session in each of the ways', async () => {
    const token = await server().token({});
    for (const way of [{ token }, { query: { token } }, { session_token: token }, { headers: { authorization: `bearer ${token}` } }]) {
      assert.equal((await server().connect(way)).ready.type, 'session.ready', JSON.stringify(Object.keys(way)));
    }
  });

  it('is refused when anything about it is wrong', async () => {
    const good = await server().token({});
    const [header, claims, signature] = good.split('.');
    const { publicKey } = await generateKeyPair('RS256', { extractable: true });
    const pem = await exportSPKI(publicKey);
    const hmac = (key, text) => createHmac('sha256', key).update(text).digest('base64url');
    const confused = `${base64url({ alg: 'HS256' })}.${claims}`;
    const rows = [
      ['expired', await server().token({ lifetime_s: -1 }), 'token_expired'],
      ['no exp', await server().token({ claims: { exp: undefined } }), 'unauthorized'],
      ['sub is no UUID', await server().token({ sub: 'ada' }), 'unauthorized'],
      ['not valid yet', await server().token({ claims: { nbf: soon() + 3600 } }), 'unauthorized'],
      ['alg none', `${base64url({ alg: 'none' })}.${claims}.`, 'unauthorized'],
      ['alg None', `${base64url({ alg: 'None' })}.${claims}.${signature}`, 'unauthorized'],
      ['alg HS512', `${base64url({ alg: 'HS512' })}.${claims}.${signature}`, 'unauthorized'],
      ['signature cut', `${header}.${claims}.${signature.slice(0, -4)}`, 'unauthorized'],
      ['no signature', `${header}.${claims}.`, 'unauthorized'],
      ['another key', `${header}.${claims}.${hmac('x'.repeat(43), `${header}.${claims}`)}`, 'unauthorized'],
      ['empty key', `${header}.${claims}.${hmac('', `${header}.${claims}`)}`, 'unauthorized'],
      ['a public key as secret', `${confused}.${hmac(pem, confused)}`, 'unauthorized'],
      ['claims changed', `${header}.${base64url({ sub: randomUUID(), exp: soon() })}.${signature}`, 'unauthorized'],
      ['crit', await server().token({ header: { crit: ['b64'], b64: true } }).catch(() => 'a.b.c'), 'unauthorized'],
      ['padded', `${header}=.${claims}.${signature}`, 'unauthorized'],
      ['nonsense', 'nonsense', 'unauthorized'],
      ['too large', `${header}.${base64url('x'.repeat(9000))}.${signature}`, 'unauthorized'],
    ];
    for (const [what, token, code] of rows) assert.equal(await verdict(server(), token), code, what);
    assert.equal(await verdict(server(), good), 'accepted');
  });

  it('that has expired closes a session.open with 4101, a forged one with 4401', async () => {
    for (const [token, error, code] of [[await server().token({ lifetime_s: -1 }), 'token_expired', 4101], ['forged', 'unauthorized', 4401]]) {
      const client = await server().connect({ session_token: token, ready: false });
      assert.equal((await client.waitFor({ type: 'error' })).code, error);
      assert.equal((await client.closed).code, code);
    }
  });
});

describe('an external issuer', () => {
  const kIssuer = 'https://issuer.example';
  const kAudience = 'uproar';
  let server, folder, rsa, ec, other;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'uproar-e2e-keys-'));
    rsa = await generateKeyPair('RS256', { extractable: true });
    ec = await generateKeyPair('ES256', { extractable: true });
    other = await generateKeyPair('RS256', { extractable: true });
    const keys = [
      { ...(await exportJWK(rsa.publicKey)), kid: 'r1', alg: 'RS256', use: 'sig' },
      { ...(await exportJWK(ec.publicKey)), kid: 'e1', alg: 'ES256', use: 'sig' },
    ];
    const jwks = join(folder, 'jwks.json');
    await writeFile(jwks, JSON.stringify({ keys }));
    server = await Server.start({ flags: { jwks, 'jwt-issuer': kIssuer, 'jwt-audience': kAudience } });
  });
  after(async () => {
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const token = (key, header, claims = {}) =>
    new SignJWT({ iss: kIssuer, aud: kAudience, sub: 'user_2abc', exp: soon(), name: 'Eve', ...claims })
      .setProtectedHeader(header).sign(key);

  it('signs with RS256 and ES256; a subject that is no UUID gets one that never changes', async () => {
    const first = await server.connect({ token: await token(rsa.privateKey, { alg: 'RS256', kid: 'r1' }) });
    const second = await server.connect({ token: await token(ec.privateKey, { alg: 'ES256', kid: 'e1' }) });
    assert.match(first.ready.user_id, /^[0-9a-f-]{36}$/);
    assert.equal(second.ready.user_id, first.ready.user_id);
    const sub = randomUUID();
    const third = await server.connect({ token: await token(rsa.privateKey, { alg: 'RS256', kid: 'r1' }, { sub, aud: ['x', kAudience] }) });
    assert.equal(third.ready.user_id, sub);
    const own = await server.connect({ token: await server.token({}) });
    assert.equal(own.ready.type, 'session.ready', 'our own key still signs');
  });

  it('is not believed about what it did not sign or did not mean for us', async () => {
    const r = { alg: 'RS256', kid: 'r1' };
    const good = await token(rsa.privateKey, r);
    const [, claims, signature] = good.split('.');
    const pem = await exportSPKI(rsa.publicKey);
    const jwk = JSON.stringify(await exportJWK(rsa.publicKey));
    const confused = (secret, header) => {
      const text = `${base64url(header)}.${claims}`;
      return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
    };
    const rows = [
      ['another audience', await token(rsa.privateKey, r, { aud: 'somebody-else' }), 'unauthorized'],
      ['no audience', await token(rsa.privateKey, r, { aud: undefined }), 'unauthorized'],
      ['another issuer', await token(rsa.privateKey, r, { iss: 'https://issuer.example/' }), 'unauthorized'],
      ['no issuer', await token(rsa.privateKey, r, { iss: undefined }), 'unauthorized'],
      ['expired', await token(rsa.privateKey, r, { exp: soon() - 3600 }), 'token_expired'],
      ['no expiry', await token(rsa.privateKey, r, { exp: undefined }), 'unauthorized'],
      ['another key under a known kid', await token(other.privateKey, r), 'unauthorized'],
      ['an unknown kid', await token(other.privateKey, { alg: 'RS256', kid: 'r2' }), 'unauthorized'],
      ['the key of another algorithm', await token(ec.privateKey, { alg: 'ES256', kid: 'r1' }), 'unauthorized'],
      ['RS512', await token(rsa.privateKey, { alg: 'RS512', kid: 'r1' }).catch(() => 'a.b.c'), 'unauthorized'],
      ['alg none', `${base64url({ alg: 'none', kid: 'r1' })}.${claims}.`, 'unauthorized'],
      ['HS256 with the public key as PEM', confused(pem, { alg: 'HS256', kid: 'r1' }), 'unauthorized'],
      ['HS256 with the public key as JWK', confused(jwk, { alg: 'HS256', kid: 'r1' }), 'unauthorized'],
      ['HS256 with nothing', confused('', { alg: 'HS256' }), 'unauthorized'],
      ['its own key in the header', `${base64url({ ...r, jwk: await exportJWK(other.publicKey) })}.${claims}.${signature}`, 'unauthorized'],
      ['no subject', await token(rsa.privateKey, r, { sub: undefined }), 'unauthorized'],
    ];
    for (const [what, forged, code] of rows) assert.equal(await verdict(server, forged), code, what);
    assert.equal(await verdict(server, good), 'accepted');
  });

  it('cannot name a login of ours: its sid is no session', async () => {
    const { access_token, user_id } = (await server.rest('POST', '/api/v1/register', { body: { name: 'ada', password: 'correct horse' } })).body;
    const { sid } = JSON.parse(Buffer.from(access_token.split('.')[1], 'base64url'));
    assert.ok(sid);
    const stranger = await token(rsa.privateKey, { alg: 'RS256', kid: 'r1' }, { sid });
    assert.equal((await server.rest('POST', '/api/v1/logout', { token: stranger })).body?.code, 'conflict');
    assert.equal((await server.rest('GET', '/api/v1/me', { token: access_token })).body.user_id, user_id);
  });
});
