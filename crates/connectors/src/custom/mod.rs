//! Any other platform: JSON, read by a mapping that is the source's setting. Without one, a body is read as written
//! in our own words (`default.json`).

mod auth;
mod fields;
mod mapping;
mod messages;
mod node;
mod path;
mod setup;
mod value;
pub(crate) mod word;

use std::cell::RefCell;

use model::{Platform, Time};
use serde_json::Value;

use crate::{Connector, Missed, Parsed, Question, Rejection, Request, Secrets, Setup, Unreadable};
use auth::Auth;
use mapping::Mapping;

/// The connector for any other platform. Its settings, all of which may be left out but `call_id` and either `status`
/// or `events`, as soon as there is any but the first six:
///
/// - `auth`: how a request proves where it comes from, see [`Auth`];
/// - `like`: a platform whose messages these are like; what the settings find is put in the place of what that
///   platform's connector found;
/// - `root`: the path of the platform's message, where something wraps it. All other paths begin there;
/// - `only`: `{path: words}`; a message is read where each path has one of its words, and else only kept;
/// - `booking_tools`: the names of tools that book appointments;
/// - `answers`: `{url}`, who answers what the platform asks that these messages are like;
/// - `event`, `event_id`, `call_id`: the paths of these;
/// - `at`: when the message was made, which orders messages of the same stage;
/// - `events`: `{event: status}` or `{event: {status, stage, complete, transfer}}`; others are only kept. Without a
///   `stage`, one that is over is `ended`, one that is being forwarded `status`, and else it is `started`; without
///   `complete`, a call is completed by the stages `ended` and `analyzed`;
/// - `status`: where a call stands;
/// - `fields`: the paths of the other fields, by their names in the REST API, see [`fields::Fields`];
/// - `messages`: the conversation, as a list of turns or as text with who speaks before each;
/// - `tools`: uses of tools that are no turns of the conversation.
///
/// A path is a text or a list of texts, of which the first that leads to something counts (see [`path`]). Where a
/// word of the platform's stands for one of ours, there may be our word itself, a path, or `{path, words, default}`,
/// where `default` is for no word and for words that are not listed. Words are the same in any case. Times may be
/// `{path, unit, offset}` and durations `{path, unit}`.
pub(crate) struct Custom;

impl Connector for Custom {
    fn platform(&self) -> Platform {
        Platform::Custom
    }

    fn setup(&self) -> Setup {
        setup::SETUP
    }

    fn verify(
        &self,
        secrets: &Secrets<'_>,
        settings: &Value,
        request: &Request<'_>,
        now: Time,
    ) -> Result<(), Rejection> {
        let (auth, mapping) = read(settings).map_err(Rejection::Settings)?;
        auth.verify(mapping.like(), secrets, request, now)
    }

    fn takes_path_secret(&self, settings: &Value) -> bool {
        matches!(Auth::from_settings(settings), Ok(Auth::Any {} | Auth::Path {}))
    }

    fn check_settings(&self, settings: &Value) -> Result<(), String> {
        read(settings).map(|_| ())
    }

    fn parse(&self, settings: &Value, request: &Request<'_>) -> Result<Parsed, Unreadable> {
        mapping(settings)?.parse(request, None)
    }

    fn question(&self, settings: &Value, request: &Request<'_>, parsed: &Parsed) -> Option<Question> {
        // The mapping is read once more only where there is somebody to ask.
        settings["like"].as_str().and_then(|_| mapping(settings).ok())?.question(request, parsed)
    }
}

/// What a request says, and what the settings name that is not in it.
pub(crate) fn inspect(settings: &Value, request: &Request<'_>) -> (Result<Parsed, Unreadable>, Vec<Missed>) {
    let notes = RefCell::default();
    let parsed = mapping(settings).and_then(|mapping| mapping.parse(request, Some(&notes)));
    (parsed, notes.into_inner())
}

fn read(settings: &Value) -> Result<(Auth, Mapping), String> {
    let mapping = Mapping::from_settings(settings)?;
    Ok((Auth::from_settings(settings)?, mapping))
}

fn mapping(settings: &Value) -> Result<Mapping, Unreadable> {
    let unusable = |error| Unreadable::new(format!("the settings of this source cannot be used: {error}"));
    Mapping::from_settings(settings).map_err(unusable)
}
