//! The pages: who comes in, what they may see, and that nobody sees another's.

use std::time::Duration;

use http::Method;
use model::{CallStatus, OrgRole, Platform, Time};
use serde_json::json;
use store::{CallView, NewSession, NewUser};

use super::settings::FILLED;
use crate::support::{Answer, Org, Receiver, TestApp, booking, on_both, report};

const PASSWORD: &str = "correct horse battery";

/// A path of each route, with the ids of records in their places.
const PAGES: [(&str, &str); 67] = [
    ("GET", "/"),
    ("GET", "/calls"),
    ("GET", "/calls/{call}"),
    ("GET", "/calls/{call}/json"),
    ("GET", "/calls/{call}/recording"),
    ("GET", "/calls/{call}/messages/{message}"),
    ("POST", "/calls/{call}/review"),
    ("GET", "/deliveries"),
    ("GET", "/deliveries/{delivery}"),
    ("POST", "/deliveries/{delivery}/resend"),
    ("GET", "/settings/api"),
    ("POST", "/settings/api"),
    ("POST", "/settings/api/{key}/revoke"),
    ("GET", "/calls?q=boiler"),
    ("GET", "/calls?phone=%2B14155550142"),
    ("GET", "/deliveries?state=delivered"),
    ("GET", "/settings/integrations"),
    ("GET", "/settings/integrations/new?tool=zapier"),
    ("POST", "/settings/integrations/new"),
    ("GET", "/settings/integrations/{webhook}"),
    ("POST", "/settings/integrations/{webhook}"),
    ("POST", "/settings/integrations/{webhook}/state"),
    ("POST", "/settings/integrations/{webhook}/test"),
    ("POST", "/settings/integrations/{webhook}/recover"),
    ("POST", "/settings/integrations/{webhook}/secret"),
    ("GET", "/settings/sources"),
    ("GET", "/settings/sources/new?platform=vapi"),
    ("POST", "/settings/sources/new"),
    ("GET", "/settings/sources/{source}"),
    ("POST", "/settings/sources/{source}"),
    ("POST", "/settings/sources/{source}/secret"),
    ("POST", "/settings/sources/{source}/reprocess"),
    ("GET", "/settings/sources/{source}/events/{event}"),
    ("POST", "/settings/sources/{source}/events/{event}/reprocess"),
    ("POST", "/settings/integrations/{webhook}/delete"),
    ("POST", "/settings/sources/{source}/delete"),
    ("GET", "/contacts"),
    ("GET", "/contacts?q=ada"),
    ("GET", "/contacts/new"),
    ("POST", "/contacts/new"),
    ("GET", "/contacts/{contact}"),
    ("GET", "/contacts/{contact}/edit"),
    ("POST", "/contacts/{contact}/edit"),
    ("GET", "/contacts/{contact}/merge"),
    ("POST", "/contacts/{contact}/merge"),
    ("POST", "/contacts/{contact}/block"),
    ("GET", "/contacts/{contact}/export"),
    ("GET", "/contacts/{contact}/erase"),
    ("POST", "/contacts/{contact}/erase"),
    ("GET", "/erasures/{erasure}"),
    ("GET", "/leads"),
    ("GET", "/leads?view=table&q=boiler"),
    ("GET", "/leads/{lead}"),
    ("GET", "/leads/{lead}/edit"),
    ("POST", "/leads/{lead}/edit"),
    ("POST", "/leads/{lead}/move"),
    ("POST", "/leads/{lead}/delete"),
    ("GET", "/appointments"),
    ("GET", "/appointments?view=month&day=2026-03-02"),
    ("GET", "/appointments/new"),
    ("GET", "/appointments/feeds"),
    ("POST", "/appointments/feeds/{feed}/revoke"),
    ("GET", "/appointments/{appointment}"),
    ("GET", "/appointments/{appointment}/edit"),
    ("POST", "/appointments/{appointment}/edit"),
    ("POST", "/appointments/{appointment}/status"),
    ("POST", "/appointments/{appointment}/delete"),
];

/// Those that answer a person of any organization with a file or an address: what is in it is looked at on its own.
const FILES: [(&str, &str); 6] = [
    ("GET", "/calls/export"),
    ("GET", "/contacts/export"),
    ("GET", "/leads/export?q=boiler"),
    ("GET", "/appointments/export"),
    ("POST", "/appointments/feeds"),
    ("POST", "/appointments/new"),
];

