// From an empty folder to a call that was heard, in a real browser, by the binary that is shipped.
//
// node test.mjs BINARY CHROMIUM FOLDER: screenshots go into FOLDER. Anything that is not as it should be ends it.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import axe from "axe-core";
import { chromium } from "playwright-core";
import { people } from "./people.mjs";
import { calls, startReceiver, startServer, vapiReport, within } from "./world.mjs";

const [binary, executablePath, folder] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const began = Date.now();
const server = await startServer(binary);
const receiver = await startReceiver();
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"] });
const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, timezoneId: "Europe/Berlin", locale: "en-US" });
const page = await context.newPage();
const wrong = [];
page.on("console", (line) => {
  // A page that says what is wrong is meant to have such a status.
  if (line.type() === "error" && !/status of (4|5)\d\d/.test(line.text())) wrong.push(`console: ${line.text()}`);
});
page.on("pageerror", (error) => wrong.push(`script: ${error}`));
page.on("request", (request) => {
  if (!request.url().startsWith(server.base)) wrong.push(`a request elsewhere: ${request.url()}`);
});
page.on("dialog", (dialog) => {
  if (dialog.type() === "alert") wrong.push(`somebody's script ran: ${dialog.message()}`);
  dialog.accept();
});

/** Opens a page and looks at it: light and dark, wide and narrow, for everybody, and not too heavy. */
async function look(name, path) {
  for (const theme of ["light", "dark"]) {
    await context.addCookies([{ name: "theme", value: theme, url: server.base }]);
    for (const width of [1280, 390]) {
      await page.setViewportSize({ width, height: width === 390 ? 844 : 860 });
      if (path) await page.goto(server.base + path);
      else await page.evaluate((theme) => (document.documentElement.dataset.theme = theme), theme);
      await page.evaluate(() => document.activeElement?.blur());
      await page.screenshot({ path: `${folder}/${name}-${width}-${theme}.png`, fullPage: true, animations: "disabled" });
      await page.evaluate(axe.source);
      const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
      for (const { id, impact, nodes } of violations) {
        if (impact === "serious" || impact === "critical") {
          wrong.push(`axe: ${name} ${theme} ${width}: ${id} (${impact}): ${nodes.map((node) => node.html.slice(0, 160)).slice(0, 3).join(" | ")}`);
        }
      }
    }
  }
  await page.setViewportSize({ width: 320, height: 700 });
  const across = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (across > 0) wrong.push(`${name}: ${across} px to scroll sideways at 320 px`);
  const weight = await page.evaluate(() => performance.getEntries()
    .filter((entry) => entry.transferSize && entry.initiatorType !== "audio").reduce((sum, entry) => sum + entry.encodedBodySize, 0));
  if (weight > 200_000) wrong.push(`${name}: ${weight} bytes`);
  await page.setViewportSize({ width: 1280, height: 860 });
  await context.addCookies([{ name: "theme", value: "light", url: server.base }]);
}

