//! The pages of the settings: integrations.

use std::time::Duration;

use model::{OrgRole, Platform, Time};
use serde_json::json;
use store::Endpoint;

use super::dashboard::{get, org_with_pages, person, post, text};
use crate::support::{Org, Receiver, Reply, Setup, TestApp, on_both, on_both_with};

/// What fills in every form so far that it is not refused for what is in it.
pub(super) const FILLED: &str = "reviewed=yes&name=Mine&expiry=never&do=save&url=https://example.com/hook\
                      &event=lead.created&state=paused&overlap=0&platform=vapi&status=booked\
                      &starts_at=2026-03-02T10:00";

pub(super) async fn set(app: &TestApp) -> (Org, String, Receiver) {
    let org = app.org("Harbor Plumbing").await;
    let owner = person(app, &org, OrgRole::Owner).await;
    (org, owner, Receiver::start().await)
}

async fn endpoints(org: &Org) -> Vec<Endpoint> {
    org.records.list_endpoints().await.expect("a list")
}

/// The value of the first field with a name.
fn field(page: &str, name: &str) -> String {
    let rest = page.split_once(&format!("name=\"{name}\" value=\"")).expect("the field").1;
    rest.split('"').next().expect("a value").to_owned()
}

const NEW: &str = "/settings/integrations/new";

#[test]
fn an_endpoint_is_tried_before_it_is_saved_and_nothing_typed_is_lost() {
    on_both(async |app| {
        let (org, owner, receiver) = set(app).await;
        let form = text(&get(app, "/settings/integrations/new?tool=make", &owner).await);
        assert!(form.contains("Connect Make") && form.contains("Custom webhook"), "{form}");
        assert_eq!(form.matches(" checked").count(), 4, "the documented events are ticked");

        let typed = |what: &str, url: &str| {
            format!(
                "tool=make&do={what}&url={url}&event=lead.created&event=call.started&description=Into+the+CRM"
            )
        };
        let kept = |page: &str| {
            assert!(page.contains("Into the CRM") && page.contains("Connect Make"), "{page}");
            assert_eq!(page.matches(" checked").count(), 2, "{page}");
        };
        let shown = post(app, NEW, &owner, &typed("test", &receiver.url("/hook"))).await;
        let page = text(&shown);
        assert_eq!(shown.status, 200);
        assert!(
            page.contains("The test arrived") && page.contains("&#34;event&#34;: &#34;lead.created&#34;")
        );
        kept(&page);
        assert_eq!(receiver.take().len(), 1);

        receiver.reply([Reply(404, &[])]);
        let page = text(&post(app, NEW, &owner, &typed("test", &receiver.url("/hook"))).await);
        assert!(page.contains("The test did not arrive") && page.contains("The receiver answered 404."));
        assert!(page.contains("whether the workflow behind it is turned on"), "what to do is said");
        kept(&page);
        receiver.take();

        for what in ["test", "save"] {
            let refused = post(app, NEW, &owner, &typed(what, "http://example.com/hook")).await;
            assert_eq!(refused.status, 422);
            assert!(text(&refused).contains("The URL must begin with https://"), "{}", text(&refused));
            kept(&text(&refused));
        }
        let none = post(app, NEW, &owner, "do=save&url=https://example.com/hook").await;
        assert!(text(&none).contains("Choose at least one event."));
        assert!(endpoints(&org).await.is_empty(), "nothing was saved by any of it");
    });
}

