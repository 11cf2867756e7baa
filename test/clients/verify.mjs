// Verifies webhook requests with npm's standardwebhooks.
//
//   node verify.mjs < REQUESTS
//
// Each line of the input is a JSON object: headers, an object; body, the exact
// text; secret, "whsec_…". For each line prints "ok", or "failed: why".
// Exits with 0 in any case: what a failure means is for the caller to say.
import { createInterface } from 'node:readline';
import { Webhook } from 'standardwebhooks';

for await (const line of createInterface({ input: process.stdin })) {
  if (line.trim()) console.log(verdict(line));
}

function verdict(line) {
  try {
    const { headers, body, secret } = JSON.parse(line);
    new Webhook(secret).verify(body, headers, { jsonParse: false });
    return 'ok';
  } catch (error) {
    return `failed: ${error.message}`;
  }
}
