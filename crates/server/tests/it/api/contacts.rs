//! Contacts as people and systems write them: made, changed, merged, deleted, and what later calls make of that.

use insta::assert_snapshot;
use model::Platform;
use serde_json::{Value, json};

use crate::support::{Client, Setup, booking, on_both, on_both_with, report};

fn path(contact: &Value) -> String {
    format!("/v1/contacts/{}", contact["id"].as_str().expect("an id"))
}

/// All of a record but its stamps, of which an operation takes as many as it may need.
fn shown(record: &Value) -> String {
    let mut fields = record.as_object().expect("a record").clone();
    fields.retain(|name, _| !["created_at", "updated_at"].contains(&name.as_str()));
    serde_json::to_string_pretty(&fields).expect("JSON")
}

/// The only record of a list.
async fn only(client: &Client<'_>, path: &str) -> Value {
    let mut list = client.data(path).await;
    assert_eq!(list.as_array().map(Vec::len), Some(1), "{path}: {list}");
    list[0].take()
}

#[test]
fn a_contact_is_made_changed_and_deleted() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let answer = client
            .post(
                "/v1/contacts",
                &json!({"name": "Robin Reyes", "phone": "+1 (415) 555-0142", "other_phones": ["+14155550143"],
                    "email": "robin@example.com", "company": " ", "notes": "Has a dog.", "tags": [" vip ", "vip", "new"]}),
            )
            .await;
        assert_snapshot!(answer.shown(), @r#"
        201 Created
        etag: W/"64b982baaf401"
        x-ratelimit-limit: 60
        x-ratelimit-remaining: 59
        x-ratelimit-reset: 1771966860
        ratelimit: "default";r=59;t=60
        ratelimit-policy: "default";q=60;w=60
        x-request-id: req_00000000000070008000000000000033
        content-type: application/json
        x-content-type-options: nosniff
        cache-control: private, no-cache
        vary: accept-encoding
        content-length: 436

        {"data":{"id":"00000000-0000-7000-8000-000000000034","name":"Robin Reyes","phone":"+14155550142","other_phones":["+14155550143"],"email":"robin@example.com","company":null,"notes":"Has a dog.","tags":["vip","new"],"call_count":0,"last_call_at":null,"created_at":"2026-02-24T21:00:00.000001Z","updated_at":"2026-02-24T21:00:00.000001Z"},"meta":{"request_id":"req_00000000000070008000000000000033","timestamp":"2026-02-24T21:00:00.000Z"}}
        "#);
        let contact = answer.json()["data"].take();
        assert_eq!(client.data(&path(&contact)).await, contact);
        let changed =
            client.changed(&path(&contact), json!({"name": null, "company": "Reyes Ltd", "tags": []})).await;
        let expected =
            json!({"name": null, "company": "Reyes Ltd", "tags": [], "updated_at": changed["updated_at"]});
        let mut all = contact.as_object().expect("a record").clone();
        all.extend(expected.as_object().expect("fields").clone());
        assert_eq!(changed, Value::Object(all), "and nothing else");
        assert_ne!(changed["updated_at"], contact["updated_at"]);
        assert_eq!(client.data(&path(&contact)).await, changed);
        let same = client.changed(&path(&contact), json!({"company": "Reyes Ltd"})).await;
        assert_eq!(same, changed, "what is as it was is no change");

        let deleted = client.delete(&path(&contact)).await;
        assert_eq!(deleted.json()["data"], json!({"id": contact["id"], "deleted": true}));
        let gone = [
            client.get(&path(&contact)).await,
            client.patch(&path(&contact), &json!({})).await,
            client.delete(&path(&contact)).await,
            client.post(&format!("{}/merge", path(&contact)), &json!({"from": contact["id"]})).await,
        ];
        for answer in gone {
            assert_eq!(answer.error(), "404 not_found: There is no contact with this id");
        }
        assert_eq!(client.data("/v1/contacts").await, json!([]));
    });
}

