//! Changes that keep JSON what it is: a value becomes another, moves, comes twice or goes. Bytes changed at random
//! hardly ever get past a parser; these do.

use serde_json::Value;

/// What hostile, careless and newer senders put where something else was.
const SURPRISES: [&str; 22] = [
    "null",
    "true",
    "0",
    "-1",
    "1e308",
    "9223372036854775807",
    "1771966800",
    "1771966800000.5",
    "\"\"",
    "\" \"",
    "\"\\u0000\"",
    "\"NaN\"",
    "\"-1\"",
    "\"1e999\"",
    "\"+14155550142\"",
    "\"sip:a@b\"",
    "\"2026-02-30T25:61:61Z\"",
    "\"9999-12-31T23:59:60+14:00\"",
    "\"{\\\"a\\\":[]}\"",
    "\"javascript:alert(1)\"",
    "[]",
    "{}",
];

/// The next input, in place; its length.
pub(crate) fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let mut dice = Dice(u64::from(seed) | 1 << 40);
    if dice.below(3) > 0
        && let Ok(mut body) = serde_json::from_slice::<Value>(&data[..size])
    {
        for _ in 0..=dice.below(3) {
            change(&mut body, &mut dice);
        }
        let changed = body.to_string();
        if changed.len() <= max_size.min(data.len()) {
            data[..changed.len()].copy_from_slice(changed.as_bytes());
            return changed.len();
        }
    }
    libfuzzer_sys::fuzzer_mutate(data, size, max_size)
}

fn change(body: &mut Value, dice: &mut Dice) {
    let mut places = Vec::new();
    find(body, "", &mut places);
    let pick = |dice: &mut Dice| places[dice.below(places.len())].clone();
    let (place, other) = (pick(dice), pick(dice));
    let kind = dice.below(6);
    let surprise = serde_json::from_str(SURPRISES[dice.below(SURPRISES.len())]).unwrap_or(Value::Null);
    let elsewhere = body.pointer(&other).cloned().unwrap_or(Value::Null);
    let Some(here) = body.pointer_mut(&place) else { return };
    match (kind, here) {
        (0, Value::Object(fields)) => {
            let name = fields.keys().next_back().cloned();
            name.map(|name| fields.shift_remove(&name));
        }
        (0, Value::Array(items)) => {
            items.pop();
        }
        (1, Value::Array(items)) => items.extend_from_within(..items.len().min(4)),
        (2, here) => *here = elsewhere,
        // Some senders put JSON into text.
        (3, here) => *here = Value::String(here.to_string()),
        (_, here) => *here = surprise,
    }
}

/// The address (RFC 6901) of every value within a value.
fn find(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(number, item)| find(item, &format!("{at}/{number}"), found));
        }
        Value::Object(fields) => {
            let escaped = |name: &str| name.replace('~', "~0").replace('/', "~1");
            fields.iter().for_each(|(name, field)| find(field, &format!("{at}/{}", escaped(name)), found));
        }
        _ => {}
    }
}

/// Numbers by chance (xorshift64), the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound.max(1) as u64).unwrap_or(0)
    }
}
