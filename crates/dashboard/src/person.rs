//! Who asks: by the cookie of a session.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use http::{HeaderMap, HeaderValue, Method, header, request::Parts};
use model::Permission;
use store::{OrgStore, Visitor};

use crate::{
    Dashboard,
    error::PageError,
    secrets::{SESSION_LIFETIME, Token},
    shell::{Look, Shell, Tab},
    show::Zone,
};

/// A person who is signed in.
pub(crate) struct Person {
    pub(crate) visitor: Visitor,
    look: Look,
}

impl Person {
    /// The organization's records, for something that the person does there.
    pub(crate) fn door(&self, permission: Permission) -> Result<OrgStore, PageError> {
        Ok(self.visitor.door(permission)?)
    }

    /// Whether the person may do it.
    pub(crate) fn may(&self, permission: Permission) -> bool {
        self.visitor.role.permits(permission)
    }

    /// The organization's time zone, and the time now.
    pub(crate) fn zone(&self, state: &Dashboard) -> Zone {
        Zone::new(self.visitor.time_zone.as_deref(), state.clock.now())
    }

    /// What surrounds a page of theirs.
    pub(crate) fn shell(&self, state: &Dashboard, title: impl Into<String>, tab: Tab) -> Shell {
        Shell::of_person(state, &self.visitor, self.look, title.into(), tab)
    }
}

impl FromRequestParts<Dashboard> for Person {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, state: &Dashboard) -> Result<Self, PageError> {
        let token = session_token(&parts.headers, state);
        let visitor = match &token {
            Some(token) => state.store.visitor(token.hash()).await?,
            None => None,
        };
        let Some(visitor) = visitor else {
            // Whoever comes to read comes back there; a form that was sent is not sent again.
            let next = (parts.method == Method::GET)
                .then(|| parts.uri.path_and_query().map(ToString::to_string))
                .flatten();
            return Err(PageError::SignIn(next));
        };
        Ok(Self { visitor, look: Look::of(&parts.headers) })
    }
}

/// The address that a request came from.
pub(crate) struct Address(pub(crate) IpAddr);

impl FromRequestParts<Dashboard> for Address {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, _: &Dashboard) -> Result<Self, PageError> {
        let connected = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(Self(connected.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(address)| address.ip())))
    }
}

/// The cookie's name. With `__Host-` browsers take it by https alone, from this host and for no other (RFC 6265bis,
/// section 4.1.3.2); on http they would not take it at all.
fn cookie_name(state: &Dashboard) -> &'static str {
    if state.is_https() { "__Host-inboundflow" } else { "inboundflow" }
}

/// The token that a request shows.
pub(crate) fn session_token(headers: &HeaderMap, state: &Dashboard) -> Option<Token> {
    cookie(headers, cookie_name(state)).map(Token::shown)
}

/// A cookie that has a session's token, or forgets it.
pub(crate) fn session_cookie(state: &Dashboard, token: Option<&Token>) -> Option<HeaderValue> {
    let name = cookie_name(state);
    let secure = if state.is_https() { "; Secure" } else { "" };
    let (value, age) = token.map_or(("", 0), |token| (token.reveal(), SESSION_LIFETIME.as_secs()));
    let text = format!("{name}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}");
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// A cookie of a request.
pub(crate) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|line| line.split(';')).find_map(|pair| {
        let (each, value) = pair.trim().split_once('=')?;
        (each == name && !value.is_empty()).then_some(value)
    })
}
