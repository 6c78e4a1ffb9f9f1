// What /embed/session.js does, with fake clocks and a fake network: `node session.test.mjs <SCRIPT`.

import assert from "node:assert/strict";
import { BACKEND, DAY, HOUR, MINUTE, RENEW, SECOND } from "./support.mjs";
import { answer, check, never, now, offline, problem, settle } from "./support.mjs";

check("the first token comes from the page's own backend, once for all who ask", async (page) => {
  const session = page.jeton.session({ fetchToken: BACKEND });
  const tokens = await Promise.all([session.token(), session.token(), session.token()]);
  assert.deepEqual(tokens, ["token-1", "token-1", "token-1"]);
  assert.equal(await session.token(), "token-1");
  const [{ url, init }, ...others] = page.browser.requests;
  assert.deepEqual([url, init.method, init.credentials], [BACKEND, "POST", "same-origin"]);
  assert.equal(init.headers, undefined);
  assert.equal(init.body, undefined);
  assert.deepEqual(others, []);
  session.stop();
});

check("another method, if the page wants it", async (page) => {
  await page.start({ method: "GET" });
  assert.equal(page.browser.requests[0].init.method, "GET");
});

check("the first token comes from a function", async (page) => {
  const session = await page.start({ fetchToken: async () => ({ token: "mine", expires_in: 100 }) });
  assert.equal(await session.token(), "mine");
  assert.equal(page.browser.requests.length, 0);
});

check("a renewal presents the token, and nothing else", async (page, browser) => {
  const session = await page.start();
  await browser.advance(675 * SECOND);
  assert.equal(await session.token(), "token-2");
  const [{ init }, ...others] = page.renewed;
  assert.deepEqual(others, []);
  assert.equal(init.method, "POST");
  assert.equal(init.credentials, "omit");
  assert.equal(init.redirect, "error");
  assert.equal(init.body, undefined);
  assert.deepEqual({ ...init.headers }, { authorization: "Bearer token-1" });
  await browser.advance(675 * SECOND);
  assert.equal(page.renewed[1].init.headers.authorization, "Bearer token-2");
  assert.equal(page.fetched.length, 1);
});

for (const [life, due] of [
  [{ expires_in: 900, refresh_in: 600 }, 600],
  [{ expires_in: 900 }, 675],
  [{ expires_in: 900, refresh_in: 5000 }, 810],
  [{ expires_in: 2 }, 1.5],
  [{ expires_in: 30 * 24 * 3600 }, 22.5 * 24 * 3600],
]) {
  for (const random of [0, 0.37, 0.999999]) {
    check(`${JSON.stringify(life)} is renewed within a tenth before ${due} s (${random})`, async (page, browser) => {
      browser.random = () => random;
      page.life = life;
      await page.start();
      await browser.advance(due * SECOND * (1 - random / 10) - 2);
      assert.equal(page.renewed.length, 0);
      await browser.advance(4);
      assert.equal(page.renewed.length, 1);
    });
  }
}

check("a life too short to renew makes few requests", async (page, browser) => {
  page.life = { expires_in: 0.1, refresh_in: 0.001 };
  await page.start();
  await browser.advance(MINUTE);
  assert.ok(browser.requests.length <= 121, String(browser.requests.length));
});

check("the renewal is next to where the script came from", async (page, browser) => {
  await page.start();
  await browser.advance(675 * SECOND);
  assert.equal(browser.requests[1].url, "https://jeton.test/below/v1/session-tokens/renew");
}, { address: "https://jeton.test/below/embed/session.js?v=1" });

check("the page may say where the renewal is", async (page, browser) => {
  assert.throws(() => page.jeton.session({ fetchToken: BACKEND }), /renewUrl/);
  await page.start({ renewUrl: RENEW });
  await browser.advance(675 * SECOND);
  assert.equal(page.renewed.length, 1);
}, { address: null });

check("a session needs to know where tokens come from", async (page) => {
  assert.throws(() => page.jeton.session({}), /fetchToken/);
});

