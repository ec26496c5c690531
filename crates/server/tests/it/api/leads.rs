//! What calls leave behind: contacts, leads and appointments.

use std::time::Duration;

use insta::assert_snapshot;
use model::Platform;
use serde_json::{Value, json};

use crate::support::{
    Org, Receiver, Setup, TestApp, booking, booking_answered, on_both, on_both_with, report,
};

async fn count(app: &TestApp, org: &Org, kind: &str) -> usize {
    app.key(org).data(&format!("/v1/{kind}")).await.as_array().expect("a list").len()
}

#[test]
fn calls_of_a_number_are_one_contact_s_and_what_is_no_number_merges_nobody() {
    on_both_with(Setup::unhurried(), async |app| {
        let org = app.org("Harbor Plumbing").await;
        let vapi = org.source(Platform::Vapi).await;
        let mut told = Vec::new();
        let numbers = [
            json!("+14155550142"),
            json!("+14155550142"),
            json!("+1 (415) 555-0142"),
            json!("+14155550143"),
            Value::Null,
            json!(""),
            json!("anonymous"),
            json!("Restricted"),
            json!("+266696687"),
            json!("sip:desk@example.com"),
            json!("911"),
            json!("+911"),
            json!("12345"),
            json!(14155550142_i64),
        ];
        for (number, phone) in numbers.into_iter().enumerate() {
            let shown = phone.to_string();
            vapi.accept(app, &report(&number.to_string(), phone, json!({}))).await;
            let call = &app.key(&org).data("/v1/calls?limit=1").await[0];
            told.push(format!(
                "{shown} -> {}, contact: {}",
                call["caller_phone"],
                call["contact_id"].is_string()
            ));
        }
        assert_snapshot!(told.join("\n"), @r#"
        "+14155550142" -> "+14155550142", contact: true
        "+14155550142" -> "+14155550142", contact: true
        "+1 (415) 555-0142" -> "+14155550142", contact: true
        "+14155550143" -> "+14155550143", contact: true
        null -> null, contact: false
        "" -> null, contact: false
        "anonymous" -> null, contact: false
        "Restricted" -> null, contact: false
        "+266696687" -> null, contact: false
        "sip:desk@example.com" -> null, contact: false
        "911" -> null, contact: false
        "+911" -> null, contact: false
        "12345" -> null, contact: false
        14155550142 -> null, contact: false
        "#);
        let contacts = app.key(&org).data("/v1/contacts").await;
        let contacts: Vec<_> = contacts
            .as_array()
            .expect("a list")
            .iter()
            .map(|contact| format!("{} {}", contact["phone"], contact["call_count"]))
            .collect();
        assert_snapshot!(contacts.join("\n"), @r#"
        "+14155550143" 1
        "+14155550142" 3
        "#);
    });
}

#[test]
fn a_lead_needs_a_way_to_call_back_and_a_need_on_a_call_that_took_place() {
    on_both_with(Setup::unhurried(), async |app| {
        let (phone, email) = (json!("+14155550142"), json!("robin@example.com"));
        let cases = [
            (json!({"caller_phone": phone, "summary": "The boiler leaks."}), 1),
            (json!({"caller_email": email, "summary": "The boiler leaks."}), 1),
            (json!({"caller_phone": phone, "intent": "Repair"}), 1),
            (json!({"caller_phone": phone}), 0),
            (json!({"caller_phone": phone, "summary": "  "}), 0),
            (json!({"caller_phone": phone, "transcript": "User: Hello"}), 0),
            (json!({"summary": "The boiler leaks."}), 0),
            (json!({"caller_name": "Robin", "intent": "Repair"}), 0),
            (json!({"caller_phone": phone, "summary": "The boiler leaks.", "status": "failed"}), 0),
            (json!({"caller_phone": phone, "summary": "The boiler leaks.", "status": "blocked"}), 0),
            (json!({"caller_phone": phone, "summary": "The boiler leaks.", "status": "in-progress"}), 0),
            (json!({"caller_phone": phone, "summary": "The boiler leaks.", "status": "forwarding"}), 0),
        ];
        for (call, leads) in cases {
            let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
            org.endpoint(&receiver.url("/")).await;
            app.key(&org).write_call(call.clone()).await;
            assert_eq!(count(app, &org, "leads").await, leads, "{call}");
            let events = receiver.take_events();
            assert_eq!(events.iter().filter(|event| *event == "lead.created").count(), leads, "{call}");
            let completed = call.get("status").is_none();
            assert_eq!(events.contains(&"call.completed".to_owned()), completed, "{call}");
        }
    });
}

#[test]
fn a_caller_s_open_lead_is_brought_up_to_date_and_no_second_one_opened() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        org.endpoint(&receiver.url("/")).await;
        let client = app.key(&org);
        let first = client.write_call(json!({"external_id": "1", "caller_phone": "+14155550142", "caller_name": "Robin", "summary": "It leaks.", "urgency": "low"})).await;
        let opened = client.data("/v1/leads").await[0].clone();
        app.tick(Duration::from_secs(86_400)).await;
        client.write_call(json!({"external_id": "2", "caller_phone": "+14155550142", "caller_email": "robin@example.com", "intent": "Repair", "summary": "It floods.", "urgency": "high"})).await;
        let leads = client.data("/v1/leads").await;
        assert_eq!(leads.as_array().map(Vec::len), Some(1));
        let lead = &leads[0];
        let fields = ["id", "call_id", "name", "created_at", "status"];
        assert!(fields.iter().all(|field| lead[*field] == opened[*field]), "{lead} {opened}");
        assert_eq!(lead["call_id"], first["id"], "of the call that opened it");
        assert_eq!(
            (&lead["email"], &lead["intent"], &lead["summary"], &lead["urgency"]),
            (&json!("robin@example.com"), &json!("Repair"), &json!("It floods."), &json!("high"))
        );
        assert_ne!(lead["updated_at"], opened["updated_at"]);
        assert_eq!(receiver.take_events(), ["call.completed", "call.completed", "lead.created"]);
        client
            .write_call(json!({"external_id": "3", "caller_phone": "+14155550143", "summary": "It leaks."}))
            .await;
        assert_eq!(count(app, &org, "leads").await, 2, "another caller's is another");
        for (filter, found) in
            [("status=new", 2), ("status=won", 0), ("urgency=high", 1), ("phone=%2B14155550143", 1)]
        {
            assert_eq!(count(app, &org, &format!("leads?{filter}")).await, found, "{filter}");
        }
    });
}

