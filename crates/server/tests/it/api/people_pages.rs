//! The pages of contacts and leads: found, changed, merged, blocked, taken along and erased.

use http::Method;
use model::OrgRole;
use serde_json::{Value, json};

use super::dashboard::{get, org_with_pages, person, post, text};
use crate::support::{Answer, Org, Setup, TestApp, on_both, on_both_with};

async fn set(app: &TestApp) -> (Org, String) {
    let org = app.org("Harbor Plumbing").await;
    let owner = person(app, &org, OrgRole::Owner).await;
    (org, owner)
}

async fn contact(app: &TestApp, org: &Org, body: Value) -> String {
    id(&app.key(org).made("/v1/contacts", body).await)
}

fn id(record: &Value) -> String {
    record["id"].as_str().expect("an id").to_owned()
}

/// The value of a hidden field.
fn hidden(page: &str, name: &str) -> String {
    let field = page.split(&format!("name=\"{name}\" value=\"")).nth(1).expect("a field");
    field.split('"').next().unwrap_or_default().to_owned()
}

fn moved(answer: &Answer) -> &str {
    assert_eq!(answer.status, 303, "{}", answer.shown());
    answer.header("location")
}

#[test]
fn contacts_are_found_by_words_and_digits_and_the_list_is_what_is_exported() {
    on_both(async |app| {
        let (org, owner) = set(app).await;
        contact(app, &org, json!({"name": "Zoë Müller", "phone": "+493012345678", "company": "Hafen GmbH"}))
            .await;
        contact(app, &org, json!({"name": "Ada Reyes", "phone": "+14155550142", "tags": ["landlord"]})).await;
        for (q, who) in [
            ("zoe", "Zoë Müller"),
            ("hafen", "Zoë Müller"),
            ("030+1234", "Zoë Müller"),
            ("landl", "Ada Reyes"),
            ("%2B1+415", "Ada Reyes"),
        ] {
            let page = text(&get(app, &format!("/contacts?q={q}"), &owner).await);
            assert_eq!(page.matches("class=\"row-link\"").count(), 1, "{q}: {page}");
            assert!(page.contains(who), "{q}");
            let listed = app.key(&org).data(&format!("/v1/contacts?q={q}")).await;
            assert_eq!(listed[0]["name"], who, "the API finds the same");
            for mode in ["safe", "raw"] {
                let csv = text(&get(app, &format!("/contacts/export?q={q}&mode={mode}"), &owner).await);
                assert_eq!(csv.lines().count(), 2, "{csv}");
                let sign = if mode == "safe" { ",'+" } else { ",+" };
                assert!(csv.contains(who) && csv.contains(sign), "{csv}");
            }
        }
        let none = text(&get(app, "/contacts?q=zeppelin", &owner).await);
        assert!(none.contains("No contact fits") && none.contains("zeppelin"));
        assert!(text(&get(app, "/contacts/export?q=zeppelin", &owner).await).starts_with("id,name,phone"));
        let all = get(app, "/contacts/export", &owner).await;
        assert_eq!(all.header("content-disposition"), "attachment; filename=\"contacts.csv\"");
        assert_eq!(text(&all).lines().count(), 3);
    });
}

#[test]
fn a_list_is_searched_to_its_end_and_page_by_page() {
    on_both_with(Setup::unhurried(), async |app| {
        let (org, owner) = set(app).await;
        for number in 0..55 {
            let phone = format!("+141555501{number:02}");
            contact(app, &org, json!({"name": format!("Ada {number}"), "phone": phone})).await;
            contact(app, &org, json!({"name": format!("Bob {number}")})).await;
        }
        let first = text(&get(app, "/contacts?q=ada", &owner).await);
        assert_eq!(first.matches("class=\"row-link\"").count(), 50);
        let older = first.split("rel=\"next\" href=\"").nth(1).and_then(|rest| rest.split('"').next());
        let older = older.expect("a next page").replace("&#38;", "&").replace("&amp;", "&");
        let second = text(&get(app, &older, &owner).await);
        assert_eq!(second.matches("class=\"row-link\"").count(), 5, "{older}");
        assert!(second.contains("Ada 0<") && !second.contains("Bob"));
    });
}

