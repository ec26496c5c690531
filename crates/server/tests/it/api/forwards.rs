//! A source's messages sent on as they came, because platforms have one webhook slot.

use std::time::Duration;

use insta::assert_snapshot;
use model::Platform;
use serde_json::{Value, json};
use store::{DeliveryState, ListDeliveries, ListedDelivery};
use tokio::net::TcpListener;

use super::completeness::{all, connected};
use crate::support::{
    Client, Org, Receiver, Reply, Setup, Signing, StandIn, finished, on_both, on_both_with, report, spawn,
};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

async fn forward(client: &Client<'_>, source: &Signing, url: &str) -> Value {
    let path = format!("/v1/sources/{}/forwards", source.source);
    let answer = client.post(&path, &json!({"url": url})).await;
    assert_eq!(answer.status, 201, "{}", answer.shown());
    answer.json()["data"].take()
}

async fn deliveries(org: &Org) -> Vec<ListedDelivery> {
    org.records.find_deliveries(ListDeliveries::newest(50)).await.expect("a list").records
}

/// A message whose bytes no parser would write again like this.
const ODD: &str = "{ \"event\" : \"call_started\",\n\t\"call\":{\"call_id\":\"c\",\"from_number\":\"\\u002b14155550142\" } }\n";

#[test]
fn a_message_goes_on_with_the_bytes_and_headers_that_the_platform_sent() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        let retell = org.source(Platform::Retell).await;
        let made = forward(&app.key(&org), &retell, &receiver.url("/further?of=us")).await;
        assert_eq!(
            (&made["events"], &made["source_id"], &made["signed"], &made["secret"]),
            (&json!(["source.message"]), &json!(retell.source), &json!(false), &Value::Null)
        );

        let proof = retell.signature(app, ODD).remove(0);
        let headers = [
            (proof.0, proof.1.as_str()),
            ("user-agent", "a platform/7"),
            ("x-twice", "one"),
            ("x-twice", "two"),
            ("connection", "keep-alive, X-Hop"),
            ("x-hop", "1"),
            ("x-forwarded-for", "192.0.2.7"),
            ("cf-connecting-ip", "192.0.2.7"),
            ("te", "trailers"),
            ("x-inboundflow-event", "call.completed"),
            ("authorization", "Bearer not for others"),
        ];
        let answer = retell.post_with(&app.anon(), &headers, ODD).await;
        assert_eq!(answer.status, 200, "{}", answer.shown());

        let got = receiver.take().remove(0);
        assert_eq!(got.body, ODD, "byte for byte");
        assert_eq!(got.path, "/further");
        assert_eq!(got.header(proof.0), proof.1, "the platform's proof is the receiver's to check too");
        let twice: Vec<_> = got.headers.get_all("x-twice").iter().collect();
        assert_eq!(twice, ["one", "two"]);
        for absent in ["authorization", "te", "connection", "webhook-signature", "x-inboundflow-signature"] {
            assert_eq!(got.header(absent), "", "{absent}");
        }
        assert_eq!(got.headers.get_all("x-inboundflow-event").iter().count(), 1, "nobody writes ours but us");
        let source = retell.source;
        assert_eq!(got.header("via"), format!("1.1 inboundflow-{source}"));
        let mut ours = got.shown().replace(&proof.1, "PROOF");
        ours.truncate(ours.find("\n\n").expect("an end of the headers"));
        assert_snapshot!(ours, @"
        content-type: application/json
        x-retell-signature: PROOF
        user-agent: a platform/7
        x-twice: one
        x-twice: two
        x-inboundflow-event: source.message
        x-inboundflow-delivery-id: 00000000-0000-7000-8000-00000000003a
        x-inboundflow-timestamp: 1771966800
        webhook-id: 00000000-0000-7000-8000-00000000003a
        webhook-timestamp: 1771966800
        ");
        let delivery = deliveries(&org).await.remove(0);
        assert_eq!(got.header("webhook-id"), delivery.id.to_string());
        assert_eq!(delivery.state, DeliveryState::Delivered);
        let shown = app.key(&org).data(&format!("/v1/deliveries/{}", delivery.id)).await;
        assert_eq!(
            (&shown["event"], &shown["attempts"][0]["request"]["body"]),
            (&json!("source.message"), &json!(ODD))
        );
    });
}

