//! The pages of the settings: voice platforms.

use model::{PlacedPage, Platform};
use serde_json::json;

use super::{
    dashboard::{get, post, text},
    settings::set,
};
use crate::support::{Signing, booking, on_both, report};

const NEW_SOURCE: &str = "/settings/sources/new";

#[test]
fn a_platform_is_connected_once_with_an_address_a_secret_and_its_own_words() {
    on_both(async |app| {
        let (org, owner, _) = set(app).await;
        let choice = text(&get(app, NEW_SOURCE, &owner).await);
        for platform in Platform::ALL.into_iter().filter(|platform| *platform != Platform::Api) {
            assert!(choice.contains(&format!("?platform={}\"", platform.as_str())), "{platform:?}");
        }
        assert_eq!(get(app, "/settings/sources/new?platform=vapi", &owner).await.status, 200);
        let form = "once=a&platform=vapi&name=Front+desk";
        let (first, again) =
            (post(app, NEW_SOURCE, &owner, form).await, post(app, NEW_SOURCE, &owner, form).await);
        let sources = org.records.find_sources(PlacedPage { limit: 10, from: None, since: None }).await;
        let made = sources.expect("a list").records;
        assert_eq!(
            (made.len(), made[0].source.name.as_str()),
            (1, "Front desk"),
            "sent twice, it is made once"
        );
        let source = &made[0].source;
        for page in [text(&first), text(&again)] {
            assert!(
                page.contains(&format!("/ingest/vapi/{}", source.id)) && page.contains(&source.secret),
                "{page}"
            );
            assert!(page.contains("Server URL") && page.contains("Waiting for the first event"), "{page}");
        }
        let page = text(&get(app, &format!("/settings/sources/{}", source.id), &owner).await);
        assert!(!page.contains(&source.secret), "the secret is shown once");

        let missing = post(app, NEW_SOURCE, &owner, "platform=twilio&name=Twilio").await;
        assert_eq!(missing.status, 422);
        assert!(text(&missing).contains("Paste what the platform signs with."));
        let given = post(app, NEW_SOURCE, &owner, "platform=twilio&name=Twilio&secret=theirs-and-long").await;
        assert_eq!(given.status, 200);
        assert!(!text(&given).contains("theirs-and-long"), "what was pasted is not shown again");
        assert_eq!(post(app, NEW_SOURCE, &owner, "platform=api&name=x").await.status, 400);
        let synthflow = text(&post(app, NEW_SOURCE, &owner, "platform=synthflow&name=S").await);
        assert!(synthflow.contains("Address with the secret at its end"), "{synthflow}");
    });
}

#[test]
fn an_event_that_is_refused_shows_at_once_with_the_reason_and_is_read_when_a_person_vouches_for_it() {
    on_both(async |app| {
        let (org, owner, _) = set(app).await;
        let source = org.source(Platform::Vapi).await;
        let path = format!("/settings/sources/{}", source.source);
        let waits = |page: &str| page.contains(&format!("data-wait=\"{path}\""));
        assert!(waits(&text(&get(app, &path, &owner).await)));
        let wrong =
            Signing { secret: "not the secret".into(), platform: source.platform, source: source.source };
        wrong.post(app, &report("a", json!("+14155550142"), booking())).await;
        let page = text(&get(app, &path, &owner).await);
        assert!(
            waits(&page) && page.contains("Rejected</span>") && page.contains("It did not get through"),
            "{page}"
        );
        let (_, reason) = org.inbox(source.source).await.remove(0);
        assert!(page.contains(&reason.expect("a reason")), "the reason is said: {page}");

        let id = app.key(&org).data(&format!("/v1/sources/{}/events", source.source)).await[0]["id"].clone();
        let event = format!("{path}/events/{}", id.as_str().expect("an id"));
        let page = text(&get(app, &event, &owner).await);
        assert!(
            page.contains("end-of-call-report</h1>")
                && page.contains("its sender was not proven")
                && page.contains("boiler leaks"),
            "{page}"
        );
        assert_eq!(post(app, &format!("{event}/reprocess"), &owner, "").await.status, 409);
        let read = post(app, &format!("{event}/reprocess"), &owner, "accept=yes").await;
        assert_eq!((read.status.as_u16(), read.header("location")), (303, &*format!("{event}?read=again")));
        let page = text(&get(app, read.header("location"), &owner).await);
        assert!(
            page.contains("Accepted</span>")
                && page.contains("Open the call")
                && page.contains("read again just now")
        );
        assert!(page.contains("caller phone") && page.contains("+14155550142"), "what it became: {page}");
        let page = text(&get(app, &path, &owner).await);
        assert!(!waits(&page) && page.contains("The platform is connected."), "{page}");
        wrong.post(app, &report("b", json!("+14155550143"), booking())).await;
        let page = text(&get(app, &path, &owner).await);
        assert!(!waits(&page) && page.contains("others before it did"), "a stranger undoes nothing: {page}");
        let list = text(&get(app, "/settings/sources", &owner).await);
        assert!(list.contains("1 call") && list.contains("Connected"), "{list}");
        let none = text(&get(app, &format!("{path}?outcome=failed"), &owner).await);
        assert!(none.contains("No event is “Failed”") && none.contains("Show all events"), "{none}");
    });
}

