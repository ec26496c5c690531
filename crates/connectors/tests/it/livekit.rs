//! LiveKit: what its messages say, and what they add up to.

use connectors::Parsed;
use model::{
    AssistantRef, CallStatus, Change, Completion, Direction, Facts, Phone, Platform, Role, Stage, Time,
    Transfer,
};
use serde_json::{Value, json};

use super::{Fixture, change, fixture, fixtures, tools};

mod signed;

pub(crate) const FIXTURES: &[Fixture] = fixtures!(LiveKit in "livekit": "room_started", "participant_joined.sip", "participant_joined.agent", "participant_joined.transfer", "participant_joined.web", "participant_left.sip", "room_finished", "egress_ended", "agent_job_started", "session_report");

/// Without these a body is no message, or nobody knows of which call.
pub(crate) const NEEDED: &[&str] = &[
    "/event",
    "/room",
    "/room/sid",
    "/egressInfo",
    "/egressInfo/roomId",
    "/job",
    "/job/room",
    "/job/room/sid",
    "/room_id",
    "/chat_history",
];

/// The rows of LiveKit have other columns than the rest: they tell of rooms, not of calls.
pub(crate) fn check(file: &str, row: &Value, parsed: Parsed) {
    assert_eq!((&row["event"], &row["event_id"]), (&json!(parsed.event), &json!(parsed.event_id)), "{file}");
    let Change { external_id, at, facts, .. } = change(parsed);
    // A row has the room's name; we prefer its sid.
    assert!(row["room"] == external_id || external_id.starts_with("RM_"), "room of {file}: {external_id}");
    let times = [at, facts.started_at, facts.ended_at].map(|time| time.map(Time::unix_seconds));
    assert!(row["at"].is_null() || times.contains(&row["at"].as_i64()), "at of {file}: {times:?}");
    // The call's id of a row is the telephone's, and a room may have several.
    assert_eq!(row["provider_call_id"], json!(facts.carrier_id), "provider_call_id of {file}");
    assert_eq!(row["caller_phone"], json!(facts.caller_phone.as_ref().map(Phone::as_str)), "{file}");
    if row["sip_status"] == "active" {
        assert_eq!(facts.status, Some(CallStatus::InProgress), "sip_status of {file}");
    }
    // A row says that there is a file. This one is on a disk that nobody can reach.
    if file != "livekit/egress_ended.complete.json" {
        assert_eq!(row["recording"], facts.recording_url.is_some(), "recording of {file}");
    }
}

fn parse(body: Value) -> Parsed {
    super::parse(Platform::LiveKit, body.to_string().as_bytes()).expect("a message")
}

fn of(name: &str) -> Change {
    change(fixture(Platform::LiveKit, name))
}

fn time(text: &str) -> Option<Time> {
    text.parse().ok()
}

/// What the merge makes of one fact: the word of the greatest stage, then of the latest time.
fn word<T: Clone>(changes: &[Change], fact: impl Fn(&Facts) -> &Option<T>) -> Option<T> {
    let said = changes.iter().filter(|change| fact(&change.facts).is_some());
    said.max_by_key(|change| (change.stage, change.at)).and_then(|change| fact(&change.facts).clone())
}

fn status(changes: &[Change]) -> Option<CallStatus> {
    let said = changes.iter().filter(|change| change.facts.status.is_some());
    let rank =
        |change: &&Change| (change.facts.status.is_some_and(CallStatus::is_final), change.stage, change.at);
    said.max_by_key(rank).and_then(|change| change.facts.status)
}

/// A telephone in a room.
fn phone(event: &str, number: &str, joined_at: i64, more: Value) -> Value {
    let mut participant = json!({
        "identity": format!("sip_{number}"), "kind": 3, "joinedAt": joined_at.to_string(),
        "attributes": {"sip.callID": format!("SCL_{number}"), "sip.phoneNumber": number}
    });
    for (name, value) in more.as_object().expect("fields") {
        participant[name] = value.clone();
    }
    let created_at = if event == "participant_joined" { joined_at } else { joined_at + 30 };
    json!({"event": event, "room": {"sid": "RM_1", "name": "r"}, "createdAt": created_at, "participant": participant})
}

