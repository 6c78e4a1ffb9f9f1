// Issue a session token by hand in Swagger UI, as an engineer who explores the API would.
//
//   echo "$KEY" | node swagger.mjs BASE_URL SCREENSHOT_DIR
//
// Prints {"status", "token"} as Swagger UI shows them. Fails when the page asks for anything outside BASE_URL's origin,
// when a request fails, on an error in the console and on a violation of the content security policy.
// BASE_URL's host must be 127.0.0.1: the browser resolves no name.

import { join } from "node:path";
import { text } from "node:stream/consumers";
import { stripVTControlCharacters } from "node:util";
import { launch } from "./chromium.mjs";

const SCHEME = "ApiKeyHeader";
const OPERATION = "/v1/session-tokens";
const BODY = { user: { id: "user-42", roles: ["viewer"], attributes: { tenant_id: "t-1" } } };

/** Collects whatever the page does wrong, from its first request on. */
async function watch(context, origin) {
  const faults = [];
  const checkUrl = (url) => {
    const { protocol, host } = new URL(url);
    // data: carries its content in itself.
    if (protocol !== "data:" && host !== origin.host) faults.push(`request elsewhere: ${url}`);
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

/** Executes the operation and returns the status and the token that the page shows. */
async function issue(page) {
  // The attribute, because the text shown has break opportunities in it.
  const path = page.locator(`.opblock-summary-path[data-path="${OPERATION}"]`);
  const operation = page.locator(".opblock-post", { has: path });
  await operation.locator(".opblock-summary-control").click();
  await operation.getByRole("button", { name: "Try it out" }).click();
  await operation.locator("textarea.body-param__text").fill(JSON.stringify(BODY, null, 2));
  await operation.getByRole("button", { name: "Execute" }).click();

  const live = operation.locator(".live-responses-table .response");
  await live.locator(".response-col_status").waitFor();
  const status = Number.parseInt(await live.locator(".response-col_status").innerText(), 10);
  const shown = await live.locator(".response-col_description pre").first().innerText();
  const { token } = JSON.parse(shown);
  if (typeof token !== "string") throw new Error(`status ${status}, no token in what the page shows: ${shown}`);
  return { status, token };
}

async function main(baseUrl, screenshots) {
  const key = (await text(process.stdin)).trim();
  if (!key) throw new Error("no API key on stdin");
  const browser = await launch();
  try {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    context.setDefaultTimeout(20_000);
    const faults = await watch(context, new URL(baseUrl));
    const page = await context.newPage();
    try {
      await page.goto(new URL("/docs", baseUrl).href);
      await page.locator(".swagger-ui .opblock").first().waitFor();
      await page.screenshot({ path: join(screenshots, "swagger.png"), fullPage: true });
      await authorize(page, key);
      const issued = await issue(page);
      await page.screenshot({ path: join(screenshots, "swagger-executed.png"), fullPage: true });
      if (faults.length === 0) return issued;
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
