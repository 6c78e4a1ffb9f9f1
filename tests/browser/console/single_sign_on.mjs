// People sign in through their organization's provider, on its own sign-in page; others are let in nowhere.

import { ORIGIN, run } from "./harness.mjs";

const KEYS = "/console/profile/api-keys";

/** From the console's sign-in page to the provider's, as this account. */
async function leave(console, page, { next = KEYS, account, cancel = false }) {
  await page.goto(`/console/sign-in?next=${encodeURIComponent(next)}`);
  await page.getByRole("link", { name: "Sign in with Acme ID" }).click();
  await page.getByRole("heading", { name: "Acme ID" }).waitFor();
  if (new URL(page.url()).origin !== console.task.issuer) console.fault(`the provider's page is at ${page.url()}`);
  await page.getByLabel("Account").fill(account ?? "");
  await page.getByRole("button", { name: cancel ? "Cancel" : "Continue" }).click();
  await page.waitForURL((url) => url.origin === ORIGIN);
}

async function entered(page) {
  return { at: page.url(), viewer: await page.locator(".viewer-name").innerText() };
}

/** A window of its own, in which the sign-in ends on a page that says no. */
async function refused(console, name, how) {
  const page = await console.window({ expects: [403] });
  await leave(console, page, how);
  await page.getByRole("heading", { name: "You are not signed in" }).waitFor();
  if (name) await console.picture(page, name);
  const seen = { title: await page.title(), text: await page.locator("main").innerText() };
  const cookies = (await page.context().cookies(ORIGIN)).map((cookie) => cookie.name);
  await page.goto(KEYS);
  return { ...seen, cookies, stays: new URL(page.url()).pathname };
}

await run(async (console) => {
  const page = await console.window();
  await page.goto("/console/sign-in");
  await console.picture(page, "sign-in-with-providers");
  await leave(console, page, { account: "id-grace" });
  const first = await entered(page);
  const cookies = (await page.context().cookies(ORIGIN)).map((cookie) => cookie.name).sort();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("status").getByText("signed out").waitFor();
  // The provider still knows the person in this browser: there and back without a question.
  await page.goto(`/console/sign-in?next=${encodeURIComponent(KEYS)}`);
  await page.getByRole("link", { name: "Sign in with Acme ID" }).click();
  await page.waitForURL(ORIGIN + KEYS);

  const another = await console.window();
  await leave(console, another, { account: "id-grace" });
  const second = await entered(another);

  const alan = await console.window({ javascript: false });
  await leave(console, alan, { account: "id-alan" });
  const elsewhere = await console.window({ expects: [404] });
  await leave(console, elsewhere, { account: "id-alan", next: "https://evil.test/" });

  return {
    first,
    cookies,
    second,
    alan: await entered(alan),
    elsewhere: elsewhere.url(),
    unknown: await refused(console, "sign-in-not-allowed", { account: "id-mallory" }),
    unverified: await refused(console, null, { account: "id-eve" }),
    cancelled: await refused(console, null, { cancel: true }),
  };
});
