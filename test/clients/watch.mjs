// Watches the delivery log over WebSocket, without gaps and without repeats.
//
//   node watch.mjs URL TOKEN CURSOR COUNT [DISCONNECT_EVERY]
//
// URL               the endpoint, http://host:port/graphql
// TOKEN             sent in connection_init as {"Authorization": "Bearer TOKEN"}; "" sends none
// CURSOR            where to start, "" for now
// COUNT             stop after that many entries
// DISCONNECT_EVERY  cut the socket after every so many entries; never if absent or 0
//
// Prints "watching" on stderr whenever the server has accepted the connection,
// and every DeliveryLogEntry and DeliveryLogGap as one line of JSON. Heartbeats
// only move the cursor. After every lost connection it subscribes
// again with its own last cursor: graphql-ws would send the first one again.
// Exits with 1 when the server refuses the operation or the credentials.
import { setTimeout as delay } from 'node:timers/promises';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { credentials, readArguments } from './checks.mjs';

const [httpURL, token, start, count, disconnectEvery = '0'] = readArguments().plain;
const url = httpURL.replace(/^http/, 'ws');
const wanted = Number(count);
const cutAfter = Number(disconnectEvery);
const pauseMS = 100;
const refusals = new Set([4400, 4401, 4403, 4406, 4409, 4429]);
const passing = new Set(['UNAVAILABLE', 'INTERNAL']);

const query = `
  subscription Watch($after: Cursor) {
    deliveryLog(after: $after) {
      __typename
      ... on DeliveryLogEntry {
        cursor at state replayed
        delivery { id attemptCount }
        attempt { id number outcome httpStatus }
      }
      ... on DeliveryLogGap { cursor missedSince }
      ... on DeliveryLogHeartbeat { cursor at }
    }
  }`;

let cursor = start || null;
let seen = 0;

/** Watches over one connection until it has ended or enough was seen; tells whether it was cut on purpose. */
async function watchOnce() {
  let socket;
  let inThisConnection = 0;
  const client = createClient({
    url,
    webSocketImpl: WebSocket,
    connectionParams: credentials(token),
    retryAttempts: 0,
    on: {
      opened: (opened) => (socket = opened),
      connected: () => console.error('watching'),
    },
  });
  try {
    for await (const { data, errors } of client.iterate({ query, variables: { after: cursor } })) {
      if (errors) throw errors;
      const item = data.deliveryLog;
      cursor = item.cursor;
      if (item.__typename === 'DeliveryLogHeartbeat') continue;
      console.log(JSON.stringify(item));
      if (item.__typename !== 'DeliveryLogEntry') continue;
      if (++seen === wanted) return false;
      if (cutAfter && ++inThisConnection === cutAfter) {
        socket.terminate();
        return true;
      }
    }
    return false;
  } finally {
    await client.dispose();
  }
}

function isRefusal(reason) {
  if (Array.isArray(reason)) return !passing.has(reason[0]?.extensions?.code);
  return refusals.has(reason?.code);
}

while (seen < wanted) {
  let cut = false;
  try {
    cut = await watchOnce();
  } catch (reason) {
    if (isRefusal(reason)) {
      console.error(Array.isArray(reason) ? JSON.stringify(reason) : `${reason.code} ${reason.reason}`);
      process.exit(1);
    }
  }
  if (!cut && seen < wanted) await delay(pauseMS);
}
process.exit(0);
