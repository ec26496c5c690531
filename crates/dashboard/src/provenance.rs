//! Where a lead or an appointment comes from, in words and with ways there.

use model::Permission;
use store::{Provenance, Rule};

use crate::{person::Person, platforms};

/// Where a record comes from.
pub(crate) struct Origin {
    pub(crate) why: &'static str,
    pub(crate) call: Option<String>,
    /// The platform's name, and where its settings are, for who may see them.
    pub(crate) platform: Option<(&'static str, Option<String>)>,
    /// Where the message is that brought it about, likewise.
    pub(crate) message: Option<String>,
    pub(crate) tool_call: Option<String>,
}

impl Origin {
    pub(crate) fn new(found: Provenance, person: &Person) -> Self {
        let why = match found.rule {
            Some(Rule::SufficientContext) => {
                "A call took place in which somebody said what they want and how to reach them."
            }
            Some(Rule::BookingTool) => "The assistant booked it with a tool, and the tool did not fail.",
            None => "A person or another system wrote it, or it was brought in from another server.",
        };
        let source = found.source_id.filter(|_| person.may(Permission::ManageSources));
        let source = source.map(|id| format!("/settings/sources/{id}"));
        let message = match (found.call_id, found.message_id) {
            (Some(call), Some(message)) if person.may(Permission::ReadMessages) => {
                Some(format!("/calls/{call}/messages/{message}"))
            }
            _ => None,
        };
        Self {
            why,
            call: found.call_id.map(|id| format!("/calls/{id}")),
            platform: found.platform.map(|platform| {
                // What is written by the API has a source without a page.
                let source = source.filter(|_| platform != model::Platform::Api);
                (platforms::name(platform), source)
            }),
            message,
            tool_call: found.tool_call_id,
        }
    }
}
