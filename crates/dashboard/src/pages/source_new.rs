//! A new source: which platform, and then its address and what is to be done with it there.

use askama::Template;
use axum::{extract::State, response::Response};
use connectors::OwnSecret;
use http::StatusCode;
use model::{Permission, Platform, SourceId, is_usable_secret};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{ListedSource, NewSource};

use super::source::{self, Shown, missing};
use crate::{
    Dashboard,
    error::PageError,
    extract::{Form, Origin, Query},
    fault::{Fault, Faults},
    once,
    person::Person,
    platforms,
    shell::{Shell, Tab, page, page_with},
};

#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    platform: String,
}

#[derive(Template)]
#[template(path = "source_choice.html")]
struct ChoicePage {
    shell: Shell,
    platforms: Vec<(&'static str, &'static str)>,
}

#[derive(Template)]
#[template(path = "source_new.html")]
struct NewPage {
    shell: Shell,
    platform: &'static str,
    word: &'static str,
    own_secret: Option<OwnSecret>,
    steps: &'static [&'static str],
    once: String,
    name: String,
    fault: Faults,
}

impl NewPage {
    fn new(person: &Person, state: &Dashboard, platform: Platform, once: String, name: String) -> Self {
        let title = format!("Connect {}", platforms::name(platform));
        Self {
            shell: person.shell(state, title, Tab::Sources),
            platform: platforms::name(platform),
            word: platform.as_str(),
            own_secret: platforms::own_secret(platform),
            steps: platforms::steps(platform),
            once,
            name,
            fault: Faults(None),
        }
    }
}

pub(crate) async fn show_form(
    State(state): State<Dashboard>,
    person: Person,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    person.door(Permission::ManageSources)?;
    match platforms::named(&asked.platform) {
        Some(platform) => {
            let name = platforms::name(platform).to_owned();
            page(&NewPage::new(&person, &state, platform, once::fresh(&*state.ids), name))
        }
        None => page(&ChoicePage {
            shell: person.shell(&state, "Connect a platform", Tab::Sources),
            platforms: platforms::all().map(|it| (it.as_str(), platforms::name(it))).collect(),
        }),
    }
}

/// A source that was just made, or given a secret of ours: kept for when the form comes again.
#[derive(Deserialize, Serialize)]
pub(crate) struct Made {
    id: SourceId,
    /// Nothing, where the platform gave it out.
    pub(crate) secret: Option<String>,
}

impl Made {
    pub(crate) fn json(listed: &ListedSource) -> String {
        let source = &listed.source;
        let secret = platforms::takes_ours(source.platform).then(|| source.secret.clone());
        // An id and a text: there is nothing in them that JSON could not hold.
        serde_json::to_string(&Self { id: source.id, secret }).unwrap_or_else(|_| "null".into())
    }
}

pub(crate) async fn create_source(
    State(state): State<Dashboard>,
    person: Person,
    Origin(origin): Origin,
    fields: Form,
) -> Result<Response, PageError> {
    let store = person.door(Permission::ManageSources)?;
    let platform = platforms::named(fields.text("platform"))
        .ok_or_else(|| PageError::bad_request("Choose one of the platforms."))?;
    let (name, once) = (fields.text("name").to_owned(), once::key(&fields, &*state.ids));
    let typed = Some(fields.text("secret").to_owned()).filter(|text| !text.is_empty());
    if let Err(fault) = check_name(&name).and_then(|()| check_secret(platform, typed.as_deref())) {
        let again =
            NewPage { fault: Faults(Some(fault)), ..NewPage::new(&person, &state, platform, once, name) };
        return page_with(StatusCode::UNPROCESSABLE_ENTITY, &again);
    }
    let secret = typed.unwrap_or_else(|| store::generate_secret(&*state.ids));
    let new = NewSource { platform, name, secret, settings: Value::Null };
    let once = once::idempotency(&once, "POST /settings/sources/new", &fields);
    let written = store.create_source_once(new, None, Some(once), Made::json).await?;
    let Made { id, secret } = serde_json::from_str(&once::kept(written)?)?;
    let listed = store.get_source(id).await?.ok_or_else(missing)?;
    let shown = Shown { made: secret, is_new: true, ..Shown::default() };
    source::show(&state, &person, &origin, listed, shown).await
}

/// What a source may be called.
pub(crate) fn check_name(name: &str) -> Result<(), Fault> {
    let is_good = (1..=200).contains(&name.chars().count());
    if is_good { Ok(()) } else { Err(("name", "Give it a name of at most 200 characters.".into())) }
}

/// What was typed as a platform's own secret; nothing, where the platform shows it only later or takes ours.
fn check_secret(platform: Platform, secret: Option<&str>) -> Result<(), Fault> {
    let needs = platforms::own_secret(platform).is_some_and(|own| own.is_first);
    match secret {
        None if needs => Err(("secret", "Paste what the platform signs with.".into())),
        Some(secret) if !is_usable_secret(secret) => Err(("secret", "Use at most 1000 characters.".into())),
        _ => Ok(()),
    }
}
