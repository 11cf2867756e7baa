// Opens GraphiQL in a real browser, signed in, and runs what its editor holds and
// a subscription.
//
//   node graphiql.mjs CHROMIUM SIGN_IN_URL
//
// CHROMIUM     the browser's program
// SIGN_IN_URL  signs in to the server
//
// Prints one line of JSON: { query, subscription, origins, problems }: what the
// result window shows for each, the origins of all requests, and what the browser
// complained about, such as the content policy.
import { chromium } from 'playwright-core';
import { readArguments } from './checks.mjs';

const [executablePath, signIn] = readArguments().plain;
const browser = await chromium.launch({
  executablePath,
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
  ],
});
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(100_000); // a browser is slow on a busy machine
  const origins = new Set();
  const problems = [];
  const seen = (url) => { if (!url.startsWith('data:')) origins.add(new URL(url.replace(/^ws/, 'http')).origin); };
  await page.goto(signIn);
  page.on('request', (r) => seen(r.url()));
  page.on('websocket', (w) => seen(w.url()));
  page.on('console', (m) => { if (m.type() === 'error') problems.push(m.text()); });
  page.on('pageerror', (e) => problems.push(String(e)));
  await page.goto(new URL('/graphql', signIn).href);
  const result = (text, timeout) => page.waitForFunction(
    (text) => {
      const shown = document.querySelector('.result-window .CodeMirror')?.CodeMirror.getValue() ?? '';
      return shown.includes(text) && shown;
    }, text, { timeout }).then((handle) => handle.jsonValue());
  const run = () => page.locator('.graphiql-execute-button').click();
  await page.waitForSelector('.graphiql-query-editor .CodeMirror');
  await run();
  const query = await result('organizations');
  await page.evaluate(() => document.querySelector('.graphiql-query-editor .CodeMirror').CodeMirror
    .setValue('subscription { deliveryLog { __typename } }'));
  // The server closes a WebSocket that does not introduce itself in time, as on a busy
  // machine; a person then executes again.
  let subscription;
  for (let tries = 5; !subscription; tries--) {
    const before = problems.length;
    await run();
    subscription = await result('DeliveryLogHeartbeat', 20_000).catch((reason) => { if (tries === 1) throw reason; });
    if (!subscription) problems.length = before;
  }
  console.log(JSON.stringify({ query, subscription, origins: [...origins], problems }));
} finally {
  await browser.close();
}
