// Asks a query through the normalized caches of Apollo Client and urql, in their
// default settings, and compares what they show with what the server answered.
//
//   node caches.mjs URL TOKEN QUERY [QUERY…]
//
// The queries are asked one after the other, through the same caches.
//
// Prints "ok CACHE NUMBER" or "FAILED CACHE NUMBER: why" for every cache and
// query, and exits with 1 unless all are ok.
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from '@apollo/client';
import { Client, fetchExchange } from '@urql/core';
import { cacheExchange } from '@urql/exchange-graphcache';
import { parse } from 'graphql';
import { credentials, equal, readArguments } from './checks.mjs';

process.env.NODE_ENV = 'production'; // urql explains its defaults otherwise

const [url, token, ...queries] = readArguments().plain;
const headers = credentials(token);

// The last answer, before a cache has seen it.
let answered;
const recording = async (input, init) => {
  const response = await fetch(input, init);
  answered = (await response.clone().json()).data;
  return response;
};

const apollo = new ApolloClient({
  cache: new InMemoryCache(),
  link: ApolloLink.from([new HttpLink({ uri: url, headers, fetch: recording })]),
});
const urql = new Client({
  url,
  preferGetMethod: false,
  fetch: recording,
  fetchOptions: { headers },
  exchanges: [cacheExchange(), fetchExchange],
});

const caches = {
  async apollo(query) {
    const result = await apollo.query({ query: parse(query) });
    if (result.error) throw result.error;
    return result.data;
  },
  async urql(query) {
    const result = await urql.query(query, {}).toPromise();
    if (result.error) throw result.error;
    return result.data;
  },
};

/** Leaves out __typename, which the caches add. */
function plain(value) {
  return JSON.parse(JSON.stringify(value), (name, v) => (name === '__typename' ? undefined : v));
}

let failed = false;
for (const [name, ask] of Object.entries(caches)) {
  for (const [i, query] of queries.entries()) {
    try {
      const shown = await ask(query);
      equal(sorted(plain(shown)), sorted(plain(answered)), 'the cached answer');
      console.log(`ok ${name} ${i}`);
    } catch (error) {
      failed = true;
      console.log(`FAILED ${name} ${i}: ${error.message}`);
    }
  }
}
process.exit(failed ? 1 : 0);

/** Sorts the keys of objects, which a cache may reorder. */
function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
}
