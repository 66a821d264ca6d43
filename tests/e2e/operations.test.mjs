// What operators meet: configuration and its mistakes, two servers on one folder, health, readiness and metrics.

import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import { run, Server, use_server } from './server.mjs';

describe('configuration', () => {
  let folder;
  before(async () => { folder = await mkdtemp(join(tmpdir(), 'uproar-e2e-')); });
  after(async () => { await rm(folder, { recursive: true, force: true }); });

  const refused = async (args, options, ...patterns) => {
    const { code, output } = await run(['serve', '--listen', '127.0.0.1:0', '--data', join(folder, 'never'), ...args], { cwd: folder, ...options });
    assert.equal(code, 2, output);
    for (const pattern of patterns) assert.match(output, pattern);
  };

  it('an unknown flag, variable or key is an error with the nearest name', async () => {
    await refused(['--shrads', '2'], {}, /--shrads is unknown\. Did you mean --shards\?/);
    await refused(['--log-levle=info'], {}, /Did you mean --log-level\?/);
    await refused([], { env: { UPROAR_SHRADS: '2' } }, /UPROAR_SHRADS is unknown\. Did you mean UPROAR_SHARDS\?/);
    const file = join(folder, 'bad.toml');
    await writeFile(file, 'shrads = 2\n');
    await refused(['--config', file], {}, /bad\.toml/, /shrads is unknown\. Did you mean shards\?/);
    await writeFile(file, 'shards = \n');
    await refused(['--config', file], {}, /bad\.toml line 1/);
    await refused(['--config', '/nope'], {}, /\/nope: /);
    await assert.rejects(stat(join(folder, 'never')), { code: 'ENOENT' }, 'nothing was made before the settings were right');
  });

  it('a value that cannot be is named with what was expected', async () => {
    await refused(['--listen', 'nowhere'], {}, /--listen: expected HOST:PORT.*got "nowhere"/);
    await refused(['--shards', '-1'], {}, /--shards: expected a number from 0 to 64, got "-1"/);
    await refused(['--shards', 'two'], {}, /expected a number/);
    await refused(['--log-level', 'loud'], {}, /expected trace, debug, info, warn, error or off/);
    await refused(['--allow-origin', 'chat.example.com'], {}, /expected an origin/);
    await refused(['--jwks', 'keys.json'], {}, /--jwt-issuer and --jwt-audience belong together/);
    await refused(['--jwks', 'http://x/keys', '--jwt-issuer', 'i', '--jwt-audience', 'a'], {}, /plain http/);
  });

  it('flags win over the environment, the environment over the file', async () => {
    const cwd = join(folder, 'order');
    await mkdir(cwd);
    await writeFile(join(cwd, 'uproar.toml'), 'node_id = "from-file"\nlog_level = "debug"\ndeflate_bytes_min = 7\nallow_origin = ["https://a.example", "https://b.example"]\n');
    const server = await Server.start({ flags: { config: join(cwd, 'uproar.toml'), 'deflate-bytes-min': 9 }, env: { UPROAR_NODE_ID: 'from-environment' } });
    try {
      assert.match(server.output, /node-id +from-environment/);
      assert.match(server.output, /deflate-bytes-min +9/);
      assert.match(server.output, /log-level +debug/);
      assert.match(server.output, /allow-origin +https:\/\/a\.example https:\/\/b\.example/);
      const client = await server.connect({ token: await server.token({}), headers: { origin: 'https://b.example' } });
      assert.equal(client.ready.node, 'from-environment');
    } finally {
      await server.stop();
    }
  });

  it('--help shows every flag with its default, and no secret is printed', async () => {
    const { code, output } = await run(['serve', '--help']);
    assert.equal(code, 0);
    for (const flag of ['--listen', '--shards', '--data', '--log-level', '--auth-secret-file', '--jwks', '--allow-origin']) assert.ok(output.includes(flag), flag);
    const server = await Server.start();
    try {
      const key = (await readFile(join(server.data, 'auth.key'), 'utf8')).trim();
      assert.ok(!server.output.includes(key));
      assert.equal((await stat(join(server.data, 'auth.key'))).mode & 0o077, 0, 'the key is nobody else\'s to read');
    } finally {
      await server.stop();
    }
  });

  it('needs no setting but a folder: one shard per processor, everybody comes in', async () => {
    const usual = ['drain-seconds', 'logins-per-address', 'registrations-per-address', 'connections-per-address', 'openings-per-second', 'resumes-per-second', 'connections-per-user', 'commands-per-second',
      'conversations-per-day', 'first-contacts-per-day', 'message-mb-per-day', 'shards'];
    const server = await Server.start({ flags: Object.fromEntries(usual.map((name) => [name, undefined])) });
    try {
      const shards = Number(/^ +shards +(\d+)$/m.exec(server.output)?.[1]);
      assert.ok(shards >= 1, server.output);
      assert.equal((await server.rest('GET', '/readyz')).body.shards_expected, shards);
      const [ada, bob] = await server.people('ada', 'bob');
      await (await ada.connect()).get({ type: 'message.send', to: bob.id, client_id: 'k', content: 'x' }, 'message.sent');
    } finally {
      await server.stop();
    }
  });

  it('a key that others may read, or that is short, is refused', async () => {
    const file = join(folder, 'auth.key');
    const start = () => run(['serve', '--listen', '127.0.0.1:0', '--data', join(folder, 'data'), '--auth-secret-file', file]);
    await writeFile(file, 'x'.repeat(48), { mode: 0o644 });
    let { code, output } = await start();
    assert.deepEqual([code, /chmod 600/.test(output)], [1, true], output);
    await rm(file);
    await writeFile(file, 'short', { mode: 0o600 });
    ({ code, output } = await start());
    assert.deepEqual([code, /5 bytes/.test(output)], [1, true], output);
  });
});

