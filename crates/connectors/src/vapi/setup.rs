//! How a person connects Vapi.

use crate::Setup;

pub(super) const SETUP: Setup = Setup {
    name: "Vapi",
    secret: None,
    steps: &[
        "In Vapi’s dashboard, paste the address as the “Server URL”: of the assistant, of the phone number, or under \
         “Organization Settings”.",
        "Give the Server URL the secret, as a credential of the kind HMAC, Bearer Token or X-Vapi-Secret.",
        "Under “Server Messages”, choose end-of-call-report and status-update, and transfer-update where calls are \
         transferred.",
        "Give the server a “backoff plan”. Without one, Vapi sends each message once and never again.",
    ],
};
