// The policy by forms: a role, an attribute, a row rule; errors beside their fields; somebody else's change in between.

import { run } from "./harness.mjs";

await run(async (console) => {
  const { script } = console.task;
  const page = await console.window({ expects: [422] });
  await console.signIn(page, { next: "/console/policy" });
  await page.getByRole("heading", { name: "Policy", exact: true }).waitFor();

  // A role: what is wrong stands beside its field, and what was typed stays.
  await page.getByRole("link", { name: "Declare a role" }).click();
  await page.getByLabel("Name", { exact: true }).fill("Regional Manager");
  await page.getByLabel("Description").fill(script);
  await page.getByLabel("Permissions").fill("report/eu-*:view\nreports");
  await page.getByRole("button", { name: "Save" }).click();
  const badName = await page.locator("#name-error").innerText();
  const badPermission = await page.locator("#permissions-error").innerText();
  const kept = await page.getByLabel("Description").inputValue();
  await console.picture(page, "policy-role-refused");
  await page.getByLabel("Name", { exact: true }).fill("regional");
  await page.getByLabel("Permissions").fill("report/eu-*:view\n!report/eu-salaries:view");
  await page.getByRole("group", { name: "Inherits" }).getByLabel("viewer").check();
  await page.getByRole("group", { name: "Required attributes" }).getByLabel("regions").check();
  await page.getByLabel("Longest life, in seconds").fill("600");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("status").getByText("The role was saved.").waitFor();

  // An attribute.
  await page.getByRole("link", { name: "Declare an attribute" }).click();
  await page.getByLabel("Name", { exact: true }).fill("cost_center");
  await page.getByLabel("Type", { exact: true }).selectOption("integer");
  await page.getByLabel("Allowed values").fill("100\nabc");
  await page.getByLabel("Values that roles give").fill("regional = 100");
  await page.getByRole("button", { name: "Save" }).click();
  const badValue = await page.locator("#allowed_values-error").innerText();
  await console.picture(page, "policy-attribute-refused");
  await page.getByLabel("Allowed values").fill("100\n200");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("status").getByText("The attribute was saved.").waitFor();

  // A row rule, with more conditions than there were lines for.
  await page.getByRole("link", { name: "Declare a row rule" }).click();
  await page.getByLabel("Name", { exact: true }).fill("own-orders");
  await page.getByLabel("Table", { exact: true }).fill("orders");
  await page.getByRole("group", { name: "For tokens with" }).getByLabel("viewer").check();
  const test = async (number, column, comparison, source, value) => {
    const line = page.getByRole("group", { name: `Condition ${number}`, exact: true });
    await line.getByLabel("Column").fill(column);
    await line.getByLabel("Comparison").selectOption({ label: comparison });
    await line.getByLabel("Compared with").selectOption({ label: source });
    if (value) await line.getByLabel("Value").fill(value);
  };
  await test(1, "tenant", "is", "the token's tenant_id");
  await test(2, "region", "is one of", "the token's tenant_id");
  await test(3, "state", "is one of", "this value:", "open, paid");
  await page.getByRole("button", { name: "More conditions" }).click();
  await page.getByRole("group", { name: "Condition 6", exact: true }).waitFor();
  await page.getByRole("button", { name: "Save" }).click();
  const badCondition = await page.locator("#where-error").innerText();
  await console.picture(page, "policy-row-rule-refused");
  await test(2, "region", "is one of", "the token's regions");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("status").getByText("The row rule was saved.").waitFor();
  await page.locator("summary", { hasText: "SQL of orders" }).click();
  const words = await page.locator("tr", { hasText: "own-orders" }).innerText();
  const sql = {};
  for (const label of await page.locator(".tabs > label").all()) {
    await label.click();
    sql[await label.innerText()] = await page.locator(".tabs > .tab:visible code").innerText();
  }
  await console.picture(page, "policy");

  // A role that others name stays.
  await page.getByRole("link", { name: "viewer", exact: true }).click();
  await page.locator("summary", { hasText: "Delete this role" }).click();
  await page.getByRole("button", { name: "Delete viewer" }).click();
  const stays = await page.getByRole("alert").innerText();

  // Somebody saves the same role in between.
  await page.goto("/console/policy/roles/regional");
  const other = await page.context().newPage();
  await other.goto("/console/policy/roles/regional");
  await other.getByLabel("Longest life, in seconds").fill("300");
  await other.getByRole("button", { name: "Save" }).click();
  await other.getByRole("status").waitFor();
  await page.getByLabel("Description").fill("Sees the reports of a region.");
  await page.getByRole("button", { name: "Save" }).click();
  const meanwhile = await page.getByRole("alert").innerText();
  const typed = await page.getByLabel("Description").inputValue();
  await console.picture(page, "policy-role-meanwhile");
  await page.getByLabel("Longest life, in seconds").fill("300");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("status").getByText("The role was saved.").waitFor();

  // The rule goes again.
  await page.getByRole("link", { name: "own-orders" }).click();
  const source = await page.getByRole("group", { name: "Condition 2", exact: true }).getByLabel("Compared with").inputValue();
  await page.locator("summary", { hasText: "Delete this row rule" }).click();
  await page.getByRole("button", { name: "Delete own-orders" }).click();
  await page.getByRole("status").getByText("The row rule was deleted.").waitFor();
  await page.getByRole("searchbox", { name: "Search" }).fill("cost");
  await page.getByRole("button", { name: "Show" }).click();
  const searched = await page.locator("main").innerText();
  return { badName, badPermission, kept, badValue, badCondition, words, sql, stays, meanwhile, typed, source, searched };
});
