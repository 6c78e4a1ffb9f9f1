// Events: filtered, opened, page by page, and as files. A member may not read them.

import { readFile } from "node:fs/promises";
import { run } from "./harness.mjs";

const saved = async (page, name) => {
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name }).click()]);
  return { name: download.suggestedFilename(), text: await readFile(await download.path(), "utf8") };
};

await run(async (console) => {
  const page = await console.window({ expects: [422] });
  await console.signIn(page, { next: "/console/audit" });
  await page.getByRole("heading", { name: "Audit log" }).waitFor();
  await console.picture(page, "audit");

  await page.getByLabel("About").selectOption("audience");
  await page.getByLabel("Search").fill("UPDATE");
  await page.getByRole("button", { name: "Show" }).click();
  await page.getByText("60 events that match.").waitFor();
  await page.locator("details > summary", { hasText: "audience.update" }).first().click();
  const diff = await page.locator("table.diff").first().innerText();
  await console.picture(page, "audit-event");
  const count = () => page.locator("table.events > tbody > tr").count();
  const rows = [await count()];
  await page.getByRole("link", { name: "Older" }).click();
  rows.push(await count());
  await page.getByRole("link", { name: "Older" }).click();
  rows.push(await count());
  await page.getByRole("link", { name: "Newest" }).click();
  const csv = await saved(page, "Export CSV");
  const json = await saved(page, "Export JSON");

  await page.goto("/console/audit?from=2026-02-02&to=2026-02-01");
  const wrong_days = await page.locator("#to-error").innerText();
  await console.picture(page, "audit-refused");
  await page.goto("/console/audit?target=nothing");
  const none = await page.locator(".empty").innerText();
  await page.goto("/console/audit?noun=console&actor_kind=user");
  const own = await page.locator("table.events").innerText();

  const other = await console.window({ expects: [403] });
  await console.signIn(other, { email: "mel@acme.example" });
  const member_status = (await other.goto("/console/audit/export?format=csv")).status();
  return { diff, rows, wrong_days, none, own, member_status, csv: csv.text, name: csv.name, json: json.text };
});
