//! Signing in and out.

use std::time::Duration;

use askama::Template;
use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;

use super::setup;
use crate::{
    Dashboard,
    error::PageError,
    extract::{Form, Query},
    password,
    person::{Address, session_cookie, session_token},
    shell::{Look, Shell, page_with},
};

#[derive(Deserialize)]
pub(crate) struct Next {
    #[serde(default)]
    next: String,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    shell: Shell,
    next: String,
    email: String,
    fault: Option<String>,
}

fn form(
    state: &Dashboard,
    headers: &HeaderMap,
    (next, email): (&str, &str),
    fault: Option<(StatusCode, String)>,
) -> Result<Response, PageError> {
    let shell = Shell::anonymous(state, Look::of(headers), "Sign in");
    let (status, fault) = fault.map_or((StatusCode::OK, None), |(status, why)| (status, Some(why)));
    page_with(status, &SignInPage { shell, next: next.to_owned(), email: email.to_owned(), fault })
}

pub(crate) async fn show_sign_in(
    State(state): State<Dashboard>,
    headers: HeaderMap,
    Query(query): Query<Next>,
) -> Result<Response, PageError> {
    if let Some(token) = session_token(&headers, &state)
        && state.store.visitor(token.hash()).await?.is_some()
    {
        return Ok(Redirect::to(local(&query.next)).into_response());
    }
    if !state.store.has_owner().await? {
        return setup::not_set_up(&state, Look::of(&headers));
    }
    form(&state, &headers, (local(&query.next), ""), None)
}

pub(crate) async fn sign_in(
    State(state): State<Dashboard>,
    Address(address): Address,
    headers: HeaderMap,
    fields: Form,
) -> Result<Response, PageError> {
    let (email, next, now) = (fields.text("email"), local(fields.exact("next")), state.clock.now());
    if let Err(wait) = state.throttle.admit(address, email, now) {
        return throttled(&state, &headers, (next, email), wait);
    }
    let login = state.store.find_login(email).await?;
    let given = fields.exact("password");
    // Longer than any password there is: not worth computing, and no account is told by that.
    let given = if given.chars().count() > password::MAX_CHARS { "" } else { given };
    let kept = login.as_ref().map(|login| login.password_hash.clone());
    if !state.hashing.check(given.to_owned(), kept).await {
        tracing::info!(%address, "somebody at {address} failed to sign in");
        let why = "The e-mail address or the password is not right.".to_owned();
        return form(&state, &headers, (next, email), Some((StatusCode::UNAUTHORIZED, why)));
    }
    state.throttle.forgive(address, email);
    let user = login.ok_or_else(PageError::internal)?.user;
    setup::sign_in(&state, &headers, user, next).await
}

fn throttled(
    state: &Dashboard,
    headers: &HeaderMap,
    filled: (&str, &str),
    wait: Duration,
) -> Result<Response, PageError> {
    let minutes = wait.as_secs().div_ceil(60).max(1);
    let why = format!("Too many tries. You can try again in {minutes} min.");
    let mut response = form(state, headers, filled, Some((StatusCode::TOO_MANY_REQUESTS, why)))?;
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
    Ok(response)
}

pub(crate) async fn sign_out(
    State(state): State<Dashboard>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    if let Some(token) = session_token(&headers, &state) {
        state.store.close_session(token.hash()).await?;
    }
    let mut response = Redirect::to("/sign-in").into_response();
    if let Some(cookie) = session_cookie(&state, None) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Where to go on: a path here, and never another site's address, however it is written.
fn local(next: &str) -> &str {
    let is_path =
        next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\r', '\n', '\t']);
    if is_path { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn signing_in_leads_to_no_other_site() {
        assert_eq!(local("/calls?view=failed"), "/calls?view=failed");
        for elsewhere in
            ["", "calls", "//evil.example", "/\\evil.example", "https://evil.example", "/\t/evil.example"]
        {
            assert_eq!(local(elsewhere), "/", "{elsewhere}");
        }
    }
}
