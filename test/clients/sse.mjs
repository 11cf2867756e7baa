// Checks GraphQL over Server-Sent Events ("distinct connections mode"): with
// the graphql-sse client, with an EventSource, and byte by byte.
//
//   node sse.mjs URL TOKEN [--stream SUBSCRIPTION] [--finite SUBSCRIPTION] --results N
//
// URL       the endpoint, http://host:port/graphql
// TOKEN     sent as "Authorization: Bearer TOKEN"; "" sends none
// --stream  a subscription that yields at least N results at once and does not end
// --finite  a subscription that yields N results and completes
//
// Both declare the variable $after, start after that cursor, and have cursors as
// event ids. The checks of what was not given are left out.
//
// Prints "ok NAME" or "FAILED NAME: why" for every check; exits with 1 if one failed.
import { EventSource } from 'eventsource';
import { createClient } from 'graphql-sse';
import { credentials, equal, holds, readArguments, runChecks } from './checks.mjs';

const { plain, named } = readArguments();
const [url, token = ''] = plain;
const results = Number(named.results);
const finite = { query: named.finite };

async function all(payload) {
  const c = createClient({ url, headers: credentials(token), retryAttempts: 0 });
  const got = [];
  for await (const result of c.iterate(payload)) got.push(result);
  c.dispose();
  return got;
}

async function text(payload, headers = {}, method = 'POST') {
  const target = method === 'GET' ? addressOf(payload) : url;
  const response = await fetch(target, {
    method,
    headers: {
      accept: 'text/event-stream',
      ...(method === 'POST' && { 'content-type': 'application/json' }),
      ...credentials(token),
      ...headers,
    },
    body: method === 'POST' ? JSON.stringify(payload) : undefined,
  });
  equal(response.status, 200, 'status');
  holds(response.headers.get('content-type').startsWith('text/event-stream'), 'not an event stream');
  return response.text();
}

function addressOf(payload) {
  const address = new URL(url);
  for (const [name, value] of Object.entries(payload))
    address.searchParams.set(name, typeof value === 'string' ? value : JSON.stringify(value));
  return address;
}

/** The events of an EventSource up to and with "complete". */
function watch(payload) {
  return new Promise((resolve, reject) => {
    const events = [];
    const source = new EventSource(addressOf(payload), {
      fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, ...credentials(token) } }),
    });
    source.addEventListener('next', (e) => events.push({ type: e.type, id: e.lastEventId, data: JSON.parse(e.data) }));
    source.addEventListener('complete', (e) => {
      source.close();
      resolve([...events, { type: e.type, data: e.data }]);
    });
    source.addEventListener('error', (e) => {
      source.close();
      reject(new Error(e.message ?? 'the event source failed'));
    });
  });
}

/** The ids of the first n events of a stream, which is then cut off. */
async function firstIDs(n, headers, method) {
  const payload = { query: named.stream };
  const response = await fetch(method === 'GET' ? addressOf(payload) : url, {
    method,
    headers: {
      accept: 'text/event-stream',
      ...(method === 'POST' && { 'content-type': 'application/json' }),
      ...credentials(token),
      ...headers,
    },
    body: method === 'POST' ? JSON.stringify(payload) : undefined,
  });
  const decoder = new TextDecoder();
  let seen = '';
  for await (const chunk of response.body) {
    seen += decoder.decode(chunk, { stream: true });
    // Only whole events count: the last one may still be arriving.
    const ids = idsOf(seen.slice(0, seen.lastIndexOf('\n\n') + 2));
    if (ids.length >= n) return ids.slice(0, n); // leaving the loop cancels the request
  }
  throw new Error('the stream has ended');
}

const idsOf = (stream) => [...stream.matchAll(/^id: (.*)$/gm)].map((match) => match[1]);

const checks = {
  'the client runs a query': async () => {
    const [result] = await all({ query: '{ __typename }' });
    equal(result.data, { __typename: 'Query' }, 'data');
  },
  'errors of validation arrive as an event': async () => {
    const [result] = await all({ query: '{ noSuchField }' });
    holds(result.errors?.length === 1 && !('data' in result), `got ${JSON.stringify(result)}`);
  },
  'errors of syntax arrive as an event': async () => {
    const [result] = await all({ query: '{' });
    holds(result.errors?.length === 1 && !('data' in result), `got ${JSON.stringify(result)}`);
  },
  'the last event is complete with an empty data line': async () => {
    for (const method of ['POST', 'GET'])
      holds((await text({ query: '{ nope }' }, {}, method)).endsWith('event: complete\ndata: \n\n'), `not by ${method}`);
  },
  'an EventSource sees errors of validation': async () => {
    const [event] = await watch({ query: 'subscription { noSuchField }' });
    holds(event.data.errors.length === 1, 'no errors');
  },
  'mutations by GET are refused': async () => {
    const response = await fetch(addressOf({ query: 'mutation { __typename }' }), {
      headers: { accept: 'text/event-stream', ...credentials(token) },
    });
    equal([response.status, response.headers.get('allow')], [405, 'POST'], 'status and Allow');
  },
};

if (named.finite) {
  checks['the client gets every result of a subscription and its end'] = async () => {
    equal((await all(finite)).length, results, 'results');
  };
  checks['an EventSource sees next and complete, and the cursor of each event'] = async () => {
    const events = await watch(finite);
    equal(events.map((e) => e.type), [...Array(results).fill('next'), 'complete'], 'events');
    holds(events.filter((e) => e.type === 'next').every((e) => e.id), 'an event has no id');
  };
  checks['Last-Event-ID resumes a subscription up to its end'] = async () => {
    for (const method of ['POST', 'GET']) {
      const whole = idsOf(await text(finite, {}, method));
      equal(whole.length, results, `ids by ${method}`);
      const rest = idsOf(await text(finite, { 'last-event-id': whole[0] }, method));
      equal(rest, whole.slice(1), `ids after the first by ${method}`);
    }
  };
}

if (named.stream) {
  checks['the client follows a subscription that does not end, and leaves it'] = async () => {
    const c = createClient({ url, headers: credentials(token), retryAttempts: 0 });
    let count = 0;
    for await (const result of c.iterate({ query: named.stream })) {
      holds(result.data, `got ${JSON.stringify(result)}`);
      if (++count === results) break;
    }
    c.dispose();
  };
  checks['Last-Event-ID resumes a stream that was cut off'] = async () => {
    for (const method of ['POST', 'GET']) {
      const whole = await firstIDs(results, {}, method);
      const rest = await firstIDs(results - 1, { 'last-event-id': whole[0] }, method);
      equal(rest, whole.slice(1), `ids after the first by ${method}`);
    }
  };
}

await runChecks(checks);
