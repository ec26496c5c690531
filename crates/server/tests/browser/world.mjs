// What the browser test stands on: the binary over an empty folder, a receiver of webhooks, and made-up calls.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Starts the server and waits for its banner. */
export async function startServer(binary) {
  const folder = mkdtempSync(join(tmpdir(), "inboundflow-browser-"));
  const env = { PATH: process.env.PATH, INBOUNDFLOW_DELIVERY__ALLOW_TARGETS: "127.0.0.1/32" };
  env.INBOUNDFLOW_DELIVERY__SCHEDULE = "1s";
  env.INBOUNDFLOW_RATE_LIMIT__PER_MINUTE = "10000";
  const server = spawn(binary, ["serve", "--listen", "127.0.0.1:0"], { cwd: folder, env });
  let said = "";
  server.stderr.on("data", (data) => (said += data));
  const find = (pattern) =>
    within(`the banner has ${pattern}`, () => said.match(pattern)?.[1]);
  const base = await find(/listening on (http:\/\/\S+)/);
  const link = await find(/(http:\/\/\S+\/setup\?token=\S+)/);
  const stop = () =>
    new Promise((resolve) => {
      server.once("exit", () => {
        rmSync(folder, { recursive: true, force: true });
        resolve();
      });
      server.kill("SIGTERM");
    });
  return { base, link, stop, log: () => said };
}

/** Waits until something is there. */
export async function within(what, look, patience = 20_000) {
  const end = Date.now() + patience;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`not within ${patience} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A receiver that takes webhooks at /ok, fails at /fails, and serves a recording. */
export async function startReceiver() {
  const server = createServer((request, response) => {
    request.resume();
    request.on("end", () => {
      if (request.url === "/call.wav") {
        const sound = silence(24);
        response.writeHead(200, { "content-type": "audio/wav", "content-length": sound.length });
        response.end(sound);
      } else if (request.url === "/fails") {
        response.writeHead(503, { "content-type": "application/json" });
        response.end('{"error":"the CRM is down for maintenance"}');
      } else {
        response.writeHead(200, { "content-type": "application/json" });
        response.end('{"received":true}');
      }
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: (path) => `http://127.0.0.1:${server.address().port}${path}`, stop: () => server.close() };
}

/** So many seconds of nothing to hear, as WAV. */
function silence(seconds) {
  const rate = 8000;
  const sound = Buffer.alloc(44 + rate * seconds, 128);
  sound.write("RIFF", 0);
  sound.writeUInt32LE(36 + rate * seconds, 4);
  sound.write("WAVEfmt ", 8);
  sound.writeUInt32LE(16, 16);
  sound.writeUInt16LE(1, 20);
  sound.writeUInt16LE(1, 22);
  sound.writeUInt32LE(rate, 24);
  sound.writeUInt32LE(rate, 28);
  sound.writeUInt16LE(1, 32);
  sound.writeUInt16LE(8, 34);
  sound.write("data", 36);
  sound.writeUInt32LE(rate * seconds, 40);
  return sound;
}