/// Those that are for everybody.
const OPEN: [&str; 4] = ["/assets/{name}", "/setup", "/sign-in", "/sign-out"];

pub(super) async fn person(app: &TestApp, org: &Org, role: OrgRole) -> String {
    let email = format!("{}@{}.example", role.as_str(), org.id);
    let new = NewUser { email, password_hash: "none".into(), role };
    let user = org.records.create_user(new).await.expect("a write").expect("a person");
    let token = dashboard::Token::generate(&*app.world().ids);
    let expires_at = app.now() + Duration::from_secs(3600);
    let session = NewSession { user: user.id, hash: token.hash(), user_agent: None, expires_at };
    assert!(app.store.open_session(session).await.expect("a write"));
    format!("inboundflow={}", token.reveal())
}

pub(super) async fn get(app: &TestApp, path: &str, cookie: &str) -> Answer {
    app.anon().get_with(path, &[("cookie", cookie)]).await
}

pub(super) async fn post(app: &TestApp, path: &str, cookie: &str, form: &str) -> Answer {
    let headers = [("cookie", cookie), ("content-type", "application/x-www-form-urlencoded")];
    app.anon().send(Method::POST, path, &headers, form.as_bytes().to_vec()).await
}

pub(super) fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.bytes).into_owned()
}

/// The cookie that an answer sets, as a browser sends it back.
fn cookie(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().unwrap_or_default().to_owned()
}

async fn setup_link(app: &TestApp) -> Option<String> {
    inboundflow::app::setup_path(app.world(), &app.store).await.expect("a path")
}

fn first_owner(link: &str, rest: &str) -> String {
    let token = link.split_once("token=").expect("a token").1;
    format!(
        "token={token}&email=Owner%40Example.com&password=correct+horse+battery&time_zone=Europe/Berlin&country=de&{rest}"
    )
}

#[test]
fn a_setup_link_makes_one_owner_once_within_half_an_hour() {
    on_both(async |app| {
        let nobody = get(app, "/sign-in", "").await;
        assert!(text(&nobody).contains("Not set up yet"), "{}", nobody.shown());
        let (old, late) = (setup_link(app).await.expect("a link"), setup_link(app).await.expect("a link"));
        assert_eq!(get(app, &old, "").await.status, 410, "a new link ends the one before");
        app.tick(Duration::from_secs(30 * 60)).await;
        assert_eq!(get(app, &late, "").await.status, 410, "it has run out");

        let link = setup_link(app).await.expect("a link");
        assert_eq!(get(app, &link, "").await.status, 200);
        let wrong = post(app, "/setup", "", &first_owner(&link, "organization=new&name=")).await;
        assert_eq!(wrong.status, 422);
        assert!(text(&wrong).contains("The name needs 1 to 200 characters"));
        assert!(!text(&wrong).contains(PASSWORD), "a password is not sent back");
        let form = first_owner(&link, "organization=new&name=Harbor+Plumbing");
        let done = post(app, "/setup", "", &form).await;
        assert_eq!((done.status.as_u16(), done.header("location")), (303, "/settings/api?first=1"));
        assert!(done.header("set-cookie").ends_with("HttpOnly; SameSite=Lax"), "{}", done.shown());
        let overview = get(app, "/", &cookie(&done)).await;
        assert!(text(&overview).contains("Harbor Plumbing") && text(&overview).contains("owner@example.com"));
        assert_eq!(post(app, "/setup", "", &form).await.status, 410, "it works once");
        assert_eq!(setup_link(app).await, None, "there is an owner");
    });
}

#[test]
fn the_first_owner_can_take_over_an_organization_that_an_operator_made() {
    on_both(async |app| {
        let org = app.org("Lakeside Dental").await;
        let link = setup_link(app).await.expect("a link");
        assert!(text(&get(app, &link, "").await).contains("Lakeside Dental"));
        let done = post(app, "/setup", "", &first_owner(&link, &format!("organization={}", org.id))).await;
        assert_eq!(done.status, 303, "{}", done.shown());
        assert!(text(&get(app, "/", &cookie(&done)).await).contains("Lakeside Dental"));
        assert_eq!(org.records.list_users().await.expect("a list")[0].role, OrgRole::Owner);
    });
}

