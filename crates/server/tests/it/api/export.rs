//! What leaves by an export: everything of the organization, once, and nobody's secrets.

use serde_json::{Value, json};
use store::{ExportFilter, ExportKind};

use super::import::begin;
use crate::support::{Client, Org, Setup, TestApp, booking, on_both, on_both_with, report};

use model::Platform;

async fn lines(client: &Client<'_>, path: &str) -> Vec<Value> {
    let answer = client.get(path).await;
    assert_eq!(answer.status, 200, "{}", answer.shown());
    let text = String::from_utf8(answer.bytes).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

/// An organization with records of every kind, some of them twice, and the secrets that it has.
async fn org_with_everything(app: &TestApp) -> (Org, Vec<String>) {
    let org = app.org("Harbor Plumbing").await;
    let source = org.source(Platform::Vapi).await;
    for (id, phone) in [("one", "+14155550142"), ("two", "+14155550143")] {
        source.accept(app, &report(id, json!(phone), booking())).await;
    }
    app.key(&org).write_call(json!({"external_id": "three", "summary": "Written", "status": "failed"})).await;
    let client = app.key(&org);
    client.made("/v1/blocked-numbers", json!({"phone": "+14155550199", "reason": "Rings at night"})).await;
    let call = client.data("/v1/calls").await[0]["id"].as_str().expect("an id").to_owned();
    let review = json!({"reviewed": true, "tags": ["vip"], "notes": "Call back"});
    client.changed(&format!("/v1/calls/{call}"), review).await;
    let endpoint = org.endpoint("https://127.0.0.1:1/hook").await;
    let secrets =
        vec![source.secret.clone(), org.key.reveal().to_owned(), endpoint.secret.expect("a secret")];
    (org, secrets)
}

#[test]
fn an_export_holds_every_record_as_the_api_shows_it() {
    on_both(async |app| {
        let (org, _) = org_with_everything(app).await;
        let client = app.key(&org);
        for kind in ["assistants", "contacts", "leads", "appointments", "calls", "blocked-numbers"] {
            let mut shown: Vec<Value> =
                client.data(&format!("/v1/{kind}")).await.as_array().expect("a list").clone();
            shown.reverse();
            let mut exported = lines(&client, &format!("/v1/export/{kind}")).await;
            for line in &mut exported {
                let fields = line.as_object_mut().expect("an object");
                assert_eq!(
                    fields.shift_remove("type"),
                    Some(kind.trim_end_matches('s').replace('-', "_").into())
                );
                if kind == "calls" {
                    let one =
                        client.data(&format!("/v1/calls/{}", fields["id"].as_str().expect("an id"))).await;
                    assert_eq!(Value::Object(fields.clone()), one, "a call has its conversation");
                    fields.shift_remove("messages");
                    fields.shift_remove("recordings");
                }
            }
            assert_eq!(exported, shown, "{kind}, oldest first");
            assert!(!shown.is_empty(), "{kind}");
        }
        let events = lines(&client, "/v1/export/events").await;
        let told: Vec<_> = events.iter().map(|event| event["event"].as_str().expect("a name")).collect();
        assert_eq!(told.iter().filter(|event| **event == "call.completed").count(), 2, "{told:?}");
        assert!(events.iter().all(|event| event["type"] == "event" && event["data"].is_object()));
        let messages = lines(&client, "/v1/export/messages").await;
        assert_eq!(messages.len(), 2);
        assert_eq!(messages[0]["outcome"], "accepted");
        assert!(messages[0]["body"].as_str().is_some_and(|body| body.contains("end-of-call-report")));
        let webhooks = lines(&client, "/v1/export/webhooks").await;
        assert_eq!((webhooks.len(), &webhooks[0]["url"]), (1, &json!("https://127.0.0.1:1/hook")));
        let calls = lines(&client, "/v1/export/calls").await;
        let review = (&calls[2]["reviewed"], &calls[2]["tags"], &calls[2]["notes"]);
        assert_eq!(review, (&json!(true), &json!(["vip"]), &json!("Call back")));
        let sources = lines(&client, "/v1/export/sources").await;
        assert_eq!((sources.len(), &sources[0]["platform"]), (1, &json!("vapi")));
    });
}

#[test]
fn no_secret_and_no_hash_is_exported() {
    on_both(async |app| {
        let (org, secrets) = org_with_everything(app).await;
        for kind in ExportKind::ALL {
            for format in ["jsonl", "csv&mode=raw"] {
                let path = format!("/v1/export/{}?format={format}", kind.as_str());
                let answer = app.key(&org).get(&path).await;
                let text = String::from_utf8(answer.bytes).expect("UTF-8");
                assert_eq!(answer.status, 200, "{text}");
                for secret in &secrets {
                    assert!(!text.contains(secret.as_str()), "{path}");
                }
                for word in ["secret", "fingerprint", "hash", "ranks"] {
                    assert!(!text.contains(word), "{path} has {word}: {text}");
                }
            }
        }
    });
}

#[test]
fn the_columns_of_csv_are_the_fields_of_the_records() {
    on_both(async |app| {
        let (org, _) = org_with_everything(app).await;
        for kind in ExportKind::ALL {
            let path = format!("/v1/export/{}", kind.as_str());
            let records = lines(&app.key(&org), &path).await;
            // Those of an organization without any are in `completeness.rs`.
            let Some(record) = records.first() else {
                assert_eq!(kind, ExportKind::Gaps);
                continue;
            };
            let mut fields: Vec<_> = record.as_object().expect("an object").keys().collect();
            assert_eq!(fields.remove(0), "type");
            assert_eq!(fields, api::export::columns(kind), "{}", kind.as_str());
            let answer = app.key(&org).get(&format!("{path}?format=csv")).await;
            assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8; header=present");
            let text = String::from_utf8(answer.bytes).expect("UTF-8");
            assert_eq!(text.lines().next().expect("a line"), api::export::columns(kind).join(","));
        }
        let nobody = app.org("Lakeside").await;
        let empty = app.key(&nobody).get("/v1/export/leads?format=csv").await;
        assert_eq!(String::from_utf8_lossy(&empty.bytes).lines().count(), 1, "names also over nothing");
    });
}

#[test]
fn a_number_is_no_formula_for_people_and_a_number_for_programs() {
    on_both(async |app| {
        let (org, _) = org_with_everything(app).await;
        let text = async |query: &str| {
            let answer = app.key(&org).get(&format!("/v1/export/contacts?format=csv{query}")).await;
            String::from_utf8(answer.bytes).expect("UTF-8")
        };
        assert!(text("").await.contains(",'+14155550142,"));
        assert_eq!(text("").await, text("&mode=safe").await);
        assert!(text("&mode=raw").await.contains(",+14155550142,"));
    });
}

#[test]
fn an_export_is_filtered_like_the_list_and_a_wrong_filter_is_named() {
    on_both(async |app| {
        let (org, _) = org_with_everything(app).await;
        let client = app.key(&org);
        let first = client.data("/v1/calls").await[2]["created_at"].as_str().expect("a time").to_owned();
        for (kind, query) in [
            ("calls", "status=failed".to_owned()),
            ("calls", "phone=%2B14155550142&status=completed".into()),
            ("calls", format!("since={first}")),
            ("contacts", "phone=%2B14155550143".into()),
            ("leads", "status=new&phone=%2B14155550143".into()),
            ("leads", "urgency=high".into()),
            ("appointments", "status=booked&from=2026-03-04T10:00:00Z&to=2026-03-04T10:00:01Z".into()),
            ("appointments", "to=2026-03-04T10:00:00Z".into()),
        ] {
            let ids = |records: &[Value]| {
                let mut ids: Vec<String> = records.iter().map(|record| record["id"].to_string()).collect();
                ids.sort();
                ids
            };
            let listed = client.data(&format!("/v1/{kind}?{query}")).await;
            let exported = lines(&client, &format!("/v1/export/{kind}?{query}")).await;
            assert_eq!(ids(&exported), ids(listed.as_array().expect("a list")), "{kind}?{query}");
        }
        for (path, told) in [
            ("contacts?urgency=low", "urgency"),
            ("calls?limit=5", "limit"),
            ("calls?format=xlsx", "format"),
            ("messages?outcome=lost", "outcome"),
        ] {
            let answer = client.get(&format!("/v1/export/{path}")).await;
            assert!(answer.error().starts_with("400 bad_request") && answer.error().contains(told), "{path}");
        }
        assert_eq!(client.get("/v1/export/keys").await.status, 404);
    });
}

/// The walk is what both the API and the command write from: nothing else of an export is ever in memory.
#[test]
fn an_export_reads_a_page_at_a_time_and_ends_where_it_began() {
    on_both_with(Setup::unhurried(), async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        for number in 0..230 {
            client.write_call(json!({"external_id": format!("{number}"), "summary": "Short"})).await;
        }
        let mut export =
            org.records.export(ExportKind::Calls, ExportFilter::default()).await.expect("an export");
        let (mut seen, mut sizes) = (Vec::new(), Vec::new());
        while let Some(page) = export.next_page().await.expect("a page") {
            sizes.push(page.len());
            seen.extend(page.iter().map(|json| serde_json::from_slice::<Value>(json).expect("JSON")));
            let meanwhile = json!({"external_id": format!("late {}", sizes.len()), "summary": "Late"});
            client.write_call(meanwhile).await;
        }
        assert_eq!(sizes, [8, 16, 32, 64, 100, 10]);
        let ids: Vec<_> = seen.iter().map(|call| call["external_id"].as_str().expect("an id")).collect();
        assert_eq!(ids, (0..230).map(|number| number.to_string()).collect::<Vec<_>>());
    });
}

