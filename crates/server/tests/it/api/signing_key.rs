//! The organization's Ed25519 key: signatures that a receiver checks without a secret.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::{Value, json};

use crate::support::{Client, Got, Receiver, on_both};

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// How many of a webhook's `v1a` signatures are of a public key, by the words of Standard Webhooks 1.0.0 and none of our
/// code.
fn signatures_of(got: &Got, public_key: &Value) -> usize {
    let bytes = STANDARD.decode(text(public_key).strip_prefix("whpk_").expect("whpk_")).expect("base64");
    let key = VerifyingKey::from_bytes(&bytes.try_into().expect("32 bytes")).expect("a public key");
    let content = format!("{}.{}.{}", got.header("webhook-id"), got.header("webhook-timestamp"), got.body);
    let each = got.header("webhook-signature").split(' ').filter_map(|one| one.strip_prefix("v1a,"));
    each.filter(|one| {
        let signature = Signature::from_slice(&STANDARD.decode(one).expect("base64")).expect("64 bytes");
        key.verify_strict(content.as_bytes(), &signature).is_ok()
    })
    .count()
}

/// The versions of a webhook's signatures.
fn versions(got: &Got) -> Vec<&str> {
    let each = got.header("webhook-signature").split(' ');
    each.map(|one| one.split_once(',').expect("a version").0).collect()
}

async fn told(client: &Client<'_>, receiver: &Receiver) -> Got {
    client.write_call(json!({"summary": "An event"})).await;
    receiver.take().pop().expect("a webhook")
}

#[test]
fn a_key_signs_beside_the_secret_where_the_endpoint_asks_for_it() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        let client = app.key(&org);
        let body = json!({"url": receiver.url("/"), "events": ["all"]});
        let made = client.made("/v1/webhooks", body.clone()).await;
        let path = format!("/v1/webhooks/{}", text(&made["id"]));
        assert_eq!(versions(&told(&client, &receiver).await), ["v1"]);
        client.changed(&path, json!({"sign_v1a": true})).await;
        let got = told(&client, &receiver).await;
        let key = client.data("/v1/signing-key").await;
        assert_eq!((versions(&got), signatures_of(&got, &key["public_key"])), (vec!["v1", "v1a"], 1));
        let v1 = got.header("webhook-signature").split(' ').next().unwrap_or_default();
        let library = standardwebhooks::Webhook::new(text(&made["secret"])).expect("a secret");
        let seconds = got.header("webhook-timestamp").parse().expect("a number");
        let signed = library.sign(got.header("webhook-id"), seconds, got.body.as_bytes());
        assert_eq!(v1, signed.expect("a signature"), "who checks with the secret finds it as before");
        client.post(&format!("{path}/test"), &json!({})).await;
        assert_eq!(signatures_of(&receiver.take()[0], &key["public_key"]), 1);

        // It signs alone where there is no secret, also before the endpoint is saved.
        let unsigned = json!({"url": receiver.url("/"), "secret": null, "sign_v1a": true});
        client.post("/v1/webhooks/test", &unsigned).await;
        let got = receiver.take().pop().expect("a test");
        assert_eq!((versions(&got), signatures_of(&got, &key["public_key"])), (vec!["v1a"], 1));
        assert_eq!(got.header("x-inboundflow-signature"), "");

        let other = app.org("Cellar Plumbing").await;
        let others = app.key(&other).data("/v1/signing-key").await;
        assert_ne!(others["public_key"], key["public_key"], "each organization has its own");
        assert_eq!(client.data("/v1/signing-key").await, key, "it is made once");
    });
}

#[test]
fn a_rotated_key_signs_beside_the_new_one_until_the_overlap_ends() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        let client = app.key(&org);
        let body = json!({"url": receiver.url("/"), "events": ["all"], "sign_v1a": true});
        client.made("/v1/webhooks", body).await;
        let old = client.data("/v1/signing-key").await["public_key"].take();
        let request = [("idempotency-key", "one")];
        let rotate = "/v1/signing-key/rotate";
        let rotated = client.post_with(rotate, &request, &json!({})).await.json()["data"].take();
        let again = client.post_with(rotate, &request, &json!({})).await;
        assert_eq!((&again.json()["data"], again.header("idempotent-replayed")), (&rotated, "true"));
        let new = rotated["public_key"].clone();
        assert_ne!(new, old);
        assert_eq!(
            (&rotated["previous_public_key"], &rotated["previous_until"]),
            (&old, &json!("2026-02-25T21:00:00.000Z"))
        );
        let got = told(&client, &receiver).await;
        assert_eq!(versions(&got), ["v1", "v1a", "v1a"]);
        assert_eq!((signatures_of(&got, &old), signatures_of(&got, &new)), (1, 1));

        app.tick(Duration::from_secs(86_400)).await;
        let got = told(&client, &receiver).await;
        assert_eq!((signatures_of(&got, &old), signatures_of(&got, &new)), (0, 1));
        assert_eq!(client.data("/v1/signing-key").await["previous_public_key"], Value::Null);

        client.post(rotate, &json!({"overlap_seconds": 600})).await;
        let ended = client.post(rotate, &json!({"expire_previous": "now"})).await.json()["data"].take();
        assert_eq!(ended["previous_until"], Value::Null);
        let got = told(&client, &receiver).await;
        assert_eq!((versions(&got), signatures_of(&got, &new)), (vec!["v1", "v1a"], 0));
        assert_eq!(signatures_of(&got, &ended["public_key"]), 1);
        let wrong = client.post(rotate, &json!({"overlap_seconds": 604_801})).await;
        assert_eq!((wrong.status.as_u16(), wrong.code().as_str()), (400, "bad_request"));
    });
}
