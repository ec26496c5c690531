//! Pages and polls: each record exactly once, whatever is written meanwhile.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Client, Setup, on_both_with};

fn text<'a>(record: &'a Value, field: &str) -> &'a str {
    record[field].as_str().expect("text")
}

async fn write(client: &Client<'_>, name: &str) {
    client.write_call(json!({"external_id": name, "status": "failed"})).await;
}

#[test]
fn a_walk_by_pages_of_5_sees_each_of_1000_calls_once_while_new_ones_arrive() {
    on_both_with(Setup::unhurried(), async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        for number in 0..1000 {
            write(&client, &format!("old {number}")).await;
        }
        let (mut seen, mut pages, mut cursor) = (Vec::new(), 0, String::new());
        loop {
            let page = client.get(&format!("/v1/calls?limit=5{cursor}")).await.json();
            pages += 1;
            seen.extend(
                page["data"]
                    .as_array()
                    .expect("a list")
                    .iter()
                    .map(|call| text(call, "external_id").to_owned()),
            );
            assert_eq!(page["has_more"], !page["next_cursor"].is_null());
            write(&client, &format!("new {pages}")).await;
            let Some(next) = page["next_cursor"].as_str() else { break };
            assert!(next.starts_with("eyJjcmVhdGVkX2F0Ijo"), "{next}");
            cursor = format!("&cursor={next}");
        }
        let expected: Vec<_> = (0..1000).rev().map(|number| format!("old {number}")).collect();
        assert_eq!(seen, expected, "newest first, each once");
        assert_eq!(pages, 200);
    });
}

#[test]
fn polling_with_since_neither_repeats_nor_skips() {
    on_both_with(Setup::unhurried(), async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let (mut since, mut seen) = ("2026-02-24T21:00:00Z".to_owned(), Vec::new());
        for round in 0..12 {
            for number in 0..round % 4 {
                write(&client, &format!("{round}.{number}")).await;
            }
            let polled = client.get(&format!("/v1/calls?limit=100&since={since}")).await.json();
            let new = polled["data"].as_array().expect("a list").clone();
            if let Some(newest) = new.first() {
                since = text(newest, "created_at").to_owned();
            }
            seen.extend(new.iter().rev().map(|call| text(call, "external_id").to_owned()));
        }
        let expected: Vec<_> =
            (0..12).flat_map(|round| (0..round % 4).map(move |n| format!("{round}.{n}"))).collect();
        assert_eq!(seen, expected);
    });
}

#[test]
fn pages_and_filters_go_together() {
    on_both_with(Setup::unhurried(), async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        for number in 0..12 {
            let status = ["failed", "blocked", "in-progress"][number % 3];
            let phone = ["+14155550142", "+14155550143"][number % 2];
            client
                .write_call(
                    json!({"external_id": number.to_string(), "status": status, "caller_phone": phone}),
                )
                .await;
        }
        let path = "/v1/calls?limit=1&status=failed&phone=%2B14155550142";
        let first = client.get(path).await.json();
        assert_eq!((text(&first["data"][0], "external_id"), &first["has_more"]), ("6", &json!(true)));
        let next = client.get(&format!("{path}&cursor={}", text(&first, "next_cursor"))).await.json();
        assert_eq!((text(&next["data"][0], "external_id"), &next["has_more"]), ("0", &json!(false)));
        assert_eq!(next["next_cursor"], Value::Null);
        let contacts = client.data("/v1/contacts?phone=%2B14155550143").await;
        assert_eq!((contacts.as_array().map(Vec::len), &contacts[0]["call_count"]), (Some(1), &json!(6)));
    });
}

#[test]
fn writers_in_several_processes_keep_the_order_in_which_records_become_visible() {
    const WRITERS: usize = 8;
    const EACH: usize = 25;
    on_both_with(Setup::unhurried(), async |app| {
        let org = app.org("Harbor Plumbing").await;
        let other = app.another().await;
        let writers = (0..WRITERS).map(|writer| {
            let client = if writer % 2 == 0 { app.key(&org) } else { other.key(&org) };
            async move {
                for number in 0..EACH {
                    let body = json!({"external_id": format!("{writer}.{number}"), "caller_phone": "+14155550142",
                        "summary": "The boiler leaks."});
                    let headers = [("content-type", "application/json")];
                    let body = body.to_string().into_bytes();
                    let answer = client.send_only(http::Method::POST, "/v1/calls", &headers, body).await;
                    assert_eq!(answer.status, 201, "{}", answer.shown());
                }
            }
        });
        let reader = async {
            let client = app.key(&org);
            let (mut since, mut seen) = (String::from("2000-01-01T00:00:00Z"), Vec::new());
            while seen.len() < WRITERS * EACH {
                let answer = client
                    .send_only(
                        http::Method::GET,
                        &format!("/v1/calls?limit=100&since={since}"),
                        &[],
                        Vec::new(),
                    )
                    .await;
                let page = answer.json();
                // Older ones beyond this page would be skipped by the next poll: take them all, as a client does.
                let mut new = page["data"].as_array().expect("a list").clone();
                let mut next = page["next_cursor"].as_str().map(str::to_owned);
                while let Some(cursor) = next {
                    let path = format!("/v1/calls?limit=100&since={since}&cursor={cursor}");
                    let page = client.send_only(http::Method::GET, &path, &[], Vec::new()).await.json();
                    new.extend(page["data"].as_array().expect("a list").clone());
                    next = page["next_cursor"].as_str().map(str::to_owned);
                }
                if let Some(newest) = new.first() {
                    since = text(newest, "created_at").to_owned();
                }
                seen.extend(new.into_iter().rev());
                // As a client polls: with a pause, which lets the writers of this same task go on.
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            seen
        };
        let (_, seen) = tokio::time::timeout(
            std::time::Duration::from_secs(60),
            futures_util::future::join(futures_util::future::join_all(writers), reader),
        )
        .await
        .expect("a poll that skipped a call would wait for it forever");
        let names: BTreeSet<_> = seen.iter().map(|call| text(call, "external_id")).collect();
        assert_eq!((names.len(), seen.len()), (WRITERS * EACH, WRITERS * EACH), "each once");
        let stamps: Vec<_> = seen.iter().map(|call| text(call, "created_at")).collect();
        assert!(stamps.is_sorted_by(|a, b| a < b), "unique and increasing");
        assert!(stamps.iter().all(|stamp| stamp.len() == "2026-02-24T21:00:00.000001Z".len()));
        let contacts = app.key(&org).data("/v1/contacts").await;
        assert_eq!(
            (contacts.as_array().map(Vec::len), &contacts[0]["call_count"]),
            (Some(1), &json!(WRITERS * EACH))
        );
        assert_eq!(
            app.key(&org).data("/v1/leads").await.as_array().map(Vec::len),
            Some(1),
            "one open lead of a caller"
        );
        other.stop().await;
    });
}
