//! How a person connects any other platform.

use crate::Setup;

pub(super) const SETUP: Setup = Setup {
    name: "Any other platform",
    secret: None,
    steps: &[
        "Have the platform send JSON by POST to the address, with “Authorization: Bearer” and the secret; or to the \
         address with the secret at its end.",
        "Use our words where you can choose them: call_id, status, caller_phone, caller_name, summary, transcript, as in \
         the API’s calls.",
        "Where you cannot, give the source a mapping by the API (settings of /v1/sources): it says which of their words \
         is which of ours.",
    ],
};
