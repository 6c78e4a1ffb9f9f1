// What other sites and other people try: forged forms, a session chosen beforehand, a frame, a redirect elsewhere.

import { ORIGIN, run } from "./harness.mjs";

const KEYS = "/console/profile/api-keys";
const COOKIE = "__Host-jeton-session";
const NEW_KEY = { name: "forged", expires: "never", preset: "write" };

const html = (response, body) => response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(body);
const hosts = {
  "evil.test": (request, response) => {
    if (request.url === "/frame") return html(response, `<!doctype html><iframe src="${ORIGIN}/console/sign-in"></iframe>`);
    const fields = Object.entries(NEW_KEY).map(([name, value]) => `<input name="${name}" value="${value}">`);
    html(response, `<!doctype html><form method="post" action="${ORIGIN}${KEYS}">${fields.join("")}<button>Go</button></form>`);
  },
};

async function sessionOf(page) {
  const cookies = await page.context().cookies(ORIGIN);
  return cookies.find(({ name }) => name === COOKIE);
}

/** Another site's form, and this browser's session in hands that know everything but the form's token. */
async function forgeries(console) {
  const page = await console.window({ unwatched: true });
  await console.signIn(page, { next: KEYS });
  const { value } = await sessionOf(page);
  const token = await page.locator("[name=_csrf]").first().inputValue();
  await page.goto("https://evil.test/");
  const [answer] = await Promise.all([page.waitForResponse(ORIGIN + KEYS), page.getByRole("button").click()]);
  const statuses = { "another site's form": answer.status() };

  const post = async (name, headers, fields) => {
    const body = new URLSearchParams({ ...NEW_KEY, ...fields });
    const answer = await fetch(console.task.url + KEYS, {
      method: "POST",
      redirect: "manual",
      headers: { "content-type": "application/x-www-form-urlencoded", cookie: `${COOKIE}=${value}`, ...headers },
      body,
    });
    statuses[name] = answer.status;
  };
  await post("no token", { origin: ORIGIN }, {});
  await post("an empty token", { origin: ORIGIN }, { _csrf: "" });
  await post("a token of another session", { origin: ORIGIN }, { _csrf: token.replace(/^../, "AA") });
  await post("another origin", { origin: "https://evil.test" }, { _csrf: token });
  await post("an opaque origin", { origin: "null" }, { _csrf: token });
  await post("a cross-site request", { "sec-fetch-site": "cross-site" }, { _csrf: token });
  await post("a same-site request", { "sec-fetch-site": "same-site" }, { _csrf: token });
  await post("two tokens", { origin: ORIGIN }, [["_csrf", token], ["_csrf", token], ...Object.entries(NEW_KEY)]);
  await post("JSON", { origin: ORIGIN, "content-type": "application/json" }, { _csrf: token });
  await post("two cookies", { origin: ORIGIN, cookie: `${COOKIE}=${value}; ${COOKIE}=${value}` }, { _csrf: token });
  // The same request with nothing wrong, so that it is not something else that is refused.
  await post("our own form", { origin: ORIGIN, "sec-fetch-site": "same-origin" }, { _csrf: token, name: "ours" });
  return statuses;
}

/** A session id that somebody else has put into the browser is not the one that signing in makes. */
async function fixation(console) {
  const page = await console.window();
  const planted = "A".repeat(43);
  await page.context().addCookies([{ name: COOKIE, value: planted, url: ORIGIN, secure: true, httpOnly: true, sameSite: "Lax" }]);
  await console.signIn(page, { next: KEYS });
  const session = await sessionOf(page);
  const first = session.value;
  // Signing in once more has another one again, and signing out ends it at once.
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("status").getByText("signed out").waitFor();
  await console.picture(page, "signed-out");
  await console.signIn(page, { next: KEYS });
  const second = (await sessionOf(page)).value;
  const opens = async (value) => {
    const answer = await fetch(console.task.url + KEYS, { redirect: "manual", headers: { cookie: `${COOKIE}=${value}` } });
    return answer.status;
  };
  const { httpOnly, secure, sameSite, domain, path } = session;
  return {
    renewed: new Set([planted, first, second]).size === 3,
    opens: { planted: await opens(planted), ended: await opens(first), current: await opens(second) },
    cookie: { httpOnly, secure, sameSite, domain, path },
  };
}

async function framed(console) {
  const page = await console.window({ unwatched: true });
  const told = page.waitForEvent("console", (message) => message.type() === "error");
  await page.goto("https://evil.test/frame");
  const message = await told;
  const inside = await page.frameLocator("iframe").getByRole("heading").count();
  return { inside, message: message.text() };
}

/** Where one is after signing in with an address that somebody else has made. */
async function redirects(console) {
  const places = {};
  for (const next of ["https://evil.test/", "//evil.test/console/", "/\\evil.test", "javascript:alert(1)", "/console//evil.test"]) {
    const page = await console.window({ unwatched: true });
    await page.goto(`/console/sign-in?next=${encodeURIComponent(next)}`);
    await page.getByLabel("E-mail address").fill(console.task.email);
    await page.getByLabel("Password").fill(console.task.password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForURL((url) => !url.pathname.startsWith("/console/sign-in"));
    places[next] = page.url();
    await page.context().close();
  }
  return places;
}

/** Wrong passwords and unknown people get the same page. */
async function refused(console) {
  const page = await console.window({ expects: [401] });
  await page.goto("/console/sign-in");
  await console.picture(page, "sign-in");
  const texts = [];
  for (const [email, password] of [
    [console.task.email, "wrong horse battery staple"],
    ["nobody@acme.example", console.task.password],
  ]) {
    await page.getByLabel("E-mail address").fill(email);
    await page.getByLabel("Password").fill(password);
    await page.getByRole("button", { name: "Sign in" }).click();
    texts.push(await page.getByRole("alert").innerText());
  }
  await console.picture(page, "sign-in-refused");
  return texts;
}

await run(
  async (console) => ({
    forgeries: await forgeries(console),
    fixation: await fixation(console),
    framed: await framed(console),
    redirects: await redirects(console),
    refused: await refused(console),
  }),
  hosts,
);
