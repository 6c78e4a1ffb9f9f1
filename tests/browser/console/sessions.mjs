// Sessions: found by what they have in common, page by page, read, revoked one by one and by their user.

import { run } from "./harness.mjs";

await run(async (console) => {
  const page = await console.window({ expects: [422] });
  await console.signIn(page, { next: "/console/sessions" });
  await page.getByRole("heading", { name: "Sessions" }).waitFor();
  const names = async () => (await page.locator("tbody th").allInnerTexts()).map((it) => it.trim());
  await console.picture(page, "sessions");
  const first = await names();
  await page.getByRole("link", { name: "Older" }).click();
  const second = await names();
  await page.getByRole("link", { name: "Newest" }).click();
  const newest = await names();

  await page.getByLabel("Attribute").selectOption("tenant_id");
  await page.getByLabel("has the value").fill("t-2");
  await page.getByRole("button", { name: "Show" }).click();
  const of_tenant = await names();
  await console.picture(page, "sessions-found");
  await page.getByLabel("has the value").fill("t-none");
  await page.getByRole("button", { name: "Show" }).click();
  const none = await page.locator(".empty").innerText();
  await page.goto("/console/sessions?key=nonsense");
  const wrong = await page.locator("#key-error").innerText();
  await console.picture(page, "sessions-wrong");

  // A user whose name is a script is a name.
  await page.goto("/console/sessions");
  await page.getByLabel("User").fill(console.task.script);
  await page.getByRole("button", { name: "Show" }).click();
  const script = await names();
  await page.locator("tbody a").first().click();
  const heading = await page.locator("h1").innerText();
  await console.picture(page, "session");
  await page.locator("summary", { hasText: "Revoke this session" }).click();
  await console.picture(page, "session-revoke");
  await page.getByRole("button", { name: "Revoke it now" }).click();
  await page.getByRole("status").getByText("The session was revoked").waitFor();
  const revoked = await page.locator("main").innerText();
  await console.picture(page, "session-revoked");

  await page.goto("/console/sessions?subject=user-2");
  await page.getByRole("link", { name: "Revoke a user's sessions" }).click();
  const warning = await page.locator("form.danger").innerText();
  await console.picture(page, "sessions-revoke");
  await page.getByLabel("Type the user to confirm").fill("user-3");
  await page.getByRole("button", { name: /^Revoke/ }).click();
  const refused = await page.locator("#confirmation-error").innerText();
  await page.getByLabel("Type the user to confirm").fill("user-2");
  await page.getByRole("button", { name: /^Revoke/ }).click();
  await page.getByRole("status").getByText("was revoked").waitFor();
  await page.goto("/console/sessions?subject=user-2&state=active");
  const left = await names();
  await page.goto("/console/sessions?subject=user-2");
  await page.locator("tbody a").first().click();
  const cut = await page.locator("main").innerText();
  await console.picture(page, "session-cut");
  return { first, second, newest, of_tenant, none, wrong, script, heading, revoked, warning, refused, left, cut };
});
