//! A call: who, what, what came of it, what was said and heard, and what was told of it.

use askama::Template;
use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use http::{HeaderValue, header};
use model::{CallId, Message, Page, Permission, Phone, PlacedPage, Role, SourceId, id::kind};
use serde::Deserialize;
use serde_json::Value;
use store::{
    Around, Asked, CallReview, ListCalls, ListDeliveries, ListMessages, MessageSummary, OrgStore, Refusal,
};

use super::{
    calls::{self, Assistants, Row},
    deliveries::{self, DeliveryRow},
};
use crate::{
    Dashboard, appointment,
    call::{Badge, Call},
    error::PageError,
    extract::{Form, Origin, PathIds, Query},
    person::Person,
    shell::{Shell, Tab, page},
    show::{self, Moment, Zone},
};

/// How many of each kind stand beside a call; the lists have the rest.
const BESIDE: u32 = 20;

/// How many earlier calls do.
const EARLIER: u32 = 6;

/// How many seconds a player's address is good: a long call is listened to at leisure, and each seek asks anew.
const LISTEN_SECONDS: u64 = 600;

/// A turn of the conversation, or a use of a tool.
struct Turn {
    speaker: &'static str,
    kind: &'static str,
    text: String,
    /// Seconds from the start, for the player, and as people read it. `None` where the platform does not say.
    at: Option<(String, String)>,
    /// What a tool was asked and answered.
    detail: Option<String>,
}

impl Turn {
    fn new(message: &Message) -> Self {
        let (speaker, kind) = match message.role {
            Role::Assistant => ("Assistant", "assistant"),
            Role::User => ("Caller", "caller"),
            Role::Tool => ("Tool", "tool"),
            Role::System => ("System", "tool"),
        };
        let at =
            message.offset_seconds.map(|seconds| (format!("{seconds:.2}"), show::duration(seconds as i64)));
        let (mut text, mut detail) = (message.content.clone().unwrap_or_default(), None);
        if let Some(tool) = &message.tool {
            let state = match tool.ok {
                Some(true) => " (worked)",
                Some(false) => " (failed)",
                None => "",
            };
            text = format!("{}{state}", tool.name);
            let part = |name: &str, value: &Option<Value>| {
                value.as_ref().map(|value| format!("{name}: {}", plain(value)))
            };
            let parts = [part("asked", &tool.arguments), part("answered", &tool.result)];
            detail = Some(parts.into_iter().flatten().collect::<Vec<_>>().join("\n"))
                .filter(|detail| !detail.is_empty());
        }
        Self { speaker, kind, text, at, detail }
    }
}

/// A value as people read it: a text without its quotes.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "–".to_owned(),
        other => serde_json::to_string_pretty(other).unwrap_or_default(),
    }
}

struct AppointmentView {
    href: String,
    title: String,
    when: String,
    status: Badge,
    place: Option<String>,
}

struct MessageView {
    href: String,
    event: String,
    outcome: Badge,
    at: Moment,
}

struct ContactView {
    name: String,
    page: String,
    number: Option<String>,
    email: Option<String>,
    company: Option<String>,
    calls: i64,
    href: String,
}

/// The lead that was made of the call.
struct LeadView {
    href: String,
    status: Badge,
    what: String,
}

#[derive(Template)]
#[template(path = "call.html")]
struct CallPage {
    shell: Shell,
    call: Call,
    began: Moment,
    status: Badge,
    urgency: Option<Badge>,
    next: Option<Badge>,
    assistant: String,
    turns: Vec<Turn>,
    has_offsets: bool,
    has_sound: bool,
    sound_note: Option<String>,
    sound_elsewhere: Option<String>,
    contact: Option<ContactView>,
    earlier: Vec<Row>,
    lead: Option<LeadView>,
    appointments: Vec<AppointmentView>,
    captured: Vec<(String, String)>,
    deliveries: Option<Vec<DeliveryRow>>,
    messages: Option<Vec<MessageView>>,
    may_review: bool,
    curl: String,
    zone: String,
}

async fn read(store: &OrgStore, id: CallId) -> Result<Call, PageError> {
    let row = store.get_call(id).await?.ok_or_else(|| PageError::not_found("call"))?;
    Ok(serde_json::from_slice(&row.json)?)
}

