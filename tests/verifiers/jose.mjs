// Verify session tokens as a resource server that uses jose would. Input and output: see pyjwt.py.

import { json } from "node:stream/consumers";
import { webcrypto } from "node:crypto";

// Node 18, Debian 12's own, has no global `crypto`, which jose expects.
globalThis.crypto ??= webcrypto;
const { createRemoteJWKSet, errors, jwtVerify } = await import("jose");

// RFC 9068, section 2.2
const requiredClaims = ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"];

async function verify(token, keys, { issuer, audience, algorithm }) {
  const { protectedHeader, payload } = await jwtVerify(token, keys, {
    issuer,
    audience,
    algorithms: [algorithm],
    typ: "at+jwt",
    requiredClaims,
  });
  // jose takes a set's only key for a token that names none.
  if (protectedHeader.kid === undefined) throw new errors.JWTInvalid("no kid");
  return { ok: true, header: protectedHeader, claims: payload };
}

async function result(...args) {
  try {
    return await verify(...args);
  } catch (error) {
    // Anything else is a fault of this script and must not pass for a refusal.
    if (!(error instanceof errors.JOSEError)) throw error;
    return { ok: false, error: `${error.constructor.name}: ${error.message}`.slice(0, 200) };
  }
}

const job = await json(process.stdin);
// One fetch per run: an unknown `kid` may not trigger another, nor does the set grow old.
const keys = createRemoteJWKSet(new URL(job.jwks_url), { cooldownDuration: Infinity, cacheMaxAge: Infinity });
try {
  await keys.reload();
  if (keys.jwks().keys.length === 0) throw new Error("the key set is empty");
} catch (error) {
  console.error(`jose: ${error.message} ${error.cause?.message ?? ""}`);
  process.exit(1);
}

const results = [];
for (const token of job.tokens) results.push(await result(token, keys, job));
process.stdout.write(JSON.stringify(results));