#[test]
fn a_contact_shows_what_there_was_in_the_order_of_time_and_calls_lead_there() {
    on_both(async |app| {
        let (org, pages) = org_with_pages(app).await;
        let owner = person(app, &org, OrgRole::Owner).await;
        let client = app.key(&org);
        let ada = id(&client.data("/v1/contacts?phone=%2B14155550142").await[0]);
        client
            .write_call(json!({"external_id": "later", "caller_phone": "+14155550142", "status": "completed",
            "summary": "Asked for the bill."}))
            .await;
        let page = text(&get(app, &format!("/contacts/{ada}"), &owner).await);
        let at = |word: &str| page.find(word).unwrap_or_else(|| panic!("{word} in {page}"));
        assert!(at("Asked for the bill.") < at("Boiler check"), "the latest is first");
        assert!(page.contains("href=\"tel:+14155550142\""));
        for kind in ["calls", "leads", "appointments"] {
            let listed = client.data(&format!("/v1/{kind}?contact_id={ada}")).await;
            assert!(listed.as_array().is_some_and(|list| !list.is_empty()), "{kind}");
            for record in listed.as_array().into_iter().flatten() {
                assert!(page.contains(&format!("/{kind}/{}", id(record))), "{kind}");
            }
        }
        let call = text(&get(app, &pages[2].1, &owner).await);
        for kind in ["contacts", "leads", "appointments"] {
            assert!(call.contains(&format!("href=\"/{kind}/")), "the call leads to its {kind}");
        }
        let person = text(&get(app, &format!("/contacts/{ada}/export"), &owner).await);
        let exported: Value = serde_json::from_str(&person).expect("JSON");
        assert_eq!(exported["contact"]["phone"], "+14155550142");
        assert_eq!(exported["calls"].as_array().map(Vec::len), Some(2));
        assert_eq!(exported["calls"][0]["messages"][0]["tool"]["name"], "book_appointment");
        assert_eq!(exported["appointments"][0]["title"], "Boiler check");
        let by_api = client.get(&format!("/v1/contacts/{ada}/export")).await;
        assert_eq!(by_api.json()["leads"], exported["leads"]);
    });
}

#[test]
fn a_form_is_carried_out_once_and_not_over_what_somebody_wrote_meanwhile() {
    on_both(async |app| {
        let (org, owner) = set(app).await;
        let made = post(app, "/contacts/new", &owner, "once=a&name=Ada+Reyes&phone=%2B1+415+555+0142").await;
        let again = post(app, "/contacts/new", &owner, "once=a&name=Ada+Reyes&phone=%2B1+415+555+0142").await;
        assert_eq!(moved(&made), moved(&again), "sent twice, it is made once");
        let path = moved(&made).to_owned();
        let form = text(&get(app, &format!("{path}/edit"), &owner).await);
        let version = hidden(&form, "version");
        app.key(&org).changed(&format!("/v1{path}"), json!({"company": "Reyes & Co"})).await;
        let late = format!("version={version}&name=Ada&phone=%2B14155550142&tags=vip%2C+vip%2C+pays+late");
        let refused = post(app, &format!("{path}/edit"), &owner, &late).await;
        assert_eq!(refused.status, 422);
        let shown = text(&refused);
        assert!(
            shown.contains("Somebody changed this contact meanwhile")
                && shown.contains("vip, vip, pays late")
        );
        let now = late.replace(&version, &hidden(&shown, "version"));
        assert_eq!(moved(&post(app, &format!("{path}/edit"), &owner, &now).await), path);
        let saved = app.key(&org).data(&format!("/v1{path}")).await;
        assert_eq!(saved["tags"], json!(["vip", "pays late"]));
        assert_eq!(saved["company"], Value::Null, "what the form had empty is empty");

        let wrong = post(app, &format!("{path}/edit"), &owner, "name=Ada&phone=555-0142").await;
        assert_eq!(wrong.status, 422);
        assert!(text(&wrong).contains("is no phone number with its country"));
        contact(app, &org, json!({"phone": "+14155550177"})).await;
        let taken = post(app, &format!("{path}/edit"), &owner, "name=Ada&phone=%2B14155550177").await;
        assert!(text(&taken).contains("It belongs to another contact already."));
        assert_eq!(post(app, "/contacts/new", &owner, "name=+").await.status, 422);
    });
}