#[test]
fn a_forward_with_a_secret_is_signed_by_us_beside_the_platform() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        let (vapi, client) = (org.source(Platform::Vapi).await, app.key(&org));
        let path = format!("/v1/sources/{}/forwards", vapi.source);
        let body = json!({"url": receiver.url("/"), "secret": SECRET, "description": "The old CRM"});
        assert_eq!(client.post(&path, &body).await.json()["data"]["secret_last4"], "LaSw");
        let message = report("c", json!("+14155550142"), json!({}));
        vapi.accept(app, &message).await;
        let got = receiver.take().remove(0);
        assert!(!got.header("x-signature").is_empty(), "the platform's");
        let theirs = standardwebhooks::Webhook::new(SECRET).expect("a secret");
        let seconds = got.header("webhook-timestamp").parse().expect("a number");
        let signature = theirs.sign(got.header("webhook-id"), seconds, message.as_bytes());
        assert_eq!(got.header("webhook-signature"), signature.expect("a signature"));
        assert!(got.header("x-inboundflow-signature").starts_with("sha256="));
    });
}

#[test]
fn a_platform_s_own_standard_webhooks_headers_stay_what_its_signature_is_over() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        let retell = org.source(Platform::Retell).await;
        forward(&app.key(&org), &retell, &receiver.url("/")).await;
        let proof = retell.signature(app, ODD).remove(0);
        let own = [(proof.0, proof.1.as_str()), ("webhook-id", "msg_1"), ("webhook-signature", "v1,a")];
        assert_eq!(retell.post_with(&app.anon(), &own, ODD).await.status, 200);
        let got = receiver.take().remove(0);
        let ids: Vec<_> = got.headers.get_all("webhook-id").iter().collect();
        assert_eq!(ids, ["msg_1"]);
        assert_eq!(got.header("webhook-signature"), "v1,a");
        assert_eq!(got.header("x-inboundflow-delivery-id"), deliveries(&org).await[0].id.to_string());
    });
}

#[test]
fn every_message_of_a_proven_sender_goes_on_and_nothing_else_and_to_nobody_else() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let (receiver, webhooks) = (Receiver::start().await, Receiver::start().await);
        let (vapi, other) = (org.source(Platform::Vapi).await, org.source(Platform::Vapi).await);
        let client = app.key(&org);
        let id = forward(&client, &vapi, &receiver.url("/")).await["id"].take();
        org.endpoint(&webhooks.url("/")).await;

        let message = report("c", json!("+14155550142"), json!({}));
        let ignored = r#"{"message":{"type":"speech-update"}}"#;
        for body in [&message, &message, ignored, "no JSON"] {
            vapi.post(app, body).await;
        }
        vapi.post_with(&app.anon(), &[("x-vapi-secret", "wrong")], &message).await;
        other.accept(app, &report("d", json!("+14155550143"), json!({}))).await;
        let outcomes: Vec<_> = org.inbox(vapi.source).await.into_iter().map(|(outcome, _)| outcome).collect();
        assert_eq!(outcomes, ["accepted", "duplicate", "ignored", "failed", "rejected"]);
        let mut bodies: Vec<_> = receiver.take().into_iter().map(|got| got.body).collect();
        bodies.sort();
        let mut sent = [message.as_str(), message.as_str(), ignored, "no JSON"];
        sent.sort_unstable();
        assert_eq!(bodies, sent);
        assert_eq!(
            webhooks.take_events(),
            ["call.completed", "call.completed", "lead.created", "lead.created"]
        );
        let log = client.data("/v1/events").await;
        assert_eq!(
            log.as_array().map(Vec::len),
            Some(4),
            "the log has what happened, not what was forwarded"
        );

        let path = format!("/v1/webhooks/{}", id.as_str().expect("an id"));
        assert_snapshot!(client.patch(&path, &json!({"events": ["all"]})).await.error(), @"409 conflict: This webhook forwards a source's messages and is told no events");
        assert_snapshot!(client.post(&format!("{path}/test"), &json!({})).await.error(), @"409 conflict: This webhook forwards a source's messages: to test it, send the source one");
        let is_forwarding = async || {
            app.store.find_source(vapi.source).await.expect("an answer").expect("the source").forwards
        };
        assert!(is_forwarding().await);
        assert_eq!(client.patch(&path, &json!({"state": "paused"})).await.status, 200);
        vapi.post(app, &message).await;
        assert_eq!(client.delete(&path).await.status, 200);
        vapi.post(app, &message).await;
        assert_eq!(receiver.take().len(), 0);
        assert!(!is_forwarding().await, "so that its messages cost no further look");
    });
}

