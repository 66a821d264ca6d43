// Two people chat on the page of the real server; one of them loses the connection and comes back.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { start_proxy } from './cuttable_proxy.mjs';
import { Person, kDesk, kPhone, launch } from './person.mjs';
import { take_pictures } from './pictures.mjs';
import { start_server } from './server.mjs';

let server;
let proxy;
let browser;
let ada;     // at a desk
let grace;   // on a phone, behind a line that can be cut

before(async () => {
  server = await start_server();
  proxy = await start_proxy(server.port);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await proxy?.stop();
  await server?.stop();
});

// Steps of one story: when one fails, those after it would only repeat the complaint.
async function story(t, steps) {
  for (const [name, step] of steps) {
    let failed = null;
    await t.test(name, async () => {
      try {
        await step();
      } catch (error) {
        failed = error;
        throw error;
      }
    });
    if (failed) return;
  }
}

const said = [];   // everything in the conversation of the two, in its order
const lines = Array.from({ length: 130 }, (_, i) => `Line ${i + 1}`);

// Somebody without a browser: the same server by REST.
async function writes_over_rest(name, to, texts) {
  const call = async (method, path, body, token) => {
    const answer = await fetch(`http://127.0.0.1:${server.port}/api/v1/${path}`, {
      method, body: body && JSON.stringify(body),
      headers: { 'Content-Type': 'application/json', ...(token ? { Authorization: `Bearer ${token}` } : {}) },
    });
    assert.ok(answer.ok, `${path}: ${answer.status}`);
    return answer.json();
  };
  const { access_token } = await call('POST', 'register', { name, password: 'correct horse battery' });
  const { users } = await call('GET', `users?name=${to}`, undefined, access_token);
  for (const [i, content] of texts.entries()) {
    await call('POST', 'messages', { to: users[0].user_id, content, client_id: `rest-${i}` }, access_token);
  }
}

