// Profile → API keys, as the product pages describe it: generate, copy and close, see it in the list, use it; then rename,
// disable, enable, rotate, revoke and delete it.

import { run } from "./harness.mjs";

await run(async (console) => {
  const page = await console.window({ expects: [422] });
  await console.signIn(page, { next: "/console/profile/api-keys" });
  await page.getByRole("heading", { name: "API keys" }).waitFor();
  await console.picture(page, "api-keys");

  await page.getByRole("link", { name: "Generate API key" }).first().click();
  await console.picture(page, "api-key-new");
  // An empty name: the error is beside the field, and what was chosen is still chosen.
  await page.getByLabel("1 year").check();
  await page.getByRole("button", { name: "Generate" }).click();
  await page.locator("#name-error").waitFor();
  const kept = await page.getByLabel("1 year").isChecked();
  await console.picture(page, "api-key-new-refused");

  await page.getByLabel("Name", { exact: true }).fill("Dashboards");
  await page.getByLabel("30 days").check();
  await page.getByLabel("Only some roles").check();
  await page.getByRole("checkbox", { name: "viewer" }).check();
  await page.locator("#mode-tenant_id").selectOption("fixed");
  await page.locator("#values-tenant_id").fill("t-1");
  await page.getByLabel("Uses a minute").fill("600");
  await page.getByRole("button", { name: "Generate" }).click();
  await page.getByRole("heading", { name: "Your new API key" }).waitFor();
  const secret = await page.getByLabel("API key", { exact: true }).inputValue();
  await console.picture(page, "api-key-created");
  await page.getByRole("button", { name: "Copy and close" }).click();
  await page.getByRole("link", { name: "Dashboards" }).waitFor();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  await console.picture(page, "api-keys-listed");
  const listed = await page.locator("tbody tr", { hasText: "Dashboards" }).innerText();

  await page.getByRole("link", { name: "Dashboards" }).click();
  await console.picture(page, "api-key");
  await page.getByLabel("Name", { exact: true }).fill("Dashboards (EU)");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("status").getByText("The key was changed.").waitFor();
  await page.getByRole("button", { name: "Disable" }).click();
  await page.getByRole("status").getByText("switched off").waitFor();
  await page.getByRole("button", { name: "Enable" }).click();
  await page.getByRole("status").getByText("switched on").waitFor();

  await page.locator("summary", { hasText: "Rotate" }).click();
  await page.getByLabel("The present secret works").selectOption("0");
  await page.getByRole("button", { name: "Make a new secret" }).click();
  await page.getByRole("heading", { name: "The key's new secret" }).waitFor();
  const rotated = await page.getByLabel("API key", { exact: true }).inputValue();
  await page.getByRole("link", { name: "Close" }).click();

  await page.getByRole("link", { name: "Dashboards (EU)" }).click();
  await page.locator("summary", { hasText: "Revoke" }).click();
  await page.getByLabel("Reason").fill("not needed any more");
  await page.getByRole("button", { name: "Revoke" }).click();
  await page.getByRole("status").getByText("revoked").waitFor();
  await page.locator("summary", { hasText: "Delete" }).click();
  await page.getByLabel("The key's name, to confirm").fill("something else");
  await page.getByRole("button", { name: "Delete" }).click();
  await page.locator("#confirmation-error").waitFor();
  await console.picture(page, "api-key-delete-refused");
  await page.getByLabel("The key's name, to confirm").fill("Dashboards (EU)");
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("status").getByText("deleted").waitFor();

  return { kept, secret, copied, listed, rotated };
});
