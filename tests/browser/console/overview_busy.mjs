// A day of work: the pictures that are shown.

import { run } from "./harness.mjs";

await run(async (console) => {
  const page = await console.window();
  await console.signIn(page);
  await console.picture(page, "overview");
  const links = await page.locator("a[href^='/console/reasons#']").allInnerTexts();
  await page.locator("section[aria-labelledby=day-heading] summary").click();
  await console.picture(page, "overview-table");
  return { links };
});
