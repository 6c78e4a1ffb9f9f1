// A person's own page: a new password, a second factor, recovery codes, sessions in other browsers.

import { createHmac } from "node:crypto";
import { run } from "./harness.mjs";

const PROFILE = "/console/profile";
const NEW_PASSWORD = "another horse, another staple";

/** RFC 6238 with SHA-1, six digits and 30 seconds, of the step so many steps from now. */
function totp(secret, steps = 0) {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...secret.replaceAll(" ", "")].map((letter) => alphabet.indexOf(letter).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const mac = createHmac("sha1", key).update(counter).digest();
  const number = mac.readUInt32BE(mac[19] & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, "0");
}

async function credentials(console, page, password) {
  await page.goto("/console/sign-in?next=/console/profile");
  await page.getByLabel("E-mail address").fill(console.task.email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

async function enter(page, code) {
  await page.getByLabel("Code", { exact: true }).fill(code);
  await page.getByRole("button", { name: "Sign in" }).click();
}

await run(async (console) => {
  const page = await console.window({ expects: [401, 422], agent: "Browser One" });
  const other = await console.window({ agent: "Browser Two <script>alert(1)</script>" });
  await console.signIn(page, { next: PROFILE });
  await console.signIn(other, { next: PROFILE });
  await page.reload();
  await page.getByText("Browser Two <script>alert(1)</script>").waitFor();
  await console.picture(page, "profile");

  await page.getByLabel("Present password").fill("wrong horse battery staple");
  await page.getByLabel("New password", { exact: true }).fill(NEW_PASSWORD);
  await page.getByLabel("New password, again").fill(NEW_PASSWORD);
  await page.getByRole("button", { name: "Change password" }).click();
  await page.locator("#current-error").waitFor();
  await console.picture(page, "profile-refused");
  await page.getByLabel("Present password").fill(console.task.password);
  await page.getByLabel("New password", { exact: true }).fill(NEW_PASSWORD);
  await page.getByLabel("New password, again").fill(NEW_PASSWORD);
  await page.getByRole("button", { name: "Change password" }).click();
  await page.getByRole("status").getByText("Your password was changed").waitFor();
  await other.goto(PROFILE);
  const otherEnded = new URL(other.url()).pathname;

  await page.getByRole("button", { name: "Set up" }).click();
  const secret = await page.locator("#totp-secret").innerText();
  await console.picture(page, "second-factor");
  await page.getByLabel("The code that the app shows now").fill("000000");
  await page.getByRole("button", { name: "Confirm" }).click();
  await page.locator("#code-error").waitFor();
  // Each code works once, and those of the steps beside the present one work, too: the first is the step before.
  await page.getByLabel("The code that the app shows now").fill(totp(secret, -1));
  await page.getByRole("button", { name: "Confirm" }).click();
  await page.getByRole("heading", { name: "Your recovery codes" }).waitFor();
  const codes = (await page.locator("#recovery-codes").innerText()).trim().split("\n");
  await console.picture(page, "recovery-codes");
  await page.getByRole("link", { name: "I have kept them" }).click();
  await console.picture(page, "profile-second-factor");
  await page.getByRole("button", { name: "Sign out", exact: true }).click();

  await credentials(console, page, NEW_PASSWORD);
  await page.getByRole("heading", { name: "Your code" }).waitFor();
  await console.picture(page, "code");
  await enter(page, "123456");
  await page.getByRole("alert").waitFor();
  await enter(page, codes[0]);
  await page.waitForURL(`**${PROFILE}`);
  await page.getByText("9 of 10 recovery codes are left").waitFor();

  // In the other browser the same recovery code does nothing; the app's does.
  await credentials(console, other, NEW_PASSWORD);
  const before = console.faults.length;
  await enter(other, codes[0]);
  await other.getByRole("alert").waitFor();
  console.faults.splice(before);
  await enter(other, totp(secret));
  await other.waitForURL(`**${PROFILE}`);

  await page.reload();
  await page.getByRole("button", { name: /^End/ }).click();
  await page.getByRole("status").getByText("The session has ended").waitFor();
  await other.goto(PROFILE);
  const endedOne = new URL(other.url()).pathname;

  await page.locator("summary", { hasText: "Remove the second factor" }).click();
  await page.locator("#remove-code").fill(codes[1]);
  await page.getByRole("button", { name: "Remove", exact: true }).click();
  await page.getByRole("status").getByText("Your second factor was removed").waitFor();
  await console.signIn(other, { password: NEW_PASSWORD, next: PROFILE });
  await page.getByRole("button", { name: "Sign out everywhere" }).click();
  await page.getByRole("status").getByText("signed out in every browser").waitFor();
  await other.goto(PROFILE);
  const endedAll = new URL(other.url()).pathname;
  return { secret, codes, otherEnded, endedOne, endedAll };
});
