//! Appointments by when they take place: on pages, by the API, and in people's own calendars.

use std::{io::BufReader, time::Duration};

use ical::{IcalParser, parser::ical::component::IcalEvent};
use model::OrgRole;
use serde_json::{Value, json};

use super::dashboard::{get, person, post, text};
use crate::support::{Answer, Org, TestApp, on_both};

async fn set(app: &TestApp) -> (Org, String) {
    let org = app.org("Harbor Plumbing").await;
    app.execute("UPDATE organizations SET time_zone = 'Europe/Berlin'").await;
    let owner = person(app, &org, OrgRole::Owner).await;
    (org, owner)
}

async fn book(app: &TestApp, org: &Org, title: &str, starts_at: Option<&str>) -> String {
    let body = json!({"title": title, "starts_at": starts_at, "attendee_name": "Ada Reyes"});
    let made = app.key(org).made("/v1/appointments", body).await;
    made["id"].as_str().expect("an id").to_owned()
}

fn moved(answer: &Answer) -> &str {
    assert_eq!(answer.status, 303, "{}", answer.shown());
    answer.header("location")
}

#[test]
fn days_are_those_of_the_organization_s_zone_in_agenda_week_and_month() {
    on_both(async |app| {
        let (org, owner) = set(app).await;
        // It is 22:00 on the 24th in Berlin.
        book(app, &org, "Late visit", Some("2026-02-24T23:30:00Z")).await;
        book(app, &org, "Evening visit", Some("2026-02-24T22:30:00Z")).await;
        book(app, &org, "Morning visit", Some("2026-02-24T07:00:00Z")).await;
        book(app, &org, "Sometime", None).await;
        let agenda = text(&get(app, "/appointments", &owner).await);
        let at = |word: &str| agenda.find(word).unwrap_or_else(|| panic!("{word} in {agenda}"));
        assert!(
            at("Need a time") < at("Sometime") && at("Sometime") < at("Today, Tuesday, 24 February 2026")
        );
        assert!(at("Morning visit") < at("Evening visit"), "the earliest is first");
        assert!(at("Tomorrow, Wednesday, 25 February 2026") < at("Late visit"));
        assert!(agenda.contains("23:30") && agenda.contains("00:30") && agenda.contains("Europe/Berlin"));
        let week = text(&get(app, "/appointments?view=week&day=2026-02-25", &owner).await);
        assert!(week.contains("23 Feb – 1 Mar 2026") && week.contains("Late visit"));
        let month = text(&get(app, "/appointments?view=month", &owner).await);
        assert!(
            month.contains("February 2026") && month.contains("day=2026-03-01"),
            "one goes on from there"
        );
        assert_eq!(month.matches("visit</a>").count(), 3);
        let cut = text(&get(app, "/appointments?status=cancelled", &owner).await);
        assert!(cut.contains("No appointment fits") && !cut.contains("Morning visit"));
        let listed = app.key(&org).data("/v1/agenda?from=2026-02-24T08:00:00Z&to=2026-02-24T23:00:00Z").await;
        assert_eq!(
            (listed.as_array().map(Vec::len), &listed[0]["title"]),
            (Some(1), &json!("Evening visit"))
        );
        let csv = text(&get(app, "/appointments/export?view=week&day=2026-02-16", &owner).await);
        assert_eq!(csv.lines().count(), 1, "of another week there is none: {csv}");
        assert_eq!(get(app, "/appointments?view=month&day=9999-12-31", &owner).await.status, 200);
    });
}

#[test]
fn the_agenda_goes_on_page_by_page_and_loses_none_that_begin_together() {
    on_both(async |app| {
        let (org, _) = set(app).await;
        for _ in 0..5 {
            book(app, &org, "Together", Some("2026-03-04T10:00:00Z")).await;
        }
        let client = app.key(&org);
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = client.get(&format!("/v1/agenda?limit=2{cursor}")).await.json();
            seen.extend(
                page["data"].as_array().cloned().unwrap_or_default().into_iter().map(|it| it["id"].clone()),
            );
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        let count = seen.len();
        seen.sort_by_key(Value::to_string);
        seen.dedup();
        assert_eq!((count, seen.len()), (5, 5));
    });
}

