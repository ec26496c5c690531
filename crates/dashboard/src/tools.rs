//! What can be connected, and where each tool shows the address that is to be pasted here.

/// A tool that takes webhooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    Zapier,
    Make,
    N8n,
    Custom,
}

impl Tool {
    pub(crate) const ALL: [Self; 4] = [Self::Zapier, Self::Make, Self::N8n, Self::Custom];

    /// The word in addresses.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Zapier => "zapier",
            Self::Make => "make",
            Self::N8n => "n8n",
            Self::Custom => "custom",
        }
    }

    /// The tool that a word names; any other is a webhook of one's own.
    pub(crate) fn named(word: &str) -> Self {
        Self::ALL.into_iter().find(|tool| tool.word() == word).unwrap_or(Self::Custom)
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Zapier => "Zapier",
            Self::Make => "Make",
            Self::N8n => "n8n",
            Self::Custom => "Custom Webhook",
        }
    }

    pub(crate) const fn icon(self) -> &'static str {
        match self {
            Self::Zapier => "bolt",
            Self::Make => "loop",
            Self::N8n => "nodes",
            Self::Custom => "code",
        }
    }

    /// What it is good for.
    pub(crate) const fn about(self) -> &'static str {
        match self {
            Self::Zapier => "Start a Zap with each call: a row in a sheet, a task, a message to the team.",
            Self::Make => "Start a scenario with each call, and send its fields wherever you need them.",
            Self::N8n => "Start a workflow with each call, on n8n’s cloud or on a server of your own.",
            Self::Custom => "Send each call to your own system, signed, so that it can check who sent it.",
        }
    }

    /// How to come by the address, a step after the other.
    pub(crate) const fn steps(self) -> &'static [&'static str] {
        match self {
            Self::Zapier => &[
                "In Zapier, create a Zap and choose “Webhooks by Zapier” as its trigger, with the event “Catch Hook”.",
                "Go on to “Test” and copy the webhook URL that is shown there.",
                "Paste it below and press “Test Webhook”. In Zapier, “Test trigger” then finds the call.",
            ],
            Self::Make => &[
                "In Make, create a scenario and begin it with the module “Webhooks”, “Custom webhook”.",
                "Choose “Add” (or “Create a webhook”), give it a name, save, and copy the address.",
                "While Make waits for data, paste the address below and press “Test Webhook”: Make learns the fields.",
                "Turn the scenario on, to run immediately as data arrives.",
            ],
            Self::N8n => &[
                "In n8n, begin a workflow with a “Webhook” node and set its HTTP method to POST.",
                "Copy the Production URL. The Test URL listens only while you press “Listen for test event”.",
                "Activate the workflow: until then, the Production URL answers with 404.",
            ],
            Self::Custom => &[
                "Have an https address that takes a POST with JSON and answers with 200 within seconds.",
                "Paste it below and press “Test Webhook” to see what is sent and what comes back.",
                "After saving you get a secret, with which your system checks that a webhook is from here.",
            ],
        }
    }

    /// What such an address looks like.
    pub(crate) const fn placeholder(self) -> &'static str {
        match self {
            Self::Zapier => "https://hooks.zapier.com/hooks/catch/…",
            Self::Make => "https://hook.eu1.make.com/…",
            Self::N8n => "https://example.app.n8n.cloud/webhook/…",
            Self::Custom => "https://example.com/webhooks/calls",
        }
    }

    /// What the secret is for there.
    pub(crate) const fn about_secret(self) -> &'static str {
        match self {
            Self::Zapier | Self::Make => {
                "Whoever knows the address there can send to it, so keep it to yourself. The secret proves that a webhook \
                 is from here; checking it takes a step with code, which you can add at any time."
            }
            Self::N8n => {
                "It proves that a webhook is from here. To check it, put a “Code” or “Crypto” node behind the webhook."
            }
            Self::Custom => "It proves that a webhook is from here and was not changed on its way. Check it.",
        }
    }
}
