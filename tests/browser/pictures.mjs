// The pictures in docs/images: a small scene, played on the real server. Made only with UPROAR_SCREENSHOTS=1.

import { Person, kDesk, kPhone } from './person.mjs';

export async function take_pictures(browser, port) {
  const people = {};
  const newcomer = await Person.comes(browser, 'newcomer', { port, screen: kPhone });
  await newcomer.picture('welcome-phone');
  await newcomer.context.close();
  for (const [name, screen, dark] of [['maya', kDesk], ['paul', kPhone, true], ['ines', kDesk], ['oskar', kDesk]]) {
    people[name] = await Person.comes(browser, name, { port, screen, dark });
    await people[name].registers();
  }
  const { maya, paul, ines, oskar } = people;

  await oskar.writes_to('maya');
  await oskar.says('The new lamp has arrived. It is enormous.');
  await ines.writes_to('maya');
  await ines.says('Can you bring the good camera on Sunday?');
  await maya.opens('ines');
  await maya.says('Packed already 📷');
  await ines.mark_becomes('Packed already 📷', 'seen').catch(() => {});
  await paul.writes_to('maya');
  await paul.says('Which train are you taking?');
  await maya.opens('paul');
  await maya.says('8:12 from the main station. There is a place beside me.');
  await paul.says('Taken!');
  await maya.sees('Taken!');

  await maya.page.getByRole('button', { name: 'New group' }).click();
  const dialog = maya.page.getByRole('dialog', { name: 'New group' });
  await dialog.getByLabel('Name of the group').fill('Sunday hike');
  for (const name of ['paul', 'ines']) {
    await dialog.getByLabel('Add a person by name').fill(name);
    await dialog.getByLabel('Add a person by name').press('Enter');
    await dialog.locator('.chips li', { hasText: name }).waitFor();
  }
  await dialog.getByRole('button', { name: 'Create group' }).click();
  await paul.goes_back();
  await paul.opens('Sunday hike');
  await ines.opens('Sunday hike');
  const talk = [
    [maya, 'The forecast says sun from ten on. Are we still going? ☀️'],
    [paul, 'Yes! I found a way around the closed bridge.'],
    [paul, 'Adds two kilometres, but there is a lake: https://example.org/lake-loop'],
    [ines, 'A lake means swimming. I am in.'],
    [maya, 'Then bring towels. I carry the bread and far too much cheese.'],
  ];
  for (const [who, text] of talk) {
    await who.says(text);
    for (const each of [maya, paul, ines]) each === who ? await who.mark_becomes(text, 'seen') : await each.page.getByText(text.split(':')[0]).last().waitFor();
  }
  await ines.does('React ❤️', talk[4][1]);
  await paul.does('React ❤️', talk[4][1]);
  await maya.does('React 👍', talk[1][1]);
  await ines.does('Reply', talk[4][1]);
  await ines.says('There is no such thing as too much cheese.');
  await maya.sees('There is no such thing as too much cheese.');
  await maya.says('Noted 😄');
  await maya.mark_becomes('Noted 😄', 'seen');
  await oskar.says('Also, where does it go?');
  await maya.listed('oskar').locator('.badge', { hasText: '2' }).waitFor();
  await paul.field.pressSequentially('See you');
  await maya.subtitle_becomes('paul is typing');
  await maya.picture('page-desk');
  await paul.field.fill('');
  await maya.subtitle_becomes('members');
  await paul.picture('page-phone');
  await paul.goes_back();
  await maya.says('8:12, platform 4. Do not be late.');
  await paul.listed('Sunday hike').locator('.badge', { hasText: '1' }).waitFor();
  await paul.picture('page-phone-list');
  for (const each of Object.values(people)) await each.context.close();
}
