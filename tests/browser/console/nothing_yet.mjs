// An organization in which nothing has happened: each page says what to do next.

import { run } from "./harness.mjs";

await run(async (console) => {
  const page = await console.window();
  await console.signIn(page, { next: "/console/sessions" });
  const sessions = await page.locator(".empty").innerText();
  await console.picture(page, "sessions-empty");
  await page.getByRole("link", { name: "playground" }).last().click();
  await page.getByRole("heading", { name: "Playground" }).waitFor();
  const playground = await page.locator(".empty").innerText();
  await console.picture(page, "playground-empty");
  return { sessions, playground };
});
