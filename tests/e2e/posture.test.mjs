// What a started server has given up, as the kernel tells it; and that it serves, drains and
// restarts all the same. All other tests here run with --seccomp kill (server.mjs): a call that the
// list lacks ends the server, and with it the test.

import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { run, Server } from './server.mjs';

// {name, Seccomp, NoNewPrivs, CapEff, …} of each thread. The kernel's workers of a ring are threads
// in name only.
async function threads_of(pid) {
  const threads = [];
  for (const id of await readdir(`/proc/${pid}/task`)) {
    const text = await readFile(`/proc/${pid}/task/${id}/status`, 'utf8').catch(() => '');
    const status = Object.fromEntries([...text.matchAll(/^(\w+):\s*(.*)$/gm)].map(([, name, value]) => [name, value]));
    if (status.Name && !status.Name.startsWith('iou-')) threads.push(status);
  }
  return threads;
}

async function with_server(options, body) {
  const server = await Server.start(options);
  try {
    await body(server);
  } finally {
    await server.stop();
  }
}

test('no thread has a capability, may gain one, or is without the filter', async () => {
  await with_server({ shards: 2 }, async (server) => {
    const threads = await threads_of(server.pid);
    assert.ok(threads.length >= 6, `shards, pool and store: ${threads.map((thread) => thread.Name)}`);
    for (const thread of threads) {
      assert.equal(thread.NoNewPrivs, '1', thread.Name);
      assert.equal(thread.Seccomp, '2', thread.Name);
      for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb']) assert.match(thread[set], /^0+$/, `${thread.Name} ${set}`);
      if (process.getuid() === 0) assert.match(thread.CapBnd, /^0+$/, thread.Name);
    }
  });
});

test('it says in one line what it has given up, and no call was refused while it served', async () => {
  await with_server({ env: { UPROAR_SECCOMP: 'enforce' } }, async (server) => {
    const line = server.output.split('\n').find((text) => / posture: /.test(text));
    assert.match(line ?? server.output, /posture: no new privileges \(.*capabilities \(.*seccomp \(enforce; \d+ system calls/);
    const [ann, bob] = await server.people('ann', 'bob');
    const client = await ann.connect();
    const sent = await client.ask({ type: 'message.send', to: bob.id, client_id: 'one', content: 'hello' });
    assert.equal(sent.type, 'message.sent');
    assert.equal(await server.metric('uproar_seccomp_refused_total'), 0);
    assert.doesNotMatch(server.output, /refused the system call/);
  });
});

test('what is switched off is missing, and a warning says how to have it', async () => {
  await with_server({ flags: { seccomp: 'off', landlock: 'false' } }, async (server) => {
    for (const thread of await threads_of(server.pid)) assert.equal(thread.Seccomp, '0', thread.Name);
    assert.match(server.output, /warning posture: seccomp: switched off\. Try: leave --seccomp at enforce/);
    assert.match(server.output, /warning posture: landlock: switched off\. Try: leave --landlock at true/);
  });
});

test('a folder that was served is served again, and a store that has to grow finds its files', async () => {
  const data = await mkdtemp(join(tmpdir(), 'uproar-e2e-'));
  try {
    let id;
    for (const round of [1, 2]) {
      await with_server({ data, usual: round === 1 }, async (server) => {
        const made = await server.rest('POST', '/api/v1/register',
                                       { body: { name: `person-${round}`, password: 'a long password' } });
        assert.ok(made.status < 300, JSON.stringify(made.body));
        id ??= made.body.user_id ?? made.body.user?.id;
        const again = await server.rest('POST', '/api/v1/login', { body: { name: 'person-1', password: 'a long password' } });
        assert.equal(again.status, 200, JSON.stringify(again.body));
      });
    }
    assert.deepEqual((await readdir(data)).filter((name) => /etilqs|tmp/.test(name)), []);
  } finally {
    await rm(data, { recursive: true, force: true });
  }
});

test('an unknown mode is refused with the known ones', async () => {
  const { code, output } = await run(['serve', '--seccomp', 'on', '--listen', '127.0.0.1:0']);
  assert.equal(code, 2);
  assert.match(output, /--seccomp: expected kill, enforce, log or off, got "on"/);
});

test('doctor tells each part of it, and what is missing how to have it', async () => {
  const { output } = await run(['doctor', '--json']);
  const { findings } = JSON.parse(output);
  const by_name = Object.fromEntries(findings.map((finding) => [finding.name, finding]));
  for (const name of ['no new privileges', 'capabilities', 'landlock', 'seccomp', 'ring restrictions', 'build: position independent',
                      'build: relro', 'build: stack', 'build: stack protector', 'build: fortify', 'build: control flow']) {
    const finding = by_name[name];
    assert.ok(finding, `${name} is not among ${Object.keys(by_name)}`);
    assert.equal(finding.required, name === 'ring restrictions', `${name}: every kernel that has our rings restricts them`);
    if (finding.status !== 'ok') assert.notEqual(finding.remedy, '', name);
  }
});
