// The browser of the tests: Chromium, which resolves no name and reaches nothing but 127.0.0.1.

import { chromium } from "playwright-core";

export function launch() {
  const root = process.getuid() === 0;
  return chromium.launch({
    executablePath: process.env.JETON_TEST_CHROMIUM,
    // Chromium refuses to run its sandbox as root.
    chromiumSandbox: !root,
    args: [
      ...(root ? ["--no-sandbox"] : []),
      "--disable-gpu",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--no-first-run",
      "--disable-quic",
      "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    ],
  });
}
