// What every client is put through: see tests/e2e/sdk.rs.
import assert from 'node:assert/strict';

import { Jeton, JetonProblem, TokenCache, defaultRetry } from 'jeton-client';
import type { CreateApiKeyRequest, IssueSessionTokenRequest } from 'jeton-client';

const { JETON_URL: url = '', JETON_API_KEY: ownersKey = '' } = process.env;

function requestFor(user: string, attributes: Record<string, string>): IssueSessionTokenRequest {
  return { user: { id: user, roles: ['analyst'], attributes: { tenant_id: 't-1', ...attributes } } };
}

async function problemOf(operation: Promise<unknown>): Promise<JetonProblem> {
  const error = await operation.then(
    () => assert.fail('this should have been refused'),
    (error: unknown) => error,
  );
  assert.ok(error instanceof JetonProblem, String(error));
  return error;
}

async function makesKeys(): Promise<{ key: string; limited: string }> {
  const owner = new Jeton({ url, apiKey: ownersKey });
  const request: CreateApiKeyRequest = { name: 'sdk', permissions: ['write'] };
  const created = await owner.createApiKey({ body: request });
  assert.ok(created.secret.startsWith(created.api_key.prefix));
  const limited = await owner.createApiKey({ body: { ...request, rate_limit: { per_minute: 60, burst: 1 } } });
  return { key: created.secret, limited: limited.secret };
}

async function declaresAPolicy(jeton: Jeton): Promise<void> {
  const attribute = await jeton.createAttribute({ body: { name: 'project', type: 'string' } });
  assert.equal(attribute.name, 'project');
  const role = await jeton.createRole({
    body: {
      name: 'analyst',
      permissions: [{ resource: 'report', action: 'view' }],
      required_attributes: ['project'],
    },
  });
  assert.deepEqual(role.required_attributes, ['project']);
}

async function issuesAndRevokes(jeton: Jeton): Promise<string> {
  const issued = await jeton.issueSessionToken({ body: requestFor('user-7', { project: 'p-1' }) });
  const question = { body: { token: issued.token } };
  const active = await jeton.introspectToken(question);
  assert.deepEqual([active.active, active.sub, active.roles], [true, 'user-7', ['analyst']]);
  const { data } = await jeton.listSessions({ query: { subject: 'user-7' } });
  const [session] = data;
  assert.ok(session && data.length === 1);
  assert.deepEqual([session.id, session.attributes['project']], [issued.session_id, 'p-1']);
  await jeton.deleteSession({ path: { id: session.id } });
  assert.equal((await jeton.introspectToken(question)).active, false);
  return issued.session_id;
}

async function seesWhatIsWrong(jeton: Jeton): Promise<void> {
  const body = requestFor('user-7', { unknown: 'x' });
  const problem = await problemOf(jeton.issueSessionToken({ body }));
  assert.deepEqual([problem.status, problem.retriable], [422, false]);
  assert.ok(problem.requestId && problem.errors.every(({ detail }) => detail));
  const found = problem.errors.map(({ pointer, code }) => `${pointer} ${code}`);
  assert.ok(found.includes('/user/attributes/project missing_attribute'), found.join());
  assert.ok(found.includes('/user/attributes/unknown undeclared_attribute'), found.join());
}

async function isNotLetIn(): Promise<void> {
  const nobody = new Jeton({ url, apiKey: 'jtn_nobody' });
  const account = await problemOf(nobody.getAccount());
  const introspection = await problemOf(nobody.introspectToken({ body: { token: 'x' } }));
  for (const [problem, code] of [
    [account, 'invalid_api_key'],
    [introspection, 'invalid_client'],
  ] as const) {
    assert.deepEqual([problem.status, problem.code, problem.errors], [401, code, []]);
    assert.ok(problem.detail && problem.requestId);
  }
}

async function isLimitedAndRecovers(apiKey: string): Promise<void> {
  const hasty = new Jeton({ url, apiKey, retry: { attempts: 1 } });
  let refused: unknown;
  for (let attempt = 0; attempt < 100 && refused === undefined; attempt += 1) {
    await hasty.getAccount().catch((error: unknown) => (refused = error));
  }
  assert.ok(refused instanceof JetonProblem, String(refused));
  assert.deepEqual([refused.status, refused.code, refused.retriable], [429, 'rate_limited', true]);
  assert.ok((refused.retryAfter ?? 0) >= 1);

  const waits: number[] = [];
  const sleep = (wait: number): Promise<void> => {
    waits.push(wait);
    return defaultRetry.sleep(wait);
  };
  const patient = new Jeton({ url, apiKey, retry: { sleep } });
  while (waits.length === 0) {
    assert.ok((await patient.getAccount()).api_key.permissions.length > 0);
  }
  assert.ok(waits.every((wait) => wait >= 1000), waits.join());
}

async function keepsTokens(jeton: Jeton): Promise<string[]> {
  let now = 0;
  const tokens = new TokenCache(jeton, { now: () => now });
  const request = requestFor('user-8', { project: 'p-1' });
  const [first, ...others] = await Promise.all(
    Array.from({ length: 8 }, () => tokens.token(requestFor('user-8', { project: 'p-1' }))),
  );
  assert.ok(first && others.every((it) => it === first));
  assert.ok(first.refresh_in < first.expires_in);
  now = first.refresh_in * 1000;
  const renewed = await tokens.token(request);
  assert.notEqual(renewed.token, first.token);
  assert.equal(await tokens.token(request), renewed);
  const { data } = await jeton.listSessions({ query: { subject: 'user-8' } });
  const ids = [first.session_id, renewed.session_id];
  assert.deepEqual(data.map(({ id }) => id).sort(), [...ids].sort());
  assert.equal((await problemOf(tokens.token(requestFor('user-8', {})))).status, 422);
  return ids;
}

const { key, limited } = await makesKeys();
const jeton = new Jeton({ url, apiKey: key });
await declaresAPolicy(jeton);
const sessions = [await issuesAndRevokes(jeton)];
await seesWhatIsWrong(jeton);
await isNotLetIn();
await isLimitedAndRecovers(limited);
sessions.push(...(await keepsTokens(jeton)));
console.log(JSON.stringify(sessions));
