//! The event stream: what it tells, where it begins, and when it ends.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use futures_util::StreamExt;
use http::{Method, Response};
use insta::assert_snapshot;
use model::Scopes;
use serde_json::{Value, json};
use store::NewKey;

use crate::support::{Client, Setup, on_both, on_both_with};

/// How long, in real time, a stream may take to say something.
const PATIENCE: Duration = Duration::from_secs(20);

/// A stream that somebody listens to.
struct Heard(BodyDataStream);

impl Heard {
    async fn open(client: &Client<'_>, path: &str, headers: &[(&str, &str)]) -> Self {
        let mut heard = Self::of(client.begin(Method::GET, path, headers, Vec::new()).await);
        assert_eq!(heard.words().await.as_deref(), Some(": connected\nretry: 2000\n\n"));
        heard
    }

    fn of(response: Response<Body>) -> Self {
        assert_eq!(response.status(), 200);
        Self(response.into_body().into_data_stream())
    }

    /// The next words; `None` at the end.
    async fn words(&mut self) -> Option<String> {
        let words = tokio::time::timeout(PATIENCE, self.0.next()).await.expect("words in time")?;
        Some(String::from_utf8(words.expect("no error").to_vec()).expect("UTF-8"))
    }

    /// The next events: id, type and name of the caller.
    async fn events(&mut self, count: usize) -> Vec<(String, String, String)> {
        let mut events = Vec::new();
        while events.len() < count {
            let words = self.words().await.expect("more events");
            for block in words.split_terminator("\n\n") {
                let lines: Vec<_> =
                    block.lines().map(|line| line.split_once(": ").expect("a field")).collect();
                let [("id", id), ("event", name), ("data", data)] = lines[..] else { panic!("{block}") };
                let data: Value = serde_json::from_str(data).expect("JSON");
                assert_eq!((&data["id"], &data["event"]), (&json!(id), &json!(name)));
                let caller = data["data"]["caller_name"].as_str().expect("a name").to_owned();
                events.push((id.to_owned(), name.to_owned(), caller));
            }
        }
        events
    }
}

async fn call(client: &Client<'_>, name: &str) {
    client.write_call(json!({"caller_name": name})).await;
}

fn names(events: &[(String, String, String)]) -> Vec<&str> {
    events.iter().map(|(.., name)| name.as_str()).collect()
}

#[test]
fn events_are_told_when_they_are_committed_and_nobody_else_s() {
    on_both(async |app| {
        let (mine, theirs) = (app.org("Mine").await, app.org("Theirs").await);
        let client = app.key(&mine);
        call(&client, "Before").await;
        let mut heard = Heard::open(&client, "/v1/events/stream", &[]).await;
        call(&app.key(&theirs), "Theirs").await;
        call(&client, "One").await;
        call(&client, "Two").await;
        // The clock stands still: nothing but the commit can have woken it.
        assert_eq!(names(&heard.events(2).await), ["One", "Two"]);
        app.streams.close();
        assert_eq!(heard.words().await, None);
    });
}

#[test]
fn a_stream_is_answered_so_that_no_proxy_holds_it_back() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let headers = [("accept-encoding", "gzip, zstd"), ("accept", "text/event-stream")];
        let answer = app.key(&org).begin(Method::GET, "/v1/events/stream", &headers, Vec::new()).await;
        let header =
            |name: &str| answer.headers().get(name).map_or("-", |value| value.to_str().expect("text"));
        let told = [
            "content-type",
            "cache-control",
            "x-accel-buffering",
            "content-encoding",
            "x-ratelimit-remaining",
        ];
        assert_snapshot!(told.map(|name| format!("{name}: {}", header(name))).join("\n"), @"
        content-type: text/event-stream
        cache-control: no-cache, no-transform
        x-accel-buffering: no
        content-encoding: -
        x-ratelimit-remaining: 59
        ");
        assert!(header("x-request-id").starts_with("req_"));
    });
}

