// Two providers on one port that answer whatever a test wants: one of OpenID Connect below /oidc, whose answers are wrong in
// one way at a time, and one like GitHub below /github. Nobody has to sign in there. `POST /wanted` with JSON says what is
// wanted from then on. It prints {"issuer": …} when it listens, and ends when its standard input does.

import { createHash, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { json, text } from "node:stream/consumers";
import { SignJWT, exportJWK, generateKeyPair } from "jose";

const CLIENT = { id: "jeton", secret: "the-secret-of-jeton's-client" };

const server = createServer();
server.listen(0, "127.0.0.1");
await once(server, "listening");
const base = `http://127.0.0.1:${server.address().port}`;
const issuer = `${base}/oidc`;

const makeKey = async (kid) => {
  const { privateKey, publicKey } = await generateKeyPair("RS256");
  return { kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: "RS256", use: "sig" } };
};
let published = await makeKey("published");
const stranger = await makeKey("published");
const codes = new Map();
let wanted = {};
let discoveries = 0;

/** What is wrong with an ID token, by its name. */
const WRONG_CLAIMS = {
  nonce: () => ({ nonce: "another" }),
  "no nonce": () => ({ nonce: undefined }),
  issuer: () => ({ iss: "https://accounts.google.com" }),
  audience: () => ({ aud: "another" }),
  "two audiences": () => ({ aud: [CLIENT.id, "another"] }),
  "authorized party": () => ({ azp: "another" }),
  expired: (now) => ({ iat: now - 7200, exp: now - 3600 }),
  "no subject": () => ({ sub: "" }),
};

async function idToken(nonce) {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: issuer, aud: CLIENT.id, sub: "id-odd", iat: now, exp: now + 300, nonce,
    email: "odd@acme.example", email_verified: true, name: "Odd", ...wanted.claims,
    ...WRONG_CLAIMS[wanted.wrong]?.(now),
  };
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  if (wanted.wrong === "alg none") return `${encode({ alg: "none", typ: "JWT" })}.${encode(claims)}.`;
  const signed = new SignJWT(claims);
  if (wanted.wrong === "alg HS256") {
    return signed.setProtectedHeader({ alg: "HS256" }).sign(new TextEncoder().encode(CLIENT.secret));
  }
  if (wanted.wrong === "rotated") published = await makeKey(`published-${randomUUID()}`);
  const key = wanted.wrong === "another key" ? stranger : published;
  const kid = wanted.wrong === "unknown key" ? "unheard of" : key.kid;
  const token = await signed.setProtectedHeader({ alg: "RS256", kid, typ: "JWT" }).sign(key.privateKey);
  if (wanted.wrong !== "altered") return token;
  const [header, , signature] = token.split(".");
  return `${header}.${encode({ ...claims, sub: "somebody-else" })}.${signature}`;
}

const answer = (response, body, status = 200) =>
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));

/** The browser is sent back at once. */
function authorize(url, response, named) {
  const asked = url.searchParams;
  const back = new URL(asked.get("redirect_uri"));
  if (wanted.wrong === "error") {
    back.searchParams.set("error", wanted.error);
    back.searchParams.set("error_description", "<script>document.title = 'owned'</script>");
  } else {
    const code = randomUUID();
    codes.set(code, { nonce: asked.get("nonce"), challenge: asked.get("code_challenge"), method: asked.get("code_challenge_method") });
    back.searchParams.set("code", code);
  }
  back.searchParams.set("state", asked.get("state"));
  if (wanted.wrong === "answer's issuer") back.searchParams.set("iss", "https://accounts.google.com");
  else if (named && wanted.wrong !== "no issuer in the answer") back.searchParams.set("iss", named);
  response.writeHead(303, { location: back.href }).end();
}

/** Codes are good once, for the client that has begun (RFC 7636). */
async function exchange(request, response) {
  const fields = new URLSearchParams(await text(request));
  const [id, secret] = request.headers.authorization
    ? Buffer.from(request.headers.authorization.split(" ")[1], "base64").toString().split(":").map((it) => new URLSearchParams(`v=${it}`).get("v"))
    : [fields.get("client_id"), fields.get("client_secret")];
  const begun = codes.get(fields.get("code"));
  codes.delete(fields.get("code"));
  const challenge = createHash("sha256").update(fields.get("code_verifier") ?? "").digest("base64url");
  if (id !== CLIENT.id || secret !== CLIENT.secret || begun?.challenge !== challenge || begun.method !== "S256") {
    return answer(response, { error: "invalid_grant", error_description: fields.get("code") }, 400);
  }
  if (wanted.wrong === "no answer") return request.socket.destroy();
  if (wanted.wrong === "endless answer") {
    response.writeHead(200, { "content-type": "application/json" });
    return response.end(`{"access_token":"${"x".repeat(1024 * 1024)}"}`);
  }
  if (wanted.wrong === "redirect") return response.writeHead(307, { location: `${base}/elsewhere` }).end();
  const tokens = { access_token: "opens-the-user", token_type: "bearer", expires_in: 60 };
  if (request.url.startsWith("/oidc") && wanted.wrong !== "no ID token") tokens.id_token = await idToken(begun.nonce);
  return answer(response, tokens);
}

const METADATA = {
  issuer,
  authorization_endpoint: `${issuer}/authorize`,
  token_endpoint: `${issuer}/token`,
  userinfo_endpoint: `${issuer}/userinfo`,
  jwks_uri: `${issuer}/jwks`,
  response_types_supported: ["code"],
  subject_types_supported: ["public"],
  id_token_signing_alg_values_supported: ["RS256", "HS256", "none"],
  authorization_response_iss_parameter_supported: true,
};

const opens = (request) => request.headers.authorization === "Bearer opens-the-user";
let elsewhere = 0;

async function handle(request, response) {
  const url = new URL(request.url, base);
  switch (url.pathname) {
    case "/wanted":
      wanted = await json(request);
      return answer(response, { discoveries, elsewhere });
    case "/elsewhere":
      elsewhere += 1;
      return answer(response, {});
    case "/oidc/.well-known/openid-configuration":
      discoveries += 1;
      return answer(response, METADATA);
    case "/oidc/jwks":
      return answer(response, { keys: [published.jwk] });
    case "/oidc/authorize":
      return authorize(url, response, issuer);
    case "/github/login/oauth/authorize":
      return authorize(url, response);
    case "/oidc/token":
    case "/github/login/oauth/access_token":
      return exchange(request, response);
    case "/oidc/userinfo":
      return opens(request) ? answer(response, { sub: wanted.wrong === "other subject" ? "id-other" : "id-odd", email: "odd@acme.example", email_verified: true, groups: ["ops"] }) : answer(response, {}, 401);
    case "/github/user":
      return opens(request) ? answer(response, { id: 583231, login: "octocat", name: "Octo Cat", email: "shown@acme.example" }) : answer(response, {}, 401);
    case "/github/user/emails":
      return opens(request) ? answer(response, wanted.emails) : answer(response, {}, 401);
    default:
      return answer(response, {}, 404);
  }
}

server.on("request", (request, response) => {
  handle(request, response).catch((error) => {
    process.stderr.write(`${error.stack}\n`);
    response.destroy();
  });
});

process.stdout.write(`${JSON.stringify({ issuer: base })}\n`);
process.stdin.resume();
process.stdin.on("end", () => process.exit());