test('two people chat, one loses the connection and resumes', { timeout: 200_000 }, (t) => story(t, [
  ['both register', async () => {
    ada = await Person.comes(browser, 'ada', { port: server.port, screen: kDesk });
    grace = await Person.comes(browser, 'grace', { port: proxy.port, screen: kPhone, dark: true });
    await ada.registers();
    await grace.registers();
  }],

  ['a first message arrives, is counted as unread, and is marked as seen once it is looked at', async () => {
    await ada.writes_to('grace');
    said.push('Morning! Did the night run finish?');
    await ada.says(said[0]);
    await grace.listed('ada').locator('.badge', { hasText: '1' }).waitFor();
    await ada.mark_becomes(said[0], 'delivered');
    await grace.opens('ada');
    await grace.sees(said[0]);
    await ada.mark_becomes(said[0], 'seen');
    await grace.goes_back();
    assert.equal(await grace.listed('ada').locator('.badge').count(), 0, 'what was read is not unread');
    await grace.opens('ada');
  }],

  ['each sees that the other one is there, and is typing', async () => {
    await ada.subtitle_becomes('Online');
    await grace.subtitle_becomes('Online');
    await grace.field.pressSequentially('It did');
    await ada.subtitle_becomes('typing…');
    await grace.field.fill('');
    await ada.subtitle_becomes('Online');
  }],

  ['they talk both ways', async () => {
    for (const [who, text] of [[grace, 'It did. Eighteen thousand connections, not one message lost.'],
                               [ada, 'Not one? Let me see the log 👀'],
                               [grace, 'Every ack is on disk: https://example.org/night-run']]) {
      said.push(text);
      await who.says(text);
      await ada.sees(text);
      await grace.sees(text);
      await who.mark_becomes(text, 'seen');
    }
    assert.deepEqual(await ada.texts(), said);
    assert.deepEqual(await grace.texts(), said);
    const link = grace.message(said.at(-1)).getByRole('link');
    assert.equal(await link.getAttribute('href'), 'https://example.org/night-run');
    assert.match(await link.getAttribute('rel'), /noopener/);
  }],

  ['what looks like HTML stays text', async () => {
    said.push('<img src=x onerror="document.title=1"> & <b>bold</b>');
    await grace.says(said.at(-1));
    await ada.sees(said.at(-1));
    assert.equal(await ada.page.locator('.message img, .message b').count(), 0);
  }],

  ['a cut line: what was missed comes once and in order, what was written meanwhile is sent once', async () => {
    await grace.is_online();
    proxy.cut();
    await grace.page.locator('.banner[data-phase="waiting"]').waitFor();
    const missed = ['Cutting the cable now.', 'Still there?', 'Two.', 'Three.', 'Four — that should do.'];
    for (const text of missed) {
      await ada.says(text);
      await ada.mark_becomes(text, 'sent');
    }
    const offline = 'I wrote this in a tunnel.';
    await grace.says(offline);
    await grace.mark_becomes(offline, 'waiting');
    assert.deepEqual(await grace.texts(), [...said, offline], 'nothing gets through a cut line');
    proxy.mend();
    await grace.page.locator('.banner[data-phase="live"]').waitFor();
    said.push(...missed, offline);
    await ada.sees(offline);
    await grace.mark_becomes(offline, 'seen');
    for (const text of missed) await ada.mark_becomes(text, 'seen');
    assert.deepEqual(await grace.texts(), said);
    assert.deepEqual(await ada.texts(), said);
  }],

  ['a line that is cut in the middle of a burst', async () => {
    const burst = Array.from({ length: 12 }, (_, i) => `Burst ${i + 1}`);
    for (const [i, text] of burst.entries()) {
      await ada.says(text);
      if (i === 4) proxy.cut();
      if (i === 8) proxy.mend();
    }
    said.push(...burst);
    await grace.sees(burst.at(-1));
    await ada.mark_becomes(burst.at(-1), 'seen');
    assert.deepEqual(await grace.texts(), said);
    assert.deepEqual(await ada.texts(), said);
  }],

  ['a reload resumes: signed in, in the same conversation, with what came meanwhile', async () => {
    const leaving = grace.page.goto('about:blank');
    said.push('Said while you were reloading');
    await ada.says(said.at(-1));
    await leaving;
    await ada.mark_becomes(said.at(-1), 'sent');
    await grace.page.goBack();
    await grace.is_online();
    await grace.sees(said.at(-1));
    await grace.page.reload();
    await grace.is_online();
    await grace.sees(said.at(-1));
    assert.deepEqual(await grace.texts(), said);
  }],

  ['a message that waits survives a reload and is sent once', async () => {
    proxy.cut();
    await grace.page.locator('.banner[data-phase="waiting"]').waitFor();
    said.push('Kept over a reload');
    await grace.says(said.at(-1));
    await grace.mark_becomes(said.at(-1), 'waiting');
    proxy.mend();
    await grace.page.reload();
    await ada.sees(said.at(-1));
    await grace.mark_becomes(said.at(-1), 'seen');
    assert.deepEqual(await grace.texts(), said);
    assert.deepEqual(await ada.texts(), said);
  }],

  ['edit, reaction and deletion reach the other one', async () => {
    await ada.does('Edit', 'Two.');
    await ada.field.fill('Two!');
    await ada.field.press('Enter');
    said[said.indexOf('Two.')] = 'Two!';
    await grace.sees('Two!');
    await grace.message('Two!').getByText('edited').waitFor();
    await grace.does('React 🎉', 'Two!');
    await ada.message('Two!').locator('.reaction', { hasText: '🎉' }).waitFor();
    await ada.does('Delete', 'Three.');
    await ada.page.getByRole('menuitem', { name: 'Delete for all?' }).click();
    said[said.indexOf('Three.')] = 'Message deleted';
    await grace.sees('Message deleted');
    assert.deepEqual(await grace.texts(), said);
  }],

  ['a group: made, found in the list, named senders, somebody joins later', async () => {
    const linus = await Person.comes(browser, 'linus', { port: server.port, screen: kDesk });
    await linus.registers();
    await ada.page.getByRole('button', { name: 'New group' }).click();
    const dialog = ada.page.getByRole('dialog', { name: 'New group' });
    await dialog.getByLabel('Name of the group').fill('Release day');
    await dialog.getByLabel('Add a person by name').fill('grace');
    await dialog.getByRole('button', { name: 'Create group' }).click();
    await ada.page.locator('.pane .bar h2', { hasText: 'Release day' }).waitFor();
    await ada.says('Tagging at noon. Anything left?');
    await grace.goes_back();
    await grace.opens('Release day');
    await grace.sees('Tagging at noon. Anything left?');
    await grace.says('Docs are done. One screenshot missing.');
    await ada.page.locator('.message .sender', { hasText: 'grace' }).waitFor();
    await ada.page.getByRole('button', { name: 'Members' }).click();
    const members = ada.page.getByRole('dialog');
    await members.getByLabel('Add a person by name').fill('linus');
    await members.getByLabel('Add a person by name').press('Enter');
    await members.locator('.members li', { hasText: 'linus' }).waitFor();
    await members.getByRole('button', { name: 'Close' }).click();
    await grace.page.getByText('ada added linus').waitFor();
    await linus.opens('Release day');
    await linus.says('I have it. Sending it over in a minute.');
    await ada.sees('I have it. Sending it over in a minute.');
    await linus.does('Reply', 'I have it. Sending it over in a minute.');
    await linus.says('It is in docs/images, phone and desk.');
    await ada.sees('It is in docs/images, phone and desk.');
    await grace.does('React 👍', 'It is in docs/images, phone and desk.');
    await ada.says('Lovely. Then noon it is 🎉');
    await ada.mark_becomes('Lovely. Then noon it is 🎉', 'seen');
    await grace.field.pressSequentially('See you t');
    await ada.subtitle_becomes('grace is typing…');
    await grace.field.fill('');
    await grace.goes_back();
    await linus.says('Coffee first, though.');
    await grace.listed('Release day').locator('.badge', { hasText: '1' }).waitFor();
    await grace.opens('Release day');
    assert.deepEqual(linus.mistakes, []);
    await linus.context.close();
  }],

  ['much that is unread: it opens at the line above what is new, and is read at its end', async () => {
    await writes_over_rest('hugo', 'ada', lines);
    await ada.listed('hugo').locator('.badge', { hasText: '99+' }).waitFor();
    await ada.opens('hugo');
    await ada.sees(lines.at(-1));
    assert.deepEqual(await ada.texts(), lines);
    await ada.page.locator('.divider').waitFor();
    assert.equal(await ada.listed('hugo').locator('.badge').count(), 1, 'nobody has looked at the end yet');
    await ada.page.getByRole('button', { name: 'To the newest message' }).click();
    await ada.listed('hugo').locator('.badge').waitFor({ state: 'detached' });
  }],

  ['who closes the page goes offline', async () => {
    await ada.opens('grace');
    await ada.subtitle_becomes('Online');
    assert.deepEqual(grace.mistakes, []);
    await grace.context.close();
    await ada.subtitle_becomes('Last online');
  }],

  ['signing out and in again: the history is there', async () => {
    await ada.page.getByRole('button', { name: 'Sign out' }).click();
    const form = ada.page.locator('.welcome form');
    await form.getByLabel('Name').fill('ada');
    await form.getByLabel('Password').fill('not the password');
    await form.getByRole('button', { name: 'Sign in', exact: true }).click();
    await form.getByRole('alert').filter({ hasText: /wrong/ }).waitFor();
    await form.getByLabel('Password').fill('correct horse battery');
    await form.getByRole('button', { name: 'Sign in', exact: true }).click();
    await ada.is_online();
    await ada.opens('grace');
    await ada.sees(said.at(-1));
    assert.deepEqual(await ada.texts(), said);
  }],

  ['a long history: the newest is shown first, older pages come on scrolling up', async () => {
    await ada.opens('hugo');
    await ada.sees(lines.at(-1));
    assert.ok(!(await ada.texts()).includes(lines[0]), 'not all at once');
    while (!(await ada.texts()).includes(lines[0])) {
      const shown = await ada.page.locator('.message').count();
      await ada.page.locator('.scroller').evaluate((scroller) => { scroller.scrollTop = 0; });
      await ada.page.waitForFunction((before) => document.querySelectorAll('.message').length > before, shown);
    }
    assert.deepEqual(await ada.texts(), lines);
    assert.deepEqual(ada.mistakes, []);
  }],
]));

if (process.env.UPROAR_SCREENSHOTS === '1') {
  test('pictures for docs/images', { timeout: 120_000 }, () => take_pictures(browser, server.port));
}
