//! Queries and bodies that are wrong: refused, and told where.

use http::Method;
use insta::assert_snapshot;
use serde_json::json;

use crate::support::{Setup, on_both, on_both_with};

#[test]
fn a_query_that_is_wrong_is_named_and_never_ignored() {
    on_both_with(Setup::unhurried(), async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let long = format!("q={}", "a".repeat(501));
        let queries = [
            "limit=0",
            "limit=101",
            "limit=ten",
            "limit=",
            "limit=1&limit=2",
            "cursor=nonsense",
            "cursor=",
            "cursor=eyJjcmVhdGVkX2F0Ijoi",
            "since=yesterday",
            "since=2026-02-24T21:00:00",
            "status=Completed",
            "status=",
            "phone=4155550142",
            "phone=anonymous",
            "stauts=failed",
            "page=2",
            &long,
        ];
        let mut told = Vec::new();
        for query in queries {
            let answer = client.get(&format!("/v1/calls?{query}")).await;
            let shown = query.split('=').next().filter(|_| query.len() > 100).unwrap_or(query);
            told.push(format!("{shown} -> {}", answer.error()));
        }
        for query in [
            "contacts?company=a",
            "leads?status=old",
            "leads?urgency=now",
            "appointments?from=5",
            "assistants?phone=%2B14155550142",
        ] {
            told.push(format!("{query} -> {}", client.get(&format!("/v1/{query}")).await.error()));
        }
        assert_snapshot!(told.join("\n"), @"
        limit=0 -> 400 bad_request: Wrong query parameter `limit`: must be a whole number from 1 to 100
        limit=101 -> 400 bad_request: Wrong query parameter `limit`: must be a whole number from 1 to 100
        limit=ten -> 400 bad_request: Wrong query parameter `limit`: must be a whole number from 1 to 100
        limit= -> 400 bad_request: Wrong query parameter `limit`: must be a whole number from 1 to 100
        limit=1&limit=2 -> 400 bad_request: Wrong query parameter: duplicate field `limit`
        cursor=nonsense -> 400 bad_request: Wrong query parameter `cursor`: must be the `next_cursor` of a page before
        cursor= -> 400 bad_request: Wrong query parameter `cursor`: must be the `next_cursor` of a page before
        cursor=eyJjcmVhdGVkX2F0Ijoi -> 400 bad_request: Wrong query parameter `cursor`: must be the `next_cursor` of a page before
        since=yesterday -> 400 bad_request: Wrong query parameter `since`: must be an ISO 8601 date-time with its offset, such as 2026-02-24T21:00:00Z
        since=2026-02-24T21:00:00 -> 400 bad_request: Wrong query parameter `since`: must be an ISO 8601 date-time with its offset, such as 2026-02-24T21:00:00Z
        status=Completed -> 400 bad_request: Wrong query parameter `status`: unknown variant `Completed`, expected one of `in-progress`, `forwarding`, `completed`, `failed`, `blocked`
        status= -> 400 bad_request: Wrong query parameter `status`: unknown variant ``, expected one of `in-progress`, `forwarding`, `completed`, `failed`, `blocked`
        phone=4155550142 -> 400 bad_request: Wrong query parameter `phone`: must be a phone number in E.164, such as +14155550123
        phone=anonymous -> 400 bad_request: Wrong query parameter `phone`: must be a phone number in E.164, such as +14155550123
        stauts=failed -> 400 bad_request: Wrong query parameter: unknown field `stauts`, expected one of `limit`, `cursor`, `since`, `until`, `view`, `status`, `contact_id`, `phone`, `q`
        page=2 -> 400 bad_request: Wrong query parameter: unknown field `page`, expected one of `limit`, `cursor`, `since`, `until`, `view`, `status`, `contact_id`, `phone`, `q`
        q -> 400 bad_request: Wrong query parameter `q`: must have at most 500 characters
        contacts?company=a -> 400 bad_request: Wrong query parameter: unknown field `company`, expected one of `limit`, `cursor`, `since`, `phone`, `q`
        leads?status=old -> 400 bad_request: Wrong query parameter `status`: unknown variant `old`, expected one of `new`, `contacted`, `qualified`, `won`, `lost`
        leads?urgency=now -> 400 bad_request: Wrong query parameter `urgency`: unknown variant `now`, expected one of `low`, `medium`, `high`
        appointments?from=5 -> 400 bad_request: Wrong query parameter `from`: must be an ISO 8601 date-time with its offset, such as 2026-02-24T21:00:00Z
        assistants?phone=%2B14155550142 -> 400 bad_request: Wrong query parameter: unknown field `phone`, expected one of `limit`, `cursor`, `since`
        ");
        // A `+` that was not encoded arrives as a space, and is meant all the same.
        for query in ["phone=+14155550142", "phone=%2B14155550142", "since=2026-02-24T21:00:00+01:00"] {
            assert_eq!(client.get(&format!("/v1/calls?{query}")).await.status, 200, "{query}");
        }
    });
}