#[test]
fn every_message_of_a_call_has_the_id_of_its_room() {
    for fixture in FIXTURES.iter().filter(|fixture| fixture.name != "participant_joined.web") {
        let parsed = super::fixture(Platform::LiveKit, fixture.name);
        assert_eq!(parsed.external_id.as_deref(), Some("RM_harbor155"), "{}", fixture.name);
        assert!(parsed.changes.iter().all(|change| change.external_id == "RM_harbor155"));
    }
    let by_name = parse(json!({"event": "room_started", "room": {"name": "demo"}}));
    assert_eq!(by_name.external_id.as_deref(), Some("demo"));
    let egress =
        parse(json!({"event": "egress_ended", "egress_info": {"room_id": "RM_1", "room_name": "demo"}}));
    assert_eq!(egress.external_id.as_deref(), Some("RM_1"));
}

#[test]
fn a_telephone_that_joins_is_the_caller() {
    let parsed = fixture(Platform::LiveKit, "participant_joined.sip");
    assert_eq!((parsed.event.as_str(), parsed.event_id.as_deref()), ("participant_joined", Some("EV_0002")));
    let change = change(parsed);
    assert_eq!((change.completion, change.transfer), (Completion::No, Transfer::None));
    let facts = change.facts;
    assert_eq!((facts.status, facts.direction), (Some(CallStatus::InProgress), Some(Direction::Inbound)));
    assert_eq!(facts.caller_phone.as_ref().map(Phone::as_str), Some("+14155550142"));
    assert_eq!((facts.caller_address, facts.caller_name), (None, None), "`Phone +1415…` is no name");
    assert_eq!(facts.started_at, time("2026-02-24T13:00:01.250Z"));
    assert_eq!(facts.carrier_id.as_deref(), Some("SCL_harbor155"));
    assert_eq!(facts.assistant.map(|assistant| assistant.external_id).as_deref(), Some("SDR_reception"));
}

#[test]
fn a_whole_call_adds_up_whatever_the_order() {
    let mut changes: Vec<_> = FIXTURES
        .iter()
        .filter(|fixture| fixture.name != "participant_joined.web")
        .flat_map(|fixture| super::fixture(Platform::LiveKit, fixture.name).changes)
        .collect();
    for _ in 0..2 {
        assert_eq!(status(&changes), Some(CallStatus::Completed));
        assert_eq!(word(&changes, |facts| &facts.started_at), time("2026-02-24T13:00:01.250Z"));
        assert_eq!(word(&changes, |facts| &facts.ended_at), time("2026-02-24T13:01:31Z"));
        let number = word(&changes, |facts| &facts.caller_phone);
        assert_eq!(number.as_ref().map(Phone::as_str), Some("+14155550142"));
        assert_eq!(word(&changes, |facts| &facts.caller_name), None);
        assert_eq!(word(&changes, |facts| &facts.direction), Some(Direction::Inbound));
        assert_eq!(word(&changes, |facts| &facts.ended_reason).as_deref(), Some("CLIENT_INITIATED"));
        let reception = AssistantRef { external_id: "reception".into(), name: Some("reception".into()) };
        assert_eq!(word(&changes, |facts| &facts.assistant), Some(reception));
        let recording = word(&changes, |facts| &facts.recording_url);
        assert_eq!(recording.as_deref(), Some("https://recordings.example.com/harbor/155.ogg"));
        assert_eq!(word(&changes, |facts| &facts.transfer_destination).as_deref(), Some("+14155550177"));
        assert_eq!(changes.iter().map(|change| change.transfer).max(), Some(Transfer::HandedOver));
        assert_eq!(changes.iter().map(|change| change.completion).max(), Some(Completion::Now));
        changes.reverse();
    }
}

