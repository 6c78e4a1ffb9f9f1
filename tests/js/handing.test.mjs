// Whom /embed/session.js hands tokens to: `node handing.test.mjs <SCRIPT`.

import assert from "node:assert/strict";
import { SECOND, check, problem, settle } from "./support.mjs";

const EMBEDDED = "https://app.test";

/** An iframe whose page is loaded, and what it was sent. */
function frame(browser, { loaded = true } = {}) {
  const iframe = new browser.Target();
  iframe.sent = [];
  iframe.contentWindow = { postMessage: (data, origin) => iframe.sent.push({ ...data, origin }) };
  iframe.contentDocument = loaded ? null : {};
  return iframe;
}

const ready = (iframe, more = {}) => ({
  source: iframe.contentWindow,
  origin: EMBEDDED,
  data: { type: "jeton:ready" },
  ...more,
});

check("an iframe gets each token, for its origin alone", async (page, browser) => {
  const iframe = frame(browser);
  const session = await page.start();
  session.toIframe(iframe, EMBEDDED);
  await browser.advance(675 * SECOND);
  assert.deepEqual(iframe.sent, [
    { type: "jeton:token", token: "token-1", expires_in: 900, origin: EMBEDDED },
    { type: "jeton:token", token: "token-2", expires_in: 900, origin: EMBEDDED },
  ]);
});

check("an iframe that asks is answered with what remains of the token's life", async (page, browser) => {
  const iframe = frame(browser);
  const session = await page.start();
  session.toIframe(iframe, `${EMBEDDED}/some/path`);
  iframe.sent.length = 0;
  await browser.advance(100 * SECOND);
  await browser.fire("message", ready(iframe));
  assert.deepEqual(iframe.sent, [{ type: "jeton:token", token: "token-1", expires_in: 800, origin: EMBEDDED }]);
});

check("other origins, other windows and other messages are not answered", async (page, browser) => {
  const iframe = frame(browser);
  const session = await page.start();
  session.toIframe(iframe, EMBEDDED);
  iframe.sent.length = 0;
  const other = frame(browser);
  const strange = [
    { origin: "https://evil.test" },
    { origin: `${EMBEDDED}.evil.test` },
    { origin: "http://app.test" },
    { origin: "https://app.test:8443" },
    { origin: "null" },
    { origin: "https://host.test" },
    { source: other.contentWindow },
    { source: browser.window },
    { source: null },
    { data: null },
    { data: "jeton:ready" },
    { data: { type: "jeton:token", token: "theirs" } },
  ];
  for (const more of strange) await browser.fire("message", ready(iframe, more));
  assert.deepEqual([iframe.sent, other.sent], [[], []]);
  await browser.fire("message", ready(iframe));
  assert.equal(iframe.sent.length, 1);
});

check("a target that is no exact origin is refused", async (page, browser) => {
  const session = await page.start();
  const listeners = browser.listenerCount;
  for (const target of ["*", "/", "", "null", "app.test", undefined, null, "data:text/html,x", "about:blank"]) {
    assert.throws(() => session.toIframe(frame(browser), target), { name: "TypeError" }, String(target));
  }
  assert.equal(browser.listenerCount, listeners);
});

check("an iframe gets nothing before its page is there", async (page, browser) => {
  const iframe = frame(browser, { loaded: false });
  const session = await page.start();
  session.toIframe(iframe, EMBEDDED);
  assert.deepEqual(iframe.sent, []);
  iframe.contentDocument = null;
  iframe.dispatchEvent({ type: "load" });
  assert.equal(iframe.sent.length, 1);
});

check("an iframe of the page's own origin", async (page, browser) => {
  const iframe = frame(browser, { loaded: false });
  const session = await page.start();
  session.toIframe(iframe, "https://host.test");
  assert.equal(iframe.sent[0].origin, "https://host.test");
});

check("an iframe that asks before there is a token gets the token when it comes", async (page, browser) => {
  const iframe = frame(browser);
  page.fetches = [problem(500, "internal")];
  const session = await page.start();
  session.toIframe(iframe, EMBEDDED);
  await browser.fire("message", ready(iframe));
  assert.deepEqual(iframe.sent, []);
  await browser.advance(SECOND);
  assert.equal(iframe.sent[0].token, "token-1");
});

check("an iframe that asks after sleep gets a living token", async (page, browser) => {
  const iframe = frame(browser);
  const session = await page.start();
  session.toIframe(iframe, EMBEDDED);
  browser.sleep(3600 * SECOND, { monotonicStops: true });
  await browser.fire("message", ready(iframe));
  assert.deepEqual(iframe.sent.map(({ token }) => token), ["token-1", "token-2"]);
});

