//! What a client is told when something is wrong.

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use crate::envelope;

/// The code of an error: what a client branches on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// Invalid parameters, or required fields are missing.
    BadRequest,
    /// The API key is missing, invalid, revoked or expired.
    Unauthorized,
    /// The API key is restricted, and has not the scope that this needs; the message names it.
    Forbidden,
    /// There is no such resource or route.
    NotFound,
    /// The route does not take this method.
    MethodNotAllowed,
    /// The same idempotency key came with another request, or a record that is there stands against it.
    Conflict,
    /// What is asked for was here, and is no longer kept.
    Gone,
    /// The record was changed since the version that `If-Match` names.
    PreconditionFailed,
    /// The body is longer than is taken.
    PayloadTooLarge,
    /// The body is not of a type that is taken.
    UnsupportedMediaType,
    /// Nothing of the recording lies in the range that was asked for.
    RangeNotSatisfiable,
    /// Too many requests: wait as long as `Retry-After` says.
    RateLimited,
    /// Our fault.
    InternalError,
    /// We cannot serve this now: try again after `Retry-After`.
    Unavailable,
}

impl Code {
    /// The status that goes with the code.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict => StatusCode::CONFLICT,
            Self::Gone => StatusCode::GONE,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::RangeNotSatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// An answer that says what is wrong.
#[derive(Debug)]
pub struct ApiError {
    code: Code,
    message: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl ApiError {
    /// An error with a sentence for the person who reads it.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), headers: Vec::new() }
    }

    /// Something in the request is wrong; the sentence names it.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(Code::BadRequest, message)
    }

    /// There is no such thing, or it is another organization's, which must look the same.
    pub fn not_found(noun: &str) -> Self {
        Self::new(Code::NotFound, format!("There is no {noun} with this id"))
    }

    /// It cannot be done now.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Code::Unavailable, message).with(header::RETRY_AFTER, HeaderValue::from_static("5"))
    }

    /// The error with a header beside it.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// Our own failures: logged here, where they are answered, and never told to the client.
impl From<store::Error> for ApiError {
    fn from(error: store::Error) -> Self {
        let mut chain = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            chain = format!("{chain}: {cause}");
            source = cause.source();
        }
        tracing::error!(error = chain, "a request failed in the store");
        if error.is_unavailable() {
            return Self::unavailable("The database cannot be reached or written to; try again");
        }
        Self::new(Code::InternalError, "Something went wrong on our side")
    }
}

#[derive(Serialize)]
struct Wire<'a> {
    code: Code,
    message: &'a str,
    status: u16,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.code.status();
        let wire = Wire { code: self.code, message: &self.message, status: status.as_u16() };
        let mut response = envelope::begun("error", &wire);
        *response.status_mut() = status;
        response.headers_mut().extend(self.headers);
        response
    }
}
