//! `GET /v1/events/stream`: the log as it grows, as server-sent events (WHATWG HTML, section 9.2).
//!
//! A stream asks the log for what follows the place where it is, so it skips and repeats nothing, whatever woke it and
//! however slow its reader is: it holds one small batch at a time, and asks for the next when that has been taken.

use std::{convert::Infallible, time::Duration};

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use model::{OrgId, Stamp, Time};
use serde::Deserialize;
use store::{Listed, LoggedEvent, OrgStore};
use tokio::sync::watch;
use utoipa::IntoParams;
use uuid::Uuid;

use crate::{
    AppState,
    auth::{self, Caller},
    error::{ApiError, Code},
    extract::{Query, TimeParam},
    openapi,
    streams::Seat,
    v1::events::{EventNames, ShownEvent, place_of},
};

/// How often a stream on which nothing happens says that it is there: proxies close connections that are silent.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How often the log is looked at on PostgreSQL, where another process may have written to it.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How many events a stream holds at once.
const BATCH: u32 = 20;

/// Where a stream begins, and what it tells.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct StreamEvents {
    /// Begin after this event: the `id` of the last one that you have, or the `delivery_id` of a webhook. The header
    /// `Last-Event-ID` goes before it. Without any of these, the stream begins with what happens from now on.
    #[param(value_type = Option<String>, format = Uuid)]
    after: Option<Uuid>,
    /// Begin with the first event told after this.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<TimeParam>,
    /// Only events of these types, separated by commas.
    #[serde(rename = "type")]
    #[param(value_type = Option<String>, format = "event-names", example = "call.completed,lead.created")]
    types: Option<EventNames>,
}

/// Follow events
///
/// Server-sent events: `id` is the event's id, `event` its type, and `data` what `/v1/events` has of it. A client that
/// comes back with the header `Last-Event-ID`, as browsers do by themselves, misses nothing. Every 15 s without an
/// event there is a comment. What was told and is no longer kept (`removed`) comes as an event `removed` and not under its own
/// name, so that nobody takes it for something that happened. The stream ends when the server stops or the key is revoked
/// or expires.
#[utoipa::path(get, path = "/v1/events/stream", tag = "Events",
    params(StreamEvents),
    responses(
        (status = 200, description = "Events as they happen.", content_type = "text/event-stream", body = String),
        openapi::SubListErrors,
    ))]
