// Somebody who may only look: everything is there, no button is, and what is posted anyway is refused.

import { run } from "./harness.mjs";

await run(async (console) => {
  const page = await console.window({ expects: [403] });
  await console.signIn(page, { email: console.task.viewer, next: "/console/policy" });
  await page.getByRole("heading", { name: "Policy", exact: true }).waitFor();
  const links = await page.locator("main a.button").allInnerTexts();
  await console.picture(page, "policy-viewer");
  await page.getByRole("link", { name: "viewer", exact: true }).click();
  await page.getByLabel("Description").waitFor();
  const disabled = await page.getByLabel("Description").isDisabled();
  const buttons = await page.locator("main button").count();
  await page.goto("/console/policy/yaml");
  const readonly = await page.getByLabel("Policy", { exact: true }).getAttribute("readonly");
  const checks = await page.locator("main button").count();
  const csrf = await page.locator("input[name=_csrf]").first().getAttribute("value");
  const statuses = [];
  for (const [path, form] of [
    ["/console/policy/new-role", { version: "0", name: "mine" }],
    ["/console/policy/roles/viewer/delete", { version: "0" }],
    ["/console/policy/yaml", { text: "roles: []", version: "0", last: "1000", do: "check" }],
    [`${console.task.audience}/keys/rotate`, {}],
    [`${console.task.audience}/sample`, {}],
    [`${console.task.audience}/delete`, { confirmation: "x" }],
  ]) {
    const status = await page.evaluate(
      async ([path, form]) => {
        const answer = await fetch(path, { method: "POST", body: new URLSearchParams(form), redirect: "manual" });
        return answer.status;
      },
      [path, { _csrf: csrf, ...form }],
    );
    statuses.push(status);
  }
  await page.goto(console.task.audience);
  await page.getByRole("heading", { name: "Signing keys" }).waitFor();
  const audience = await page.locator("main button:not([data-copy]), main a.button").count();
  await page.goto("/console/policy/new-role");
  const refused = await page.locator("main").innerText();
  return { links, disabled, buttons, readonly, checks, statuses, audience, refused };
});
