// Which server is up: its row comes with its first sign of life, just after the start.

import { run } from "./harness.mjs";

await run(async (console) => {
  const page = await console.window();
  await console.signIn(page);
  const row = page.locator("section.card", { hasText: "Behind by" }).locator("tbody tr");
  while ((await row.count()) === 0) await page.reload();
  return row.locator("th").innerText();
});
