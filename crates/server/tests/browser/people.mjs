// Contacts, leads and appointments, as the people of a business work with them every day.

import assert from "node:assert/strict";
import { within } from "./world.mjs";

/** Every step, over the calls that the test has made before. */
export async function people({ browser, context, page, server, look, post }) {
  await contacts({ page, server, look, post });
  await leads({ page, server, look });
  await withoutScript({ browser, context, server });
  await appointments({ page, server, look, post });
}

async function contacts({ page, server, look, post }) {
  await look("40-contacts", "/contacts");
  await look("41-contacts-no-hit", "/contacts?q=zeppelin");
  await page.goto(server.base + "/contacts");
  await page.waitForLoadState();
  await page.keyboard.press("/");
  await page.keyboard.type("555 0142");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/contacts?q=*");
  await page.waitForLoadState();
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.waitForURL(/contacts\/[0-9a-f-]{36}$/);
  assert.match(await page.textContent("h1"), /Dana Whitfield/);
  const dana = new URL(page.url()).pathname;
  await look("42-contact", dana);

  // A form that is wrong says where, and loses nothing.
  await page.goto(`${server.base}${dana}/edit`);
  await look("43-contact-edit", `${dana}/edit`);
  await page.goto(`${server.base}${dana}/edit`);
  await page.fill("[name=company]", "Whitfield & Daughters");
  await page.fill("[name=tags]", "landlord, north side");
  await page.fill("[name=other_phones]", "555");
  await page.click("button:text-is('Save')");
  await page.waitForSelector("text=is no phone number with its country");
  assert.equal(await page.inputValue("[name=company]"), "Whitfield & Daughters");
  await look("44-contact-edit-wrong", null);
  await page.fill("[name=other_phones]", "+1 415 555 0143");
  await page.click("button:text-is('Save')");
  await page.waitForURL(`**${dana}`);
  assert.match(await page.textContent("main"), /Whitfield & Daughters[\s\S]*north side/);

  // Another contact turns out to be the same person.
  await post("/v1/contacts", { name: "Dana W.", phone: "+14155550177", email: "office@whitfield.example", notes: "Side door, ring twice." });
  await page.click("text=Merge with another");
  await page.fill("[data-search]", "dana w");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/merge?q=*");
  await look("45-contact-merge-choice", `${dana}/merge?q=dana+w`);
  await page.goto(`${server.base}${dana}/merge?q=dana+w`);
  await page.click(".row-link >> nth=0");
  await page.waitForSelector("text=Afterwards");
  await look("46-contact-merge", new URL(page.url()).pathname + new URL(page.url()).search);
  await page.click("text=Merge them");
  await page.waitForURL(`**${dana}`);
  assert.match(await page.textContent("main"), /555-0177[\s\S]*Side door/);

  await page.click(".block-list li:last-child button");
  await page.waitForSelector("text=Unblock");
  await look("47-contact-blocked", dana);

  // One who wants to be forgotten.
  const gone = await post("/v1/contacts", { name: "Quentin Gone", phone: "+14155550178" });
  await post("/v1/calls", { external_id: "gone", caller_phone: "+14155550178", caller_name: "Quentin Gone", status: "completed",
    summary: "Asked to have his number removed.", intent: "Privacy" });
  await look("48-contact-erase", `/contacts/${gone.id}/erase`);
  await page.goto(`${server.base}/contacts/${gone.id}/erase`);
  await page.fill("[name=confirm]", "quentin");
  await page.click("text=Erase for good");
  await page.waitForSelector("text=Nothing was erased");
  await page.fill("[name=confirm]", "Quentin Gone");
  await page.click("text=Erase for good");
  await page.waitForURL("**/erasures/*");
  await within("the person is erased", () => page.locator("text=The person is erased").count());
  await look("49-erasure", new URL(page.url()).pathname);
  await page.goto(`${server.base}/contacts/${gone.id}`);
  assert.ok(!(await page.content()).includes("Quentin"));
  await page.goto(`${server.base}/calls?q=Quentin`);
  await page.waitForSelector("text=No call fits");
}

async function leads({ page, server, look }) {
  await look("50-leads", "/leads");
  await page.goto(server.base + "/leads");
  const column = (word) => page.locator(`[data-status=${word}]`);
  const dana = () => page.locator("[data-lead]", { hasText: "Dana" });
  // By the menu, by a key, and by hand.
  await dana().locator("summary").click();
  await look("51-leads-menu", null);
  await page.goto(server.base + "/leads");
  await dana().locator("summary").click();
  await dana().locator("button[value=contacted]").click();
  await page.waitForURL("**/leads#lead-*");
  await within("it stands there", () => column("contacted").locator("text=Dana").count());
  await within("one goes on from the card that was moved", () =>
    page.evaluate(() => /^Dana/.test(document.activeElement.textContent)));
  await page.waitForLoadState();
  await page.keyboard.press("3");
  await within("a digit moves it", () => column("qualified").locator("text=Dana").count());
  await page.waitForLoadState();
  await dana().dragTo(column("won"));
  await within("it is dragged", () => column("won").locator("text=Dana").count());
  await look("52-leads-table", "/leads?view=table");
  await look("53-leads-no-hit", "/leads?q=zeppelin");
  await page.goto(server.base + "/leads?view=table&status=won");
  assert.equal(await page.locator(".row").count(), 1);
  await page.click(".row-link");
  await page.waitForSelector("text=Where it comes from");
  const lead = new URL(page.url()).pathname;
  await look("54-lead", lead);
  await page.goto(server.base + lead);
  await page.click("a:has-text('Edit')");
  await look("55-lead-edit", `${lead}/edit`);
  await page.goto(`${server.base}${lead}/edit`);
  await page.fill("[name=notes]", "Wants the invoice by e-mail.");
  await page.click("button:text-is('Save')");
  await page.waitForSelector("text=Wants the invoice by e-mail.");
}

