//! Vapi's reports of finished calls, as they come in, each of another call and caller.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

const CAPTURED: &str = include_str!("../../../crates/connectors/fixtures/vapi/end-of-call-report.json");

/// One call in so many makes an appointment, and so a use of a tool and a record more.
const CALLS_PER_BOOKING: u64 = 5;

/// The first caller's number without the country and area code.
const FIRST_LINE: u64 = 2_000_000;

/// Makes reports.
#[derive(Clone)]
pub(super) struct Reports {
    booking: Template,
    talk: Template,
    head: String,
}

/// A report's text around the call's id and the caller's number.
#[derive(Clone)]
struct Template(Vec<String>);

/// What stands for the call's id and for the number.
const ID: &str = "0d3c1f52-6b1e-4a51-9d0e-5b7b6f0a1c11";
const NUMBER: &str = "+14155550142";

impl Reports {
    /// For a source. `path` is where it takes messages, `secret` its secret.
    pub(super) fn new(path: &str, secret: &str) -> Result<Self> {
        let mut report: Value = serde_json::from_str(CAPTURED)?;
        let message = report["message"].as_object_mut().context("the report has a message")?;
        // Vapi says the conversation twice; once is about 3 KB, and what a report of a call without tools has.
        message.remove("messages");
        let booking = Template::of(&report)?;
        let turns = report["message"]["artifact"]["messages"].as_array_mut().context("it has turns")?;
        turns.retain(|turn| !turn["role"].as_str().unwrap_or_default().starts_with("tool"));
        let talk = Template::of(&report)?;
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n\
             x-vapi-secret: {secret}\r\ncontent-length: "
        );
        Ok(Self { booking, talk, head })
    }

    /// Appends the request with a number.
    pub(super) fn write(&self, number: u64, out: &mut Vec<u8>) {
        let is_booking = number.is_multiple_of(CALLS_PER_BOOKING);
        let body = if is_booking { self.booking.fill(number) } else { self.talk.fill(number) };
        out.extend_from_slice(self.head.as_bytes());
        out.extend_from_slice(format!("{}\r\n\r\n{body}", body.len()).as_bytes());
    }

    /// A body, for whoever needs one of the usual size.
    pub(super) fn body(&self) -> String {
        self.talk.fill(0)
    }
}

impl Template {
    fn of(report: &Value) -> Result<Self> {
        let text = report.to_string();
        ensure!(text.matches(ID).count() == 1, "the report names its call once");
        ensure!(text.matches(NUMBER).count() == 1, "the report names its caller once");
        Ok(Self(
            text.replace(ID, "\0id\0").replace(NUMBER, "\0number\0").split('\0').map(str::to_owned).collect(),
        ))
    }

    fn fill(&self, number: u64) -> String {
        let mut text = String::with_capacity(4 << 10);
        for part in &self.0 {
            match part.as_str() {
                "id" => text.push_str(&format!("00000000-0000-4000-8000-{number:012x}")),
                "number" => text.push_str(&caller(number)),
                part => text.push_str(part),
            }
        }
        text
    }
}

fn caller(number: u64) -> String {
    format!("+1415{:07}", FIRST_LINE + number)
}

/// Which report a webhook is about, from the caller in its body.
pub(super) fn number_of(webhook: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(webhook).ok()?;
    let (_, rest) = text.split_once("\"caller_phone\":\"+1415")?;
    rest.get(..7)?.parse::<u64>().ok()?.checked_sub(FIRST_LINE)
}
