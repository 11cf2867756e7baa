// Runs named checks, some side by side, and reports them, one line each:
// "ok NAME" or "FAILED NAME: why". Used by the scripts beside it.
import { setTimeout as delay } from 'node:timers/promises';

const LIMIT_MS = 30_000;
const AT_ONCE = 8; // below the server's connections for one caller

/** Runs every check of { name: async function }, prints the results and sets the exit code. */
export async function runChecks(checks) {
  const waiting = Object.entries(checks);
  const results = [];
  const worker = async () => {
    for (let check = waiting.shift(); check; check = waiting.shift()) results.push(await runCheck(check));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  for (const line of results) console.log(line);
  // Sockets of failed checks must not keep the process alive.
  process.exit(results.every((line) => line.startsWith('ok ')) ? 0 : 1);
}

async function runCheck([name, check]) {
  const stop = new AbortController();
  const late = delay(LIMIT_MS, undefined, { signal: stop.signal }).then(() => {
    throw new Error(`no end after ${LIMIT_MS} ms`);
  });
  try {
    await Promise.race([check(), late]);
    return `ok ${name}`;
  } catch (error) {
    return `FAILED ${name}: ${error?.message ?? JSON.stringify(error)}`;
  } finally {
    stop.abort();
    late.catch(() => {});
  }
}

/** Throws unless the two values are the same JSON. */
export function equal(got, want, what = 'value') {
  const [g, w] = [JSON.stringify(got), JSON.stringify(want)];
  if (g !== w) throw new Error(`${what} = ${g}, want ${w}`);
}

/** Throws with the message unless the fact holds. */
export function holds(fact, message) {
  if (!fact) throw new Error(message);
}

/** Reads "--name value" pairs and plain arguments. */
export function readArguments(argv = process.argv.slice(2)) {
  const plain = [];
  const named = {};
  for (let i = 0; i < argv.length; i++) {
    if (argv[i].startsWith('--')) named[argv[i].slice(2)] = argv[++i];
    else plain.push(argv[i]);
  }
  return { plain, named };
}

/** Returns the request headers and the connection_init payload that carry a token; none for "". */
export function credentials(token) {
  return token ? { Authorization: `Bearer ${token}` } : {};
}
