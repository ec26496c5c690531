//! The log of events, what was missed of it, and the types of events with their samples.

use insta::assert_snapshot;
use model::Platform;
use serde_json::{Value, json};

use crate::support::{Receiver, Reply, Setup, booking, on_both, on_both_with, report};

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().expect("a list")
}

#[test]
fn the_log_has_what_the_webhooks_say_oldest_first() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        org.endpoint(&receiver.url("/")).await;
        org.source(Platform::Vapi).await.accept(app, &report("a", json!("+14155550142"), booking())).await;
        let answer = app.key(&org).get("/v1/events").await.json();
        let events = list(&answer["data"]);
        assert_eq!((&answer["has_more"], &answer["next_cursor"]), (&json!(false), &Value::Null));
        let mut got = receiver.take();
        got.sort_by_key(|got| got.body.clone());
        let mut logged: Vec<_> = events
            .iter()
            .map(|event| {
                let mut body = event.as_object().expect("an object").clone();
                body.shift_remove("id").expect("an id");
                body
            })
            .collect();
        logged.sort_by_key(|body| Value::Object(body.clone()).to_string());
        for (got, logged) in got.iter().zip(&logged) {
            let mut body = got.json();
            body.as_object_mut().expect("an object").shift_remove("delivery_id");
            assert_eq!(&body, &Value::Object(logged.clone()));
        }
        assert_eq!((got.len(), logged.len()), (3, 3));
        let stamps: Vec<_> = events.iter().map(|event| text(&event["event"])).collect();
        assert_snapshot!(stamps.join(" "), @"call.completed lead.created appointment.booked");
    });
}

