//! Where leads and appointments come from.

use model::Platform;
use serde_json::{Value, json};

use crate::support::{Client, booking, on_both, report};

async fn provenance(client: &Client<'_>, kind: &str) -> Value {
    let id = client.data(&format!("/v1/{kind}")).await[0]["id"].clone();
    client.data(&format!("/v1/{kind}/{}/provenance", id.as_str().expect("an id"))).await
}

#[test]
fn what_a_rule_made_names_the_rule_and_the_message_and_the_tool_call() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let vapi = org.source(Platform::Vapi).await;
        vapi.accept(app, &report("c", json!("+14155550142"), booking())).await;
        let client = app.key(&org);
        let call = client.data("/v1/calls").await[0]["id"].clone();
        let source = client.data("/v1/sources").await;
        let source = source.as_array().expect("a list").iter().find(|source| source["platform"] == "vapi");
        let source = source.expect("the source")["id"].clone();
        let path = format!("/v1/sources/{}/events", source.as_str().expect("an id"));
        let message = client.data(&path).await[0]["id"].clone();
        let of_lead = json!({"rule": "sufficient_context", "call_id": call, "source_id": source, "platform": "vapi",
            "message_id": message, "tool_call_id": null});
        assert_eq!(provenance(&client, "leads").await, of_lead);
        let of_appointment = provenance(&client, "appointments").await;
        assert_eq!(
            (&of_appointment["rule"], &of_appointment["message_id"]),
            (&json!("booking_tool"), &message)
        );
        assert_eq!((&of_appointment["tool_call_id"], &of_appointment["changes"]), (&json!("t"), &json!([])));

        // A later message about the same call is not what made them.
        let later = report("c", json!("+14155550142"), booking()).replace("leak", "leaking");
        vapi.accept(app, &later).await;
        assert_eq!(provenance(&client, "leads").await, of_lead);
    });
}

#[test]
fn what_tools_changed_of_an_appointment_names_each_use_of_one() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let vapi = org.source(Platform::Vapi).await;
        let cancels = json!({"artifact": {"messages": [
            {"role": "tool_calls", "secondsFromStart": 5, "toolCalls": [
                {"id": "u", "function": {"name": "cancel_booking", "arguments": {"booking_id": "bk_1"}}}]},
            {"role": "tool_call_result", "toolCallId": "u", "name": "cancel_booking", "secondsFromStart": 6,
                "result": {"success": true}},
        ]}});
        let cancels = report("second", json!("+14155550142"), cancels).replace("T20:58", "T20:59");
        // What called it off comes first: the booking is awaited, and what told of the change is named all the same.
        vapi.accept(app, &cancels).await;
        vapi.accept(app, &report("first", json!("+14155550142"), booking())).await;
        let client = app.key(&org);
        let id_of = async |external_id: &str| {
            let calls = client.data("/v1/calls").await;
            let mut calls = calls.as_array().expect("a list").iter();
            calls.find(|call| call["external_id"] == external_id).expect("the call")["id"].clone()
        };
        let source = vapi.source.to_string();
        let arrived = client.data(&format!("/v1/sources/{source}/events")).await;
        let provenance = provenance(&client, "appointments").await;
        assert_eq!(provenance["message_id"], arrived[0]["id"]);
        assert_eq!(provenance["call_id"], id_of("first").await);
        let change = &provenance["changes"][0];
        let expected = json!([{"change": "cancelled", "call_id": id_of("second").await, "source_id": source,
            "platform": "vapi", "message_id": arrived[1]["id"], "tool_call_id": "u",
            "changed_at": change["changed_at"]}]);
        assert_eq!(provenance["changes"], expected);
        assert!(change["changed_at"].as_str().is_some_and(|time| time.ends_with('Z')));
    });
}

#[test]
fn what_a_person_wrote_was_made_by_no_rule() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        client.made("/v1/leads", json!({"name": "Ada Reyes", "phone": "+14155550142"})).await;
        let nothing = json!({"rule": null, "call_id": null, "source_id": null, "platform": null, "message_id": null,
            "tool_call_id": null});
        assert_eq!(provenance(&client, "leads").await, nothing);
        // A call that was written by API came with no message.
        client
            .write_call(json!({"external_id": "w", "caller_phone": "+14155550143", "summary": "A leak"}))
            .await;
        let lead = provenance(&client, "leads").await;
        assert_eq!(
            (&lead["rule"], &lead["platform"], &lead["message_id"]),
            (&json!("sufficient_context"), &json!("api"), &Value::Null)
        );
    });
}
