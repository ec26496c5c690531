//! How a webhook's body is made of an event: the same bytes from the same event and shape, at every try and whenever one
//! is looked at.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{Format, Redacted};
use crate::{DeliveryId, OrgId, Time};

/// The longest body, in bytes: what does not fit is left out, longest field first, and named.
pub const BODY_BYTES: usize = 256 << 10;

/// An event on its way to an endpoint.
#[derive(Clone, Copy)]
pub struct Sending<'a> {
    /// The event's name.
    pub event: &'a str,
    /// When it happened.
    pub at: Time,
    /// Whose it is.
    pub org: OrgId,
    /// The delivery.
    pub delivery: DeliveryId,
    /// The event's `data`, as JSON, frozen when it happened.
    pub data: &'a str,
}

/// How a body is made. It is kept with each try whose body is not just the event, so that the try can be shown as it
/// was sent although its endpoint is told in another way by now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Shape {
    /// The form.
    #[serde(skip_serializing_if = "is_usual")]
    pub format: Format,
    /// What is left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub redact: Vec<Redacted>,
    /// Where the API is reached from outside, without a slash at its end.
    pub api: String,
}

/// A body.
#[derive(Clone, PartialEq, Eq)]
pub struct Shaped {
    /// The bytes.
    pub body: String,
    /// Whether that is the event, whole and in the contract's form.
    pub is_plain: bool,
}

fn is_usual(format: &Format) -> bool {
    *format == Format::default()
}

impl Shape {
    /// As it is kept with a try.
    pub fn to_stored(&self) -> String {
        // Plain texts: there is nothing in them that JSON could not hold.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The body: compact JSON that survives a receiver's `JSON.stringify(JSON.parse(body))` unchanged, since what it takes
    /// from the event it takes byte for byte.
    pub fn body(&self, sending: &Sending<'_>) -> Shaped {
        let is_usual = is_usual(&self.format) && self.redact.is_empty();
        let whole = if is_usual { self.around(sending, sending.data, "") } else { self.made(sending) };
        if whole.len() <= BODY_BYTES {
            return Shaped { body: whole, is_plain: is_usual };
        }
        match self.cut(sending, whole.len()) {
            Some(body) => Shaped { body, is_plain: false },
            // Nothing of it can be left out: never is it not sent at all.
            None => Shaped { body: whole, is_plain: is_usual },
        }
    }

    fn made(&self, sending: &Sending<'_>) -> String {
        let Some(data) = self.data(sending.data) else {
            // No object, so it is not known what of it may be told.
            return self.around(sending, "null", "");
        };
        let end = if self.format == Format::Thin { self.rest(sending) } else { String::new() };
        self.around(sending, &data.json(), &end)
    }

    /// What is told of an event's `data`.
    fn data<'a>(&self, data: &'a str) -> Option<Fields<'a>> {
        let mut fields: Fields<'a> = serde_json::from_str(data).ok()?;
        if self.format == Format::Thin {
            fields.0.retain(|(name, _)| is_id(name));
        }
        for redacted in &self.redact {
            fields.redact(*redacted);
        }
        Some(fields)
    }

    fn around(&self, sending: &Sending<'_>, data: &str, end: &str) -> String {
        let Sending { event, at, org, delivery, .. } = sending;
        let kind = match self.format {
            Format::Standard => format!(r#""type":"{event}","#),
            Format::InboundFlow | Format::Thin => String::new(),
        };
        format!(
            r#"{{{kind}"event":"{event}","timestamp":"{at}","organization_id":"{org}","delivery_id":"{delivery}","data":{data}{end}}}"#
        )
    }

    /// Where the API has the record that the event is about.
    fn rest(&self, sending: &Sending<'_>) -> String {
        let url = record_path(sending).map(|path| format!("{}{path}", self.api));
        format!(r#","api_url":{}"#, serde_json::to_string(&url).unwrap_or_else(|_| "null".into()))
    }

    /// The body without its longest fields, `size` being its size with them.
    fn cut(&self, sending: &Sending<'_>, mut size: usize) -> Option<String> {
        let mut data = self.data(sending.data)?;
        let end = self.rest(sending);
        let mut truncated = vec![false; data.0.len()];
        // Room for what is said of it.
        size += end.len() + r#","truncated_fields":[]"#.len();
        while size > BODY_BYTES {
            let longest = (0..data.0.len()).rev().max_by_key(|at| data.0[*at].1.len())?;
            let (name, value) = &mut data.0[longest];
            let saved = value.len().checked_sub("null".len()).filter(|saved| *saved > name.len() + 3)?;
            *value = Cow::Borrowed("null");
            truncated[longest] = true;
            size = size - saved + name.len() + 3;
        }
        let names = data.0.iter().zip(truncated).filter(|(_, is_truncated)| *is_truncated);
        let names: Vec<&str> = names.map(|((name, _), _)| name.as_str()).collect();
        let names = serde_json::to_string(&names).unwrap_or_else(|_| "[]".into());
        Some(self.around(sending, &data.json(), &format!(r#","truncated_fields":{names}{end}"#)))
    }
}

/// The fields of an event's `data`, in their order, each value as it stands there.
struct Fields<'a>(Vec<(String, Cow<'a, str>)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
                    fields.push((name, Cow::Borrowed(value.get())));
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Reader)
    }
}