#[test]
fn who_signs_in_needs_the_password_and_has_ten_tries() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let hash = |password| dashboard::password::hash(password, &*app.world().ids).expect("a hash");
        let owner = |email: &str| NewUser {
            email: email.into(),
            password_hash: hash(PASSWORD),
            role: OrgRole::Owner,
        };
        org.records.create_user(owner("a@example.com")).await.expect("a write").expect("a person");
        assert!(org.records.create_user(owner(" A@example.com")).await.expect("a write").is_none());
        let form = |password: &str| format!("email=A%40example.com&next=/calls&password={password}");
        let right = form("correct+horse+battery");

        let signed_in = post(app, "/sign-in", "", &right).await;
        assert_eq!((signed_in.status.as_u16(), signed_in.header("location")), (303, "/calls"));
        let session = cookie(&signed_in);
        assert_eq!(get(app, "/calls", &session).await.status, 200);
        post(app, "/sign-out", &session, "").await;
        assert_eq!(get(app, "/calls", &session).await.status, 303, "signed out");

        let session = cookie(&post(app, "/sign-in", "", &right).await);
        assert!(app.store.reset_password("a@example.com", hash("another long one")).await.expect("a write"));
        assert_eq!(get(app, "/calls", &session).await.status, 303, "a reset ends sessions");
        for _ in 0..10 {
            assert_eq!(post(app, "/sign-in", "", &right).await.status, 401);
        }
        let refused = post(app, "/sign-in", "", &form("another+long+one")).await;
        assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (429, "900"));
        app.tick(Duration::from_secs(900)).await;
        assert_eq!(post(app, "/sign-in", "", &form("another+long+one")).await.status, 303);
        let unknown = post(app, "/sign-in", "", "email=b%40example.com&password=x").await;
        let wrong = post(app, "/sign-in", "", &form("x")).await;
        assert_eq!(unknown.status, wrong.status);
        assert_eq!(
            text(&unknown).replace("b@example.com", ""),
            text(&wrong).replace("A@example.com", "").replace("value=\"/calls\"", "value=\"/\"")
        );

        let session = cookie(&post(app, "/sign-in", "", &form("another+long+one")).await);
        app.tick(Duration::from_secs(14 * 86_400)).await;
        assert_eq!(get(app, "/calls", &session).await.status, 303, "a session ends by itself");
    });
}