#[test]
fn a_body_that_is_wrong_is_told_where() {
    on_both_with(Setup::unhurried(), async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let json = [("content-type", "application/json")];
        let bodies = [
            "",
            "{",
            "[]",
            "null",
            "\"text\"",
            "{} {}",
            r#"{"external_id": 5}"#,
            r#"{"external_id": ""}"#,
            r#"{"status": "done"}"#,
            r#"{"stauts": "failed"}"#,
            r#"{"caller_phone": "4155550142"}"#,
            r#"{"caller_email": "nobody"}"#,
            r#"{"duration_seconds": -1}"#,
            r#"{"duration_seconds": 1.5}"#,
            r#"{"started_at": "yesterday"}"#,
            r#"{"recording_url": "ftp://example.com/a"}"#,
            r#"{"messages": [{"role": "user"}, {"role": "bot"}]}"#,
            r#"{"messages": [{"content": "Hello"}]}"#,
            r#"{"messages": [{"role": "user", "offset_seconds": -1}]}"#,
            r#"{"messages": [{"role": "tool", "tool": {"call_id": "a"}}]}"#,
            r#"{"summary": "one", "summary": "two"}"#,
            "{\"summary\": \"\u{0}\"}",
        ];
        let mut told = Vec::new();
        for body in bodies {
            let answer = client.send(Method::POST, "/v1/calls", &json, body.as_bytes().to_vec()).await;
            told.push(format!("{} -> {}", body.escape_debug(), answer.error()));
        }
        let not_utf8 =
            client.send(Method::POST, "/v1/calls", &json, b"{\"summary\": \"\xff\"}".to_vec()).await;
        told.push(not_utf8.error());
        assert_snapshot!(told.join("\n"), @r#"
         -> 400 bad_request: The body is not JSON: EOF while parsing a value at line 1 column 0
        { -> 400 bad_request: The body is not JSON: EOF while parsing an object at line 1 column 1
        [] -> 400 bad_request: The body must be a JSON object
        null -> 400 bad_request: The body must be a JSON object
        \"text\" -> 400 bad_request: The body must be a JSON object
        {} {} -> 400 bad_request: The body is not JSON: trailing characters at line 1 column 4
        {\"external_id\": 5} -> 400 bad_request: Wrong field `external_id`: invalid type: integer `5`, expected a string at line 1 column 17
        {\"external_id\": \"\"} -> 400 bad_request: Wrong field `external_id`: must have 1 to 255 characters
        {\"status\": \"done\"} -> 400 bad_request: Wrong field `status`: unknown variant `done`, expected one of `in-progress`, `forwarding`, `completed`, `failed`, `blocked` at line 1 column 17
        {\"stauts\": \"failed\"} -> 400 bad_request: Wrong field: unknown field `stauts`, expected one of `external_id`, `caller_phone`, `caller_name`, `caller_email`, `status`, `direction`, `started_at`, `ended_at`, `duration_seconds`, `summary`, `transcript`, `messages`, `recording_url`, `transfer_status`, `ended_reason`, `assistant_id`, `intent`, `urgency` at line 1 column 9
        {\"caller_phone\": \"4155550142\"} -> 400 bad_request: Wrong field `caller_phone`: must be a phone number in E.164, such as +14155550123 at line 1 column 30
        {\"caller_email\": \"nobody\"} -> 400 bad_request: Wrong field `caller_email`: must be an e-mail address
        {\"duration_seconds\": -1} -> 400 bad_request: Wrong field `duration_seconds`: must be a whole number from 0 to 8640000
        {\"duration_seconds\": 1.5} -> 400 bad_request: Wrong field `duration_seconds`: must be a whole number from 0 to 8640000 at line 1 column 25
        {\"started_at\": \"yesterday\"} -> 400 bad_request: Wrong field `started_at`: must be an ISO 8601 date-time with its offset, such as 2026-02-24T21:00:00Z at line 1 column 27
        {\"recording_url\": \"ftp://example.com/a\"} -> 400 bad_request: Wrong field `recording_url`: must be an http or https address
        {\"messages\": [{\"role\": \"user\"}, {\"role\": \"bot\"}]} -> 400 bad_request: Wrong field `messages[1].role`: unknown variant `bot`, expected one of `assistant`, `user`, `tool`, `system` at line 1 column 46
        {\"messages\": [{\"content\": \"Hello\"}]} -> 400 bad_request: Wrong field `messages[0]`: missing field `role` at line 1 column 34
        {\"messages\": [{\"role\": \"user\", \"offset_seconds\": -1}]} -> 400 bad_request: Wrong field `messages[0].offset_seconds`: must not be negative
        {\"messages\": [{\"role\": \"tool\", \"tool\": {\"call_id\": \"a\"}}]} -> 400 bad_request: Wrong field `messages[0].tool`: missing field `name` at line 1 column 55
        {\"summary\": \"one\", \"summary\": \"two\"} -> 400 bad_request: Wrong field: duplicate field `summary` at line 1 column 28
        {\"summary\": \"\0\"} -> 400 bad_request: The body is not JSON: control character (\u0000-\u001F) found while parsing a string at line 1 column 14
        400 bad_request: The body is not JSON: invalid unicode code point at line 1 column 14
        "#);
        assert_eq!(client.data("/v1/calls").await, json!([]), "nothing of all that was written");
    });
}

#[test]
fn a_body_of_another_type_or_too_long_is_refused_in_the_envelope() {
    on_both(async |app| {
        let org = app.org("Harbor Plumbing").await;
        let client = app.key(&org);
        let mut told = Vec::new();
        for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
            let headers = [("content-type", content_type)];
            told.push(client.send(Method::POST, "/v1/calls", &headers, b"{}".to_vec()).await.error());
        }
        let json = [("content-type", "application/json; charset=utf-8")];
        told.push(client.send(Method::POST, "/v1/calls", &json, vec![b' '; (2 << 20) + 1]).await.error());
        let path = app.org("Other").await.source(model::Platform::Vapi).await.path();
        told.push(app.anon().send(Method::POST, &path, &json, vec![b' '; (2 << 20) + 1]).await.error());
        assert_snapshot!(told.join("\n"), @"
        415 unsupported_media_type: The body must be JSON, with the header `Content-Type: application/json`
        415 unsupported_media_type: The body must be JSON, with the header `Content-Type: application/json`
        415 unsupported_media_type: The body must be JSON, with the header `Content-Type: application/json`
        415 unsupported_media_type: The body must be JSON, with the header `Content-Type: application/json`
        413 payload_too_large: The body is longer than 2097152 bytes
        413 payload_too_large: The body is longer than 2097152 bytes
        ");
    });
}
