//! How a person connects Retell.

use crate::{OwnSecret, Setup};

pub(super) const SETUP: Setup = Setup {
    name: "Retell AI",
    secret: Some(OwnSecret {
        what: "your Retell API key that has the webhook badge",
        label: "Retell API key",
        hint: "In Retell, open “API Keys” and copy the key that has the webhook badge: Retell signs with it.",
        is_first: true,
    }),
    steps: &[
        "In Retell’s dashboard, paste the address as the “Webhook URL”: of the agent, or under “Webhooks” for all of \
         them.",
        "Choose the events call_started, call_ended and call_analyzed, and those that begin with transfer_ where calls \
         are transferred.",
    ],
};
