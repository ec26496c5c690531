//! How a person connects Telnyx.

use crate::{OwnSecret, Setup};

pub(super) const SETUP: Setup = Setup {
    name: "Telnyx",
    secret: Some(OwnSecret {
        what: "a key pair: give the public key of your Telnyx account",
        label: "Public key",
        hint: "In Telnyx’s portal, open “Account Settings”, “Keys & Credentials”, “Public Key” and copy it.",
        is_first: true,
    }),
    steps: &[
        "In Telnyx’s portal, paste the address as the “webhook URL” of the Voice API or TeXML application that the \
         assistant’s number uses.",
    ],
};
