// Somebody who may only read: nothing is offered that the server would refuse, and the server refuses it anyway.

import { run } from "./harness.mjs";

await run(async (console) => {
  const page = await console.window({ expects: [403] });
  await console.signIn(page, { email: console.task.viewer, next: "/console/playground" });
  await page.getByRole("heading", { name: "Playground" }).waitFor();
  const issue = await page.getByRole("button", { name: "Issue the token" }).count();
  const preview = await page.locator("#decision").innerText();
  await page.goto("/console/sessions");
  const session = await page.locator("tbody a").first().getAttribute("href");
  const all = await page.getByRole("link", { name: "Revoke a user's sessions" }).count();
  await page.goto(session);
  const one = await page.getByRole("heading", { name: "Revoke" }).count();

  // The very requests that the buttons would send, with a good token of the forms.
  const sent = async (path, fields) => {
    const post = async ([to, pairs]) => {
      const token = document.querySelector("input[name=_csrf]").value;
      const body = new URLSearchParams({ _csrf: token, ...pairs });
      const { status } = await fetch(to, { method: "POST", body, redirect: "manual" });
      return status;
    };
    return page.evaluate(post, [path, fields]);
  };
  const statuses = [
    await sent(`${session}/revoke`, {}),
    await sent("/console/sessions/revoke", { subject: "user-1", confirmation: "user-1" }),
    await sent("/console/playground/issue", { key: console.task.chosen, subject: "u", role: "viewer" }),
  ];
  return { issue, preview, all, one, statuses };
});
