//! ElevenLabs Agents: its signature, and what each of its webhooks says of a conversation.

mod audio;
mod base64_text;
mod history;
mod proof;
mod setup;
mod wire;

use http::HeaderMap;
use model::{Completion, Facts, Platform, RecordedAt, Stage, Time, Transfer, Variant};
use serde_json::Value;

use crate::{
    Connector, History, LargeBody, Parsed, Rejection, Request, Said, Secrets, Setup, Unreadable, read,
    settings, signature::Tolerance,
};

const SIGNATURE: &str = "elevenlabs-signature";

/// Backwards it is what ElevenLabs' own SDK allows. That SDK takes any time in the future; here the bound is the same
/// both ways, so that no request stays good for ever, and a clock that is a little off does no harm.
const TOLERANCE: Tolerance = Tolerance { seconds: 30 * 60 };

/// The connector for ElevenLabs Agents.
pub(crate) struct ElevenLabs;

impl Connector for ElevenLabs {
    fn platform(&self) -> Platform {
        Platform::ElevenLabs
    }

    fn setup(&self) -> Setup {
        setup::SETUP
    }

    /// `ElevenLabs-Signature: t=<seconds since 1970>,v0=<hex>`: HMAC-SHA256 with the webhook's secret, over the digits
    /// of the time, a full stop and the body. There may be several `v0`.
    fn verify(
        &self,
        secrets: &Secrets<'_>,
        _settings: &Value,
        request: &Request<'_>,
        now: Time,
    ) -> Result<(), Rejection> {
        let mut proof = proof::Proof::begin(secrets, request.headers)?;
        proof.update(request.body);
        proof.finish(now)
    }

    fn history(&self) -> Option<&'static dyn History> {
        Some(&history::Conversations)
    }

    fn check_settings(&self, settings: &Value) -> Result<(), String> {
        settings::known(settings, "ElevenLabs", &[]).map(drop)
    }

    fn parse(&self, _settings: &Value, request: &Request<'_>) -> Result<Parsed, Unreadable> {
        let body = read::body(request.body)?;
        let event = read::text(&body["type"]).ok_or_else(|| Unreadable::new("type is missing"))?;
        let data = &body["data"];
        let external_id = read::id(&data["conversation_id"]);
        let Some(said) = said(&event, data) else {
            return Ok(Parsed { event, event_id: None, external_id, changes: vec![] });
        };
        let external_id = external_id.ok_or_else(|| Unreadable::new("data.conversation_id is missing"))?;
        let change = said.into_change(external_id.clone(), read::time(&body["event_timestamp"]));
        Ok(Parsed { event, event_id: None, external_id: Some(external_id), changes: vec![change] })
    }

    fn brings_recordings(&self) -> bool {
        true
    }

    fn large_body(&self, secrets: &Secrets<'_>, headers: &HeaderMap) -> Option<Box<dyn LargeBody>> {
        Some(Box::new(audio::AudioBody::new(proof::Proof::begin(secrets, headers))))
    }
}

/// `None` for what says nothing of a call, among it the same conversation as OpenTelemetry spans
/// (`post_call_transcription_otel`).
fn said(event: &str, data: &Value) -> Option<Said> {
    match event {
        "post_call_transcription" => Some(transcription(data)),
        "post_call_audio" => Some(audio()),
        "call_initiation_failure" => Some(Said {
            stage: Stage::Ended,
            completion: Completion::Now,
            transfer: Transfer::None,
            facts: wire::initiation_failure(data),
        }),
        _ => None,
    }
}

fn transcription(data: &Value) -> Said {
    let (mut facts, transfer) = wire::transcription(data);
    if !facts.status.is_some_and(model::CallStatus::is_final) {
        return Said::during(Stage::Status, transfer, facts);
    }
    // Where there is audio, its own message is likely to follow within seconds. Nothing tells whether it will: it can
    // be switched off.
    let completion = match read::flag(&data["has_audio"]) {
        Some(true) => Completion::Wait,
        _ => Completion::Now,
    };
    if completion == Completion::Wait {
        facts.recordings = vec![RecordedAt::in_api(Variant::Mono)];
    }
    Said { stage: Stage::Analyzed, completion, transfer, facts }
}

/// The recording's message says nothing of the call but that the recording is there. Not even which assistant it
/// was: it knows the id without the name, and being the latest message it would wipe the name out.
///
/// It ends the wait for the recording whichever of the two messages comes first. Without a transcription it completes
/// nothing, because a call is told as completed only when its status says so, and that is for the transcription to say.
fn audio() -> Said {
    Said {
        stage: Stage::Audio,
        completion: Completion::Now,
        transfer: Transfer::None,
        facts: Facts::default(),
    }
}
