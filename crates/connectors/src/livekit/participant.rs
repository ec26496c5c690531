//! Who is in a room: the telephone or the browser that the call is with, the agent, and people who join later.

use model::{AssistantRef, CallStatus, Completion, Direction, Facts, Phone, Stage, Time, Transfer};
use serde_json::Value;

use super::{
    protojson::{field, word},
    status, wire,
};
use crate::{Said, read};

/// `ParticipantInfo.Kind`, by number.
const KINDS: [&str; 5] = ["STANDARD", "INGRESS", "EGRESS", "SIP", "AGENT"];

/// The identity that the SDK's warm transfer gives to the person it brings into the caller's room.
const HUMAN_AGENT: &str = "human-agent-sip";

/// A participant of a room.
pub(super) struct Participant<'a> {
    kind: Kind,
    info: &'a Value,
    attributes: &'a Value,
    joined_at: Option<Time>,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// A browser or an app.
    Standard,
    /// A telephone.
    Sip,
    /// The person to whom a telephone call was handed over, on a telephone too.
    HumanAgent,
    Agent,
    Other,
}

impl<'a> Participant<'a> {
    pub(super) fn of(info: &'a Value) -> Self {
        let joined_at = read::time(field(info, "joinedAtMs")).or_else(|| read::time(field(info, "joinedAt")));
        Self { kind: kind(info), info, attributes: &info["attributes"], joined_at }
    }

    pub(super) fn joined(&self, at: Option<Time>) -> (Said, Option<Time>) {
        match self.kind {
            Kind::Sip => {
                let facts = Facts { status: Some(CallStatus::InProgress), ..self.caller(at) };
                (Said::during(Stage::Ended, Transfer::None, facts), self.first_wins(at))
            }
            Kind::Standard => {
                let facts = Facts { status: Some(CallStatus::InProgress), ..self.visitor(at) };
                (Said::during(Stage::Status, Transfer::None, facts), self.first_wins(at))
            }
            Kind::HumanAgent => (self.handed_over(at), at),
            Kind::Agent => (self.agent(), at),
            Kind::Other => (nothing(), at),
        }
    }

    pub(super) fn left(&self, at: Option<Time>) -> (Said, Option<Time>) {
        let ended_reason = status::reason(field(self.info, "disconnectReason"));
        match self.kind {
            Kind::Sip => {
                let call_status = read::text(&self.attributes["sip.callStatus"]);
                let status = status::status(call_status.as_deref(), ended_reason.as_deref());
                (self.hung_up(status, ended_reason, at), self.first_wins(None))
            }
            // A page that is loaded again leaves and joins again, so the call is over only when the room is.
            Kind::Standard => {
                let facts = Facts { ended_reason, ended_at: at, ..Facts::default() };
                (Said::during(Stage::Status, Transfer::None, facts), at)
            }
            Kind::HumanAgent | Kind::Agent | Kind::Other => (nothing(), at),
        }
    }

    /// The participant left before its connection was up.
    pub(super) fn aborted(&self, at: Option<Time>) -> (Said, Option<Time>) {
        if self.kind != Kind::Sip {
            return (nothing(), at);
        }
        let ended_reason = status::reason(field(self.info, "disconnectReason"));
        (self.hung_up(CallStatus::Failed, ended_reason, at), self.first_wins(None))
    }

    fn hung_up(&self, status: CallStatus, ended_reason: Option<String>, at: Option<Time>) -> Said {
        let facts = Facts { status: Some(status), ended_reason, ended_at: at, ..self.caller(None) };
        // Who was called may have been called for somebody else in the room, who goes on talking.
        let completion = match facts.direction {
            Some(Direction::Inbound) => Completion::Wait,
            _ => Completion::No,
        };
        Said { stage: Stage::Ended, completion, transfer: Transfer::None, facts }
    }

    /// Of several telephones or browsers the call is with the one that was there first. The merge prefers what is
    /// later, so the time in the message's place is mirrored around 1970.
    fn first_wins(&self, at: Option<Time>) -> Option<Time> {
        let micros = self.joined_at.or(at).map_or(i64::MIN, |time| -time.micros());
        Some(Time::from_micros(micros))
    }

    /// What the telephone's attributes tell. They are the same when it joins and when it leaves.
    fn caller(&self, at: Option<Time>) -> Facts {
        let attribute = |name: &str| read::text(&self.attributes[name]);
        let number = attribute("sip.phoneNumber");
        let caller_phone = number.as_deref().and_then(|number| Phone::parse(number, None));
        let rule = attribute("sip.ruleID");
        let call_id = attribute("sip.callID");
        let direction = match (&rule, &call_id) {
            // Only calls that come in were let in by a rule.
            (Some(_), _) => Some(Direction::Inbound),
            (None, Some(_)) => Some(Direction::Outbound),
            (None, None) => None,
        };
        Facts {
            caller_address: number.filter(|_| caller_phone.is_none()),
            caller_phone,
            caller_name: self.name(),
            direction,
            started_at: self.joined_at.or(at),
            assistant: rule.map(|external_id| AssistantRef { external_id, name: None }),
            carrier_id: attribute("sip.twilio.callSid").or(call_id),
            ..Facts::default()
        }
    }

    fn visitor(&self, at: Option<Time>) -> Facts {
        Facts {
            caller_name: self.name(),
            direction: Some(Direction::Web),
            started_at: self.joined_at.or(at),
            ..Facts::default()
        }
    }

    fn handed_over(&self, at: Option<Time>) -> Said {
        let facts = Facts {
            transfer_status: Some("connected".into()),
            transfer_destination: read::text(&self.attributes["sip.phoneNumber"]),
            transferred_at: at,
            ..Facts::default()
        };
        Said::during(Stage::Status, Transfer::HandedOver, facts)
    }

    /// Ranks above the rule that a telephone came in by, because its time is not mirrored.
    fn agent(&self) -> Said {
        let assistant = wire::assistant(&self.attributes["lk.agent.name"]);
        Said::during(Stage::Ended, Transfer::None, Facts { assistant, ..Facts::default() })
    }

    /// LiveKit calls a telephone `Phone` and its number, which is no name.
    fn name(&self) -> Option<String> {
        read::text(&self.info["name"]).filter(|name| {
            let number = name.strip_prefix("Phone ").unwrap_or(name);
            number.chars().any(char::is_alphabetic)
        })
    }
}

fn kind(info: &Value) -> Kind {
    let word = match &info["kind"] {
        Value::Null => Some("STANDARD".to_owned()),
        value => word(value, &KINDS),
    };
    match word.as_deref() {
        Some("SIP") if info["identity"] == HUMAN_AGENT => Kind::HumanAgent,
        Some("SIP") => Kind::Sip,
        Some("STANDARD") => Kind::Standard,
        Some("AGENT") => Kind::Agent,
        _ => Kind::Other,
    }
}

/// That there is a call, and no more.
fn nothing() -> Said {
    Said::during(Stage::Started, Transfer::None, Facts::default())
}