/** Calls as an assistant would write them, the newest last. The times are before now by so many minutes. */
export function calls() {
  const at = (minutes) => new Date(Date.now() - minutes * 60_000).toISOString();
  const call = (minutes, seconds, rest) => ({
    started_at: at(minutes), ended_at: new Date(Date.parse(at(minutes)) + seconds * 1000).toISOString(),
    status: "completed", direction: "inbound", assistant_id: "Front desk", ...rest,
  });
  return [
    call(1500, 61, {
      external_id: "c01", caller_phone: "+14155550117", caller_name: "Priya Raman", intent: "Opening hours",
      urgency: "low", summary: "Asked whether the shop is open on Saturdays. Told that it is, from nine to one.",
    }),
    call(1320, 12, {
      external_id: "c02", caller_phone: "+14155550144", status: "failed", ended_reason: "customer-did-not-answer",
    }),
    call(410, 95, {
      external_id: "c03", caller_phone: "+14155550131", caller_name: "Noor Haddad", intent: "Change of an appointment",
      urgency: "medium", assistant_id: "After hours",
      summary: "Wants to move the Thursday visit to Friday morning because of a delivery. Asked to be called back before noon.",
    }),
    call(266, 7, { external_id: "c04", caller_phone: "+14155550199", status: "blocked", ended_reason: "spam" }),
    call(180, 148, {
      external_id: "c05", caller_phone: "+442079460112", caller_name: "Oliver Finch", intent: "Quote for a boiler",
      urgency: "medium", summary: "Landlord with two flats, wants a quote for replacing both boilers before the winter. Prefers e-mail.",
      caller_email: "oliver.finch@example.com",
    }),
    call(121, 33, {
      external_id: "c06", caller_phone: "+4930123456", intent: "Rechnung", transcript:
        "Assistant: Guten Tag, wie kann ich helfen? Caller: Ich habe eine Frage zu meiner Rechnung vom letzten Monat.",
    }),
    call(88, 203, {
      external_id: "hostile", caller_phone: "+14155550155", caller_name: "<img src=x onerror=\"alert(1)\"> Robert",
      intent: "</p><script>alert(2)</script>", urgency: "low",
      summary: "<script>document.title='owned'</script> \u202Eright to left\u202C مرحبا بالعالم 👩‍🔧 " + "long".repeat(60),
      messages: [{ role: "user", content: "<iframe src='https://example.com'></iframe> & <b>bold</b>", offset_seconds: 1 }],
    }),
    call(46, 74, {
      external_id: "c08", caller_phone: "+14155550117", caller_name: "Priya Raman", intent: "Price of a repair", urgency: "low",
      summary: "Asked what it costs to repair a dripping tap. Given the usual range; she will think about it.",
    }),
    { external_id: "c10", caller_phone: "+14155550163", caller_name: "Marta Oliveira", status: "in-progress",
      direction: "inbound", started_at: at(1), assistant_id: "Front desk" },
  ];
}

/** The end of a call as Vapi reports it: a recording, turns with their times, a booking. */
export function vapiReport(recording) {
  const began = Date.now() - 24 * 60_000;
  const turn = (role, seconds, message) => ({ role, message, time: began + seconds * 1000, secondsFromStart: seconds });
  const start = new Date(Date.now() + 26 * 3600_000).toISOString();
  const booking = { name: "Dana Whitfield", start, service: "Emergency visit" };
  return { message: {
    type: "end-of-call-report", timestamp: began + 25_000, endedReason: "customer-ended-call",
    startedAt: new Date(began).toISOString(), endedAt: new Date(began + 24_000).toISOString(),
    call: { id: "vapi-1", type: "inboundPhoneCall", assistantId: "front-desk" },
    assistant: { name: "Front desk" }, customer: { number: "+14155550142" },
    analysis: {
      summary: "A pipe under the kitchen sink has burst and water is coming through to the flat below. The main valve is "
        + "stuck. A visit is booked; she can be reached on this number.",
      structuredData: { caller_name: "Dana Whitfield", email: "dana@example.com", service_needed: "Burst pipe",
        urgency: "High", address: "12 Pier Street, second floor" },
    },
    artifact: { recordingUrl: recording, messages: [
      turn("bot", 0.4, "Harbor Plumbing, this is the assistant. How can I help?"),
      turn("user", 3.9, "There's water everywhere! The pipe under my kitchen sink burst."),
      turn("bot", 7.8, "I'm sorry to hear that. Can you close the main valve?"),
      turn("user", 11.2, "I tried, it's stuck. It's already dripping into the flat below."),
      { role: "tool_calls", secondsFromStart: 14.5, toolCalls: [
        { id: "t", function: { name: "book_appointment", arguments: JSON.stringify(booking) } }] },
      { role: "tool_call_result", toolCallId: "t", name: "book_appointment", secondsFromStart: 15.2,
        result: JSON.stringify({ success: true, booking_id: "bk_1" }) },
      turn("bot", 16.1, "Sam can be with you tomorrow morning. It is booked."),
      turn("user", 19.7, "Thank you so much."),
    ] },
  } };
}