#[test]
fn a_forward_is_tried_again_with_the_same_bytes_until_the_receiver_is_gone() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        let retell = org.source(Platform::Retell).await;
        let id = forward(&app.key(&org), &retell, &receiver.url("/")).await["id"].take();
        receiver.reply([Reply(500, &[]), Reply(503, &[]), Reply(410, &[])]);
        retell.accept(app, ODD).await;
        app.tick(Duration::from_secs(6)).await;
        app.tick(Duration::from_secs(400)).await;
        let got = receiver.take();
        assert_eq!(got.len(), 3);
        for again in &got[1..] {
            assert_eq!(
                (&again.body, again.header("webhook-id")),
                (&got[0].body, got[0].header("webhook-id"))
            );
            assert_eq!(again.header("x-retell-signature"), got[0].header("x-retell-signature"));
        }
        let delivery = deliveries(&org).await.remove(0);
        assert_eq!((delivery.state, delivery.attempts), (DeliveryState::Cancelled, 3));
        let hook = app.key(&org).data(&format!("/v1/webhooks/{}", id.as_str().expect("an id"))).await;
        assert_eq!(hook["state"], "gone");
        retell.post(app, ODD).await;
        assert_eq!(receiver.take().len(), 0);
    });
}

#[test]
fn a_forwarded_message_is_sent_once_more_as_it_came_when_a_person_asks() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        let (retell, client) = (org.source(Platform::Retell).await, app.key(&org));
        forward(&client, &retell, &receiver.url("/")).await;
        retell.accept(app, ODD).await;
        let first = receiver.take().remove(0);
        let path = format!("/v1/deliveries/{}/resend", deliveries(&org).await[0].id);
        assert_eq!(client.post(&path, &json!({})).await.status, 200);
        let again = receiver.take().remove(0);
        assert_eq!((&again.body, again.header("webhook-id")), (&first.body, first.header("webhook-id")));
        assert_eq!(again.header("x-retell-signature"), first.header("x-retell-signature"));
        let delivery = deliveries(&org).await.remove(0);
        assert_eq!((delivery.state, delivery.attempts), (DeliveryState::Delivered, 2));
    });
}

#[test]
fn a_forward_that_is_paused_holds_what_comes() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        let (retell, client) = (org.source(Platform::Retell).await, app.key(&org));
        let id = forward(&client, &retell, &receiver.url("/")).await["id"].take();
        let path = format!("/v1/webhooks/{}", id.as_str().expect("an id"));
        client.patch(&path, &json!({"state": "paused"})).await;
        retell.accept(app, ODD).await;
        assert_eq!((receiver.take().len(), deliveries(&org).await[0].state), (0, DeliveryState::Held));
        client.patch(&path, &json!({"state": "enabled"})).await;
        assert_eq!(receiver.take().remove(0).body, ODD);
    });
}

#[test]
fn a_message_that_is_no_longer_kept_is_called_off_in_words() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        let retell = org.source(Platform::Retell).await;
        forward(&app.key(&org), &retell, &receiver.url("/")).await;
        receiver.reply([Reply(500, &[])]);
        retell.accept(app, ODD).await;
        app.execute("DELETE FROM inbox").await;
        app.tick(Duration::from_secs(6)).await;
        assert_eq!(receiver.take().len(), 1);
        let delivery = deliveries(&org).await.remove(0);
        assert_eq!(delivery.state, DeliveryState::Cancelled);
        assert_snapshot!(delivery.last_error.unwrap_or_default(), @"the message is no longer kept, so it can't be forwarded");
        let shown = app.key(&org).data(&format!("/v1/deliveries/{}", delivery.id)).await;
        assert_eq!(shown["attempts"][0]["request"]["body"], "", "nor is it shown any more");
    });
}

