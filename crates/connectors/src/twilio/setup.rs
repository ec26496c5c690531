//! How a person connects Twilio.

use crate::{OwnSecret, Setup};

pub(super) const SETUP: Setup = Setup {
    name: "Twilio",
    secret: Some(OwnSecret {
        what: "your Twilio account's auth token",
        label: "Auth Token",
        hint: "On the first page of Twilio’s Console, under “Account Info”.",
        is_first: true,
    }),
    steps: &[
        "In Twilio’s Console, open the phone number and its “Voice Configuration”, and paste the address as “Call status \
         changes”.",
        "For recordings, paste it also as the recordingStatusCallback of whatever records.",
        "Put #rc=2&rp=all behind the address: then Twilio tries twice more where something goes wrong.",
    ],
};
