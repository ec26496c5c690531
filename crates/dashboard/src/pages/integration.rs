//! An endpoint: how it stands and what to do about it, its settings, its secret and its last deliveries.

use askama::Template;
use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use delivery::NewTrial;
use http::StatusCode;
use model::{EndpointId, EventType, Permission, TellingChange, id::kind, last4};
use store::{Endpoint, EndpointChange, EndpointState, HeldChoice, ListDeliveries, OrgStore, Waiting};

use super::{
    deliveries::{self, DeliveryRow},
    integration_recover::given_up,
};
use crate::{
    Dashboard,
    call::Badge,
    endpoint::{self, Draft, Owed, TestView},
    error::PageError,
    extract::{Form, PathIds},
    fault::{Fault, Faults},
    once,
    person::Person,
    shell::{Shell, Tab, page_with},
    show::{self, Moment, Zone},
};

/// How many of its deliveries stand on its page.
const BESIDE: u32 = 10;

/// A secret that was just made, and until when the one before is good.
pub(crate) struct NewSecret {
    pub(crate) secret: String,
    pub(crate) until: Option<Moment>,
}

/// What was just asked of the page, and what came of it.
#[derive(Default)]
pub(crate) struct Shown {
    pub(crate) draft: Option<Draft>,
    pub(crate) fault: Option<Fault>,
    pub(crate) test: Option<TestView>,
    pub(crate) made: Option<NewSecret>,
    pub(crate) held: Option<(String, String)>,
}

#[derive(Template)]
#[template(path = "integration.html")]
struct IntegrationPage {
    shell: Shell,
    id: String,
    name: String,
    url: String,
    told: String,
    state: Badge,
    verdict: String,
    owed: Vec<Owed>,
    /// Whether it is told, its circuit is open, and something is held for it.
    is_told: bool,
    is_open: bool,
    has_held: bool,
    is_forward: bool,
    held: (String, String),
    once: String,
    draft: Draft,
    fault: Faults,
    test: Option<TestView>,
    made: Option<NewSecret>,
    secret: Option<String>,
    is_signed: bool,
    overlap: Option<Moment>,
    deliveries: Vec<DeliveryRow>,
    given_up: Option<Owed>,
    all_deliveries: String,
    zone: String,
}

/// Where an endpoint's page is.
pub(crate) fn address(id: EndpointId) -> String {
    format!("/settings/integrations/{id}")
}

pub(crate) fn missing() -> PageError {
    let text = "There is no integration at this address. It may have been deleted.".to_owned();
    let next = ("/settings/integrations", "Back to the integrations");
    PageError::said(StatusCode::NOT_FOUND, "Not found", text, next)
}

/// The endpoint that a page is of, if the person's organization has it and they may manage it.
pub(crate) async fn find(person: &Person, ids: &PathIds) -> Result<(OrgStore, Endpoint), PageError> {
    let id = ids.id::<kind::Endpoint>(0, "integration")?;
    let store = person.door(Permission::ManageWebhooks)?;
    let endpoint = store.get_endpoint(id).await?.ok_or_else(missing)?;
    Ok((store, endpoint))
}

pub(crate) async fn show_integration(
    State(state): State<Dashboard>,
    person: Person,
    ids: PathIds,
) -> Result<Response, PageError> {
    let (store, endpoint) = find(&person, &ids).await?;
    show(&state, &person, &store, endpoint, Shown::default()).await
}

