// The playground with JavaScript off: previewed by a button, issued, shown with its exact end.

import { run } from "./harness.mjs";

await run(async (console) => {
  const page = await console.window({ javascript: false, expects: [422] });
  await console.signIn(page, { next: "/console/playground" });
  await page.getByLabel("tenant_id (required)").fill("");
  await page.getByRole("button", { name: "Preview" }).click();
  const reason = await page.locator("#attribute-tenant_id-error").innerText();
  await page.getByLabel("tenant_id (required)").fill("t-7");
  await page.getByLabel("Lifetime in seconds").fill("soon");
  await page.getByRole("button", { name: "Preview" }).click();
  const lifetime = await page.locator("#ttl-error").innerText();
  await page.getByLabel("Lifetime in seconds").fill("60");
  await page.getByLabel("Only these resources").fill("dashboard/sales\ndashboard/costs");
  await page.getByLabel("Under the limits of").selectOption(console.task.chosen);
  await page.getByRole("button", { name: "Issue the token" }).click();
  const token = await page.locator("#token").innerText();
  const code = await page.locator(".tabs > .tab:visible code").innerText();
  const text = await page.locator("main").innerText();
  const buttons = await page.getByRole("button", { name: /copy/i }).count();
  return { reason, lifetime, token, code, text, buttons };
});
