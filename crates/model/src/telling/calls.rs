//! Of which calls an endpoint is told.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{AssistantId, CallStatus, EventType, Urgency};

/// Of which calls an endpoint is told: those that everything here lets pass. An empty list lets all pass.
///
/// What is not known of a call is none of what is asked for. So an event without a call, such as a contact that was written
/// through the API, passes no filter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CallFilter {
    /// Their assistants.
    #[serde(rename = "assistant_ids", skip_serializing_if = "Vec::is_empty")]
    pub assistants: Vec<AssistantId>,
    /// Where they stand.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<CallStatus>,
    /// How urgent they are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub urgencies: Vec<Urgency>,
    /// The shortest, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_duration_seconds: Option<i64>,
    /// The longest, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_duration_seconds: Option<i64>,
}

/// What of a call filters look at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields of `Call` with these names")]
pub struct CallFacts {
    pub assistant: Option<AssistantId>,
    pub status: Option<CallStatus>,
    pub duration_seconds: Option<i64>,
    pub urgency: Option<Urgency>,
}

impl CallFilter {
    /// Whether a call passes.
    pub fn passes(&self, call: &CallFacts) -> bool {
        is_one_of(&self.assistants, call.assistant)
            && is_one_of(&self.statuses, call.status)
            && is_one_of(&self.urgencies, call.urgency)
            && self.takes_duration(call.duration_seconds)
    }

    fn takes_duration(&self, seconds: Option<i64>) -> bool {
        let is_within = |seconds: i64| {
            self.min_duration_seconds.is_none_or(|least| least <= seconds)
                && self.max_duration_seconds.is_none_or(|most| seconds <= most)
        };
        let is_any = self.min_duration_seconds.is_none() && self.max_duration_seconds.is_none();
        is_any || seconds.is_some_and(is_within)
    }

    /// Whether the sample of an event passes, by what its fields say: there is no call behind it, so what they do not say is
    /// taken to be as it is asked for.
    pub fn passes_sample(&self, event: EventType, data: &Value) -> bool {
        let word = |field: &str| data[field].as_str();
        let says = |field: &str| data.get(field).is_some();
        !is_of_no_call(event)
            && (!says("assistant_id")
                || is_one_of(&self.assistants, word("assistant_id").and_then(|id| id.parse().ok())))
            && (!has_status(event)
                || !says("status")
                || is_one_of(&self.statuses, word("status").and_then(CallStatus::parse)))
            && (!says("urgency") || is_one_of(&self.urgencies, word("urgency").and_then(Urgency::parse)))
            && (!says("duration_seconds") || self.takes_duration(data["duration_seconds"].as_i64()))
    }

    /// Changes a sample so that it passes, where one of its event can.
    pub fn fit(&self, event: EventType, data: &mut Value) {
        for (field, wanted) in self.wanted(event) {
            if data.get(field).is_some_and(|value| !wanted.contains(value)) {
                data[field] = wanted[0].clone();
            }
        }
        if data.get("duration_seconds").is_some_and(|seconds| !self.takes_duration(seconds.as_i64())) {
            data["duration_seconds"] = json!(self.min_duration_seconds.or(self.max_duration_seconds));
        }
    }

    /// What the fields of a sample may say, of those for which that is a list.
    fn wanted(&self, event: EventType) -> Vec<(&'static str, Vec<Value>)> {
        let mut wanted = vec![
            ("assistant_id", self.assistants.iter().map(|id| json!(id)).collect::<Vec<_>>()),
            ("urgency", self.urgencies.iter().map(|urgency| json!(urgency)).collect()),
        ];
        if has_status(event) {
            wanted.push(("status", self.statuses.iter().map(|status| json!(status)).collect()));
        }
        wanted.retain(|(_, values)| !values.is_empty());
        wanted
    }
}

/// Whether an unknown value, or one of a list, is asked for.
fn is_one_of<T: PartialEq>(list: &[T], value: Option<T>) -> bool {
    list.is_empty() || value.is_some_and(|value| list.contains(&value))
}

/// Whether `status` of its data is a call's.
const fn has_status(event: EventType) -> bool {
    matches!(event, EventType::CallStarted | EventType::CallUpdated)
}

/// Whether such events are about endpoints, and never about a call.
const fn is_of_no_call(event: EventType) -> bool {
    matches!(event, EventType::EndpointFailing | EventType::EndpointDisabled | EventType::EndpointRecovered)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::sample;

    fn call() -> CallFacts {
        CallFacts {
            assistant: Some(AssistantId::new(Uuid::from_u128(1))),
            status: Some(CallStatus::Completed),
            duration_seconds: Some(94),
            urgency: Some(Urgency::High),
        }
    }

    fn filters() -> [(CallFilter, CallFilter); 4] {
        let id = |number| AssistantId::new(Uuid::from_u128(number));
        let none = CallFilter::default;
        [
            (
                (CallFilter { assistants: vec![id(2), id(1)], ..none() }),
                (CallFilter { assistants: vec![id(2)], ..none() }),
            ),
            (
                (CallFilter { statuses: vec![CallStatus::Completed], ..none() }),
                (CallFilter { statuses: vec![CallStatus::Failed], ..none() }),
            ),
            (
                (CallFilter { urgencies: vec![Urgency::High], ..none() }),
                (CallFilter { urgencies: vec![Urgency::Low, Urgency::Medium], ..none() }),
            ),
            (
                (CallFilter { min_duration_seconds: Some(94), max_duration_seconds: Some(94), ..none() }),
                (CallFilter { max_duration_seconds: Some(93), ..none() }),
            ),
        ]
    }

    #[test]
    fn a_call_passes_where_all_that_is_asked_for_is_known_of_it() {
        assert!(CallFilter::default().passes(&CallFacts::default()));
        for (right, wrong) in filters() {
            assert!(right.passes(&call()), "{right:?}");
            assert!(!wrong.passes(&call()), "{wrong:?}");
            assert!(
                !right.passes(&CallFacts::default()),
                "what is not known is not what is asked for: {right:?}"
            );
        }
        let both = CallFilter { urgencies: vec![Urgency::Low], ..filters()[0].0.clone() };
        assert!(!both.passes(&call()), "each must let it pass");
        let short = CallFilter { min_duration_seconds: Some(95), ..CallFilter::default() };
        assert!(!short.passes(&call()));
    }

    #[test]
    fn a_sample_passes_by_what_it_says_and_can_be_made_to() {
        for (_, wrong) in filters() {
            for event in EventType::ALL {
                let mut data = sample::data(event);
                let fields = data.as_object().expect("an object").len();
                wrong.fit(event, &mut data);
                assert_eq!(wrong.passes_sample(event, &data), !is_of_no_call(event), "{wrong:?} {data}");
                assert_eq!(data.as_object().expect("an object").len(), fields, "the shape stays");
            }
        }
        let low = CallFilter { urgencies: vec![Urgency::Low], ..CallFilter::default() };
        let lead = sample::data(EventType::LeadCreated);
        assert!(!low.passes_sample(EventType::LeadCreated, &lead), "it says high");
        let transferred = sample::data(EventType::CallTransferred);
        assert!(low.passes_sample(EventType::CallTransferred, &transferred), "it says nothing of that");
        // `status` of a lead is not its call's.
        let failed = CallFilter { statuses: vec![CallStatus::Failed], ..CallFilter::default() };
        assert!(failed.passes_sample(EventType::LeadUpdated, &sample::data(EventType::LeadUpdated)));
    }
}
