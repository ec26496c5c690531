//! What there is of one person, as one JSON object that is written while it is read.

use model::ContactId;
use serde_json::json;

use crate::{Export, ExportFilter, ExportKind, OrgStore, Result, json::Object};

/// What hangs on a contact, in the order in which it is written.
const KINDS: &[ExportKind] = &[ExportKind::Calls, ExportKind::Leads, ExportKind::Appointments];

/// A walk through all that there is of a person: the contact, which of the numbers are blocked, and the calls with their
/// conversations, leads and appointments, oldest first.
pub struct PersonExport {
    records: OrgStore,
    contact: ContactId,
    head: Option<Vec<u8>>,
    left: std::slice::Iter<'static, ExportKind>,
    walk: Option<Export>,
    is_first: bool,
    is_over: bool,
}

impl OrgStore {
    /// Begins the export of a person. `None` where the organization has no such contact.
    pub async fn export_person(&self, contact: ContactId) -> Result<Option<PersonExport>> {
        let Some(person) = self.get_contact(contact).await? else { return Ok(None) };
        let numbers = person.phone.iter().chain(&person.other_phones).cloned().collect();
        let blocked = self.blocked_among(numbers).await?;
        let mut head = Vec::new();
        let mut object = Object::begin(&mut head);
        object.value("exported_at", &self.store.0.clock.now())?;
        object.value("contact", &person)?;
        object.value("blocked_numbers", &json!(blocked))?;
        let (records, contact, left) = (self.clone(), person.id, KINDS.iter());
        let head = Some(head);
        Ok(Some(PersonExport { records, contact, head, left, walk: None, is_first: true, is_over: false }))
    }
}

impl PersonExport {
    /// Whose it is: the contact that the other was merged into, where it was.
    pub fn contact(&self) -> ContactId {
        self.contact
    }

    /// The next piece of the JSON; `None` when all was given.
    pub async fn next_piece(&mut self) -> Result<Option<Vec<u8>>> {
        if let Some(head) = self.head.take() {
            return Ok(Some(head));
        }
        if self.is_over {
            return Ok(None);
        }
        let Some(walk) = &mut self.walk else { return self.begin_next().await.map(Some) };
        let Some(records) = walk.next_page().await? else {
            self.walk = None;
            return Ok(Some(b"]".to_vec()));
        };
        let mut piece = Vec::new();
        for record in records {
            if !std::mem::replace(&mut self.is_first, false) {
                piece.push(b',');
            }
            piece.extend_from_slice(&record);
        }
        Ok(Some(piece))
    }

    /// Begins the next list, or ends the whole.
    async fn begin_next(&mut self) -> Result<Vec<u8>> {
        let Some(kind) = self.left.next() else {
            self.is_over = true;
            return Ok(b"}".to_vec());
        };
        let filter = ExportFilter { contact: Some(self.contact), ..ExportFilter::default() };
        self.walk = Some(self.records.export(*kind, filter).await?);
        self.is_first = true;
        Ok(format!(",\"{}\":[", kind.as_str()).into_bytes())
    }
}
