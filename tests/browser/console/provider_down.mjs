// The provider does not run: its button leads to a page that says so, and everything else works as ever.

import { run } from "./harness.mjs";

await run(async (console) => {
  const page = await console.window({ expects: [503] });
  await page.goto("/console/sign-in");
  await page.getByRole("link", { name: "Sign in with Acme ID" }).click();
  await page.getByRole("heading", { name: "You are not signed in" }).waitFor();
  await console.picture(page, "sign-in-provider-down");
  const text = await page.locator("main").innerText();
  await page.getByRole("link", { name: "Other ways to sign in" }).click();
  await page.getByLabel("E-mail address").waitFor();
  await console.signIn(page, { next: "/console/profile/api-keys" });
  return { text, viewer: await page.locator(".viewer-name").innerText() };
});
