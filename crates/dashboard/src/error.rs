//! What a person is told when a page cannot be shown, in words and with a next step.

use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use store::NotPermitted;

/// The pages cannot be served as they are set up.
#[derive(Debug)]
pub struct ConfigError(pub(crate) String);

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

/// Why a page is not shown.
#[derive(Debug)]
pub(crate) enum PageError {
    /// Said in the page's place. [`crate::layers`] writes the page, since it knows the request's id.
    Said(Said),
    /// Somebody must sign in first, and then comes back.
    SignIn(Option<String>),
}

/// A page that says what is wrong.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) status: StatusCode,
    pub(crate) title: &'static str,
    pub(crate) text: String,
    /// Where the next step leads, and what it is called.
    pub(crate) next: (&'static str, &'static str),
}

const BACK: (&str, &str) = ("/calls", "Back to the calls");
const RETRY: (&str, &str) = ("", "Try again");

impl PageError {
    /// There is no such thing, or it is another organization's, which must look the same.
    pub(crate) fn not_found(noun: &str) -> Self {
        Self::said(
            StatusCode::NOT_FOUND,
            "Not found",
            format!("There is no {noun} at this address. It may have been deleted."),
            BACK,
        )
    }

    /// What was sent cannot be used.
    pub(crate) fn bad_request(text: impl Into<String>) -> Self {
        Self::said(StatusCode::BAD_REQUEST, "That did not work", text.into(), BACK)
    }

    pub(crate) fn said(
        status: StatusCode,
        title: &'static str,
        text: String,
        next: (&'static str, &'static str),
    ) -> Self {
        Self::Said(Said { status, title, text, next })
    }

    /// Our fault.
    pub(crate) fn internal() -> Self {
        let text = "The fault is on our side, and nothing was lost.".to_owned();
        Self::said(StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong", text, RETRY)
    }
}

impl From<store::Error> for PageError {
    fn from(error: store::Error) -> Self {
        tracing::error!(%error, "a page failed in the store");
        if error.is_unavailable() {
            let text = "The database cannot be reached or written to at the moment.".to_owned();
            return Self::said(StatusCode::SERVICE_UNAVAILABLE, "Not available now", text, RETRY);
        }
        Self::internal()
    }
}

impl From<serde_json::Error> for PageError {
    fn from(error: serde_json::Error) -> Self {
        tracing::error!(%error, "a record could not be read for a page");
        Self::internal()
    }
}

impl From<NotPermitted> for PageError {
    fn from(NotPermitted(permission): NotPermitted) -> Self {
        let text = format!(
            "Your role in this organization does not let you {}. An owner or an admin can give you another role.",
            permission.about()
        );
        Self::said(StatusCode::FORBIDDEN, "Not permitted", text, BACK)
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        match self {
            Self::Said(said) => {
                let mut response = said.status.into_response();
                response.extensions_mut().insert(said);
                response
            }
            Self::SignIn(next) => {
                let query = next.and_then(|next| serde_urlencoded::to_string([("next", next)]).ok());
                let address =
                    query.map_or_else(|| "/sign-in".to_owned(), |query| format!("/sign-in?{query}"));
                Redirect::to(&address).into_response()
            }
        }
    }
}