/// An organization with a record of each kind, and the pages of those.
pub(super) async fn org_with_pages(app: &TestApp) -> (Org, Vec<(&'static str, String)>) {
    let org = app.org("Theirs").await;
    org.endpoint(&Receiver::start().await.url("/")).await;
    let source = org.source(Platform::Vapi).await;
    source.accept(app, &report("theirs", json!("+14155550142"), booking())).await;
    let client = app.key(&org);
    let id = |value: &serde_json::Value| value[0]["id"].as_str().expect("an id").to_owned();
    let call = id(&client.data("/v1/calls").await);
    let delivery = id(&client.data("/v1/deliveries").await);
    let message = id(&client.data(&format!("/v1/sources/{}/events", source.source)).await);
    let webhook = id(&client.data("/v1/webhooks").await);
    let contact = id(&client.data("/v1/contacts").await);
    let lead = id(&client.data("/v1/leads").await);
    let appointment = id(&client.data("/v1/appointments").await);
    client.made("/v1/calendar-feeds", json!({"name": "Sam"})).await;
    let feed = id(&client.data("/v1/calendar-feeds").await);
    let gone = client.made("/v1/contacts", json!({"phone": "+14155550149"})).await;
    let path = format!("/v1/contacts/{}/erase", gone["id"].as_str().expect("an id"));
    let erased = client.post(&path, &json!({})).await.json();
    let erasure = erased["data"]["id"].as_str().expect("an id").to_owned();
    let key = org.records.list_keys().await.expect("a list")[0].id.to_string();
    let fill = |path: &str| {
        path.replace("{call}", &call)
            .replace("{delivery}", &delivery)
            .replace("{message}", &message)
            .replace("{key}", &key)
            .replace("{webhook}", &webhook)
            .replace("{source}", &source.source.to_string())
            .replace("{event}", &message)
            .replace("{contact}", &contact)
            .replace("{erasure}", &erasure)
            .replace("{lead}", &lead)
            .replace("{appointment}", &appointment)
            .replace("{feed}", &feed)
    };
    let pages = PAGES.iter().map(|(method, path)| (*method, fill(path))).collect();
    (org, pages)
}

#[test]
fn every_route_of_the_pages_is_in_the_walk() {
    let source = include_str!("../../../../dashboard/src/lib.rs");
    let shape = |path: &str| {
        let path = path.split('?').next().unwrap_or_default();
        let ids = [
            "{call}",
            "{delivery}",
            "{key}",
            "{webhook}",
            "{source}",
            "{contact}",
            "{erasure}",
            "{lead}",
            "{appointment}",
            "{feed}",
        ];
        ids.into_iter().fold(path.to_owned(), |path, id| path.replace(id, "{id}"))
    };
    let walked: Vec<_> =
        PAGES.iter().chain(&FILES).map(|(_, path)| shape(path)).chain(OPEN.map(str::to_owned)).collect();
    let routes: Vec<_> =
        source.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(routes.len() > 10, "the routes are where they were");
    for route in routes {
        assert!(walked.iter().any(|path| path == route), "{route} needs a row in `PAGES`");
    }
}

#[test]
fn no_page_opens_for_nobody_or_shows_another_organization_s_records() {
    on_both(async |app| {
        let (theirs, pages) = org_with_pages(app).await;
        let mine = app.org("Mine").await;
        let (me, they) =
            (person(app, &mine, OrgRole::Owner).await, person(app, &theirs, OrgRole::Owner).await);
        let files = FILES.iter().map(|(method, path)| (*method, (*path).to_owned()));
        for (method, path) in &pages.iter().cloned().chain(files).collect::<Vec<_>>() {
            for signed_out in ["", "inboundflow=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
                let answer = match *method {
                    "GET" => get(app, path, signed_out).await,
                    _ => post(app, path, signed_out, FILLED).await,
                };
                let location = answer.header("location");
                assert_eq!(answer.status, 303, "{method} {path}");
                assert!(location.starts_with("/sign-in"), "{method} {path} leads to {location}");
            }
            let has_id = path.contains("0000-");
            let answer = match *method {
                "GET" => get(app, path, &me).await,
                _ => post(app, path, &me, FILLED).await,
            };
            let is_made = matches!(path.as_str(), "/contacts/new" | "/appointments/new") && *method == "POST";
            let status = if has_id {
                404
            } else if is_made {
                303
            } else {
                200
            };
            assert_eq!(answer.status, status, "{method} {path}: {}", answer.shown());
            let shown = text(&answer);
            for word in ["boiler leaks", "Ada Reyes", "555-0142", "+14155550142", theirs.key.last4()] {
                assert!(path.contains("%2B1") || !shown.contains(word), "{method} {path} shows {word}");
            }
        }
        let (_, call) = &pages[2];
        let own = get(app, call, &they).await;
        assert!(text(&own).contains("boiler leaks"), "they see what nobody else does");
        assert!(text(&own).contains("Mark reviewed"), "and it is not reviewed");
        assert_eq!(app.key(&theirs).get("/v1/calls").await.status, 200, "their key was not revoked");
    });
}

#[test]
fn a_role_opens_what_it_permits_and_no_more() {
    on_both(async |app| {
        let (org, pages) = org_with_pages(app).await;
        let path = |number: usize| pages[number].1.as_str();
        let (viewer, member) =
            (person(app, &org, OrgRole::Viewer).await, person(app, &org, OrgRole::Member).await);
        let developer = person(app, &org, OrgRole::Developer).await;
        for number in [5, 7, 8, 10] {
            for (cookie, status) in [(&viewer, 403), (&member, 403), (&developer, 200)] {
                assert_eq!(get(app, path(number), cookie).await.status, status, "{}", path(number));
            }
        }
        for (cookie, status) in [(&viewer, 403), (&member, 303), (&developer, 303)] {
            assert_eq!(post(app, path(6), cookie, "reviewed=yes").await.status, status);
        }
        let shown = text(&get(app, path(2), &viewer).await);
        assert!(
            shown.contains("boiler leaks")
                && !shown.contains("Webhooks sent")
                && !shown.contains("Raw events")
        );
    });
}

#[test]
fn a_form_from_another_site_does_nothing() {
    on_both(async |app| {
        let (org, pages) = org_with_pages(app).await;
        let owner = person(app, &org, OrgRole::Owner).await;
        for header in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("origin", "https://evil.example"),
        ] {
            let form = [
                ("content-type", "application/x-www-form-urlencoded"),
                ("cookie", &*owner),
                ("host", "127.0.0.1"),
                header,
            ];
            let answer = app.anon().send(Method::POST, &pages[6].1, &form, b"reviewed=yes".to_vec()).await;
            assert_eq!(answer.status, 403, "{header:?}");
            assert!(text(&answer).contains("The form came from another site"));
        }
        assert_eq!(app.key(&org).data("/v1/calls").await[0]["reviewed"], false);
        let same = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("cookie", &*owner),
            ("host", "127.0.0.1"),
            ("origin", "http://127.0.0.1"),
        ];
        let answer = app.anon().send(Method::POST, &pages[6].1, &same, b"reviewed=yes".to_vec()).await;
        assert_eq!(answer.status, 303);
        assert_eq!(app.key(&org).data("/v1/calls").await[0]["reviewed"], true);
    });
}

