//! What can be set on a Telnyx source.

use model::Direction;
use serde::Deserialize;
use serde_json::Value;

use crate::settings::{self, ANSWERS};

/// A Telnyx source's settings.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Settings {
    /// Which way the source's calls go: `inbound` or `outbound`. Only `call.initiated` says it, which not everybody
    /// has sent; without either, nobody knows which of the two numbers is the caller's.
    pub(super) direction: Option<Direction>,
}

impl Settings {
    /// `null` and `{}` are the defaults.
    pub(super) fn read(settings: &Value) -> Result<Self, String> {
        let Some(fields) = settings::known(settings, "Telnyx", &["direction", ANSWERS])? else {
            return Ok(Self::default());
        };
        let direction = match fields.get("direction") {
            None | Some(Value::Null) => None,
            Some(direction) => Some(read_direction(direction)?),
        };
        Ok(Self { direction })
    }
}

fn read_direction(value: &Value) -> Result<Direction, String> {
    Direction::deserialize(value)
        .ok()
        .filter(|direction| *direction != Direction::Web)
        .ok_or_else(|| "settings.direction must be \"inbound\" or \"outbound\"".into())
}
