//! How the kit speaks with a sender: it makes an endpoint, causes an event, and asks how the endpoint's delivery stands.
//!
//! Each sender has an API of its own, so each needs an adapter: InboundFlow's is built in, any other is a program.

mod inboundflow;
mod program;

pub use inboundflow::InboundFlow;
pub use program::Program;

use anyhow::Result;
use serde::{Deserialize, Serialize};

/// A sender, as the kit speaks with it.
pub enum Adapter {
    /// A running InboundFlow server.
    InboundFlow(InboundFlow),
    /// A program that speaks with some sender.
    Program(Program),
}

/// What came of making an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    /// It was made.
    Made(Endpoint),
    /// The sender does not take its URL, and says why.
    Refused(String),
}

/// An endpoint that was made.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Endpoint {
    /// The sender's name for it.
    pub endpoint: String,
    /// The secret that its webhooks are signed with, where it is another than the one that was asked for.
    #[serde(default)]
    pub secret: Option<String>,
}

/// How the newest delivery to an endpoint stands.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Seen {
    /// How it stands.
    pub state: State,
    /// How many tries have come to an end.
    pub attempts: u64,
    /// What the sender says of the last try.
    #[serde(default)]
    pub cause: Option<String>,
}

/// How a delivery stands.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// A try is under way, or will be made.
    Waiting,
    /// It was accepted.
    Delivered,
    /// It was not accepted, and no more tries will be made.
    Failed,
    /// The endpoint is not told any more.
    Stopped,
}

impl State {
    /// The word, as adapters write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }
}

impl Adapter {
    /// Makes an endpoint that is told of the events that [`Adapter::trigger`] causes.
    pub async fn create_endpoint(&self, url: &str, secret: &str) -> Result<Created> {
        match self {
            Self::InboundFlow(server) => server.create_endpoint(url, secret).await,
            Self::Program(program) => program.create_endpoint(url, secret).await,
        }
    }

    /// Causes one event, of which every endpoint made so far is told.
    pub async fn trigger(&self) -> Result<()> {
        match self {
            Self::InboundFlow(server) => server.trigger().await,
            Self::Program(program) => program.trigger().await,
        }
    }

    /// How the newest delivery to an endpoint stands; `None` where there is none yet.
    pub async fn state(&self, endpoint: &str) -> Result<Option<Seen>> {
        match self {
            Self::InboundFlow(server) => server.state(endpoint).await,
            Self::Program(program) => program.state(endpoint).await,
        }
    }

    /// Removes an endpoint.
    pub async fn delete_endpoint(&self, endpoint: &str) -> Result<()> {
        match self {
            Self::InboundFlow(server) => server.delete_endpoint(endpoint).await,
            Self::Program(program) => program.delete_endpoint(endpoint).await,
        }
    }
}
