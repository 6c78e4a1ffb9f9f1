// What three tokens and two refusals look like, with and without JavaScript; and what a viewer does not see.

import { run } from "./harness.mjs";

await run(async (console) => {
  const page = await console.window();
  await console.signIn(page);
  const hour = await page.locator("#hour-chart-wide-desc").textContent();
  const day = await page.locator("#day-chart-wide-desc").textContent();
  await page.locator("section[aria-labelledby=hour-heading] summary").click();
  const rows = await page.locator("section[aria-labelledby=hour-heading] tbody tr").all();
  let issued = 0;
  let refused = 0;
  for (const row of rows) {
    const [left, right] = await row.locator("td").allInnerTexts();
    issued += Number(left);
    refused += Number(right);
  }
  const card = (heading) => page.locator("section.card", { has: page.getByRole("heading", { name: heading, exact: true }) });
  const refusals = await card("Refused in the last 24 hours, by reason").innerText();
  const busiest = await card("Busiest keys").innerText();
  const expiring = await card("Keys that end within 7 days").innerText();
  const servers = await card("Servers").innerText();
  await console.picture(page, "overview-quiet");

  await page.getByRole("link", { name: "unknown_role" }).click();
  await page.getByRole("heading", { name: "What refusals mean" }).waitFor();
  const meaning = await page.locator("tr:target th").innerText();
  await console.picture(page, "reasons");

  const plain = await console.window({ javascript: false });
  await console.signIn(plain);
  await plain.locator("#hour-heading").waitFor();

  const other = await console.window();
  await console.signIn(other, { email: "vera@acme.example" });
  await other.locator("#hour-heading").waitFor();
  const viewer = await other.getByRole("heading", { name: "Servers" }).count();
  return { hour, day, table: `${issued} ${refused}`, refusals, busiest, expiring, servers, meaning, viewer_sees_servers: viewer };
});
