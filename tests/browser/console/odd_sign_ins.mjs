// Round trips that are wrong in one way at a time, past a provider that answers whatever is wanted; states of other browsers,
// used ones, and invented ones; and a provider like GitHub.

import { ORIGIN, run } from "./harness.mjs";

const NEXT = "/console/profile/api-keys";
const ATTEMPT = "__Host-jeton-attempt";
const SESSION = "__Host-jeton-session";
const WRONG = [
  "nonce", "no nonce", "issuer", "audience", "two audiences", "authorized party", "expired", "no subject", "another key",
  "unknown key", "altered", "alg none", "alg HS256", "no ID token", "other subject", "answer's issuer",
  "no issuer in the answer", "no answer", "endless answer", "redirect",
];

let trips = 0;

await run(async (console) => {
  const { url, issuer } = console.task;
  const want = async (wanted) => {
    const answer = await fetch(`${issuer}/wanted`, { method: "POST", body: JSON.stringify(wanted) });
    return answer.json();
  };
  // Every trip is of another client, so that none is limited for the others' failures.
  const get = (address, headers = {}) => fetch(address, { redirect: "manual", headers });
  const setCookies = (answer) => Object.fromEntries(answer.headers.getSetCookie().map((line) => line.split(";")[0].split("=")));

  /** Leaves for the provider; answers with what a browser holds then. */
  async function leave(name = "odd") {
    trips += 1;
    const client = { "x-forwarded-for": `192.0.2.${trips}` };
    const left = await get(`${url}/console/sign-in/with/${name}?next=${NEXT}`, client);
    const cookies = setCookies(left);
    const at = left.headers.get("location");
    const back = await get(at);
    const { pathname, search } = new URL(back.headers.get("location"));
    return { client, cookies, at, lines: left.headers.getSetCookie(), callback: url + pathname + search };
  }

  async function arrive({ callback, client }, cookies) {
    const cookie = Object.entries(cookies).map(([name, value]) => `${name}=${value}`).join("; ");
    const end = await get(callback, { ...client, cookie });
    const body = await end.text();
    const { [SESSION]: session, ...others } = setCookies(end);
    return { status: end.status, location: end.headers.get("location"), session: Boolean(session), others, echoed: /script>document|owned/.test(body) };
  }

  async function trip(wanted, name) {
    await want(wanted);
    const left = await leave(name);
    return arrive(left, left.cookies);
  }

  const seen = { right: await trip({}), wrong: {} };
  for (const wrong of WRONG) seen.wrong[wrong] = await trip({ wrong });
  const before = await want({});
  seen.rotated = await trip({ wrong: "rotated" });
  const after = await want({});
  seen.discoveries = after.discoveries - before.discoveries;
  seen.elsewhere = after.elsewhere;
  seen.denied = await trip({ wrong: "error", error: "access_denied" });
  seen.unavailable = await trip({ wrong: "error", error: "temporarily_unavailable" });
  seen.strangeError = await trip({ wrong: "error", error: "<script>document.title='owned'</script>" });

  // What leaves with the browser.
  await want({});
  const left = await leave();
  const asked = new URL(left.at);
  seen.asked = Object.fromEntries(asked.searchParams);
  seen.cookie = left.lines.find((line) => line.startsWith(ATTEMPT)).replace(/=[0-9A-Za-z]{43};/, "=STATE;");
  seen.stateIsTheCookie = asked.searchParams.get("state") === left.cookies[ATTEMPT];

  const other = await leave();
  seen.states = {
    "no cookie": await arrive(left, {}),
    "another browser's cookie": await arrive(left, other.cookies),
    "the own one": await arrive(left, left.cookies),
    "once more": await arrive(left, left.cookies),
    "of another provider": await arrive({ ...other, callback: other.callback.replace("/callback/odd?", "/callback/octo?") }, other.cookies),
  };
  const invented = "A".repeat(43);
  const path = `${url}/console/sign-in/callback/odd`;
  for (const [name, query] of Object.entries({
    invented: `?code=x&state=${invented}`, "no state": "?code=x", empty: "?code=x&state=", nothing: "",
  })) {
    seen.states[name] = await arrive({ ...other, callback: path + query }, { [ATTEMPT]: invented });
  }
  seen.states["no such provider"] = await arrive({ ...other, callback: `${url}/console/sign-in/callback/nobody` }, {});

  // Somebody sends another person the end of a trip of their own.
  const victim = await console.window({ expects: [400] });
  const bait = await leave();
  await victim.goto(ORIGIN + bait.callback.slice(url.length));
  await victim.getByRole("heading", { name: "You are not signed in" }).waitFor();
  await console.picture(victim, "sign-in-of-another-browser");
  seen.victim = (await victim.context().cookies(ORIGIN)).map(({ name }) => name);

  // A provider like GitHub: its list of addresses decides.
  const address = (email, primary, verified) => ({ email, primary, verified, visibility: null });
  const spare = address("spare@acme.example", false, true);
  seen.octo = {
    unverified: await trip({ emails: [spare, address("octo@acme.example", true, false)] }, "octo"),
    none: await trip({ emails: [] }, "octo"),
    elsewhere: await trip({ emails: [spare, address("octo@elsewhere.example", true, true)] }, "octo"),
  };
  await want({ emails: [spare, address("octo@acme.example", true, true)] });
  const octo = await console.window();
  await octo.goto(`/console/sign-in?next=${encodeURIComponent(NEXT)}`);
  await octo.getByRole("link", { name: "Sign in with Octo" }).click();
  await octo.waitForURL(ORIGIN + NEXT);
  seen.octo.verified = await octo.locator(".viewer-name").innerText();
  return seen;
});
