// Calls the API from a page of another origin, in a real browser.
//
//   node origins.mjs CHROMIUM PAGE SERVER KEY
//
// CHROMIUM  the browser's program
// PAGE      the page, on an origin of its own
// SERVER    the server, http://host:port
// KEY       an API key of it
//
// Prints one line of JSON: { query, requestId, refused, schema }. Each is what
// the page could read, or the error that the browser gave it instead.
import { chromium } from 'playwright-core';
import { readArguments } from './checks.mjs';

const [executablePath, url, server, key] = readArguments().plain;
const browser = await chromium.launch({
  executablePath,
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
  ],
});
try {
  const page = await browser.newPage();
  await page.goto(url);
  const read = await page.evaluate(async ({ server, key }) => {
    const attempt = (call) => call().catch((e) => `${e.name}: ${e.message}`);
    const ask = (authorization) => fetch(server + '/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization },
      body: JSON.stringify({ query: '{ viewer { name } }' }),
    });
    return {
      query: await attempt(async () => (await (await ask('Bearer ' + key)).json()).data.viewer.name),
      requestId: await attempt(async () => (await ask('Bearer ' + key)).headers.get('x-request-id')),
      refused: await attempt(async () => String((await ask('Bearer none')).status)),
      schema: await attempt(async () => (await (await fetch(server + '/schema.graphql', {
        headers: { authorization: 'Bearer ' + key },
      })).text()).slice(0, 20)),
    };
  }, { server, key });
  console.log(JSON.stringify(read));
} finally {
  await browser.close();
}
