//! Whether we are well, for whoever restarts us and whoever sends us traffic.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{AppState, envelope::One, error::ApiError};

/// How the server is.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// Always `ok`.
    status: &'static str,
}

/// The process is alive.
#[utoipa::path(get, path = "/healthz", tag = "Health", security(()),
    responses((status = 200, description = "The process is alive.", body = crate::openapi::OneOf<Health>)))]
pub(crate) async fn healthz() -> One<Health> {
    One::new(Health { status: "ok" })
}

/// The process can serve: its database answers.
#[utoipa::path(get, path = "/readyz", tag = "Health", security(()),
    responses(
        (status = 200, description = "The database answers.", body = crate::openapi::OneOf<Health>),
        (status = 503, response = crate::openapi::Unavailable),
    ))]
pub(crate) async fn readyz(State(state): State<AppState>) -> Result<One<Health>, ApiError> {
    state.store.check().await?;
    Ok(One::new(Health { status: "ok" }))
}
