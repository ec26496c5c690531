//! Webhooks as they leave: to whom, with what, and signed how.

use insta::assert_snapshot;
use model::{EventFilter, EventType, Platform};
use serde_json::{Value, json};
use store::NewEndpoint;

use crate::support::{Got, Receiver, on_both};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const VAPI_REPORT: &str = include_str!("../../../../connectors/fixtures/vapi/end-of-call-report.json");
const VAPI_TRANSFERRED: &str =
    include_str!("../../../../connectors/fixtures/vapi/end-of-call-report.transferred.json");
const RETELL_BRIDGED: &str = include_str!("../../../../connectors/fixtures/retell/transfer_bridged.json");

/// By event: webhooks leave at once, and may overtake each other.
fn sorted(mut got: Vec<Got>) -> Vec<Got> {
    got.sort_by_key(Got::event);
    got
}

#[test]
fn every_event_s_webhook_is_byte_for_byte_as_documented() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        org.endpoint(&receiver.url("/hook")).await;
        org.source(Platform::Vapi).await.accept(app, VAPI_REPORT).await;
        let got = sorted(receiver.take());
        let [booked, completed, lead] = got.as_slice() else { panic!("three webhooks: {got:?}") };
        assert_snapshot!(booked.body, @r#"{"event":"appointment.booked","timestamp":"2026-02-24T21:00:00.000Z","organization_id":"00000000-0000-7000-8000-000000000002","delivery_id":"00000000-0000-7000-8000-000000000041","data":{"appointment_id":"00000000-0000-7000-8000-00000000003b","call_id":"00000000-0000-7000-8000-000000000037","contact_id":"00000000-0000-7000-8000-000000000039","title":"Boiler repair","attendee_name":"Robin Vale","attendee_phone":"+14155550142","attendee_email":"robin@example.com","starts_at":"2026-02-25T18:00:00.000Z","ends_at":null,"time_zone":null,"location":null,"notes":null}}"#);
        assert_snapshot!(completed.body, @r#"{"event":"call.completed","timestamp":"2026-02-24T21:00:00.000Z","organization_id":"00000000-0000-7000-8000-000000000002","delivery_id":"00000000-0000-7000-8000-00000000003d","data":{"call_id":"00000000-0000-7000-8000-000000000037","caller_phone":"+14155550142","caller_name":"Robin Vale","caller_email":"robin@example.com","duration_seconds":19,"summary":"Robin Vale reported a leaking boiler and booked a visit for tomorrow at ten.","transcript":"AI: Harbor Plumbing, how can I help?\nUser: There is water under my boiler. Can somebody come tomorrow at ten?\nAI: Done. Tomorrow at ten.\nUser: Thank you, bye.","intent":"Boiler repair","urgency":"high","recording_url":"https://storage.vapi.example/0d3c1f52-mono.wav","started_at":"2026-02-24T13:00:00.000Z","ended_at":"2026-02-24T13:00:18.500Z"}}"#);
        assert_snapshot!(lead.body, @r#"{"event":"lead.created","timestamp":"2026-02-24T21:00:00.000Z","organization_id":"00000000-0000-7000-8000-000000000002","delivery_id":"00000000-0000-7000-8000-00000000003f","data":{"lead_id":"00000000-0000-7000-8000-00000000003a","call_id":"00000000-0000-7000-8000-000000000037","contact_id":"00000000-0000-7000-8000-000000000039","name":"Robin Vale","phone":"+14155550142","email":"robin@example.com","intent":"Boiler repair","urgency":"high","summary":"Robin Vale reported a leaking boiler and booked a visit for tomorrow at ten."}}"#);
        org.source(Platform::Retell).await.accept(app, RETELL_BRIDGED).await;
        let got = receiver.take();
        let [transferred] = got.as_slice() else { panic!("one webhook: {got:?}") };
        assert_snapshot!(transferred.body, @r#"{"event":"call.transferred","timestamp":"2026-02-24T21:00:00.000Z","organization_id":"00000000-0000-7000-8000-000000000002","delivery_id":"00000000-0000-7000-8000-00000000004c","data":{"call_id":"00000000-0000-7000-8000-000000000048","caller_phone":"+14155550143","caller_name":"R. Lindqvist","transfer_destination":"+14155550178","transfer_status":"bridged","transfer_reason":null,"transferred_at":"2026-02-24T13:00:12.000Z","summary":null}}"#);
        for each in [booked, completed, lead, transferred] {
            each.verify(SECRET);
            assert_eq!(
                each.body,
                each.json().to_string(),
                "a receiver that parses and writes it gets the same bytes"
            );
            assert_eq!(each.json()["organization_id"], org.id.to_string());
        }
    });
}

#[test]
fn a_webhook_has_both_families_of_headers() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        org.endpoint(&receiver.url("/hook")).await;
        app.key(&org).write_call(json!({"external_id": "a"})).await;
        assert_snapshot!(receiver.take()[0].shown(), @r#"
        content-type: application/json
        user-agent: InboundFlow-Webhook/1.0
        x-inboundflow-event: call.completed
        x-inboundflow-delivery-id: 00000000-0000-7000-8000-000000000037
        x-inboundflow-timestamp: 1771966800
        x-inboundflow-signature: sha256=f8f1d1a2a0b20bbafbb95b61840aba47e40a18bdc81b1170f4725b6772e11b6b
        webhook-id: 00000000-0000-7000-8000-000000000037
        webhook-timestamp: 1771966800
        webhook-signature: v1,HY054WwnLTEXuF5iySKJNsPj8+tS3n2NuTtSfBMqVQQ=

        {"event":"call.completed","timestamp":"2026-02-24T21:00:00.000Z","organization_id":"00000000-0000-7000-8000-000000000002","delivery_id":"00000000-0000-7000-8000-000000000037","data":{"call_id":"00000000-0000-7000-8000-000000000035","caller_phone":null,"caller_name":null,"caller_email":null,"duration_seconds":null,"summary":null,"transcript":null,"intent":null,"urgency":null,"recording_url":null,"started_at":null,"ended_at":null}}
        "#);
    });
}