pub(crate) async fn show_call(
    State(state): State<Dashboard>,
    person: Person,
    Origin(origin): Origin,
    ids: PathIds,
) -> Result<Response, PageError> {
    let id = ids.id::<kind::Call>(0, "call")?;
    let (store, zone) = (person.door(Permission::ReadRecords)?, person.zone(&state));
    let call = read(&store, id).await?;
    let around = store.around_call(id).await?.ok_or_else(|| PageError::not_found("call"))?;
    let came = store.came_of_calls(vec![id]).await?.remove(&id).unwrap_or_default();
    let turns: Vec<Turn> = call.messages.iter().flatten().map(Turn::new).collect();
    let assistants = calls::assistants(&store).await?;
    let assistant = call.assistant_id.and_then(|id| assistants.get(&id).cloned());
    let deliveries = deliveries_of(&person, id, &zone).await?;
    let messages = messages_of(&person, around.source, id, &zone).await?;
    let (has_sound, sound_note) = sound(&state, &call);
    page(&CallPage {
        shell: person.shell(&state, call.who(), Tab::Calls),
        began: call.began(&zone),
        status: call.status_badge(),
        urgency: call.urgency_badge(),
        next: call.next(came, &zone),
        assistant: assistant.unwrap_or_else(|| show::words(call.source.as_str())),
        has_offsets: turns.iter().any(|turn| turn.at.is_some()),
        turns,
        has_sound,
        sound_note,
        sound_elsewhere: sound_elsewhere(&call),
        contact: contact(&store, &call).await?,
        earlier: earlier(&store, &call, &zone, &assistants).await?,
        lead: lead(&around),
        appointments: appointments(&around, &zone),
        captured: captured(&around),
        deliveries,
        messages,
        may_review: person.may(Permission::ReviewCalls),
        curl: format!(
            "curl {} -H \"Authorization: Bearer $INBOUNDFLOW_API_KEY\"",
            show::shell_quoted(&format!("{origin}/v1/calls/{id}"))
        ),
        zone: zone.name,
        call,
    })
}

/// Whether there is something to hear, and what is to be said where there is not yet, or no more.
fn sound(state: &Dashboard, call: &Call) -> (bool, Option<String>) {
    let is_stored = call.recordings.iter().any(|recording| recording.state == "stored");
    if is_stored && state.store.recording_links().is_some() {
        return (true, None);
    }
    let note = call.recordings.iter().map(|recording| match (recording.state.as_str(), &recording.error) {
        ("pending" | "fetching", _) => "The recording is being fetched from the platform.".to_owned(),
        ("deleted" | "expired", _) => "The recording was deleted.".to_owned(),
        (_, Some(why)) => format!("The {} recording could not be fetched: {why}", recording.variant),
        (state, None) => format!("The {} recording is {state}.", recording.variant),
    });
    (false, note.into_iter().next())
}

/// Where a recording is that is not kept here: another site's page, which only a person's click leads to.
fn sound_elsewhere(call: &Call) -> Option<String> {
    let url = call.recording_url.as_ref().filter(|_| call.recordings.is_empty())?;
    (url.starts_with("https://") || url.starts_with("http://")).then(|| url.clone())
}

async fn contact(store: &OrgStore, call: &Call) -> Result<Option<ContactView>, PageError> {
    let Some(id) = call.contact_id else { return Ok(None) };
    let Some(contact) = store.get_contact(id).await? else { return Ok(None) };
    let number = contact.phone.as_ref().map(Phone::international);
    Ok(Some(ContactView {
        name: contact.name.or_else(|| number.clone()).unwrap_or_else(|| "Unknown".to_owned()),
        number,
        email: contact.email,
        company: contact.company,
        calls: contact.call_count,
        page: format!("/contacts/{}", contact.id),
        href: show::address("/calls", &[("contact", &contact.id.to_string())]),
    }))
}

async fn earlier(
    store: &OrgStore,
    call: &Call,
    zone: &Zone,
    assistants: &Assistants,
) -> Result<Vec<Row>, PageError> {
    let Some(phone) = &call.caller_phone else { return Ok(Vec::new()) };
    let list = ListCalls {
        page: Page { limit: EARLIER, before: None, since: None },
        status: None,
        until: Some(call.created_at),
        view: None,
        contact: None,
        phone: Some(Phone::from_e164_unchecked(phone.clone())),
        search: None,
    };
    let found: Vec<Call> = serde_json::from_slice(&store.list_calls(list).await?.json)?;
    calls::rows(store, &found, zone, assistants).await
}

fn lead(around: &Around) -> Option<LeadView> {
    let lead = around.lead.as_ref()?;
    let status = crate::lead::badge(lead.status);
    Some(LeadView { href: crate::lead::address(lead.id), status, what: crate::lead::title(lead) })
}

fn appointments(around: &Around, zone: &Zone) -> Vec<AppointmentView> {
    let view = |appointment: &model::Appointment| AppointmentView {
        href: appointment::address(appointment.id),
        title: appointment::title(appointment),
        when: appointment::when(appointment, zone),
        status: appointment::badge(appointment.status),
        place: appointment.location.clone(),
    };
    around.appointments.iter().map(view).collect()
}

