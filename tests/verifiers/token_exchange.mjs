// Exchange tokens as a program does that knows no more than the issuer and its own secret: discovery (RFC 8414), token
// exchange (RFC 8693) with oauth4webapi, verification with jose. One JSON document on standard input, one on standard
// output: what came of each request.

import { json } from "node:stream/consumers";
import { webcrypto } from "node:crypto";

// Node 18, Debian 12's own, has no global `crypto`, which both libraries expect.
globalThis.crypto ??= webcrypto;
const oauth = await import("oauth4webapi");
const jose = await import("jose");

const job = await json(process.stdin);
const issuer = new URL(job.issuer);

// The issuer's name leads to the server under test.
const reach = (url, options) => {
  const { origin, pathname, search } = new URL(url);
  if (origin !== issuer.origin) throw new Error(`left the issuer: ${url}`);
  return fetch(job.server + pathname + search, options);
};
const options = { [oauth.customFetch]: reach };

const discovered = await oauth.discoveryRequest(issuer, { algorithm: job.algorithm, ...options });
const server = await oauth.processDiscoveryResponse(issuer, discovered);
const client = { client_id: job.client_id };
const keys = jose.createRemoteJWKSet(new URL(server.jwks_uri), { [jose.customFetch]: reach });

async function exchange(parameters) {
  const secret = oauth.ClientSecretBasic(job.client_secret);
  const grant = "urn:ietf:params:oauth:grant-type:token-exchange";
  const answer = await oauth.genericTokenEndpointRequest(
    server, client, secret, grant, new URLSearchParams(parameters), options,
  );
  return oauth.processGenericTokenEndpointResponse(server, client, answer);
}

async function result(parameters, previous) {
  const filled = { ...parameters };
  if (filled.subject_token === "PREVIOUS") filled.subject_token = previous;
  try {
    const answer = await exchange(filled);
    const { payload } = await jose.jwtVerify(answer.access_token, keys, {
      issuer: server.issuer,
      audience: job.audience,
      algorithms: ["ES256"],
      typ: "at+jwt",
    });
    return { answer, claims: payload };
  } catch (error) {
    if (!(error instanceof oauth.ResponseBodyError)) throw error;
    return { error: error.error, status: error.status };
  }
}

const results = [];
let previous;
for (const parameters of job.requests) {
  const one = await result(parameters, previous);
  previous = one.answer?.access_token ?? previous;
  results.push(one);
}
process.stdout.write(JSON.stringify({ metadata: server, results }));