#[test]
fn a_forward_that_leads_back_ends_there() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let retell = org.source(Platform::Retell).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}{}", listener.local_addr().expect("an address"), retell.path());
        let router = app.router.clone();
        spawn(async move { axum::serve(listener, router).await });
        forward(&app.key(&org), &retell, &url).await;
        retell.accept(app, ODD).await;
        let outcomes: Vec<_> =
            org.inbox(retell.source).await.into_iter().map(|(outcome, _)| outcome).collect();
        assert_eq!(outcomes, ["accepted", "duplicate"]);
        assert_eq!(deliveries(&org).await.len(), 1);
    });
}

#[test]
fn what_the_platform_s_list_of_calls_tells_is_told_and_not_forwarded_as_its_message() {
    on_both_with(Setup::unhurried(), async |app| {
        let (org, further, told) =
            (app.org("Harbor Plumbing").await, Receiver::start().await, Receiver::start().await);
        let (client, stand_in) = (app.key(&org), StandIn::start(Platform::Vapi).await);
        let source = connected(&client, Platform::Vapi, &stand_in).await;
        org.endpoint(&told.url("/")).await;
        let made = client.post(&format!("{source}/forwards"), &json!({"url": further.url("/")})).await;
        assert_eq!(made.status, 201, "{}", made.shown());
        app.settle().await;
        stand_in.has([finished(Platform::Vapi, "missed", app.now() + Duration::from_secs(60))]);
        app.tick(Duration::from_secs(3600)).await;
        assert_eq!(all(&client, &format!("{source}/gaps")).await.len(), 1);
        assert!(told.take_events().contains(&"call.completed".to_owned()));
        assert_eq!(further.take().len(), 0);
    });
}

#[test]
fn a_forward_goes_only_where_webhooks_may_go() {
    on_both_with(Setup::unhurried(), async |app| {
        let (org, another) = (app.org("Harbor Plumbing").await, app.org("Another").await);
        let (vapi, client) = (org.source(Platform::Vapi).await, app.key(&org));
        let path = format!("/v1/sources/{}/forwards", vapi.source);
        let mut told = Vec::new();
        for body in [
            json!({"url": "https://10.0.0.1/"}),
            json!({"url": "nonsense"}),
            json!({"url": "https://hooks.example.com/", "events": ["all"]}),
            json!({"url": "https://hooks.example.com/", "secret": ""}),
            json!({}),
        ] {
            told.push(client.post(&path, &body).await.error());
        }
        told.push(app.key(&another).post(&path, &json!({"url": "https://hooks.example.com/"})).await.error());
        assert_snapshot!(told.join("\n"), @"
        400 bad_request: Wrong field `url`: the address 10.0.0.1 is private; allow it with delivery.allow_targets
        400 bad_request: Wrong field `url`: the URL must begin with https://
        400 bad_request: Wrong field: unknown field `events`, expected one of `url`, `description`, `secret` at line 1 column 44
        400 bad_request: Wrong field `secret`: must have 1 to 1000 characters, not all of them blank
        400 bad_request: Wrong field: missing field `url` at line 1 column 2
        404 not_found: There is no source with this id
        ");
        let url = json!({"url": "https://hooks.example.com/"});
        let key = [("idempotency-key", "once")];
        let (first, again) =
            (client.post_with(&path, &key, &url).await, client.post_with(&path, &key, &url).await);
        assert_eq!(first.json()["data"], again.json()["data"]);
        assert_eq!(client.data("/v1/webhooks").await.as_array().map(Vec::len), Some(1));
    });
}

#[test]
fn a_source_s_forwards_go_with_it() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        let (client, source) = (app.key(&org), org.source(Platform::Retell).await);
        let other = org.source(Platform::Vapi).await;
        let gone = forward(&client, &source, &receiver.url("/")).await;
        let kept = forward(&client, &other, &receiver.url("/")).await;
        receiver.reply([Reply(500, &[])]);
        source.accept(app, ODD).await;
        assert_eq!(client.delete(&format!("/v1/sources/{}", source.source)).await.status, 200);
        let path = |made: &Value| format!("/v1/webhooks/{}", made["id"].as_str().expect("an id"));
        assert_eq!(client.get(&path(&gone)).await.status, 404);
        assert_eq!(client.data("/v1/webhooks").await, json!([client.data(&path(&kept)).await]));
        let [owed] = &deliveries(&org).await[..] else { panic!("one delivery") };
        assert_eq!(owed.state, DeliveryState::Cancelled);
    });
}
