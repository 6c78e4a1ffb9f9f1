// Somebody has stored a script in every text that the console shows. It is shown, and is never more than text.

import { run } from "./harness.mjs";

await run(async (console) => {
  const { script, pages } = console.task;
  // Browsers send a name without the characters that a header cannot have.
  const page = await console.window({ agent: script });
  await console.signIn(page, { next: "/console/profile" });
  const shown = {};
  for (const path of pages) {
    await page.goto(path);
    await page.evaluate(() => {
      for (const details of document.querySelectorAll("details")) details.open = true;
    });
    shown[path] = await page.evaluate((script) => {
      // What a form holds is no text of the page.
      const fields = [...document.querySelectorAll("input, textarea")].map(({ value }) => value);
      const text = [document.body.innerText, ...fields].join("\n");
      return { times: text.split(script).length - 1, title: document.title.includes(script) };
    }, script);
    const alive = await page.evaluate(() => window.pwned !== undefined || document.querySelector("img[src=x], script:not([src])") !== null);
    if (alive) console.fault(`${path}: the script is one`);
  }
  return shown;
});