#[test]
fn whoever_sends_the_last_id_gets_what_was_missed() {
    on_both_with(Setup::unhurried(), async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        let client = app.key(&org);
        org.endpoint(&receiver.url("/")).await;
        for number in 0..7 {
            client
                .write_call(
                    json!({"external_id": number.to_string(), "caller_name": format!("Robin {number}")}),
                )
                .await;
        }
        let all = client.data("/v1/events").await;
        let names = |events: &Value| {
            list(events)
                .iter()
                .map(|event| text(&event["data"]["caller_name"]).to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(&all), (0..7).map(|number| format!("Robin {number}")).collect::<Vec<_>>());
        let third = text(&all[2]["id"]);
        assert_eq!(names(&client.data(&format!("/v1/events?after={third}")).await)[0], "Robin 3");
        let got = receiver.take();
        let delivery = got.iter().find(|got| got.body.contains("Robin 2")).expect("a webhook").json();
        let by_delivery = client.data(&format!("/v1/events?after={}", text(&delivery["delivery_id"]))).await;
        assert_eq!(names(&by_delivery)[0], "Robin 3", "a receiver of webhooks knows no other id");
        let last = text(&all[6]["id"]);
        assert_eq!(client.data(&format!("/v1/events?after={last}")).await, json!([]));
        assert_eq!(client.data("/v1/events?type=lead.created").await, json!([]));
        assert_eq!(
            list(
                &client.data("/v1/events?type=lead.created,call.completed&since=2026-02-24T21:00:00Z").await
            )
            .len(),
            7
        );

        let (mut walked, mut path) = (Vec::new(), format!("/v1/events?limit=2&after={third}"));
        loop {
            let page = client.get(&path).await.json();
            walked.extend(names(&page["data"]));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("/v1/events?limit=2&cursor={cursor}");
        }
        assert_eq!(walked, (3..7).map(|number| format!("Robin {number}")).collect::<Vec<_>>());
        let mut told = Vec::new();
        for query in [
            "after=5",
            "after=0197a3c4-0000-7000-8000-00000000dead",
            "type=",
            "type=call",
            "types=call.completed",
        ] {
            told.push(client.get(&format!("/v1/events?{query}")).await.error());
        }
        let theirs = app.org("Theirs").await;
        told.push(app.key(&theirs).get(&format!("/v1/events?after={third}")).await.error());
        assert_snapshot!(told.join("\n"), @"
        400 bad_request: Wrong query parameter `after`: UUID parsing failed: invalid length: found 1
        404 not_found: There is no event or delivery with this id; it may be older than what is kept: use `since`
        400 bad_request: Wrong query parameter `type`: `` is no event: there are call.completed, call.transferred, appointment.booked, lead.created, call.started, call.updated, lead.updated, appointment.updated, appointment.cancelled, contact.created, contact.updated, endpoint.failing, endpoint.disabled, endpoint.recovered
        400 bad_request: Wrong query parameter `type`: `call` is no event: there are call.completed, call.transferred, appointment.booked, lead.created, call.started, call.updated, lead.updated, appointment.updated, appointment.cancelled, contact.created, contact.updated, endpoint.failing, endpoint.disabled, endpoint.recovered
        400 bad_request: Wrong query parameter: unknown field `types`, expected one of `limit`, `cursor`, `after`, `since`, `type`
        404 not_found: There is no event or delivery with this id; it may be older than what is kept: use `since`
        ");
    });
}

#[test]
fn an_endpoint_is_shown_what_it_may_have_missed() {
    on_both_with(Setup { schedule: Some("1s"), ..Setup::unhurried() }, async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        let client = app.key(&org);
        let endpoint = org.endpoint(&receiver.url("/")).await.id;
        org.endpoint(&Receiver::start().await.url("/another")).await;
        for number in 0..5 {
            if number == 1 {
                receiver.reply([Reply(500, &[]), Reply(500, &[])]);
            }
            client
                .write_call(
                    json!({"external_id": number.to_string(), "caller_name": format!("Robin {number}")}),
                )
                .await;
            app.tick(std::time::Duration::from_secs(2)).await;
        }
        let got = receiver.take();
        let third = got.iter().find(|got| got.body.contains("Robin 2")).expect("a webhook").json();
        let path = format!("/v1/webhooks/{endpoint}/missed?after={}", text(&third["delivery_id"]));
        let missed = client.data(&path).await;
        let told = list(&missed).iter().map(|missed| {
            assert_eq!(missed["delivery_id"], missed["body"]["delivery_id"]);
            format!("{} {}", text(&missed["body"]["data"]["caller_name"]), text(&missed["state"]))
        });
        assert_snapshot!(told.collect::<Vec<_>>().join("\n"), @"
        Robin 1 exhausted
        Robin 3 delivered
        Robin 4 delivered
        ");
        let fourth = got.iter().find(|got| got.body.contains("Robin 3")).expect("a webhook");
        assert_eq!(list(&missed)[1]["body"].to_string(), fourth.body, "byte for byte");
        let (mut walked, mut next) = (Vec::new(), format!("{path}&limit=1"));
        loop {
            let page = client.get(&next).await.json();
            walked.extend(list(&page["data"]).clone());
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            next = format!("{path}&limit=1&cursor={cursor}");
        }
        assert_eq!(&walked, list(&missed));
        assert_eq!(list(&client.data(&format!("/v1/webhooks/{endpoint}/missed")).await).len(), 5);
        let none = format!("/v1/webhooks/{endpoint}/missed?after=0197a3c4-0000-7000-8000-00000000dead");
        assert_eq!(client.get(&none).await.status, 404);
    });
}

fn is_documented(event: &str) -> bool {
    ["call.completed", "call.transferred", "appointment.booked", "lead.created"].contains(&event)
}

#[test]
fn every_type_has_an_example_that_its_schema_describes() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let types = app.key(&org).data("/v1/event-types").await;
        let mut told = Vec::new();
        for described in list(&types) {
            let (schema, example) = (&described["schema"], &described["example"]);
            let mut data = &schema["properties"]["data"];
            if let Some(name) = data["$ref"].as_str() {
                data = schema.pointer(name.trim_start_matches('#')).expect("a definition");
            }
            let keys = |value: &Value| {
                let mut keys: Vec<_> = value.as_object().expect("an object").keys().cloned().collect();
                keys.sort();
                keys
            };
            // The opt-in ones are a record and a few fields more.
            let mut fields = Vec::new();
            for part in data["allOf"].as_array().unwrap_or(&vec![data.clone()]) {
                let part = part["$ref"]
                    .as_str()
                    .map_or(part, |name| schema.pointer(name.trim_start_matches('#')).expect("a definition"));
                fields.extend(keys(&part["properties"]));
            }
            fields.sort();
            assert_eq!(fields, keys(&example["data"]), "{}", described["name"]);
            assert_eq!(described["opt_in"], json!(!is_documented(text(&described["name"]))));
            assert_eq!(keys(&schema["properties"]), keys(example));
            assert!(!schema.to_string().contains("#/components"), "it stands alone");
            let one = app.key(&org).data(&format!("/v1/event-types/{}", text(&described["name"]))).await;
            assert_eq!(&one, described);
            told.push(format!("{}: {}", text(&described["name"]), text(&described["description"])));
        }
        assert_snapshot!(told.join("\n"), @"
        call.completed: A call took place and is over.
        call.transferred: The assistant handed the caller to a configured destination.
        appointment.booked: The assistant booked an appointment during a call.
        lead.created: A new lead was made from a call.
        call.started: A call is under way.
        call.updated: Something of a call changed after it was told as completed.
        lead.updated: Something of a lead changed.
        appointment.updated: Something of an appointment changed.
        appointment.cancelled: An appointment was called off, or deleted before it took place.
        contact.created: There is a new contact.
        contact.updated: Something of a contact changed.
        endpoint.failing: Webhooks to another endpoint fail again and again: its circuit opened, or it is to be disabled within a day.
        endpoint.disabled: Another endpoint took nothing for five days and is not told any more: what it is owed is held.
        endpoint.recovered: Another endpoint that was told as failing is well again.
        ");
        assert_snapshot!(app.key(&org).get("/v1/event-types/call.answered").await.error(), @"404 not_found: There is no such event: there are call.completed, call.transferred, appointment.booked, lead.created, call.started, call.updated, lead.updated, appointment.updated, appointment.cancelled, contact.created, contact.updated, endpoint.failing, endpoint.disabled, endpoint.recovered");
    });
}

