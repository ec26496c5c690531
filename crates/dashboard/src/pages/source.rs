//! A source: its address and secret, whether events arrive, and what became of each.

use askama::Template;
use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use connectors::OwnSecret;
use http::StatusCode;
use model::{Permission, SourceId, id::kind, is_usable_secret, last4};
use store::{ListedSource, OrgStore, Rotation, SourceChange};

use super::{
    source_events::{Asked, Events},
    source_new::{Made, check_name},
};
use crate::{
    Dashboard,
    error::PageError,
    extract::{Form, Origin, PathIds, Query},
    fault::{Fault, Faults},
    once,
    person::Person,
    platforms,
    shell::{Shell, Tab, page_with},
    show::Moment,
};

/// What was just asked of the page, and what came of it.
#[derive(Default)]
pub(crate) struct Shown {
    pub(crate) asked: Asked,
    pub(crate) fault: Option<Fault>,
    /// A name that was typed and not taken.
    pub(crate) name: Option<String>,
    /// A secret of ours that is new, shown this once.
    pub(crate) made: Option<String>,
    /// Whether the source is.
    pub(crate) is_new: bool,
}

#[derive(Template)]
#[template(path = "source.html")]
struct SourcePage {
    shell: Shell,
    id: String,
    name: String,
    typed_name: String,
    platform: &'static str,
    url: String,
    is_local: bool,
    secret: Option<String>,
    secret_url: Option<String>,
    made: Option<String>,
    is_new: bool,
    own_secret: Option<OwnSecret>,
    overlap: Option<Moment>,
    steps: &'static [&'static str],
    events: Events,
    once: String,
    fault: Faults,
    zone: String,
}

/// Where a source's page is.
pub(crate) fn address(id: SourceId) -> String {
    format!("/settings/sources/{id}")
}

pub(crate) fn missing() -> PageError {
    let text = "There is no voice platform at this address. It may have been deleted.".to_owned();
    let next = ("/settings/sources", "Back to the voice platforms");
    PageError::said(StatusCode::NOT_FOUND, "Not found", text, next)
}

/// The source that a page is of, if the person's organization has it and they may manage it.
pub(crate) async fn find(person: &Person, ids: &PathIds) -> Result<(OrgStore, ListedSource), PageError> {
    let id = ids.id::<kind::Source>(0, "voice platform")?;
    let store = person.door(Permission::ManageSources)?;
    let listed = store.get_source(id).await?.ok_or_else(missing)?;
    Ok((store, listed))
}

pub(crate) async fn show_source(
    State(state): State<Dashboard>,
    person: Person,
    Origin(origin): Origin,
    ids: PathIds,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let (_, listed) = find(&person, &ids).await?;
    show(&state, &person, &origin, listed, Shown { asked, ..Shown::default() }).await
}

pub(crate) async fn show(
    state: &Dashboard,
    person: &Person,
    origin: &str,
    listed: ListedSource,
    shown: Shown,
) -> Result<Response, PageError> {
    let (store, zone) = (person.door(Permission::ReadMessages)?, person.zone(state));
    let source = listed.source;
    let events = Events::of(&store, source.id, &shown.asked, &zone).await?;
    let url = format!("{origin}{}", source.platform.source_path(source.id));
    let status = if shown.fault.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let secret_url = shown
        .made
        .as_ref()
        .filter(|_| takes_path_secret(&source))
        .map(|secret| format!("{url}/{}", model::path_segment(secret)));
    page_with(
        status,
        &SourcePage {
            shell: person.shell(state, source.name.clone(), Tab::Sources),
            id: source.id.to_string(),
            typed_name: shown.name.unwrap_or_else(|| source.name.clone()),
            platform: platforms::name(source.platform),
            is_local: is_local(&url),
            secret: last4(&source.secret),
            secret_url,
            made: shown.made,
            is_new: shown.is_new,
            own_secret: platforms::own_secret(source.platform),
            overlap: source
                .previous_secret_until
                .filter(|until| *until > state.clock.now())
                .map(|until| zone.moment(until)),
            steps: platforms::steps(source.platform),
            events,
            once: once::fresh(&*state.ids),
            fault: Faults(shown.fault),
            zone: zone.name.clone(),
            name: source.name,
            url,
        },
    )
}

fn takes_path_secret(source: &store::Source) -> bool {
    let connector = connectors::connector(source.platform);
    connector.is_some_and(|connector| connector.takes_path_secret(&source.platform_settings()))
}

/// Whether an address leads only to the machine, or the network, that one sits at.
fn is_local(url: &str) -> bool {
    url.starts_with("http://")
}

/// Gives it another name.
pub(crate) async fn rename_source(
    State(state): State<Dashboard>,
    person: Person,
    Origin(origin): Origin,
    ids: PathIds,
    fields: Form,
) -> Result<Response, PageError> {
    let (store, listed) = find(&person, &ids).await?;
    let name = fields.text("name").to_owned();
    if let Err(fault) = check_name(&name) {
        let shown = Shown { fault: Some(fault), name: Some(name), ..Shown::default() };
        return show(&state, &person, &origin, listed, shown).await;
    }
    let change = SourceChange { name: Some(name), ..SourceChange::default() };
    store.update_source(listed.source.id, change).await?.ok_or_else(missing)?;
    Ok(Redirect::to(&address(listed.source.id)).into_response())
}

/// Puts another secret in the place of the one in use: one of ours, or the one that the platform gave out.
pub(crate) async fn rotate_source_secret(
    State(state): State<Dashboard>,
    person: Person,
    Origin(origin): Origin,
    ids: PathIds,
    fields: Form,
) -> Result<Response, PageError> {
    let (store, listed) = find(&person, &ids).await?;
    let (id, platform) = (listed.source.id, listed.source.platform);
    let overlap = fields.overlap("overlap")?;
    let secret = match fields.text("secret") {
        _ if platforms::takes_ours(platform) => store::generate_secret(&*state.ids),
        typed if is_usable_secret(typed) => typed.to_owned(),
        _ => {
            let fault = ("secret", "Paste the secret that the platform signs with.".to_owned());
            let shown = Shown { fault: Some(fault), ..Shown::default() };
            return show(&state, &person, &origin, listed, shown).await;
        }
    };
    let operation = format!("POST {}/secret", address(id));
    let once = once::idempotency(&once::key(&fields, &*state.ids), &operation, &fields);
    let rotation = Rotation { secret, overlap };
    let written =
        store.rotate_source_secret(id, rotation, Some(once), Made::json).await?.ok_or_else(missing)?;
    let Made { secret: made, .. } = serde_json::from_str(&once::kept(written)?)?;
    if made.is_none() {
        return Ok(Redirect::to(&address(id)).into_response());
    }
    let listed = store.get_source(id).await?.ok_or_else(missing)?;
    show(&state, &person, &origin, listed, Shown { made, ..Shown::default() }).await
}

/// Closes its address; its calls stay.
pub(crate) async fn delete_source(person: Person, ids: PathIds) -> Result<Response, PageError> {
    let id = ids.id::<kind::Source>(0, "voice platform")?;
    if !person.door(Permission::ManageSources)?.delete_source(id).await? {
        return Err(missing());
    }
    Ok(Redirect::to("/settings/sources").into_response())
}