impl Fields<'_> {
    fn redact(&mut self, redacted: Redacted) {
        for (name, value) in &mut self.0 {
            match redacted {
                Redacted::Transcript if name == "transcript" => *value = Cow::Borrowed("null"),
                Redacted::Recording if name == "recording_url" => *value = Cow::Borrowed("null"),
                Redacted::Phone if holds_phone(name) => *value = Cow::Owned(masked(value)),
                Redacted::Transcript | Redacted::Recording | Redacted::Phone => {}
            }
        }
    }

    fn json(&self) -> String {
        let size: usize = self.0.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
        let mut json = String::with_capacity(size + 2);
        for (name, value) in &self.0 {
            json.push(if json.is_empty() { '{' } else { ',' });
            json.push_str(&serde_json::to_string(name).unwrap_or_default());
            json.push(':');
            json.push_str(value);
        }
        if json.is_empty() {
            json.push('{');
        }
        json.push('}');
        json
    }
}

/// Whether a field holds numbers that somebody can be called by.
fn holds_phone(name: &str) -> bool {
    matches!(name, "phone" | "other_phones" | "transfer_destination") || name.ends_with("_phone")
}

/// JSON with each digit but the last two of each of its texts masked: all that tells whose number it is.
fn masked(json: &str) -> String {
    let mask = |text: &str| {
        let mut hidden = text.chars().filter(char::is_ascii_digit).count().saturating_sub(2);
        let hide = |letter: char| match letter {
            '0'..='9' if hidden > 0 => {
                hidden -= 1;
                '*'
            }
            _ => letter,
        };
        text.chars().map(hide).collect::<String>()
    };
    let masked = if let Ok(text) = serde_json::from_str::<String>(json) {
        serde_json::to_string(&mask(&text))
    } else if let Ok(texts) = serde_json::from_str::<Vec<String>>(json) {
        serde_json::to_string(&texts.iter().map(|text| mask(text)).collect::<Vec<_>>())
    } else {
        // Null, or nothing that a number could be told from.
        return "null".to_owned();
    };
    masked.unwrap_or_else(|_| "null".into())
}

/// Whether a field holds an id of ours. A platform's own id may be anything, a number of a caller too.
fn is_id(name: &str) -> bool {
    name == "id" || (name.ends_with("_id") && name != "external_id")
}

