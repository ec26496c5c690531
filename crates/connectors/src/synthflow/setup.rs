//! How a person connects Synthflow.

use crate::Setup;

pub(super) const SETUP: Setup = Setup {
    name: "Synthflow",
    secret: None,
    steps: &[
        "In Synthflow, open the agent’s “Actions”, “Webhook” (post-call), and paste the address with the secret at its \
         end.",
    ],
};
