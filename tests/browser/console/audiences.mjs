// Audiences: from a preset, its claims with a live sample, settings, keys, and its end.

import { run } from "./harness.mjs";

await run(async (console) => {
  const { secret, script } = console.task;
  const page = await console.window({ expects: [422] });
  await console.signIn(page, { next: "/console/audiences" });
  await page.getByRole("link", { name: "default", exact: true }).waitFor();
  await console.picture(page, "audiences-one");
  await page.getByRole("link", { name: "New audience" }).click();
  await console.picture(page, "audience-presets");
  await page.getByRole("link", { name: /^hasura/ }).click();
  await page.getByLabel("Name", { exact: true }).fill("Hasura!");
  await page.getByRole("button", { name: "Make it" }).click();
  const badName = await page.locator("#name-error").innerText();
  await console.picture(page, "audience-new");
  await page.getByLabel("Name", { exact: true }).fill("hasura");
  await page.getByRole("button", { name: "Make it" }).click();
  await page.getByRole("status").getByText("The audience was made").waitFor();
  const made = page.url().split("?")[0];

  // Claims: the sample follows what is typed, and faults have their lines.
  await page.getByRole("link", { name: "Edit claims" }).click();
  const template = page.getByLabel("Claim template, as JSON");
  const first = await page.locator("#sample").innerText();
  await console.picture(page, "audience-claims");
  await template.fill('{\n  "groups": "{{ roles }}",\n  "who": "{{ user.name }}"\n}');
  await page.locator("#template-error", { hasText: "user.name" }).waitFor();
  const fault = await page.locator("#template-error").innerText();
  await console.picture(page, "audience-claims-fault");
  await template.fill("{ oops");
  await page.locator("#template-error", { hasText: "no JSON" }).waitFor();
  await template.fill(JSON.stringify({ note: script, tenant: "{{ attributes.tenant_id }}", who: "{{ user.id }}" }));
  await page.getByLabel("Issuer (iss)").selectOption("given");
  await page.getByLabel("Given issuer").fill("known-as");
  await page.locator("#sample pre", { hasText: "known-as" }).waitFor();
  await page.getByLabel("User", { exact: true }).fill("user-7");
  await page.locator("#sample pre", { hasText: "user-7" }).waitFor();
  const sample = await page.locator("#sample").innerText();
  const silent = await page.locator("#template-error").textContent();
  await page.getByLabel("Roles", { exact: true }).fill("ghost");
  await page.locator("#sample_roles-error", { hasText: "ghost" }).waitFor();
  await page.locator("#sample", { hasText: "would be refused" }).waitFor();
  await console.picture(page, "audience-claims-refused");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("status").getByText("The audience was changed.").waitFor();

  // Settings.
  await page.getByRole("link", { name: "Edit settings" }).click();
  await page.getByLabel("Origins that may renew").fill("https://app.example.com\nhttps://app.example.com/path");
  await page.getByLabel("A token can be traded").check();
  await page.getByLabel("Grace, in seconds").fill("20");
  await page.getByRole("button", { name: "Save" }).click();
  const badOrigin = await page.locator("#origins-error").innerText();
  await console.picture(page, "audience-settings");
  await page.getByLabel("Origins that may renew").fill("https://app.example.com");
  await page.getByLabel("Grace, in seconds").fill("900");
  await page.getByRole("button", { name: "Save" }).click();
  const badGrace = await page.locator("#grace-error").innerText();
  await page.getByLabel("Grace, in seconds").fill("30");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("status").getByText("The audience was changed.").waitFor();
  await console.picture(page, "audience");

  // Keys: the next one is too new to sign; one is retired; a wrong one is not taken in, and not shown.
  const kids = () => page.locator("tbody th code").allInnerTexts();
  const before = await kids();
  await page.locator("summary", { hasText: "Rotate" }).click();
  await page.getByRole("button", { name: "Let the next key sign" }).click();
  const tooNew = await page.getByRole("alert").innerText();
  await page.locator("tbody tr", { hasText: before[1] }).locator("summary").click();
  await page.locator("tbody tr", { hasText: before[1] }).getByRole("button", { name: "Retire this key" }).click();
  await page.getByRole("status").getByText("The key was retired.").waitFor();
  const after = await kids();
  await page.locator("summary", { hasText: "Import a key" }).click();
  await page.getByLabel("Private key").fill(`-----BEGIN PRIVATE KEY-----\n${secret}\n-----END PRIVATE KEY-----`);
  await page.getByRole("button", { name: "Import", exact: true }).click();
  const badKey = await page.locator("#key-error").innerText();
  const shown = (await page.content()).includes(secret);
  await console.picture(page, "audience-key-refused");
  await page.getByRole("button", { name: "Copy" }).first().click();
  await page.getByRole("button", { name: "Copied" }).waitFor();
  const copied = await page.evaluate(() => navigator.clipboard.readText());

  // A consumer that shares a secret.
  await page.goto("/console/audiences/new?preset=metabase");
  await page.getByRole("button", { name: "Make it" }).click();
  const noSecret = await page.locator("#secret-error").innerText();
  await page.getByLabel("Secret", { exact: true }).fill(secret);
  await page.getByRole("button", { name: "Make it" }).click();
  await page.getByRole("status").getByText("The audience was made").waitFor();
  await page.locator("summary", { hasText: "Import a key" }).click();
  await page.getByLabel("Private key").fill(`another-${secret}`);
  await page.getByRole("button", { name: "Import", exact: true }).click();
  await page.getByRole("status").getByText("The key was imported.").waitFor();
  const leaked = (await page.content()).includes(secret);
  await console.picture(page, "audience-secret");
  await page.goto("/console/audiences");
  await console.picture(page, "audiences");

  // Its end.
  await page.goto(made);
  await page.locator("summary", { hasText: "Delete this audience" }).click();
  await page.getByLabel("The audience's name, to confirm").fill("other");
  await page.getByRole("button", { name: "Delete" }).click();
  const kept = await page.locator("#confirmation-error").innerText();
  await page.getByLabel("The audience's name, to confirm").fill("hasura");
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("status").getByText("The audience was deleted").waitFor();
  const left = await page.locator("tbody th a").allInnerTexts();
  return {
    badName, first, fault, sample, silent, badOrigin, badGrace, before, after, tooNew, badKey, shown, copied,
    noSecret, leaked, kept, left,
  };
});
