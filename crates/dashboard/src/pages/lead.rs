//! A lead: what somebody wants, where it stands, and where it comes from.

use askama::Template;
use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use http::StatusCode;
use model::{CallId, Lead, LeadStatus, Page, Permission, id::kind};
use store::{Asked as Asking, LeadChange, ListAppointments, OrgStore};

use super::{
    calls::{self, Row},
    leads::{Move, moves},
};
use crate::{
    Dashboard, appointment,
    call::{Badge, Call},
    error::PageError,
    extract::{Form, PathIds},
    fault::{Fault, Faults},
    fields,
    lead::{self, Draft},
    once,
    person::Person,
    provenance::Origin,
    shell::{Shell, Tab, page, page_with},
    show::{self, Moment, Zone},
};

/// How many of its appointments stand beside it.
const BESIDE: u32 = 20;

/// An appointment beside a lead.
pub(crate) struct AppointmentLine {
    pub(crate) href: String,
    pub(crate) title: String,
    pub(crate) when: String,
    pub(crate) status: Badge,
}

#[derive(Template)]
#[template(path = "lead.html")]
struct LeadPage {
    shell: Shell,
    id: String,
    here: String,
    who: String,
    number: Option<(String, String)>,
    email: Option<(String, String)>,
    intent: Option<String>,
    summary: Option<String>,
    notes: Option<String>,
    status: Badge,
    urgency: Option<Badge>,
    made: Moment,
    changed: Moment,
    /// The name of the contact and where it is.
    contact: Option<(String, String)>,
    rows: Vec<Row>,
    appointments: Vec<AppointmentLine>,
    origin: Option<Origin>,
    moves: Vec<Move>,
    may_write: bool,
    once: String,
}

fn missing() -> PageError {
    let text = "There is no lead at this address. It may have been deleted.".to_owned();
    PageError::said(StatusCode::NOT_FOUND, "Not found", text, ("/leads", "Back to the leads"))
}

async fn find(person: &Person, ids: &PathIds, permission: Permission) -> Result<(OrgStore, Lead), PageError> {
    let id = ids.id::<kind::Lead>(0, "lead")?;
    let store = person.door(permission)?;
    let lead = store.get_lead(id).await?.ok_or_else(missing)?;
    Ok((store, lead))
}

pub(crate) async fn show_lead(
    State(state): State<Dashboard>,
    person: Person,
    ids: PathIds,
) -> Result<Response, PageError> {
    let (store, lead) = find(&person, &ids, Permission::ReadRecords).await?;
    let zone = person.zone(&state);
    let contact = match lead.contact_id {
        Some(id) => store.get_contact(id).await?,
        None => None,
    };
    let origin = store.lead_provenance(lead.id).await?.map(|found| Origin::new(found, &person));
    page(&LeadPage {
        shell: person.shell(&state, lead::who(&lead), Tab::Leads),
        id: lead.id.to_string(),
        here: lead::address(lead.id),
        who: lead::who(&lead),
        number: lead.phone.as_ref().map(|phone| (phone.to_string(), phone.international())),
        status: lead::badge(lead.status),
        urgency: lead::urgency(lead.urgency),
        made: zone.moment(lead.created_at.time()),
        changed: zone.moment(lead.updated_at.time()),
        contact: contact.map(|it| (crate::contact::name(&it), format!("/contacts/{}", it.id))),
        rows: call_rows(&store, lead.call_id, &zone).await?,
        appointments: appointments(&store, &lead, &zone).await?,
        origin,
        moves: moves(&lead),
        may_write: person.may(Permission::WriteRecords),
        once: once::fresh(&*state.ids),
        email: lead.email.map(|email| (show::mail_address(&email), email)),
        intent: lead.intent,
        summary: lead.summary,
        notes: lead.notes,
    })
}

/// The call that something was made of, as a line, if there is one.
pub(crate) async fn call_rows(
    store: &OrgStore,
    call: Option<CallId>,
    zone: &Zone,
) -> Result<Vec<Row>, PageError> {
    let Some(id) = call else { return Ok(Vec::new()) };
    let Some(found) = store.get_call(id).await? else { return Ok(Vec::new()) };
    let call: Call = serde_json::from_slice(&found.json)?;
    calls::rows(store, &[call], zone, &calls::assistants(store).await?).await
}

async fn appointments(store: &OrgStore, lead: &Lead, zone: &Zone) -> Result<Vec<AppointmentLine>, PageError> {
    let page = Page { limit: BESIDE, before: None, since: None };
    let list = ListAppointments {
        page,
        status: None,
        contact: None,
        lead: Some(lead.id),
        phone: None,
        from: None,
        to: None,
    };
    let found = store.list_appointments(list).await?;
    let line = |it: &model::Appointment| AppointmentLine {
        href: appointment::address(it.id),
        title: appointment::title(it),
        when: appointment::when(it, zone),
        status: appointment::badge(it.status),
    };
    Ok(found.records.iter().map(line).collect())
}

