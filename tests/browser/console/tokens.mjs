// The token inspector: every text of the task, and what is told about it.

import { run } from "./harness.mjs";

await run(async (console) => {
  const page = await console.window({ expects: [422] });
  await console.signIn(page, { next: "/console/tokens" });
  await console.picture(page, "tokens");
  const told = {};
  for (const [name, text] of Object.entries(console.task.texts)) {
    await page.getByLabel("Token", { exact: true }).fill(text);
    const answered = page.waitForResponse((it) => it.request().method() === "POST");
    await page.getByRole("button", { name: "Inspect" }).click();
    const response = await answered;
    await page.locator("#found").waitFor();
    const content = await page.content();
    told[name] = {
      text: await page.locator("main").innerText(),
      cache: response.headers()["cache-control"],
      echoed: content.includes(text),
      address: page.url(),
    };
    await console.picture(page, `tokens-${name}`);
  }
  await page.getByLabel("Token", { exact: true }).fill(" ");
  await page.getByRole("button", { name: "Inspect" }).click();
  told.empty = await page.locator("#token-error").innerText();
  return told;
});
