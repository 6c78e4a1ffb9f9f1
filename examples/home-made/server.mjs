// What a team writes instead of a token service: a key is looked up by its hash, the user's claims are signed.
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

const [clientsFile, issuer = 'http://127.0.0.1/orgs/demo'] = process.argv.slice(2);
const clients = new Map(Object.entries(JSON.parse(readFileSync(clientsFile, 'utf8')))); // SHA-256 of a key → its name
const pem = process.env.SIGNING_KEY ?? generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' });
const key = createPrivateKey(pem);
const { crv, kty, x, y } = createPublicKey(key).export({ format: 'jwk' });
const kid = createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const header = encode({ alg: 'ES256', typ: 'at+jwt', kid });

function issue(client, { user, audience = 'default', ttl_seconds: ttl = 900, resources }) {
  const iat = Math.floor(Date.now() / 1000);
  const claims = { iss: issuer, aud: audience, sub: user.id, client_id: client, jti: randomUUID(), iat, nbf: iat - 10, exp: iat + ttl,
    roles: user.roles, attributes: user.attributes, resources, scope: 'dashboard:view' };
  const input = `${header}.${encode(claims)}`;
  const token = `${input}.${sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
  return { token, token_type: 'Bearer', expires_in: ttl, refresh_in: Math.floor(ttl * 3 / 4), expires_at: new Date((iat + ttl) * 1000).toISOString().replace('.000', ''),
    session_id: claims.jti, audience, roles: user.roles, attributes: user.attributes };
}

const server = createServer(async (request, response) => {
  const answer = (status, body) => {
    const text = JSON.stringify(body);
    response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }).end(text);
  };
  if (request.url === '/jwks.json') return answer(200, { keys: [{ crv, kty, x, y, kid, alg: 'ES256', use: 'sig' }] });
  let body = '';
  for await (const part of request) body += part;
  const presented = createHash('sha256').update((request.headers.authorization ?? '').replace('ApiKey ', '')).digest('hex');
  if (!clients.has(presented)) return answer(401, { code: 'invalid_api_key' });
  try { answer(201, issue(clients.get(presented), JSON.parse(body))); } catch { answer(400, { code: 'invalid_request' }); }
});
server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () => console.log(`127.0.0.1:${server.address().port}`));
