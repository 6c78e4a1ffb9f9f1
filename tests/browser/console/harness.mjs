// The console as people see it: a real browser, behind a TLS proxy as in production, at https://tokens.test.
//
// A flow is a module that calls `run(async (console) => { … })`. It is given a task on standard input, {url, email,
// password, pictures, …}, and prints {faults, result}: whatever a page did wrong, and what the flow returned. Each picture
// is taken in both themes and two widths, and axe-core looks at each page in both themes.

import { mkdir, readFile } from "node:fs/promises";
import { request } from "node:http";
import { createServer } from "node:https";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { chromium } from "playwright-core";

export const ORIGIN = "https://tokens.test";
const THEMES = ["light", "dark"];
const WIDTHS = { wide: 1280, narrow: 360 };
const AXE = await readFile(new URL("../../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const here = (name) => readFile(new URL(`tls/${name}`, import.meta.url));

/** Ends TLS and hands on every request, as a proxy in front of the server does. Other hosts answer with pages of their own. */
async function proxy(url, others = {}) {
  const target = new URL(url);
  const server = createServer({ key: await here("key.pem"), cert: await here("cert.pem") }, (incoming, outgoing) => {
    const other = others[incoming.headers.host];
    if (other) return other(incoming, outgoing);
    const { method, url: path, headers } = incoming;
    const onward = request({ host: target.hostname, port: target.port, method, path, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode, answer.rawHeaders);
      answer.pipe(outgoing);
    });
    onward.on("error", () => outgoing.destroy());
    incoming.pipe(onward);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, port: server.address().port };
}

function launch(port) {
  const root = process.getuid() === 0;
  return chromium.launch({
    executablePath: process.env.JETON_TEST_CHROMIUM,
    // Chromium refuses to run its sandbox as root.
    chromiumSandbox: !root,
    args: [
      ...(root ? ["--no-sandbox"] : []),
      "--disable-gpu",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--no-first-run",
      "--disable-quic",
      // The three names of the certificate lead to the proxy; there is nothing else.
      `--host-resolver-rules=MAP *.test 127.0.0.1:${port} , MAP * ~NOTFOUND , EXCLUDE 127.0.0.1`,
    ],
  });
}

export class Console {
  #browser;
  #task;
  faults = [];

  constructor(browser, task) {
    this.#browser = browser;
    this.#task = task;
  }

  get task() {
    return this.#task;
  }

  fault(what) {
    this.faults.push(what);
  }

  /**
   * A browser window of its own, with its own cookies. `expects` lists statuses above 399 that the flow wants to see; an
   * `unwatched` window is one in which somebody attacks, where faults are what should happen.
   */
  async window({ javascript = true, expects = [], agent, unwatched = false } = {}) {
    const context = await this.#browser.newContext({
      baseURL: ORIGIN,
      ignoreHTTPSErrors: true,
      javaScriptEnabled: javascript,
      viewport: { width: WIDTHS.wide, height: 900 },
      permissions: ["clipboard-read", "clipboard-write"],
      ...(agent && { userAgent: agent }),
    });
    context.setDefaultTimeout(30_000);
    if (!unwatched) await this.#watch(context, expects, javascript);
    return context.newPage();
  }

  async #watch(context, expects, javascript) {
    context.on("response", (response) => {
      if (response.status() >= 400 && !expects.includes(response.status())) {
        this.fault(`answered ${response.status()}: ${response.url()}`);
      }
    });
    context.on("console", (message) => {
      const expected = expects.some((status) => message.text().includes(`status of ${status}`));
      if (message.type() === "error" && !expected) this.fault(`console: ${message.text()}`);
    });
    context.on("weberror", (error) => this.fault(`uncaught: ${error.error()}`));
    if (!javascript) return;
    await context.exposeFunction("reportViolation", (what) => this.fault(`content security policy: ${what}`));
    await context.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", (event) => {
        window.reportViolation(`${event.effectiveDirective} refused ${event.blockedURI || "inline"} on ${location.pathname}`);
      });
    });
  }

  /** Signs in through the form. */
  async signIn(page, { email = this.#task.email, password = this.#task.password, next } = {}) {
    await page.goto(next ? `/console/sign-in?next=${encodeURIComponent(next)}` : "/console/sign-in");
    await page.getByLabel("E-mail address").fill(email);
    await page.getByLabel("Password").fill(password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForURL((url) => !url.pathname.startsWith("/console/sign-in"));
  }

  /** Pictures of the page as it is, in both themes and two widths; axe looks at it in both themes; its size is counted. */
  async picture(page, name) {
    await mkdir(this.#task.pictures, { recursive: true });
    for (const theme of THEMES) {
      await page.emulateMedia({ colorScheme: theme });
      for (const [width, pixels] of Object.entries(WIDTHS)) {
        await page.setViewportSize({ width: pixels, height: 900 });
        const path = join(this.#task.pictures, `${name}-${theme}-${width}.png`);
        await page.screenshot({ path, fullPage: true });
        const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        if (wider > 0) this.fault(`${name}: ${wider} pixels wider than ${pixels}`);
      }
      await this.#axe(page, `${name} (${theme})`);
    }
    await page.emulateMedia({ colorScheme: "light" });
    await page.setViewportSize({ width: WIDTHS.wide, height: 900 });
    const bytes = (await page.content()).length;
    if (bytes > 100_000) this.fault(`${name}: ${bytes} bytes`);
  }

  async #axe(page, where) {
    // Beside the page's own scripts, so that no content security policy is in the way.
    await page.evaluate(AXE);
    const { violations } = await page.evaluate(() =>
      globalThis.axe.run(document, {
        runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
      }),
    );
    for (const { id, nodes } of violations) {
      for (const { target, failureSummary } of nodes) this.fault(`axe: ${where}: ${id} at ${target}: ${failureSummary}`);
    }
  }
}

/** Runs a flow. `hosts` are further origins, such as https://evil.test, each with a request handler. */
export async function run(flow, hosts = {}) {
  const task = JSON.parse(await text(process.stdin));
  const { server, port } = await proxy(task.url, hosts);
  const browser = await launch(port);
  const console_ = new Console(browser, task);
  let result = null;
  try {
    result = (await flow(console_)) ?? null;
  } catch (error) {
    console_.fault(`the flow stopped: ${error.stack}`);
    for (const context of browser.contexts()) {
      for (const [index, page] of context.pages().entries()) {
        const path = join(task.pictures, `stopped-${index}.png`);
        await page.screenshot({ path }).catch(() => {});
      }
    }
  } finally {
    await browser.close();
    server.closeAllConnections();
    server.close();
  }
  process.stdout.write(JSON.stringify({ faults: console_.faults, result }));
}
