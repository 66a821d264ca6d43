// A start that fails in the middle of the night: what it says names what failed, on what, and what to try.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import { run, Server } from './server.mjs';

const is_root = process.getuid() === 0;
// Root may write everywhere unless it gives that up.
const kWithoutRootsRights = is_root ? ['setpriv', '--bounding-set', '-dac_override,-dac_read_search'] : [];
// A disk of 16 KiB that only the command sees: in a namespace of its own, which an ordinary user may make with one of users.
const on_small_disk = (folder) => ['unshare', ...(is_root ? [] : ['--user', '--map-root-user']), '--mount',
                                   'sh', '-c', 'mount -t tmpfs -o size=16k tmpfs "$0" && exec "$@"', folder];

describe('a start that is refused', () => {
  let folder;
  let made = 0;
  before(async () => { folder = await mkdtemp(join(tmpdir(), 'uproar-e2e-')); });
  after(async () => { await rm(folder, { recursive: true, force: true }); });

  const fresh = () => join(folder, `data-${++made}`);
  // A data folder as a server left it.
  const used = async () => {
    const data = fresh();
    const { code, output } = await run(['migrate', '--data', data]);
    assert.equal(code, 0, output);
    return data;
  };
  const words = (flags) => Object.entries({ listen: '127.0.0.1:0', data: fresh(), shards: 1, ...flags }).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const says = ({ code, output }, what, next, expected = 1) => {
    const last = output.trimEnd().split('\n').at(-1);
    assert.equal(code, expected, output);
    assert.ok(last.startsWith('uproar serve: ') && last.includes(what), last);
    assert.match(last.slice(last.indexOf(what) + what.length), next);
    assert.equal(last.split('Try: ').length, 2, last);
  };
  const refused = async (flags, what, next, expected) => says(await run(['serve', ...words(flags)], { cwd: folder }), what, next, expected);
  // Under a limit of the process, as systemd or a container sets it.
  const limited = (limit) => run(['serve', ...words({})], { cwd: folder, launcher: ['prlimit', limit] });

  it('by its address', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    try {
      const { port } = taken.address();
      await refused({ listen: `127.0.0.1:${port}` }, `127.0.0.1:${port}: Address already in use`, /Try: stop what listens there \(ss -ltnp names it\), or .*--listen/);
    } finally {
      taken.close();
    }
    await refused({ listen: '192.0.2.1:8080' }, '192.0.2.1:8080: Cannot assign requested address', /Try: name an address of this machine .*--listen/);
    await refused({ listen: 'no-such-host.invalid:8080' }, 'no-such-host.invalid:8080: ', /Try: correct the host in --listen/);
  });

  it('by the address for operators', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    try {
      const where = `127.0.0.1:${taken.address().port}`;
      await refused({ 'admin-listen': where }, `--admin-listen ${where}: Address already in use`, /Try: stop what listens there \(ss -ltnp names it\), or .*--admin-listen off/);
    } finally {
      taken.close();
    }
    await refused({ 'admin-listen': '192.0.2.1:9080' }, '192.0.2.1:9080: Cannot assign requested address', /Try: name an address of this machine .*--admin-listen/);
    await refused({ 'admin-listen': 'no-such-host.invalid:9080' }, 'no-such-host.invalid:9080: ', /Try: correct the host in --admin-listen/);
    await refused({ 'admin-listen': `unix:${folder}/none/a.sock` }, `unix:${folder}/none/a.sock: No such file`, /Try: its folder must be there/);
    const file = join(folder, 'no-socket');
    await writeFile(file, 'x');
    await refused({ 'admin-listen': `unix:${file}` }, `unix:${file}: File exists`, /Try: a file that is no socket stands at this path/);
    const first = await Server.start({ flags: { 'admin-listen': `unix:${folder}/a.sock` } });
    try {
      await refused({ 'admin-listen': `unix:${folder}/a.sock` }, `unix:${folder}/a.sock: Address already in use`, /Try: another process answers/);
    } finally {
      await first.stop();
    }
  });

  it('by its data folder', async () => {
    const file = join(folder, 'file');
    await writeFile(file, 'x');
    await refused({ data: file }, `open data folder ${file}: Not a directory`, /Try: name a folder/);
    await refused({ data: join(file, 'data') }, `${file}/data: Not a directory`, /Try: name a folder: a part of this path is a file/);
    await refused({ data: join(folder, 'no/such') }, `${folder}/no/such: No such file`, /Try: make the folder above it/);
    assert.match((await run(['serve'], { cwd: folder, env: { UPROAR_DATA: '' } })).output, /UPROAR_DATA: expected a folder, such as/);
    const data = await used();
    await rm(join(data, 'uproar.db'));
    await mkdir(join(data, 'uproar.db'));
    await refused({ data }, `${data}/uproar.db: Is a directory`, /Try: move that folder away/);
  });

  it('by a folder that is another user\'s', async () => {
    const data = fresh();
    await mkdir(data, { mode: 0o500 });
    const inner = join(data, 'inner');
    const ended = await run(['serve', ...words({ data: inner })], { cwd: folder, launcher: kWithoutRootsRights });
    says(ended, `${inner}: Permission denied`, /Try: make it and give it to the user .*: install -d -m 700 -o \d+ /);
  });

  it('by a database of a newer release, or none', async () => {
    const data = await used();
    const file = await open(join(data, 'uproar.db'), 'r+');
    await file.write(Buffer.from([0, 0, 0, 99]), 0, 4, 60);   // user_version, in SQLite's header
    await file.close();
    await refused({ data }, `${data}/uproar.db: schema version 99 was written by a newer release`, /Try: run the newer release, or restore the backup/);
    await writeFile(join(data, 'uproar.db'), 'no database'.repeat(1000));
    await refused({ data }, `${data}/uproar.db`, /Try: this is no SQLite file; choose another --data/);
  });

  it('by its key, or its issuer\'s', async () => {
    const key = join(folder, 'key');
    await refused({ 'auth-secret-file': key }, `${key}: No such file`, /Try: make one \(umask 077; openssl rand/);
    await mkdir(key);
    await refused({ 'auth-secret-file': key }, `${key}: Is a directory`, /Try: move that folder away.*--auth-secret-file/);
    const long = join(folder, 'long');
    await writeFile(long, 'x'.repeat(2000), { mode: 0o600 });
    await refused({ 'auth-secret-file': long }, 'a key of more than 1024 bytes', /Try: openssl rand/);
    const issuer = { 'jwt-issuer': 'i', 'jwt-audience': 'a' };
    await writeFile(join(folder, 'jwks'), '{}');
    await refused({ jwks: join(folder, 'jwks'), ...issuer }, 'jwks: the key set has no "keys" array', /Try: name with --jwks what the issuer's jwks_uri says/);
    await refused({ jwks: key, ...issuer }, `${key}: Is a directory`, /Try: name a readable file with --jwks/);
    await refused({ jwks: 'https://127.0.0.1:1/keys', ...issuer }, 'https://127.0.0.1:1/keys: ', /Try: correct --jwks, look whether the issuer answers/);
  });

  it('by its settings', async () => {
    await refused({ config: folder }, `${folder}: this is a folder`, /Try: name a file .*--config/, 2);
    await refused({ config: join(folder, 'none.toml') }, 'none.toml: ', /Try: name a file .*UPROAR_CONFIG/, 2);
    const origins = Array.from({ length: 65 }, (_, i) => ['--allow-origin', `http://a${i}`]).flat();
    assert.match((await run(['serve', ...origins])).output, /--allow-origin: expected at most 64 of them/);
  });

  it('by a limit, which is named for what it is', async () => {
    says(await limited('--nofile=8'), 'Too many open files', /Try: raise the limit of open files: LimitNOFILE=/);
    says(await limited('--fsize=4096'), 'uproar.db', /Try: .*file size/);
  });

  it('by a full disk', async () => {
    const disk = join(folder, 'disk');
    await mkdir(disk);
    const ended = await run(['serve', ...words({ data: join(disk, 'data') })], { cwd: folder, launcher: on_small_disk(disk) });
    says(ended, `${disk}/data/uproar.db`, /Try: free disk space \(df -h /);
  });

  it('by a database server that is not there, or is none', async () => {
    await refused({ postgres: 'postgres://u:secret@127.0.0.1:1/chat' }, 'postgres://u@127.0.0.1:1/chat', /Connection refused\. Try: start the server/);
  });
});

describe('a start that goes well all the same', () => {
  it('says at start that fewer may connect than usual', async () => {
    const server = await Server.start({ launcher: ['prlimit', '--nofile=256'] });
    try {
      assert.match(server.output, /warning RLIMIT_NOFILE: hard limit 256, wanted 65536 connections per shard.*Try: LimitNOFILE=/);
    } finally {
      await server.stop();
    }
    const content = await Server.start({ flags: { 'connections-max': '64' }, launcher: ['prlimit', '--nofile=256'] });
    try {
      assert.doesNotMatch(content.output, /RLIMIT_NOFILE/, 'no more are wanted');
    } finally {
      await content.stop();
    }
  });
});
