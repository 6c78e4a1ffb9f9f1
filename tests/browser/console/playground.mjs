// The playground: a decision that follows what is typed, a refusal beside its field, a token, and the code for it.

import { run } from "./harness.mjs";

await run(async (console) => {
  const page = await console.window({ expects: [422] });
  await console.signIn(page, { next: "/console/playground" });
  await page.getByRole("heading", { name: "Playground" }).waitFor();
  const first = await page.locator("#decision").innerText();
  await console.picture(page, "playground");

  const tenant = page.getByLabel("tenant_id (required)");
  await tenant.fill("");
  await page.locator("#attribute-tenant_id-error", { hasText: "required" }).waitFor();
  const refused = await page.locator("#decision").innerText();
  const reason = await page.locator("#attribute-tenant_id-error").innerText();
  await console.picture(page, "playground-refused");

  await tenant.fill("t-9");
  await page.getByRole("checkbox", { name: "eu", exact: true }).check();
  await page.getByLabel("internal").selectOption("true");
  await page.getByLabel("license").fill("canary-license");
  await page.locator("#preview pre", { hasText: "canary-license" }).waitFor();
  await page.locator("#decision", { hasText: "Granted" }).waitFor();
  const granted = await page.locator("#decision").innerText();
  const claims = await page.locator("#preview pre[aria-label=Claims]").innerText();
  const orders = await page.locator("#preview pre[aria-label='Filter of orders']").innerText();
  const preview = await page.locator("#preview").innerText();
  const silent = await page.locator("#attribute-tenant_id-error").innerText();
  await console.picture(page, "playground-granted");

  // Without a key there is only the preview.
  await page.getByRole("button", { name: "Issue the token" }).click();
  await page.locator("#key-error", { hasText: "Choose the key" }).waitFor();
  const kept = await page.getByLabel("tenant_id (required)").inputValue();
  await console.picture(page, "playground-no-key");

  await page.getByLabel("Under the limits of").selectOption(console.task.chosen);
  await page.getByRole("button", { name: "Issue the token" }).click();
  await page.getByRole("heading", { name: "Your session token" }).waitFor();
  const token = await page.locator("#token").innerText();
  const countdown = await page.locator("[data-ends]").innerText();
  const ends = await page.locator("dd time").first().getAttribute("datetime");
  const verified = await page.locator(".verdict").innerText();
  await console.picture(page, "playground-issued");
  await page.getByRole("button", { name: "Copy" }).first().click();
  await page.getByRole("button", { name: "Copied" }).waitFor();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  const snippets = {};
  for (const language of ["curl", "Node", "Python", "Rust", "Go", "CLI"]) {
    await page.locator(".tabs > label", { hasText: language }).click();
    snippets[language] = await page.locator(".tabs > .tab:visible code").innerText();
  }
  await page.locator("dd a[href^='/console/sessions/']").click();
  await page.getByRole("heading", { name: "user-42" }).waitFor();
  const session = await page.locator("main").innerText();
  await console.picture(page, "session-of-playground");
  return {
    first,
    refused,
    reason,
    granted,
    claims,
    orders,
    preview,
    silent,
    kept,
    token,
    countdown,
    ends,
    verified,
    copied,
    snippets,
    session,
  };
});