describe('two servers', () => {
  it('do not share a data folder: the second refuses, the first goes on', async () => {
    const first = await Server.start();
    try {
      const { code, output } = await run(['serve', '--listen', '127.0.0.1:0', '--data', first.data]);
      assert.equal(code, 1, output);
      assert.ok(output.includes(first.data), output);
      const [ada, bob] = await first.people('ada', 'bob');
      await (await ada.connect()).get({ type: 'message.send', to: bob.id, client_id: 'k', content: 'still here' }, 'message.sent');
    } finally {
      await first.stop();
    }
  });

  it('do not share an address: the second refuses', async () => {
    const first = await Server.start();
    const folder = await mkdtemp(join(tmpdir(), 'uproar-e2e-'));
    try {
      const { code, output } = await run(['serve', '--listen', `127.0.0.1:${first.port}`, '--data', folder]);
      assert.equal(code, 1, output);
      assert.match(output, new RegExp(`${first.port}`));
    } finally {
      await first.stop();
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe('what only operators are answered', () => {
  const kPaths = ['/metrics', '/api/v1/admin/nodes'];

  it('is at --admin-listen, and at the public address as unknown as any other path', async () => {
    const server = await Server.start();
    try {
      assert.match(server.admin_url, /^http:\/\/127\.0\.0\.1:\d+$/);
      const { text: unknown } = await server.rest('GET', '/nowhere');
      for (const path of kPaths) {
        assert.equal((await server.admin(path)).status, 200, path);
        const told = await server.rest('GET', path);
        assert.deepEqual([told.status, told.text], [404, unknown], path);
      }
      const { status, text } = await server.admin('/api/v1/me');
      assert.deepEqual([status, text], [404, unknown], 'and the public paths are not there');
    } finally {
      await server.stop();
    }
  });

  it('is a thousand ports above the public one unless it is said, so that nodes of one machine do not meet', async () => {
    const { output } = await run(['serve', '--listen', '127.0.0.1:8123', '--data', '/nowhere/at/all']);
    assert.match(output, /admin-listen +127\.0\.0\.1:9123/);
  });

  it('may be a Unix socket that is its owner\'s alone, gone with the server', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'uproar-e2e-'));
    const path = join(folder, 'admin.sock');
    try {
      const server = await Server.start({ flags: { 'admin-listen': `unix:${path}` } });
      assert.equal(server.admin_url, `unix:${path}`);
      assert.equal((await stat(path)).mode & 0o777, 0o600);
      const text = await new Promise((resolve, reject) => {
        get({ socketPath: path, path: '/metrics' }, (answer) => {
          let heard = '';
          answer.on('data', (bytes) => { heard += bytes; });
          answer.on('end', () => resolve(heard));
        }).on('error', reject);
      });
      assert.match(text, /^uproar_store_up 1$/m);
      await server.stop();
      await assert.rejects(stat(path), { code: 'ENOENT' });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('may be off, and may be anywhere, which is warned of', async () => {
    const silent = await Server.start({ flags: { 'admin-listen': 'off' } });
    try {
      assert.match(silent.output, /metrics and administration are off/);
      for (const path of kPaths) assert.equal((await silent.rest('GET', path)).status, 404);
      assert.equal((await silent.rest('GET', '/readyz')).status, 200);
    } finally {
      await silent.stop();
    }
    const open = await Server.start({ flags: { 'admin-listen': '0.0.0.0:0' } });
    try {
      assert.match(open.output, /--admin-listen 0\.0\.0\.0:0 wants no token/);
    } finally {
      await open.stop();
    }
  });

  it('goes on while the node drains', async () => {
    const server = await Server.start({ flags: { 'drain-seconds': '3' } });
    server.expects_end = true;
    const ada = await server.person();
    const clients = await Promise.all(Array.from({ length: 30 }, () => ada.connect()));   // a few at a time are sent away
    server.child.kill('SIGTERM');
    await Promise.any(clients.map((client) => client.waitFor({ type: 'server.draining' }, 'the drain', 10_000)));
    const { body } = await server.admin('/api/v1/admin/nodes');
    assert.equal(body.nodes[0].state, 'draining');
    await server.stop();
  });
});

for (const shards of [1, 2]) {
  describe(`health on ${shards} shard${shards > 1 ? 's' : ''}`, () => {
    const server = use_server(before, after, { shards });

    it('alive, and ready through every shard and the store', async () => {
      assert.deepEqual((await server().rest('GET', '/healthz')).body, { status: 'alive' });
      const answers = await Promise.all(Array.from({ length: 8 }, () => server().rest('GET', '/readyz')));
      for (const { status, body } of answers) {
        assert.equal(status, 200);
        assert.equal(body.shards_expected, shards);
        assert.deepEqual(body.shards.map((shard) => [shard.receive_path, shard.store]), Array(shards).fill([true, true]));
      }
    });

    it('metrics are in the text format: every family has one HELP and one TYPE, and counters count', async () => {
      const [ada, bob] = await server().people('ada', 'bob');
      const client = await ada.connect();
      const committed = await server().metric('uproar_chat_messages_committed_total');
      await client.get({ type: 'message.send', to: bob.id, client_id: 'k', content: 'x' }, 'message.sent');
      assert.equal(await server().metric('uproar_chat_messages_committed_total'), committed + 1);
      const { text, headers } = await server().admin('/metrics');
      assert.match(headers.get('content-type'), /^text\/plain; version=0\.0\.4/);
      const families = new Map();
      const samples = new Set();
      for (const line of text.split('\n').filter((each) => each !== '')) {
        const meta = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line);
        if (meta) {
          const [, what, name, rest] = meta;
          const family = families.get(name) ?? {};
          assert.equal(family[what], undefined, `a second ${what} of ${name}`);
          families.set(name, { ...family, [what]: rest });
          continue;
        }
        const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*\})? (\S+)$/.exec(line);
        assert.ok(sample, `not a sample: ${line}`);
        const [, name, labels = '', value] = sample;
        assert.ok(value === '+Inf' || Number.isFinite(Number(value)), line);
        assert.ok(!samples.has(name + labels), `twice: ${name}${labels}`);
        samples.add(name + labels);
        const family = families.get(name) ?? families.get(name.replace(/_(bucket|sum|count)$/, ''));
        assert.ok(family?.HELP && family.TYPE, `${name} has no HELP or no TYPE before it`);
        if (family.TYPE === 'counter') assert.match(name, /_total$/, 'counters end in _total');
        assert.match(name, /^uproar_/);
      }
      assert.ok(families.size > 80, `${families.size} families`);
    });
  });
}
