//! The documentation that the binary serves.

use http::StatusCode;

use super::dashboard::text;
use crate::support::{TestApp, on_both};

async fn get(app: &TestApp, path: &str, host: &str) -> (StatusCode, String) {
    let answer = app.anon().get_with(path, &[("host", host)]).await;
    (answer.status, text(&answer))
}

#[test]
fn the_documentation_is_open_to_everybody_and_speaks_of_this_server() {
    on_both(async |app| {
        for path in ["/docs", "/docs/getting-started", "/docs/platforms/vapi", "/docs/api/calls", "/docs/cli"]
        {
            let (status, page) = get(app, path, "calls.test:8443").await;
            assert_eq!(status, 200, "{path}");
            assert!(page.contains("<h1 id="), "{path}");
            assert!(!page.contains("127.0.0.1:8080/v1"), "{path}");
        }
        let (_, page) = get(app, "/docs/api/calls.md", "calls.test:8443").await;
        assert!(page.contains("curl 'http://calls.test:8443/v1/calls?limit=10'"), "{page}");
        // What is no host's name is not written into a page.
        let (_, page) = get(app, "/docs/api/calls.md", "calls.test/'<b>").await;
        assert!(page.contains("curl 'http://127.0.0.1:8080/v1/calls?limit=10'"), "{page}");
    });
}

#[test]
fn the_documentation_is_searched_and_listed_for_programs() {
    on_both(async |app| {
        let (_, found) = get(app, "/docs/search?q=Retry-After+%3Cscript%3E", "calls.test").await;
        assert!(found.contains("No section has all these words") && !found.contains("<script>"), "{found}");
        let (_, found) = get(app, "/docs/search?q=idempotency-key+repetition", "calls.test").await;
        assert!(found.contains(r#"<a href="/docs/api#repetition">"#), "{found}");
        assert!(found.contains("<mark>Idempotency-Key</mark>"), "{found}");

        let (status, listed) = get(app, "/llms.txt", "calls.test").await;
        assert_eq!(status, 200);
        assert!(
            listed.contains("- [Webhooks](http://calls.test/docs/webhooks.md): The moment something happens")
        );

        for path in
            ["/docs/no-such-page", "/docs/no-such-page.md", "/docs/api/no-such-noun", "/docs/../secret.key"]
        {
            assert_eq!(get(app, path, "calls.test").await.0, 404, "{path}");
        }
    });
}