#[test]
fn a_form_that_is_sent_twice_makes_one_endpoint_whose_secret_is_shown_by_it_alone() {
    on_both(async |app| {
        let (org, owner, _) = set(app).await;
        let once = field(&text(&get(app, NEW, &owner).await), "once");
        let form =
            format!("once={once}&tool=zapier&do=save&url=https://hooks.example.com/a&event=call.completed");
        let (first, again) = (post(app, NEW, &owner, &form).await, post(app, NEW, &owner, &form).await);
        assert_eq!((first.status.as_u16(), text(&first)), (200, text(&again)));
        let all = endpoints(&org).await;
        assert_eq!((all.len(), all[0].events.as_slice()), (1, &["call.completed".to_owned()][..]));
        let secret = all[0].secret.as_deref().expect("a secret");
        assert!(text(&first).contains(secret), "it is told once");
        let other = post(app, NEW, &owner, &form.replace("/a&", "/b&")).await;
        assert_eq!(other.status, 409, "the form was saved with other words");
        let list = text(&get(app, "/settings/integrations", &owner).await);
        assert!(list.contains("hooks.example.com") && list.contains("Enabled") && !list.contains(secret));

        let four = "do=save&url=https://example.com&event=call.completed&event=call.transferred\
                    &event=appointment.booked&event=lead.created";
        post(app, NEW, &owner, four).await;
        assert!(
            endpoints(&org).await[1].events.is_empty(),
            "the documented four are what the API calls `all`"
        );
    });
}

/// Five calls whose webhooks an endpoint does not take: then its circuit is open.
async fn break_it(app: &TestApp, org: &Org, receiver: &Receiver) {
    receiver.reply([Reply(500, &[]); 5]);
    for name in ["a", "b", "c", "d", "e"] {
        app.key(org).write_call(json!({"external_id": name, "summary": name})).await;
        app.settle().await;
    }
    receiver.take();
}

#[test]
fn the_page_of_an_endpoint_says_what_is_wrong_and_has_all_sent_that_waits() {
    on_both(async |app| {
        let (org, owner, receiver) = set(app).await;
        let endpoint = org.endpoint(&receiver.url("/hook")).await.id;
        let path = format!("/settings/integrations/{endpoint}");
        let page = text(&get(app, &path, &owner).await);
        assert!(page.contains("It is told as things happen") && page.contains("None yet"), "{page}");

        break_it(app, &org, &receiver).await;
        let page = text(&get(app, &path, &owner).await);
        assert!(
            page.contains("Failing</span>") && page.contains("The last 5 tries failed, since Tue, 24 Feb")
        );
        assert!(page.contains("The last failure: the receiver answered 500."), "{page}");
        let owed = format!("/deliveries?state=retrying&#38;webhook={endpoint}");
        assert!(page.contains(&format!("href=\"{owed}\">5 to be tried again")), "{page}");
        let listed = text(&get(app, &owed.replace("&#38;", "&"), &owner).await);
        assert_eq!(listed.matches("class=\"row-link").count(), 5, "the number is that of its list");
        let list = text(&get(app, "/settings/integrations", &owner).await);
        assert!(list.contains("Failing</span>") && list.contains("5 to be tried again"));

        let sent = post(app, &format!("{path}/state"), &owner, "state=enabled").await;
        assert_eq!((sent.status.as_u16(), sent.header("location")), (303, &*path));
        app.settle().await;
        assert_eq!(receiver.take().len(), 5, "all that waited was sent");
        let page = text(&get(app, &path, &owner).await);
        assert!(page.contains("Enabled") && !page.contains("to be tried again"), "{page}");
    });
}

#[test]
fn who_enables_an_endpoint_chooses_what_becomes_of_what_was_held() {
    on_both(async |app| {
        let (org, owner, receiver) = set(app).await;
        let endpoint = org.endpoint(&receiver.url("/hook")).await.id;
        let path = format!("/settings/integrations/{endpoint}");
        let state = format!("{path}/state");
        let call = async |name: &str| {
            app.key(&org).write_call(json!({"external_id": name, "summary": name})).await;
            app.settle().await;
        };
        // Each way with two calls, ten minutes before and ten minutes after 21:05.
        for (name, choice, sent) in [("all", "deliver", 2), ("none", "discard", 0), ("new", "after", 1)] {
            assert_eq!(post(app, &state, &owner, "state=paused").await.status, 303);
            call(&format!("{name}-old")).await;
            let between = Zoned::at(app.now() + Duration::from_secs(300));
            app.tick(Duration::from_secs(600)).await;
            call(&format!("{name}-new")).await;
            assert_eq!(receiver.take().len(), 0, "nothing is sent while it is paused");
            let page = text(&get(app, &path, &owner).await);
            assert!(page.contains("Somebody paused it") && page.contains("2 held"), "{page}");
            let wrong = post(app, &state, &owner, "state=enabled&held=after&after=soon").await;
            assert_eq!(wrong.status, 422);
            assert!(
                text(&wrong).contains("Say from which day and time on.")
                    && text(&wrong).contains("value=\"soon\"")
            );
            let form = format!("state=enabled&held={choice}&after={}", between.0);
            assert_eq!(post(app, &state, &owner, &form).await.status, 303);
            app.settle().await;
            assert_eq!(receiver.take().len(), sent, "{choice}");
        }
    });
}

