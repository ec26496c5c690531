//! What the connectors promise, on our own fixtures, on those shared between projects, and on arbitrary input.

mod expected;
mod properties;
mod retell;
mod vapi;
mod vectors;

use connectors::{Connector, Parsed, Request, Unreadable, connector};
use http::HeaderMap;
use model::{Change, Message, Platform, Tool};

/// Every body we have: the platform, the file's name, its text.
const FIXTURES: [(Platform, &str, &str); 10] = [
    (Platform::Vapi, "end-of-call-report", include_str!("../../fixtures/vapi/end-of-call-report.json")),
    (
        Platform::Vapi,
        "end-of-call-report.transferred",
        include_str!("../../fixtures/vapi/end-of-call-report.transferred.json"),
    ),
    (
        Platform::Vapi,
        "status-update.in-progress",
        include_str!("../../fixtures/vapi/status-update.in-progress.json"),
    ),
    (
        Platform::Vapi,
        "status-update.forwarding",
        include_str!("../../fixtures/vapi/status-update.forwarding.json"),
    ),
    (Platform::Vapi, "conversation-update", include_str!("../../fixtures/vapi/conversation-update.json")),
    (Platform::Retell, "call_started", include_str!("../../fixtures/retell/call_started.json")),
    (Platform::Retell, "call_ended", include_str!("../../fixtures/retell/call_ended.json")),
    (Platform::Retell, "call_analyzed", include_str!("../../fixtures/retell/call_analyzed.json")),
    (Platform::Retell, "transfer_started", include_str!("../../fixtures/retell/transfer_started.json")),
    (Platform::Retell, "transfer_bridged", include_str!("../../fixtures/retell/transfer_bridged.json")),
];

fn of(platform: Platform) -> &'static dyn Connector {
    connector(platform).expect("a connector")
}

fn parse(platform: Platform, body: &[u8]) -> Result<Parsed, Unreadable> {
    of(platform).parse(&Request { headers: &HeaderMap::new(), body })
}

fn fixture(platform: Platform, name: &str) -> Parsed {
    let found = FIXTURES.iter().find(|(of, known, _)| (*of, *known) == (platform, name));
    let (_, _, body) = found.expect("the fixture is listed");
    parse(platform, body.as_bytes()).expect("a fixture can be read")
}

/// The one change of a message that has one.
fn change(parsed: Parsed) -> Change {
    let [change] = <[Change; 1]>::try_from(parsed.changes).expect("one change");
    change
}

fn tools(messages: &[Message]) -> Vec<&Tool> {
    messages.iter().filter_map(|message| message.tool.as_ref()).collect()
}

#[test]
fn every_platform_but_our_own_api_has_a_connector() {
    for platform in Platform::ALL {
        let known = connector(platform).map(|connector| connector.platform());
        assert_eq!(known, (platform != Platform::Api).then_some(platform));
    }
}
