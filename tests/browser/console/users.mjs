// A user is added with a password that is shown once, found, edited, suspended, given a new password; another one loses the
// second factor and is removed, with a key that stops working. A viewer sees the list and changes nothing.

import { run } from "./harness.mjs";

await run(async (console) => {
  const page = await console.window({ expects: [403, 409, 422] });
  await console.signIn(page, { next: "/console/users" });
  await page.getByRole("heading", { name: "Users" }).waitFor();
  await console.picture(page, "users");

  await page.getByRole("link", { name: "Add a user" }).click();
  await console.picture(page, "user-new");
  await page.getByLabel("E-mail address").fill("nobody");
  await page.getByRole("button", { name: "Add the user" }).click();
  const invalid = await page.locator("#email-error").innerText();
  await console.picture(page, "user-new-refused");
  await page.getByLabel("E-mail address").fill("grace@acme.example");
  await page.getByRole("button", { name: "Add the user" }).click();
  const taken = await page.getByRole("alert").innerText();
  await page.getByLabel("E-mail address").fill("heidi@acme.example");
  await page.getByLabel("Name", { exact: true }).fill("Heidi <b>Hall</b>");
  await page.getByRole("radio", { name: /^viewer/ }).check();
  await page.getByRole("button", { name: "Add the user" }).click();
  await page.getByRole("heading", { name: "The user was added" }).waitFor();
  const password = await page.getByLabel("Password", { exact: true }).inputValue();
  await console.picture(page, "user-password");
  await page.getByRole("button", { name: "Copy and close" }).click();
  await page.getByRole("heading", { name: "Heidi <b>Hall</b>" }).waitFor();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  const shown_again = (await page.content()).includes(password);
  await console.picture(page, "user");

  const hers = await console.window();
  await console.signIn(hers, { email: "heidi@acme.example", password });
  await hers.getByRole("heading", { name: "Overview" }).waitFor();

  await page.getByLabel("Name", { exact: true }).fill("Heidi Hall");
  await page.getByRole("radio", { name: /^member/ }).check();
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("status").getByText("The user was changed.").waitFor();
  await page.getByRole("button", { name: "Suspend" }).click();
  await page.getByRole("status").getByText("suspended").waitFor();
  await hers.goto("/console");
  await hers.waitForURL("**/console/sign-in");
  await page.getByRole("button", { name: "Activate" }).click();
  await page.getByRole("status").getByText("active again").waitFor();
  await page.locator("summary", { hasText: "Reset the password" }).click();
  await page.getByRole("button", { name: "Make a new password" }).click();
  await page.getByRole("heading", { name: "The new password" }).waitFor();
  const reset = await page.getByLabel("Password", { exact: true }).inputValue();
  await page.getByRole("link", { name: "Close" }).click();
  await console.signIn(hers, { email: "heidi@acme.example", password: reset });

  await page.goto("/console/users");
  await page.getByLabel("Search").fill("HALL");
  await page.getByRole("button", { name: "Show" }).click();
  const found = await page.locator("tbody").innerText();

  // The last owner stays.
  await page.goto("/console/users");
  await page.getByRole("link", { name: "ada@acme.example" }).click();
  await page.getByRole("radio", { name: /^viewer/ }).check();
  await page.getByRole("button", { name: "Save" }).click();
  const last_owner = await page.getByRole("alert").innerText();

  await page.goto(`/console/users/${console.task.grace}`);
  await page.locator("summary", { hasText: "Remove the second factor" }).click();
  await page.getByRole("button", { name: "Remove it" }).click();
  await page.getByRole("status").getByText("without a code").waitFor();
  await page.locator("summary", { hasText: "Remove the user" }).click();
  const stops = await page.locator("details", { hasText: "Remove the user" }).innerText();
  await console.picture(page, "user-remove");
  await page.getByLabel("The user's e-mail address, to confirm").fill("heidi@acme.example");
  await page.getByRole("button", { name: "Remove", exact: true }).click();
  await page.locator("#confirmation-error").waitFor();
  await page.getByLabel("The user's e-mail address, to confirm").fill("grace@acme.example");
  await page.getByRole("button", { name: "Remove", exact: true }).click();
  await page.getByRole("status").getByText("removed").waitFor();

  const other = await console.window({ expects: [403] });
  await console.signIn(other, { email: "vera@acme.example", next: "/console/users" });
  await other.getByRole("heading", { name: "Users" }).waitFor();
  const viewer_adds = await other.getByRole("link", { name: "Add a user" }).count();
  const viewer_status = (await other.goto("/console/users/new")).status();
  return { invalid, taken, password, copied, shown_again, found, reset, last_owner, stops, viewer_adds, viewer_status };
});