try {
  // Before there is an owner nothing opens.
  await page.goto(server.base + "/calls");
  assert.match(await page.textContent("h1"), /Not set up yet/);
  await look("01-not-set-up", "/sign-in");

  // The link from the terminal, once.
  await page.goto(server.link);
  assert.equal(await page.inputValue("[name=time_zone]"), "Europe/Berlin", "the browser's zone is offered");
  await look("02-setup", server.link.slice(server.base.length));
  await page.goto(server.link);
  await page.fill("[name=name]", "Harbor Plumbing");
  await page.fill("[name=email]", "owner@example.com");
  await page.fill("[name=password]", "correct horse battery");
  await page.fill("[name=country]", "de");
  await page.click("button[type=submit]");
  await page.waitForURL("**/settings/api*");
  await page.goto(server.link);
  assert.match(await page.textContent("h1"), /not good any more/);
  await look("03-error", "/calls/0197a3c4-0000-7000-8000-00000000dead");

  // A key, shown once, and the command beside it works unchanged.
  await page.goto(server.base + "/settings/api?first=1");
  await page.fill("[name=name]", "CRM sync");
  await page.click("text=Generate API key");
  const key = await page.textContent("#key");
  const command = await page.textContent("#curl");
  await look("04-key-made", null);
  const answer = JSON.parse(execFileSync("sh", ["-c", `${command} --silent --show-error --fail`], { encoding: "utf8" }));
  assert.deepEqual(answer.data, []);
  const seconds = (Date.now() - began) / 1000;
  assert.ok(seconds < 60, `from an empty folder to the first 200: ${seconds} s`);
  await page.goto(server.base + "/settings/api");
  assert.ok(!(await page.content()).includes(key), "the key is not shown again");
  await look("05-calls-empty", "/calls");
  await look("06-overview-empty", "/");
  for (const [number, name] of ["contacts", "leads", "appointments"].entries()) await look(`06-${number + 1}-${name}-empty`, `/${name}`);

  // Calls through the API, with webhooks that arrive and some that do not.
  const post = async (path, body) => {
    const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
    const response = await fetch(server.base + path, { method: "POST", headers, body: JSON.stringify(body) });
    assert.ok(response.ok, `POST ${path}: ${response.status} ${await response.clone().text()}`);
    return (await response.json()).data;
  };
  const subscribe = (path) => post("/v1/webhooks", { url: receiver.url(path), events: ["call.completed", "lead.created"] });
  // A tool is connected from the page: tried first, where nothing typed is lost, and then saved.
  await look("20-integrations-empty", "/settings/integrations");
  await page.goto(server.base + "/settings/integrations");
  await page.click("a[href$='tool=n8n']");
  await look("21-integration-form", null);
  await page.fill("[name=url]", receiver.url("/fails"));
  await page.fill("[name=description]", "Into the CRM");
  await page.click("button[value=test]");
  await page.waitForSelector("text=The test did not arrive");
  assert.match(await page.textContent("#test"), /503[\s\S]*the CRM is down for maintenance[\s\S]*call\.completed/);
  assert.equal(await page.inputValue("[name=description]"), "Into the CRM");
  await look("22-integration-test", null);
  await page.fill("[name=url]", receiver.url("/ok"));
  await page.click("button[value=test]");
  await page.waitForSelector("text=The test arrived");
  await page.click("button[value=save]");
  assert.match(await page.textContent("#secret"), /^whsec_/);
  await look("23-integration-made", null);
  await page.click("text=Open it");
  await page.waitForSelector("text=None yet");
  for (const call of calls().slice(0, -1)) await post("/v1/calls", call);
  // From here on little is sent: after five failures its circuit would be open, and nothing given up while the test runs.
  await subscribe("/fails");
  // A platform is connected from the page, which sees by itself what arrives, and says why it was refused.
  await look("24-sources-empty", "/settings/sources");
  await look("25-source-choice", "/settings/sources/new");
  await page.click("text=Vapi");
  await look("26-source-form", null);
  await page.click("text=Get the address");
  await page.waitForSelector("text=Waiting for the first event");
  const [address, secret] = [await page.textContent("#url"), await page.textContent("#secret")];
  await look("27-source-made", null);
  const tell = (shown) => fetch(address, {
    method: "POST",
    headers: { "content-type": "application/json", "x-vapi-secret": shown },
    body: JSON.stringify(vapiReport(receiver.url("/call.wav"))),
  });
  assert.equal((await tell("not the secret")).status, 401);
  await page.waitForSelector("text=It did not get through");
  assert.equal(await page.textContent("#secret"), secret, "what is shown once stays until one leaves");
  const told = await tell(secret);
  assert.equal(told.status, 200, await told.text());
  await page.waitForSelector("text=The platform is connected");
  const platform = `/settings/sources/${address.split("/").at(-1)}`;
  await look("28-source", platform);
  await look("29-sources", "/settings/sources");
  await page.goto(`${server.base}${platform}?outcome=rejected`);
  await page.click(".inbound .row-link");
  await page.waitForSelector("text=its sender was not proven");
  await look("30-source-event", new URL(page.url()).pathname);
  await page.goto(`${server.base}${platform}?outcome=accepted`);
  await page.click(".inbound .row-link");
  await page.click("text=Read it again");
  await page.waitForSelector("text=It was read again just now");
  await look("31-source-event-read", null);
  await post("/v1/calls", calls().at(-1));

  // The list.
  await page.goto(server.base + "/calls");
  const first = page.locator(".row").first();
  assert.match(await first.textContent(), /Marta Oliveira[\s\S]*In progress/);
  const row = page.locator(".row", { hasText: "Dana Whitfield" });
  assert.match(await row.textContent(), /burst[\s\S]*Urgent[\s\S]*Completed/);
  assert.equal(await page.title(), "Calls · InboundFlow", "no caller changes the title");
  await look("07-calls", "/calls");
  await look("08-calls-search", "/calls?q=boiler");
  assert.match(await page.locator("mark").first().textContent(), /^boiler/);
  await look("09-calls-no-hit", "/calls?q=zeppelin");
  await page.click("text=Clear the filters");
  assert.equal(new URL(page.url()).search, "");

  // By keys alone to a call, once the page's script is there.
  await page.waitForLoadState();
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/calls/*");
  assert.match(await page.textContent("h1"), /Dana Whitfield/);

  // The recording, in step with the transcript.
  await within("the recording is there", async () => {
    await page.reload();
    return page.locator("audio").count();
  });
  await page.click("[data-seek='11.20']");
  await within("the turn is marked", () => page.locator(".turn[aria-current]", { hasText: "it's stuck" }).count());
  assert.ok((await page.evaluate(() => document.querySelector("audio").currentTime)) >= 11);
  await page.evaluate(() => document.querySelector("audio").pause());
  const pipe = new URL(page.url()).pathname;
  await look("10-call", pipe);
  await page.goto(server.base + pipe);
  await page.click("text=end-of-call-report");
  await page.waitForSelector("text=customer-ended-call");
  await look("10-call-message", new URL(page.url()).pathname);
  await page.goto(server.base + pipe);
  await page.click("text=Mark reviewed");
  await page.waitForSelector("text=Mark as not reviewed");

  // What callers say stays text.
  await page.goto(server.base + "/calls");
  await page.click("text=Robert");
  await page.waitForURL("**/calls/*");
  assert.match(await page.textContent(".turns"), /<iframe src='https:\/\/example.com'><\/iframe> & <b>bold<\/b>/);
  await look("11-call-hostile", new URL(page.url()).pathname);

  // What was sent, and why it did not arrive.
  await within("a delivery was given up", async () => {
    await page.goto(server.base + "/deliveries?state=exhausted");
    return page.locator(".row").count();
  });
  await look("12-deliveries", "/deliveries");
  await page.goto(server.base + "/deliveries?state=exhausted");
  await page.click(".row-link >> nth=0");
  await page.waitForSelector("text=Given up");
  assert.match(await page.textContent("main"), /webhook-signature[\s\S]*maintenance/);
  await look("13-delivery", new URL(page.url()).pathname);
  await page.click("text=Resend now");
  await page.waitForLoadState();
  await look("32-integrations", "/settings/integrations");
  await page.goto(server.base + "/settings/integrations");
  await page.click(".endpoints .row-link >> nth=0");
  await page.waitForSelector("text=Last deliveries");
  await look("33-integration", new URL(page.url()).pathname);
  await page.click("text=Pause");
  await page.waitForSelector("text=Somebody paused it");
  await post("/v1/calls", { ...calls()[0], external_id: "while-paused" });
  await within("its webhook is held", async () => {
    await page.reload();
    return page.locator(".owed", { hasText: "1 held" }).count();
  });
  await look("34-integration-paused", new URL(page.url()).pathname);
  await page.click("text=Send none of them");
  await page.click("button:text-is('Enable')");
  await page.waitForSelector("text=It is told as things happen");
  await page.click("text=Make a new secret");
  await page.waitForSelector("#secret");
  await page.click("text=Delete this integration");
  await look("35-integration-secret", null);
  await page.click("text=Delete it for good");
  await page.waitForURL("**/settings/integrations");
  await people({ browser, context, page, server, look, post });
  await look("14-overview", "/");
  await look("15-keys", "/settings/api");
  await page.goto(server.base + "/settings/api");
  await page.click("button.danger");
  await page.waitForSelector("text=Revoked");
  const refused = await page.request.get(server.base + "/v1/calls", { headers: { authorization: `Bearer ${key}` } });
  assert.equal(refused.status(), 401);

  // The documentation: what is copied from it works here, one language shows at a time, and words are found.
  await page.goto(server.base + "/docs/api/calls");
  const sample = page.locator(".samples").first();
  assert.match(await sample.locator("pre:visible").textContent(), new RegExp(`^curl '${server.base}/v1/calls`));
  await sample.locator("summary", { hasText: "Python" }).click();
  assert.match(await sample.locator("pre:visible").textContent(), /^import os/);
  await look("40-docs-reference", null);
  await look("41-docs", "/docs");
  await look("42-docs-webhooks", "/docs/webhooks");
  await page.goto(server.base + "/docs");
  await page.fill("#q", "secret rotation");
  await page.press("#q", "Enter");
  await page.waitForSelector("mark");
  await look("43-docs-search", new URL(page.url()).pathname + new URL(page.url()).search);
  await page.goto(server.base + "/settings/api");

  // Out, wrong, and in again where one wanted to go.
  await page.click("text=Sign out");
  await look("16-sign-in", "/sign-in");
  await page.goto(server.base + "/calls?view=needs_review");
  await page.fill("[name=email]", "owner@example.com");
  await page.fill("[name=password]", "not the password");
  await page.click("button[type=submit]");
  await page.waitForSelector("[role=alert]");
  await page.fill("[name=password]", "correct horse battery");
  await page.click("button[type=submit]");
  await page.waitForURL("**/calls?view=needs_review");
  assert.deepEqual(wrong, [], "nothing was wrong on the way");
  console.log(`browser: every step worked; the first 200 came after ${seconds.toFixed(1)} s; screenshots are in ${folder}`);
} catch (error) {
  await page.screenshot({ path: `${folder}/failed.png`, fullPage: true }).catch(() => {});
  console.error(server.log());
  console.error(wrong);
  throw error;
} finally {
  await browser.close();
  receiver.stop();
  await server.stop();
}