#[test]
fn a_number_is_blocked_and_unblocked_from_its_contact() {
    on_both(async |app| {
        let (org, owner) = set(app).await;
        let ada =
            contact(app, &org, json!({"phone": "+14155550142", "other_phones": ["+14155550143"]})).await;
        let path = format!("/contacts/{ada}/block");
        let blocked = async || app.key(&org).data("/v1/blocked-numbers").await.as_array().map(Vec::len);
        assert_eq!(post(app, &path, &owner, "do=block&phone=%2B14155550199").await.status, 400, "not theirs");
        for _ in 0..2 {
            moved(&post(app, &path, &owner, "do=block&phone=%2B14155550143").await);
        }
        assert_eq!(blocked().await, Some(1));
        assert!(text(&get(app, "/contacts", &owner).await).contains("Blocked"));
        let page = text(&get(app, &format!("/contacts/{ada}"), &owner).await);
        assert!(page.contains("Unblock<span"), "{page}");
        for _ in 0..2 {
            moved(&post(app, &path, &owner, "do=unblock&phone=%2B14155550143").await);
        }
        assert_eq!(blocked().await, Some(0));
    });
}

#[test]
fn what_merging_makes_is_what_its_preview_said() {
    on_both(async |app| {
        let (org, owner) = set(app).await;
        let client = app.key(&org);
        client
            .write_call(
                json!({"external_id": "a", "caller_phone": "+14155550142", "caller_name": "Ada Reyes",
            "status": "completed", "summary": "A leak", "intent": "Repair"}),
            )
            .await;
        let from = id(&client.data("/v1/contacts").await[0]);
        let into =
            contact(app, &org, json!({"name": "Ada R.", "phone": "+14155550177", "notes": "Rings twice"}))
                .await;
        let choice = text(&get(app, &format!("/contacts/{into}/merge"), &owner).await);
        assert!(
            choice.contains(&format!("/contacts/{into}/merge?from={from}")),
            "who has a similar name is offered"
        );
        let page = text(&get(app, &format!("/contacts/{into}/merge?from={from}"), &owner).await);
        assert!(page.contains("1 call, 1 lead of") && page.contains("is not taken over"), "{page}");
        assert!(page.contains("+1 415-555-0177\n+1 415-555-0142"), "both numbers afterwards");
        let form = format!("from={from}&version={}&once=a", hidden(&page, "version"));
        for _ in 0..2 {
            assert_eq!(
                moved(&post(app, &format!("/contacts/{into}/merge"), &owner, &form).await),
                format!("/contacts/{into}")
            );
        }
        let merged = client.data(&format!("/v1/contacts/{into}")).await;
        assert_eq!((merged["name"].as_str(), merged["call_count"].as_i64()), (Some("Ada R."), Some(1)));
        assert_eq!(merged["other_phones"], json!(["+14155550142"]));
        assert_eq!(moved(&get(app, &format!("/contacts/{from}"), &owner).await), format!("/contacts/{into}"));
        let itself = get(app, &format!("/contacts/{into}/merge?from={into}"), &owner).await;
        assert_eq!(itself.status, 400);
    });
}

#[test]
fn a_person_is_erased_only_by_who_may_and_types_their_name() {
    on_both(async |app| {
        let (org, _) = org_with_pages(app).await;
        let (owner, member) =
            (person(app, &org, OrgRole::Owner).await, person(app, &org, OrgRole::Member).await);
        let client = app.key(&org);
        let contact = client.data("/v1/contacts?phone=%2B14155550142").await[0].clone();
        let path = format!("/contacts/{}/erase", id(&contact));
        assert_eq!(get(app, &path, &member).await.status, 403);
        assert!(!text(&get(app, &format!("/contacts/{}", id(&contact)), &member).await).contains("/erase\""));
        let page = text(&get(app, &path, &owner).await);
        let word =
            page.split("<strong dir=\"auto\">").nth(1).and_then(|it| it.split('<').next()).expect("a word");
        assert!(page.contains("<span class=\"num\">1</span> call: what was said in it"), "{page}");
        let erasable = client.data(&format!("/v1/contacts/{}/erasable", id(&contact))).await;
        assert_eq!(
            erasable,
            json!({"calls": 1, "recordings": 0, "leads": 1, "appointments": 1,
            "source_messages": 1, "blocked_numbers": 0})
        );
        let wrong = post(app, &path, &owner, "confirm=Somebody").await;
        assert_eq!(wrong.status, 422);
        assert!(text(&wrong).contains("Nothing was erased."));
        assert_eq!(client.data("/v1/contacts?phone=%2B14155550142").await[0], contact);

        let form = format!("confirm={}", word.replace('+', "%2B").replace(' ', "+"));
        let erased = post(app, &path, &owner, &form).await;
        let erasure = moved(&erased).to_owned();
        let page = text(&get(app, &erasure, &owner).await);
        assert!(page.contains("The person is erased") && page.contains("</span> lead"), "{page}");
        assert_eq!(moved(&post(app, &path, &owner, &form).await), erasure, "sent again, it leads there");
        let page = text(&get(app, &format!("/contacts/{}", id(&contact)), &owner).await);
        assert!(page.contains("This person was erased on") && !page.contains("555-0142"));
        assert_eq!(get(app, &erasure, &member).await.status, 403);
    });
}