#[test]
fn an_appointment_is_edited_in_the_organization_s_zone_and_called_off() {
    on_both(async |app| {
        let (org, owner) = set(app).await;
        let made = post(
            app,
            "/appointments/new",
            &owner,
            "once=a&title=Boiler&starts_at=2026-07-02T10:00&status=booked",
        )
        .await;
        let again = post(
            app,
            "/appointments/new",
            &owner,
            "once=a&title=Boiler&starts_at=2026-07-02T10:00&status=booked",
        )
        .await;
        assert_eq!(moved(&made), moved(&again));
        let path = moved(&made).to_owned();
        let client = app.key(&org);
        assert_eq!(client.data(&format!("/v1{path}")).await["starts_at"], "2026-07-02T08:00:00.000Z");
        let page = text(&get(app, &path, &owner).await);
        assert!(page.contains("Thu 2 Jul, 10:00 (Europe/Berlin)"), "{page}");
        let wrong = "title=Boiler&starts_at=2026-07-02T10:00&ends_at=2026-07-02T09:00&status=booked";
        let wrong = post(app, &format!("{path}/edit"), &owner, wrong).await;
        assert_eq!(wrong.status, 422);
        assert!(text(&wrong).contains("The appointment would end before it begins."));
        let good =
            "title=Boiler&starts_at=2026-07-02T11:00&ends_at=2026-07-02T12:00&status=rescheduled&notes=Ring";
        moved(&post(app, &format!("{path}/edit"), &owner, good).await);
        for _ in 0..2 {
            moved(&post(app, &format!("{path}/status"), &owner, "once=b&status=cancelled").await);
        }
        let saved = client.data(&format!("/v1{path}")).await;
        assert_eq!(
            (&saved["status"], &saved["ends_at"]),
            (&json!("cancelled"), &json!("2026-07-02T10:00:00.000Z"))
        );
        let stale = post(app, &format!("{path}/status"), &owner, "version=1&status=booked").await;
        assert_eq!(stale.status, 409);
        let viewer = person(app, &org, OrgRole::Viewer).await;
        assert_eq!(post(app, &format!("{path}/status"), &viewer, "status=booked").await.status, 403);
        moved(&post(app, &format!("{path}/delete"), &owner, "once=c").await);
        assert_eq!(get(app, &path, &owner).await.status, 404);
    });
}

/// The path of an address, which may be at any server.
fn path_of(url: &str) -> &str {
    &url[url.find("/calendar/").expect("an address")..]
}

/// The events of a calendar, as another library than writes them reads them.
async fn read(app: &TestApp, path: &str) -> Vec<IcalEvent> {
    let answer = app.anon().get(path).await;
    assert_eq!(answer.status, 200, "{}", answer.shown());
    assert_eq!(answer.header("content-type"), "text/calendar; charset=utf-8");
    for line in text(&answer).split("\r\n") {
        assert!(line.len() <= 75 && !line.contains(['\r', '\n']), "{line:?}");
    }
    let mut calendars = IcalParser::new(BufReader::new(&*answer.bytes));
    let calendar = calendars.next().expect("a calendar").expect("one that can be read");
    assert!(calendars.next().is_none());
    let has = |name: &str| calendar.properties.iter().any(|it| it.name == name);
    assert!(has("VERSION") && has("PRODID"));
    calendar.events
}

fn property<'e>(event: &'e IcalEvent, name: &str) -> Option<&'e str> {
    let found: Vec<_> = event.properties.iter().filter(|it| it.name == name).collect();
    assert!(found.len() <= 1, "{name} stands once");
    found.first().and_then(|it| it.value.as_deref())
}

