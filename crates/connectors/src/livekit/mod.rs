//! LiveKit: its signed webhooks, and the report that an agent of its SDK makes of a session. A call is a room.

mod auth;
mod participant;
mod protojson;
mod report;
mod setup;
mod status;
mod wire;

use model::{Platform, Time};
use serde_json::Value;

use self::protojson::field;
use crate::{Connector, Parsed, Rejection, Request, Secrets, Setup, Unreadable, read};

/// What the SDK's warm transfer adds to a room's name for the room in which the agent asks a person to take over.
const CONSULTATION: &str = "-human-agent";

/// The connector for LiveKit.
pub(crate) struct LiveKit;

impl Connector for LiveKit {
    fn platform(&self) -> Platform {
        Platform::LiveKit
    }

    fn setup(&self) -> Setup {
        setup::SETUP
    }

    /// `Authorization: <JWT>`: HS256 with the API secret, where the claim `sha256` is the hash of the body. An agent
    /// that posts its session report may do the same, or send `Bearer ` and the source's secret.
    fn verify(
        &self,
        secrets: &Secrets<'_>,
        settings: &Value,
        request: &Request<'_>,
        now: Time,
    ) -> Result<(), Rejection> {
        let settings = auth::Settings::read(settings).map_err(Rejection::Settings)?;
        auth::verify(secrets, &settings, request, now)
    }

    fn check_settings(&self, settings: &Value) -> Result<(), String> {
        auth::Settings::read(settings).map(|_| ())
    }

    fn parse(&self, _settings: &Value, request: &Request<'_>) -> Result<Parsed, Unreadable> {
        let body = read::body(request.body)?;
        match read::text(&body["event"]) {
            Some(event) => webhook(event, &body),
            None if field(&body, "chatHistory").is_object() => report::parse(&body),
            None => Err(Unreadable::new("event is missing, and so is the chat_history of a session report")),
        }
    }
}

fn webhook(event: String, body: &Value) -> Result<Parsed, Unreadable> {
    let event_id = read::id(&body["id"]);
    let room = Room::of(body);
    let Some((said, at)) = wire::said(&event, body) else {
        return Ok(Parsed { event, event_id, external_id: room.id(), changes: vec![] });
    };
    match room.id() {
        Some(id) if room.is_consultation() => {
            Ok(Parsed { event, event_id, external_id: Some(id), changes: vec![] })
        }
        Some(id) => {
            let change = said.into_change(id.clone(), at);
            Ok(Parsed { event, event_id, external_id: Some(id), changes: vec![change] })
        }
        // A recording of a web page has no room, so it is of no call.
        None if event.starts_with("egress_") => {
            Ok(Parsed { event, event_id, external_id: None, changes: vec![] })
        }
        None => Err(Unreadable::new("room.sid is missing, and so is room.name")),
    }
}

/// The room that a message is about.
struct Room {
    sid: Option<String>,
    name: Option<String>,
}

impl Room {
    fn of(body: &Value) -> Self {
        let (room, egress, job) = (&body["room"], field(body, "egressInfo"), &body["job"]["room"]);
        Self {
            sid: read::first_text([&room["sid"], field(egress, "roomId"), &job["sid"]]),
            name: read::first_text([&room["name"], field(egress, "roomName"), &job["name"]]),
        }
    }

    /// The call's id. Everything that LiveKit sends about a room has its sid, which no other room ever has. A name may
    /// be used for one call after the other, so it is only good enough where there is nothing better.
    fn id(&self) -> Option<String> {
        self.sid.clone().or_else(|| self.name.clone())
    }

    fn is_consultation(&self) -> bool {
        self.name.as_ref().is_some_and(|name| name.ends_with(CONSULTATION))
    }
}
