// A service account is added, gets a key, is renamed, suspended, activated and removed. Without JavaScript.

import { run } from "./harness.mjs";

await run(async (console) => {
  const page = await console.window({ expects: [422] });
  await console.signIn(page, { next: "/console/service-accounts" });
  await page.getByRole("heading", { name: "There are no service accounts yet" }).waitFor();
  await console.picture(page, "service-accounts-empty");

  const plain = await console.window({ javascript: false, expects: [422] });
  await console.signIn(plain, { next: "/console/service-accounts" });
  await plain.getByLabel("Name", { exact: true }).fill("   ");
  await plain.getByRole("button", { name: "Add" }).click();
  const nameless = await plain.locator("#name-error").innerText();
  await plain.getByLabel("Name", { exact: true }).fill("Reports");
  await plain.getByRole("button", { name: "Add" }).click();
  await plain.getByText("The service account was made.").waitFor();
  const address = new URL(plain.url()).pathname;
  await plain.getByRole("link", { name: "Make a key for it" }).click();
  const owner = await plain.locator("#owner option:checked").innerText();
  await plain.getByLabel("Name", { exact: true }).fill("Reports key");
  await plain.getByRole("button", { name: "Generate" }).click();
  const key = await plain.getByLabel("API key", { exact: true }).inputValue();

  const ask = async () => {
    const answer = await fetch(`${console.task.url}/v1/account`, { headers: { "x-api-key": key } });
    return answer.status;
  };
  const ready = () => fetch(`${console.task.url}/readyz`);
  await page.goto(address);
  await page.getByRole("link", { name: "Reports key" }).waitFor();
  await console.picture(page, "service-account");
  await page.getByLabel("Name", { exact: true }).fill("Nightly reports");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("status").getByText("was changed").waitFor();
  await page.getByRole("button", { name: "Suspend" }).click();
  await page.getByRole("status").getByText("Its keys are refused").waitFor();
  await ready();
  const while_suspended = await ask();
  await page.getByRole("button", { name: "Activate" }).click();
  await page.getByRole("status").getByText("active again").waitFor();
  await ready();
  const when_active = await ask();

  await page.goto("/console/service-accounts?search=NIGHTLY");
  await page.getByRole("link", { name: "Nightly reports" }).waitFor();
  await console.picture(page, "service-accounts");
  await page.getByRole("link", { name: "Nightly reports" }).click();
  await page.locator("summary", { hasText: "Remove the service account" }).click();
  const stops = await page.locator("details", { hasText: "Remove the service account" }).innerText();
  await page.getByLabel("The account's name, to confirm").fill("Reports");
  await page.getByRole("button", { name: "Remove", exact: true }).click();
  await page.locator("#confirmation-error").waitFor();
  await console.picture(page, "service-account-remove-refused");
  await page.getByLabel("The account's name, to confirm").fill("Nightly reports");
  await page.getByRole("button", { name: "Remove", exact: true }).click();
  await page.getByRole("status").getByText("was removed").waitFor();
  return { nameless, owner, key, while_suspended, when_active, stops };
});
