//! What surrounds every page: head, navigation, who is signed in.

use askama::Template;
use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use model::Permission;
use store::Visitor;

use crate::{
    Dashboard,
    assets::Paths,
    error::{PageError, Said},
    person::cookie,
};

/// Light or dark, where the person chose; else as their system is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    System,
    Light,
    Dark,
}

impl Look {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        match cookie(headers, "theme") {
            Some("light") => Self::Light,
            Some("dark") => Self::Dark,
            _ => Self::System,
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// Which part of the navigation a page belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tab {
    Overview,
    Calls,
    Contacts,
    Leads,
    Appointments,
    Deliveries,
    Integrations,
    Sources,
    Keys,
}

/// A line of the navigation.
pub(crate) struct NavItem {
    pub(crate) href: &'static str,
    pub(crate) label: &'static str,
    pub(crate) icon: &'static str,
    pub(crate) is_here: bool,
    /// Whether it stands behind “More” where there is little room.
    pub(crate) is_minor: bool,
}

/// What surrounds a page.
pub(crate) struct Shell {
    pub(crate) title: String,
    pub(crate) theme: &'static str,
    pub(crate) assets: Paths,
    pub(crate) nav: Vec<NavItem>,
    /// The pages of the settings, as far as the person may see them.
    pub(crate) settings: Vec<NavItem>,
    /// The organization's name, the person's address and their role, where somebody is signed in.
    pub(crate) person: Option<(String, String, &'static str)>,
}

impl Shell {
    /// Whether this is a page of the settings.
    pub(crate) fn is_settings(&self) -> bool {
        self.settings.iter().any(|item| item.is_here)
    }

    /// Whether this page stands behind “More” where there is little room.
    pub(crate) fn is_behind_more(&self) -> bool {
        self.is_settings() || self.nav.iter().any(|item| item.is_here && item.is_minor)
    }

    /// Of a page that nobody needs to be signed in for.
    pub(crate) fn anonymous(state: &Dashboard, look: Look, title: &str) -> Self {
        Self {
            title: title.to_owned(),
            theme: look.word(),
            assets: state.assets.paths(),
            nav: Vec::new(),
            settings: Vec::new(),
            person: None,
        }
    }

    pub(crate) fn of_person(
        state: &Dashboard,
        visitor: &Visitor,
        look: Look,
        title: String,
        tab: Tab,
    ) -> Self {
        let is_minor = |of: Tab| matches!(of, Tab::Contacts | Tab::Deliveries);
        let item = |of: Tab, href, label, icon| NavItem {
            href,
            label,
            icon,
            is_here: of == tab,
            is_minor: is_minor(of),
        };
        let mut nav = vec![
            item(Tab::Overview, "/", "Overview", "grid"),
            item(Tab::Calls, "/calls", "Calls", "phone"),
            item(Tab::Leads, "/leads", "Leads", "flag"),
            item(Tab::Appointments, "/appointments", "Appointments", "calendar"),
            item(Tab::Contacts, "/contacts", "Contacts", "people"),
        ];
        if visitor.role.permits(Permission::ReadDeliveries) {
            nav.push(item(Tab::Deliveries, "/deliveries", "Deliveries", "send"));
        }
        let settings = [
            (
                Permission::ManageWebhooks,
                item(Tab::Integrations, "/settings/integrations", "Integrations", "plug"),
            ),
            (Permission::ManageSources, item(Tab::Sources, "/settings/sources", "Voice platforms", "wave")),
            (Permission::ManageKeys, item(Tab::Keys, "/settings/api", "API keys", "key")),
        ];
        let settings = settings.into_iter().filter(|(needs, _)| visitor.role.permits(*needs));
        Self {
            title,
            theme: look.word(),
            assets: state.assets.paths(),
            nav,
            settings: settings.map(|(_, item)| item).collect(),
            person: Some((visitor.org_name.clone(), visitor.email.clone(), visitor.role.as_str())),
        }
    }
}

/// A page as an answer.
pub(crate) fn page(template: &impl Template) -> Result<Response, PageError> {
    page_with(StatusCode::OK, template)
}

/// A page as an answer with another status.
pub(crate) fn page_with(status: StatusCode, template: &impl Template) -> Result<Response, PageError> {
    let html = template.render().map_err(|error| {
        tracing::error!(%error, "a page could not be rendered");
        PageError::internal()
    })?;
    let mut response = (status, Body::from(html)).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    Ok(response)
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    shell: Shell,
    said: &'a Said,
    request_id: &'a str,
}

/// The page that says what is wrong.
pub(crate) fn error_page(state: &Dashboard, look: Look, said: &Said, request_id: &str) -> Response {
    let shell = Shell::anonymous(state, look, said.title);
    let page = page_with(said.status, &ErrorPage { shell, said, request_id });
    page.unwrap_or_else(|_| said.status.into_response())
}
