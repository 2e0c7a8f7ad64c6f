// Playwright: a login by e-CPS without a phone, without a sleep.
// READY names ready.json of the data folder. playwright-core drives the
// Chromium that is installed; with the package playwright leave executablePath out.
import { readFileSync } from "node:fs";
import { chromium } from "playwright-core";

const psc = JSON.parse(readFileSync(process.env.READY));
const api = async (method, path, body) => {
  const answer = await fetch(psc.api_url + path, { method, headers: { Authorization: `Bearer ${psc.api_token}`, "Content-Type": "application/json" }, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method} ${path}: ${await answer.text()}`);
  return answer.status === 204 ? null : answer.json();
};

// Each suite has an emulator of its own, so suites run side by side.
const space = await api("POST", "/spaces", {});
Object.assign(psc, { api_url: space.api_url, api_token: space.api_token });
const person = (await api("POST", "/identities/generate", { count: 1, seed: 1, profession: "10" })).items[0].national_id;
await api("PUT", `/identities/${person}/ecps/behaviour`, { action: "approve", after: "300ms" });

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
try {
  const page = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage();
  await page.goto(`${space.console_url}/demo/start`);
  await page.getByTestId("national-id").fill(person);
  await page.getByTestId("submit-ecps").click();
  await page.getByTestId("demo-logged-in").waitFor();
} finally {
  await browser.close();
}
const verdict = await api("POST", "/verify", { identity: person, expect: ["pkce=S256", "state", "nonce", "mtls", "userinfo=1", "no-refusal"] });
if (!verdict.ok) throw new Error(JSON.stringify(verdict, null, 2));
await fetch(`${JSON.parse(readFileSync(process.env.READY)).api_url}/spaces/${space.name}`, { method: "DELETE", headers: { Authorization: `Bearer ${JSON.parse(readFileSync(process.env.READY)).api_token}` } });
console.log("playwright: ok");
