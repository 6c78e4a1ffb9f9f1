// The first visit: what to do next.

import { run } from "./harness.mjs";

await run(async (console) => {
  const page = await console.window();
  await console.signIn(page);
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  await console.picture(page, "overview-first");
  const heading = await page.locator(".empty h2").innerText();
  return { heading };
});
