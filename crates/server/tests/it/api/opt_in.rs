//! The opt-in events: told to who asks for them, with what changed, and to nobody else.

use insta::assert_snapshot;
use model::{EventFilter, EventType, Platform};
use serde_json::{Value, json};
use store::NewEndpoint;

use super::{
    orders::{fixtures, outcome, outcome_of, permutations},
    recordings::{fetching, recorded},
};
use crate::support::{Client, Item, Org, Receiver, Setup, Storage, on_both, on_both_with, wav};

async fn endpoint(org: &Org, url: String, events: EventFilter) -> Value {
    let new = NewEndpoint { url, events, secret: None, source: None, telling: Default::default() };
    json!(org.endpoint_with(new).await.id)
}

/// What was told since the last look, in alphabetical order, with the fields that changed.
fn told(receiver: &Receiver) -> String {
    let line = |body: Value| {
        let changed = body["data"]["changed"].as_array();
        let changed =
            changed.map(|names| names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "));
        format!("{} {}", text(&body["event"]), changed.unwrap_or_default()).trim_end().to_owned()
    };
    let mut lines: Vec<_> = receiver.take().iter().map(|got| line(got.json())).collect();
    lines.sort();
    if lines.is_empty() { "nothing".to_owned() } else { lines.join(", ") }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// What happens in the life of some records; after each step somebody looks.
async fn story(client: &Client<'_>, mut look: impl FnMut(&str)) {
    let call = json!({"external_id": "a", "caller_phone": "+14155550142", "status": "in-progress"});
    client.write_call(call.clone()).await;
    look("a call begins");
    let over =
        json!({"external_id": "a", "status": "completed", "caller_name": "Robin", "summary": "A leak"});
    let call = client.write_call(over).await;
    look("it is over");
    for time in ["its transcript comes late", "and once more"] {
        client.write_call(json!({"external_id": "a", "transcript": "AI: Hello"})).await;
        look(time);
    }
    let path = format!("/v1/calls/{}", text(&call["id"]));
    client.changed(&path, json!({"tags": ["leak"], "reviewed": true})).await;
    look("a person looks at it");
    let lead = client.data("/v1/leads").await[0].take();
    client.changed(&format!("/v1/leads/{}", text(&lead["id"])), json!({"status": "qualified"})).await;
    look("the lead is qualified");
    let new = json!({"call_id": call["id"], "lead_id": lead["id"], "title": "A visit"});
    let made = client.made("/v1/appointments", new.clone()).await;
    look("an appointment is made");
    let path = format!("/v1/appointments/{}", text(&made["id"]));
    client.changed(&path, json!({"starts_at": "2026-03-04T10:00:00Z", "status": "rescheduled"})).await;
    look("it is moved");
    client.changed(&path, json!({"status": "cancelled"})).await;
    look("it is called off");
    client.delete(&path).await;
    look("it is deleted");
    let other = client.made("/v1/appointments", new).await;
    client.delete(&format!("/v1/appointments/{}", text(&other["id"]))).await;
    look("another is made and deleted");
    let path = format!("/v1/contacts/{}", text(&call["contact_id"]));
    client.changed(&path, json!({"company": "Vale & Sons"})).await;
    look("the contact gets a company");
    let twin =
        client.made("/v1/contacts", json!({"phone": "+14155550143", "email": "robin@example.com"})).await;
    look("a contact is made");
    let merged = client.post(&format!("{path}/merge"), &json!({"from": twin["id"]})).await;
    assert_eq!(merged.status, 200, "{}", merged.shown());
    look("the two are one");
    client.delete(&path).await;
    look("it is deleted too");
}

#[test]
fn every_change_is_told_once_with_what_changed_to_who_asks_for_everything() {
    on_both_with(Setup::unhurried(), async |app| {
        let (org, theirs) = (app.org("Mine").await, app.org("Theirs").await);
        let (all, everything, other) =
            (Receiver::start().await, Receiver::start().await, Receiver::start().await);
        endpoint(&org, all.url("/"), EventFilter::Documented).await;
        endpoint(&org, everything.url("/"), EventFilter::Everything).await;
        endpoint(&theirs, other.url("/"), EventFilter::Everything).await;
        let mut lines = Vec::new();
        story(&app.key(&org), |step| lines.push(format!("{step}: {}", told(&everything)))).await;
        assert_snapshot!(lines.join("\n"), @"
        a call begins: call.started, contact.created
        it is over: call.completed, contact.updated name, lead.created
        its transcript comes late: call.updated transcript
        and once more: nothing
        a person looks at it: call.updated reviewed tags
        the lead is qualified: lead.updated status
        an appointment is made: appointment.booked
        it is moved: appointment.updated starts_at status
        it is called off: appointment.cancelled status
        it is deleted: nothing
        another is made and deleted: appointment.booked, appointment.cancelled status
        the contact gets a company: contact.updated company
        a contact is made: contact.created
        the two are one: contact.updated other_phones email
        it is deleted too: lead.updated contact_id
        ");
        assert_snapshot!(told(&all), @"appointment.booked, appointment.booked, call.completed, lead.created");
        assert_eq!(told(&other), "nothing", "another organization's");
    });
}

#[test]
fn what_nobody_asks_for_is_not_kept() {
    on_both_with(Setup::unhurried(), async |app| {
        let (org, receiver) = (app.org("Mine").await, Receiver::start().await);
        let kinds = |events: &Value| {
            let events = events.as_array().expect("a list").iter();
            events.map(|event| text(&event["event"]).to_owned()).collect::<Vec<_>>().join(" ")
        };
        let client = app.key(&org);
        endpoint(&org, receiver.url("/"), EventFilter::Documented).await;
        story(&client, |_| {}).await;
        let documented = "call.completed lead.created appointment.booked appointment.booked";
        assert_eq!(kinds(&client.data("/v1/events").await), documented);
        // One of them is asked for: the others are still not kept.
        let one = EventFilter::Only(vec![EventType::ContactCreated]);
        let id = endpoint(&org, receiver.url("/"), one).await;
        client.changed(&format!("/v1/webhooks/{}", text(&id)), json!({"state": "paused"})).await;
        let contact = client.made("/v1/contacts", json!({"name": "Ada"})).await;
        client.changed(&format!("/v1/contacts/{}", text(&contact["id"])), json!({"name": "Ada R."})).await;
        assert_eq!(kinds(&client.data("/v1/events").await), format!("{documented} contact.created"));
        let held = client.data(&format!("/v1/deliveries?webhook_id={}", text(&id))).await;
        assert_eq!(held[0]["state"], "held");
        let found = client.data("/v1/events?type=contact.created").await;
        assert_eq!(found[0]["data"]["contact_id"], contact["id"]);
        // What a person asks to see is told all the same.
        let told = client.post("/v1/event-types/lead.updated/trigger", &json!({})).await.json();
        assert_eq!(told["data"]["deliveries"], 0);
        assert_eq!(client.data("/v1/events?type=lead.updated").await[0]["id"], told["data"]["id"]);
    });
}

#[test]
fn a_recording_that_is_stored_late_is_a_change_of_its_call() {
    on_both_with(fetching(), async |app| {
        let storage = Storage::start().await;
        let url = storage.put("/a.wav", [Item::sound(&wav(1, 1))]);
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        let asked = EventFilter::Only(vec![EventType::CallUpdated]);
        endpoint(&org, receiver.url("/"), asked).await;
        let source = org.source(Platform::Vapi).await;
        source.accept(app, &recorded("c", json!({ "recordingUrl": url }))).await;
        app.settle().await;
        let got = receiver.take();
        assert_eq!(got.len(), 1);
        let data = got[0].json()["data"].take();
        assert_eq!(data["changed"], json!(["recording_available"]));
        assert!(text(&data["recording_url"]).contains("signature="), "who is told has no key");
    });
}

#[test]
fn a_contact_s_further_call_changes_nothing_of_the_contact_unless_it_says_something() {
    on_both_with(Setup::unhurried(), async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        let asked = EventFilter::Only(vec![EventType::ContactUpdated]);
        endpoint(&org, receiver.url("/"), asked).await;
        let client = app.key(&org);
        for id in ["a", "b"] {
            client.write_call(json!({"external_id": id, "caller_phone": "+14155550142"})).await;
        }
        assert_eq!(told(&receiver), "nothing");
        assert_eq!(client.data("/v1/contacts").await[0]["call_count"], 2);
        let named = json!({"external_id": "c", "caller_phone": "+14155550142", "caller_name": "Robin"});
        client.write_call(named).await;
        assert_eq!(told(&receiver), "contact.updated name call_count");
        // It was somebody else who called: that is no change of this one.
        client.write_call(json!({"external_id": "b", "caller_phone": "+14155550143"})).await;
        assert_eq!(told(&receiver), "nothing");
        assert_eq!(client.data("/v1/contacts?phone=%2B14155550142").await[0]["call_count"], 2);
    });
}

#[test]
fn an_endpoint_asks_by_words() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        for (asked, shown) in [
            (json!(["*"]), json!(["*"])),
            (json!(["all", "lead.created"]), json!(["all"])),
            (json!(["call.updated", "call.completed"]), json!(["call.updated", "call.completed"])),
        ] {
            let new = json!({"url": "https://hooks.example.com/in", "events": asked});
            assert_eq!(client.made("/v1/webhooks", new).await["events"], shown);
        }
    });
}

