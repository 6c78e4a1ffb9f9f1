// A bad day of the server, as every client bears it: see tests/e2e/sdk.rs.
import assert from 'node:assert/strict';

import { Jeton, JetonProblem, TokenCache, type IssueSessionTokenRequest } from 'jeton-client';

const { JETON_URL: url = '', JETON_API_KEY: apiKey = '' } = process.env;
const jeton = new Jeton({ url, apiKey, retry: { base: 1 } });

async function errorOf(operation: Promise<unknown>): Promise<unknown> {
  return operation.then(
    () => assert.fail('this should have failed'),
    (error: unknown) => error,
  );
}

async function problemOf(operation: Promise<unknown>): Promise<JetonProblem> {
  const error = await errorOf(operation);
  assert.ok(error instanceof JetonProblem, String(error));
  return error;
}

function deleted(name: string): Promise<unknown> {
  return jeton.deleteRole({ path: { name } });
}

function requestFor(id: string): IssueSessionTokenRequest {
  return { user: { id, roles: ['viewer'] } };
}

await deleted('recovering');
const down = await problemOf(deleted('down'));
assert.deepEqual([down.status, down.code], [503, 'unavailable']);
const busy = await problemOf(deleted('busy'));
assert.deepEqual([busy.status, busy.retryAfter], [429, 3600]);
assert.ok(((await problemOf(deleted('later'))).retryAfter ?? 0) > 3600);
const proxy = await problemOf(deleted('proxy'));
assert.deepEqual([proxy.status, proxy.code, proxy.errors], [502, 'unexpected_answer', []]);
await errorOf(deleted('elsewhere'));

let now = 0;
const cache = new TokenCache(jeton, { capacity: 2, now: () => now });
const fading = requestFor('fading');
const refused = requestFor('refused');
const first = await cache.token(fading);
await cache.token(refused);
now = 675_000;
assert.equal(await cache.token(fading), first);
for (now of [675_000, 0]) {
  assert.equal((await problemOf(cache.token(refused))).status, 403);
}
now = 900_000;
assert.equal((await problemOf(cache.token(fading))).status, 503);

const nobody = new TokenCache(new Jeton({ url: 'http://127.0.0.1:1', apiKey: 'jtn_nobody' }));
const error = await errorOf(nobody.token(fading));
assert.ok(error instanceof Error && !(error instanceof JetonProblem), String(error));