/// A time as a field of a form has it, in UTC.
struct Zoned(String);

impl Zoned {
    fn at(time: Time) -> Self {
        Self(time.to_string().chars().take(16).collect())
    }
}

#[test]
fn an_endpoint_is_changed_tested_given_a_new_secret_and_deleted() {
    on_both(async |app| {
        let (org, owner, receiver) = set(app).await;
        let before = org.endpoint(&receiver.url("/hook")).await;
        let path = format!("/settings/integrations/{}", before.id);
        let changed = format!("url={}&event=lead.created&description=Our+CRM", receiver.url("/other"));
        assert_eq!(post(app, &path, &owner, &changed).await.status, 303);
        let wrong =
            post(app, &path, &owner, "url=ftp://example.com&event=call.started&description=Typed").await;
        assert_eq!(wrong.status, 422);
        let page = text(&wrong);
        assert!(
            page.contains("must begin with https://, not ftp:") && page.contains("value=\"Typed\""),
            "{page}"
        );
        let now = endpoints(&org).await.remove(0);
        assert_eq!(
            (now.description.as_deref(), now.events),
            (Some("Our CRM"), vec!["lead.created".to_owned()])
        );

        let tested = text(&post(app, &format!("{path}/test"), &owner, "").await);
        assert!(tested.contains("The test arrived"), "{tested}");
        let got = receiver.take();
        assert_eq!((got.len(), got[0].path.as_str()), (1, "/other"));
        got[0].verify(before.secret.as_deref().expect("a secret"));

        let form = "once=a&overlap=3600";
        let (first, again) = (
            text(&post(app, &format!("{path}/secret"), &owner, form).await),
            text(&post(app, &format!("{path}/secret"), &owner, form).await),
        );
        let now = endpoints(&org).await.remove(0);
        let secret = now.secret.as_deref().expect("a secret");
        assert_ne!(now.secret, before.secret);
        assert_eq!(now.previous_secret, before.secret, "the form that came twice made one secret");
        for page in [first, again] {
            assert!(page.contains(secret) && page.contains("is good beside it until"), "{page}");
            assert!(page.contains("22:00:00"), "an hour from now: {page}");
        }
        assert!(!text(&get(app, &path, &owner).await).contains(secret), "it is shown once");
        assert_eq!(post(app, &format!("{path}/secret"), &owner, "do=expire").await.status, 303);
        assert_eq!(endpoints(&org).await[0].previous_secret, None);
        assert_eq!(post(app, &format!("{path}/secret"), &owner, "overlap=9999999").await.status, 400);

        assert_eq!(post(app, &format!("{path}/delete"), &owner, "").await.status, 303);
        assert!(endpoints(&org).await.is_empty());
        assert_eq!(get(app, &path, &owner).await.status, 404);
    });
}

#[test]
fn a_forward_is_shown_as_one_and_keeps_its_messages() {
    on_both(async |app| {
        let (org, owner, _) = set(app).await;
        let source = org.source(Platform::Vapi).await.source;
        let body = json!({"url": "https://example.com/copy"});
        app.key(&org).post(&format!("/v1/sources/{source}/forwards"), &body).await;
        let forward = endpoints(&org).await.remove(0);
        let path = format!("/settings/integrations/{}", forward.id);
        let page = text(&get(app, &path, &owner).await);
        assert!(page.contains("own messages, as they come") && !page.contains("name=\"event\""), "{page}");
        assert_eq!(post(app, &format!("{path}/test"), &owner, "").await.status, 409);
        assert_eq!(post(app, &path, &owner, "url=https://example.com/other").await.status, 303);
        let now = endpoints(&org).await.remove(0);
        assert_eq!((now.url.as_str(), now.events), ("https://example.com/other", forward.events));
    });
}

