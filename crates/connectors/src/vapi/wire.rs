//! Vapi's server messages, field by field (docs.vapi.ai, Server Events; the schemas `ServerMessage*` of its OpenAPI
//! document; and what its bodies hold beyond those).

use model::{
    AssistantRef, CallStatus, Direction, Facts, Message, Phone, RecordedAt, Role, Transfer, Variant,
};
use serde_json::{Map, Value};

use super::status;
use crate::{
    captured::{self, Captured},
    conversation::{self, Answer, Conversation, Invocation},
    read,
};

/// What stands in a tool's result when it gave none: Vapi's only sign of a failure.
const NO_RESULT: &str = "No result returned.";

pub(super) fn in_progress(message: &Value) -> Facts {
    Facts { status: Some(CallStatus::InProgress), ..common(message) }
}

pub(super) fn forwarded(message: &Value) -> Facts {
    Facts { status: Some(CallStatus::Forwarding), ..forwarding(message) }
}

/// A message that the caller is being handed over now.
pub(super) fn forwarding(message: &Value) -> Facts {
    Facts {
        transfer_status: Some("forwarding".into()),
        transfer_destination: destination(&message["destination"]),
        transferred_at: read::time(&message["timestamp"]),
        ..common(message)
    }
}

/// The short word that a call is over. Only the reason tells how; the report will tell the rest.
pub(super) fn ended(message: &Value) -> (Facts, Transfer) {
    let ended_reason = read::text(&message["endedReason"]);
    let (transfer, transfer_status) = status::transfer_by_reason(ended_reason.as_deref());
    let facts = Facts {
        status: ended_reason.as_deref().map(|reason| status::status(Some(reason))),
        transfer_status,
        transfer_destination: destination(&message["destination"]),
        ended_reason,
        ..common(message)
    };
    (facts, transfer)
}

/// The end-of-call report. Much of it is there twice, in the artifact and beside it.
pub(super) fn report(message: &Value) -> (Facts, Transfer) {
    let (artifact, analysis, call) = (&message["artifact"], &message["analysis"], &message["call"]);
    let (captured, found) = captured(message);
    let (facts, transfer) = with_transfer(ended(message), artifact);
    let messages = [&artifact["messages"], &message["messages"]].into_iter().find_map(conversation);
    let transfer_reason = match transfer {
        Transfer::None => None,
        _ => messages.as_deref().and_then(conversation::transfer_reason),
    };
    let facts = Facts {
        status: Some(status::status(facts.ended_reason.as_deref())),
        caller_name: facts.caller_name.or(found.name),
        caller_email: facts.caller_email.or(found.email),
        intent: found.intent,
        urgency: found.urgency,
        started_at: read::time(&message["startedAt"]).or_else(|| read::time(&call["startedAt"])),
        ended_at: read::time(&message["endedAt"]).or_else(|| read::time(&call["endedAt"])),
        duration_seconds: duration_seconds(message),
        summary: read::first_text([&analysis["summary"], &message["summary"]]),
        transcript: read::first_text([&artifact["transcript"], &message["transcript"]]),
        recording_url: recording_url(message),
        recordings: recordings(message),
        messages,
        transfer_reason,
        captured,
        ..facts
    };
    (facts, transfer)
}

/// What every message about a call may tell. `call.status` is left alone: it still says `queued` when the call is over.
pub(super) fn common(message: &Value) -> Facts {
    let call = &message["call"];
    let customer =
        [&message["customer"], &call["customer"]].into_iter().find(|customer| customer.is_object());
    let customer = customer.unwrap_or(&Value::Null);
    let number = read::text(&customer["number"]);
    let caller_phone = number.as_deref().and_then(|number| Phone::parse(number, None));
    let assistant = &message["assistant"];
    Facts {
        caller_address: match caller_phone {
            Some(_) => None,
            None => number.or_else(|| read::text(&customer["sipUri"])),
        },
        caller_phone,
        caller_name: read::text(&customer["name"]),
        caller_email: captured::email(&customer["email"]),
        direction: direction(&call["type"]),
        assistant: read::first_text([&call["assistantId"], &assistant["id"]])
            .map(|external_id| AssistantRef { external_id, name: read::text(&assistant["name"]) }),
        carrier_id: read::text(&call["phoneCallProviderId"]),
        ..Facts::default()
    }
}

fn direction(call_type: &Value) -> Option<Direction> {
    match call_type.as_str()? {
        "inboundPhoneCall" => Some(Direction::Inbound),
        "outboundPhoneCall" => Some(Direction::Outbound),
        "webCall" | "vapi.websocketCall" => Some(Direction::Web),
        _ => None,
    }
}

fn destination(value: &Value) -> Option<String> {
    read::first_text([&value["number"], &value["sipUri"]])
}