#[test]
fn an_appointment_is_booked_where_the_calendar_said_so_and_never_by_a_guess() {
    on_both_with(Setup::unhurried(), async |app| {
        let mut told = Vec::new();
        for result in [
            json!({"success": true}),
            json!({"success": false}),
            json!("{\"status\": \"confirmed\", \"id\": 7}"),
            json!({"error": "slot taken"}),
            json!("Booked for 2026-03-04T10:00:00Z."),
            json!("Thanks!"),
            json!("No result returned."),
            json!(""),
            Value::Null,
        ] {
            let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
            org.endpoint(&receiver.url("/")).await;
            let message = report("c", json!("+14155550142"), booking_answered(result.clone()));
            org.source(Platform::Vapi).await.accept(app, &message).await;
            let appointments = app.key(&org).data("/v1/appointments").await;
            let events = receiver.take_events();
            let is_told = events.contains(&"appointment.booked".to_owned());
            let status = appointments[0]["status"].as_str().unwrap_or("none").to_owned();
            assert_eq!(is_told, status == "booked", "{result}");
            told.push(format!("{result} -> {status}"));
        }
        assert_snapshot!(told.join("\n"), @r#"
        {"success":true} -> booked
        {"success":false} -> none
        "{\"status\": \"confirmed\", \"id\": 7}" -> booked
        {"error":"slot taken"} -> none
        "Booked for 2026-03-04T10:00:00Z." -> booked
        "Thanks!" -> unconfirmed
        "No result returned." -> none
        "" -> unconfirmed
        null -> unconfirmed
        "#);
    });
}

#[test]
fn an_appointment_has_what_was_booked_and_belongs_to_its_call() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        org.source(Platform::Vapi).await.accept(app, &report("c", json!("+14155550142"), booking())).await;
        let client = app.key(&org);
        let appointment = client.data("/v1/appointments").await[0].clone();
        assert_snapshot!(serde_json::to_string_pretty(&appointment).expect("JSON"), @r#"
        {
          "id": "00000000-0000-7000-8000-00000000003a",
          "call_id": "00000000-0000-7000-8000-000000000036",
          "contact_id": "00000000-0000-7000-8000-000000000038",
          "lead_id": "00000000-0000-7000-8000-000000000039",
          "assistant_id": "00000000-0000-7000-8000-000000000037",
          "title": "Boiler check",
          "attendee_name": "Ada Reyes",
          "attendee_phone": "+14155550142",
          "attendee_email": null,
          "starts_at": "2026-03-04T10:00:00.000Z",
          "ends_at": null,
          "time_zone": null,
          "location": null,
          "notes": null,
          "status": "booked",
          "source": "vapi",
          "external_id": "bk_1",
          "created_at": "2026-02-24T21:00:00.000005Z",
          "updated_at": "2026-02-24T21:00:00.000005Z"
        }
        "#);
        for (kind, field) in [
            ("calls", "call_id"),
            ("contacts", "contact_id"),
            ("leads", "lead_id"),
            ("assistants", "assistant_id"),
        ] {
            assert_eq!(client.data(&format!("/v1/{kind}")).await[0]["id"], appointment[field], "{field}");
        }
        let id = appointment["id"].as_str().expect("an id");
        assert_eq!(client.data(&format!("/v1/appointments/{id}")).await, appointment);
        let filters = [
            ("status=booked", 1),
            ("status=cancelled", 0),
            ("phone=%2B14155550142", 1),
            ("from=2026-03-04T10:00:00Z", 1),
            ("from=2026-03-04T10:00:01Z", 0),
            ("to=2026-03-04T10:00:00Z", 0),
            ("to=2026-03-04T10:00:01Z", 1),
        ];
        for (filter, found) in filters {
            assert_eq!(count(app, &org, &format!("appointments?{filter}")).await, found, "{filter}");
        }
    });
}