/// The path of the record that an event is about.
fn record_path(sending: &Sending<'_>) -> Option<String> {
    let (noun, field) = match sending.event.split('.').next()? {
        "call" => ("calls", "call_id"),
        "appointment" => ("appointments", "appointment_id"),
        "lead" => ("leads", "lead_id"),
        "contact" => ("contacts", "contact_id"),
        "endpoint" => ("webhooks", "webhook_id"),
        _ => return None,
    };
    let fields: Fields<'_> = serde_json::from_str(sending.data).ok()?;
    let (_, id) = fields.0.iter().find(|(name, _)| name == field)?;
    let id: String = serde_json::from_str(id).ok()?;
    // What a sample says may be no id.
    uuid::Uuid::try_parse(&id).ok().map(|id| format!("/v1/{noun}/{id}"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;
    use crate::{EventType, event::webhook_body, sample};

    const API: &str = "https://calls.example.com";

    fn shape(format: Format, redact: &[Redacted]) -> Shape {
        Shape { format, redact: redact.to_vec(), api: API.to_owned() }
    }

    fn sending<'a>(event: EventType, data: &'a str) -> Sending<'a> {
        Sending {
            event: event.as_str(),
            at: Time::from_micros(0),
            org: OrgId::new(Uuid::from_u128(1)),
            delivery: DeliveryId::new(Uuid::from_u128(2)),
            data,
        }
    }

    fn value(shape: &Shape, event: EventType, data: &Value) -> Value {
        let data = data.to_string();
        let shaped = shape.body(&sending(event, &data));
        assert!(!shaped.is_plain);
        serde_json::from_str(&shaped.body).expect("JSON")
    }

    #[test]
    fn the_usual_body_is_the_contract_s() {
        for event in EventType::ALL {
            let data = sample::data(event).to_string();
            let Sending { at, org, delivery, .. } = sending(event, &data);
            let shaped = shape(Format::InboundFlow, &[]).body(&sending(event, &data));
            let plain = webhook_body(event.as_str(), at, org, delivery, &data);
            assert!(shaped.is_plain && shaped.body == plain, "{}", event.as_str());
        }
    }

    #[test]
    fn the_standard_form_is_the_contract_s_with_a_type() {
        let data = sample::data(EventType::LeadCreated);
        let got = value(&shape(Format::Standard, &[]), EventType::LeadCreated, &data);
        assert_eq!(
            (&got["type"], &got["event"], &got["data"]),
            (&json!("lead.created"), &got["event"], &data)
        );
    }

    #[test]
    fn the_thin_form_has_ids_and_an_address_and_nothing_personal() {
        let thin = shape(Format::Thin, &[]);
        let got = value(&thin, EventType::LeadCreated, &sample::data(EventType::LeadCreated));
        let ids = json!({"lead_id": "0197a3c4-d5e6-7f80-91a2-b3c4d5e6f703",
            "call_id": "0197a3c4-d5e6-7f80-91a2-b3c4d5e6f701", "contact_id": "0197a3c4-d5e6-7f80-91a2-b3c4d5e6f702"});
        assert_eq!(got["data"], ids);
        assert_eq!(got["api_url"], format!("{API}/v1/leads/0197a3c4-d5e6-7f80-91a2-b3c4d5e6f703"));
        for event in EventType::ALL {
            let got = value(&thin, event, &sample::data(event));
            assert!(got["api_url"].as_str().is_some_and(|url| url.starts_with(API)), "{got}");
            let fields = got["data"].as_object().expect("an object");
            assert!(fields.values().all(|id| id.as_str().is_some_and(|id| id.len() == 36)), "{got}");
        }
        let odd = value(&thin, EventType::CallCompleted, &json!({"call_id": "../../x"}));
        assert_eq!(odd["api_url"], Value::Null);
    }

    #[test]
    fn what_is_redacted_is_null_or_masked_and_every_field_stays() {
        let all = shape(Format::InboundFlow, &Redacted::ALL);
        for event in EventType::ALL {
            let data = sample::data(event);
            let got = value(&all, event, &data);
            let fields =
                |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
            assert_eq!(fields(&got["data"]), fields(&data), "{}", event.as_str());
            let text = got.to_string();
            for secret in ["4155550142", "4155550177", "recordings/", "AI: Harbor"] {
                assert!(!text.contains(secret), "{secret} in {text}");
            }
        }
        let data = json!({"phone": "+14155550142", "other_phones": ["+442071838750", "12"], "caller_phone": null,
            "transfer_destination": "sip:4155550142@pbx.example.com", "attendee_phone": {"odd": "4155550142"},
            "summary": "Call +14155550142", "transcript": "Hello", "recording_url": "https://x", "name": "5551234"});
        let got = value(&shape(Format::InboundFlow, &[Redacted::Phone]), EventType::ContactUpdated, &data);
        let expected = json!({"phone": "+*********42", "other_phones": ["+**********50", "12"], "caller_phone": null,
            "transfer_destination": "sip:********42@pbx.example.com", "attendee_phone": null,
            "summary": "Call +14155550142", "transcript": "Hello", "recording_url": "https://x", "name": "5551234"});
        assert_eq!(got["data"], expected);
    }

    #[test]
    fn what_is_kept_is_taken_byte_for_byte() {
        let data =
            r#"{"transcript":"x","offset":1.50,"summary":"Grüße \u00e9 \/ 你好","notes":{"b":1,"a":2}}"#;
        let shaped = shape(Format::InboundFlow, &[Redacted::Transcript]);
        let body = shaped.body(&sending(EventType::CallCompleted, data)).body;
        let expected = data.replace(r#""transcript":"x""#, r#""transcript":null"#);
        assert!(body.ends_with(&format!(r#""data":{expected}}}"#)), "{body}");
        let no_object = shaped.body(&sending(EventType::CallCompleted, "[\"+14155550142\"]"));
        assert!(no_object.body.ends_with(r#""data":null}"#), "{}", no_object.body);
    }

    #[test]
    fn a_body_that_is_too_long_loses_its_longest_fields_and_names_them() {
        let call = "0197a3c4-d5e6-7f80-91a2-b3c4d5e6f701";
        let of = |transcript: usize, summary: usize| {
            json!({"call_id": call, "summary": "s".repeat(summary), "transcript": "t".repeat(transcript),
                "intent": "Repair"})
        };
        let usual = shape(Format::InboundFlow, &[]);
        let got = value(&usual, EventType::CallCompleted, &of(BODY_BYTES, 1000));
        assert_eq!(got["truncated_fields"], json!(["transcript"]));
        assert_eq!(got["api_url"], format!("{API}/v1/calls/{call}"));
        assert_eq!((&got["data"]["transcript"], &got["data"]["intent"]), (&Value::Null, &json!("Repair")));
        assert_eq!(got["data"]["summary"].as_str().map(str::len), Some(1000));
        let got = value(&usual, EventType::CallCompleted, &of(BODY_BYTES, 2 * BODY_BYTES));
        assert_eq!(got["truncated_fields"], json!(["summary", "transcript"]));

        // At every size around the limit it is whole, or fits.
        for transcript in BODY_BYTES - 700..BODY_BYTES + 10 {
            let data = of(transcript, 100).to_string();
            let shaped = usual.body(&sending(EventType::CallCompleted, &data));
            assert!(shaped.body.len() <= BODY_BYTES, "{}", shaped.body.len());
            assert_eq!(shaped.is_plain, !shaped.body.contains("truncated_fields"));
        }
        // What is redacted needs no room.
        let redacted = shape(Format::InboundFlow, &[Redacted::Transcript]);
        let got = value(&redacted, EventType::CallCompleted, &of(BODY_BYTES, 10));
        assert_eq!(got.get("truncated_fields"), None);
        // What can't be made shorter is sent all the same.
        let list = json!({"call_id": call, "tags": vec!["a"; BODY_BYTES]});
        let got = value(&usual, EventType::CallUpdated, &list);
        assert_eq!((&got["data"]["tags"], &got["truncated_fields"]), (&Value::Null, &json!(["tags"])));
        let odd = format!("\"{}\"", "x".repeat(BODY_BYTES));
        let shaped = usual.body(&sending(EventType::CallUpdated, &odd));
        assert!(shaped.is_plain && shaped.body.len() > BODY_BYTES);
    }

    #[test]
    fn a_shape_reads_back_as_it_was_kept() {
        for format in Format::ALL {
            let shape = shape(format, &[Redacted::Phone, Redacted::Transcript]);
            assert_eq!(serde_json::from_str::<Shape>(&shape.to_stored()).expect("JSON"), shape);
        }
        assert_eq!(shape(Format::InboundFlow, &[]).to_stored(), format!(r#"{{"api":"{API}"}}"#));
    }
}