#[test]
fn who_comes_back_with_the_last_id_has_missed_nothing() {
    on_both_with(Setup::unhurried(), async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let mut heard = Heard::open(&client, "/v1/events/stream", &[]).await;
        call(&client, "One").await;
        let (last, ..) = heard.events(1).await.remove(0);
        drop(heard);
        for number in 0..45 {
            call(&client, &format!("Missed {number}")).await;
        }
        let expected: Vec<_> = (0..45).map(|number| format!("Missed {number}")).collect();
        let mut heard = Heard::open(&client, "/v1/events/stream", &[("last-event-id", &last)]).await;
        assert_eq!(names(&heard.events(45).await), expected);
        call(&client, "And on").await;
        assert_eq!(names(&heard.events(1).await), ["And on"]);
        let mut heard = Heard::open(&client, &format!("/v1/events/stream?after={last}"), &[]).await;
        assert_eq!(names(&heard.events(45).await)[..45], expected);
        let all = "/v1/events/stream?since=2026-02-24T20:00:00Z&type=call.completed";
        assert_eq!(names(&Heard::open(&client, all, &[]).await.events(1).await)[0], "One");
        let mut told = Vec::new();
        for (query, id) in
            [("", "five"), ("", "0197a3c4-0000-7000-8000-00000000dead"), ("?type=call", ""), ("?from=1", "")]
        {
            let path = format!("/v1/events/stream{query}");
            told.push(client.get_with(&path, &[("last-event-id", id)]).await.error());
        }
        assert_snapshot!(told.join("\n"), @"
        400 bad_request: Wrong header `Last-Event-ID`: must be the id of an event
        404 not_found: There is no event or delivery with this id; it may be older than what is kept: use `since`
        400 bad_request: Wrong query parameter `type`: `call` is no event: there are call.completed, call.transferred, appointment.booked, lead.created, call.started, call.updated, lead.updated, appointment.updated, appointment.cancelled, contact.created, contact.updated, endpoint.failing, endpoint.disabled, endpoint.recovered
        400 bad_request: Wrong query parameter: unknown field `from`, expected one of `after`, `since`, `type`
        ");
    });
}

#[test]
fn a_silent_stream_says_that_it_is_there() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let mut heard = Heard::open(&client, "/v1/events/stream?type=lead.created", &[]).await;
        for _ in 0..3 {
            let (words, ()) = tokio::join!(heard.words(), async {
                call(&client, "Of another type").await;
                // The stream sets its alarm when it is listened to.
                tokio::task::yield_now().await;
                app.clock.advance(Duration::from_secs(15));
            });
            assert_eq!(words.as_deref(), Some(": heartbeat\n\n"));
        }
    });
}

#[test]
fn a_stream_ends_with_its_key() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let new = NewKey { name: "follows".into(), expires_at: None, rate_limit: None, scopes: Scopes::All };
        let (record, key) = org.records.create_key(new).await.expect("a key");
        let client = app.bearer(key.reveal());
        let mut silent = Heard::open(&client, "/v1/events/stream?type=lead.created", &[]).await;
        let mut told = Heard::open(&client, "/v1/events/stream", &[]).await;
        app.store.revoke_key(record.id).await.expect("a write");
        call(&app.key(&org), "After").await;
        assert_eq!(told.words().await, None, "nothing is told to a key that was revoked");
        app.clock.advance(Duration::from_secs(15));
        assert_eq!(silent.words().await, None);
    });
}

#[test]
fn an_event_of_another_server_process_is_told_too() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let mut heard = Heard::open(&app.key(&org), "/v1/events/stream", &[]).await;
        if app.store.is_embedded() {
            return;
        }
        let other = app.another().await;
        let (events, ()) = tokio::join!(heard.events(1), async {
            call(&other.key(&org), "From there").await;
            app.clock.advance(Duration::from_secs(2));
        });
        assert_eq!(names(&events), ["From there"]);
        other.stop().await;
    });
}

#[test]
fn an_organization_has_so_many_streams_at_once() {
    on_both_with(Setup::unhurried(), async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let mut open = Vec::new();
        for _ in 0..32 {
            open.push(Heard::open(&client, "/v1/events/stream", &[]).await);
        }
        assert_snapshot!(client.get("/v1/events/stream").await.error(), @"429 rate_limited: This organization has too many streams open; close one first");
        open.pop();
        Heard::open(&client, "/v1/events/stream", &[]).await;
    });
}