#[test]
fn of_two_telephones_the_first_is_the_caller() {
    let messages = |event: &str, fields: Value| {
        let caller = phone(event, "+14155550142", 1_771_938_000, fields.clone());
        let desk = phone(event, "+14155550177", 1_771_938_060, fields);
        [change(parse(desk)), change(parse(caller))]
    };
    let joined = messages("participant_joined", json!({}));
    let left = messages("participant_left", json!({"disconnectReason": "USER_REJECTED"}));
    let numbers =
        |changes: &[Change]| word(changes, |facts| &facts.caller_phone).map(|number| number.to_string());
    assert_eq!(numbers(&joined).as_deref(), Some("+14155550142"));
    assert_eq!(numbers(&left).as_deref(), Some("+14155550142"));
    // The desk's leaving came, the caller's did not.
    assert_eq!(numbers(&[joined[1].clone(), left[0].clone()]).as_deref(), Some("+14155550142"));
    assert_eq!(word(&left, |facts| &facts.ended_at), time("2026-02-24T13:00:30Z"));
    let undated = phone("participant_left", "+14155550199", 0, json!({"joinedAt": null}));
    let all = [joined[1].clone(), change(parse(undated))];
    assert_eq!(
        numbers(&all).as_deref(),
        Some("+14155550142"),
        "who joined is not known, so anybody was before"
    );
}

#[test]
fn a_browser_is_a_web_call_unless_there_is_a_telephone() {
    let web = of("participant_joined.web");
    assert_eq!(web.external_id, "RM_web155");
    let facts = &web.facts;
    assert_eq!((facts.direction, facts.caller_name.as_deref()), (Some(Direction::Web), Some("Robin Vale")));
    assert_eq!(
        (facts.started_at, facts.status),
        (time("2026-02-24T13:00:03Z"), Some(CallStatus::InProgress))
    );
    let again = |event: &str, at: i64| {
        let person = json!({"kind": "STANDARD", "name": "Later", "joinedAt": at});
        let room = json!({"sid": "RM_web155"});
        change(parse(json!({"event": event, "room": room, "participant": person, "createdAt": at + 9})))
    };
    let changes = [
        web,
        again("participant_left", 1_771_938_003),
        again("participant_joined", 1_771_938_020),
        again("participant_left", 1_771_938_020),
    ];
    assert_eq!(status(&changes), Some(CallStatus::InProgress), "the page may come back");
    assert_eq!(word(&changes, |facts| &facts.started_at), time("2026-02-24T13:00:03Z"));
    assert_eq!(word(&changes, |facts| &facts.ended_at), time("2026-02-24T13:00:29Z"));
    assert_eq!(word(&changes, |facts| &facts.caller_name).as_deref(), Some("Robin Vale"));
    assert_eq!(changes.iter().map(|change| change.completion).max(), Some(Completion::No));
    let phone = change(parse(phone("participant_joined", "+14155550142", 1_771_938_050, json!({}))));
    let direction = word(&[changes[0].clone(), phone], |facts| &facts.direction);
    assert_eq!(direction, Some(Direction::Outbound));
}

#[test]
fn an_agent_is_the_assistant_and_nobody_else() {
    let agent = of("participant_joined.agent");
    let reception = AssistantRef { external_id: "reception".into(), name: Some("reception".into()) };
    assert_eq!(agent.facts, Facts { assistant: Some(reception.clone()), ..Facts::default() });
    assert_eq!(of("agent_job_started").facts.assistant, Some(reception.clone()));
    let both = [agent, of("participant_joined.sip")];
    assert_eq!(word(&both, |facts| &facts.assistant), Some(reception));
    for (event, kind) in [("participant_left", json!(4)), ("participant_joined", json!("CONNECTOR"))] {
        let room = json!({"sid": "RM_1"});
        let participant = json!({"kind": kind, "name": "Somebody"});
        let said = change(parse(json!({"event": event, "room": room, "participant": participant})));
        assert_eq!((said.facts, said.completion), (Facts::default(), Completion::No), "{event}");
    }
}

