// Use Swagger UI by hand, as an engineer who explores the API would: an operation of each tag; and look at the reference.
//
//   echo "$KEY" | node swagger.mjs BASE_URL SCREENSHOT_DIR
//   node swagger.mjs BASE_URL SCREENSHOT_DIR </dev/null    a server in development, whose key the page knows
//
// Prints {"token", "tags", "snippets"}: the token as Swagger UI shows it, the tag of each operation that was executed, and
// the source of the request for a token. Fails when the page asks for anything outside BASE_URL's origin, when a request
// fails, on an error in the console and on a violation of the content security policy.
// BASE_URL's host must be 127.0.0.1: the browser resolves no name.

import { join } from "node:path";
import { text } from "node:stream/consumers";
import { stripVTControlCharacters } from "node:util";
import { launch } from "./chromium.mjs";

const SCHEME = "ApiKeyHeader";
const BODY = { user: { id: "user-42", roles: ["viewer"], attributes: { tenant_id: "t-1" } } };

/** Collects whatever the page does wrong, from its first request on. */
async function watch(context, origin) {
  const faults = [];
  const checkUrl = (url) => {
    const { protocol, host } = new URL(url);
    // data: carries its content in itself, and blob: what the page has made.
    if (!["data:", "blob:"].includes(protocol) && host !== origin.host) faults.push(`request elsewhere: ${url}`);
  };
  context.on("request", (request) => checkUrl(request.url()));
  context.on("requestfailed", (request) => faults.push(`failed: ${request.url()}: ${request.failure()?.errorText}`));
  context.on("response", (response) => {
    if (response.status() >= 400) faults.push(`answered ${response.status()}: ${response.url()}`);
  });
  context.on("console", (message) => {
    if (message.type() === "error") faults.push(`console: ${message.text()}`);
  });
  context.on("weberror", (webError) => faults.push(`uncaught: ${webError.error()}`));
  context.on("page", (page) => page.on("websocket", (socket) => checkUrl(socket.url())));
  await context.exposeFunction("reportViolation", (what) => faults.push(`content security policy: ${what}`));
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      window.reportViolation(`${event.effectiveDirective} refused ${event.blockedURI || "inline"}`);
    });
  });
  return faults;
}

async function authorize(page, key) {
  await page.locator(".auth-wrapper .btn.authorize").first().click();
  const dialog = page.locator(".dialog-ux .modal-ux");
  const name = page.locator("h4 code", { hasText: new RegExp(`^${SCHEME}$`) });
  const form = dialog.locator("form", { has: name });
  const scheme = form.locator("div:has(> h4)", { has: name });
  await scheme.locator("input").fill(key);
  await form.locator("button.authorize[type=submit]").click();
  await scheme.getByText("Authorized", { exact: true }).waitFor();
  await form.locator("button.btn-done").click();
  await dialog.waitFor({ state: "detached" });
}

/** Opens an operation and returns what the page shows of it. */
async function open(page, method, path) {
  // The attribute, because the text shown has break opportunities in it.
  const summary = page.locator(`.opblock-summary-path[data-path="${path}"]`);
  const operation = page.locator(`.opblock-${method}`, { has: summary });
  await operation.locator(".opblock-summary-control").click();
  await operation.getByRole("button", { name: "Try it out" }).click();
  return operation;
}

/** Executes an operation that is open, and returns the status and the text that the page shows. */
async function execute(operation) {
  await operation.getByRole("button", { name: "Execute" }).click();
  const live = operation.locator(".live-responses-table .response");
  await live.locator(".response-col_status").waitFor();
  const status = Number.parseInt(await live.locator(".response-col_status").innerText(), 10);
  const shown = live.locator(".response-col_description pre");
  return { status, text: (await shown.count()) > 0 ? await shown.first().innerText() : "" };
}

/** The source of the request in each language that the page offers. */
async function snippetsOf(operation) {
  const box = operation.locator(".request-snippets");
  const sources = {};
  for (const language of ["curl", "Node.js", "Python"]) {
    await box.getByText(language, { exact: true }).click();
    sources[language] = await box.locator("pre").first().innerText();
  }
  return sources;
}

/** Executes an operation as it is offered, with these parameters or fields of its form; `expected` is its status. */
async function tryOut(page, { method, path, fields = {}, expected = 200 }) {
  const operation = await open(page, method, path);
  for (const [name, value] of Object.entries(fields)) {
    await operation.locator(`tr[data-param-name="${name}"] input, tr[data-property-name="${name}"] input`).first().fill(value);
  }
  const { status, text: shown } = await execute(operation);
  if (status !== expected) throw new Error(`${method} ${path}: ${status} in place of ${expected}: ${shown}`);
  return shown;
}