#[test]
fn a_lead_is_moved_on_the_board_and_the_table_counts_what_it_lists() {
    on_both(async |app| {
        let (org, owner) = set(app).await;
        let client = app.key(&org);
        let lead = async |name: &str, urgency: &str| {
            id(&client.made("/v1/leads", json!({"name": name, "intent": "Boiler", "urgency": urgency})).await)
        };
        let (ada, bob) = (lead("Ada", "high").await, lead("Bob", "low").await);
        let board = text(&get(app, "/leads", &owner).await);
        assert!(
            board.contains("New <span class=\"n\">2</span>")
                && board.contains("Won <span class=\"n\">0</span>")
        );
        let form = "status=won&back=%2Fleads%3Furgency%3Dhigh";
        assert_eq!(
            moved(&post(app, &format!("/leads/{ada}/move"), &owner, form).await),
            format!("/leads?urgency=high#lead-{ada}")
        );
        let elsewhere = "status=won&back=https%3A%2F%2Fevil.example";
        assert_eq!(
            moved(&post(app, &format!("/leads/{ada}/move"), &owner, elsewhere).await),
            format!("/leads/{ada}#lead-{ada}")
        );
        assert_eq!(post(app, &format!("/leads/{ada}/move"), &owner, "status=eaten").await.status, 400);
        assert_eq!(client.data(&format!("/v1/leads/{ada}")).await["status"], "won");
        for (status, who) in [("won", "Ada"), ("new", "Bob")] {
            let table = text(&get(app, &format!("/leads?view=table&status={status}"), &owner).await);
            assert!(table.contains(who) && table.matches("class=\"row-link\"").count() == 1, "{table}");
        }
        let urgent = text(&get(app, "/leads?view=table&urgency=high&q=boil", &owner).await);
        assert!(urgent.contains("Ada") && !urgent.contains(">Bob<"));
        assert_eq!(client.data("/v1/leads?q=boil&urgency=low").await[0]["id"], bob);
        let csv = text(&get(app, "/leads/export?view=table&status=won&urgency=high&q=boil", &owner).await);
        assert_eq!((csv.lines().count(), csv.contains("Ada")), (2, true), "{csv}");
        assert!(text(&get(app, "/leads?q=zeppelin", &owner).await).contains("No lead fits"));
        moved(&post(app, &format!("/leads/{bob}/delete"), &owner, "once=a").await);
        moved(&post(app, &format!("/leads/{bob}/delete"), &owner, "once=a").await);
        assert_eq!(get(app, &format!("/leads/{bob}"), &owner).await.status, 404);
    });
}

#[test]
fn a_lead_says_where_it_comes_from_and_keeps_what_a_person_writes() {
    on_both(async |app| {
        let (org, _) = org_with_pages(app).await;
        let (owner, viewer) =
            (person(app, &org, OrgRole::Owner).await, person(app, &org, OrgRole::Viewer).await);
        let client = app.key(&org);
        let lead = id(&client.data("/v1/leads").await[0]);
        let page = text(&get(app, &format!("/leads/{lead}"), &owner).await);
        assert!(
            page.contains("Where it comes from")
                && page.contains(">Vapi</a>")
                && page.contains("As it arrived")
        );
        let seen = text(&get(app, &format!("/leads/{lead}"), &viewer).await);
        assert!(
            seen.contains("boiler leaks")
                && !seen.contains("As it arrived")
                && !seen.contains("<button name=\"status\"")
        );
        for path in ["edit", "move", "delete"] {
            assert_eq!(post(app, &format!("/leads/{lead}/{path}"), &viewer, "status=won").await.status, 403);
        }
        let form = text(&get(app, &format!("/leads/{lead}/edit"), &owner).await);
        let saved = format!(
            "version={}&intent=A+new+boiler&status=qualified&urgency=&name=Ada&summary=One%0D%0Atwo",
            hidden(&form, "version")
        );
        moved(&post(app, &format!("/leads/{lead}/edit"), &owner, &saved).await);
        let record = client.data(&format!("/v1/leads/{lead}")).await;
        assert_eq!(
            (&record["intent"], &record["status"], &record["urgency"]),
            (&json!("A new boiler"), &json!("qualified"), &Value::Null)
        );
        assert_eq!(record["summary"], "One\ntwo", "lines end as everywhere else");
    });
}

