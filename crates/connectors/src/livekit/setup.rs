//! How a person connects LiveKit.

use crate::{OwnSecret, Setup};

pub(super) const SETUP: Setup = Setup {
    name: "LiveKit",
    secret: Some(OwnSecret {
        what: "the secret of your LiveKit API key",
        label: "Secret of the API key",
        hint: "The secret of the LiveKit API key that signs webhooks, from “Settings”, “API keys”.",
        is_first: true,
    }),
    steps: &[
        "In LiveKit Cloud, open “Settings”, “Webhooks”, paste the address and choose the key. On a server of your own, \
         put it into webhook.urls of the configuration.",
        "LiveKit’s webhooks do not tell what was said. If your agents use the SDK, post ctx.make_session_report() to the \
         same address when a session ends, with “Authorization: Bearer” and the secret.",
    ],
};