pub(crate) async fn stream_events(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    Query(query): Query<StreamEvents>,
) -> Result<Response, ApiError> {
    let seat = state.streams.seat(caller.org).ok_or_else(|| {
        let message = "This organization has too many streams open; close one first";
        ApiError::new(Code::RateLimited, message).with(header::RETRY_AFTER, HeaderValue::from_static("15"))
    })?;
    // Whatever is told after this look will wake the stream.
    let told = state.store.events_told();
    let place = match last_event_id(&headers)?.or(query.after) {
        Some(id) => place_of(&caller, id).await?,
        None if query.since.is_some() => Stamp::from_micros(0),
        None => caller.store.end_of_events().await?,
    };
    let since = query.since.map(|since| Stamp::from_micros(since.0.micros()));
    let follow = Follow {
        heard_at: state.clock.now(),
        closing: state.streams.closing(),
        state,
        headers,
        records: caller.store,
        org: caller.org,
        types: query.types.unwrap_or_default().0,
        place: since.map_or(place, |since| place.max(since)),
        told,
        greeted: Greeted::NotYet,
        _seat: seat,
    };
    let body = Body::from_stream(stream::unfold(follow, Follow::next));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform")),
        // nginx holds answers back until it has a page of them, unless told not to.
        (header::HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    Ok((headers, body).into_response())
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<Uuid>, ApiError> {
    let Some(value) = headers.get("last-event-id").filter(|value| !value.is_empty()) else { return Ok(None) };
    let id = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    id.map(Some)
        .ok_or_else(|| ApiError::bad_request("Wrong header `Last-Event-ID`: must be the id of an event"))
}

/// Under which name a stream tells an event. Of what is no longer kept there is nothing to act on, but whoever follows must
/// know that it missed something.
fn name_of(event: &LoggedEvent) -> String {
    if event.removed.is_some() { "removed".into() } else { event.event.clone() }
}

/// Whether a stream has said anything: the first words make proxies pass the answer's head on.
enum Greeted {
    NotYet,
    Yes,
}

/// A stream and where it is in the log.
struct Follow {
    state: AppState,
    /// Of the request: the key in them is looked at again.
    headers: HeaderMap,
    records: OrgStore,
    org: OrgId,
    types: Vec<String>,
    place: Stamp,
    told: watch::Receiver<u64>,
    closing: watch::Receiver<bool>,
    greeted: Greeted,
    heard_at: Time,
    _seat: Seat,
}

/// What a stream waited for.
enum Woken {
    Look,
    Heartbeat,
    End,
}

impl Follow {
    /// The next words of the stream; `None` ends it.
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        if matches!(self.greeted, Greeted::NotYet) {
            self.greeted = Greeted::Yes;
            return Some((Ok(Bytes::from_static(b": connected\nretry: 2000\n\n")), self));
        }
        loop {
            if *self.closing.borrow() {
                return None;
            }
            self.told.borrow_and_update();
            let events = self.look().await?;
            if !events.is_empty() {
                let words = self.words(events)?;
                return self.say(words).await;
            }
            match self.wait().await {
                Woken::Look => {}
                Woken::Heartbeat => return self.say(Bytes::from_static(b": heartbeat\n\n")).await,
                Woken::End => return None,
            }
        }
    }

    /// Says something, if whoever listens may still hear it.
    async fn say(mut self, words: Bytes) -> Option<(Result<Bytes, Infallible>, Self)> {
        let now = self.state.clock.now();
        auth::check(&self.state, &self.headers, now).await.ok()?;
        self.heard_at = now;
        Some((Ok(words), self))
    }

    /// The next events of the log. Where the log cannot be read the stream ends, and the client comes back.
    async fn look(&mut self) -> Option<Vec<LoggedEvent>> {
        match self.try_look().await {
            Ok(events) => Some(events),
            Err(error) => {
                tracing::warn!(%error, "an event stream ends because the log could not be read");
                None
            }
        }
    }

    async fn try_look(&mut self) -> store::Result<Vec<LoggedEvent>> {
        // Looked up first, so that no event comes between: where none before the end is of these types, none of them
        // need be looked at again.
        let end = self.records.end_of_events().await?;
        if end <= self.place {
            return Ok(Vec::new());
        }
        let list = store::ListEvents {
            limit: BATCH,
            after: Some(self.place),
            since: None,
            types: self.types.clone(),
        };
        let Listed { records, .. } = self.records.find_events(list).await?;
        self.place = records.last().map_or(end, |last| last.created_at);
        Ok(records)
    }

    fn words(&self, events: Vec<LoggedEvent>) -> Option<Bytes> {
        let mut words = String::new();
        for event in events {
            let (id, name) = (event.id, name_of(&event));
            let shown = ShownEvent::new(event, self.org).ok()?;
            // Compact JSON has no line breaks, so one line of `data` holds it.
            let json = serde_json::to_string(&shown).ok()?;
            words.push_str(&format!("id: {id}\nevent: {name}\ndata: {json}\n\n"));
        }
        Some(words.into())
    }

    async fn wait(&mut self) -> Woken {
        let clock = self.state.clock.clone();
        let heartbeat_at = self.heard_at + HEARTBEAT;
        // The embedded database has one server, whose commits are told.
        let look_at = if self.state.store.is_embedded() { heartbeat_at } else { clock.now() + LOOK_EVERY };
        tokio::select! {
            biased;
            _ = self.closing.wait_for(|closing| *closing) => Woken::End,
            told = self.told.changed() => if told.is_ok() { Woken::Look } else { Woken::End },
            () = clock.sleep_until(heartbeat_at) => Woken::Heartbeat,
            () = clock.sleep_until(look_at) => Woken::Look,
        }
    }
}
