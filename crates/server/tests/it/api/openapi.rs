//! The description of the interface: as committed, as served, and as OpenAPI has it.

use insta::assert_snapshot;
use serde_json::Value;

use crate::support::on_both;

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");

#[test]
fn the_committed_description_is_the_product_s() {
    let committed = std::fs::read_to_string(COMMITTED).unwrap_or_default();
    assert!(
        committed.trim_end() == api::openapi::rendered().trim_end(),
        "docs/openapi.json is not what the code says. Run: cargo run -- openapi > docs/openapi.json"
    );
}

#[test]
fn the_description_is_served_to_everybody() {
    on_both(async |app| {
        let answer = app.anon().get("/openapi.json").await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/json"));
        assert_eq!(answer.bytes, api::openapi::rendered().as_bytes());
    });
}

/// Schemathesis checks the rest against the meta-schema before it does anything.
#[test]
fn the_description_names_every_webhook_with_its_body() {
    let document = api::openapi::document();
    assert_eq!(
        document["openapi"].as_str().expect("a version").rsplit_once('.').map(|(version, _)| version),
        Some("3.1")
    );
    let webhooks = document["webhooks"].as_object().expect("webhooks");
    let bodies = webhooks.iter().map(|(event, path)| {
        let schema = &path["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"];
        let name = schema.as_str().and_then(|name| name.rsplit('/').next()).expect("a reference");
        let body = &document["components"]["schemas"][name];
        let fields: Vec<_> = body["properties"].as_object().expect("properties").keys().cloned().collect();
        format!("{event}: {name} {}; data {}", fields.join(" "), data_fields(&document, body))
    });
    assert_snapshot!(bodies.collect::<Vec<_>>().join("\n"), @"
    call.completed: Webhook_CallCompleted data delivery_id event organization_id timestamp; data call_id caller_email caller_name caller_phone duration_seconds ended_at intent recording_url started_at summary transcript urgency
    call.transferred: Webhook_CallTransferred data delivery_id event organization_id timestamp; data call_id caller_name caller_phone summary transfer_destination transfer_reason transfer_status transferred_at
    appointment.booked: Webhook_AppointmentBooked data delivery_id event organization_id timestamp; data appointment_id attendee_email attendee_name attendee_phone call_id contact_id ends_at location notes starts_at time_zone title
    lead.created: Webhook_LeadCreated data delivery_id event organization_id timestamp; data call_id contact_id email intent lead_id name phone summary urgency
    call.started: Webhook_CallStarted data delivery_id event organization_id timestamp; data assistant_id caller_email caller_name caller_phone contact_id created_at direction duration_seconds ended_at ended_reason external_id id intent notes recording_available recording_url reviewed source spam started_at status summary tags transcript transfer_status updated_at urgency call_id
    call.updated: Webhook_CallUpdated data delivery_id event organization_id timestamp; data assistant_id caller_email caller_name caller_phone contact_id created_at direction duration_seconds ended_at ended_reason external_id id intent notes recording_available recording_url reviewed source spam started_at status summary tags transcript transfer_status updated_at urgency call_id changed
    lead.updated: Webhook_LeadUpdated data delivery_id event organization_id timestamp; data call_id contact_id created_at email id intent name notes phone status summary updated_at urgency changed lead_id
    appointment.updated: Webhook_AppointmentUpdated data delivery_id event organization_id timestamp; data assistant_id attendee_email attendee_name attendee_phone call_id contact_id created_at ends_at external_id id lead_id location notes source starts_at status time_zone title updated_at appointment_id changed
    appointment.cancelled: Webhook_AppointmentUpdated data delivery_id event organization_id timestamp; data assistant_id attendee_email attendee_name attendee_phone call_id contact_id created_at ends_at external_id id lead_id location notes source starts_at status time_zone title updated_at appointment_id changed
    contact.created: Webhook_ContactCreated data delivery_id event organization_id timestamp; data call_count company created_at email id last_call_at name notes other_phones phone tags updated_at contact_id
    contact.updated: Webhook_ContactUpdated data delivery_id event organization_id timestamp; data call_count company created_at email id last_call_at name notes other_phones phone tags updated_at changed contact_id
    endpoint.failing: Webhook_EndpointStanding data delivery_id event organization_id timestamp; data description disable_at failing_since failures last_error webhook_id
    endpoint.disabled: Webhook_EndpointStanding data delivery_id event organization_id timestamp; data description disable_at failing_since failures last_error webhook_id
    endpoint.recovered: Webhook_EndpointStanding data delivery_id event organization_id timestamp; data description disable_at failing_since failures last_error webhook_id
    ");
}

fn data_fields(document: &Value, body: &Value) -> String {
    let named = |schema: &Value| match schema["$ref"].as_str().and_then(|name| name.rsplit('/').next()) {
        Some(name) => document["components"]["schemas"][name].clone(),
        None => schema.clone(),
    };
    let data = named(&body["properties"]["data"]);
    // The opt-in ones are a record and a few fields more.
    let parts = data["allOf"].as_array().cloned().unwrap_or_else(|| vec![data.clone()]);
    let fields = parts.iter().flat_map(|part| {
        named(part)["properties"].as_object().expect("properties").keys().cloned().collect::<Vec<_>>()
    });
    fields.collect::<Vec<_>>().join(" ")
}

#[test]
fn every_reference_leads_somewhere() {
    let document = api::openapi::document();
    let mut missing = Vec::new();
    visit(&document, &mut |value| {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str)
            && document.pointer(&reference.trim_start_matches('#').replace("%20", " ")).is_none()
        {
            missing.push(reference.to_owned());
        }
    });
    assert_eq!(missing, Vec::<String>::new());
}

fn visit(value: &Value, look: &mut impl FnMut(&Value)) {
    look(value);
    match value {
        Value::Array(values) => values.iter().for_each(|value| visit(value, look)),
        Value::Object(fields) => fields.values().for_each(|value| visit(value, look)),
        _ => {}
    }
}
