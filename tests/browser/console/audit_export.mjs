// A large file: with JavaScript a bar tells how far it is, without it comes as any link does.

import { readFile } from "node:fs/promises";
import { run } from "./harness.mjs";

const lines = async (page) => {
  const link = page.getByRole("link", { name: "Export JSON" });
  const [download] = await Promise.all([page.waitForEvent("download"), link.click()]);
  const text = await readFile(await download.path(), "utf8");
  return text.trimEnd().split("\n").length;
};

await run(async (console) => {
  const page = await console.window();
  await console.signIn(page, { next: "/console/audit?noun=audience" });
  const whole = await lines(page);
  await page.getByText("The file is ready.").waitFor();
  const progress = await page.getByRole("progressbar").evaluate((bar) => bar.value);
  await console.picture(page, "audit-export");

  const plain = await console.window({ javascript: false });
  await console.signIn(plain, { next: "/console/audit?noun=audience" });
  return { lines: whole, progress, plain: await lines(plain) };
});
