// Checks GraphQL over Server-Sent Events ("distinct connections mode"): with
// the graphql-sse client, with an EventSource, and byte by byte.
//
//   node sse.mjs URL TOKEN --finite SUBSCRIPTION --results N [--ids yes]
//
// URL       the endpoint, http://host:port/graphql
// TOKEN     sent as "Authorization: Bearer TOKEN"; "" sends none
// --finite  a subscription that yields N results and completes; with --ids yes it
//           declares the variable $after and starts after that cursor
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

const idsOf = (stream) => [...stream.matchAll(/^id: (.*)$/gm)].map((match) => match[1]);

const checks = {
  'the client runs a query': async () => {
    const [result] = await all({ query: '{ __typename }' });
    equal(result.data, { __typename: 'Query' }, 'data');
  },
  'the client gets every result of a subscription and its end': async () => {
    equal((await all(finite)).length, results, 'results');
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
      holds((await text(finite, {}, method)).endsWith('event: complete\ndata: \n\n'), `not by ${method}`);
  },
  'an EventSource sees next and complete': async () => {
    const events = await watch(finite);
    equal(events.map((e) => e.type), [...Array(results).fill('next'), 'complete'], 'events');
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

if (named.ids) {
  checks['every event has its cursor as id, and Last-Event-ID resumes after it'] = async () => {
    for (const method of ['POST', 'GET']) {
      const whole = idsOf(await text(finite, {}, method));
      equal(whole.length, results, `ids by ${method}`);
      const rest = idsOf(await text(finite, { 'last-event-id': whole[0] }, method));
      equal(rest, whole.slice(1), `ids after the first by ${method}`);
    }
  };
  checks['an EventSource knows the cursor of each event'] = async () => {
    const events = await watch(finite);
    holds(events.filter((e) => e.type === 'next').every((e) => e.id), 'an event has no id');
  };
}

await runChecks(checks);
