// The code beside a new key, in every language.

import { run } from "./harness.mjs";

await run(async (console) => {
  const page = await console.window();
  await console.signIn(page, { next: "/console/profile/api-keys/new" });
  await page.getByLabel("Name", { exact: true }).fill("O'Reilly's \"backend\"");
  await page.locator("summary", { hasText: "Limits" }).click();
  await page.getByLabel("Only some roles").check();
  await page.getByRole("checkbox", { name: "viewer" }).check();
  await page.locator("#mode-regions").selectOption("allowed");
  await page.locator("#values-regions").fill("eu\nus");
  await page.getByRole("button", { name: "Generate" }).click();
  const snippets = {};
  for (const label of await page.locator(".tabs > label").all()) {
    await label.click();
    snippets[await label.innerText()] = await page.locator(".tabs > .tab:visible code").innerText();
  }
  return snippets;
});
