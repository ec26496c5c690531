//! Leads, appointments and calls as people and systems write them, and what the calls' messages make of that.

use insta::assert_snapshot;
use model::Platform;
use serde_json::{Value, json};

use crate::support::{Receiver, booking, booking_answered, on_both, report};

fn path(kind: &str, record: &Value) -> String {
    format!("/v1/{kind}/{}", record["id"].as_str().expect("an id"))
}

/// All of a record but its stamps, of which an operation takes as many as it may need.
fn shown(record: &Value) -> String {
    let mut fields = record.as_object().expect("a record").clone();
    fields.retain(|name, _| !["created_at", "updated_at"].contains(&name.as_str()));
    serde_json::to_string_pretty(&fields).expect("JSON")
}

#[test]
fn a_lead_that_is_written_for_a_call_is_the_call_s_and_told() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        org.endpoint(&receiver.url("/")).await;
        let client = app.key(&org);
        let call = client
            .write_call(json!({"external_id": "a", "caller_phone": "+14155550142", "caller_name": "Robin"}))
            .await;
        assert_eq!(receiver.take_events(), ["call.completed"], "there is no need");
        let lead = client
            .made("/v1/leads", json!({"call_id": call["id"], "intent": "Repair", "urgency": "high"}))
            .await;
        assert_snapshot!(shown(&lead), @r#"
        {
          "id": "00000000-0000-7000-8000-00000000003b",
          "call_id": "00000000-0000-7000-8000-000000000035",
          "contact_id": "00000000-0000-7000-8000-000000000036",
          "name": "Robin",
          "phone": "+14155550142",
          "email": null,
          "intent": "Repair",
          "urgency": "high",
          "summary": null,
          "status": "new",
          "notes": null
        }
        "#);
        assert_eq!(lead["contact_id"], call["contact_id"]);
        assert_eq!(client.data(&path("leads", &lead)).await, lead);
        let told = receiver.take();
        assert_eq!(told.len(), 1);
        let told: Value = serde_json::from_str(&told[0].body).expect("JSON");
        assert_eq!((&told["event"], &told["data"]["lead_id"]), (&json!("lead.created"), &lead["id"]));

        let second = client.post("/v1/leads", &json!({"call_id": call["id"]})).await;
        let taken = format!("it belongs to the lead {} already", lead["id"].as_str().expect("an id"));
        assert_eq!(second.error(), format!("409 conflict: Wrong field `call_id`: {taken}"));
        let own = client
            .changed(&path("leads", &lead), json!({"status": "qualified", "intent": "New boiler"}))
            .await;
        client
            .write_call(json!({"external_id": "a", "caller_phone": "+14155550142", "summary": "It leaks."}))
            .await;
        let known = client.data(&path("leads", &lead)).await;
        assert_eq!(
            (&known["summary"], &known["intent"], &known["status"]),
            (&json!("It leaks."), &json!("New boiler"), &own["status"]),
            "the call says something new, and nothing else changes"
        );
        // Not of a call, so it is told to nobody.
        client.made("/v1/leads", json!({"phone": "+14155550143", "name": "Ada", "intent": "Repair"})).await;
        assert_eq!(client.data("/v1/contacts?phone=%2B14155550143").await[0]["name"], "Ada");
        assert_eq!(receiver.take_events(), [""; 0]);
        client
            .write_call(json!({"external_id": "b", "caller_phone": "+14155550143", "summary": "It floods."}))
            .await;
        assert_eq!(receiver.take_events(), ["call.completed"], "who has an open lead gets no second one");
    });
}

#[test]
fn what_is_deleted_is_not_brought_back_by_its_call() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        org.endpoint(&receiver.url("/")).await;
        let (client, source) = (app.key(&org), org.source(Platform::Vapi).await);
        source.accept(app, &report("a", json!("+14155550142"), booking())).await;
        let (lead, appointment) =
            (client.data("/v1/leads").await[0].take(), client.data("/v1/appointments").await[0].take());
        receiver.take();
        client.delete(&path("leads", &lead)).await;
        assert_eq!(client.data(&path("appointments", &appointment)).await["lead_id"], Value::Null);
        let late = |seconds: i64| {
            let mut late = booking();
            late["timestamp"] = json!(1_771_966_800_000_i64 + seconds * 1000);
            report("a", json!("+14155550142"), late)
        };
        source.accept(app, &late(1)).await;
        assert_eq!(client.data("/v1/leads").await, json!([]));
        assert_eq!(client.data(&path("appointments", &appointment)).await["lead_id"], Value::Null);
        client.delete(&path("appointments", &appointment)).await;
        source.accept(app, &late(2)).await;
        assert_eq!(client.data("/v1/appointments").await, json!([]));
        assert_eq!(receiver.take_events(), [""; 0]);
        // The same caller's next call is another matter.
        source.accept(app, &report("b", json!("+14155550142"), booking())).await;
        assert_eq!(receiver.take_events(), ["appointment.booked", "call.completed", "lead.created"]);
    });
}

