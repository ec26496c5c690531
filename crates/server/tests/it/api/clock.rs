//! The system's clock is set, forwards and back, and the database is away for long: nothing is lost by that, and nothing
//! sent twice.

use std::time::Duration;

use http::Method;
use model::Time;
use serde_json::json;
use store::{DeliveryState, ListDeliveries, ListedDelivery};

use crate::support::{Holding, Org, Receiver, Reply, TestApp, on_both, on_postgres};

const DAY: Duration = Duration::from_secs(86_400);

const FAILS: Reply = Reply(500, &[]);

/// Writes a call, and does not wait for what follows.
async fn write_call(app: &TestApp, org: &Org, name: &str) {
    let body = json!({"external_id": name}).to_string().into_bytes();
    let json = [("content-type", "application/json")];
    let answer = app.key(org).send_only(Method::POST, "/v1/calls", &json, body).await;
    assert_eq!(answer.status, 201, "{}", answer.shown());
}

async fn deliveries(org: &Org) -> Vec<ListedDelivery> {
    org.records.find_deliveries(ListDeliveries::newest(20)).await.expect("a list").records
}

async fn until(what: &str, mut check: impl AsyncFnMut() -> bool) {
    let reached = tokio::time::timeout(Duration::from_secs(30), async {
        while !check().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    reached.await.unwrap_or_else(|_| panic!("not in time: {what}"));
}

#[test]
fn a_clock_set_forward_sends_nothing_twice_that_is_under_way() {
    on_both(async |app| {
        let (org, slow, prompt) = (app.org("Harbor").await, Holding::start().await, Receiver::start().await);
        let (slow_one, _) = (org.endpoint(&slow.url).await.id, org.endpoint(&prompt.url("/hook")).await);
        prompt.reply([FAILS, FAILS]);
        write_call(app, &org, "a").await;
        until("it is under way", async || slow.arrivals() == 1).await;
        // Far beyond the lease. That what failed is tried again shows that the worker has looked around since.
        for _ in 0..3 {
            until("the other one is answered", async || !prompt.take().is_empty()).await;
            until("and that is kept", async || {
                deliveries(&org)
                    .await
                    .iter()
                    .any(|it| it.endpoint != slow_one && it.state != DeliveryState::InFlight)
            })
            .await;
            app.clock.advance(DAY);
        }
        slow.answer(204);
        app.settle().await;
        assert_eq!(slow.arrivals(), 1, "it is sent once");
        let delivery = deliveries(&org).await.into_iter().find(|it| it.endpoint == slow_one);
        let delivery = delivery.expect("its delivery");
        assert_eq!((delivery.state, delivery.attempts), (DeliveryState::Delivered, 1));
    });
}

#[test]
fn a_clock_set_back_stops_nothing_that_happens_now_and_loses_nothing_that_was_planned() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor").await, Receiver::start().await);
        org.endpoint(&receiver.url("/hook")).await;
        let client = app.key(&org);
        receiver.reply([FAILS]);
        let first = client.write_call(json!({"external_id": "a"})).await;
        assert_eq!(receiver.take().len(), 1);
        let planned = deliveries(&org).await[0].due_at.expect("another try is due");

        app.clock.set(Time::from_micros(planned.micros() - 86_400_000_000));
        client.write_call(json!({"external_id": "b"})).await;
        assert_eq!(receiver.take_events(), ["call.completed"], "what happens now is told at once");
        let since = first["created_at"].as_str().expect("a time");
        let page = client.get(&format!("/v1/calls?since={since}")).await.json();
        assert_eq!(page["data"][0]["external_id"], "b", "who polls misses nothing: stamps never go back");
        app.tick(DAY).await;
        assert_eq!(receiver.take().len(), 1, "what was planned is done at its time");
    });
}

#[test]
fn an_endpoint_that_takes_every_other_webhook_of_many_at_once_does_not_count_as_failing() {
    on_both(async |app| {
        let (org, receiver) = (app.org("Harbor").await, Holding::start().await);
        let endpoint = org.endpoint(&receiver.url).await.id;
        for number in 0..14 {
            write_call(app, &org, &number.to_string()).await;
        }
        until("all are under way at once", async || receiver.arrivals() == 14).await;
        for answered in 1..=14 {
            receiver.answer(if answered % 2 == 1 { 500 } else { 204 });
            until("it is kept", async || {
                deliveries(&org).await.iter().filter(|it| it.attempts > 0).count() == answered
            })
            .await;
        }
        let (client, path) = (app.key(&org), format!("/v1/webhooks/{endpoint}"));
        let shown = client.send_only(Method::GET, &path, &[], Vec::new()).await.json();
        assert_eq!(shown["data"]["trouble"], json!(null), "the last was a success");
        (0..7).for_each(|_| receiver.answer(204));
        app.tick(Duration::from_secs(6)).await;
        assert_eq!(
            receiver.arrivals(),
            21,
            "what was refused is sent by the schedule, and no probe before it"
        );
    });
}

/// Refuses to keep tries as a full disk does, and counts how often.
const FILL: &str = "CREATE SEQUENCE refusals; \
     CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
     $$ BEGIN PERFORM nextval('refusals'); RAISE EXCEPTION 'no room' USING ERRCODE = 'disk_full'; END $$; \
     CREATE TRIGGER refuse BEFORE INSERT ON attempts FOR EACH ROW EXECUTE FUNCTION refuse()";

#[test]
fn what_a_receiver_answered_is_kept_however_long_the_database_takes_nothing() {
    on_postgres(async |app| {
        let (org, receiver) = (app.org("Harbor").await, Receiver::start().await);
        org.endpoint(&receiver.url("/hook")).await;
        app.execute(FILL).await;
        write_call(app, &org, "a").await;
        // More than once for each: the time may be set before it is decided how long to wait.
        for refusals in 1..=40 {
            until("it is tried to keep it", async || {
                app.clock.advance(Duration::from_secs(60));
                refusal_count(app).await >= refusals
            })
            .await;
        }
        app.execute("DROP TRIGGER refuse ON attempts").await;
        until("it is kept", async || {
            app.clock.advance(Duration::from_secs(60));
            deliveries(&org).await[0].state == DeliveryState::Delivered
        })
        .await;
        app.settle().await;
        assert_eq!(receiver.take().len(), 1, "it is sent once");
        let delivery = &deliveries(&org).await[0];
        assert_eq!((delivery.state, delivery.attempts), (DeliveryState::Delivered, 1));
    });
}

async fn refusal_count(app: &TestApp) -> i64 {
    let connected = tokio_postgres::connect(&app.database_url(), tokio_postgres::NoTls).await;
    let (client, connection) = connected.expect("the database");
    let sql = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM refusals";
    tokio::select! {
        row = client.query_one(sql, &[]) => row.expect(sql).get(0),
        _ = connection => panic!("the connection ended"),
    }
}