pub(crate) async fn show(
    state: &Dashboard,
    person: &Person,
    store: &OrgStore,
    endpoint: Endpoint,
    shown: Shown,
) -> Result<Response, PageError> {
    let zone = person.zone(state);
    let waiting = store.count_waiting(std::slice::from_ref(&endpoint)).await?;
    let waiting = waiting.get(&endpoint.id).copied().unwrap_or_default();
    let list = ListDeliveries { endpoint: Some(endpoint.id), ..ListDeliveries::newest(BESIDE) };
    let found = person.door(Permission::ReadDeliveries)?.find_deliveries(list).await?;
    let status = if shown.fault.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let given_up = given_up(store, &endpoint).await?;
    let id = endpoint.id.to_string();
    let draft = Draft::of(&endpoint);
    page_with(
        status,
        &IntegrationPage {
            shell: person.shell(state, endpoint::name(&endpoint), Tab::Integrations),
            name: endpoint::name(&endpoint),
            told: endpoint::told(&endpoint),
            state: endpoint::badge(&endpoint),
            verdict: verdict(&endpoint, waiting, &zone),
            owed: endpoint::owed(&endpoint, waiting),
            is_told: endpoint.state == EndpointState::Enabled,
            is_open: circuit_is_open(&endpoint),
            has_held: waiting.held > 0,
            is_forward: endpoint.source.is_some(),
            held: shown.held.unwrap_or_else(|| ("deliver".to_owned(), zone.local(state.clock.now()))),
            once: once::fresh(&*state.ids),
            draft: shown.draft.unwrap_or(draft),
            fault: Faults(shown.fault),
            test: shown.test,
            made: shown.made,
            secret: endpoint.secret.as_deref().and_then(last4),
            is_signed: endpoint.secret.is_some(),
            overlap: endpoint.overlap_until(state.clock.now()).map(|until| zone.moment(until)),
            deliveries: found.records.iter().map(|delivery| deliveries::row(delivery, &zone)).collect(),
            given_up,
            all_deliveries: show::address("/deliveries", &[("webhook", &id)]),
            zone: zone.name,
            url: endpoint.url,
            id,
        },
    )
}

fn circuit_is_open(endpoint: &Endpoint) -> bool {
    endpoint.state == EndpointState::Enabled
        && endpoint.trouble.as_ref().is_some_and(|trouble| trouble.circuit.is_some())
}

/// How it stands and what follows, in words.
fn verdict(endpoint: &Endpoint, waiting: Waiting, zone: &Zone) -> String {
    let kept = match waiting.held {
        0 => "What comes up meanwhile is held for it.",
        _ => "What comes up is held for it, until you enable it.",
    };
    let why = endpoint.trouble.as_ref().and_then(|trouble| trouble.last_error.as_deref());
    let why = why.map_or_else(String::new, |why| format!(" The last failure: {why}."));
    match (endpoint.state, &endpoint.trouble) {
        (EndpointState::Enabled, None) => "It is told as things happen.".to_owned(),
        (EndpointState::Enabled, Some(trouble)) => {
            let since = zone.moment(trouble.since).full;
            let tries = match trouble.failures {
                1 => "The last try failed".to_owned(),
                many => format!("The last {} tries failed", show::count(many.into())),
            };
            let next = match trouble.circuit {
                None => "What failed is tried again by itself.".to_owned(),
                Some(circuit) => format!(
                    "So that it is not flooded, what it is owed waits, and one webhook is sent now and then to see \
                     whether it is well again: the next from {} on. Then all that waited is sent.",
                    zone.moment(circuit.probe_at).short
                ),
            };
            let end = trouble.disable_at.map_or_else(String::new, |at| {
                format!(" If it takes nothing until {}, it is turned off.", zone.moment(at).full)
            });
            format!("{tries}, since {since}.{why} {next}{end}")
        }
        (EndpointState::Paused, _) => format!("Somebody paused it, so it is not told. {kept}"),
        (EndpointState::Disabled, _) => {
            format!("It took nothing for days, so it is not told any more.{why} {kept}")
        }
        (EndpointState::Gone, _) => {
            "It answered 410 (Gone), which asks never to be told again. Nothing is sent or kept for it."
                .to_owned()
        }
    }
}

