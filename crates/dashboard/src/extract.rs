//! What handlers take from a request. Each refusal is a page.

use std::{convert::Infallible, time::Duration};

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, RawPathParams, Request},
};
use http::{header, request::Parts};
use model::Id;
use serde::de::DeserializeOwned;
use store::Rotation;

use crate::{Dashboard, error::PageError};

/// The fields of a form, in their order.
pub(crate) struct Form(pub(crate) Vec<(String, String)>);

impl Form {
    /// The first field with a name, without what surrounds it; empty where there is none.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(each, _)| each == name).map_or("", |(_, value)| value.trim())
    }

    /// The first field with a name, as it is.
    pub(crate) fn exact(&self, name: &str) -> &str {
        self.0.iter().find(|(each, _)| each == name).map_or("", |(_, value)| value)
    }

    /// How long the secret before a new one stays good, which a field says in seconds.
    pub(crate) fn overlap(&self, name: &str) -> Result<Duration, PageError> {
        let overlap = self.text(name).parse().map(Duration::from_secs).ok();
        overlap.filter(|overlap| *overlap <= Rotation::LONGEST_OVERLAP).ok_or_else(|| {
            PageError::bad_request("Say for how long the secret before stays good: a week at most.")
        })
    }

    /// Every field with a name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(each, _)| each == name).map(|(_, value)| value.as_str())
    }
}

impl FromRequest<Dashboard> for Form {
    type Rejection = PageError;

    async fn from_request(request: Request, state: &Dashboard) -> Result<Self, PageError> {
        let unreadable = || PageError::bad_request("The form could not be read.");
        let bytes = Bytes::from_request(request, state).await.map_err(|_| unreadable())?;
        serde_urlencoded::from_bytes(&bytes).map(Self).map_err(|_| unreadable())
    }
}

/// The query. What is not asked for is not looked at.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Dashboard> for Query<T> {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, _: &Dashboard) -> Result<Self, PageError> {
        serde_urlencoded::from_str(parts.uri.query().unwrap_or_default())
            .map(Self)
            .map_err(|_| PageError::bad_request("The address of this page has a part that cannot be read."))
    }
}

/// Where the person reaches this server: as the operator says, else as their browser does.
pub(crate) struct Origin(pub(crate) String);

impl FromRequestParts<Dashboard> for Origin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &Dashboard) -> Result<Self, Infallible> {
        // It becomes part of a shell command.
        let is_plain = |host: &&str| host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]".contains(&b));
        let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()).filter(is_plain);
        let own = || format!("http://{}", host.unwrap_or("127.0.0.1:8080"));
        Ok(Self(state.public_url.clone().unwrap_or_else(own)))
    }
}

/// The ids in the path, in their order.
pub(crate) struct PathIds(Vec<String>);

impl PathIds {
    /// The id with a number, from 0. What is no id names nothing.
    pub(crate) fn id<K>(&self, number: usize, noun: &str) -> Result<Id<K>, PageError> {
        let text = self.0.get(number).map_or("", String::as_str);
        text.parse().map_err(|_| PageError::not_found(noun))
    }
}

impl FromRequestParts<Dashboard> for PathIds {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, state: &Dashboard) -> Result<Self, PageError> {
        let params = RawPathParams::from_request_parts(parts, state).await;
        let params = params.map_err(|_| PageError::not_found("page"))?;
        Ok(Self(params.iter().map(|(_, value)| value.to_owned()).collect()))
    }
}
