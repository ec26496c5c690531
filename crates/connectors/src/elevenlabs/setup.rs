//! How a person connects ElevenLabs Agents.

use crate::{OwnSecret, Setup};

pub(super) const SETUP: Setup = Setup {
    name: "ElevenLabs Agents",
    secret: Some(OwnSecret {
        what: "the secret that ElevenLabs shows when you make the webhook",
        label: "Webhook secret",
        hint: "ElevenLabs shows it once, when the webhook is made there with the address you get next. Leave it \
               empty for now.",
        is_first: false,
    }),
    steps: &[
        "In ElevenLabs, open “Agents”, “Settings”, “Post-call webhook”, choose “Create Webhook”, paste the address and \
         take HMAC.",
        "ElevenLabs shows a secret, once. Paste it on this page, under “Secret”.",
        "Choose the events “transcription” and “call initiation failure”, and “audio” if recordings are wanted.",
        "Turn on “retries”: without them each message comes once.",
    ],
};
