import { setTimeout as sleep } from 'node:timers/promises';

import { RawSocket } from './raw.mjs';

const kScrapers = 20;
const kStrangerWaitsMs = 5;   // to be told is enough: a flood of requests at the public port is another attack
const kScrape = 'GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n';

// Asks again and again on one connection; -> the answers, by status.
async function scrape(port, goes_on, wait_ms = 0) {
  const answers = {};
  const raw = await RawSocket.connect(port);
  while (goes_on() && !raw.is_closed) {
    raw.heard = Buffer.alloc(0);
    await raw.write(kScrape);
    await raw.until(() => is_whole(raw.heard));
    const status = raw.heard.toString('latin1', 9, 12);
    answers[status] = (answers[status] ?? 0) + 1;
    if (wait_ms > 0) await sleep(wait_ms);
  }
  raw.destroy();
  return { answers, sent_bytes: raw.bytes_sent };
}

function is_whole(heard) {
  const head_end = heard.indexOf('\r\n\r\n') + 4;
  if (head_end < 4) return false;
  const length = /content-length: (\d+)/i.exec(heard.toString('latin1', 0, head_end))?.[1];
  return heard.length >= head_end + Number(length);
}

const sum = (all, status) => all.reduce((count, { answers }) => count + (answers[status] ?? 0), 0);

// Metrics cost milliseconds to render and some 40 KB to send. Twenty who ask for nothing else, and one who asks the public port for them.
export default {
  title: 'metrics scraped by twenty connections without a pause',
  weakness: 'scrape_storm',

  prepare: async ({ server }) => ({ admin_port: Number(new URL(server.admin_url).port),
                                    renderings: await server.metric('uproar_admin_renderings_total') }),

  async attack({ port, prepared, goes_on }) {
    const scraping = Array.from({ length: kScrapers }, () => scrape(prepared.admin_port, goes_on));
    const strangers = [await scrape(port, goes_on, kStrangerWaitsMs)];
    const operators = await Promise.all(scraping);
    return { sent_bytes: [...operators, ...strangers].reduce((bytes, each) => bytes + each.sent_bytes, 0), renderings: prepared.renderings,
             scraped: sum(operators, '200'), told_strangers: sum(strangers, '200'), turned_away: sum(strangers, '404') };
  },

  look: async ({ server }) => ({ renderings: await server.metric('uproar_admin_renderings_total') }),

  // One a second from the first question to the last, and the one that asks how many there were.
  judge({ result, extra, seconds }) {
    const renderings = extra.renderings - result.renderings;
    return [
      ['a text is rendered at most once a second', renderings <= Math.ceil(seconds) + 3, `${renderings} renderings in ${seconds.toFixed(1)} s`],
      ['every scraper is answered', result.scraped >= kScrapers, `${result.scraped} answers`],
      ['the public port knows of no metrics', result.told_strangers === 0 && result.turned_away > 0,
        `${result.told_strangers} answers, ${result.turned_away} times 404`],
    ];
  },
};
