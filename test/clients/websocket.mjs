// Checks every MUST of the graphql-transport-ws protocol, with the graphql-ws
// client and, for what that client never does, with a bare socket.
//
//   node websocket.mjs URL TOKEN --stream SUBSCRIPTION [--finite SUBSCRIPTION --results N]
//
// URL       the endpoint, http://host:port/graphql
// TOKEN     sent in connection_init as {"Authorization": "Bearer TOKEN"}; "" sends none
// --stream  a subscription without variables that does not end by itself
// --finite  a subscription without variables that yields N results and completes
//
// Prints "ok NAME" or "FAILED NAME: why" for every check; exits with 1 if one failed.
// The check of connection_init's time limit takes as long as that limit.
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { credentials, equal, holds, readArguments, runChecks } from './checks.mjs';

const { plain, named } = readArguments();
const [httpURL, token = ''] = plain;
const url = httpURL.replace(/^http/, 'ws');
const stream = { query: named.stream };

/** A bare socket: send(message), next() message, closed() {code, reason}. */
async function open(protocols = ['graphql-transport-ws']) {
  const socket = new WebSocket(url, protocols);
  const messages = [];
  const waiting = [];
  socket.on('message', (data) => {
    const message = JSON.parse(data.toString());
    const waiter = waiting.shift();
    if (waiter) waiter(message);
    else messages.push(message);
  });
  const closed = new Promise((resolve) =>
    socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() })),
  );
  await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject));
  return {
    raw: (text) => socket.send(text),
    binary: (bytes) => socket.send(bytes, { binary: true }),
    send: (message) => socket.send(JSON.stringify(message)),
    next: () => (messages.length ? Promise.resolve(messages.shift()) : new Promise((r) => waiting.push(r))),
    closed: () => closed,
    end: () => socket.close(1000),
  };
}

async function acknowledged() {
  const s = await open();
  s.send({ type: 'connection_init', payload: credentials(token) });
  equal(await Promise.race([s.next(), s.closed()]), { type: 'connection_ack' }, 'acknowledgement');
  return s;
}

/** Proves that the socket still lives and that nothing else came before the pong. */
async function quiet(s) {
  s.send({ type: 'ping' });
  equal((await s.next()).type, 'pong', 'next message');
  s.end();
}

async function closesWith(s, code) {
  equal((await s.closed()).code, code, 'close code');
}

function client(options = {}) {
  return createClient({
    url,
    webSocketImpl: WebSocket,
    connectionParams: credentials(token),
    retryAttempts: 0,
    ...options,
  });
}

async function all(c, payload) {
  const results = [];
  for await (const result of c.iterate(payload)) results.push(result);
  await c.dispose();
  return results;
}

const malformed = {
  'not JSON': '{',
  'not an object': '"ping"',
  'a batch': '[{"type":"ping"}]',
  'no type': '{}',
  'an unknown type': '{"type":"start"}',
  'a type that is not text': '{"type":1}',
  "a server's message": '{"type":"next","id":"1","payload":{}}',
  'subscribe without an id': '{"type":"subscribe","payload":{"query":"{__typename}"}}',
  'subscribe with an empty id': '{"type":"subscribe","id":"","payload":{"query":"{__typename}"}}',
  'subscribe with a number as id': '{"type":"subscribe","id":1,"payload":{"query":"{__typename}"}}',
  'subscribe without a payload': '{"type":"subscribe","id":"1"}',
  'subscribe without a query': '{"type":"subscribe","id":"1","payload":{}}',
  'a query that is not text': '{"type":"subscribe","id":"1","payload":{"query":{}}}',
  'variables that are no object': '{"type":"subscribe","id":"1","payload":{"query":"{a}","variables":"{}"}}',
  'extensions that are no object': '{"type":"subscribe","id":"1","payload":{"query":"{a}","extensions":[]}}',
  'an operationName that is not text': '{"type":"subscribe","id":"1","payload":{"query":"{a}","operationName":1}}',
  'complete without an id': '{"type":"complete"}',
  'a ping whose payload is no object': '{"type":"ping","payload":"x"}',
  'trailing data': '{"type":"ping"}{"type":"ping"}',
};