#[test]
fn calls_are_exported_as_their_list_is_filtered() {
    on_both(async |app| {
        let (org, owner) = set(app).await;
        let client = app.key(&org);
        for (number, status) in ["completed", "failed", "completed", "blocked"].iter().enumerate() {
            client.write_call(json!({"external_id": number.to_string(), "status": status, "summary": format!("boiler {number}"),
                "caller_phone": format!("+1415555014{number}")})).await;
        }
        for (query, count) in [
            ("", 4),
            ("?view=failed", 1),
            ("?q=boiler+2", 1),
            ("?q=%21", 0),
            ("?view=needs_review&q=boiler", 3),
            ("?status=completed&phone=%2B14155550140", 1),
        ] {
            let csv = get(app, &format!("/calls/export{query}"), &owner).await;
            assert_eq!(csv.status, 200);
            assert_eq!(text(&csv).lines().count(), count + 1, "{query}: {}", text(&csv));
            let api = query.replace("status=completed&", "status=completed&");
            let jsonl = client.get(&format!("/v1/export/calls{api}")).await;
            assert_eq!(text(&jsonl).lines().count(), count, "{query}");
        }
    });
}

#[test]
fn what_people_and_callers_write_stays_text_on_every_page_of_theirs() {
    on_both(async |app| {
        let (org, owner) = set(app).await;
        let client = app.key(&org);
        let evil = "\"><script>alert(1)</script>";
        let call = client.write_call(json!({"external_id": evil, "caller_name": evil, "summary": evil, "intent": evil,
            "caller_phone": "+14155550142", "status": "completed", "caller_email": "a@x.example?cc=\"><script>alert(1)</script>"})).await;
        let contact = client.data("/v1/contacts").await[0].clone();
        client
            .changed(
                &format!("/v1/contacts/{}", id(&contact)),
                json!({"company": evil, "notes": evil, "tags": [evil]}),
            )
            .await;
        let other = client.made("/v1/contacts", json!({"name": evil, "email": "x@y.example"})).await;
        let lead = client.data("/v1/leads").await[0].clone();
        client.changed(&format!("/v1/leads/{}", id(&lead)), json!({"notes": evil, "summary": evil})).await;
        let appointment = client.made("/v1/appointments", json!({"call_id": call["id"], "title": evil, "location": evil, "notes": evil,
            "attendee_name": evil, "starts_at": "2026-03-04T10:00:00Z", "external_id": evil, "lead_id": lead["id"]})).await;
        client.made("/v1/calendar-feeds", json!({"name": evil})).await;
        let (contact, lead, appointment) = (id(&contact), id(&lead), id(&appointment));
        let pages = [
            "/contacts".to_owned(),
            "/contacts?q=script".to_owned(),
            format!("/contacts/{contact}"),
            format!("/contacts/{contact}/edit"),
            format!("/contacts/{contact}/merge"),
            format!("/contacts/{contact}/merge?from={}", id(&other)),
            format!("/contacts/{contact}/erase"),
            "/leads".to_owned(),
            "/leads?view=table&q=script".to_owned(),
            format!("/leads/{lead}"),
            format!("/leads/{lead}/edit"),
            "/appointments?day=2026-03-01".to_owned(),
            "/appointments?view=week&day=2026-03-04".to_owned(),
            "/appointments?view=month&day=2026-03-04".to_owned(),
            format!("/appointments/{appointment}"),
            format!("/appointments/{appointment}/edit"),
            "/appointments/feeds".to_owned(),
        ];
        for path in pages {
            let answer = get(app, &path, &owner).await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.shown());
            assert!(text(&answer).contains("alert(1)") && !text(&answer).contains("<script>alert"), "{path}");
        }
        let page = text(&get(app, &format!("/contacts/{contact}"), &owner).await);
        assert!(!page.contains("mailto:a@x.example?cc"), "no letter goes to more than whom it names");
        let head = app
            .anon()
            .send(
                Method::POST,
                &format!("/leads/{lead}/move"),
                &[
                    ("cookie", &*owner),
                    ("sec-fetch-site", "cross-site"),
                    ("content-type", "application/x-www-form-urlencoded"),
                ],
                b"status=won".to_vec(),
            )
            .await;
        assert_eq!(head.status, 403, "a form from another site does nothing");
    });
}