#[test]
fn an_appointment_that_is_written_for_a_call_is_told_as_booked() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        org.endpoint(&receiver.url("/")).await;
        let client = app.key(&org);
        let call = client
            .write_call(json!({"caller_phone": "+14155550142", "caller_name": "Robin", "summary": "It leaks.", "assistant_id": "a"}))
            .await;
        receiver.take();
        let body = json!({"call_id": call["id"], "title": "Boiler check", "starts_at": "2026-03-04T10:00:00+01:00",
            "ends_at": "2026-03-04T11:00:00+01:00", "time_zone": "Europe/Berlin", "external_id": "bk_1"});
        let appointment = client.made("/v1/appointments", body).await;
        assert_snapshot!(shown(&appointment), @r#"
        {
          "id": "00000000-0000-7000-8000-000000000040",
          "call_id": "00000000-0000-7000-8000-000000000035",
          "contact_id": "00000000-0000-7000-8000-000000000037",
          "lead_id": "00000000-0000-7000-8000-000000000038",
          "assistant_id": "00000000-0000-7000-8000-000000000036",
          "title": "Boiler check",
          "attendee_name": "Robin",
          "attendee_phone": "+14155550142",
          "attendee_email": null,
          "starts_at": "2026-03-04T09:00:00.000Z",
          "ends_at": "2026-03-04T10:00:00.000Z",
          "time_zone": "Europe/Berlin",
          "location": null,
          "notes": null,
          "status": "booked",
          "source": "api",
          "external_id": "bk_1"
        }
        "#);
        let lead = client.data("/v1/leads").await[0].take();
        assert_eq!(
            ["contact_id", "assistant_id"].map(|field| &appointment[field]),
            ["contact_id", "assistant_id"].map(|field| &call[field])
        );
        assert_eq!(appointment["lead_id"], lead["id"]);
        assert_eq!(receiver.take_events(), ["appointment.booked"]);
        let moved =
            client.changed(&path("appointments", &appointment), json!({"status": "rescheduled"})).await;
        assert_eq!(client.data("/v1/appointments?status=rescheduled").await, json!([moved]));
        client.changed(&path("appointments", &appointment), json!({"status": "booked"})).await;
        for body in [
            json!({"title": "Of no call"}),
            json!({"call_id": call["id"], "status": "cancelled"}),
            json!({"call_id": call["id"], "status": "unconfirmed"}),
        ] {
            client.made("/v1/appointments", body).await;
        }
        assert_eq!(
            receiver.take_events(),
            [""; 0],
            "it was told once, and the others are not booked in a call"
        );
    });
}

#[test]
fn an_unconfirmed_booking_is_told_when_a_person_confirms_it_and_only_then() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        org.endpoint(&receiver.url("/")).await;
        let (client, source) = (app.key(&org), org.source(Platform::Vapi).await);
        let with = |call: &str, result: &str, seconds: i64| {
            let mut rest = booking_answered(json!(result));
            rest["timestamp"] = json!(1_771_966_800_000_i64 + seconds * 1000);
            report(call, json!("+14155550142"), rest)
        };
        for call in ["a", "b"] {
            source.accept(app, &with(call, "Thanks!", 0)).await;
        }
        let unconfirmed = client.data("/v1/appointments?status=unconfirmed").await;
        let [second, first] = [0, 1].map(|number| path("appointments", &unconfirmed[number]));
        assert_eq!(receiver.take_events(), ["call.completed", "call.completed", "lead.created"]);
        client.changed(&first, json!({"notes": "Ask again."})).await;
        assert_eq!(receiver.take_events(), [""; 0]);
        client.changed(&first, json!({"status": "booked"})).await;
        assert_eq!(receiver.take_events(), ["appointment.booked"]);
        client.changed(&second, json!({"status": "cancelled"})).await;
        for call in ["a", "b"] {
            source.accept(app, &with(call, "Booked for 2026-03-04T10:00:00Z.", 1)).await;
        }
        assert_eq!(receiver.take_events(), [""; 0], "the calendar's word comes after the person's");
        assert_eq!(client.data(&second).await["status"], "cancelled");
        assert_eq!(client.data(&first).await["notes"], "Ask again.");
    });
}

#[test]
fn what_the_organization_says_of_a_call_is_kept_beside_what_the_platform_says() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let (client, source) = (app.key(&org), org.source(Platform::Vapi).await);
        source.accept(app, &report("a", json!("+14155550142"), json!({"analysis": {}}))).await;
        let call = client.data("/v1/calls").await[0].take();
        let own = |call: &Value| ["reviewed", "spam", "tags", "notes"].map(|field| call[field].clone());
        assert_eq!(own(&call), [json!(false), json!(false), json!([]), Value::Null]);
        let review = json!({"reviewed": true, "spam": true, "tags": ["vip", "vip "], "notes": "Call back."});
        let changed = client.changed(&path("calls", &call), review).await;
        assert_eq!(own(&changed), [json!(true), json!(true), json!(["vip"]), json!("Call back.")]);
        assert_ne!(changed["updated_at"], call["updated_at"]);
        assert_eq!(client.data(&path("calls", &call)).await, changed, "with its conversation");
        source
            .accept(app, &report("a", json!("+14155550142"), json!({"timestamp": 1_771_966_900_000_i64})))
            .await;
        let late = client.data("/v1/calls").await[0].take();
        assert_eq!((own(&late), &late["summary"]), (own(&changed), &json!("The boiler leaks.")));
        assert_eq!(client.data("/v1/leads").await, json!([]), "of spam there is no lead");
        let emptied = client.changed(&path("calls", &call), json!({"notes": null, "reviewed": false})).await;
        assert_eq!(own(&emptied), [json!(false), json!(true), json!(["vip"]), Value::Null]);
    });
}