#[test]
fn a_calendar_reads_the_appointments_at_an_address_that_can_be_revoked() {
    on_both(async |app| {
        let (org, owner) = set(app).await;
        let client = app.key(&org);
        let long = "long ".repeat(40);
        let visit = client.made("/v1/appointments", json!({"title": "Boiler; check, \"now\"\nATTENDEE:mailto:evil@example.com",
            "starts_at": "2026-03-04T10:00:00Z", "ends_at": "2026-03-04T11:00:00Z", "attendee_name": "Zoë \u{202e}Müller 👩‍🔧",
            "attendee_phone": "+14155550142", "location": "12 Pier Street\r\nEND:VEVENT", "notes": long})).await;
        let off = book(app, &org, "Off", Some("2026-03-05T10:00:00Z")).await;
        client.changed(&format!("/v1/appointments/{off}"), json!({"status": "cancelled"})).await;
        book(app, &org, "Without a time", None).await;
        book(app, &org, "Long ago", Some("2025-02-24T10:00:00Z")).await;
        let theirs = app.org("Theirs").await;
        book(app, &theirs, "Not ours", Some("2026-03-04T10:00:00Z")).await;

        let made = client.made("/v1/calendar-feeds", json!({"name": "Sam, phone"})).await;
        let url = made["url"].as_str().expect("an address").to_owned();
        assert!(made.get("token").is_none(), "the secret is in the address alone");
        let events = read(app, path_of(&url)).await;
        let titles: Vec<_> =
            events.iter().map(|event| property(event, "SUMMARY").expect("a title")).collect();
        assert_eq!(titles.len(), 2, "{titles:?}");
        let first = &events[0];
        assert_eq!(property(first, "DTSTART"), Some("20260304T100000Z"));
        assert_eq!(property(first, "DTEND"), Some("20260304T110000Z"));
        assert_eq!(property(first, "STATUS"), Some("CONFIRMED"));
        assert_eq!(
            property(first, "UID").map(str::to_owned),
            Some(format!("{}@inboundflow", visit["id"].as_str().expect("an id")))
        );
        assert_eq!(property(first, "ATTENDEE"), None, "no text becomes a property");
        assert!(titles[0].starts_with(r#"Boiler\; check\, "now"\nATTENDEE:mailto"#), "{}", titles[0]);
        // The library drops blanks where a line was folded.
        let about = property(first, "DESCRIPTION").unwrap_or_default().replace(' ', "");
        assert!(about.contains("+1415-555-0142") && about.contains(&"long".repeat(40)), "{about}");
        assert_eq!(
            (property(&events[1], "STATUS"), property(&events[1], "DTEND")),
            (Some("CANCELLED"), None)
        );

        let listed = client.data("/v1/calendar-feeds").await;
        assert_eq!((&listed[0]["name"], listed[0].get("url")), (&json!("Sam, phone"), None));
        assert_eq!(listed[0]["last_read_at"], "2026-02-24T21:00:00.000Z");
        let other = app
            .key(&theirs)
            .delete(&format!("/v1/calendar-feeds/{}", listed[0]["id"].as_str().expect("an id")))
            .await;
        assert_eq!(other.status, 404);
        assert_eq!(
            client
                .delete(&format!("/v1/calendar-feeds/{}", listed[0]["id"].as_str().expect("an id")))
                .await
                .status,
            200
        );
        assert_eq!(app.anon().get(path_of(&url)).await.status, 404);

        let form = "once=a&name=Sam";
        let pages = [
            post(app, "/appointments/feeds", &owner, form).await,
            post(app, "/appointments/feeds", &owner, form).await,
        ];
        let shown = pages.map(|page| {
            text(&page)
                .split("id=\"feed\" class=\"wrap\">")
                .nth(1)
                .expect("an address")
                .split('<')
                .next()
                .expect("its end")
                .to_owned()
        });
        assert_eq!(shown[0], shown[1], "sent twice, it is made once");
        assert_eq!(read(app, path_of(&shown[0])).await.len(), 2);
        assert!(
            !text(&get(app, "/appointments/feeds", &owner).await).contains(path_of(&shown[0])),
            "it is shown once"
        );
        let feed = client.data("/v1/calendar-feeds").await[0]["id"].as_str().expect("an id").to_owned();
        moved(&post(app, &format!("/appointments/feeds/{feed}/revoke"), &owner, "once=b").await);
        assert_eq!(app.anon().get(path_of(&shown[0])).await.status, 404);
    });
}

#[test]
fn who_may_share_the_calendar_and_that_a_wrong_address_has_nothing() {
    on_both(async |app| {
        let (org, _) = set(app).await;
        for (role, status) in [(OrgRole::Viewer, 403), (OrgRole::Member, 403), (OrgRole::Admin, 200)] {
            let cookie = person(app, &org, role).await;
            assert_eq!(get(app, "/appointments/feeds", &cookie).await.status, status, "{role:?}");
            assert_eq!(
                post(app, "/appointments/feeds", &cookie, "name=Sam").await.status,
                status,
                "{role:?}"
            );
            let page = text(&get(app, "/appointments", &cookie).await);
            assert_eq!(page.contains("/appointments/feeds"), status == 200);
        }
        for path in [
            "/calendar/x.ics",
            "/calendar/abcdefghijklmnopqrstuvwxyz012345.ics",
            "/calendar/abcdefghijklmnopqrstuvwxyz012345",
        ] {
            let answer = app.anon().get(path).await;
            assert_eq!(answer.error(), "404 not_found: There is no calendar with this id", "{path}");
        }
        app.tick(Duration::from_secs(1)).await;
        assert_eq!(app.key(&org).post("/v1/calendar-feeds", &json!({"name": " "})).await.status, 400);
    });
}
