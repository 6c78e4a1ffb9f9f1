// An OpenID Connect provider, as organizations run one: the server of `oidc-provider`, with a sign-in page of its own. It
// prints {"issuer": …} when it listens, and ends when its standard input does.

import { once } from "node:events";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { exportJWK, generateKeyPair } from "jose";
import { Provider } from "oidc-provider";

const CALLBACK = "https://tokens.test/console/sign-in/callback";
const ACCOUNTS = {
  "id-grace": { email: "grace@acme.example", email_verified: true, name: "Grace Hopper", groups: ["ops", "everybody"] },
  "id-alan": { email: "alan@acme.example", email_verified: true, name: "Alan Turing", groups: ["everybody"] },
  "id-eve": { email: "eve@acme.example", email_verified: false, name: "Eve", groups: ["ops"] },
  "id-mallory": { email: "mallory@elsewhere.example", email_verified: true, name: "Mallory", groups: [] },
};
const SCOPES = "openid email profile groups";

const server = createServer();
server.listen(0, "127.0.0.1");
await once(server, "listening");
const issuer = `http://127.0.0.1:${server.address().port}`;

const { privateKey } = await generateKeyPair("ES256", { extractable: true });
const key = { ...(await exportJWK(privateKey)), kid: "of-the-provider", alg: "ES256", use: "sig" };
const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "jeton",
      client_secret: "the-secret-of-jeton's-client",
      redirect_uris: [`${CALLBACK}/acme-id`],
      response_types: ["code"],
      grant_types: ["authorization_code"],
      id_token_signed_response_alg: "ES256",
    },
  ],
  jwks: { keys: [key] },
  cookies: { keys: ["signs the provider's own cookies"] },
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"], groups: ["groups"] },
  scopes: SCOPES.split(" "),
  pkce: { required: () => true },
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_, { uid }) => `/sign-in/${uid}` },
  findAccount: (_, accountId) => ACCOUNTS[accountId] && { accountId, claims: () => ({ sub: accountId, ...ACCOUNTS[accountId] }) },
  // Everybody here agrees that Jeton learns who they are.
  async loadExistingGrant({ oidc }) {
    const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
    grant.addOIDCScope(SCOPES);
    await grant.save();
    return grant;
  },
});

const PAGE = `<!doctype html><html lang="en"><head><title>Acme ID</title></head><body><main><h1>Acme ID</h1>
<form method="post"><label>Account <input name="account" autofocus></label>
<button>Continue</button> <button name="cancel" value="yes">Cancel</button></form></main></body></html>`;

async function signInPage(request, response) {
  if (request.method === "GET") {
    await provider.interactionDetails(request, response);
    return response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(PAGE);
  }
  const fields = new URLSearchParams(await text(request));
  const refusal = { error: "access_denied", error_description: "<script>document.title = 'owned'</script>" };
  const result = fields.has("cancel") ? refusal : { login: { accountId: fields.get("account") } };
  return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}

const protocol = provider.callback();
server.on("request", (request, response) => {
  if (request.url === "/favicon.ico") return response.writeHead(204).end();
  if (!request.url.startsWith("/sign-in/")) return protocol(request, response);
  return signInPage(request, response).catch(() => response.writeHead(400).end("This sign-in is over."));
});

process.stdout.write(`${JSON.stringify({ issuer })}\n`);
process.stdin.resume();
process.stdin.on("end", () => process.exit());
