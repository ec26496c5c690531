//! Tools that move an appointment or call it off change the one that they mean, once, and make no other.

use std::time::Duration;

use insta::assert_snapshot;
use model::{EventFilter, Platform, Time};
use serde_json::{Value, json};
use store::NewEndpoint;

use super::{
    completeness::{all, before, connected, import},
    orders::{Told, permutations},
};
use crate::support::{
    Client, Org, Receiver, Setup, Signing, StandIn, TestApp, finished, on_both_with, report,
};

/// The use of a tool: its name, what it was asked and what it answered.
type Use = (&'static str, Value, Value);

/// A report of Vapi's on a call in which these tools were used.
fn call(id: &str, uses: &[Use]) -> String {
    let turns = uses.iter().enumerate().flat_map(|(number, (name, asked, answered))| {
        let (id, second) = (format!("t{number}"), 5 * number);
        let function = json!({"name": name, "arguments": asked.to_string()});
        [
            json!({"role": "tool_calls", "secondsFromStart": second, "toolCalls": [{"id": id, "function": function}]}),
            json!({"role": "tool_call_result", "toolCallId": id, "name": name, "secondsFromStart": second + 1,
                "result": answered}),
        ]
    });
    let turns: Vec<Value> = turns.collect();
    // The longer conversation is the later word.
    let later = 1_771_966_800_000_i64 + i64::try_from(uses.len()).expect("a few");
    let rest = json!({"timestamp": later, "artifact": {"messages": turns}});
    report(id, json!("+14155550142"), rest)
}

fn books(id: &str) -> Use {
    let asked = json!({"name": "Ada Reyes", "start": "2026-03-04T10:00:00Z", "durationMinutes": 30});
    ("book_appointment", asked, json!({"success": true, "booking_id": id}))
}

fn moves(id: &str) -> Use {
    let asked =
        json!({"booking_id": id, "old_start": "2026-03-04T10:00:00Z", "new_start": "2026-03-05T15:00:00Z"});
    ("reschedule_appointment", asked, json!({"success": true}))
}

fn calls_off(id: &str) -> Use {
    ("cancel_booking", json!({ "bookingUid": id }), json!({"status": "cancelled"}))
}

/// An organization whose receiver is told everything, and a source of Vapi's.
async fn everything(app: &TestApp, receiver: &Receiver) -> (Org, Signing) {
    let org = app.org("Harbor Plumbing").await;
    let url = receiver.url("/");
    org.endpoint_with(NewEndpoint {
        url,
        events: EventFilter::Everything,
        secret: None,
        source: None,
        telling: Default::default(),
    })
    .await;
    let source = org.source(Platform::Vapi).await;
    (org, source)
}

/// The appointments, the last that was made first.
async fn shown(client: &Client<'_>) -> String {
    let list = client.data("/v1/appointments").await;
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let line = |one: &Value| {
        let fields = ["status", "starts_at", "ends_at", "external_id", "attendee_name"];
        fields.map(|name| text(&one[name])).join(" ")
    };
    list.as_array().expect("a list").iter().map(line).collect::<Vec<_>>().join("\n")
}

/// What was told of appointments since the last look.
fn told(receiver: &Receiver) -> String {
    let mut events = receiver.take_events();
    events.retain(|event| event.starts_with("appointment."));
    events.join(" ")
}

#[test]
fn what_a_call_books_moves_and_calls_off_comes_to_the_same_in_any_order() {
    let uses = [books("bk_1"), moves("bk_1"), calls_off("bk_1")];
    let messages = [call("c", &uses[..1]), call("c", &uses[..2]), call("c", &uses)];
    let messages: Vec<_> = messages.iter().map(String::as_str).collect();
    Told::by(Platform::Vapi, &messages[..2]).check();
    Told::by(Platform::Vapi, &messages).check();
}

#[test]
fn a_later_call_changes_the_appointment_of_an_earlier_one() {
    on_both_with(Setup::unhurried(), async |app| {
        let receiver = Receiver::start().await;
        let (org, source) = everything(app, &receiver).await;
        let client = app.key(&org);
        source.accept(app, &call("first", &[books("bk_1"), books("bk_2")])).await;
        app.settle().await;
        assert_snapshot!(shown(&client).await, @"
        booked 2026-03-04T10:00:00.000Z 2026-03-04T10:30:00.000Z bk_2 Ada Reyes
        booked 2026-03-04T10:00:00.000Z 2026-03-04T10:30:00.000Z bk_1 Ada Reyes
        ");
        assert_eq!(told(&receiver), "appointment.booked appointment.booked");
        // Some calendars answer with another booking.
        let (name, asked, _) = moves("bk_1");
        let other = (name, asked, json!({"data": {"uid": "bk_3", "status": "accepted"}}));
        source.accept(app, &call("second", &[other])).await;
        app.settle().await;
        assert_snapshot!(shown(&client).await, @"
        booked 2026-03-04T10:00:00.000Z 2026-03-04T10:30:00.000Z bk_2 Ada Reyes
        rescheduled 2026-03-05T15:00:00.000Z 2026-03-05T15:30:00.000Z bk_3 Ada Reyes
        ");
        assert_eq!(told(&receiver), "appointment.updated");
        source.accept(app, &call("third", &[calls_off("bk_3")])).await;
        app.settle().await;
        assert_snapshot!(shown(&client).await, @"
        booked 2026-03-04T10:00:00.000Z 2026-03-04T10:30:00.000Z bk_2 Ada Reyes
        cancelled 2026-03-05T15:00:00.000Z 2026-03-05T15:30:00.000Z bk_3 Ada Reyes
        ");
        assert_eq!(told(&receiver), "appointment.cancelled");
    });
}

/// A call that began some minutes after the first one could.
fn later(minutes: i64, id: &str, uses: &[Use]) -> String {
    call(id, uses).replace("T20:58:00", &format!("T20:{:02}:00", 10 + minutes))
}

/// Moves a booking to an hour of a day, where the calendar answers with this id.
fn moves_to(id: &str, hour: u32, answered: &str) -> Use {
    let asked = json!({"booking_id": id, "new_start": format!("2026-03-05T{hour}:00:00Z")});
    ("reschedule_appointment", asked, json!({"data": {"uid": answered, "status": "accepted"}}))
}

#[test]
fn the_calls_that_booked_moved_and_called_off_an_appointment_come_to_the_same_in_any_order() {
    let cases = [
        (
            vec![
                later(1, "books", &[books("bk_1")]),
                later(2, "moves", &[moves_to("bk_1", 15, "bk_1")]),
                later(3, "moves again", &[moves_to("bk_1", 16, "bk_1")]),
                later(4, "calls off", &[calls_off("bk_1")]),
            ],
            "cancelled 2026-03-05T16:00:00.000Z 2026-03-05T16:30:00.000Z bk_1 Ada Reyes",
        ),
        (
            vec![
                later(1, "books", &[books("bk_1")]),
                later(2, "moves", &[moves_to("bk_1", 15, "bk_2")]),
                later(3, "moves again", &[moves_to("bk_2", 16, "bk_3")]),
                later(4, "calls off", &[calls_off("bk_3")]),
            ],
            "cancelled 2026-03-05T16:00:00.000Z 2026-03-05T16:30:00.000Z bk_3 Ada Reyes",
        ),
        (
            vec![
                later(1, "books", &[books("bk_1")]),
                later(2, "calls off", &[calls_off("bk_1")]),
                later(3, "takes it up again", &[moves_to("bk_1", 15, "bk_1")]),
            ],
            "rescheduled 2026-03-05T15:00:00.000Z 2026-03-05T15:30:00.000Z bk_1 Ada Reyes",
        ),
    ];
    on_both_with(Setup::unhurried(), async |app| {
        for (calls, expected) in &cases {
            for order in permutations(&(0..calls.len()).collect::<Vec<_>>()) {
                let receiver = Receiver::start().await;
                let (org, source) = everything(app, &receiver).await;
                let client = app.key(&org);
                for number in &order {
                    source.accept(app, &calls[*number]).await;
                }
                assert_eq!(shown(&client).await, *expected, "{order:?}");
                app.settle().await;
                let told = told(&receiver);
                let count = |word: &str| told.split(' ').filter(|event| *event == word).count();
                assert_eq!(count("appointment.booked"), 1, "{order:?}: {told}");
                let cancelled = usize::from(expected.starts_with("cancelled"));
                assert!(count("appointment.cancelled") >= cancelled, "{order:?}: {told}");
                // All of them once more, a day later.
                app.tick(Duration::from_secs(25 * 3600)).await;
                for number in &order {
                    source.accept(app, &calls[*number]).await;
                }
                assert_eq!(shown(&client).await, *expected, "{order:?}, again");
                assert_eq!(self::told(&receiver), "", "{order:?}, again");
            }
        }
    });
}

#[test]
fn what_was_called_off_before_a_booking_was_made_was_another_one() {
    on_both_with(Setup::unhurried(), async |app| {
        for order in [[0, 1], [1, 0]] {
            let (org, source) = everything(app, &Receiver::start().await).await;
            let calls = [later(1, "calls off", &[calls_off("7")]), later(2, "books", &[books("7")])];
            for number in order {
                source.accept(app, &calls[number]).await;
            }
            let expected = "booked 2026-03-04T10:00:00.000Z 2026-03-04T10:30:00.000Z 7 Ada Reyes";
            assert_eq!(shown(&app.key(&org)).await, expected, "{order:?}");
        }
    });
}

/// A call as its platform's list has it, in which a tool was used.
fn listed(platform: Platform, id: &str, began: Time, (name, asked, answered): Use) -> Value {
    let mut call = finished(platform, id, began);
    if platform == Platform::Vapi {
        let told: Value = serde_json::from_str(&self::call(id, &[(name, asked, answered)])).expect("JSON");
        call["artifact"] = told["message"]["artifact"].clone();
    } else {
        call["transcript_with_tool_calls"] = json!([
            {"role": "tool_call_invocation", "tool_call_id": "t", "name": name, "arguments": asked.to_string()},
            {"role": "tool_call_result", "tool_call_id": "t", "content": answered.to_string()},
        ]);
    }
    call
}

#[test]
fn an_imported_history_is_the_same_whichever_end_its_platform_lists_first() {
    const DAY: Duration = Duration::from_secs(86_400);
    on_both_with(Setup::unhurried(), async |app| {
        // The one lists the newest call first, the other the oldest.
        for platform in [Platform::Vapi, Platform::Retell] {
            let receiver = Receiver::start().await;
            let (org, _) = everything(app, &receiver).await;
            let (client, stand_in) = (app.key(&org), StandIn::start(platform).await);
            let since = before(app.now(), 10 * DAY);
            stand_in.has([
                listed(platform, "books", since + DAY, books("bk_1")),
                listed(platform, "cancels", since + 2 * DAY, calls_off("bk_1")),
            ]);
            let source = connected(&client, platform, &stand_in).await;
            import(&client, &source, since).await;
            app.settle().await;
            assert_eq!(all(&client, "/v1/calls").await.len(), 2);
            let expected = "cancelled 2026-03-04T10:00:00.000Z 2026-03-04T10:30:00.000Z bk_1 Ada Reyes";
            assert_eq!(shown(&client).await, expected, "{platform:?}");
            assert_eq!(receiver.take_events(), [""; 0], "history is told to nobody");
        }
    });
}

#[test]
fn an_earlier_call_that_comes_late_changes_nothing_of_what_a_later_one_changed() {
    on_both_with(Setup::unhurried(), async |app| {
        let receiver = Receiver::start().await;
        let (org, source) = everything(app, &receiver).await;
        let client = app.key(&org);
        source.accept(app, &call("first", &[books("bk_1")])).await;
        let (name, _, answered) = moves("bk_1");
        let to = |start: &str| (name, json!({"booking_id": "bk_1", "start": start}), answered.clone());
        let later = call("third", &[to("2026-03-06T09:00:00Z")]).replace("T20:58:00", "T20:58:30");
        source.accept(app, &later).await;
        source.accept(app, &call("second", &[to("2026-03-05T15:00:00Z")])).await;
        app.settle().await;
        let expected = "rescheduled 2026-03-06T09:00:00.000Z 2026-03-06T09:30:00.000Z bk_1 Ada Reyes";
        assert_eq!(shown(&client).await, expected);
        assert_eq!(told(&receiver), "appointment.booked appointment.updated");
    });
}

#[test]
fn a_use_of_a_tool_changes_an_appointment_once_whatever_people_write_since() {
    on_both_with(Setup::unhurried(), async |app| {
        let receiver = Receiver::start().await;
        let (org, source) = everything(app, &receiver).await;
        let client = app.key(&org);
        source.accept(app, &call("first", &[books("bk_1")])).await;
        source.accept(app, &call("second", &[calls_off("bk_1")])).await;
        let id = client.data("/v1/appointments").await[0]["id"].as_str().expect("an id").to_owned();
        client.changed(&format!("/v1/appointments/{id}"), json!({"status": "booked"})).await;
        app.settle().await;
        told(&receiver);
        // The same, and a better word on the same call.
        for minutes in [1, 60 * 25] {
            app.tick(std::time::Duration::from_secs(60 * minutes)).await;
            let again = call("second", &[calls_off("bk_1")])
                .replace("The boiler leaks.", &format!("After {minutes}."));
            source.accept(app, &again.replace("1771966800001", &format!("17719668{minutes:05}"))).await;
        }
        app.settle().await;
        assert_snapshot!(shown(&client).await, @"booked 2026-03-04T10:00:00.000Z 2026-03-04T10:30:00.000Z bk_1 Ada Reyes");
        assert_eq!(told(&receiver), "");
    });
}

#[test]
fn what_means_no_appointment_or_did_not_work_changes_none() {
    on_both_with(Setup::unhurried(), async |app| {
        let receiver = Receiver::start().await;
        let (org, source) = everything(app, &receiver).await;
        let (theirs, others) = everything(app, &Receiver::start().await).await;
        others.accept(app, &call("theirs", &[books("bk_9")])).await;
        source.accept(app, &call("first", &[books("bk_1"), books("bk_2"), books("bk_2")])).await;
        app.settle().await;
        told(&receiver);
        let client = app.key(&org);
        let before = client.data("/v1/appointments").await;
        let (cancel, asked, _) = calls_off("bk_1");
        for (number, used) in [
            (cancel, asked.clone(), json!({"success": false})),
            (cancel, asked.clone(), json!("It could not be cancelled.")),
            (cancel, asked, json!({"booking_id": "bk_1"})),
            (cancel, json!({}), json!({"success": true})),
            calls_off("bk_2"),
            calls_off("bk_7"),
            calls_off("bk_9"),
        ]
        .into_iter()
        .enumerate()
        {
            source.accept(app, &call(&format!("later {number}"), &[used])).await;
        }
        app.settle().await;
        assert_eq!(client.data("/v1/appointments").await, before);
        assert_eq!(told(&receiver), "");
        assert_eq!(client.data("/v1/appointments?status=cancelled").await, json!([]));
        assert_eq!(
            app.key(&theirs).data("/v1/appointments").await[0]["status"],
            "booked",
            "another organization's"
        );
        let call = client.data("/v1/calls").await[0]["id"].as_str().expect("an id").to_owned();
        let tool = client.data(&format!("/v1/calls/{call}")).await["messages"][0]["tool"].take();
        assert_eq!(
            (&tool["name"], &tool["arguments"]),
            (&json!("cancel_booking"), &json!({"bookingUid": "bk_9"}))
        );
    });
}

#[test]
fn where_an_appointment_is_moved_to_is_unknown_rather_than_what_it_was() {
    on_both_with(Setup::unhurried(), async |app| {
        let (org, source) = everything(app, &Receiver::start().await).await;
        let client = app.key(&org);
        source.accept(app, &call("first", &[books("bk_1")])).await;
        let asked = json!({"appointment_id": "bk_1", "new_time": "tomorrow at two"});
        let used = ("rescheduleAppointment", asked, json!("The appointment was rescheduled."));
        source.accept(app, &call("second", &[used])).await;
        assert_snapshot!(shown(&client).await, @"rescheduled - - bk_1 Ada Reyes");
    });
}
