//! What people type into the forms of records, checked as the API checks it, and what became of saving it.

use model::{Patch, Phone, Stamp};
use store::{Asked, IfMatch, Refusal};

use crate::{Dashboard, endpoint::sentence, error::PageError, extract::Form, fault::Fault, once};

/// The longest texts that the API takes.
pub(crate) const NAME: usize = 500;
pub(crate) const PLACE: usize = 1000;
pub(crate) const NOTES: usize = 20_000;
pub(crate) const SUMMARY: usize = 100_000;
const EMAIL: usize = 320;

/// A text of several lines, which browsers send with a carriage return in each.
pub(crate) fn lines(fields: &Form, field: &str) -> String {
    fields.text(field).replace("\r\n", "\n")
}

/// A text of so many characters at most. A blank one says that there is none.
pub(crate) fn text(field: &'static str, typed: &str, most: usize) -> Result<Patch<String>, Fault> {
    if typed.chars().count() > most {
        return Err((field, format!("Use at most {most} characters.")));
    }
    Ok(if typed.is_empty() { Patch::Clear } else { Patch::Set(typed.to_owned()) })
}

/// An e-mail address.
pub(crate) fn email(field: &'static str, typed: &str) -> Result<Patch<String>, Fault> {
    let is_one = typed.rsplit_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
    if !typed.is_empty() && (!is_one || typed.chars().any(char::is_control)) {
        return Err((field, "This is no e-mail address.".into()));
    }
    text(field, typed, EMAIL)
}

/// A phone number, as people write it for the world.
pub(crate) fn phone(field: &'static str, typed: &str) -> Result<Patch<Phone>, Fault> {
    if typed.is_empty() {
        return Ok(Patch::Clear);
    }
    number(field, typed).map(Patch::Set)
}

pub(crate) fn number(field: &'static str, typed: &str) -> Result<Phone, Fault> {
    let wrong = || format!("“{typed}” is no phone number with its country, such as +1 415 555 0123.");
    Phone::parse(typed, None).ok_or_else(|| (field, wrong()))
}

/// The version of a record that a form was filled in for.
pub(crate) fn version(stamp: Stamp) -> String {
    stamp.micros().to_string()
}

/// What is asked of a write beside the change: that it is carried out once, and on the version that the person saw.
pub(crate) fn asked(state: &Dashboard, fields: &Form, operation: &str) -> Asked {
    let once = once::key(fields, &*state.ids);
    let version = fields.text("version").parse().ok();
    Asked {
        idempotency: Some(once::idempotency(&once, operation, fields)),
        if_match: version.map(|version| IfMatch::Versions(vec![Stamp::from_micros(version)])),
    }
}

/// Why nothing was saved, at the field that it is about.
pub(crate) fn fault_of(refusal: Refusal, noun: &str) -> Result<Fault, PageError> {
    Ok(match refusal {
        Refusal::Missing => return Err(PageError::not_found(noun)),
        Refusal::Stale => {
            let why = format!(
                "Somebody changed this {noun} meanwhile. What you typed is still here: save it again to put it in \
                 the place of what they wrote."
            );
            ("version", why)
        }
        Refusal::Unknown { field, noun } => (field, format!("There is no such {noun}.")),
        Refusal::Taken { field, noun, .. } => (field, format!("It belongs to another {noun} already.")),
        Refusal::Erased { field } => (field, "This person is being erased.".to_owned()),
        Refusal::Wrong { field, why } => (field, sentence(why)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_blank_says_that_there_is_none() {
        assert_eq!(text("name", "", 5), Ok(Patch::Clear));
        assert_eq!(text("name", "Zoë", 3), Ok(Patch::Set("Zoë".into())));
        assert!(text("name", "Zoë!", 3).is_err());
        assert_eq!(email("email", ""), Ok(Patch::Clear));
        assert!(
            email("email", "a@b").is_ok() && email("email", "@b").is_err() && email("email", "a").is_err()
        );
        let read = phone("phone", "+1 (415) 555-0123").expect("a number");
        assert_eq!(read.value().map(Phone::as_str), Some("+14155550123"));
        assert!(phone("phone", "555-0123").is_err(), "nobody knows in which country");
    }
}
