//! The parameters of Twilio's callbacks, one by one (twilio.com/docs/voice: StatusCallback of the Call resource and of
//! `<Number>`, the `action` of `<Dial>`, RecordingStatusCallback).

use jiff::fmt::rfc2822::DateTimeParser;
use model::{AssistantRef, CallStatus, Direction, Facts, Phone, RecordedAt, Time, Transfer, Variant};
use serde_json::Value;

use super::status;
use crate::read;

/// Twilio writes times as e-mail does. Which day of the week it was is of no interest.
const TIMES: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);

/// How callers through Twilio's SDKs for browsers and apps are written.
const CLIENT: &str = "client:";

/// When a callback was made. Times are in whole seconds, so the callbacks of one call are told apart by their number
/// in the microseconds.
pub(super) fn at(parameters: &Value) -> Option<Time> {
    let number = read::number(&parameters["SequenceNumber"]).unwrap_or(0.0);
    time(&parameters["Timestamp"]).map(|time| time.plus_micros(number.clamp(0.0, 999_999.0) as i64))
}

/// When a recording began. Of several recordings of a call this makes the last one count.
pub(super) fn recorded_at(parameters: &Value) -> Option<Time> {
    time(&parameters["RecordingStartTime"])
}

/// The recording's address as Twilio writes it: there is WAV, and MP3 with `.mp3` behind it. Its length is no call's.
pub(super) fn recording(parameters: &Value) -> Facts {
    let recording_url = read::first_url([&parameters["RecordingUrl"]]);
    let is_stereo = read::number(&parameters["RecordingChannels"]).is_some_and(|channels| channels > 1.0);
    let stereo = recording_url.clone().filter(|_| is_stereo);
    let recordings = stereo.into_iter().map(|url| RecordedAt { variant: Variant::Stereo, url }).collect();
    Facts { recording_url, recordings, ..Facts::default() }
}

/// A callback about a call's first leg, and how far it says that a transfer has come.
pub(super) fn call(parameters: &Value, word: &str) -> (Facts, Transfer) {
    let status = status::status(word);
    let (transfer_status, transfer) = dialed(parameters);
    let facts = Facts { status: Some(status), transfer_status, ..common(parameters) };
    let facts = match status.is_final() {
        false => Facts { started_at: time(&parameters["Timestamp"]), ..facts },
        true => Facts {
            ended_reason: Some(word.to_owned()),
            // A call that did not take place began when it rang, which other callbacks tell.
            started_at: answered_at(parameters).filter(|_| status == CallStatus::Completed),
            ended_at: time(&parameters["Timestamp"]),
            duration_seconds: duration_seconds(parameters),
            ..facts
        },
    };
    (facts, transfer)
}

/// A callback about a second leg. Only the transfer is the call's: its parties, its times and its outcome are its own.
pub(super) fn leg(parameters: &Value, word: String) -> Facts {
    let (status, transferred_at) = match status::transfer(&word) {
        Transfer::HandedOver => (Some(CallStatus::Forwarding), time(&parameters["Timestamp"])),
        // Whether the caller is still there is not said.
        Transfer::Ended => (None, answered_at(parameters)),
        // The caller is with us again.
        Transfer::Failed => (Some(CallStatus::InProgress), None),
        Transfer::None | Transfer::Started => (Some(CallStatus::Forwarding), None),
    };
    Facts {
        status,
        transfer_status: Some(word),
        transfer_destination: read::text(&parameters["To"]),
        transferred_at,
        ..Facts::default()
    }
}

/// How a `<Dial>` went that is over, which the first leg's next request tells.
fn dialed(parameters: &Value) -> (Option<String>, Transfer) {
    let Some(word) = read::text(&parameters["DialCallStatus"]) else { return (None, Transfer::None) };
    let transfer = match read::flag(&parameters["DialBridged"]) {
        // Somebody picked up and did not take the call.
        Some(false) => Transfer::Failed,
        _ => status::transfer(&word),
    };
    (Some(word), transfer)
}

fn common(parameters: &Value) -> Facts {
    let direction = direction(parameters);
    let (from, to) = (&parameters["From"], &parameters["To"]);
    let (theirs, ours) = match direction {
        Some(Direction::Inbound | Direction::Web) => (from, to),
        Some(Direction::Outbound) => (to, from),
        None => (&Value::Null, &Value::Null),
    };
    let address = read::text(theirs);
    let caller_phone = address.as_deref().and_then(|address| Phone::parse(address, None));
    Facts {
        caller_address: address.filter(|_| caller_phone.is_none()),
        caller_phone,
        // The name belongs to the number in `From`.
        caller_name: read::text(&parameters["CallerName"]).filter(|_| direction == Some(Direction::Inbound)),
        direction,
        recording_url: recording(parameters).recording_url,
        recordings: recording(parameters).recordings,
        // Twilio knows no assistants, but each has a number of its own.
        assistant: read::text(ours).map(|external_id| AssistantRef { external_id, name: None }),
        carrier_id: read::text(&parameters["CallSid"]),
        ..Facts::default()
    }
}

fn direction(parameters: &Value) -> Option<Direction> {
    match parameters["Direction"].as_str()? {
        "inbound" => {
            let from = parameters["From"].as_str().unwrap_or_default();
            Some(if from.starts_with(CLIENT) { Direction::Web } else { Direction::Inbound })
        }
        "outbound-api" => Some(Direction::Outbound),
        _ => None,
    }
}

/// When somebody picked up, told from the end.
fn answered_at(parameters: &Value) -> Option<Time> {
    let seconds = duration_seconds(parameters)?;
    Some(time(&parameters["Timestamp"])?.plus_micros(seconds * -1_000_000))
}

/// `Duration` is the same in minutes.
fn duration_seconds(parameters: &Value) -> Option<i64> {
    read::whole_seconds(read::number(&parameters["CallDuration"])?)
}

pub(super) fn time(value: &Value) -> Option<Time> {
    TIMES.parse_timestamp(read::text(value)?).ok().map(Time::from)
}
