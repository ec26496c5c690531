//! What can be set on a Telnyx source.

use model::Direction;
use serde::Deserialize;
use serde_json::Value;

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
        let fields = match settings {
            Value::Null => return Ok(Self::default()),
            Value::Object(fields) => fields,
            _ => return Err("settings must be an object".into()),
        };
        if let Some(name) = fields.keys().find(|name| *name != "direction") {
            return Err(format!("settings.{name} is not a setting: Telnyx sources have direction"));
        }
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