/// Changes where it is, what it is told, and what it is called.
pub(crate) async fn change_integration(
    State(state): State<Dashboard>,
    person: Person,
    ids: PathIds,
    fields: Form,
) -> Result<Response, PageError> {
    let (store, endpoint) = find(&person, &ids).await?;
    let draft = Draft { is_forward: endpoint.source.is_some(), ..Draft::read(&fields) };
    // A forward is told no events, so its form has none.
    let checked = draft.check_place(&state.trials).and_then(|(url, description)| {
        let events = if draft.is_forward { None } else { Some(draft.filter()?) };
        let telling = if draft.is_forward { TellingChange::default() } else { draft.telling()? };
        Ok(EndpointChange {
            url: Some(url),
            description: Some(description),
            events,
            telling,
            ..EndpointChange::default()
        })
    });
    match checked {
        Ok(change) => {
            store.update_endpoint(endpoint.id, change).await?.ok_or_else(missing)?;
            Ok(Redirect::to(&address(endpoint.id)).into_response())
        }
        Err(fault) => {
            let shown = Shown { draft: Some(draft), fault: Some(fault), ..Shown::default() };
            show(&state, &person, &store, endpoint, shown).await
        }
    }
}

/// Pauses it, or has it told again, and says what becomes of what was held.
pub(crate) async fn switch_integration(
    State(state): State<Dashboard>,
    person: Person,
    ids: PathIds,
    fields: Form,
) -> Result<Response, PageError> {
    let (store, endpoint) = find(&person, &ids).await?;
    let chosen = match fields.text("state") {
        "paused" => EndpointState::Paused,
        "enabled" => EndpointState::Enabled,
        _ => return Err(PageError::bad_request("An integration is either enabled or paused.")),
    };
    let (choice, after) = (fields.text("held").to_owned(), fields.text("after").to_owned());
    let held = match choice.as_str() {
        "discard" => Some(HeldChoice::Discard),
        "after" => person.zone(&state).read_local(&after).map(HeldChoice::DeliverAfter),
        _ => Some(HeldChoice::Deliver),
    };
    let Some(held) = held else {
        let fault = ("after", "Say from which day and time on.".to_owned());
        let shown = Shown { held: Some((choice, after)), fault: Some(fault), ..Shown::default() };
        return show(&state, &person, &store, endpoint, shown).await;
    };
    let change = EndpointChange { state: Some(chosen), held, ..EndpointChange::default() };
    store.update_endpoint(endpoint.id, change).await?.ok_or_else(missing)?;
    Ok(Redirect::to(&address(endpoint.id)).into_response())
}

/// Sends it a sample, signed as its webhooks are. It changes nothing.
pub(crate) async fn test_integration(
    State(state): State<Dashboard>,
    person: Person,
    ids: PathIds,
) -> Result<Response, PageError> {
    let (store, endpoint) = find(&person, &ids).await?;
    let cannot = |text: String| {
        let next = ("/settings/integrations", "Back to the integrations");
        PageError::said(StatusCode::CONFLICT, "Not sent", text, next)
    };
    if endpoint.source.is_some() {
        return Err(cannot("It gets a voice platform’s own messages: to test it, make a call there.".into()));
    }
    let (whose, now) = ((&state.store, person.visitor.org), state.clock.now());
    let new = NewTrial::to(endpoint.clone(), whose, None::<EventType>, now).await?;
    let (event, url) = (new.event, new.to.url.clone());
    let sent = state.trials.send(new).await;
    let trial = sent.map_err(|error| cannot(endpoint::sentence(&error.to_string())))?;
    let shown = Shown { test: Some(TestView::new(event, url, trial)), ..Shown::default() };
    show(&state, &person, &store, endpoint, shown).await
}

/// It is told nothing any more; what it was sent stays to be seen.
pub(crate) async fn delete_integration(person: Person, ids: PathIds) -> Result<Response, PageError> {
    let id = ids.id::<kind::Endpoint>(0, "integration")?;
    if !person.door(Permission::ManageWebhooks)?.delete_endpoint(id).await? {
        return Err(missing());
    }
    Ok(Redirect::to("/settings/integrations").into_response())
}
