//! Messages come late, twice and out of order: the records and the events are the same.

use std::{collections::BTreeMap, time::Duration};

use model::{EventFilter, Platform};
use proptest::{
    prelude::{Just, Strategy},
    strategy::ValueTree,
    test_runner::TestRunner,
};
use serde_json::{Value, json};
use store::NewEndpoint;

use super::platforms::recorded;
use crate::support::{Org, Receiver, Setup, Signing, TestApp, on_both_with};

macro_rules! fixtures {
    ($platform:literal: $($name:literal),*) => {
        [$(include_str!(concat!("../../../../connectors/fixtures/", $platform, "/", $name, ".json"))),*]
    };
}
pub(super) use fixtures;

macro_rules! forms {
    ($platform:literal: $($name:literal),*) => {
        [$(include_str!(concat!("../../../../connectors/fixtures/", $platform, "/", $name, ".urlencoded"))),*]
    };
}

/// Everything that does not depend on when the messages came.
#[derive(Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) records: BTreeMap<&'static str, Value>,
    pub(super) events: Vec<String>,
}

impl Outcome {
    /// The lines in which it is not like another.
    fn unlike(&self, other: &Self) -> String {
        let shown = |outcome: &Self| format!("{:#}\n{:?}", json!(outcome.records), outcome.events);
        let (ours, theirs) = (shown(self), shown(other));
        let lines = ours.lines().zip(theirs.lines()).filter(|(ours, theirs)| ours != theirs);
        lines.map(|(ours, theirs)| format!("{ours} and not {theirs}")).collect::<Vec<_>>().join("; ")
    }
}

pub(super) async fn outcome(
    app: &TestApp,
    platform: Platform,
    messages: &[&str],
    blocked: Option<&str>,
) -> Outcome {
    let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
    org.endpoint(&receiver.url("/")).await;
    if let Some(number) = blocked {
        app.key(&org).made("/v1/blocked-numbers", json!({"phone": number})).await;
    }
    outcome_of(app, &org, &receiver, platform, messages).await
}

/// The same of an organization of one's own.
pub(super) async fn outcome_of(
    app: &TestApp,
    org: &Org,
    receiver: &Receiver,
    platform: Platform,
    messages: &[&str],
) -> Outcome {
    let source = org.source(platform).await;
    for message in messages {
        post(app, &source, message).await;
        app.tick(Duration::from_secs(1)).await;
    }
    app.tick(WAIT).await;
    Outcome { records: records(app, org).await, events: receiver.take_events() }
}

/// Longer than a call waits for its better message.
const WAIT: Duration = Duration::from_secs(61);

async fn post(app: &TestApp, source: &Signing, message: &str) {
    let answer = source.post(app, message).await;
    assert_eq!(answer.status, 200, "{}", answer.shown());
    assert_ne!(answer.json()["data"]["outcome"], "failed", "{}", answer.shown());
}

async fn records(app: &TestApp, org: &Org) -> BTreeMap<&'static str, Value> {
    let client = app.key(org);
    let mut records = BTreeMap::new();
    for kind in ["calls", "contacts", "leads", "appointments", "assistants"] {
        let mut list = client.data(&format!("/v1/{kind}")).await;
        for record in list.as_array_mut().expect("a list") {
            if kind == "calls" {
                let id = record["id"].as_str().expect("an id");
                *record = client.data(&format!("/v1/calls/{id}")).await;
            }
            // Ids and stamps are given as records are made.
            let fields = record.as_object_mut().expect("a record");
            let given = |name: &str| {
                name == "id"
                    || (name.ends_with("_id") && name != "external_id")
                    || ["created_at", "updated_at"].contains(&name)
            };
            for (_, value) in fields.iter_mut().filter(|(name, _)| given(name)) {
                *value = Value::from(value.is_string());
            }
        }
        if kind == "assistants" {
            // One that a better message corrected was seen all the same, and has no call.
            list.as_array_mut().expect("a list").retain(|assistant| assistant["call_count"] != 0);
        }
        records.insert(kind, list);
    }
    records
}