check("there is one global", async (page, browser) => {
  await page.start();
  const added = Object.keys(browser.context).filter((name) => !browser.given.includes(name));
  assert.deepEqual(added, []);
  const own = Object.keys(browser.window).filter((name) => name !== "listeners");
  assert.deepEqual(own, ["jeton"]);
});

check("failures are followed by longer and longer waits, up to half a minute", async (page, browser) => {
  page.fetches = offline;
  for (const random of [0, 0.999999]) {
    browser.random = () => random;
    await page.start();
    const begun = browser.requests.length;
    await browser.advance(5 * MINUTE);
    const times = browser.requests.slice(begun - 1).map(({ at }) => at);
    const waits = times.slice(1).map((at, index) => at - times[index]);
    const expected = [1, 2, 4, 8, 16, 30, 30, 30].map((base) => base * SECOND * (0.5 + random / 2));
    expected.forEach((wait, index) => assert.ok(Math.abs(waits[index] - wait) < 3, `${index}: ${waits[index]}`));
    assert.ok(page.errors.length >= expected.length);
    page.session.stop();
  }
});

check("a token that is asked for while nothing works comes when something works", async (page, browser) => {
  page.fetches = [offline, problem(500, "internal"), () => answer(200), () => answer(200, { token: 7, expires_in: 9 })];
  page.fetches.push(() => answer(200, { token: "x" }), () => answer(200, { token: "", expires_in: -1 }));
  const session = await page.start();
  const token = session.token();
  assert.equal(session.token(), token);
  assert.equal(await now(token), "pending");
  await browser.advance(2 * MINUTE);
  assert.equal(await now(token), "token-1");
  assert.equal(page.errors.length, 6);
  assert.equal(page.errors[1].status, 500);
  assert.equal(page.errors[1].code, "internal");
});

check("asking for tokens does not hasten a retry", async (page, browser) => {
  page.fetches = offline;
  const session = await page.start();
  await browser.advance(10 * SECOND);
  const made = browser.requests.length;
  for (let n = 0; n < 100; n++) session.token();
  await settle();
  assert.equal(browser.requests.length, made);
});

for (const status of [429, 503]) {
  check(`Retry-After of a ${status} is kept, whatever wakes the page`, async (page, browser) => {
    page.life = { expires_in: 900, refresh_in: 100 };
    const session = await page.start();
    page.renewals = [problem(status, "rate_limited", { "retry-after": "120" })];
    await browser.advance(100 * SECOND);
    const refused = page.renewed[0].at;
    for (const event of ["visibilitychange", "focus", "online", "pageshow"]) await browser.fire(event);
    assert.equal(page.renewed.length, 1);
    await browser.advance(refused + 120 * SECOND - browser.now - 1);
    assert.equal(page.renewed.length, 1);
    await browser.advance(SECOND + 1);
    assert.equal(page.renewed.length, 2);
    assert.equal(await session.token(), "token-2");
    assert.equal(page.fetched.length, 1);
  });
}

check("Retry-After of the page's backend is kept", async (page, browser) => {
  page.fetches = [problem(503, "unavailable", { "retry-after": "60" })];
  await page.start();
  await browser.advance(60 * SECOND);
  assert.equal(page.fetched.length, 1);
  await browser.advance(SECOND);
  assert.equal(page.fetched.length, 2);
});

check("a Retry-After that is no number of seconds is not waited for", async (page, browser) => {
  const date = "Fri, 31 Dec 2199 23:59:59 GMT";
  page.fetches = [date, "-5", "soon"].map((after) => problem(503, "unavailable", { "retry-after": after }));
  await page.start();
  await browser.advance(10 * SECOND);
  assert.equal(page.fetched.length, 4);
});

