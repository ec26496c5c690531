//! The voice platforms in their own words: what they are called, and how each is connected.

use model::Platform;

/// The platforms that can be connected, those that need the least first.
pub(crate) fn all() -> impl Iterator<Item = Platform> {
    Platform::ALL.into_iter().filter(|platform| *platform != Platform::Api)
}

/// The platform that a word names.
pub(crate) fn named(word: &str) -> Option<Platform> {
    all().find(|platform| platform.as_str() == word)
}

pub(crate) const fn name(platform: Platform) -> &'static str {
    match platform {
        Platform::Api => "The API",
        Platform::Vapi => "Vapi",
        Platform::Retell => "Retell AI",
        Platform::ElevenLabs => "ElevenLabs Agents",
        Platform::Bland => "Bland AI",
        Platform::Twilio => "Twilio",
        Platform::LiveKit => "LiveKit",
        Platform::Telnyx => "Telnyx",
        Platform::Synthflow => "Synthflow",
        Platform::Custom => "Any other platform",
    }
}

/// A secret that the platform gives out and that has to be pasted here.
pub(crate) struct OwnSecret {
    pub(crate) label: &'static str,
    pub(crate) hint: &'static str,
    /// Whether the platform shows it before it knows our address.
    pub(crate) is_first: bool,
}

pub(crate) const fn own_secret(platform: Platform) -> Option<OwnSecret> {
    let (label, hint) = match platform {
        Platform::Retell => (
            "Retell API key",
            "In Retell, open “API Keys” and copy the key that has the webhook badge: Retell signs with it.",
        ),
        Platform::ElevenLabs => {
            let hint = "ElevenLabs shows it once, when the webhook is made there with the address you get next. Leave it \
                        empty for now.";
            return Some(OwnSecret { label: "Webhook secret", hint, is_first: false });
        }
        Platform::Bland => (
            "Webhook signing secret",
            "In Bland, open “Account Settings”, “Keys” and choose “Replace Secret”: it is shown once.",
        ),
        Platform::Twilio => ("Auth Token", "On the first page of Twilio’s Console, under “Account Info”."),
        Platform::LiveKit => (
            "Secret of the API key",
            "The secret of the LiveKit API key that signs webhooks, from “Settings”, “API keys”.",
        ),
        Platform::Telnyx => (
            "Public key",
            "In Telnyx’s portal, open “Account Settings”, “Keys & Credentials”, “Public Key” and copy it.",
        ),
        Platform::Api | Platform::Vapi | Platform::Synthflow | Platform::Custom => return None,
    };
    Some(OwnSecret { label, hint, is_first: true })
}

/// What is to be done there with the address, a step after the other.
pub(crate) const fn steps(platform: Platform) -> &'static [&'static str] {
    match platform {
        Platform::Api => &[],
        Platform::Vapi => &[
            "In Vapi’s dashboard, paste the address as the “Server URL”: of the assistant, of the phone number, or under \
             “Organization Settings”.",
            "Give the Server URL the secret, as a credential of the kind HMAC, Bearer Token or X-Vapi-Secret.",
            "Under “Server Messages”, choose end-of-call-report and status-update, and transfer-update where calls are \
             transferred.",
            "Give the server a “backoff plan”. Without one, Vapi sends each message once and never again.",
        ],
        Platform::Retell => &[
            "In Retell’s dashboard, paste the address as the “Webhook URL”: of the agent, or under “Webhooks” for all of \
             them.",
            "Choose the events call_started, call_ended and call_analyzed, and those that begin with transfer_ where calls \
             are transferred.",
        ],
        Platform::ElevenLabs => &[
            "In ElevenLabs, open “Agents”, “Settings”, “Post-call webhook”, choose “Create Webhook”, paste the address and \
             take HMAC.",
            "ElevenLabs shows a secret, once. Paste it on this page, under “Secret”.",
            "Choose the events “transcription” and “call initiation failure”, and “audio” if recordings are wanted.",
            "Turn on “retries”: without them each message comes once.",
        ],
        Platform::Bland => &[
            "In Bland, paste the address as the “webhook” of the phone number, or of each call that you send.",
        ],
        Platform::Twilio => &[
            "In Twilio’s Console, open the phone number and its “Voice Configuration”, and paste the address as “Call status \
             changes”.",
            "For recordings, paste it also as the recordingStatusCallback of whatever records.",
            "Put #rc=2&rp=all behind the address: then Twilio tries twice more where something goes wrong.",
        ],
        Platform::LiveKit => &[
            "In LiveKit Cloud, open “Settings”, “Webhooks”, paste the address and choose the key. On a server of your own, \
             put it into webhook.urls of the configuration.",
            "LiveKit’s webhooks do not tell what was said. If your agents use the SDK, post ctx.make_session_report() to the \
             same address when a session ends, with “Authorization: Bearer” and the secret.",
        ],
        Platform::Telnyx => &[
            "In Telnyx’s portal, paste the address as the “webhook URL” of the Voice API or TeXML application that the \
             assistant’s number uses.",
        ],
        Platform::Synthflow => &[
            "In Synthflow, open the agent’s “Actions”, “Webhook” (post-call), and paste the address with the secret at its \
             end.",
        ],
        Platform::Custom => &[
            "Have the platform send JSON by POST to the address, with “Authorization: Bearer” and the secret; or to the \
             address with the secret at its end.",
            "Use our words where you can choose them: call_id, status, caller_phone, caller_name, summary, transcript, as in \
             the API’s calls.",
            "Where you cannot, give the source a mapping by the API (settings of /v1/sources): it says which of their words \
             is which of ours.",
        ],
    }
}

/// Whether it is our secret that is to be set there.
pub(crate) const fn takes_ours(platform: Platform) -> bool {
    own_secret(platform).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_platforms_that_give_out_a_secret_are_those_that_the_connectors_name() {
        for platform in all() {
            let connector = connectors::connector(platform).expect("a connector");
            assert_eq!(connector.own_secret().is_some(), own_secret(platform).is_some(), "{platform:?}");
            assert!(!steps(platform).is_empty(), "{platform:?} is connected in steps");
            assert_eq!(named(platform.as_str()), Some(platform));
        }
        assert_eq!(named("api"), None);
    }
}
