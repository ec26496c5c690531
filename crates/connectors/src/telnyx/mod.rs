//! Telnyx: its signature, and what its events about calls and the conversations of its assistants say.

mod auth;
mod history;
mod leg;
mod settings;
mod setup;
mod status;
mod wire;

use std::time::Duration;

use model::{Completion, Platform, Stage, Time, Transfer};
use serde_json::{Value, json};

use self::settings::Settings;
use crate::{
    Connector, History, Parsed, Question, Rejection, Request, Said, Secrets, Setup, Unreadable, read,
};

/// How long Telnyx waits to be told an assistant's variables, unless the assistant has another
/// `dynamic_variables_webhook_timeout_ms`. Its pages say one second and one and a half: the shorter is safe.
const VARIABLES_WITHIN: Duration = Duration::from_secs(1);

/// The connector for Telnyx.
///
/// A call is known by its `call_session_id`, the one id that is in every event and the same for all of them. The legs
/// of a transfer share it. `call_control_id` is another for each leg, and in news of a recording it is another
/// again; `conversation_id` is in two events only.
pub(crate) struct Telnyx;

impl Connector for Telnyx {
    fn platform(&self) -> Platform {
        Platform::Telnyx
    }

    fn setup(&self) -> Setup {
        setup::SETUP
    }

    /// `telnyx-signature-ed25519: <base64>` over `telnyx-timestamp` (seconds since 1970), a bar and the body. The
    /// source's secret is the account's public key in base64, which is no secret: Telnyx shows it in its portal.
    fn verify(
        &self,
        secrets: &Secrets<'_>,
        _settings: &Value,
        request: &Request<'_>,
        now: Time,
    ) -> Result<(), Rejection> {
        auth::verify(secrets, request, now)
    }

    fn history(&self) -> Option<&'static dyn History> {
        Some(&history::Conversations)
    }

    fn check_settings(&self, settings: &Value) -> Result<(), String> {
        Settings::read(settings).map(|_| ())
    }

    fn parse(&self, settings: &Value, request: &Request<'_>) -> Result<Parsed, Unreadable> {
        // Settings are checked before they are stored; a message is worth more than they are.
        let settings = Settings::read(settings).unwrap_or_default();
        let body = read::body(request.body)?;
        let data = &body["data"];
        if !data.is_object() {
            return Err(Unreadable::new("data is missing"));
        }
        let event =
            read::text(&data["event_type"]).ok_or_else(|| Unreadable::new("data.event_type is missing"))?;
        let event_id = read::id(&data["id"]);
        let external_id = read::id(&data["payload"]["call_session_id"]);
        let Some(said) = said(&event, data, settings) else {
            return Ok(Parsed { event, event_id, external_id, changes: vec![] });
        };
        let external_id =
            external_id.ok_or_else(|| Unreadable::new("data.payload.call_session_id is missing"))?;
        let change = said.into_change(external_id.clone(), read::time(&data["occurred_at"]));
        Ok(Parsed { event, event_id, external_id: Some(external_id), changes: vec![change] })
    }

    /// Without variables, the assistant's own defaults stand.
    fn question(&self, _settings: &Value, _request: &Request<'_>, parsed: &Parsed) -> Option<Question> {
        (parsed.event == "assistant.initialization")
            .then(|| Question::json(VARIABLES_WITHIN, &json!({"dynamic_variables": {}})))
    }
}

/// `None` for the many events that are steps within a call, for those that are about none, and for those we don't
/// know.
fn said(event: &str, data: &Value, settings: Settings) -> Option<Said> {
    let payload = &data["payload"];
    let said = match event {
        "call.initiated" | "call.answered" | "call.hangup" if leg::is_later(payload) => {
            leg::said(event, data)
        }
        "call.initiated" => during(Stage::Started, wire::initiated(data, settings)),
        "call.answered" => during(Stage::Started, wire::in_progress(data, settings)),
        // Of the two endings this one is the call's: an assistant's conversation may be over before.
        "call.hangup" => ended(Stage::Ended, wire::hangup(data, settings)),
        "call.conversation.ended" => ended(Stage::Status, wire::conversation_ended(data, settings)),
        // These come last, and may overtake the news that the call is over. They say no status, and no call is told as
        // completed that is not known to be: whichever comes second completes it.
        "call.conversation_insights.generated" | "call.analyzed" => Said {
            stage: Stage::Analyzed,
            completion: Completion::Now,
            transfer: Transfer::None,
            facts: wire::insights(payload),
        },
        "call.recording.saved" => during(Stage::Audio, wire::recording(payload)),
        _ => return None,
    };
    Some(said)
}

fn during(stage: Stage, facts: model::Facts) -> Said {
    Said::during(stage, Transfer::None, facts)
}

/// Insights may follow: whether the assistant has any to find is not said.
fn ended(stage: Stage, facts: model::Facts) -> Said {
    Said { stage, completion: Completion::Wait, transfer: Transfer::None, facts }
}