/** Reading and moving needs no script. */
async function withoutScript({ browser, context, server }) {
  const plain = await browser.newContext({ javaScriptEnabled: false, storageState: await context.storageState() });
  const page = await plain.newPage();
  await page.goto(server.base + "/leads");
  const card = page.locator("[data-lead]", { hasText: "Oliver Finch" });
  await card.locator("summary").click();
  await card.locator("button[value=lost]").click();
  await page.waitForURL("**/leads#lead-*");
  assert.equal(await page.locator("[data-status=lost]", { hasText: "Oliver Finch" }).count(), 1);
  await page.goto(server.base + "/appointments?view=month");
  assert.ok(await page.locator(".month td").count() >= 28);
  await plain.close();
}

async function appointments({ page, server, look, post }) {
  const at = (days, hour, minutes = 0) => {
    const day = new Date(Date.now() + days * 86_400_000);
    return new Date(Date.UTC(day.getUTCFullYear(), day.getUTCMonth(), day.getUTCDate(), hour, minutes)).toISOString();
  };
  const book = (title, days, hour, rest) => post("/v1/appointments",
    { title, starts_at: at(days, hour), ends_at: at(days, hour + 1), time_zone: "Europe/Berlin", ...rest });
  await book("Boiler service", 0, 14, { attendee_name: "Oliver Finch", location: "Unit 4, Dock Road" });
  await book("Quote for two boilers", 1, 8, { attendee_name: "Oliver Finch", status: "unconfirmed" });
  await book("Dripping tap", 1, 12, { attendee_name: "Priya Raman" });
  await book("Drain inspection", 2, 9, { attendee_name: "Noor Haddad", status: "cancelled" });
  await book("Bathroom planning with a rather long title that has to break", 3, 13, { attendee_name: "Marta Oliveira" });
  for (const hour of [7, 9, 11, 13, 15]) await book(`Maintenance ${hour}`, 4, hour);
  await post("/v1/appointments", { title: "Callback about the meter", attendee_name: "Noor Haddad" });
  await look("60-appointments", "/appointments");
  await look("61-appointments-week", "/appointments?view=week");
  await look("62-appointments-month", "/appointments?view=month");
  await look("63-appointments-no-hit", "/appointments?status=no_show");
  await page.goto(server.base + "/appointments");
  await page.selectOption("[name=status]", "unconfirmed");
  await page.waitForURL("**/appointments?status=unconfirmed");
  await page.click("text=Quote for two boilers");
  await page.waitForSelector("text=To be confirmed");
  const quote = new URL(page.url()).pathname;
  await look("64-appointment", quote);
  await page.goto(server.base + quote);
  await page.click("button:text-is('Confirm')");
  await page.waitForSelector(".tags >> text=Booked");
  await page.click("a:has-text('Edit')");
  await look("65-appointment-edit", `${quote}/edit`);
  await page.goto(`${server.base}${quote}/edit`);
  await page.fill("[name=starts_at]", "2030-07-02T10:00");
  await page.click("button:text-is('Save')");
  await page.waitForSelector("text=would end before it begins");
  await page.fill("[name=ends_at]", "2030-07-02T11:00");
  await page.click("button:text-is('Save')");
  await page.waitForSelector("text=Tue 2 Jul, 10:00 – 11:00 (Europe/Berlin)");
  await page.click("text=Cancel it");
  await page.waitForSelector(".tags >> text=Cancelled");

  // The calendar of a phone.
  await look("66-calendar-feeds-empty", "/appointments/feeds");
  await page.goto(server.base + "/appointments/feeds");
  await page.fill("[name=name]", "Sam’s phone");
  await page.click("text=Make the address");
  const feed = await page.textContent("#feed");
  await look("67-calendar-feed-made", null);
  const calendar = await (await fetch(feed)).text();
  assert.match(calendar, /^BEGIN:VCALENDAR\r\n[\s\S]*SUMMARY:Emergency visit: Dana Whitfield[\s\S]*END:VCALENDAR\r\n$/);
  await page.goto(server.base + "/appointments/feeds");
  assert.ok(!(await page.content()).includes(feed), "the address is not shown again");
  await page.click("button.danger");
  await page.waitForSelector("text=No address yet");
  assert.equal((await fetch(feed)).status, 404);
}
