// The policy as YAML: faults with their lines, what would change, what it would have meant, and applying it.

import { run } from "./harness.mjs";

await run(async (console) => {
  const page = await console.window({ expects: [409, 422] });
  await console.signIn(page, { next: "/console/policy/yaml" });
  const text = page.getByLabel("Policy", { exact: true });
  const first = await text.inputValue();
  await console.picture(page, "policy-yaml");
  const check = () => page.getByRole("button", { name: "Check" }).click();

  await text.fill(first.replace("    type: string", "    typ: string"));
  await check();
  const unreadable = await page.locator(".faults").innerText();
  await text.fill(first.replace("    inherits: [viewer]", "    inherits: [ghost]"));
  await check();
  await page.locator(".faults", { hasText: "ghost" }).waitFor();
  const wrong = await page.locator(".faults").innerText();
  await console.picture(page, "policy-yaml-faults");

  // Only one tenant is left, and a role comes.
  const next = first
    .replace(/(- name: plan\n)/, "$1    description: <b>bold</b>\n")
    .replace(/(- name: tenant_id\n)/, "$1    allowed_values: [t-9]\n")
    .replace("roles:\n", "roles:\n  - name: auditor-eu\n    inherits: [auditor]\n\n")
    .replace(/  - name: guest\n    max_ttl_seconds: 60\n/, "");
  await text.fill(next);
  await check();
  await page.getByRole("heading", { name: "What would change" }).waitFor();
  const diff = await page.locator(".diff").innerText();
  await page.locator("#what-if", { hasText: "would be refused now" }).waitFor();
  const whatIf = await page.locator("#what-if").innerText();
  await console.picture(page, "policy-yaml-checked");

  // Another text than the one that was checked is checked, not applied.
  await text.fill(`${next}\n# more\n`);
  await page.getByRole("button", { name: "Apply" }).click();
  await page.locator(".warning", { hasText: "not the text that was checked" }).waitFor();

  // Somebody is faster.
  const other = await page.context().newPage();
  await other.goto("/console/policy/attributes/level");
  await other.getByLabel("Description").fill("How far one may see");
  await other.getByRole("button", { name: "Save" }).click();
  await other.getByRole("status").waitFor();
  await page.getByRole("button", { name: "Apply" }).click();
  await page.locator(".warning", { hasText: "somebody has changed the policy" }).waitFor();
  const kept = await text.inputValue();
  await console.picture(page, "policy-yaml-meanwhile");
  await check();
  await page.locator(".diff", { hasText: "attributes/level/description" }).waitFor();
  const undone = await page.locator(".diff").innerText();
  const merged = kept.replace(/(- name: level\n)/, "$1    description: How far one may see\n");
  await text.fill(merged);
  await check();
  await page.locator(".diff").waitFor();
  await page.getByRole("button", { name: "Apply" }).click();
  await page.getByRole("status").getByText("The policy was applied.").waitFor();
  await page.goto("/console/policy/yaml");
  await check();
  await page.getByRole("heading", { name: "Nothing would change" }).waitFor();
  return { first, unreadable, wrong, diff, whatIf, kept: kept.includes("# more"), undone };
});