#[test]
fn a_number_has_one_contact() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let first = client
            .made("/v1/contacts", json!({"phone": "+14155550142", "other_phones": ["+14155550143"]}))
            .await;
        let other = client.made("/v1/contacts", json!({"name": "Ada"})).await;
        let told = format!("it belongs to the contact {} already", first["id"].as_str().expect("an id"));
        for (field, number) in [
            ("phone", json!("+14155550142")),
            ("phone", json!("+14155550143")),
            ("other_phones", json!(["+14155550144", "+14155550142"])),
            ("other_phones", json!(["+14155550143"])),
        ] {
            let body = json!({field: number});
            let expected = format!("409 conflict: Wrong field `{field}`: {told}");
            assert_eq!(client.post("/v1/contacts", &body).await.error(), expected);
            assert_eq!(client.patch(&path(&other), &body).await.error(), expected);
        }
        for number in ["142", "143"] {
            let found = only(&client, &format!("/v1/contacts?phone=%2B14155550{number}")).await;
            assert_eq!(found, first, "it is found by each of its numbers");
        }
        // The two change places, and what is said twice is one number.
        let others = json!(["+14155550142", "+14155550143", "+14155550142"]);
        let changed =
            client.changed(&path(&first), json!({"phone": "+14155550143", "other_phones": others})).await;
        assert_eq!(
            (&changed["phone"], &changed["other_phones"]),
            (&json!("+14155550143"), &json!(["+14155550142"]))
        );
        // What it gives up is free.
        client.changed(&path(&first), json!({"other_phones": null})).await;
        client.changed(&path(&other), json!({"phone": "+14155550142"})).await;
    });
}

#[test]
fn a_call_from_any_number_of_a_contact_is_theirs_and_what_a_person_wrote_stays() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let body = json!({"name": "Robin Reyes", "phone": "+14155550142", "other_phones": ["+14155550143"]});
        let contact = client.made("/v1/contacts", body).await;
        let write = async |id: &str, phone: &str, name: &str| {
            let call = json!({"external_id": id, "caller_phone": phone, "caller_name": name, "caller_email": "r@example.com"});
            client.write_call(call).await
        };
        for (id, phone) in [("a", "+14155550142"), ("b", "+14155550143")] {
            assert_eq!(write(id, phone, "Robbie").await["contact_id"], contact["id"]);
        }
        let known = only(&client, "/v1/contacts").await;
        assert_eq!(
            (&known["name"], &known["email"], &known["call_count"]),
            (&json!("Robin Reyes"), &json!("r@example.com"), &json!(2)),
            "only what was empty is filled in"
        );
        client.changed(&path(&contact), json!({"email": null})).await;
        write("a", "+14155550142", "Robbie").await;
        let known = only(&client, "/v1/contacts").await;
        assert_eq!(
            (&known["email"], &known["call_count"]),
            (&Value::Null, &json!(2)),
            "the same once more is no news"
        );
    });
}

