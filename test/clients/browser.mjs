// Follows the delivery log with the EventSource of a real browser, on a page of
// the server itself.
//
//   node browser.mjs CHROMIUM SIGN_IN_URL CURSOR COUNT
//
// CHROMIUM     the browser's program
// SIGN_IN_URL  leads to a page of the server, signed in
// CURSOR       where to start
// COUNT        stop after that many entries
//
// Prints "half" on stderr when half of the entries have come, and in the end
// one line of JSON: { entries: [{ id, data }], opened, refusal }. The browser
// connects again by itself when the connection is lost, with Last-Event-ID.
// Refusal has the types of events of a subscription that the server refuses.
import { chromium } from 'playwright-core';
import { readArguments } from './checks.mjs';

const [executablePath, signIn, cursor, count] = readArguments().plain;
const query = `subscription { deliveryLog(after: "${cursor}") {
  __typename ... on DeliveryLogEntry { cursor state delivery { id } } } }`;

const browser = await chromium.launch({
  executablePath,
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
  ],
});
try {
  const page = await browser.newPage();
  await page.goto(signIn);
  await page.evaluate((query) => {
    const seen = (window.seen = { entries: [], opened: 0, refusal: [] });
    const follow = (query) => new EventSource('/graphql?query=' + encodeURIComponent(query));
    const log = follow(query);
    log.addEventListener('open', () => seen.opened++);
    log.addEventListener('next', (e) => {
      const item = JSON.parse(e.data).data.deliveryLog;
      if (item.__typename === 'DeliveryLogEntry') seen.entries.push({ id: e.lastEventId, ...item });
    });
    const refused = follow('subscription { noSuchField }');
    refused.addEventListener('next', (e) => seen.refusal.push(e.type));
    refused.addEventListener('complete', (e) => {
      seen.refusal.push(e.type);
      refused.close();
    });
  }, query);
  const until = (n) => page.waitForFunction((n) => window.seen.entries.length >= n && window.seen.refusal.length >= 2, n);
  await until(count / 2);
  console.error('half');
  await until(Number(count));
  console.log(JSON.stringify(await page.evaluate(() => window.seen)));
} finally {
  await browser.close();
}
