//! What an endpoint was owed and did not get, sent again, all of it.

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use http::StatusCode;
use store::{DeliveryState, Endpoint, NewRecovery, OrgStore, Recovering, Waiting};

use super::integration::{address, find, missing};
use crate::{
    Dashboard,
    endpoint::Owed,
    error::PageError,
    extract::{Form, PathIds},
    once,
    person::Person,
    show,
};

fn all_given_up(endpoint: &Endpoint) -> NewRecovery {
    NewRecovery { endpoint: endpoint.id, states: vec![DeliveryState::Exhausted], since: None, until: None }
}

/// How many were given up, if any were, with the list of them.
pub(crate) async fn given_up(store: &OrgStore, endpoint: &Endpoint) -> Result<Option<Owed>, PageError> {
    let count = store.count_recoverable(all_given_up(endpoint), Waiting::MOST + 1).await?.unwrap_or(0);
    let words = match count {
        0..=Waiting::MOST => show::count(count),
        _ => format!("more than {}", show::count(Waiting::MOST)),
    };
    let id = endpoint.id.to_string();
    let href = show::address("/deliveries", &[("state", "exhausted"), ("webhook", &id)]);
    Ok((count > 0).then(|| Owed { words: format!("{words} given up"), href }))
}

/// Sends all of them again, the oldest first.
pub(crate) async fn recover_integration(
    State(state): State<Dashboard>,
    person: Person,
    ids: PathIds,
    fields: Form,
) -> Result<Response, PageError> {
    let (store, endpoint) = find(&person, &ids).await?;
    let path = address(endpoint.id);
    let once = once::idempotency(&once::key(&fields, &*state.ids), &format!("POST {path}/recover"), &fields);
    // The answer is the page, which counts what is owed now: there is nothing to keep.
    let answer = |_: &store::Recovery| "null".to_owned();
    let recovered = store.recover_deliveries(all_given_up(&endpoint), Some(once), answer).await?;
    match recovered.ok_or_else(missing)? {
        Recovering::Begun(_) => Ok(Redirect::to(&path).into_response()),
        Recovering::EndpointGone => {
            let text = "It answered 410 (Gone), so nothing is sent to it. Enable it first.".to_owned();
            let next = ("/settings/integrations", "Back to the integrations");
            Err(PageError::said(StatusCode::CONFLICT, "Not sent again", text, next))
        }
    }
}