check("an iframe that was taken out of the page is no error", async (page, browser) => {
  const iframe = frame(browser);
  const session = await page.start();
  session.toIframe(iframe, EMBEDDED);
  iframe.contentWindow = null;
  await browser.advance(675 * SECOND);
  assert.deepEqual(browser.reported, []);
});

check("an iframe is not served any more when the page says so", async (page, browser) => {
  const iframe = frame(browser);
  const session = await page.start();
  const listeners = browser.listenerCount;
  const off = session.toIframe(iframe, EMBEDDED);
  off();
  off();
  await browser.advance(675 * SECOND);
  await browser.fire("message", ready(iframe));
  iframe.dispatchEvent({ type: "load" });
  assert.equal(iframe.sent.length, 1);
  assert.equal(browser.listenerCount, listeners);
});

check("an iframe and an element are told of the end, and serve nobody after it", async (page, browser) => {
  const iframe = frame(browser);
  const element = new browser.Target();
  element.localName = "div";
  const events = [];
  element.addEventListener("jeton-end", ({ detail }) => events.push(detail));
  const session = await page.start();
  session.toIframe(iframe, EMBEDDED);
  session.toElement(element);
  page.renewals = [problem(403, "session_ended")];
  await browser.advance(675 * SECOND);
  assert.deepEqual(iframe.sent.at(-1), { type: "jeton:end", reason: "session_ended", origin: EMBEDDED });
  assert.deepEqual([element.token, events], [null, ["session_ended"]]);
  const late = frame(browser);
  session.toIframe(late, EMBEDDED);
  await browser.fire("message", ready(late));
  await browser.fire("message", ready(iframe));
  assert.deepEqual([late.sent, iframe.sent.length, browser.listenerCount], [[], 2, 0]);
});

/** An element that, like a DOM element, has attributes, and fails the test when one is set. */
function element(browser, name) {
  const made = new browser.Target();
  made.localName = name;
  made.events = [];
  made.setAttribute = () => assert.fail("a token in an attribute");
  made.addEventListener("jeton-token", ({ detail }) => made.events.push([detail.token, detail.expires_in, made.token]));
  return made;
}

check("an element gets each token as a property, and an event that says so", async (page, browser) => {
  const div = element(browser, "div");
  const session = await page.start();
  const off = session.toElement(div);
  await browser.advance(675 * SECOND);
  assert.deepEqual(div.events, [["token-1", 900, "token-1"], ["token-2", 900, "token-2"]]);
  off();
  await browser.advance(675 * SECOND);
  assert.equal(div.token, "token-2");
});

check("a web component gets its token when it is defined, not earlier", async (page, browser) => {
  const [component, forgotten] = [element(browser, "x-board"), element(browser, "x-board")];
  const session = await page.start();
  session.toElement(component);
  session.toElement(forgotten)();
  await settle();
  assert.equal("token" in component, false);
  browser.customElements.define("x-board");
  await settle();
  assert.deepEqual(component.events, [["token-1", 900, "token-1"]]);
  assert.equal("token" in forgotten, false);
  await browser.advance(675 * SECOND);
  assert.equal(component.token, "token-2");
});

check("a callback gets each token with the server's answer, until it has enough", async (page, browser) => {
  const seen = [];
  const session = await page.start();
  const off = session.subscribe((token, answer) => seen.push([token, answer.session_id]));
  await browser.advance(675 * SECOND);
  off();
  await browser.advance(675 * SECOND);
  assert.deepEqual(seen, [["token-1", "s-1"], ["token-2", "s-1"]]);
});

check("a callback that throws harms nobody else", async (page, browser) => {
  const seen = [];
  const session = await page.start();
  session.subscribe((token) => {
    if (token !== "token-1") throw new Error("theirs");
  });
  session.subscribe((token) => seen.push(token));
  session.on("error", () => {
    throw new Error("theirs");
  });
  page.renewals = [problem(500, "internal")];
  await browser.advance(2000 * SECOND);
  assert.deepEqual(seen, ["token-1", "token-2", "token-3", "token-4"]);
  assert.equal(browser.reported.length, 4);
});

check("a web component that is not defined at the end is left alone", async (page) => {
  const component = element(page.browser, "x-board");
  const session = await page.start();
  session.toElement(component);
  session.stop();
  page.browser.customElements.define("x-board");
  await settle();
  assert.equal("token" in component, false);
});
