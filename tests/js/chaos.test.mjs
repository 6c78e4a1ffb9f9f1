// /embed/session.js over days in which everything fails now and then: `node chaos.test.mjs <SCRIPT`.

import assert from "node:assert/strict";
import { HOUR, MINUTE, RENEW, SECOND, answer, check, never, now } from "./support.mjs";

/** Numbers from 0 to 1 that are the same in every run (mulberry32). */
function numbers(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), seed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A server that keeps the contract: a token is renewed once, while it lives. */
class Server {
  #tokens = new Map();

  constructor(browser, life) {
    this.browser = browser;
    this.life = life;
  }

  issue(status) {
    const token = `token-${this.#tokens.size + 1}`;
    this.#tokens.set(token, { end: this.browser.now + this.life * SECOND, renewed: false });
    return answer(status, { token, expires_in: this.life, refresh_in: this.life * 0.75 });
  }

  renew({ init }) {
    const token = this.#tokens.get(init.headers.authorization.replace("Bearer ", ""));
    if (!token || token.end <= this.browser.now) return answer(401, { status: 401, code: "token_not_active" });
    if (token.renewed) return answer(409, { status: 409, code: "already_renewed" });
    token.renewed = true;
    return this.issue(201);
  }

  isAlive(token) {
    return this.#tokens.get(token)?.end > this.browser.now;
  }
}

/** What a bad network makes of an exchange. */
function disturbed(random, exchange) {
  const kind = random();
  if (kind < 0.1) throw new TypeError("Failed to fetch");
  if (kind < 0.15) return never();
  const done = exchange();
  // The server did it, and its answer is lost.
  if (kind < 0.25) throw new TypeError("Failed to fetch");
  if (kind < 0.35) return answer(503, { status: 503, code: "unavailable" }, { "retry-after": "7" });
  if (kind < 0.4) return answer(502);
  return done;
}

for (let seed = 1; seed <= 12; seed++) {
  check(`a bad day (${seed})`, async (page, browser) => {
    const random = numbers(seed);
    browser.random = random;
    const server = new Server(browser, [60, 900][seed % 2]);
    let bad = true;
    browser.network = (request) => {
      const exchange = () => (request.url === RENEW ? server.renew(request) : server.issue(200));
      return bad ? disturbed(random, exchange) : exchange();
    };
    const session = await page.start();
    let handed = 0;
    const look = async () => {
      const token = await now(session.token());
      if (token === "pending") return;
      assert.ok(server.isAlive(token), `${token} at ${browser.now}`);
      handed += 1;
    };
    const begun = browser.now;
    for (let step = 0; step < 150; step++) {
      const what = random();
      if (what < 0.08) browser.sleep(random() * 3 * HOUR, { monotonicStops: random() < 0.5 });
      else if (what < 0.12) browser.setClock(random() * 24 * HOUR);
      else if (what < 0.3) await browser.fire(["visibilitychange", "online", "focus", "pageshow"][step % 4]);
      else await browser.advance(random() * 2 * server.life * SECOND);
      await look();
    }
    const hours = (browser.now - begun) / HOUR;
    // Backing off, sleeping and renewing alike: never more than four requests a minute, over all of it.
    assert.ok(browser.requests.length < hours * 240, `${browser.requests.length} in ${hours} h`);
    assert.ok(handed > 75, String(handed));
    bad = false;
    await browser.advance(MINUTE);
    assert.match(await now(session.token()), /^token-/);
    await look();
  });
}