pub(super) fn permutations<T: Copy>(messages: &[T]) -> Vec<Vec<T>> {
    let Some((first, rest)) = messages.split_first() else { return vec![Vec::new()] };
    let shorter = permutations(rest);
    let insert = |shorter: &Vec<T>, place: usize| {
        let mut longer = shorter.clone();
        longer.insert(place, *first);
        longer
    };
    shorter.iter().flat_map(|shorter| (0..=shorter.len()).map(move |place| insert(shorter, place))).collect()
}

/// The messages about one call of a platform's.
pub(super) struct Told<'a> {
    platform: Platform,
    settings: Value,
    messages: Vec<&'a str>,
}

impl<'a> Told<'a> {
    pub(super) fn by(platform: Platform, messages: &[&'a str]) -> Self {
        Self { platform, settings: Value::Null, messages: messages.to_vec() }
    }

    /// Posts them in some order, resting now and then until no call waits any more; after a day, when repetitions are
    /// not known as such any more, all of them once more.
    async fn play(&self, app: &TestApp, order: &[Step]) -> Outcome {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        let url = receiver.url("/");
        org.endpoint_with(NewEndpoint {
            url,
            events: EventFilter::Everything,
            secret: None,
            source: None,
            telling: Default::default(),
        })
        .await;
        let source = org.source_with(self.platform, self.settings.clone()).await;
        for (message, rest) in order {
            post(app, &source, self.messages[*message]).await;
            app.tick(*rest).await;
        }
        app.tick(WAIT).await;
        let mut once = look(app, &org, &receiver).await;
        app.tick(Duration::from_secs(25 * 3600)).await;
        // One of which no end was told was given up meanwhile.
        let events = once.events;
        once = look(app, &org, &receiver).await;
        once.events.splice(0..0, events);
        for (message, _) in order {
            post(app, &source, self.messages[*message]).await;
        }
        app.tick(WAIT).await;
        let again = look(app, &org, &receiver).await;
        assert_eq!((&again.records, &again.events[..]), (&once.records, &[][..]), "told again after a day");
        once
    }

    /// Every order of a few messages, or some of the orders of many; once, and with repetitions.
    fn orders(&self) -> Vec<Vec<Step>> {
        let all = 0..self.messages.len();
        let extra = proptest::collection::vec(all.clone(), all.clone());
        let order = extra
            .prop_flat_map(move |extra| Just(all.clone().chain(extra).collect::<Vec<_>>()).prop_shuffle());
        let rest = proptest::sample::select(vec![Duration::from_secs(1), WAIT]);
        let steps = order.prop_flat_map(move |order| {
            let rests = proptest::collection::vec(rest.clone(), order.len());
            rests.prop_map(move |rests| order.iter().copied().zip(rests).collect::<Vec<_>>())
        });
        let mut runner = TestRunner::deterministic();
        let mut some = || steps.new_tree(&mut runner).expect("an order").current();
        let few = self.messages.len() <= 4;
        let every =
            if few { permutations(&(0..self.messages.len()).collect::<Vec<_>>()) } else { Vec::new() };
        let plain =
            |order: Vec<usize>| order.into_iter().map(|message| (message, Duration::from_secs(1))).collect();
        let mut orders: Vec<Vec<Step>> = every.into_iter().map(plain).collect();
        orders.extend((0..if few { 4 } else { 12 }).map(|_| some()));
        orders
    }

    /// That all orders come to the same, on both databases.
    pub(super) fn check(&self) {
        on_both_with(Setup::unhurried(), async |app| {
            let in_order: Vec<_> =
                (0..self.messages.len()).map(|message| (message, Duration::from_secs(1))).collect();
            let expected = self.play(app, &in_order).await;
            let mut once = expected.events.clone();
            once.dedup();
            assert_eq!(expected.events, once, "each event once");
            assert_eq!(expected.records["calls"].as_array().map(Vec::len), Some(1));
            for order in self.orders() {
                let outcome = self.play(app, &order).await;
                assert!(outcome == expected, "{:?} {order:?}: {}", self.platform, outcome.unlike(&expected));
            }
        });
    }
}

/// A message by its number, and how long nothing happens after it.
type Step = (usize, Duration);

/// What does not depend on the order, once it is checked what does.
///
/// How often something is told as updated, and whether a call is told as started at all, depends on what was told
/// before: a call whose report comes first was never seen under way, and what its other messages say was told already.
/// Whatever the order, nothing is told twice, and who keeps the last that was told of each record has what is there.
async fn look(app: &TestApp, org: &Org, receiver: &Receiver) -> Outcome {
    let client = app.key(org);
    let log = client.data("/v1/events?limit=100").await;
    let mut last = BTreeMap::<(&str, &str), serde_json::Map<String, Value>>::new();
    let mut started = 0;
    for event in log.as_array().expect("a list") {
        let (name, data) =
            (event["event"].as_str().expect("a name"), event["data"].as_object().expect("data"));
        let (kind, what) = name.split_once('.').expect("a kind");
        started += usize::from(name == "call.started");
        assert!(started < 2, "a call is started once");
        assert_ne!(data.get("changed"), Some(&json!([])), "{name} tells nothing");
        let id = data[&format!("{kind}_id")].as_str().expect("an id");
        let known = last.entry((kind, id)).or_default();
        assert!(!known.is_empty() || what != "updated", "{name} of what was never told");
        // How a call stood while it was under way is told again when it is over, of what the others tell.
        if !["call.started", "call.transferred"].contains(&name) {
            known.extend(data.clone());
        }
    }
    for ((kind, id), told) in &last {
        let record = client.data(&format!("/v1/{kind}s/{id}")).await;
        // A contact's further call is told by the call's own events.
        let apart = ["updated_at", "call_count", "last_call_at"];
        for (name, value) in told.iter().filter(|(name, _)| !apart.contains(&name.as_str())) {
            if let Some(there) = record.get(name) {
                assert_eq!(value, there, "{name} of the {kind} as it was told last");
            }
        }
    }
    let mut events = receiver.take_events();
    events.retain(|event| event != "call.started" && !event.ends_with(".updated"));
    Outcome { records: records(app, org).await, events }
}

#[test]
fn a_vapi_call_is_the_same_in_any_order() {
    let messages =
        fixtures!("vapi": "status-update.in-progress", "conversation-update", "end-of-call-report");
    Told::by(Platform::Vapi, &messages).check();
}

#[test]
fn a_vapi_call_that_was_handed_over_is_the_same_in_any_order() {
    let messages = fixtures!("vapi": "status-update.in-progress", "status-update.forwarding", "end-of-call-report.transferred");
    Told::by(Platform::Vapi, &messages).check();
}

#[test]
fn a_retell_call_is_the_same_in_any_order() {
    Told::by(Platform::Retell, &fixtures!("retell": "call_started", "call_ended", "call_analyzed")).check();
}

#[test]
fn a_retell_call_that_was_handed_over_is_the_same_in_any_order() {
    let messages = fixtures!("retell":
        "call_ended", "call_analyzed", "transfer_started", "transfer_bridged");
    Told::by(Platform::Retell, &messages).check();
}

#[test]
fn an_elevenlabs_call_is_the_same_in_any_order() {
    let [done, audio, spans] = fixtures!("elevenlabs":
        "post_call_transcription", "post_call_audio", "post_call_transcription_otel");
    let processing = done.replace(r#""status": "done""#, r#""status": "processing""#);
    assert_ne!(processing, done);
    Told::by(Platform::ElevenLabs, &[processing.as_str(), spans, done, audio]).check();
}

#[test]
fn a_bland_call_is_the_same_in_any_order() {
    Told::by(Platform::Bland, &fixtures!("bland": "call.running", "webhook_event", "call")).check();
}

#[test]
fn a_twilio_call_is_the_same_in_any_order() {
    let [ringing, leg, completed, recording] = forms!("twilio":
        "call-status.ringing", "call-status.leg-completed", "call-status.completed", "recording.completed");
    let [stream] = fixtures!("twilio": "event-stream.completed");
    Told::by(Platform::Twilio, &[ringing, leg, completed, recording, stream]).check();
}

#[test]
fn a_livekit_call_is_the_same_in_any_order() {
    let messages = fixtures!("livekit": "room_started", "agent_job_started", "participant_joined.sip",
        "participant_joined.agent", "participant_joined.transfer", "participant_left.sip", "egress_ended",
        "session_report", "room_finished");
    Told::by(Platform::LiveKit, &messages).check();
}

#[test]
fn a_telnyx_call_is_the_same_in_any_order() {
    let messages = fixtures!("telnyx": "call.initiated", "call.answered", "call.answered.second-leg",
        "call.conversation.ended", "call.hangup", "call.conversation_insights.generated", "call.recording.saved");
    Told::by(Platform::Telnyx, &messages).check();
}

#[test]
fn a_synthflow_call_is_the_same_in_any_order() {
    let [over] = fixtures!("synthflow": "post-call");
    let running = over.replace(r#""status": "completed""#, r#""status": "in-progress""#);
    let bare = over.replace("collected_variables", "other_variables").replace("Robin Vale", "");
    assert!(running != over && bare != over);
    Told::by(Platform::Synthflow, &[running.as_str(), &bare, over]).check();
}

#[test]
fn a_call_of_any_other_platform_is_the_same_in_any_order() {
    let [mapping] = fixtures!("custom": "in-house.mapping");
    let mut settings: Value = serde_json::from_str(mapping).expect("a mapping");
    settings.as_object_mut().expect("an object").remove("auth");
    let message = |kind: &str, sent: i64, mut call: Value| {
        call["uid"] = "u155".into();
        json!({"data": {"kind": kind, "sent": 1_771_938_000_000_000_i64 + sent, "call": call}}).to_string()
    };
    let form =
        |name: &str| json!([{"label": "name", "entry": name}, {"label": "service", "entry": "Boiler"}]);
    let turns = json!([{"by": "agent", "text": "Hello."}, {"by": "tool", "name": "book_appointment",
        "arguments": {"start": "2026-03-04T10:00:00Z"}, "result": {"success": true, "booking_id": "bk_155"}}]);
    let number = "+14155550143";
    let messages = [
        message("ring", 1, json!({"from": number})),
        message(
            "handover",
            2,
            json!({"handover": "talking", "to": "+14155550188", "form": form("VALE ROBIN")}),
        ),
        message(
            "hangup",
            3,
            json!({"from": number, "lasted": 9000, "turns": turns, "form": form("R. Vale")}),
        ),
        message("report", 4, json!({"from": number, "turns": turns, "form": form("Robin Vale")})),
        message("tape", 5, json!({"tape": "https://media.example.com/u155.mp3"})),
    ];
    let messages = messages.iter().map(String::as_str).collect();
    Told { platform: Platform::Custom, settings, messages }.check();
}

#[test]
fn recorded_calls_are_the_same_in_any_order() {
    let mut calls = BTreeMap::<(&str, String), (Platform, Vec<String>)>::new();
    // Bland sends one message a call; its two with one id are of different calls.
    for (platform, _, body, row) in recorded().into_iter().filter(|row| row.0 != Platform::Bland) {
        let Some(id) = row["provider_call_id"].as_str() else { continue };
        calls.entry((platform.as_str(), id.to_owned())).or_insert((platform, Vec::new())).1.push(body);
    }
    for (platform, messages) in calls.into_values().filter(|(_, messages)| messages.len() > 1) {
        Told::by(platform, &messages.iter().map(String::as_str).collect::<Vec<_>>()).check();
    }
}