#[test]
fn a_telephone_that_leaves_ends_the_call() {
    let left = of("participant_left.sip");
    assert_eq!((left.completion, left.facts.status), (Completion::Wait, Some(CallStatus::Completed)));
    assert_eq!(left.facts.ended_at, time("2026-02-24T13:01:31Z"));
    let ended = |event: &str, status: &str, reason: Value| {
        let attributes = json!({"sip.callStatus": status, "sip.callID": "SCL_1"});
        let fields = json!({"attributes": attributes, "disconnectReason": reason});
        change(parse(phone(event, "+14155550142", 1_771_938_000, fields)))
    };
    let failed = |event: &str, status: &str, reason: Value| {
        ended(event, status, reason).facts.status == Some(CallStatus::Failed)
    };
    assert!(failed("participant_left", "hangup", json!("USER_UNAVAILABLE")));
    assert!(failed("participant_left", "hangup", json!(12)));
    assert!(failed("participant_left", "ringing", json!("CLIENT_INITIATED")));
    assert!(failed("participant_connection_aborted", "active", json!(null)));
    assert!(!failed("participant_left", "active", json!("USER_UNAVAILABLE")));
    assert!(!failed("participant_left", "hangup", json!("ROOM_DELETED")));
    let rejected = ended("participant_left", "hangup", json!("USER_REJECTED"));
    assert_eq!(rejected.completion, Completion::No, "who was called may have been called for the caller");
    // What the room and the agent say of the end gives way.
    let changes =
        [vec![rejected], vec![of("room_finished")], fixture(Platform::LiveKit, "session_report").changes];
    assert_eq!(status(&changes.concat()), Some(CallStatus::Failed));
}

#[test]
fn a_room_that_is_over_waits_for_the_recording_and_the_report() {
    let finished = of("room_finished");
    assert_eq!((finished.completion, finished.facts.status), (Completion::Wait, Some(CallStatus::Completed)));
    assert_eq!(finished.facts.ended_at, time("2026-02-24T13:01:51Z"));
    assert_eq!(finished.facts.started_at, time("2026-02-24T13:00:00.120Z"));
}

#[test]
fn a_recording_is_a_file_that_can_be_fetched() {
    let egress = of("egress_ended");
    assert_eq!((egress.stage, egress.completion), (Stage::Audio, Completion::No));
    let location = "https://recordings.example.com/a.ogg";
    let recorded = |fields: Value| {
        let mut info = json!({"roomId": "RM_1", "status": 3, "fileResults": [{"location": location}]});
        for (name, value) in fields.as_object().expect("fields") {
            info[name] = value.clone();
        }
        change(parse(json!({"event": "egress_ended", "egressInfo": info})))
    };
    let url = |fields: Value| recorded(fields).facts.recording_url;
    for fine in [
        json!({}),
        json!({"status": "EGRESS_LIMIT_REACHED"}),
        json!({"status": "A_WORD_OF_NEXT_YEAR"}),
        json!({"fileResults": null, "file_results": [{"location": ""}, {"location": location}]}),
        json!({"fileResults": [], "file": {"location": location}}),
    ] {
        assert_eq!(url(fine.clone()).as_deref(), Some(location), "{fine}");
    }
    for none in [
        json!({"status": "EGRESS_FAILED"}),
        json!({"status": 5}),
        json!({"fileResults": []}),
        json!({"fileResults": [{"location": "/out/a.ogg", "filename": location}]}),
    ] {
        assert_eq!(url(none.clone()), None, "{none}");
    }
    assert!(recorded(json!({"participant": {"identity": "a"}})).stage < egress.stage);
}

#[test]
fn a_report_has_the_conversation() {
    let parsed = fixture(Platform::LiveKit, "session_report");
    assert_eq!((parsed.event.as_str(), parsed.event_id), ("session_report", None));
    let [session, told] = <[Change; 2]>::try_from(parsed.changes).expect("two changes");
    assert_eq!((session.stage, session.facts.status), (Stage::Started, Some(CallStatus::Completed)));
    assert_eq!(session.facts.ended_at, time("2026-02-24T13:01:32.500Z"));
    assert_eq!((told.stage, told.completion), (Stage::Analyzed, Completion::Now));
    let facts = told.facts;
    let transcript =
        "Assistant: Harbor Plumbing,\nhow can I help?\nUser: My boiler is out.\nAssistant: You are booked";
    assert_eq!(facts.transcript.as_deref(), Some(transcript));
    assert_eq!((facts.recording_url, facts.status), (None, None), "the recording is on the agent's disk");
    let messages = facts.messages.expect("messages");
    let turns: Vec<_> = messages.iter().map(|message| (message.role, message.offset_seconds)).collect();
    let expected = [
        (Role::Assistant, Some(1.5)),
        (Role::User, Some(7.25)),
        (Role::Tool, Some(12.0)),
        (Role::Tool, Some(12.1)),
        (Role::Assistant, Some(15.0)),
    ];
    assert_eq!(turns, expected);
    let tools = tools(&messages);
    let outcomes: Vec<_> = tools.iter().map(|tool| (tool.name.as_str(), tool.ok)).collect();
    assert_eq!(outcomes, [("book_appointment", Some(true)), ("send_sms", Some(false))]);
    assert_eq!(tools[0].arguments, Some(json!({"service": "Boiler repair"})));
    assert_eq!(tools[0].result, Some(json!({"booking_id": "bk_155"})));
}