/// Adds the outcome of the last transfer, where the artifact has one: it says more than the reason for the end.
fn with_transfer((facts, transfer): (Facts, Transfer), artifact: &Value) -> (Facts, Transfer) {
    let Some(last) = read::list(&artifact["transfers"]).last() else { return (facts, transfer) };
    let transfer_destination = destination(&last["destination"]).or(facts.transfer_destination);
    let facts = Facts { transfer_destination, ..facts };
    match read::text(&last["status"]) {
        Some(outcome) => {
            let transfer = status::transfer(&outcome);
            (Facts { transfer_status: Some(outcome), ..facts }, transfer)
        }
        None => (facts, transfer.max(Transfer::Started)),
    }
}

fn duration_seconds(message: &Value) -> Option<i64> {
    let seconds = read::number(&message["durationSeconds"]);
    let millis = || read::number(&message["durationMs"]);
    read::whole_seconds(seconds.or_else(|| millis().map(|ms| ms / 1000.0))?)
}

/// The recording of both sides in one. Signed addresses first: since 2026 the others need the account's key.
fn recording_url(message: &Value) -> Option<String> {
    let artifact = &message["artifact"];
    read::first_url([
        &artifact["presignedMonoUrl"],
        &message["presignedMonoUrl"],
        &artifact["recording"]["mono"]["combinedUrl"],
        &artifact["recordingUrl"],
        &message["recordingUrl"],
    ])
}

/// The recording's other variants, signed addresses first here too.
fn recordings(message: &Value) -> Vec<RecordedAt> {
    let artifact = &message["artifact"];
    let (recording, mono) = (&artifact["recording"], &artifact["recording"]["mono"]);
    let stereo = [
        &artifact["presignedStereoUrl"],
        &message["presignedStereoUrl"],
        &recording["stereoUrl"],
        &artifact["stereoRecordingUrl"],
        &message["stereoRecordingUrl"],
    ];
    let caller = [&artifact["presignedCustomerUrl"], &mono["customerUrl"]];
    let assistant = [&artifact["presignedAssistantUrl"], &mono["assistantUrl"]];
    let each = [
        (Variant::Stereo, read::first_url(stereo)),
        (Variant::Caller, read::first_url(caller)),
        (Variant::Assistant, read::first_url(assistant)),
    ];
    each.into_iter().filter_map(|(variant, url)| Some(RecordedAt { variant, url: url? })).collect()
}

/// What the analysis filled in: `structuredData`, and the results of the newer structured outputs under their names.
fn captured(message: &Value) -> (Option<Map<String, Value>>, Captured) {
    let data = read::object(&message["analysis"]["structuredData"]).unwrap_or_default();
    let outputs = structured_outputs(&message["artifact"]["structuredOutputs"]);
    // A structured output is either one value with a telling name, or a form of its own.
    let forms = outputs.values().filter_map(Value::as_object).map(captured::find);
    let found = forms.fold(captured::find(&data).or(captured::find(&outputs)), Captured::or);
    let mut fields = outputs;
    fields.extend(data);
    ((!fields.is_empty()).then_some(fields), found)
}

fn structured_outputs(outputs: &Value) -> Map<String, Value> {
    let by_id = outputs.as_object().into_iter().flat_map(Map::values);
    let named = |output: &Value| Some((read::text(&output["name"])?, read::json(&output["result"])?));
    by_id.chain(read::list(outputs)).filter_map(named).collect()
}

fn conversation(turns: &Value) -> Option<Vec<Message>> {
    let mut conversation = Conversation::default();
    for turn in read::list(turns) {
        let offset = read::offset_seconds(&turn["secondsFromStart"]);
        let content = read::first_text([&turn["message"], &turn["content"]]);
        match turn["role"].as_str().unwrap_or_default() {
            "bot" | "agent" | "assistant" | "ai" => conversation.said(Role::Assistant, content, offset),
            "user" | "human" | "customer" => conversation.said(Role::User, content, offset),
            "tool_calls" => {
                for call in read::list(&turn["toolCalls"]) {
                    conversation.invoked(invocation(call), offset);
                }
            }
            "tool_call_result" | "tool" => conversation.answered(answer(turn), offset),
            // The assistant's instructions are the customer's secret, and no part of what was said.
            "system" | "developer" => {}
            _ => conversation.said(Role::System, content, offset),
        }
    }
    conversation.finish()
}

/// A use of a tool in its long form (`function`, with the arguments as JSON text) or its short one (`parameters`).
fn invocation(call: &Value) -> Invocation {
    let function = &call["function"];
    let arguments =
        [&function["arguments"], &call["arguments"], &call["parameters"], &function["parameters"]];
    Invocation {
        name: read::first_text([&function["name"], &call["name"]]),
        call_id: read::id(&call["id"]),
        arguments: arguments.into_iter().find_map(read::json),
    }
}

fn answer(turn: &Value) -> Answer {
    let result = [&turn["result"], &turn["content"]].into_iter().find_map(read::json);
    let ok = match &result {
        Some(Value::String(text)) if text == NO_RESULT => Some(false),
        Some(result) => conversation::worked(result),
        None => None,
    };
    Answer { name: read::text(&turn["name"]), call_id: read::id(&turn["toolCallId"]), result, ok }
}