#[test]
fn a_source_is_renamed_given_a_new_secret_and_deleted() {
    on_both(async |app| {
        let (org, owner, _) = set(app).await;
        let source = org.source(Platform::Vapi).await;
        let path = format!("/settings/sources/{}", source.source);
        let get_source = async || org.records.get_source(source.source).await.expect("a read");
        assert_eq!(post(app, &path, &owner, "name=Reception").await.status, 303);
        let empty = post(app, &path, &owner, "name=").await;
        assert_eq!(empty.status, 422);
        assert!(text(&empty).contains("Give it a name"));
        let page = text(&post(app, &format!("{path}/secret"), &owner, "once=a&overlap=86400").await);
        let again = text(&post(app, &format!("{path}/secret"), &owner, "once=a&overlap=86400").await);
        let now = get_source().await.expect("a source").source;
        assert!(
            page.contains(&now.secret)
                && again.contains(&now.secret)
                && page.contains("is accepted too, until")
        );
        assert_eq!((now.name.as_str(), now.previous_secret), ("Reception", Some(source.secret.clone())));

        let retell = org.source(Platform::Retell).await;
        let theirs = format!("/settings/sources/{}/secret", retell.source);
        assert_eq!(post(app, &theirs, &owner, "overlap=0").await.status, 422, "Retell gives out its secret");
        assert_eq!(post(app, &theirs, &owner, "overlap=0&secret=key_of_retell").await.status, 303);

        assert_eq!(post(app, &format!("{path}/delete"), &owner, "").await.status, 303);
        assert!(get_source().await.is_none());
        assert_eq!(get(app, &path, &owner).await.status, 404);
    });
}

#[test]
fn what_owners_and_platforms_write_stays_text() {
    on_both(async |app| {
        let (org, owner, _) = set(app).await;
        let evil = "\"><script>alert(1)</script>";
        let client = app.key(&org);
        let hook = json!({"url": "https://example.com", "events": ["lead.updated"], "description": evil});
        let webhook = client.made("/v1/webhooks", hook).await["id"].as_str().expect("an id").to_owned();
        let source = client.made("/v1/sources", json!({"platform": "custom", "name": evil})).await;
        let (id, secret) =
            (source["id"].as_str().expect("an id"), source["secret"].as_str().expect("a secret"));
        let said = json!({"event": evil, "call_id": evil, "caller_name": evil, "summary": evil, "status": "completed"});
        let path = format!("/ingest/custom/{id}/{secret}");
        assert_eq!(app.anon().post(&path, &said).await.status, 200);
        let event = client.data(&format!("/v1/sources/{id}/events")).await[0]["id"]
            .as_str()
            .expect("an id")
            .to_owned();
        for path in [
            "/settings/integrations".to_owned(),
            format!("/settings/integrations/{webhook}"),
            "/settings/sources".to_owned(),
            format!("/settings/sources/{id}"),
            format!("/settings/sources/{id}/events/{event}"),
        ] {
            let page = text(&get(app, &path, &owner).await);
            assert!(page.contains("alert(1)") && !page.contains("<script>alert"), "{path}: {page}");
        }
    });
}

#[test]
fn a_day_with_a_wrong_secret_is_read_at_once_when_a_person_vouches_for_it() {
    on_both(async |app| {
        let (org, owner, _) = set(app).await;
        let source = org.source(Platform::Vapi).await;
        let path = format!("/settings/sources/{}", source.source);
        let wrong =
            Signing { secret: "not the secret".into(), platform: source.platform, source: source.source };
        for (name, phone) in [("a", "+14155550142"), ("b", "+14155550143"), ("c", "+14155550144")] {
            wrong.post(app, &report(name, json!(phone), booking())).await;
        }
        let again = format!("{path}/reprocess");
        assert_eq!(
            post(app, &again, &owner, "outcome=rejected").await.status,
            400,
            "nobody vouched for them"
        );
        assert_eq!(post(app, &again, &owner, "outcome=accepted&accept=yes").await.status, 400);
        let list = text(&get(app, &format!("{path}?outcome=rejected"), &owner).await);
        assert!(list.contains("Read all of these again") && list.contains("data-confirm="), "{list}");
        let read = post(app, &again, &owner, "outcome=rejected&accept=yes").await;
        let there = format!("{path}?outcome=rejected&read=3&accepted=3");
        assert_eq!((read.status.as_u16(), read.header("location")), (303, &*there));
        let list = text(&get(app, &there, &owner).await);
        assert!(list.contains("3 events were read again, of which 3 now say something of a call."), "{list}");
        assert!(
            list.contains("No event is “Rejected”") && !list.contains("Read all of these again"),
            "{list}"
        );
        assert_eq!(app.key(&org).data("/v1/calls").await.as_array().map(Vec::len), Some(3));
    });
}