#[test]
fn without_a_secret_nothing_is_signed_by_one() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        org.endpoint_with(NewEndpoint {
            url: receiver.url("/"),
            events: EventFilter::default(),
            secret: None,
            source: None,
            telling: Default::default(),
        })
        .await;
        app.key(&org).write_call(json!({"external_id": "a"})).await;
        assert_snapshot!(receiver.take()[0].shown(), @r#"
        content-type: application/json
        user-agent: InboundFlow-Webhook/1.0
        x-inboundflow-event: call.completed
        x-inboundflow-delivery-id: 00000000-0000-7000-8000-000000000037
        x-inboundflow-timestamp: 1771966800
        webhook-id: 00000000-0000-7000-8000-000000000037
        webhook-timestamp: 1771966800

        {"event":"call.completed","timestamp":"2026-02-24T21:00:00.000Z","organization_id":"00000000-0000-7000-8000-000000000002","delivery_id":"00000000-0000-7000-8000-000000000037","data":{"call_id":"00000000-0000-7000-8000-000000000035","caller_phone":null,"caller_name":null,"caller_email":null,"duration_seconds":null,"summary":null,"transcript":null,"intent":null,"urgency":null,"recording_url":null,"started_at":null,"ended_at":null}}
        "#);
    });
}

#[test]
fn a_person_s_own_secret_signs_too() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        let secret = Some("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD".to_owned());
        org.endpoint_with(NewEndpoint {
            url: receiver.url("/"),
            events: EventFilter::default(),
            secret,
            source: None,
            telling: Default::default(),
        })
        .await;
        app.key(&org).write_call(json!({"external_id": "a", "summary": "Grüße 🎉"})).await;
        receiver.take()[0].verify("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD");
    });
}

#[test]
fn an_endpoint_is_told_what_it_asked_for_and_only_its_own_organization_s() {
    on_both(async |app| {
        let (mine, theirs) = (app.org("Mine").await, app.org("Theirs").await);
        let receiver = Receiver::start().await;
        mine.endpoint(&receiver.url("/all")).await;
        let leads = EventFilter::Only(vec![EventType::LeadCreated]);
        mine.endpoint_with(NewEndpoint {
            url: receiver.url("/leads"),
            events: leads,
            secret: None,
            source: None,
            telling: Default::default(),
        })
        .await;
        theirs.endpoint(&receiver.url("/theirs")).await;
        mine.source(Platform::Vapi).await.accept(app, VAPI_REPORT).await;
        let mut told: Vec<_> =
            receiver.take().iter().map(|got| format!("{} {}", got.path, got.event())).collect();
        told.sort();
        assert_snapshot!(told.join("\n"), @"
        /all appointment.booked
        /all call.completed
        /all lead.created
        /leads lead.created
        ");
    });
}

#[test]
fn each_endpoint_has_a_delivery_of_its_own() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        org.endpoint(&receiver.url("/one")).await;
        org.endpoint(&receiver.url("/two")).await;
        app.key(&org).write_call(json!({"external_id": "a"})).await;
        let got = receiver.take();
        assert_eq!(got.len(), 2);
        assert_ne!(got[0].json()["delivery_id"], got[1].json()["delivery_id"]);
        assert_eq!(got[0].json()["data"], got[1].json()["data"]);
    });
}

#[test]
fn the_caller_handed_over_is_told_with_where_and_why() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        org.endpoint(&receiver.url("/")).await;
        org.source(Platform::Vapi).await.accept(app, VAPI_TRANSFERRED).await;
        let got = sorted(receiver.take());
        let events: Vec<_> = got.iter().map(Got::event).collect();
        assert_eq!(events, ["call.completed", "call.transferred"]);
        let data = got[1].json()["data"].clone();
        assert_eq!(data["transfer_destination"], "+14155550177");
        assert_eq!(data["transfer_status"], "connected");
        assert_eq!(data["transfer_reason"], "Asked for a person");
        assert_eq!(data["caller_phone"], Value::Null, "a SIP address is no number");
    });
}