/// Says where a lead stands.
pub(crate) async fn move_lead(person: Person, ids: PathIds, form: Form) -> Result<Response, PageError> {
    let (store, lead) = find(&person, &ids, Permission::WriteRecords).await?;
    let status = LeadStatus::parse(form.text("status"));
    let status = status.ok_or_else(|| PageError::bad_request("Choose where the lead stands."))?;
    let change = LeadChange { status: Some(status), ..LeadChange::default() };
    match store.update_lead(lead.id, change, Asking::default()).await? {
        Ok(_) => {
            let back = back(form.text("back")).unwrap_or_else(|| lead::address(lead.id));
            Ok(Redirect::to(&format!("{back}#lead-{}", lead.id)).into_response())
        }
        Err(refusal) => Err(PageError::bad_request(fields::fault_of(refusal, "lead")?.1)),
    }
}

/// Where the form came from, if that is a page of leads.
fn back(address: &str) -> Option<String> {
    let is_leads = address == "/leads" || address.starts_with("/leads?");
    (is_leads && address.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#'))
        .then(|| address.to_owned())
}

#[derive(Template)]
#[template(path = "lead_edit.html")]
struct EditPage {
    shell: Shell,
    here: String,
    who: String,
    version: String,
    once: String,
    draft: Draft,
    fault: Faults,
}

impl EditPage {
    fn of(state: &Dashboard, person: &Person, lead: &Lead) -> Self {
        let who = lead::who(lead);
        Self {
            shell: person.shell(state, format!("Edit {who}"), Tab::Leads),
            here: lead::address(lead.id),
            who,
            version: fields::version(lead.updated_at),
            once: once::fresh(&*state.ids),
            draft: Draft::of(lead),
            fault: Faults(None),
        }
    }

    fn again(self, draft: Draft, fault: Fault) -> Result<Response, PageError> {
        page_with(StatusCode::UNPROCESSABLE_ENTITY, &Self { draft, fault: Faults(Some(fault)), ..self })
    }
}

pub(crate) async fn show_form(
    State(state): State<Dashboard>,
    person: Person,
    ids: PathIds,
) -> Result<Response, PageError> {
    let (_, lead) = find(&person, &ids, Permission::WriteRecords).await?;
    page(&EditPage::of(&state, &person, &lead))
}

pub(crate) async fn save_lead(
    State(state): State<Dashboard>,
    person: Person,
    ids: PathIds,
    form: Form,
) -> Result<Response, PageError> {
    let (store, lead) = find(&person, &ids, Permission::WriteRecords).await?;
    let draft = Draft::read(&form);
    let change = match draft.check() {
        Ok(change) => change,
        Err(fault) => return EditPage::of(&state, &person, &lead).again(draft, fault),
    };
    let here = lead::address(lead.id);
    let asked = fields::asked(&state, &form, &format!("POST {here}/edit"));
    match store.update_lead(lead.id, change, asked).await? {
        Ok(written) => {
            once::kept(written)?;
            Ok(Redirect::to(&here).into_response())
        }
        Err(refusal) => {
            let fault = fields::fault_of(refusal, "lead")?;
            let lead = store.get_lead(lead.id).await?.ok_or_else(missing)?;
            EditPage::of(&state, &person, &lead).again(draft, fault)
        }
    }
}

/// Deletes a lead. Its call and its appointments stay.
pub(crate) async fn delete_lead(
    State(state): State<Dashboard>,
    person: Person,
    ids: PathIds,
    form: Form,
) -> Result<Response, PageError> {
    let id = ids.id::<kind::Lead>(0, "lead")?;
    let store = person.door(Permission::WriteRecords)?;
    let asked = fields::asked(&state, &form, &format!("POST /leads/{id}/delete"));
    match store.delete_lead(id, asked).await? {
        Ok(written) => {
            once::kept(written)?;
            Ok(Redirect::to("/leads").into_response())
        }
        Err(_) => Err(missing()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_leads_back_to_leads_and_nowhere_else() {
        assert_eq!(back("/leads?urgency=high&q=a+b").as_deref(), Some("/leads?urgency=high&q=a+b"));
        for elsewhere in
            ["", "//evil.example", "https://evil.example", "/leadsx", "/leads?\r\nx: y", "/calls"]
        {
            assert_eq!(back(elsewhere), None, "{elsewhere:?}");
        }
    }
}