#[test]
fn what_callers_say_stays_text_and_pages_load_nothing_from_elsewhere() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let owner = person(app, &org, OrgRole::Owner).await;
        let evil = "\"><script>alert(1)</script>";
        let turns = json!([{"role": "user", "content": evil}]);
        let call = json!({"external_id": evil, "caller_name": evil, "summary": evil, "intent": evil, "messages": turns,
            "caller_phone": "+14155550142", "ended_reason": evil, "transfer_status": evil, "assistant_id": evil});
        let id = app.key(&org).write_call(call).await["id"].as_str().expect("an id").to_owned();
        for path in [format!("/calls/{id}"), "/calls".into(), "/calls?q=script".into(), "/".into()] {
            let answer = get(app, &path, &owner).await;
            assert!(text(&answer).contains("alert(1)") && !text(&answer).contains("<script>alert"), "{path}");
            let policy = answer.header("content-security-policy");
            assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
            assert_eq!(answer.header("cache-control"), "private, no-store");
            let page = text(&answer);
            let page = page.replace("http://www.w3.org/2000/svg", "").replace("http://127.0.0.1:8080/v1", "");
            assert!(!page.contains("src=\"http") && !page.contains("href=\"http"), "{path}");
        }
        let page = text(&get(app, "/calls", &owner).await);
        let style =
            page.split("href=\"").find(|part| part.starts_with("/assets/app-")).expect("a style sheet");
        let style = style.split('"').next().expect("a path");
        let (gzip, tag) = {
            let answer = app.anon().get_with(style, &[("accept-encoding", "gzip")]).await;
            (answer.header("content-encoding").to_owned(), answer.header("etag").to_owned())
        };
        assert_eq!(gzip, "gzip");
        assert_eq!(app.anon().get_with(style, &[("if-none-match", &tag)]).await.status, 304);
    });
}

#[test]
fn every_number_is_that_of_its_list() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let statuses = ["completed", "failed", "blocked", "in-progress", "forwarding"];
        for (number, status) in statuses.iter().cycle().take(20).enumerate() {
            let call = client.write_call(json!({"external_id": number.to_string(), "status": status})).await;
            let path = format!("/v1/calls/{}", call["id"].as_str().expect("an id"));
            if number % 3 == 0 {
                client.changed(&path, json!({"reviewed": true, "spam": number % 2 == 0})).await;
            }
            if number % 7 == 0 {
                client.changed(&path, json!({"spam": true})).await;
            }
        }
        let counts = org.records.count_calls(None).await.expect("counts");
        let list = async |query: &str| {
            client.data(&format!("/v1/calls?limit=100{query}")).await.as_array().map(Vec::len)
        };
        assert_eq!(list("").await, usize::try_from(counts.total()).ok());
        let views = [
            ("needs_review", CallView::NeedsReview),
            ("in_progress", CallView::InProgress),
            ("failed", CallView::Failed),
            ("set_aside", CallView::SetAside),
        ];
        for (word, view) in views {
            let count = usize::try_from(counts.of(view)).ok();
            assert!(count > Some(0), "{word}");
            assert_eq!(list(&format!("&view={word}")).await, count, "{word}");
        }
        for status in CallStatus::ALL {
            let count = usize::try_from(counts.with(status)).ok();
            assert_eq!(list(&format!("&status={}", status.as_str())).await, count, "{}", status.as_str());
        }
        let later = app.now() + Duration::from_secs(60);
        assert_eq!(list(&format!("&until={}", app.now())).await, Some(0));
        assert_eq!(list(&format!("&until={later}")).await, Some(20));
        let between = async |from: Time, until: Time| {
            let counts = org.records.count_calls_between(vec![from, until]).await.expect("counts");
            usize::try_from(counts[0].total()).ok()
        };
        let (now, earlier) = (app.now(), Time::from_micros(app.now().micros() - 60_000_000));
        assert_eq!(between(earlier, now).await, Some(0));
        assert_eq!(between(now, later).await, list(&format!("&since={now}&until={later}")).await);
    });
}