for (const monotonicStops of [true, false]) {
  const how = monotonicStops ? "stands still" : "goes on";
  for (const event of ["visibilitychange", "focus", "online", "pageshow"]) {
    check(`after hours of sleep, ${event} brings a fresh token (performance.now ${how})`, async (page, browser) => {
      const session = await page.start();
      browser.sleep(5 * HOUR, { monotonicStops });
      await browser.fire(event);
      assert.deepEqual(page.newRequests(), ["fetch", "fetch"]);
      assert.equal(await session.token(), "token-2");
    });
  }

  check(`sleep that no event ends is noticed in half a minute (performance.now ${how})`, async (page, browser) => {
    await page.start();
    browser.sleep(5 * HOUR, { monotonicStops });
    await browser.advance(30 * SECOND);
    assert.deepEqual(page.newRequests(), ["fetch", "fetch"]);
  });

  check(`nobody gets a token that died in sleep (performance.now ${how})`, async (page, browser) => {
    const session = await page.start();
    browser.sleep(901 * SECOND, { monotonicStops });
    assert.equal(await session.token(), "token-2");
    const seen = [];
    session.subscribe((token) => seen.push(token));
    assert.deepEqual(seen, ["token-2"]);
  });

  check(`a token that outlived a nap is renewed (performance.now ${how})`, async (page, browser) => {
    const session = await page.start();
    browser.sleep(800 * SECOND, { monotonicStops });
    await browser.fire("visibilitychange");
    assert.deepEqual(page.newRequests(), ["fetch", "renew"]);
    assert.equal(await session.token(), "token-2");
  });

  check(`a machine that slept in the middle of a request (performance.now ${how})`, async (page, browser) => {
    let arrives;
    page.fetches = [() => new Promise((resolve) => (arrives = () => resolve(page.next())))];
    const session = await page.start();
    browser.sleep(HOUR, { monotonicStops });
    arrives();
    assert.equal(await now(session.token()), "pending");
    await browser.advance(SECOND);
    assert.equal(await session.token(), "token-2");
  });
}

check("waking early does nothing", async (page, browser) => {
  await page.start();
  await browser.advance(500 * SECOND);
  for (const event of ["visibilitychange", "focus", "online", "pageshow"]) await browser.fire(event);
  assert.deepEqual(page.newRequests(), ["fetch"]);
});

check("a clock set back a day changes nothing", async (page, browser) => {
  const session = await page.start();
  await browser.advance(100 * SECOND);
  browser.setClock(-DAY);
  await browser.advance(541 * SECOND);
  assert.deepEqual(page.newRequests(), ["fetch"]);
  await browser.advance(1 * SECOND);
  assert.deepEqual(page.newRequests(), ["renew"]);
  await browser.advance(HOUR);
  assert.ok(page.newRequests().every((it) => it === "renew"));
  assert.match(await session.token(), /^token-/);
});

check("a clock set forward a day costs one request and nothing else", async (page, browser) => {
  const session = await page.start();
  await browser.advance(100 * SECOND);
  browser.setClock(DAY);
  await browser.fire("focus");
  assert.equal(await session.token(), "token-2");
  assert.deepEqual(page.newRequests(), ["fetch", "fetch"]);
  await browser.advance(641 * SECOND);
  assert.deepEqual(page.newRequests(), []);
  await browser.advance(1 * SECOND);
  assert.deepEqual(page.newRequests(), ["renew"]);
});

check("a clock that is wrong from the beginning changes nothing", async (page, browser) => {
  browser.setClock(-50 * 365 * DAY);
  await page.start();
  await browser.advance(642 * SECOND);
  assert.deepEqual(page.newRequests(), ["fetch", "renew"]);
});

check("one failed renewal goes unnoticed", async (page, browser) => {
  const session = await page.start();
  page.renewals = [offline];
  for (let second = 0; second < 1000; second++) {
    await browser.advance(SECOND);
    assert.match(await now(session.token()), /^token-/);
  }
  assert.deepEqual(page.newRequests(), ["fetch", "renew", "renew"]);
  assert.equal(page.errors.length, 1);
});

check("the network's return ends the wait", async (page, browser) => {
  const session = await page.start();
  page.renewals = offline;
  page.fetches = offline;
  await browser.advance(HOUR);
  page.renewals = page.fetches = [];
  const made = browser.requests.length;
  await browser.fire("online");
  assert.equal(browser.requests.length, made + 1);
  assert.match(await now(session.token()), /^token-/);
});

