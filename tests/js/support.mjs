// The words that the tests of /embed/session.js speak.

import assert from "node:assert/strict";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { FakeBrowser, answer, settle } from "./fake_browser.mjs";

export { answer, settle };

/** The script as served, from standard input. */
const source = await text(process.stdin);

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
export const RENEW = "https://jeton.test/v1/session-tokens/renew";
export const BACKEND = "/my/jeton-token";

const unhandled = [];
process.on("unhandledRejection", (reason) => unhandled.push(reason));

/** A page with the script in it, and the two servers that the script talks to. */
export class Page {
  issued = 0;
  /** Stand in for the servers' answers: a function of the request, or a list of them for one request each. */
  renewals = [];
  fetches = [];
  errors = [];
  ends = [];
  life = { expires_in: 900, refresh_in: 675 };

  constructor({ address = "https://jeton.test/embed/session.js", ...options } = {}) {
    this.browser = new FakeBrowser(options);
    this.browser.network = (request) => this.#answer(request);
    this.jeton = this.browser.load(source, address);
  }

  /** Starts a session and lets it get its first token. */
  async start(options = {}) {
    this.session = this.jeton.session({ fetchToken: BACKEND, ...options });
    this.session.on("error", (error) => this.errors.push(error));
    this.session.on("end", (reason) => this.ends.push(reason));
    await settle();
    return this.session;
  }

  /** A server's answer with the next token. */
  next(status = 201) {
    return answer(status, { token: `token-${++this.issued}`, token_type: "Bearer", session_id: "s-1", ...this.life });
  }

  get renewed() {
    return this.browser.requests.filter(({ url }) => url === RENEW);
  }

  get fetched() {
    return this.browser.requests.filter(({ url }) => url === BACKEND);
  }

  /** Requests since the last call: `renew` or `fetch`. */
  taken = 0;
  newRequests() {
    const since = this.browser.requests.slice(this.taken);
    this.taken = this.browser.requests.length;
    return since.map(({ url }) => (url === RENEW ? "renew" : "fetch"));
  }

  #answer(request) {
    const planned = request.url === RENEW ? this.renewals : this.fetches;
    const special = typeof planned === "function" ? planned : planned.shift();
    return special ? special(request) : this.next(request.url === RENEW ? 201 : 200);
  }
}

export const problem = (status, code, headers) => () => answer(status, { status, code, title: "x" }, headers);
export const never = () => new Promise(() => {});
export const offline = () => {
  throw new TypeError("Failed to fetch");
};

/** A promise's state now: its value, its error, or "pending". */
export async function now(promise) {
  let state = "pending";
  promise.then(
    (value) => (state = value),
    (error) => (state = error),
  );
  await settle();
  return state;
}

/** A test with a page of its own, which must not leave a rejection unhandled, a timer, or a token in URLs and errors. */
export function check(name, run, options) {
  test(name, async () => {
    const page = new Page(options);
    await run(page, page.browser);
    page.session?.stop();
    await settle();
    assert.deepEqual(unhandled.splice(0), []);
    assert.equal(page.browser.pendingTimers, 0);
    for (const { url } of page.browser.requests) assert.doesNotMatch(url, /token-\d/);
    for (const error of page.errors) assert.doesNotMatch(JSON.stringify([error, String(error)]), /token-\d/);
  });
}