const checks = {
  'the client runs a query': async () => {
    const [result] = await all(client(), { query: '{ __typename }' });
    equal(result.data, { __typename: 'Query' }, 'data');
  },
  'errors of validation reject the operation, not the connection': async () => {
    const c = client();
    let rejection;
    await all(c, { query: '{ noSuchField }' }).catch((errors) => (rejection = errors));
    holds(Array.isArray(rejection) && rejection[0].message, 'the operation was not rejected with errors');
    const [result] = await all(c, { query: '{ __typename }' });
    equal(result.data, { __typename: 'Query' }, 'data afterwards');
  },
  'no complete after error, and the id is free again': async () => {
    const s = await acknowledged();
    s.send({ type: 'subscribe', id: 'a', payload: { query: '{ noSuchField }' } });
    const refusal = await s.next();
    equal([refusal.type, refusal.id, Array.isArray(refusal.payload)], ['error', 'a', true], 'refusal');
    s.send({ type: 'subscribe', id: 'a', payload: { query: '{ __typename }' } });
    equal((await s.next()).type, 'next', 'first message of the second operation');
    equal((await s.next()).type, 'complete', 'last message of the second operation');
    await quiet(s);
  },
  "a client's complete is not echoed, and the id is free again": async () => {
    const s = await acknowledged();
    s.send({ type: 'subscribe', id: 'a', payload: stream });
    s.send({ type: 'complete', id: 'a' });
    s.send({ type: 'subscribe', id: 'b', payload: { query: '{ __typename }' } });
    for (let m = await s.next(); m.type !== 'complete' || m.id !== 'b'; m = await s.next())
      holds(m.type === 'next', `got ${m.type} for ${m.id}`);
    s.send({ type: 'subscribe', id: 'a', payload: { query: '{ __typename }' } });
    equal((await s.next()).type, 'next', 'first message of the reused id');
    equal((await s.next()).type, 'complete', 'last message of the reused id');
    await quiet(s);
  },
  'complete of an unknown id is ignored': async () => {
    const s = await acknowledged();
    s.send({ type: 'complete', id: 'never' });
    await quiet(s);
  },
  'ping is answered before connection_init': async () => quiet(await open()),
  'pong returns the payload': async () => {
    const s = await open();
    s.send({ type: 'ping', payload: { at: 1 } });
    equal(await s.next(), { type: 'pong', payload: { at: 1 } }, 'answer');
    s.end();
  },
  'an unsolicited pong is ignored': async () => {
    const s = await open();
    s.send({ type: 'pong' });
    await quiet(s);
  },
  'connection_init may have no payload, or null': async () => {
    for (const message of [{ type: 'connection_init' }, { type: 'connection_init', payload: null }]) {
      const s = await open();
      s.send(message);
      const first = await Promise.race([s.next(), s.closed()]);
      holds(first.type === 'connection_ack' || first.code === 4403, `got ${JSON.stringify(first)}`);
      s.end();
    }
  },
  'subscribe before the acknowledgement closes with 4401': async () => {
    const s = await open();
    s.send({ type: 'subscribe', id: 'a', payload: { query: '{ __typename }' } });
    await closesWith(s, 4401);
  },
  'a second connection_init closes with 4429': async () => {
    const s = await acknowledged();
    s.send({ type: 'connection_init', payload: credentials(token) });
    await closesWith(s, 4429);
  },
  'a second connection_init before the acknowledgement closes with 4429': async () => {
    const s = await open();
    s.send({ type: 'connection_init', payload: credentials(token) });
    s.send({ type: 'connection_init', payload: credentials(token) });
    await closesWith(s, 4429);
  },
  'an id in use closes with 4409': async () => {
    const s = await acknowledged();
    s.send({ type: 'subscribe', id: 'twice', payload: stream });
    s.send({ type: 'subscribe', id: 'twice', payload: stream });
    equal(await s.closed(), { code: 4409, reason: 'Subscriber for twice already exists' }, 'close');
  },
  'no connection_init closes with 4408': async () => closesWith(await open(), 4408),
  'a binary message closes with 4400': async () => {
    const s = await open();
    s.binary(Buffer.from('{"type":"ping"}'));
    await closesWith(s, 4400);
  },
  'a socket without the subprotocol closes with 4406': async () => closesWith(await open([]), 4406),
  'operations interleave on one connection': async () => {
    const c = client();
    const live = c.iterate(stream);
    const pending = live.next();
    const answers = await Promise.all(Array.from({ length: 20 }, () => first(c, { query: '{ __typename }' })));
    equal(answers.length, 20, 'answers');
    await Promise.race([pending, live.return()]);
    await c.dispose();
  },
};

async function first(c, payload) {
  for await (const result of c.iterate(payload)) return result;
  throw new Error('no result');
}

for (const [what, text] of Object.entries(malformed)) {
  checks[`${what} closes with 4400`] = async () => {
    const s = await acknowledged();
    s.raw(text);
    await closesWith(s, 4400);
  };
}

if (token) {
  checks['wrong credentials close with 4403'] = async () => {
    const s = await open();
    s.send({ type: 'connection_init', payload: credentials('no-such-token') });
    await closesWith(s, 4403);
  };
}

if (named.finite) {
  const count = Number(named.results);
  checks['the client gets every result of a subscription and its end'] = async () => {
    equal((await all(client(), { query: named.finite })).length, count, 'results');
  };
  checks['a subscription ends with complete'] = async () => {
    const s = await acknowledged();
    s.send({ type: 'subscribe', id: 'a', payload: { query: named.finite } });
    for (let i = 0; i < count; i++) equal((await s.next()).type, 'next', `message ${i + 1}`);
    equal(await s.next(), { id: 'a', type: 'complete' }, 'last message');
    await quiet(s);
  };
}

await runChecks(checks);
