//! The secret of an endpoint, in the place of the one before.

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use delivery::sign;
use model::Time;
use serde::{Deserialize, Serialize};
use store::{Endpoint, Rotation};

use super::integration::{self, NewSecret, Shown, find, missing, show};
use crate::{
    Dashboard,
    error::PageError,
    extract::{Form, PathIds},
    once,
    person::Person,
};

/// What is kept for when the form comes again.
#[derive(Deserialize, Serialize)]
struct Rotated {
    secret: Option<String>,
    until: Option<Time>,
}

/// Makes a new secret, or ends the one before at once.
pub(crate) async fn rotate_integration_secret(
    State(state): State<Dashboard>,
    person: Person,
    ids: PathIds,
    fields: Form,
) -> Result<Response, PageError> {
    let (store, endpoint) = find(&person, &ids).await?;
    let id = endpoint.id;
    if fields.text("do") == "expire" {
        store.expire_previous_secret(id).await?.ok_or_else(missing)?;
        return Ok(Redirect::to(&integration::address(id)).into_response());
    }
    let overlap = fields.overlap("overlap")?;
    let operation = format!("POST {}/secret", integration::address(id));
    let once = once::idempotency(&once::key(&fields, &*state.ids), &operation, &fields);
    let rotation = Rotation { secret: sign::generate_secret(&*state.ids), overlap };
    let answer = |endpoint: &Endpoint| {
        let rotated = Rotated { secret: endpoint.secret.clone(), until: endpoint.previous_secret_until };
        // A text and a time: there is nothing in them that JSON could not hold.
        serde_json::to_string(&rotated).unwrap_or_else(|_| "null".into())
    };
    let written =
        store.rotate_endpoint_secret(id, rotation, Some(once), answer).await?.ok_or_else(missing)?;
    let rotated: Rotated = serde_json::from_str(&once::kept(written)?)?;
    let until = rotated.until.map(|until| person.zone(&state).moment(until));
    let made = rotated.secret.map(|secret| NewSecret { secret, until });
    let endpoint = store.get_endpoint(id).await?.ok_or_else(missing)?;
    show(&state, &person, &store, endpoint, Shown { made, ..Shown::default() }).await
}
