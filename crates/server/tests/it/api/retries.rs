//! Webhooks that are not taken at once: when they are tried again, and when no more.

use std::time::Duration;

use model::Time;
use serde_json::json;
use store::{DeliveryState, EndpointState, ListDeliveries, ListedDelivery};

use crate::support::{Org, Receiver, Reply, Setup, TestApp, on_both, on_both_with};

/// One delivery of `call.completed` to a receiver, whose replies were told before.
async fn deliver(app: &TestApp, org: &Org, receiver: &Receiver) -> ListedDelivery {
    org.endpoint(&receiver.url("/hook")).await;
    app.key(org).write_call(json!({"external_id": "a"})).await;
    delivery(org).await
}

async fn delivery(org: &Org) -> ListedDelivery {
    let mut all = org.records.find_deliveries(ListDeliveries::newest(10)).await.expect("a list").records;
    assert_eq!(all.len(), 1);
    all.remove(0)
}

const FAILS: Reply = Reply(500, &[]);

fn wait(now: Time, delivery: &ListedDelivery) -> Duration {
    delivery.due_at.expect("another try is due").since(now)
}

#[test]
fn what_fails_is_tried_again_for_three_days_with_a_little_more_at_random_and_never_less() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        receiver.reply([FAILS; 10]);
        let mut last = deliver(app, &org, &receiver).await;
        let mut first = receiver.take();
        let first = first.remove(0);
        let minutes =
            [5, 30, 120, 300, 600, 840, 1200, 1440].map(|minutes| Duration::from_secs(minutes * 60));
        let steps = [Duration::from_secs(5)].into_iter().chain(minutes);
        for (number, step) in steps.enumerate() {
            assert_eq!(
                (last.state, last.attempts, last.last_status),
                (DeliveryState::Retrying, number as i64 + 1, Some(500))
            );
            let wait = wait(app.now(), &last);
            assert!((step..=step.mul_f64(1.1)).contains(&wait), "{step:?}, and it is {wait:?}");
            app.tick(wait - Duration::from_micros(1)).await;
            assert!(receiver.take().is_empty(), "not before its time");
            app.tick(Duration::from_micros(1)).await;
            let got = receiver.take();
            assert_eq!(got.len(), 1, "try {}", number + 2);
            assert_eq!(got[0].body, first.body, "the same bytes and the same delivery_id");
            assert_eq!(
                got[0].header("webhook-timestamp"),
                app.now().unix_seconds().to_string(),
                "the time of this try"
            );
            got[0].verify("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
            last = delivery(&org).await;
        }
        assert_eq!((last.state, last.attempts, last.due_at), (DeliveryState::Exhausted, 10, None));
        app.tick(Duration::from_secs(100 * 3600)).await;
        assert!(receiver.take().is_empty(), "no more tries");
    });
}

#[test]
fn a_try_that_succeeds_is_the_last() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        receiver.reply([FAILS, Reply(202, &[])]);
        deliver(app, &org, &receiver).await;
        app.tick(Duration::from_secs(6)).await;
        let last = delivery(&org).await;
        assert_eq!((last.state, last.attempts, last.last_status), (DeliveryState::Delivered, 2, Some(202)));
        app.tick(Duration::from_secs(86_400)).await;
        assert_eq!(receiver.take().len(), 2);
    });
}

#[test]
fn an_operator_can_set_another_schedule() {
    let setup = Setup { schedule: Some("1s,2s"), ..Setup::default() };
    on_both_with(setup, async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        receiver.reply([FAILS; 3]);
        deliver(app, &org, &receiver).await;
        app.tick(Duration::from_millis(1100)).await;
        app.tick(Duration::from_millis(2200)).await;
        let last = delivery(&org).await;
        assert_eq!((last.state, last.attempts), (DeliveryState::Exhausted, 3));
    });
}

#[test]
fn who_answers_410_is_not_told_any_more() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        receiver.reply([Reply(410, &[])]);
        let delivery = deliver(app, &org, &receiver).await;
        assert_eq!((delivery.state, delivery.attempts), (DeliveryState::Cancelled, 1));
        let endpoints = org.records.list_endpoints().await.expect("a list");
        assert_eq!(endpoints[0].state, EndpointState::Gone);
        app.key(&org).write_call(json!({"external_id": "b"})).await;
        app.tick(Duration::from_secs(86_400)).await;
        assert_eq!(receiver.take().len(), 1);
    });
}

#[test]
fn who_asks_for_time_gets_it() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor Plumbing").await, Receiver::start().await);
        let replies = [
            Reply(429, &[("retry-after", "120")]),
            Reply(503, &[("retry-after", "Tue, 24 Feb 2026 23:00:00 GMT")]),
            Reply(429, &[("retry-after", "1")]),
        ];
        receiver.reply(replies);
        let mut last = deliver(app, &org, &receiver).await;
        assert_eq!(wait(app.now(), &last), Duration::from_secs(120), "longer than the schedule's 5 s");
        app.tick(Duration::from_secs(120)).await;
        last = delivery(&org).await;
        assert_eq!(last.due_at, Some("2026-02-24T23:00:00Z".parse().expect("a time")));
        app.tick(wait(app.now(), &last)).await;
        assert_eq!(receiver.take().len(), 3);
        app.tick(Duration::from_secs(119)).await;
        assert_eq!(
            receiver.take().len(),
            0,
            "a second is less than an endpoint that fails is left alone anyway"
        );
        app.tick(Duration::from_secs(1)).await;
        assert_eq!(delivery(&org).await.state, DeliveryState::Delivered);
    });
}

#[test]
fn one_endpoint_s_failure_is_not_another_s() {
    on_both(async |app| {
        let (org, receiver, broken) =
            (app.org("Harbor Plumbing").await, Receiver::start().await, Receiver::start().await);
        broken.reply([FAILS; 1]);
        org.endpoint(&broken.url("/")).await;
        org.endpoint(&receiver.url("/")).await;
        app.key(&org).write_call(json!({"external_id": "a"})).await;
        assert_eq!((receiver.take().len(), broken.take().len()), (1, 1));
        app.tick(Duration::from_secs(6)).await;
        assert_eq!((receiver.take().len(), broken.take().len()), (0, 1));
    });
}

#[test]
fn addresses_inside_the_network_are_not_called() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        for url in [
            "http://169.254.169.254/latest",
            "https://10.0.0.1/hook",
            "https://[::1]/hook",
            "https://127.0.0.2/hook",
        ] {
            org.endpoint(url).await;
        }
        app.key(&org).write_call(json!({"external_id": "a"})).await;
        let all = org.records.find_deliveries(ListDeliveries::newest(10)).await.expect("a list").records;
        assert_eq!(all.len(), 4);
        for delivery in all {
            assert_eq!((delivery.state, delivery.last_status), (DeliveryState::Retrying, None));
            assert!(delivery.last_error.is_some_and(|error| !error.is_empty()));
        }
        // Ten tries, and they are given up.
        for _ in 0..9 {
            app.tick(Duration::from_secs(30 * 3600)).await;
        }
        let all = org.records.find_deliveries(ListDeliveries::newest(10)).await.expect("a list").records;
        assert!(all.iter().all(|delivery| delivery.state == DeliveryState::Exhausted));
    });
}