#[test]
fn reports_of_other_versions_are_read_too() {
    let items = json!([
        {"type": "message", "role": "user", "content": "Hi", "createdAt": 1_771_938_002_000_i64},
        {"type": "function_call", "callId": "1", "name": "book", "args": "{}", "createdAt": 1_771_938_004_500_i64},
        {"type": "function_call_output", "callId": "1", "output": "{\"success\":false}", "isError": false},
        {"type": "agent_config_update", "instructions": "secret"}, 7, null
    ]);
    let parsed =
        parse(json!({"room": "demo", "chatHistory": {"items": items}, "timestamp": 1_771_938_009_000_i64}));
    assert_eq!(parsed.external_id.as_deref(), Some("demo"));
    assert_eq!(
        parsed.changes[0].facts.started_at,
        time("2026-02-24T13:00:02Z"),
        "the first words, at the latest"
    );
    let messages = parsed.changes[1].facts.messages.clone().expect("messages");
    assert_eq!((messages.len(), messages[1].offset_seconds), (2, Some(2.5)));
    assert_eq!(tools(&messages)[0].ok, Some(false), "one no outweighs any yes");
    let empty = parse(json!({"room_id": "RM_1", "chat_history": {"items": "none"}}));
    assert_eq!((&empty.changes[1].facts.messages, &empty.changes[1].facts.transcript), (&None, &None));
}

#[test]
fn other_events_change_nothing() {
    let room = json!({"sid": "RM_1", "name": "r"});
    let participant = json!({"identity": "sip_1", "name": ""});
    for event in ["track_published", "track_unpublished", "ingress_started", "an_event_of_next_year"] {
        let parsed = parse(json!({"event": event, "room": room, "participant": participant, "id": "EV_1"}));
        assert_eq!((parsed.event_id.as_deref(), parsed.external_id.as_deref()), (Some("EV_1"), Some("RM_1")));
        assert_eq!(parsed.changes, [], "{event}");
    }
    let started = parse(json!({"event": "egress_started", "egressInfo": {"roomName": "r"}}));
    assert_eq!((started.external_id.as_deref(), started.changes.len()), (Some("r"), 0));
    let of_a_page =
        parse(json!({"event": "egress_ended", "egressInfo": {"web": {"url": "https://a.example"}}}));
    assert_eq!((of_a_page.external_id, of_a_page.changes.len()), (None, 0));
    // The room in which an agent asks a person to take over is no call of its own.
    let consultation = json!({"sid": "RM_2", "name": "r-human-agent"});
    for event in ["room_started", "participant_joined", "room_finished"] {
        assert_eq!(
            parse(json!({"event": event, "room": consultation, "participant": {"kind": "SIP"}})).changes,
            []
        );
    }
}

#[test]
fn what_is_no_message_says_why() {
    let error =
        |body: &str| super::parse(Platform::LiveKit, body.as_bytes()).expect_err("unreadable").to_string();
    assert_eq!(error("{}"), "event is missing, and so is the chat_history of a session report");
    assert_eq!(error(r#"{"event":"room_started"}"#), "room.sid is missing, and so is room.name");
    assert_eq!(error(r#"{"chat_history":{"items":[]}}"#), "room_id is missing, and so is room");
    assert!(error("event=1").starts_with("the body is not JSON: "));
}
