//! LiveKit's webhook events, field by field (livekit_webhook.proto, livekit_models.proto and livekit_egress.proto).

use model::{AssistantRef, CallStatus, Completion, Facts, Stage, Time, Transfer};
use serde_json::Value;

use super::{
    participant::Participant,
    protojson::{field, word},
};
use crate::{Said, read};

/// `EgressStatus`, by number.
const EGRESS_STATUSES: [&str; 7] = [
    "EGRESS_STARTING",
    "EGRESS_ACTIVE",
    "EGRESS_ENDING",
    "EGRESS_COMPLETE",
    "EGRESS_FAILED",
    "EGRESS_ABORTED",
    "EGRESS_LIMIT_REACHED",
];

/// What an event says, and the time that orders it. `None` for tracks, ingress, recordings under way, and those we
/// don't know.
///
/// No message tells everything, and nothing tells which participant the call is with. So the stages stand for whose
/// word it is: the room's [`Stage::Started`], a browser's [`Stage::Status`], and a telephone's [`Stage::Ended`].
pub(super) fn said(event: &str, body: &Value) -> Option<(Said, Option<Time>)> {
    let at = read::time(field(body, "createdAt"));
    let participant = || Participant::of(&body["participant"]);
    let ordered = match event {
        "room_started" => (room_started(&body["room"], at), at),
        "room_finished" => (room_finished(&body["room"], at), at),
        "participant_joined" => participant().joined(at),
        "participant_left" => participant().left(at),
        "participant_connection_aborted" => participant().aborted(at),
        "agent_job_started" | "agent_job_ended" => (agent_job(&body["job"]), at),
        "egress_ended" => (egress_ended(field(body, "egressInfo")), at),
        _ => return None,
    };
    Some(ordered)
}

fn room_started(room: &Value, at: Option<Time>) -> Said {
    let started_at = created_at(room).or(at);
    let facts = Facts { status: Some(CallStatus::InProgress), started_at, ..Facts::default() };
    Said::during(Stage::Started, Transfer::None, facts)
}

/// A room is kept for a while after everybody has left, so whoever left knows better when the call ended, and how.
fn room_finished(room: &Value, at: Option<Time>) -> Said {
    let facts = Facts {
        status: Some(CallStatus::Completed),
        started_at: created_at(room),
        ended_at: at,
        ..Facts::default()
    };
    // The recording and the agent's report may be on their way.
    Said { stage: Stage::Started, completion: Completion::Wait, transfer: Transfer::None, facts }
}

fn created_at(room: &Value) -> Option<Time> {
    read::time(field(room, "creationTimeMs")).or_else(|| read::time(field(room, "creationTime")))
}

/// The agent's name is the one it was registered with; one that takes every room has none.
fn agent_job(job: &Value) -> Said {
    let facts = Facts { assistant: assistant(field(job, "agentName")), ..Facts::default() };
    Said::during(Stage::Ended, Transfer::None, facts)
}

pub(super) fn assistant(name: &Value) -> Option<AssistantRef> {
    let name = read::text(name)?;
    Some(AssistantRef { external_id: name.clone(), name: Some(name) })
}

/// A recording. One of the whole room is better than those of single participants and tracks.
fn egress_ended(egress: &Value) -> Said {
    let status = word(&egress["status"], &EGRESS_STATUSES);
    let has_failed = matches!(status.as_deref(), Some("EGRESS_FAILED" | "EGRESS_ABORTED"));
    // Even a complete one may have no file, and a file may be on a disk that nobody can reach.
    let files = read::list(field(egress, "fileResults")).iter().chain([&egress["file"]]);
    let recording_url = read::first_url(files.map(|file| &file["location"])).filter(|_| !has_failed);
    let is_partial =
        ["participant", "trackComposite", "track"].iter().any(|kind| field(egress, kind).is_object());
    let stage = if is_partial { Stage::Analyzed } else { Stage::Audio };
    Said::during(stage, Transfer::None, Facts { recording_url, ..Facts::default() })
}
