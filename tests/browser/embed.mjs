// Embed a page in another, as docs/embedding.md says, and see tokens arrive, in a real browser.
//
//   JETON_API_KEY=jtn_… node embed.mjs JETON_URL
//
// The script, the first token and the renewals come from the server at JETON_URL, the two pages from the document. Each
// page has an origin of its own. Prints the host page's origin, so that somebody can authorize it, and waits for a line on
// standard input. Then it embeds until the session ends, and prints
// {"issued", "iframe", "held", "component", "stranger", "unauthorized", "after", "leaks", "faults"}.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { stripVTControlCharacters } from "node:util";
import { launch } from "./chromium.mjs";

/** The life of a token, in seconds. */
const LIFE = 3;
const RENEW = "/v1/session-tokens/renew";
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

/** The host's backend: the only place that has the API key. */
class Backend {
  issued = [];
  #jeton;

  constructor(jeton) {
    this.#jeton = jeton;
  }

  async issue() {
    const answer = await fetch(`${this.#jeton}/v1/session-tokens`, {
      method: "POST",
      headers: { authorization: `ApiKey ${process.env.JETON_API_KEY}`, "content-type": "application/json" },
      body: JSON.stringify({
        user: { id: "user-42", roles: ["viewer"], attributes: { tenant_id: "t-1" } },
        ttl_seconds: LIFE,
      }),
    });
    if (answer.status !== 201) throw new Error(`no first token: ${answer.status}`);
    const { token, expires_in, refresh_in } = await answer.json();
    this.issued.push(token);
    return { token, expires_in, refresh_in };
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

async function origins(jeton, backend) {
  const stranger = await serve((_, response) => html(response, STRANGER));
  const app = await serve((_, response) => {
    const page = fenced("html embedded").replaceAll("https://www.example.com", host.origin);
    html(response, `${page}${RECORD}`);
  });
  const host = await serve(async (request, response) => {
    if (request.method === "POST" && request.url === "/dashboard-token") {
      const own = /login=yes/.test(request.headers.cookie);
      return own ? json(response, 200, await backend.issue()) : json(response, 401, {});
    }
    if (request.url !== "/") return response.writeHead(204).end();
    const page = fenced("html page")
      .replaceAll("https://jeton.example.com", jeton)
      .replaceAll("https://app.example.com", app.origin);
    const policy =
      `default-src 'none'; img-src 'self'; script-src ${jeton} 'unsafe-inline'; connect-src 'self' ${jeton}; ` +
      `frame-src ${app.origin} ${stranger.origin}`;
    const headers = { "content-security-policy": policy, "set-cookie": "login=yes; HttpOnly; SameSite=Strict" };
    html(response, `<!doctype html>${page}${MORE(stranger.origin)}`, headers);
  });
  return { stranger, app, host };
}

/** What a page of an origin that nobody authorized gets, and whether the token is as good as before. */
async function unauthorized(context, jeton, origins, backend) {
  const { token } = await backend.issue();
  backend.issued.pop();
  const page = await context.newPage();
  await page.goto(`${origins.stranger.origin}/`);
  const tried = await page.evaluate(
    async ([url, authorization]) => {
      try {
        return (await fetch(url, { method: "POST", headers: { authorization } })).status;
      } catch (error) {
        return error.name;
      }
    },
    [jeton + RENEW, `Bearer ${token}`],
  );
  const headers = { authorization: `Bearer ${token}`, origin: origins.host.origin };
  const renewed = await fetch(jeton + RENEW, { method: "POST", headers });
  await page.close();
  return { tried, renewed: renewed.status };
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
  const backend = new Backend(jeton);
  const all = await origins(jeton, backend);
  const { stranger, app, host } = all;
  console.log(host.origin);
  const authorized = createInterface(process.stdin);
  await new Promise((resolve) => authorized.once("line", resolve));
  authorized.close();
  const browser = await launch();
  try {
    const context = await browser.newContext();
    context.setDefaultTimeout(240_000);
    const refused = await unauthorized(context, jeton, all, backend);
    const page = await context.newPage();
    const urls = [];
    const renewals = [];
    const faults = [];
    page.on("request", (request) => {
      urls.push(request.url());
      if (request.url().startsWith(jeton) && request.method() !== "GET") renewals.push(request);
    });
    page.on("console", (message) => {
      // The refusal that ends the session is one, as browsers see it.
      const end = /status of 403/.test(message.text());
      if (message.type() === "error" && !end) faults.push(`console: ${message.text()}`);
    });
    context.on("weberror", (error) => faults.push(`uncaught: ${error.error()}`));
    await page.goto(`${host.origin}/`);
    const embedded = page.frames().find((frame) => frame.url().startsWith(app.origin));
    const foreign = page.frames().find((frame) => frame.url().startsWith(stranger.origin));
    const got = (type, count) => {
      const counted = (wanted) => received.filter(({ type }) => type === wanted.type).length >= wanted.count;
      return embedded.waitForFunction(counted, { type, count });
    };
    await got("jeton:token", 3);
    const received = await embedded.evaluate(() => received);
    const tokens = received.map(({ token }) => token).filter(Boolean);
    const leaked = await leaks(page, context, urls, [...backend.issued, ...tokens]);
    await got("jeton:end", 1);
    // Whatever wakes a page must not wake it any more; a request of its own shows that those before it are through.
    const before = renewals.length + backend.issued.length;
    await page.evaluate(async () => {
      for (const type of ["focus", "online", "pageshow"]) dispatchEvent(new Event(type));
      document.dispatchEvent(new Event("visibilitychange"));
      await fetch("/nothing");
    });
    for (const request of renewals) {
      const { cookie } = await request.allHeaders();
      const plain = request.method() === "POST" && request.url() === jeton + RENEW;
      if (!plain || cookie || request.postData()) faults.push(`${request.method()} ${request.url()}`);
    }
    return {
      issued: backend.issued,
      iframe: await embedded.evaluate(() => received),
      held: await embedded.evaluate(() => token),
      component: await page.evaluate(() => received),
      stranger: await foreign.evaluate(() => received),
      unauthorized: refused,
      after: renewals.length + backend.issued.length - before,
      leaks: leaked,
      faults,
    };
  } finally {
    await browser.close();
    for (const { server } of [stranger, app, host]) server.close();
  }
}

const [jeton] = process.argv.slice(2);
if (!jeton || !process.env.JETON_TEST_CHROMIUM || !process.env.JETON_API_KEY) {
  console.error("usage: JETON_TEST_CHROMIUM=PATH JETON_API_KEY=KEY node embed.mjs JETON_URL");
  process.exit(2);
}
try {
  console.log(JSON.stringify(await main(new URL(jeton).origin)));
} catch (error) {
  console.error(`embed: ${stripVTControlCharacters(error.message)}`);
  process.exitCode = 1;
}