#[test]
fn who_asks_for_everything_changes_nothing_for_who_asks_for_all() {
    let messages_of_call =
        fixtures!("vapi": "status-update.in-progress", "conversation-update", "end-of-call-report");
    on_both_with(Setup::unhurried(), async |app| {
        let expected = outcome(app, Platform::Vapi, &messages_of_call, None).await;
        for order in permutations(&messages_of_call) {
            let twice: Vec<_> = order.iter().chain(&order).copied().collect();
            for messages in [&order, &twice] {
                let (org, all, everything) =
                    (app.org("Mine").await, Receiver::start().await, Receiver::start().await);
                endpoint(&org, all.url("/"), EventFilter::Documented).await;
                endpoint(&org, everything.url("/"), EventFilter::Everything).await;
                assert_eq!(outcome_of(app, &org, &all, Platform::Vapi, messages).await, expected);
                let told = everything.take_events();
                for event in &expected.events {
                    assert_eq!(told.iter().filter(|told| *told == event).count(), 1, "{event}: {told:?}");
                }
                // What is said of the conversation so far says nothing of the call.
                let place = |wanted: &str| messages.iter().position(|message| *message == wanted);
                let [begins, _, ends] = messages_of_call;
                let is_first = place(begins) < place(ends);
                assert_eq!(told.contains(&"call.started".to_owned()), is_first, "{told:?}");
            }
        }
    });
}
