//! A form that is sent twice, by a double click or by loading its answer again, is carried out once: it carries a key,
//! as requests to the API do.

use http::StatusCode;
use model::IdGen;
use sha2::{Digest, Sha256};
use store::{Idempotency, Written};

use crate::{error::PageError, extract::Form};

/// The field that holds the key.
const FIELD: &str = "once";

/// A key for a form that is shown.
pub(crate) fn fresh(ids: &dyn IdGen) -> String {
    format!("form-{}", ids.uuid().simple())
}

/// The key that a form came with; a fresh one where it has none that could be kept.
pub(crate) fn key(fields: &Form, ids: &dyn IdGen) -> String {
    let given = fields.text(FIELD);
    let is_good = (1..=255).contains(&given.len()) && given.bytes().all(|byte| byte.is_ascii_graphic());
    if is_good { given.to_owned() } else { fresh(ids) }
}

/// How the store knows the same form again. `operation` and the fields tell it from another.
pub(crate) fn idempotency(key: &str, operation: &str, fields: &Form) -> Idempotency {
    let mut hash = Sha256::new();
    hash.update(operation);
    for (name, value) in &fields.0 {
        for part in [name, value] {
            hash.update([0]);
            hash.update(part);
        }
    }
    Idempotency { key: key.to_owned(), request_hash: hash.finalize().into() }
}

/// What is kept of a form that was carried out, now or when it came before.
pub(crate) fn kept(written: Written) -> Result<String, PageError> {
    match written {
        Written::Done { data, .. } | Written::Replayed { data, .. } => Ok(data),
        Written::Conflict => {
            let text =
                "This form was sent before with other words. Open the page anew and look what holds now.";
            let next = ("/", "Open the dashboard");
            Err(PageError::said(StatusCode::CONFLICT, "Done already", text.to_owned(), next))
        }
    }
}
