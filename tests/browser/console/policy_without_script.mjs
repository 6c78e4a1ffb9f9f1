// JavaScript is off: a role is made, a policy is checked, tried out and applied.

import { run } from "./harness.mjs";

await run(async (console) => {
  const page = await console.window({ javascript: false });
  await console.signIn(page, { next: "/console/policy/new-role" });
  await page.getByLabel("Name", { exact: true }).fill("by-hand");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("The role was saved.").waitFor();
  await page.goto("/console/policy/yaml");
  const text = page.getByLabel("Policy", { exact: true });
  const first = await text.inputValue();
  await text.fill(first.replace("  - name: by-hand\n", "  - name: by-yaml\n"));
  await page.getByRole("button", { name: "Check" }).click();
  const diff = await page.locator(".diff").innerText();
  const link = await page.getByRole("link", { name: "Look again" }).getAttribute("href");
  const aside = await page.context().newPage();
  for (;;) {
    await aside.goto(link);
    if ((await aside.locator("progress").count()) === 0) break;
  }
  const whatIf = await aside.locator("#what-if").innerText();
  await page.getByRole("button", { name: "Apply" }).click();
  await page.getByText("The policy was applied.").waitFor();
  await page.goto(console.task.audience);
  await page.getByLabel("By a template").check();
  await page.getByLabel("Claim template, as JSON").fill('{ "who": "{{ user.id }}" }');
  await page.getByRole("button", { name: "Preview" }).click();
  const sample = await page.locator("#sample").innerText();
  return { diff, whatIf, sample };
});