#[test]
fn long_records_make_short_pages() {
    on_both_with(Setup::unhurried(), async |app| {
        let org = app.org("Harbor Plumbing").await;
        let transcript = "Long ".repeat(190_000);
        for number in 0..12 {
            let call = json!({"external_id": format!("{number}"), "transcript": transcript});
            app.key(&org).write_call(call).await;
        }
        let mut export =
            org.records.export(ExportKind::Calls, ExportFilter::default()).await.expect("an export");
        let mut sizes = Vec::new();
        while let Some(page) = export.next_page().await.expect("a page") {
            sizes.push(page.len());
        }
        assert_eq!((sizes.iter().sum::<usize>(), sizes.iter().max()), (12, Some(&5)), "{sizes:?}");
    });
}

#[test]
fn what_people_noted_of_a_call_comes_in_with_it() {
    on_both(async |app| {
        let (there, here) = (app.org("Harbor Plumbing").await, app.org("Harbor Plumbing & Sons").await);
        let (theirs, ours) = (app.key(&there), app.key(&here));
        let call = theirs.write_call(json!({"external_id": "a", "caller_phone": "+14155550142"})).await;
        let path = |call: &Value| format!("/v1/calls/{}", call["id"].as_str().expect("an id"));
        let noted = json!({"tags": ["leak"], "notes": "Ring back", "reviewed": true, "spam": true});
        theirs.changed(&path(&call), noted).await;
        let lines = theirs.get("/v1/export/calls").await.bytes;
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), lines).expect("a file");
        begin(app, &here).read_path(file.path()).await.expect("an import");
        let came = &ours.data("/v1/calls").await[0];
        let (before, after) = (theirs.data(&path(&call)).await, ours.data(&path(came)).await);
        for field in ["tags", "notes", "reviewed", "spam"] {
            assert_eq!(after[field], before[field], "{field}");
        }
        assert_eq!((&after["notes"], &after["spam"]), (&json!("Ring back"), &json!(true)));
    });
}

