// JavaScript is off: a key is made, seen once and revoked.

import { run } from "./harness.mjs";

await run(async (console) => {
  const page = await console.window({ javascript: false });
  await console.signIn(page, { next: "/console/profile/api-keys" });
  await page.goto("/console/profile/api-keys/new");
  await page.getByLabel("Name", { exact: true }).fill("By hand");
  await page.getByRole("button", { name: "Generate" }).click();
  const secret = await page.getByLabel("API key", { exact: true }).inputValue();
  const buttons = await page.getByRole("button", { name: /copy/i }).count();
  const code = await page.locator(".tabs > .tab:visible code").innerText();
  await page.getByRole("link", { name: "Close" }).click();
  const again = (await page.content()).includes(secret);
  await page.getByRole("link", { name: "By hand" }).click();
  const details = (await page.content()).includes(secret);
  await page.locator("summary", { hasText: "Revoke" }).click();
  await page.getByRole("button", { name: "Revoke" }).click();
  await page.getByText("The key was revoked.").waitFor();
  return { secret, buttons, code, again, details };
});
