// Embed a page in another, as docs/embedding.md says, and see tokens arrive, in a real browser.
//
//   node embed.mjs JETON_URL
//
// The script comes from the server at JETON_URL, the two pages from the document. Each page has an origin of its own,
// and the renewals a server of their own, which keeps their contract with tokens of two seconds.
// Prints {"issued", "renewed", "iframe", "held", "component", "stranger", "leaks", "faults"}.

import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { stripVTControlCharacters } from "node:util";
import { launch } from "./chromium.mjs";

const LIFE = { expires_in: 2, refresh_in: 1.5 };
const document = await readFile(new URL("../../docs/embedding.md", import.meta.url), "utf8");

/** The text behind a fence of one kind. */
function fenced(info) {
  const [, text] = document.split(`\`\`\`${info}\n`);
  if (!text) throw new Error(`no ${info} in the document`);
  return text.split("```")[0];
}

async function serve(handle) {
  const server = createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => handle(request, response, Buffer.concat(chunks)));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, origin: `http://127.0.0.1:${server.address().port}` };
}

const html = (response, text, headers = {}) =>
  response.writeHead(200, { "content-type": "text/html; charset=utf-8", ...headers }).end(text);

const json = (response, status, body, headers = {}) =>
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));

/** The renewals' server: a token is renewed once, while it lives, for one origin, without cookies. */
class Renewals {
  issued = [];
  renewed = 0;
  faults = [];
  over = false;
  #tokens = new Map();

  issue() {
    const token = `opaque-${randomUUID()}`;
    this.#tokens.set(token, { end: performance.now() + LIFE.expires_in * 1000, renewed: false });
    this.issued.push(token);
    return { token, token_type: "Bearer", ...LIFE };
  }

  handle(host, request, response, body) {
    const { method, headers, url } = request;
    const allowed = headers.origin === host;
    const cors = allowed ? { "access-control-allow-origin": host, "access-control-expose-headers": "retry-after" } : {};
    if (method === "OPTIONS") {
      const allow = { "access-control-allow-methods": "POST", "access-control-allow-headers": "authorization" };
      return response.writeHead(204, { ...cors, ...allow }).end();
    }
    if (method !== "POST" || url !== "/v1/session-tokens/renew") this.faults.push(`${method} ${url}`);
    if (headers.cookie || body.length) this.faults.push("a renewal with cookies or a body");
    const token = this.#tokens.get(headers.authorization?.replace(/^Bearer /, ""));
    const refuse = (status, code) => json(response, status, { status, code }, cors);
    if (!allowed) return refuse(403, "origin_not_authorized");
    if (this.over) return refuse(403, "session_ended");
    if (!token || token.end < performance.now()) return refuse(401, "token_not_active");
    if (token.renewed) return refuse(409, "already_renewed");
    token.renewed = true;
    this.renewed += 1;
    json(response, 201, this.issue(), cors);
  }
}

const RECORD = `<script>
  received = [];
  addEventListener('message', ({ data }) => received.push(data));
</script>`;

/** A page that asks for tokens although nobody gives it any. */
const STRANGER = `${RECORD}<script>
  setInterval(() => parent.postMessage({ type: 'jeton:ready' }, '*'), 50);
</script>`;

/** Beside the documented page: a stranger's iframe, and a web component that is defined late. */
const MORE = (stranger) => `<iframe src="${stranger}/"></iframe><x-board></x-board><script>
  received = [];
  session.toElement(document.querySelector('x-board'));
  session.token().then(() => customElements.define('x-board', class extends HTMLElement {
    set token(token) { received.push(token); }
  }));
</script>`;

async function origins(jeton, renewals) {
  const stranger = await serve((_, response) => html(response, STRANGER));
  const renewal = await serve((...exchange) => renewals.handle(host.origin, ...exchange));
  const app = await serve((_, response) => {
    const page = fenced("html embedded").replaceAll("https://www.example.com", host.origin);
    html(response, `${page}${RECORD}`);
  });
  const host = await serve((request, response) => {
    if (request.method === "POST" && request.url === "/dashboard-token") {
      const own = /login=yes/.test(request.headers.cookie);
      return own ? json(response, 200, renewals.issue()) : json(response, 401, {});
    }
    if (request.url !== "/") return response.writeHead(204).end();
    const page = fenced("html page")
      .replaceAll("https://jeton.example.com", jeton)
      .replaceAll("https://app.example.com", app.origin)
      .replace("fetchToken:", `renewUrl: '${renewal.origin}/v1/session-tokens/renew', fetchToken:`);
    const policy =
      `default-src 'none'; img-src 'self'; script-src ${jeton} 'unsafe-inline'; connect-src 'self' ${renewal.origin}; ` +
      `frame-src ${app.origin} ${stranger.origin}`;
    const headers = { "content-security-policy": policy, "set-cookie": "login=yes; HttpOnly; SameSite=Strict" };
    html(response, `<!doctype html>${page}${MORE(stranger.origin)}`, headers);
  });
  return { stranger, renewal, app, host };
}

/** Where a token must not be. */
async function leaks(page, context, urls, tokens) {
  const places = await page.evaluate(() => [
    document.documentElement.outerHTML,
    JSON.stringify({ ...localStorage }),
    JSON.stringify({ ...sessionStorage }),
    document.cookie,
    location.href,
  ]);
  places.push(JSON.stringify(await context.cookies()), ...urls);
  return places.filter((place) => tokens.some((token) => place.includes(token))).length;
}

async function main(jeton) {
  const renewals = new Renewals();
  const { stranger, renewal, app, host } = await origins(new URL(jeton).origin, renewals);
  const browser = await launch();
  try {
    const context = await browser.newContext();
    context.setDefaultTimeout(60_000);
    const page = await context.newPage();
    const { faults } = renewals;
    const urls = [];
    page.on("request", (request) => urls.push(request.url()));
    page.on("console", (message) => {
      // The refusal that ends the test is one, as browsers see it.
      if (message.type() === "error" && !renewals.over) faults.push(`console: ${message.text()}`);
    });
    context.on("weberror", (error) => faults.push(`uncaught: ${error.error()}`));
    await page.goto(`${host.origin}/`);
    const embedded = page.frames().find((frame) => frame.url().startsWith(app.origin));
    const foreign = page.frames().find((frame) => frame.url().startsWith(stranger.origin));
    const got = (type, count) => {
      const counted = (wanted) => received.filter(({ type }) => type === wanted.type).length >= wanted.count;
      return embedded.waitForFunction(counted, { type, count });
    };
    let count = 3;
    do await got("jeton:token", ++count);
    while (renewals.renewed < 3);
    const leaked = await leaks(page, context, urls, renewals.issued);
    renewals.over = true;
    await got("jeton:end", 1);
    return {
      issued: renewals.issued,
      renewed: renewals.renewed,
      iframe: await embedded.evaluate(() => received),
      held: await embedded.evaluate(() => token),
      component: await page.evaluate(() => received),
      stranger: await foreign.evaluate(() => received),
      leaks: leaked,
      faults,
    };
  } finally {
    await browser.close();
    for (const { server } of [stranger, renewal, app, host]) server.close();
  }
}

const [jeton] = process.argv.slice(2);
if (!jeton || !process.env.JETON_TEST_CHROMIUM) {
  console.error("usage: JETON_TEST_CHROMIUM=PATH node embed.mjs JETON_URL");
  process.exit(2);
}
try {
  console.log(JSON.stringify(await main(jeton)));
} catch (error) {
  console.error(`embed: ${stripVTControlCharacters(error.message)}`);
  process.exitCode = 1;
}