#[test]
fn samples_are_the_caller_s_own_events_or_an_invented_one() {
    on_both(async |app| {
        let (mine, theirs) = (app.org("Mine").await, app.org("Theirs").await);
        app.key(&theirs).write_call(json!({"caller_name": "Theirs"})).await;
        let path = "/v1/event-types/call.completed/samples";
        let invented = app.key(&mine).data(path).await;
        assert_eq!((list(&invented).len(), &invented[0]["data"]["caller_name"]), (1, &json!("Robin Vale")));
        for number in 0..4 {
            app.key(&mine).write_call(json!({"caller_name": format!("Mine {number}")})).await;
        }
        let own = app.key(&mine).data(path).await;
        let names: Vec<_> = list(&own).iter().map(|sample| text(&sample["data"]["caller_name"])).collect();
        assert_eq!(names, ["Mine 3", "Mine 2", "Mine 1"]);
        assert_eq!(app.key(&mine).get(&format!("{path}?format=array")).await.json(), own);
        assert_eq!(app.key(&mine).get(&format!("{path}?format=xml")).await.status, 400);
    });
}

#[test]
fn a_sample_is_told_as_any_event_to_all_endpoints_or_to_one() {
    on_both(async |app| {
        let (org, theirs, receiver) =
            (app.org("Mine").await, app.org("Theirs").await, Receiver::start().await);
        let client = app.key(&org);
        org.endpoint(&receiver.url("/one")).await;
        let two = org.endpoint(&receiver.url("/two")).await.id;
        let other = theirs.endpoint(&receiver.url("/theirs")).await.id;
        let path = "/v1/event-types/call.completed/trigger";
        let told = client.post(path, &json!({"set": {"caller_name": "Dave"}})).await;
        assert_eq!((told.status.as_u16(), &told.json()["data"]["deliveries"]), (201, &json!(2)));
        let mut got = receiver.take();
        got.sort_by_key(|got| got.path.clone());
        assert_eq!(got.iter().map(|got| got.path.as_str()).collect::<Vec<_>>(), ["/one", "/two"]);
        assert!(got.iter().all(|got| got.json()["data"]["caller_name"] == "Dave"));
        got[0].verify("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        assert_eq!(client.data("/v1/events").await[0]["id"], told.json()["data"]["id"]);
        let told = client.post(path, &json!({"webhook_id": two})).await;
        assert_eq!(told.json()["data"]["deliveries"], 1);
        assert_eq!(receiver.take()[0].path, "/two");
        client.write_call(json!({"external_id": "a"})).await;
        assert_eq!(receiver.take().len(), 2, "the next event goes to both again");
        let mut refused = vec![client.post(path, &json!({"webhook_id": other})).await.error()];
        refused.push(client.post(path, &json!({"set": {"name": "Dave"}})).await.error());
        refused.push(client.post("/v1/event-types/call/trigger", &json!({})).await.error());
        assert_snapshot!(refused.join("\n"), @"
        404 not_found: There is no webhook with this id
        400 bad_request: Wrong field `set`: `call.completed` has no field `name`
        404 not_found: There is no such event: there are call.completed, call.transferred, appointment.booked, lead.created, call.started, call.updated, lead.updated, appointment.updated, appointment.cancelled, contact.created, contact.updated, endpoint.failing, endpoint.disabled, endpoint.recovered
        ");
    });
}