#[test]
fn merged_contacts_are_one_person_with_all_their_numbers_and_records() {
    on_both_with(Setup::unhurried(), async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let source = org.source(Platform::Vapi).await;
        for (id, number) in [("a", "+14155550142"), ("b", "+14155550143"), ("c", "+14155550143")] {
            source.accept(app, &report(id, json!(number), booking())).await;
        }
        let by_phone =
            async |number: &str| only(&client, &format!("/v1/contacts?phone=%2B1415555{number}")).await;
        let (into, from) = (by_phone("0142").await, by_phone("0143").await);
        client.changed(&path(&into), json!({"notes": "Has a dog.", "tags": ["vip"]})).await;
        let more = json!({"notes": "Has a cat.", "tags": ["new", "vip"], "company": "Reyes Ltd", "name": "Robin",
            "other_phones": ["+14155550144"]});
        client.changed(&path(&from), more).await;

        let merge = format!("{}/merge", path(&into));
        let answer = client.post(&merge, &json!({"from": from["id"]})).await;
        assert_eq!(answer.status, 200, "{}", answer.shown());
        let merged = answer.json()["data"].take();
        assert_snapshot!(shown(&merged), @r#"
        {
          "id": "00000000-0000-7000-8000-000000000038",
          "name": "Robin",
          "phone": "+14155550142",
          "other_phones": [
            "+14155550143",
            "+14155550144"
          ],
          "email": null,
          "company": "Reyes Ltd",
          "notes": "Has a dog.\n\nHas a cat.",
          "tags": [
            "vip",
            "new"
          ],
          "call_count": 3,
          "last_call_at": "2026-02-24T20:58:00.000Z"
        }
        "#);
        assert_eq!(only(&client, "/v1/contacts").await, merged);
        assert_eq!(client.data(&path(&from)).await, merged, "the other's id names it from now on");
        for (kind, count) in [("calls", 3), ("leads", 2), ("appointments", 3)] {
            let records = client.data(&format!("/v1/{kind}")).await;
            let records = records.as_array().expect("a list");
            assert!(records.iter().all(|record| record["contact_id"] == merged["id"]), "{kind}: {records:?}");
            assert_eq!(records.len(), count, "{kind}");
        }
        let again = client.post(&merge, &json!({"from": from["id"]})).await;
        assert_eq!(again.json()["data"], merged, "it is done already");
        let itself = client.post(&merge, &json!({"from": into["id"]})).await;
        assert_eq!(itself.error(), "400 bad_request: Wrong field `from`: must be another contact");

        // Its calls go on as before: a late message of one, and new ones from each number.
        source
            .accept(app, &report("b", json!("+14155550143"), json!({"timestamp": 1_771_966_900_000_i64})))
            .await;
        for (id, number) in [("d", "+14155550142"), ("e", "+14155550143"), ("f", "+14155550144")] {
            source.accept(app, &report(id, json!(number), json!({}))).await;
        }
        let known = only(&client, "/v1/contacts").await;
        assert_eq!((&known["id"], &known["call_count"]), (&merged["id"], &json!(6)));
        assert_eq!(
            client.data("/v1/leads").await.as_array().map(Vec::len),
            Some(2),
            "an open lead is brought up to date"
        );
    });
}

#[test]
fn merging_once_more_leads_all_ids_to_the_last() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let mut contacts = Vec::new();
        for number in ["+14155550142", "+14155550143", "+14155550144"] {
            contacts.push(client.made("/v1/contacts", json!({"phone": number})).await);
        }
        for (into, from) in [(1, 0), (2, 1)] {
            let merge = format!("{}/merge", path(&contacts[into]));
            assert_eq!(client.post(&merge, &json!({"from": contacts[from]["id"]})).await.status, 200);
        }
        for contact in &contacts {
            let named = client.data(&path(contact)).await;
            assert_eq!(named["id"], contacts[2]["id"]);
            assert_eq!(named["other_phones"], json!(["+14155550143", "+14155550142"]));
        }
        let lead = client.made("/v1/leads", json!({"contact_id": contacts[0]["id"]})).await;
        assert_eq!((&lead["contact_id"], &lead["phone"]), (&contacts[2]["id"], &json!("+14155550144")));
        client.delete(&path(&contacts[2])).await;
        for contact in &contacts {
            assert_eq!(client.get(&path(contact)).await.status, 404);
        }
    });
}

#[test]
fn a_deleted_contact_leaves_its_records_and_only_a_new_call_makes_another() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let source = org.source(Platform::Vapi).await;
        source.accept(app, &report("a", json!("+14155550142"), booking())).await;
        let contact = only(&client, "/v1/contacts").await;
        client.delete(&path(&contact)).await;
        for kind in ["calls", "leads", "appointments"] {
            assert_eq!(only(&client, &format!("/v1/{kind}")).await["contact_id"], Value::Null, "{kind}");
        }
        source
            .accept(app, &report("a", json!("+14155550142"), json!({"timestamp": 1_771_966_900_000_i64})))
            .await;
        assert_eq!(client.data("/v1/contacts").await, json!([]), "a late message does not bring it back");
        source.accept(app, &report("b", json!("+14155550142"), json!({}))).await;
        let made = only(&client, "/v1/contacts").await;
        assert_ne!(made["id"], contact["id"]);
        assert_eq!(made["call_count"], 1);
    });
}