fn captured(around: &Around) -> Vec<(String, String)> {
    let fields = around.captured.as_ref().and_then(Value::as_object);
    fields.into_iter().flatten().map(|(name, value)| (show::words(name), plain(value))).collect()
}

/// What was told of the call; `None` for who may not see it.
async fn deliveries_of(
    person: &Person,
    id: CallId,
    zone: &Zone,
) -> Result<Option<Vec<DeliveryRow>>, PageError> {
    if !person.may(Permission::ReadDeliveries) {
        return Ok(None);
    }
    let list = ListDeliveries { call: Some(id), ..ListDeliveries::newest(BESIDE) };
    let found = person.door(Permission::ReadDeliveries)?.find_deliveries(list).await?;
    Ok(Some(found.records.iter().map(|delivery| deliveries::row(delivery, zone)).collect()))
}

/// What the platform sent of the call; `None` for who may not see it.
async fn messages_of(
    person: &Person,
    source: SourceId,
    id: CallId,
    zone: &Zone,
) -> Result<Option<Vec<MessageView>>, PageError> {
    if !person.may(Permission::ReadMessages) {
        return Ok(None);
    }
    let page = PlacedPage { limit: BESIDE, from: None, since: None };
    let list = ListMessages { source, page, outcome: None, event: None, call_id: Some(id) };
    let found = person.door(Permission::ReadMessages)?.list_messages(list).await?;
    let view = |message: &MessageSummary| MessageView {
        href: format!("/calls/{id}/messages/{}", message.id),
        event: message.event.clone().unwrap_or_else(|| "message".to_owned()),
        outcome: outcome(message.outcome),
        at: zone.moment(message.received_at),
    };
    Ok(Some(found.records.iter().map(view).collect()))
}

/// What became of a message.
pub(crate) fn outcome(outcome: store::Outcome) -> Badge {
    use store::Outcome::{Accepted, Duplicate, Failed, Ignored, Rejected};
    match outcome {
        Accepted => Badge::new("Accepted", "check", "good"),
        Duplicate => Badge::new("Duplicate", "dash", "quiet"),
        Ignored => Badge::new("Ignored", "dash", "quiet"),
        Rejected => Badge::new("Rejected", "cross", "bad"),
        Failed => Badge::new("Failed", "cross", "bad"),
    }
}

/// Says that a call was looked at or is spam, or takes it back.
pub(crate) async fn review_call(person: Person, ids: PathIds, fields: Form) -> Result<Response, PageError> {
    let id = ids.id::<kind::Call>(0, "call")?;
    let store = person.door(Permission::ReviewCalls)?;
    let said = |name| match fields.text(name) {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    };
    let review = CallReview { reviewed: said("reviewed"), spam: said("spam"), ..CallReview::default() };
    match store.review_call(id, review, Asked::default()).await? {
        Ok(_) => Ok(Redirect::to(&format!("/calls/{id}")).into_response()),
        Err(Refusal::Missing) => Err(PageError::not_found("call")),
        Err(_) => Err(PageError::bad_request("The call was changed meanwhile. Look at it again.")),
    }
}

/// The call as the API gives it.
pub(crate) async fn call_as_json(person: Person, ids: PathIds) -> Result<Response, PageError> {
    let id = ids.id::<kind::Call>(0, "call")?;
    let row = person.door(Permission::ReadRecords)?.get_call(id).await?;
    let row = row.ok_or_else(|| PageError::not_found("call"))?;
    let mut response = Response::new(Body::from(show::pretty(&row.json)));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

#[derive(Deserialize)]
pub(crate) struct Variant {
    variant: Option<String>,
}

/// Leads a player to the recording by a link that is soon good for nothing.
pub(crate) async fn play_recording(
    State(state): State<Dashboard>,
    person: Person,
    ids: PathIds,
    Query(query): Query<Variant>,
) -> Result<Response, PageError> {
    let id = ids.id::<kind::Call>(0, "call")?;
    let missing = || PageError::not_found("recording");
    let variant = query.variant.as_deref().map(|word| model::Variant::parse(word).ok_or_else(missing));
    let variant = variant.transpose()?;
    // The link itself asks nobody who they are, so it is made only for a call of this organization.
    let found = person.door(Permission::ReadRecords)?.get_recording(id, variant).await?;
    found.filter(|found| found.object.is_some()).ok_or_else(missing)?;
    let links = state.store.recording_links().ok_or_else(missing)?;
    let until = state.clock.now() + std::time::Duration::from_secs(LISTEN_SECONDS);
    Ok(Redirect::to(&links.signed_path(id, variant, until)).into_response())
}
