//! Two contacts that turn out to be one person: which other one, what would come of it, and then merging them.

use askama::Template;
use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use model::{Contact, ContactId, Page, Permission, Phone, id::kind};
use serde::Deserialize;
use store::{ListContacts, OrgStore};

use super::{
    contact::find,
    contacts::{ContactRow, address, rows},
};
use crate::{
    Dashboard, contact,
    error::PageError,
    extract::{Form, PathIds, Query},
    fields, once,
    person::Person,
    shell::{Shell, Tab, page},
    show::{self, Zone},
};

/// How many others are offered.
const OFFERED: u32 = 20;

#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    q: String,
    #[serde(default)]
    from: String,
}

/// A field of both contacts, and of what would come of them.
struct Line {
    label: &'static str,
    kept: String,
    given: String,
    after: String,
    /// Whether merging changes it of the one that stays.
    is_new: bool,
    /// Whether something of the other is not taken over.
    is_lost: bool,
}

/// What merging would make.
struct Preview {
    from: String,
    from_who: String,
    swap: String,
    lines: Vec<Line>,
    moved: String,
    version: String,
}

#[derive(Template)]
#[template(path = "contact_merge.html")]
struct MergePage {
    shell: Shell,
    here: String,
    who: String,
    q: String,
    rows: Vec<ContactRow>,
    is_guess: bool,
    preview: Option<Preview>,
    once: String,
}

pub(crate) async fn show_merge(
    State(state): State<Dashboard>,
    person: Person,
    ids: PathIds,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let (store, kept) = find(&person, &ids, Permission::WriteRecords).await?;
    let zone = person.zone(&state);
    let preview = match asked.from.parse::<ContactId>() {
        Ok(from) => Some(preview(&store, &kept, from).await?),
        Err(_) => None,
    };
    let rows = if preview.is_none() { others(&store, &kept, &asked.q, &zone).await? } else { Vec::new() };
    let who = contact::name(&kept);
    page(&MergePage {
        shell: person.shell(&state, format!("Merge {who}"), Tab::Contacts),
        here: address(&kept),
        who,
        is_guess: asked.q.trim().is_empty(),
        q: asked.q,
        rows,
        preview,
        once: once::fresh(&*state.ids),
    })
}

/// The contacts that fit what is looked for; where nothing is, those of the same name.
async fn others(
    store: &OrgStore,
    kept: &Contact,
    q: &str,
    zone: &Zone,
) -> Result<Vec<ContactRow>, PageError> {
    let typed: String = q.trim().chars().take(500).collect();
    let search = Some(typed).filter(|typed| !typed.is_empty()).or_else(|| kept.name.clone());
    if search.is_none() {
        return Ok(Vec::new());
    }
    let page = Page { limit: OFFERED, before: None, since: None };
    let mut found = store.list_contacts(ListContacts { page, phone: None, search }).await?.records;
    found.retain(|each| each.id != kept.id);
    rows(store, &found, zone).await
}

async fn preview(store: &OrgStore, kept: &Contact, from: ContactId) -> Result<Preview, PageError> {
    let unknown = || PageError::bad_request("Choose another contact that there is.");
    let given = store.get_contact(from).await?.ok_or_else(unknown)?;
    let after = store.preview_merge(kept.id, from).await?.ok_or_else(unknown)?;
    let erasable = store.count_erasable(from).await?.unwrap_or_default();
    let some = |count: i64, one: &str| match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        many => Some(format!("{} {one}s", show::count(many))),
    };
    let moved = [
        some(given.call_count, "call"),
        some(erasable.leads, "lead"),
        some(erasable.appointments, "appointment"),
    ];
    Ok(Preview {
        from_who: contact::name(&given),
        swap: show::address(&format!("{}/merge", address(&given)), &[("from", &kept.id.to_string())]),
        lines: lines(kept, &given, &after),
        moved: moved.into_iter().flatten().collect::<Vec<_>>().join(", "),
        version: fields::version(kept.updated_at),
        from: from.to_string(),
    })
}

fn lines(kept: &Contact, given: &Contact, after: &Contact) -> Vec<Line> {
    type Read = fn(&Contact) -> String;
    let reads: [(&'static str, Read); 7] = [
        ("Name", |it| it.name.clone().unwrap_or_default()),
        ("Numbers", |it| contact::numbers(it).map(Phone::international).collect::<Vec<_>>().join("\n")),
        ("E-mail", |it| it.email.clone().unwrap_or_default()),
        ("Company", |it| it.company.clone().unwrap_or_default()),
        ("Labels", |it| it.tags.join(", ")),
        ("Notes", |it| it.notes.clone().unwrap_or_default()),
        ("Calls", |it| show::count(it.call_count)),
    ];
    let line = |(label, read): (&'static str, Read)| {
        let (kept, given, after) = (read(kept), read(given), read(after));
        let is_lost = matches!(label, "Name" | "E-mail" | "Company") && !given.is_empty() && given != after;
        Line { label, is_new: kept != after, is_lost, kept, given, after }
    };
    reads.into_iter().map(line).collect()
}

pub(crate) async fn merge_contacts(
    State(state): State<Dashboard>,
    person: Person,
    ids: PathIds,
    form: Form,
) -> Result<Response, PageError> {
    let id: ContactId = ids.id::<kind::Contact>(0, "contact")?;
    let (store, kept) = find(&person, &ids, Permission::WriteRecords).await?;
    let from = form.text("from").parse();
    let from = from.map_err(|_| PageError::bad_request("Choose the other contact."))?;
    let asked = fields::asked(&state, &form, &format!("POST /contacts/{id}/merge"));
    match store.merge_contacts(kept.id, from, asked).await? {
        Ok(written) => {
            once::kept(written)?;
            Ok(Redirect::to(&address(&kept)).into_response())
        }
        Err(refusal) => {
            let (_, why) = match fields::fault_of(refusal, "contact")? {
                ("version", _) => {
                    ("", "The contact was changed meanwhile. Look at the preview again.".to_owned())
                }
                other => other,
            };
            Err(PageError::bad_request(format!("They were not merged. {why}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{Id, Stamp};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_preview_says_what_is_new_and_what_is_not_taken_over() {
        let contact = |name: Option<&str>, company: Option<&str>| Contact {
            id: Id::new("0197a3c4-0000-7000-8000-000000000001".parse().expect("an id")),
            name: name.map(str::to_owned),
            phone: None,
            other_phones: Vec::new(),
            email: None,
            company: company.map(str::to_owned),
            notes: None,
            tags: Vec::new(),
            call_count: 1,
            last_call_at: None,
            created_at: Stamp::from_micros(0),
            updated_at: Stamp::from_micros(0),
        };
        let (kept, given) = (contact(Some("Ada"), None), contact(Some("A. Reyes"), Some("Reyes & Co")));
        let after = contact(Some("Ada"), Some("Reyes & Co"));
        let lines = lines(&kept, &given, &after);
        let said: Vec<_> = lines.iter().map(|it| json!([it.label, it.is_new, it.is_lost])).collect();
        assert_eq!(said[0], json!(["Name", false, true]));
        assert_eq!(said[3], json!(["Company", true, false]));
    }
}
