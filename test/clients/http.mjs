// Audits a GraphQL-over-HTTP server with all of graphql-http's audits.
//
//   node http.mjs URL [TOKEN]
//
// URL    the endpoint, http://host:port/graphql
// TOKEN  a bearer token, "" or absent for none; it must allow introspection
//
// Prints "ok ID NAME" or "FAILED ID NAME: why" for every audit, then the
// count, and exits with 1 unless all are ok.
import { serverAudits } from 'graphql-http';
import { credentials, readArguments } from './checks.mjs';

const [url, token = ''] = readArguments().plain;
const fetchFn = (input, init = {}) =>
  fetch(input, { ...init, headers: { ...init.headers, ...credentials(token) } });

let passed = 0;
const audits = serverAudits({ url, fetchFn });
for (const audit of audits) {
  const result = await audit.fn();
  if (result.status === 'ok') passed++;
  console.log(
    result.status === 'ok'
      ? `ok ${audit.id} ${audit.name}`
      : `FAILED ${audit.id} ${audit.name}: ${result.reason}`,
  );
}
console.log(`${passed}/${audits.length}`);
process.exit(passed === audits.length ? 0 : 1);
