//! What the connectors promise, on our own fixtures, on those shared between projects, and on arbitrary input.

mod bland;
mod custom;
mod elevenlabs;
mod elevenlabs_audio;
mod expected;
mod history;
mod invariants;
mod livekit;
mod properties;
mod questions;
mod retell;
mod synthflow;
mod telnyx;
mod twilio;
mod vapi;
mod vectors;

use connectors::{Connector, Parsed, Request, Unreadable, connector};
use http::HeaderMap;
use model::{Change, Message, Platform, Tool};
use serde_json::Value;

/// Every body we have.
fn all_fixtures() -> impl Iterator<Item = &'static Fixture> {
    let all = [
        vapi::FIXTURES,
        retell::FIXTURES,
        elevenlabs::FIXTURES,
        bland::FIXTURES,
        twilio::FIXTURES,
        livekit::FIXTURES,
        telnyx::FIXTURES,
        synthflow::FIXTURES,
        custom::FIXTURES,
    ];
    all.into_iter().flatten()
}

/// A body of ours in the shape of a platform's.
#[derive(Debug)]
struct Fixture {
    platform: Platform,
    /// The file's name without its ending.
    name: &'static str,
    body: &'static str,
}

/// The fixtures of a platform by the names of their files.
macro_rules! fixtures {
    ($platform:ident in $folder:literal: $($name:literal),+ $(,)?) => {
        &[$(crate::Fixture {
            platform: model::Platform::$platform,
            name: $name,
            body: include_str!(concat!("../../fixtures/", $folder, "/", $name, ".json")),
        }),+]
    };
}
use fixtures;

fn of(platform: Platform) -> &'static dyn Connector {
    connector(platform).expect("a connector")
}

fn parse(platform: Platform, body: &[u8]) -> Result<Parsed, Unreadable> {
    of(platform).parse(&Value::Null, &request(&HeaderMap::new(), body))
}

/// A request of a platform that looks at nothing but these.
fn request<'a>(headers: &'a HeaderMap, body: &'a [u8]) -> Request<'a> {
    Request { url: "https://calls.example.com/ingest", path_secret: None, headers, body }
}

fn fixture(platform: Platform, name: &str) -> Parsed {
    let found = all_fixtures().find(|fixture| (fixture.platform, fixture.name) == (platform, name));
    parse(platform, found.expect("the fixture is listed").body.as_bytes()).expect("a fixture can be read")
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

/// The fuzzer begins with the messages, and whoever sets a source up with the page.
#[test]
fn every_platform_has_a_folder_of_messages_and_a_page() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for platform in Platform::ALL.into_iter().filter(|platform| *platform != Platform::Api) {
        let word = platform.as_str();
        let messages = std::fs::read_dir(root.join("fixtures").join(word));
        assert!(messages.is_ok_and(|mut files| files.next().is_some()), "fixtures/{word} has messages");
        let page = root.join(format!("../../docs/platforms/{word}.md"));
        assert!(page.is_file(), "docs/platforms/{word}.md is there");
    }
}
