//! A delivery: what exactly was sent, what came back, why, and what follows.

use askama::Template;
use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use http::StatusCode;
use model::{Permission, id::kind};
use store::{DeliveryDetail, DeliveryState, Resent, StoredAttempt};

use super::deliveries::badge;
use crate::{
    Dashboard,
    call::Badge,
    error::PageError,
    extract::PathIds,
    person::Person,
    shell::{Shell, Tab, page},
    show::{self, Moment, Zone},
};

struct AttemptView {
    number: i64,
    cause: &'static str,
    at: Moment,
    took: String,
    address: Option<String>,
    url: String,
    status: Badge,
    error: Option<String>,
    sent: Vec<(String, String)>,
    received: Vec<(String, String)>,
    answer: Option<String>,
    /// The body, where it is another than the last try's.
    body: Option<String>,
}

impl AttemptView {
    fn new(attempt: StoredAttempt, body: Option<&str>, url: &str, zone: &Zone) -> Self {
        let status = match attempt.status {
            Some(status @ 200..=299) => Badge::new(status.to_string(), "check", "good"),
            Some(status) => Badge::new(status.to_string(), "cross", "bad"),
            None => Badge::new("No answer", "cross", "bad"),
        };
        let cause = match attempt.cause.as_str() {
            "schedule" => "on schedule",
            "probe" => "to see whether the endpoint is well again",
            "manual" => "asked for by a person",
            "recover" => "with all that had failed",
            _ => "",
        };
        Self {
            number: attempt.number,
            cause,
            at: zone.moment(attempt.started_at),
            took: format!("{} ms", show::count(attempt.duration_ms)),
            address: attempt.address,
            url: attempt.url.unwrap_or_else(|| url.to_owned()),
            status,
            error: attempt.error,
            sent: attempt.request_headers,
            received: attempt.response_headers.unwrap_or_default(),
            answer: attempt.response_body.filter(|body| !body.is_empty()).map(|body| show::pretty(&body)),
            body: body.map(|body| show::pretty(body.as_bytes())),
        }
    }
}

#[derive(Template)]
#[template(path = "delivery.html")]
struct DeliveryPage {
    shell: Shell,
    id: String,
    event: String,
    url: String,
    webhook: String,
    state: Badge,
    verdict: String,
    call: Option<String>,
    made: Moment,
    next: Option<Moment>,
    attempts: Vec<AttemptView>,
    body: String,
    exact_body: String,
    curl: Option<String>,
    may_resend: bool,
}

pub(crate) async fn show_delivery(
    State(state): State<Dashboard>,
    person: Person,
    ids: PathIds,
) -> Result<Response, PageError> {
    let id = ids.id::<kind::Delivery>(0, "delivery")?;
    let (store, zone) = (person.door(Permission::ReadDeliveries)?, person.zone(&state));
    let detail = store.get_delivery(id).await?.ok_or_else(|| PageError::not_found("delivery"))?;
    let verdict = verdict(&detail, &zone);
    let body_of = |attempt| detail.body(attempt, person.visitor.org);
    let body = body_of(detail.attempts.last());
    let bodies: Vec<String> = detail.attempts.iter().map(|attempt| body_of(Some(attempt))).collect();
    let DeliveryDetail { summary, attempts, .. } = detail;
    let curl = attempts.last().map(|attempt| curl(attempt, &summary.url, &body));
    let may_resend = person.may(Permission::ResendDeliveries)
        && !matches!(summary.state, DeliveryState::InFlight | DeliveryState::Pending);
    // The last try says most.
    let attempts = attempts.into_iter().zip(&bodies).rev().map(|(attempt, sent)| {
        let other = Some(sent.as_str()).filter(|sent| *sent != body);
        AttemptView::new(attempt, other, &summary.url, &zone)
    });
    page(&DeliveryPage {
        shell: person.shell(&state, summary.event.clone(), Tab::Deliveries),
        id: summary.id.to_string(),
        webhook: summary.endpoint.to_string(),
        state: badge(summary.state),
        verdict,
        call: summary.call_id.map(|call| format!("/calls/{call}")),
        made: zone.moment(summary.created_at.time()),
        next: summary.due_at.map(|at| zone.moment(at)),
        attempts: attempts.collect(),
        body: show::pretty(body.as_bytes()),
        exact_body: body,
        curl,
        may_resend,
        event: summary.event,
        url: summary.url,
    })
}

/// What became of it, in a sentence.
fn verdict(detail: &DeliveryDetail, zone: &Zone) -> String {
    let delivery = &detail.summary;
    let tries = match delivery.attempts {
        1 => "1 try".to_owned(),
        many => format!("{many} tries"),
    };
    let why = delivery.last_error.as_deref().unwrap_or("the receiver did not answer with 2xx");
    match delivery.state {
        DeliveryState::Pending => "It is about to be sent for the first time.".to_owned(),
        DeliveryState::InFlight => "It is being sent now.".to_owned(),
        DeliveryState::Delivered => {
            let status = delivery.last_status.map_or_else(|| "2xx".to_owned(), |status| status.to_string());
            format!("The receiver took it with {status} after {tries}.")
        }
        DeliveryState::Retrying => {
            let next = delivery.due_at.map_or_else(|| "soon".to_owned(), |at| zone.moment(at).full);
            format!("Not delivered after {tries}: {why}. Next try: {next}.")
        }
        DeliveryState::Exhausted => {
            format!("Given up after {tries}: {why}. Resend it when the receiver is well.")
        }
        DeliveryState::Held => "It waits until its endpoint is enabled again.".to_owned(),
        DeliveryState::Cancelled => {
            "It is not sent any more: its endpoint is gone, or was deleted.".to_owned()
        }
    }
}

/// The last try as a command.
fn curl(attempt: &StoredAttempt, url: &str, body: &str) -> String {
    let mut text = format!("curl -X POST {}", show::shell_quoted(attempt.url.as_deref().unwrap_or(url)));
    let set_by_curl = ["host", "content-length", "accept-encoding"];
    for (name, value) in &attempt.request_headers {
        if !set_by_curl.contains(&name.to_lowercase().as_str()) {
            text.push_str(&format!(" \\\n  -H {}", show::shell_quoted(&format!("{name}: {value}"))));
        }
    }
    text.push_str(&format!(" \\\n  --data-raw {}", show::shell_quoted(body)));
    text
}

/// Sends it once more, now.
pub(crate) async fn resend_delivery(person: Person, ids: PathIds) -> Result<Response, PageError> {
    let id = ids.id::<kind::Delivery>(0, "delivery")?;
    let store = person.door(Permission::ResendDeliveries)?;
    let conflict = |text: &str| {
        PageError::said(
            StatusCode::CONFLICT,
            "Not sent again",
            text.into(),
            ("/deliveries", "Back to the deliveries"),
        )
    };
    match store.resend_delivery(id, None, |_| String::new()).await? {
        None => Err(PageError::not_found("delivery")),
        Some(Resent::Done(_)) => Ok(Redirect::to(&format!("/deliveries/{id}")).into_response()),
        Some(Resent::UnderWay) => Err(conflict("It is being sent, or is about to be.")),
        Some(Resent::NoEndpoint) => {
            Err(conflict("Its endpoint was deleted: there is nowhere to send it to."))
        }
        Some(Resent::Erased) => Err(conflict("The person that it tells of was erased: it is told no more.")),
    }
}
