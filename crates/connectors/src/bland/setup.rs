//! How a person connects Bland.

use crate::{OwnSecret, Setup};

pub(super) const SETUP: Setup = Setup {
    name: "Bland AI",
    secret: Some(OwnSecret {
        what: "the webhook secret of your Bland account (Account Settings, Keys)",
        label: "Webhook signing secret",
        hint: "In Bland, open “Account Settings”, “Keys” and choose “Replace Secret”: it is shown once.",
        is_first: true,
    }),
    steps: &[
        "In Bland, paste the address as the “webhook” of the phone number, or of each call that you send.",
    ],
};
