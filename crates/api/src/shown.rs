//! What the API shows of deliveries, for commands that show the same.

use delivery::Trial;
use model::{EventType, OrgId, Telling};
use serde::Serialize;
use serde_json::Value;
use store::DeliveryDetail;

use crate::v1::{deliveries::ShownDeliveryDetail, webhook_telling::ShownTelling, webhook_tests::WebhookTest};

/// A delivery with every try, as `GET /v1/deliveries/{id}` has it.
pub fn delivery(detail: DeliveryDetail, org: OrgId) -> Value {
    json(&ShownDeliveryDetail::new(detail, org))
}

/// What came of a test, as `POST /v1/webhooks/{id}/test` has it. `made_up` is the secret that was made up for it.
pub fn trial(event: EventType, url: String, made_up: Option<String>, trial: Trial) -> Value {
    json(&WebhookTest::new(event, url, made_up, trial))
}

/// How an endpoint is told, as `GET /v1/webhooks/{id}` has it.
pub fn telling(telling: Telling) -> Value {
    json(&ShownTelling::from(telling))
}

fn json(shown: &impl Serialize) -> Value {
    // Plain texts, numbers and times: there is nothing in them that JSON could not hold.
    serde_json::to_value(shown).unwrap_or_default()
}