check("of four renewals in a row that fail, the fourth is left to the page's backend", async (page, browser) => {
  await page.start();
  page.renewals = offline;
  await browser.advance(655 * SECOND);
  assert.deepEqual(page.newRequests(), ["fetch", "renew", "renew", "renew", "fetch"]);
  assert.equal(await page.session.token(), "token-2");
});

for (const [status, code] of [
  [401, "token_not_active"],
  [409, "already_renewed"],
  [422, "role_not_allowed"],
  [403, "origin_not_authorized"],
  [404, undefined],
]) {
  check(`a renewal refused with ${status} is followed by a fetch`, async (page, browser) => {
    const session = await page.start();
    page.renewals = [problem(status, code)];
    await browser.advance(675 * SECOND);
    assert.deepEqual(page.newRequests(), ["fetch", "renew", "fetch"]);
    assert.equal(await session.token(), "token-2");
    assert.equal(page.errors.length, 1);
    assert.deepEqual([page.errors[0].status, page.errors[0].code], [status, code]);
    await browser.advance(675 * SECOND);
    assert.deepEqual(page.newRequests(), ["renew"]);
  });

  check(`a token whose renewal is refused with ${status} is not presented again`, async (page, browser) => {
    const session = await page.start();
    page.renewals = [problem(status, code)];
    page.fetches = offline;
    await browser.advance(700 * SECOND);
    const requests = page.newRequests();
    assert.equal(requests.filter((it) => it === "renew").length, 1);
    assert.ok(requests.length > 4);
    // A dead token is handed to nobody; others are good until their end.
    assert.equal(await now(session.token()), status === 401 ? "pending" : "token-1");
  });
}

check("an ended session ends it all", async (page, browser) => {
  const session = await page.start();
  const pending = [];
  page.renewals = [problem(403, "session_ended")];
  session.subscribe((token) => pending.push(token));
  await browser.advance(675 * SECOND);
  assert.deepEqual(page.ends, ["session_ended"]);
  assert.equal(browser.pendingTimers, 0);
  assert.equal(browser.listenerCount, 0);
  await assert.rejects(session.token(), /session_ended/);
  for (const event of ["visibilitychange", "focus", "online", "pageshow"]) await browser.fire(event);
  await browser.advance(DAY);
  assert.deepEqual(page.newRequests(), ["fetch", "renew"]);
  assert.deepEqual(pending, ["token-1"]);
});

for (const status of [401, 403]) {
  check(`a backend that answers ${status} ends it all`, async (page, browser) => {
    page.fetches = [problem(status, "login_required")];
    const session = await page.start();
    assert.deepEqual(page.ends, ["refused"]);
    await assert.rejects(session.token(), /refused/);
    await browser.advance(DAY);
    assert.deepEqual(page.newRequests(), ["fetch"]);
  });
}

check("a function that gives null ends it all, and who waits is told", async (page) => {
  const session = page.jeton.session({ fetchToken: async () => null });
  await assert.rejects(session.token(), /refused/);
});

check("a function that fails is asked again", async (page, browser) => {
  const results = [
    () => { throw new Error("at once"); },
    () => Promise.reject(new Error("later")),
    () => Promise.reject(),
    () => Promise.reject(Object.assign(new Error("odd"), { retryAfter: "soon" })),
    () => undefined,
    () => ({ token: "mine", expires_in: 100 }),
  ];
  const session = await page.start({ fetchToken: () => results.shift()() });
  await browser.advance(MINUTE);
  assert.equal(await session.token(), "mine");
  assert.equal(page.errors.length, 5);
});

