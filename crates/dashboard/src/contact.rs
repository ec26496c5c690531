//! A contact as people see it and fill it in.

use model::{Contact, Patch, Phone};
use store::ContactChange;

use crate::{
    extract::Form,
    fault::Fault,
    fields::{self, NAME, NOTES},
};

/// How many further numbers and labels a contact has at most, and how long a label is.
const PHONES: usize = 50;
const TAGS: usize = 50;
const TAG: usize = 100;

/// What people call somebody: by their name, else by what there is.
pub(crate) fn who(name: Option<&str>, phone: Option<&Phone>, email: Option<&str>) -> String {
    let name = name.map(str::to_owned).or_else(|| phone.map(Phone::international));
    name.or_else(|| email.map(str::to_owned)).unwrap_or_else(|| "No name".to_owned())
}

/// What people call a contact.
pub(crate) fn name(contact: &Contact) -> String {
    who(contact.name.as_deref(), contact.phone.as_ref(), contact.email.as_deref())
}

/// All numbers of a contact, the first one first.
pub(crate) fn numbers(contact: &Contact) -> impl Iterator<Item = &Phone> {
    contact.phone.iter().chain(&contact.other_phones)
}

/// Whether nothing is known that a person could be told by: they were erased, or nobody ever said anything.
pub(crate) fn is_nobody(contact: &Contact) -> bool {
    contact.name.is_none() && contact.phone.is_none() && contact.email.is_none()
}

/// What a person typed of a contact.
#[derive(Clone, Default)]
pub(crate) struct Draft {
    pub(crate) name: String,
    pub(crate) phone: String,
    /// A number on each line.
    pub(crate) other_phones: String,
    pub(crate) email: String,
    pub(crate) company: String,
    /// Between commas.
    pub(crate) tags: String,
    pub(crate) notes: String,
}

impl Draft {
    pub(crate) fn of(contact: &Contact) -> Self {
        let others: Vec<String> = contact.other_phones.iter().map(Phone::international).collect();
        Self {
            name: contact.name.clone().unwrap_or_default(),
            phone: contact.phone.as_ref().map(Phone::international).unwrap_or_default(),
            other_phones: others.join("\n"),
            email: contact.email.clone().unwrap_or_default(),
            company: contact.company.clone().unwrap_or_default(),
            tags: contact.tags.join(", "),
            notes: contact.notes.clone().unwrap_or_default(),
        }
    }

    pub(crate) fn read(form: &Form) -> Self {
        Self {
            name: form.text("name").to_owned(),
            phone: form.text("phone").to_owned(),
            other_phones: fields::lines(form, "other_phones"),
            email: form.text("email").to_owned(),
            company: form.text("company").to_owned(),
            tags: form.text("tags").to_owned(),
            notes: fields::lines(form, "notes"),
        }
    }

    /// Looks whether it can be saved, as the API does.
    pub(crate) fn check(&self) -> Result<ContactChange, Fault> {
        Ok(ContactChange {
            name: fields::text("name", &self.name, NAME)?,
            phone: fields::phone("phone", &self.phone)?,
            other_phones: self.further()?,
            email: fields::email("email", &self.email)?,
            company: fields::text("company", &self.company, NAME)?,
            notes: fields::text("notes", &self.notes, NOTES)?,
            tags: self.labels()?,
        })
    }

    fn further(&self) -> Result<Patch<Vec<Phone>>, Fault> {
        let typed = self.other_phones.lines().map(str::trim).filter(|line| !line.is_empty());
        let phones: Vec<Phone> =
            typed.map(|line| fields::number("other_phones", line)).collect::<Result<_, Fault>>()?;
        if phones.len() > PHONES {
            return Err(("other_phones", format!("At most {PHONES} further numbers are kept.")));
        }
        Ok(Patch::Set(phones))
    }

    fn labels(&self) -> Result<Patch<Vec<String>>, Fault> {
        let mut tags: Vec<String> = Vec::new();
        for tag in self.tags.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
            if tag.chars().count() > TAG {
                return Err(("tags", format!("A label has at most {TAG} characters.")));
            }
            if !tags.iter().any(|known| known == tag) {
                tags.push(tag.to_owned());
            }
        }
        if tags.len() > TAGS {
            return Err(("tags", format!("At most {TAGS} labels are kept.")));
        }
        Ok(Patch::Set(tags))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_says_all_of_a_contact_and_names_what_is_wrong() {
        let draft = Draft {
            name: "Ada Reyes".into(),
            other_phones: "+1 415 555 0123\n\n +49 30 901820 ".into(),
            tags: "vip, , landlord,vip".into(),
            ..Draft::default()
        };
        let change = draft.check().expect("a contact");
        let phones: Vec<_> = change.other_phones.value().into_iter().flatten().map(Phone::as_str).collect();
        assert_eq!(phones, ["+14155550123", "+4930901820"]);
        assert_eq!(change.tags, Patch::Set(vec!["vip".to_owned(), "landlord".to_owned()]));
        assert_eq!((change.email, change.phone), (Patch::Clear, Patch::Clear));
        let wrong = Draft { other_phones: "+1 415 555 0123\nhello".into(), ..Draft::default() };
        assert_eq!(wrong.check().err().map(|(field, _)| field), Some("other_phones"));
    }

    #[test]
    fn people_are_called_by_the_best_that_is_known() {
        let phone = Phone::from_e164_unchecked("+14155550142".into());
        assert_eq!(who(Some("Ada"), Some(&phone), None), "Ada");
        assert_eq!(who(None, Some(&phone), Some("ada@example.com")), "+1 415-555-0142");
        assert_eq!(who(None, None, Some("ada@example.com")), "ada@example.com");
        assert_eq!(who(None, None, None), "No name");
    }
}