#[test]
fn the_settings_are_for_whoever_connects_systems() {
    on_both(async |app| {
        let (org, pages) = org_with_pages(app).await;
        let roles = [OrgRole::Viewer, OrgRole::Member, OrgRole::Developer, OrgRole::Admin];
        for role in roles {
            let (cookie, may) =
                (person(app, &org, role).await, !matches!(role, OrgRole::Viewer | OrgRole::Member));
            let overview = text(&get(app, "/", &cookie).await);
            assert_eq!(
                overview.contains("href=\"/settings/"),
                may,
                "{role:?}: a page that is closed has no entry"
            );
            for (method, path) in pages.iter().filter(|(_, path)| path.starts_with("/settings")) {
                let status = match *method {
                    "GET" => get(app, path, &cookie).await.status,
                    // What is there to be changed is changed only once.
                    _ if may => continue,
                    _ => post(app, path, &cookie, FILLED).await.status,
                };
                assert_eq!(status, if may { 200 } else { 403 }, "{role:?}: {method} {path}");
            }
        }
        assert_eq!(endpoints(&org).await.len(), 1, "who may not make one made none");
    });
}

#[test]
fn an_endpoint_that_is_about_to_be_turned_off_says_when_and_then_why_and_what_to_do() {
    on_both(async |app| {
        let (org, _, receiver) = set(app).await;
        let endpoint = org.endpoint(&receiver.url("/hook")).await.id;
        let path = format!("/settings/integrations/{endpoint}");
        break_it(app, &org, &receiver).await;
        receiver.reply([Reply(500, &[]); 10]);
        let after = async |days: u32| {
            for _ in 0..2 * days {
                app.tick(Duration::from_secs(12 * 3600)).await;
            }
        };
        after(4).await;
        // Sessions of tests last an hour.
        let page = text(&get(app, &path, &person(app, &org, OrgRole::Admin).await).await);
        assert!(
            page.contains("If it takes nothing until Sun, 1 Mar 2026, 21:00:00 UTC, it is turned off."),
            "{page}"
        );
        after(1).await;
        let developer = person(app, &org, OrgRole::Developer).await;
        let page = text(&get(app, &path, &developer).await);
        assert!(page.contains("Turned off</span>") && page.contains("It took nothing for days"), "{page}");
        assert!(page.contains("the receiver answered 500") && page.contains("5 held"), "{page}");
        receiver.take();
        post(app, &format!("{path}/state"), &developer, "state=enabled&held=deliver").await;
        app.settle().await;
        assert_eq!(receiver.take().len(), 5, "what was held is sent");
    });
}

#[test]
fn what_was_given_up_is_counted_and_sent_again_together() {
    on_both_with(Setup { schedule: Some("1s"), ..Setup::unhurried() }, async |app| {
        let (org, owner, receiver) = set(app).await;
        let endpoint = org.endpoint(&receiver.url("/hook")).await.id;
        let path = format!("/settings/integrations/{endpoint}");
        for name in ["a", "b"] {
            receiver.reply([Reply(500, &[]); 2]);
            app.key(&org).write_call(json!({"external_id": name, "summary": name})).await;
            app.settle().await;
            app.tick(Duration::from_secs(2)).await;
        }
        receiver.take();
        let page = text(&get(app, &path, &owner).await);
        let list = format!("/deliveries?state=exhausted&webhook={endpoint}");
        assert!(page.contains(&format!("href=\"{}\">2 given up", list.replace('&', "&#38;"))), "{page}");
        assert_eq!(text(&get(app, &list, &owner).await).matches("class=\"row-link").count(), 2);
        let form = format!("once={}", field(&page, "once"));
        for _ in 0..2 {
            let sent = post(app, &format!("{path}/recover"), &owner, &form).await;
            assert_eq!((sent.status.as_u16(), sent.header("location")), (303, &*path));
        }
        app.settle().await;
        assert_eq!(receiver.take().len(), 2, "each is sent once more");
        assert!(!text(&get(app, &path, &owner).await).contains("given up"), "none is left");
    });
}