check("a request without an answer is given up, and its late answer is nobody's", async (page, browser) => {
  let arrives;
  const late = new Promise((resolve) => (arrives = resolve));
  const results = [late, never()];
  const session = await page.start({ fetchToken: () => results.shift() ?? { token: "good", expires_in: 900 } });
  await browser.advance(29 * SECOND);
  assert.equal(page.errors.length, 0);
  await browser.advance(2 * SECOND);
  assert.equal(page.errors.length, 1);
  arrives({ token: "late", expires_in: 900 });
  assert.equal(await now(session.token()), "pending");
  await browser.advance(MINUTE);
  assert.equal(await session.token(), "good");
});

check("a request without an answer is aborted", async (page, browser) => {
  page.fetches = [never];
  await page.start();
  await browser.advance(29 * SECOND);
  assert.equal(browser.requests[0].init.signal.aborted, false);
  await browser.advance(2 * SECOND);
  assert.equal(browser.requests[0].init.signal.aborted, true);
  assert.equal(await page.session.token(), "token-1");
});

check("stop cancels timers, requests and listeners", async (page, browser) => {
  page.renewals = [never];
  const session = await page.start();
  await browser.advance(645 * SECOND);
  session.stop();
  assert.equal(page.renewed[0].init.signal.aborted, true);
  assert.equal(browser.pendingTimers, 0);
  assert.equal(browser.listenerCount, 0);
  await settle();
  assert.deepEqual(page.ends, ["stopped"]);
  await assert.rejects(session.token(), /stopped/);
  session.stop();
  await browser.advance(DAY);
  assert.deepEqual(page.newRequests(), ["fetch", "renew"]);
  assert.deepEqual([page.ends, page.errors], [["stopped"], []]);
});

check("stop in the middle of a first request: its answer is nobody's", async (page, browser) => {
  let arrives;
  const session = await page.start({ fetchToken: () => new Promise((resolve) => (arrives = resolve)) });
  const seen = [];
  session.subscribe((token) => seen.push(token));
  const token = session.token();
  session.stop();
  arrives({ token: "late", expires_in: 900 });
  await assert.rejects(token, /stopped/);
  await browser.advance(HOUR);
  assert.deepEqual(seen, []);
});

check("stop from within each callback", async (page, browser) => {
  const session = await page.start();
  session.subscribe((token) => token === "token-2" && session.stop());
  await browser.advance(DAY);
  assert.deepEqual(page.newRequests(), ["fetch", "renew"]);

  page.renewals = [problem(409, "already_renewed")];
  const other = await page.start();
  other.on("error", () => other.stop());
  await browser.advance(DAY);
  assert.deepEqual(page.newRequests(), ["fetch", "renew"]);
});

check("a 408 is no refusal", async (page, browser) => {
  await page.start();
  page.renewals = [problem(408, "body_timeout")];
  await browser.advance(675 * SECOND);
  assert.deepEqual(page.newRequests(), ["fetch", "renew", "renew"]);
});

check("a life counts from before the request", async (page, browser) => {
  let arrives;
  page.fetches = [() => new Promise((resolve) => (arrives = () => resolve(page.next())))];
  await page.start();
  await browser.advance(20 * SECOND);
  arrives();
  await browser.advance(622 * SECOND);
  assert.deepEqual(page.newRequests(), ["fetch", "renew"]);
});

check("a token that arrives dead does not take the place of one that lives", async (page, browser) => {
  let arrives;
  page.renewals = [() => new Promise((resolve) => (arrives = resolve))];
  const session = await page.start();
  await browser.advance(645 * SECOND);
  await browser.advance(5 * SECOND);
  arrives(answer(201, { token: "dead", expires_in: 1 }));
  assert.equal(await now(session.token()), "token-1");
  assert.match(page.errors[0].message, /expired/);
  await browser.advance(SECOND);
  assert.equal(await session.token(), "token-2");
});

check("after a success, waits are short again", async (page, browser) => {
  page.fetches = Array(5).fill(offline);
  await page.start();
  await browser.advance(MINUTE);
  assert.equal(await page.session.token(), "token-1");
  page.renewals = [offline];
  await browser.advance(645 * SECOND);
  const [failed, again] = page.renewed.map(({ at }) => at);
  assert.ok(again - failed <= SECOND + 3, String(again - failed));
});