/// Brings in some lines of an export.
async fn bring(app: &TestApp, org: &Org, lines: &[Value]) -> Value {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    std::fs::write(file.path(), lines.join("\n")).expect("a file");
    let mut import = begin(app, org);
    import.read_path(file.path()).await.expect("an import");
    import.summary()
}

#[test]
fn who_was_merged_and_then_erased_does_not_come_back_by_an_import() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let theirs = "0197a3c4-0000-7000-8000-00000000000a";
        let contact = json!({"type": "contact", "id": theirs, "name": "Ada Vale", "phone": "+14155550142"});
        bring(app, &org, &[contact]).await;
        let kept = client.made("/v1/contacts", json!({"phone": "+14155550143"})).await;
        let path = format!("/v1/contacts/{}", kept["id"].as_str().expect("an id"));
        // It is another row of ours now that stands for theirs.
        assert_eq!(client.post(&format!("{path}/merge"), &json!({"from": theirs})).await.status, 200);
        let call = |n: u8| {
            json!({"type": "call", "id": format!("0197a3c4-0000-7000-8000-0000000000b{n}"),
                "external_id": format!("c{n}"), "contact_id": theirs, "caller_name": "Ada Vale"})
        };
        bring(app, &org, &[call(1)]).await;
        assert_eq!(client.data("/v1/calls").await[0]["contact_id"], kept["id"]);
        assert_eq!(client.data(&path).await["call_count"], 1);
        client.post(&format!("{path}/erase"), &json!({})).await;
        let summary = bring(app, &org, &[call(2)]).await;
        assert_eq!(summary["imported"]["calls"], json!({"added": 0, "known": 0, "erased": 1}));
        assert!(!app.dump().await.contains("Ada Vale"));
    });
}

#[test]
fn a_contact_that_is_here_gets_the_further_numbers_of_theirs() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        client.made("/v1/contacts", json!({"phone": "+14155550142", "other_phones": ["+14155550170"]})).await;
        client.made("/v1/contacts", json!({"phone": "+14155550177"})).await;
        let theirs = json!({"type": "contact", "id": "0197a3c4-0000-7000-8000-00000000000a",
            "phone": "+14155550142", "other_phones": ["+14155550177", "+14155550178", "+14155550170"]});
        bring(app, &org, &[theirs]).await;
        client.write_call(json!({"caller_phone": "+14155550178"})).await;
        let contacts = client.data("/v1/contacts").await;
        let shown = |n: usize| (&contacts[n]["other_phones"], &contacts[n]["call_count"]);
        assert_eq!(contacts.as_array().map(Vec::len), Some(2));
        assert_eq!(shown(1), (&json!(["+14155550170", "+14155550178"]), &json!(1)));
        assert_eq!(shown(0), (&json!([]), &json!(0)));
    });
}
