// The product pages that this console grew from, step by step: four products, each with its own way to a key.

import { run } from "./harness.mjs";

const secretOf = (page) => page.getByLabel("API key", { exact: true }).inputValue();

/** Profile → Integrations: generate, name, copy and close; see it in the list; delete it there. */
async function generateCopyAndDelete(console) {
  const page = await console.window();
  await console.signIn(page);
  await page.getByRole("link", { name: "Profile" }).first().click();
  await page.getByRole("main").getByRole("link", { name: "API keys" }).click();
  await page.getByRole("link", { name: "Generate API key" }).first().click();
  await page.getByLabel("Name", { exact: true }).fill("Labelling pipeline");
  await page.getByRole("button", { name: "Generate" }).click();
  const secret = await secretOf(page);
  await page.getByText("It cannot be shown again").waitFor();
  await page.getByRole("button", { name: "Copy and close" }).click();
  const row = page.locator("tbody tr", { hasText: "Labelling pipeline" });
  await row.waitFor();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  const listed = await row.innerText();
  // The key works as the page says: whose it is.
  const authorization = `ApiKey ${copied}`;
  const account = await fetch(`${console.task.url}/v1/account`, { headers: { authorization } });
  const { owner } = await account.json();
  await row.getByRole("link", { name: "Labelling pipeline" }).click();
  await page.locator("summary", { hasText: "Delete" }).click();
  await page.getByLabel("The key's name, to confirm").fill("Labelling pipeline");
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("status").getByText("deleted").waitFor();
  const after = await fetch(`${console.task.url}/v1/account`, { headers: { authorization } });
  await page.context().close();
  return { same: secret === copied, listed, status: account.status, owner: owner.name, after: after.status };
}

/** Profile → Tokens: a name and a validity; the key is listed with its end. */
async function nameAndValidity(console) {
  const page = await console.window();
  await console.signIn(page, { next: "/console/profile" });
  await page.getByRole("main").getByRole("link", { name: "API keys" }).click();
  await page.getByRole("link", { name: "Generate API key" }).first().click();
  await page.getByLabel("Name", { exact: true }).fill("token_ad9baade");
  await page.getByLabel("On a day").check();
  await page.getByLabel("Last day (UTC)").fill("2099-08-10");
  await page.getByRole("button", { name: "Generate" }).click();
  const secret = await secretOf(page);
  await page.getByRole("link", { name: "Close" }).click();
  const time = page.locator("tbody tr", { hasText: "token_ad9baade" }).getByRole("time").last();
  const end = await time.getAttribute("datetime");
  await page.context().close();
  return { secret, end };
}

/** My Profile → API Token Management: name, expiry, read and write; examples; nothing reappears after going back. */
async function permissionsAndExamples(console) {
  const page = await console.window({ javascript: false });
  await console.signIn(page, { next: "/console/profile/api-keys/new" });
  await page.getByLabel("Name", { exact: true }).fill("Registry client");
  await page.getByLabel("1 year").check();
  await page.getByLabel("Read and write").check();
  await page.getByRole("button", { name: "Generate" }).click();
  const secret = await secretOf(page);
  const languages = await page.locator(".tabs > label").allInnerTexts();
  const shown = await page.locator(".tabs > .tab:visible code").innerText();
  await page.getByRole("link", { name: "Close" }).click();
  const row = await page.locator("tbody tr", { hasText: "Registry client" }).innerText();
  await page.getByRole("link", { name: "Registry client" }).click();
  const reappears = (await page.content()).includes(secret);
  await page.context().close();
  return { languages, filledIn: shown.includes(secret), row, reappears };
}

/** Account settings → API Keys → Create: the key is the master credential for embed tokens. */
async function masterCredential(console) {
  const page = await console.window();
  await console.signIn(page, { next: "/console/profile/api-keys" });
  await page.getByRole("link", { name: "Generate API key" }).first().click();
  await page.getByLabel("Name", { exact: true }).fill("Embedding backend");
  await page.getByLabel("Issue session tokens").check();
  await page.getByRole("button", { name: "Generate" }).click();
  const secret = await secretOf(page);
  await page.getByText("never in a page, an app or a repository").waitFor();
  await page.getByRole("button", { name: "Copy and close" }).click();
  await page.getByRole("link", { name: "Embedding backend" }).waitFor();
  const issue = await fetch(`${console.task.url}/v1/session-tokens`, {
    method: "POST",
    headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
    body: JSON.stringify({ user: { id: "user-42", roles: ["viewer"], attributes: { tenant_id: "t-1" } } }),
  });
  const { token } = await issue.json();
  await page.reload();
  const used = await page.locator("tbody tr", { hasText: "Embedding backend" }).innerText();
  await page.context().close();
  return { status: issue.status, token, used };
}

await run(async (console) => ({
  generated: await generateCopyAndDelete(console),
  valid: await nameAndValidity(console),
  registry: await permissionsAndExamples(console),
  master: await masterCredential(console),
}));
