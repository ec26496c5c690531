//! A new endpoint: one form for every tool, which can be tried before it is saved.

use askama::Template;
use axum::{extract::State, response::Response};
use delivery::{NewTrial, Recipient, sign};
use http::StatusCode;
use model::{EventType, Permission, Telling};
use serde::{Deserialize, Serialize};
use store::{Aside, Endpoint, NewEndpoint};

use crate::{
    Dashboard,
    endpoint::{Draft, TestView, sentence},
    error::PageError,
    extract::{Form, Query},
    fault::{Fault, Faults},
    once,
    person::Person,
    shell::{Shell, Tab, page, page_with},
    tools::Tool,
};

#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    tool: String,
}

#[derive(Template)]
#[template(path = "integration_new.html")]
struct NewPage {
    shell: Shell,
    tool: Tool,
    once: String,
    draft: Draft,
    fault: Faults,
    test: Option<TestView>,
}

/// An endpoint that was just made.
#[derive(Deserialize, Serialize)]
struct Made {
    id: String,
    url: String,
    secret: String,
}

#[derive(Template)]
#[template(path = "integration_made.html")]
struct MadePage {
    shell: Shell,
    tool: Tool,
    made: Made,
}

fn form(person: &Person, state: &Dashboard, tool: Tool, once: String, draft: Draft) -> NewPage {
    let shell = person.shell(state, format!("Connect {}", tool.name()), Tab::Integrations);
    NewPage { shell, tool, once, draft, fault: Faults(None), test: None }
}

pub(crate) async fn show_form(
    State(state): State<Dashboard>,
    person: Person,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    person.door(Permission::ManageWebhooks)?;
    page(&form(&person, &state, Tool::named(&asked.tool), once::fresh(&*state.ids), Draft::new()))
}

/// Sends a test to what is typed, or saves it.
pub(crate) async fn test_or_save(
    State(state): State<Dashboard>,
    person: Person,
    fields: Form,
) -> Result<Response, PageError> {
    let store = person.door(Permission::ManageWebhooks)?;
    let (tool, draft) = (Tool::named(fields.text("tool")), Draft::read(&fields));
    let once = once::key(&fields, &*state.ids);
    let checked = match draft.check(&state.trials) {
        Ok(checked) => checked,
        Err(fault) => {
            let again = NewPage { fault: Faults(Some(fault)), ..form(&person, &state, tool, once, draft) };
            return page_with(StatusCode::UNPROCESSABLE_ENTITY, &again);
        }
    };
    let mut telling = Telling::default();
    checked.telling.apply(&mut telling);
    if fields.text("do") != "save" {
        let event = EventType::ALL.into_iter().find(|event| checked.events.wants(*event));
        let event = event.unwrap_or(EventType::CallCompleted);
        let shown = match test(&state, &person, (checked.url, telling), event).await? {
            Ok(test) => NewPage { test: Some(test), ..form(&person, &state, tool, once, draft) },
            Err(fault) => NewPage { fault: Faults(Some(fault)), ..form(&person, &state, tool, once, draft) },
        };
        return page(&shown);
    }
    let secret = sign::generate_secret(&*state.ids);
    let (url, events) = (checked.url, checked.events);
    let new = NewEndpoint { url, events, secret: Some(secret), source: None, telling };
    let once = once::idempotency(&once, "POST /settings/integrations/new", &fields);
    let aside = Aside { description: checked.description, ..Aside::default() };
    let written = store.create_endpoint_once(new, aside, Some(once), made).await?;
    let made = serde_json::from_str(&once::kept(written)?)?;
    let shell = person.shell(&state, "Connected", Tab::Integrations);
    page(&MadePage { shell, tool, made })
}

/// What is kept for when the form comes again.
fn made(endpoint: &Endpoint) -> String {
    let made = Made {
        id: endpoint.id.to_string(),
        url: endpoint.url.clone(),
        secret: endpoint.secret.clone().unwrap_or_default(),
    };
    // Plain texts: there is nothing in them that JSON could not hold.
    serde_json::to_string(&made).unwrap_or_else(|_| "null".into())
}

/// Sends a sample to an address that is not saved, signed with a secret that is made up for it.
async fn test(
    state: &Dashboard,
    person: &Person,
    (url, telling): (String, Telling),
    event: EventType,
) -> Result<Result<TestView, Fault>, PageError> {
    let secret = Some(sign::generate_secret(&*state.ids));
    let whose = (&state.store, person.visitor.org);
    let to = Recipient::new(whose, url.clone(), secret, (telling, state.clock.now())).await?;
    let sent = state.trials.send(NewTrial { to, event }).await;
    let shown = sent.map(|trial| TestView::new(event, url, trial));
    Ok(shown.map_err(|error| ("url", sentence(&error.to_string()))))
}
