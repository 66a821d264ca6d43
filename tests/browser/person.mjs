// Somebody in front of a browser: what they do and what they see, in the page's own words. Every wait is for a
// condition.

import { chromium } from 'playwright-core';

const kWaitMs = 20_000;
export const kPhone = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
export const kDesk = { viewport: { width: 1280, height: 800 }, deviceScaleFactor: 2 };

export function launch() {
  return chromium.launch({
    executablePath: process.env.UPROAR_CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  });
}

export class Person {
  static async comes(browser, name, { port, screen, dark = false }) {
    const person = new Person();
    person.name = name;
    person.mistakes = [];   // of the page: exceptions, refused scripts and styles
    person.context = await browser.newContext({ ...screen, locale: 'en-GB', colorScheme: dark ? 'dark' : 'light' });
    person.page = await person.context.newPage();
    person.page.setDefaultTimeout(kWaitMs);
    person.page.on('pageerror', (error) => person.mistakes.push(String(error)));
    person.page.on('console', (message) => {
      if (/Content Security Policy|Refused to/.test(message.text())) person.mistakes.push(message.text());
    });
    await person.page.goto(`http://127.0.0.1:${port}/`);
    return person;
  }

  async registers(password = 'correct horse battery') {
    const form = this.page.locator('.welcome form');
    await this.page.getByRole('heading', { name: 'Create your account' }).waitFor();
    await form.getByLabel('Name').fill(this.name);
    await form.getByLabel('Password').fill(password);
    await form.getByRole('button', { name: 'Create account', exact: true }).click();
    await this.is_online();
  }

  async is_online() { await this.page.locator('.state[data-phase="live"]').waitFor({ state: 'attached' }); }

  async writes_to(name) {
    await this.page.locator('.find').fill(name);
    await this.page.locator('.find').press('Enter');
    await this.page.locator('.pane .bar h2', { hasText: name }).waitFor();
  }

  listed(name) { return this.page.locator(`.conversation[data-name="${name}"]`); }

  async opens(name) {
    await this.listed(name).click();
    await this.page.locator('.pane .bar h2', { hasText: name }).waitFor();
  }

  async goes_back() {
    await this.page.getByRole('button', { name: 'Back to the conversations' }).click();
    await this.page.locator('.list').waitFor();
  }

  get field() { return this.page.locator('.composer .field'); }

  async says(text) {
    await this.field.fill(text);
    await this.field.press('Enter');
  }

  message(text) { return this.page.locator('.message', { has: this.page.getByText(text, { exact: true }) }); }

  async sees(text) { await this.message(text).waitFor(); }

  // What has become of an own message: waiting, sent, delivered or seen.
  async mark_becomes(text, mark) { await this.message(text).and(this.page.locator(`[data-mark="${mark}"]`)).waitFor(); }

  // Everything on the screen that a person wrote, in order.
  texts() { return this.page.locator('.message .text').allTextContents(); }

  async does(action, text) {
    const message = this.message(text);
    const touch = await this.page.evaluate(() => matchMedia('(hover: none)').matches);
    if (touch) {
      await message.locator('.bubble').tap();
    } else {
      await message.locator('.bubble').hover();
      await message.getByRole('button', { name: 'Message actions' }).click();
    }
    await message.getByRole('menuitem', { name: action }).first().click();
  }

  async subtitle_becomes(words) { await this.page.locator('.pane .subtitle', { hasText: words }).waitFor(); }

  async picture(name) {
    await this.page.evaluate(() => document.activeElement?.blur());
    await this.page.mouse.move(0, 0);
    const path = new URL(`../../docs/images/${name}.png`, import.meta.url).pathname;
    await this.page.screenshot({ path, animations: 'disabled' });
  }
}
