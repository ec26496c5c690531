//! That the documentation holds together, and that what it tells people to run runs.

use std::{
    collections::HashMap,
    io::Write as _,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use super::{
    library::{Library, title},
    markdown,
    samples::{self, Request},
};

const ORIGIN: &str = "https://calls.example.com";

fn library() -> Library {
    Library { openapi: include_str!("../../../../docs/openapi.json").into(), commands: "# Commands\n".into() }
}

fn pages() -> Vec<(String, String)> {
    let library = library();
    let listed = library.contents().into_iter().flat_map(|(_, pages)| pages);
    listed
        .map(|page| {
            let text = library.page(&page.slug, ORIGIN).unwrap_or_default();
            assert_eq!(title(&text), page.title, "{}", page.slug);
            (page.slug, text)
        })
        .collect()
}

#[test]
fn every_link_leads_to_a_page_and_to_a_heading_of_it() {
    let (library, pages) = (library(), pages());
    let headings: HashMap<_, _> =
        pages.iter().map(|(slug, text)| (slug.as_str(), markdown::render(text, |_| None).headings)).collect();
    let mut followed = 0;
    for (slug, text) in &pages {
        let _ = markdown::render(text, |link| {
            let address = library.address(slug, link)?;
            let (path, fragment) = address.split_once('#').unwrap_or((&address, ""));
            let target = if path.is_empty() { Some(slug.as_str()) } else { path.strip_prefix("/docs/") };
            let Some(target) = target else { return Some(address) };
            let headings = headings.get(target).unwrap_or_else(|| panic!("{slug} links to {link}"));
            let is_there = fragment.is_empty() || headings.iter().any(|heading| heading.id == fragment);
            assert!(is_there, "{slug} links to {link}");
            followed += 1;
            Some(address)
        });
    }
    assert!(followed > 100, "{followed}");
}

#[test]
fn every_operation_has_its_place_in_the_reference() {
    let description: Value = serde_json::from_str(&library().openapi).expect("JSON");
    let pages = pages();
    let operations: Vec<_> = description["paths"]
        .as_object()
        .expect("paths")
        .values()
        .flat_map(|methods| methods.as_object().expect("methods").values())
        .filter_map(|operation| operation["operationId"].as_str())
        .collect();
    assert!(operations.len() > 80);
    for operation in operations {
        let heading = format!("{{#{operation}}}");
        let places = pages.iter().filter(|(_, text)| text.contains(&heading)).count();
        assert_eq!(places, 1, "{operation}");
    }
    let (_, calls) = pages.iter().find(|(slug, _)| slug == "api/calls").expect("a page");
    assert!(calls.contains("curl 'https://calls.example.com/v1/calls?limit=10' \\\n  -H"), "{calls}");
    assert!(
        calls
            .contains("| `status` | query | `in-progress`, `forwarding`, `completed`, `failed`, `blocked` |")
    );
    assert!(calls.contains("`PATCH /v1/calls/{id}` · scope `calls:write`"));
}

#[test]
fn every_event_has_its_place_in_the_reference() {
    let (_, events) = pages().into_iter().find(|(slug, _)| slug == "events").expect("a page");
    for event in model::EventType::ALL {
        assert!(events.contains(&format!("## {} {{#", event.as_str())), "{event:?}");
    }
}

fn run(program: &str, arguments: &[&str], input: &str) -> bool {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot run {program}: {error}"));
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads");
    child.wait().expect("it ends").success()
}

/// The code of a page in one language, and what makes it a program: whose exit code says whether a signature is good.
fn check(language: &str, ending: &str, body: &str, header: &str) -> String {
    let (_, webhooks) = pages().into_iter().find(|(slug, _)| slug == "webhooks").expect("a page");
    let start = format!("```{language}\n");
    let code = webhooks.split_once(&start).and_then(|(_, rest)| rest.split_once("\n```")).expect("code").0;
    let ending = ending.replace("BODY", &Value::from(body).to_string());
    format!("{code}\n{}\n", ending.replace("HEADER", &Value::from(header).to_string()))
}

#[test]
fn the_checks_of_signatures_accept_ours_and_no_other() {
    let (secret, body) = ("whsec_aSecretOfNobody", r#"{"event":"call.completed","data":{"summary":"Zoë"}}"#);
    // Computed with `openssl dgst -sha256 -hmac whsec_aSecretOfNobody`.
    let good = "sha256=d2e67eb78675ac7a4dfde9eace6f2c3cdf81151ebd005a15b565239f887608a9";
    let bad = good.replace('a', "b");
    let node = format!("process.exit(isOurs({secret:?}, BODY, HEADER) ? 0 : 1);");
    let python = format!("import sys\nsys.exit(0 if is_ours({secret:?}, BODY.encode(), HEADER) else 1)");
    for (header, is_good) in [(good, true), (bad.as_str(), false), ("sha256=", false), ("", false)] {
        let program = check("js tab=JavaScript", &node, body, header);
        assert_eq!(run("node", &["--input-type=module", "-"], &program), is_good, "JavaScript, {header}");
        let program = check("python tab=Python", &python, body, header);
        assert_eq!(run("python3", &["-"], &program), is_good, "Python, {header}");
    }
}

#[test]
fn samples_are_programs_whatever_is_in_the_body() {
    let body =
        json!({"name": "It's \"Robin\"", "tags": ["a", {"b": null}], "ok": true, "count": 3, "none": {}});
    for body in [None, Some(&body)] {
        let url = "https://calls.example.com/v1/contacts";
        let request = Request { method: "POST", url, body, has_key: true };
        let python = format!("compile({}, 'sample', 'exec')", Value::from(samples::python(&request)));
        assert!(run("python3", &["-"], &python), "{}", samples::python(&request));
        assert!(run("node", &["--input-type=module", "--check", "-"], &samples::javascript(&request)));
        assert!(run("sh", &["-n"], &samples::curl(&request)), "{}", samples::curl(&request));
    }
}