/** One operation of each tag but the first; the bodies are the examples that the page offers. */
const TOUR = [
  { tag: "Sessions", method: "get", path: "/v1/sessions" },
  { tag: "OAuth", method: "post", path: "/oauth2/introspect", fields: { token: "TOKEN" } },
  { tag: "API keys", method: "post", path: "/v1/api-keys", expected: 201 },
  { tag: "Policy", method: "get", path: "/v1/roles" },
  { tag: "Audiences", method: "post", path: "/v1/audiences", expected: 201 },
  { tag: "Users", method: "post", path: "/v1/users", expected: 201 },
  { tag: "Service accounts", method: "post", path: "/v1/service-accounts", expected: 201 },
  { tag: "Organization", method: "patch", path: "/v1/organization" },
  { tag: "Audit", method: "get", path: "/v1/audit-events" },
  { tag: "Account", method: "get", path: "/v1/account" },
  { tag: "Verifiers", method: "get", path: "/orgs/{slug}/.well-known/jwks.json", fields: { slug: "acme" } },
  { tag: "Operation", method: "get", path: "/healthz" },
];

async function issue(page) {
  const operation = await open(page, "post", "/v1/session-tokens");
  await operation.locator("textarea.body-param__text").fill(JSON.stringify(BODY, null, 2));
  const { status, text: shown } = await execute(operation);
  const { token } = JSON.parse(shown);
  if (typeof token !== "string") throw new Error(`status ${status}, no token in what the page shows: ${shown}`);
  return { token, snippets: await snippetsOf(operation) };
}

async function explore(page, baseUrl, screenshots, key) {
  await page.goto(new URL("/docs", baseUrl).href);
  await page.locator(".swagger-ui .opblock").first().waitFor();
  await page.screenshot({ path: join(screenshots, "swagger.png"), fullPage: true });
  if (key) await authorize(page, key);
  const { token, snippets } = await issue(page);
  await page.screenshot({ path: join(screenshots, "swagger-executed.png"), fullPage: true });
  // In development there is nothing to prove but that the page had the key.
  if (!key) return { token, snippets, tags: [] };
  const tags = ["Session tokens"];
  for (const step of TOUR) {
    const given = Object.entries(step.fields ?? {}).map(([name, value]) => [name, value === "TOKEN" ? token : value]);
    await tryOut(page, { ...step, fields: Object.fromEntries(given) });
    tags.push(step.tag);
  }
  return { token, snippets, tags };
}

/** The reference shows every operation's summary. */
async function read(page, baseUrl, screenshots) {
  await page.goto(new URL("/docs/reference", baseUrl).href);
  await page.locator('[id="tag/Session-tokens/operation/issueSessionToken"] h2').waitFor({ timeout: 60_000 });
  await page.screenshot({ path: join(screenshots, "reference.png") });
  const { paths } = await (await fetch(new URL("/openapi.json", baseUrl))).json();
  const summaries = Object.values(paths).flatMap((item) => Object.values(item).map((it) => it.summary));
  const headings = await page.locator("h2").allInnerTexts();
  const missing = summaries.filter((summary) => !headings.some((heading) => heading.trim() === summary));
  if (missing.length > 0) throw new Error(`not in the reference: ${missing}`);
  await page.getByPlaceholder("Search...").fill("revoke");
  await page.locator('[data-role="search:results"] li').first().waitFor();
}

async function main(baseUrl, screenshots) {
  const key = (await text(process.stdin)).trim();
  const browser = await launch();
  try {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    context.setDefaultTimeout(20_000);
    const faults = await watch(context, new URL(baseUrl));
    const page = await context.newPage();
    try {
      const seen = await explore(page, baseUrl, screenshots, key);
      await read(page, baseUrl, screenshots);
      if (faults.length === 0) return seen;
    } catch (error) {
      // What went wrong in the page usually explains why a step of ours never came to its end.
      faults.push(String(error));
    }
    throw new Error(faults.join("\n"));
  } finally {
    await browser.close();
  }
}

const [baseUrl, screenshots] = process.argv.slice(2);
if (!screenshots || !process.env.JETON_TEST_CHROMIUM) {
  console.error("usage: JETON_TEST_CHROMIUM=PATH node swagger.mjs BASE_URL SCREENSHOT_DIR <API_KEY_FILE");
  process.exit(2);
}
try {
  console.log(JSON.stringify(await main(baseUrl, screenshots)));
} catch (error) {
  console.error(`swagger: ${stripVTControlCharacters(error.message)}`);
  process.exitCode = 1;
}
