//! Settings → API: keys, of which one is shown once, with a command that works as it is.

use askama::Template;
use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use http::StatusCode;
use model::{Permission, Scope, Scopes, Time, id::kind};
use serde::Deserialize;
use store::{KeyRecord, NewKey, OrgStore};

use crate::{
    Dashboard,
    call::Badge,
    error::PageError,
    extract::{Form, Origin, PathIds, Query},
    person::Person,
    shell::{Shell, Tab, page_with},
    show::{Moment, Zone},
};

/// How long a key may be good: the word in the form, what people read, and the days.
const EXPIRIES: [(&str, &str, Option<i64>); 4] = [
    ("never", "No expiry", None),
    ("30", "30 days", Some(30)),
    ("90", "90 days", Some(90)),
    ("365", "1 year", Some(365)),
];

const DAY_MICROS: i64 = 86_400_000_000;

struct KeyRow {
    id: String,
    name: String,
    shown: String,
    scopes: String,
    created: Moment,
    used: Option<Moment>,
    expires: Option<Moment>,
    state: Badge,
    is_good: bool,
}

struct ScopeChoice {
    word: &'static str,
    about: &'static str,
    is_chosen: bool,
}

#[derive(Template)]
#[template(path = "keys.html")]
struct KeysPage {
    shell: Shell,
    rows: Vec<KeyRow>,
    scopes: Vec<ScopeChoice>,
    expiries: Vec<(&'static str, &'static str, bool)>,
    name: String,
    is_restricted: bool,
    /// A key that was just made, and a command with it.
    made: Option<(String, String)>,
    fault: Option<String>,
    is_first: bool,
    zone: String,
}

#[derive(Deserialize)]
pub(crate) struct Arrived {
    #[serde(default)]
    first: String,
}

pub(crate) async fn list_keys(
    State(state): State<Dashboard>,
    person: Person,
    Query(arrived): Query<Arrived>,
) -> Result<Response, PageError> {
    let store = person.door(Permission::ManageKeys)?;
    let shown = Shown { is_first: arrived.first == "1", ..Shown::default() };
    show(&state, &person, &store, shown).await
}

/// What a page of keys says beside the keys.
#[derive(Default)]
struct Shown {
    name: String,
    expiry: String,
    is_restricted: bool,
    chosen: Vec<String>,
    made: Option<(String, String)>,
    fault: Option<String>,
    is_first: bool,
}

async fn show(
    state: &Dashboard,
    person: &Person,
    store: &OrgStore,
    shown: Shown,
) -> Result<Response, PageError> {
    let (zone, now) = (person.zone(state), state.clock.now());
    let keys = store.list_keys().await?;
    let scope = |scope: Scope| ScopeChoice {
        word: scope.as_str(),
        about: scope.about(),
        is_chosen: shown.chosen.iter().any(|word| word == scope.as_str()),
    };
    let status = if shown.fault.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let template = KeysPage {
        shell: person.shell(state, "API keys", Tab::Keys),
        rows: keys.iter().map(|key| row(key, &zone, now)).collect(),
        scopes: Scope::ALL.into_iter().map(scope).collect(),
        expiries: EXPIRIES.map(|(word, label, _)| (word, label, word == shown.expiry)).to_vec(),
        name: shown.name,
        is_restricted: shown.is_restricted,
        made: shown.made,
        fault: shown.fault,
        is_first: shown.is_first,
        zone: zone.name,
    };
    page_with(status, &template)
}

fn row(key: &KeyRecord, zone: &Zone, now: Time) -> KeyRow {
    let expired = key.expires_at.is_some_and(|at| at <= now);
    let state = match (key.revoked_at, expired) {
        (Some(_), _) => Badge::new("Revoked", "ban", "quiet"),
        (None, true) => Badge::new("Expired", "clock", "warn"),
        (None, false) => Badge::new("Active", "check", "good"),
    };
    KeyRow {
        id: key.id.to_string(),
        name: key.name.clone(),
        shown: format!("sk_live_…{}", key.last4),
        scopes: match &key.scopes {
            Scopes::All => "everything".to_owned(),
            scopes => scopes.words().join(", "),
        },
        created: zone.moment(key.created_at),
        used: key.last_used_at.map(|at| zone.moment(at)),
        expires: key.expires_at.map(|at| zone.moment(at)),
        is_good: key.revoked_at.is_none() && !expired,
        state,
    }
}

pub(crate) async fn create_key(
    State(state): State<Dashboard>,
    person: Person,
    Origin(origin): Origin,
    fields: Form,
) -> Result<Response, PageError> {
    let store = person.door(Permission::ManageKeys)?;
    let (name, expiry) = (fields.text("name").to_owned(), fields.text("expiry").to_owned());
    let chosen: Vec<String> = fields.all("scope").map(str::to_owned).collect();
    let is_restricted = fields.text("access") == "restricted";
    let mut shown =
        Shown { name: name.clone(), expiry: expiry.clone(), is_restricted, chosen, ..Shown::default() };
    let scopes =
        if is_restricted { Scopes::parse_list(&shown.chosen.join(",")).ok() } else { Some(Scopes::All) };
    let days = EXPIRIES.into_iter().find(|(word, ..)| *word == expiry).map(|(.., days)| days);
    let (scopes, days) = match (scopes, days) {
        _ if name.is_empty() || name.chars().count() > 100 => {
            shown.fault = Some("Give the key a name of at most 100 characters: what it is for.".into());
            return show(&state, &person, &store, shown).await;
        }
        _ if !is_restricted && !shown.chosen.is_empty() => {
            shown.fault = Some("Say whether the key may do everything, or only what is ticked below.".into());
            return show(&state, &person, &store, shown).await;
        }
        (Some(scopes), Some(days)) => (scopes, days),
        (None, _) => {
            shown.fault = Some("Choose at least one thing that a restricted key may do.".into());
            return show(&state, &person, &store, shown).await;
        }
        (_, None) => return Err(PageError::bad_request("That expiry is not one of those there are.")),
    };
    let expires_at = days.map(|days| state.clock.now().plus_micros(days * DAY_MICROS));
    let (_, key) = store.create_key(NewKey { name, expires_at, rate_limit: None, scopes }).await?;
    let curl = format!("curl {origin}/v1/calls -H \"Authorization: Bearer {}\"", key.reveal());
    shown = Shown { made: Some((key.reveal().to_owned(), curl)), ..Shown::default() };
    show(&state, &person, &store, shown).await
}

pub(crate) async fn revoke_key(person: Person, ids: PathIds) -> Result<Response, PageError> {
    let id = ids.id::<kind::Key>(0, "API key")?;
    let revoked = person.door(Permission::ManageKeys)?.revoke_key(id).await?;
    revoked.ok_or_else(|| PageError::not_found("API key"))?;
    Ok(Redirect::to("/settings/api").into_response())
}
