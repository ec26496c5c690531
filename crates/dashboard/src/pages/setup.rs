//! The first minute: who has the link from the terminal becomes the owner.

use askama::Template;
use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use http::{HeaderMap, StatusCode, header};
use model::OrgId;
use serde::Deserialize;
use store::{FirstOrg, FirstOwner, NewSession, SetUp};

use crate::{
    Dashboard,
    error::PageError,
    extract::{Form, Query},
    fault::{Fault, Faults},
    password,
    person::session_cookie,
    secrets::{SESSION_LIFETIME, Token},
    shell::{Look, Shell, page, page_with},
};

/// How many organizations are offered that an operator made.
const OFFERED: u32 = 50;

#[derive(Deserialize)]
pub(crate) struct Link {
    #[serde(default)]
    token: String,
}

/// What was filled in, to be shown again where something of it is wrong. Never the password.
#[derive(Default)]
struct Filled {
    organization: String,
    new_name: String,
    email: String,
    time_zone: String,
    country: String,
}

#[derive(Template)]
#[template(path = "setup.html")]
struct SetupPage {
    shell: Shell,
    token: String,
    organizations: Vec<(String, String)>,
    filled: Filled,
    fault: Faults,
    zones: Vec<String>,
}

pub(crate) async fn show_setup(
    State(state): State<Dashboard>,
    headers: HeaderMap,
    Query(link): Query<Link>,
) -> Result<Response, PageError> {
    if !state.store.is_setup_link(Token::shown(&link.token).hash()).await? {
        return Err(no_link());
    }
    let filled = Filled { time_zone: String::new(), ..Filled::default() };
    form(&state, &headers, link.token, filled, None).await
}

async fn form(
    state: &Dashboard,
    headers: &HeaderMap,
    token: String,
    mut filled: Filled,
    fault: Option<Fault>,
) -> Result<Response, PageError> {
    let organizations = state.store.list_orgs(OFFERED).await?;
    let organizations: Vec<_> = organizations.into_iter().map(|org| (org.id.to_string(), org.name)).collect();
    if filled.organization.is_empty() {
        filled.organization = organizations.first().map_or("new".into(), |(id, _)| id.clone());
    }
    let status = if fault.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let zones =
        jiff::tz::db().available().map(|name| name.to_string()).filter(|name| is_usual(name)).collect();
    let shell = Shell::anonymous(state, Look::of(headers), "Set up InboundFlow");
    page_with(status, &SetupPage { shell, token, organizations, filled, fault: Faults(fault), zones })
}

/// Names of places, without those that are kept for old systems.
fn is_usual(name: &str) -> bool {
    let areas = [
        "Africa/",
        "America/",
        "Antarctica/",
        "Asia/",
        "Atlantic/",
        "Australia/",
        "Europe/",
        "Indian/",
        "Pacific/",
    ];
    name == "UTC" || areas.iter().any(|area| name.starts_with(area))
}

pub(crate) async fn finish_setup(
    State(state): State<Dashboard>,
    headers: HeaderMap,
    fields: Form,
) -> Result<Response, PageError> {
    let token = Token::shown(fields.exact("token"));
    if !state.store.is_setup_link(token.hash()).await? {
        return Err(no_link());
    }
    let filled = Filled {
        organization: fields.text("organization").to_owned(),
        new_name: fields.text("name").to_owned(),
        email: fields.text("email").to_owned(),
        time_zone: fields.text("time_zone").to_owned(),
        country: fields.text("country").to_uppercase(),
    };
    let again = async |filled, field, why: String| {
        form(&state, &headers, fields.exact("token").to_owned(), filled, Some((field, why))).await
    };
    let org = match checked(&filled, fields.exact("password")) {
        Ok(org) => org,
        Err((field, why)) => return again(filled, field, why).await,
    };
    let hashed = state.hashing.hash(fields.exact("password").to_owned()).await;
    let password_hash = hashed.ok_or_else(PageError::internal)?;
    let first = FirstOwner { email: filled.email.clone(), password_hash, org };
    match state.store.set_up(token.hash(), first).await? {
        SetUp::Done(user) => sign_in(&state, &headers, user.id, "/settings/api?first=1").await,
        SetUp::NoLink => Err(no_link()),
        SetUp::EmailTaken => again(filled, "email", "is somebody's here already".into()).await,
        SetUp::NoOrg => again(filled, "organization", "is not there any more".into()).await,
    }
}

fn checked(filled: &Filled, password: &str) -> Result<FirstOrg, (&'static str, String)> {
    if !looks_like_email(&filled.email) {
        return Err(("email", "must be an e-mail address, such as you@example.com".into()));
    }
    if let Some(why) = password::fault(password) {
        return Err(("password", why));
    }
    if !model::is_time_zone(&filled.time_zone) {
        return Err(("time_zone", "must be the name of a time zone, such as Europe/Berlin".into()));
    }
    let letters = filled.country.bytes().all(|byte| byte.is_ascii_uppercase());
    if !filled.country.is_empty() && (filled.country.len() != 2 || !letters) {
        return Err(("country", "must be two letters, such as US or DE".into()));
    }
    let country = Some(filled.country.clone()).filter(|country| !country.is_empty());
    let time_zone = filled.time_zone.clone();
    if filled.organization != "new" && !filled.organization.is_empty() {
        let org: OrgId =
            filled.organization.parse().map_err(|_| ("organization", "is not there any more".to_owned()))?;
        return Ok(FirstOrg::Existing { org, time_zone, country });
    }
    if filled.new_name.is_empty() || filled.new_name.chars().count() > 200 {
        return Err(("name", "needs 1 to 200 characters".into()));
    }
    Ok(FirstOrg::New { name: filled.new_name.clone(), time_zone, country })
}

/// Whether a text may be an e-mail address. Whether it is one, only a mail to it would tell.
pub fn looks_like_email(text: &str) -> bool {
    let is_fine = |c: char| !c.is_whitespace() && !c.is_control();
    text.len() <= 320
        && text.chars().all(is_fine)
        && text
            .split_once('@')
            .is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@'))
}

/// Opens a session and leads on.
pub(crate) async fn sign_in(
    state: &Dashboard,
    headers: &HeaderMap,
    user: model::UserId,
    next: &str,
) -> Result<Response, PageError> {
    let token = Token::generate(&*state.ids);
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let session = NewSession {
        user,
        hash: token.hash(),
        user_agent: agent.map(|agent| agent.chars().take(300).collect()),
        expires_at: state.clock.now() + SESSION_LIFETIME,
    };
    if !state.store.open_session(session).await? {
        return Err(PageError::bad_request(
            "You belong to no organization here. Ask whoever runs this server.",
        ));
    }
    let mut response = Redirect::to(next).into_response();
    if let Some(cookie) = session_cookie(state, Some(&token)) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

fn no_link() -> PageError {
    let text = "This setup link was used, has run out, or is not whole. While nobody owns an organization here, the \
                server prints a new one each time it starts. Somebody who has an account signs in.";
    PageError::said(StatusCode::GONE, "This link is not good any more", text.into(), ("/sign-in", "Sign in"))
}

#[derive(Template)]
#[template(path = "not_set_up.html")]
struct NotSetUpPage {
    shell: Shell,
}

/// What is shown until there is an owner.
pub(crate) fn not_set_up(state: &Dashboard, look: Look) -> Result<Response, PageError> {
    page(&NotSetUpPage { shell: Shell::anonymous(state, look, "Not set up yet") })
}
