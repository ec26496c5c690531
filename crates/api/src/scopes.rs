//! Which scope an operation needs of a restricted key: decided here for all of them, and described from here.

use axum::extract::{MatchedPath, Request};
use http::{HeaderValue, Method, header};
use model::{Scope, Scopes};
use serde_json::{Value, json};

use crate::error::{ApiError, Code};

/// The scope that an operation needs, by its method and the path of its route. `None` where that is not decided: then
/// only a key that may do everything is let through.
fn needed(method: &Method, route: &str) -> Option<Scope> {
    // An export needs what the list needs that it is a whole of.
    let route = route.strip_prefix("/v1/")?;
    let noun = route.strip_prefix("export/").unwrap_or(route).split('/').next()?;
    let reads = matches!(*method, Method::GET | Method::HEAD);
    match (noun, reads) {
        (
            "calls" | "contacts" | "leads" | "appointments" | "agenda" | "blocked-numbers" | "assistants"
            | "events" | "event-types" | "erasures" | "calendar-feeds",
            true,
        ) => Some(Scope::Read),
        ("calls", false) => Some(Scope::CallsWrite),
        ("contacts" | "leads" | "appointments" | "blocked-numbers" | "calendar-feeds", false) => {
            Some(Scope::RecordsWrite)
        }
        ("sources" | "messages" | "gaps", true) => Some(Scope::SourcesRead),
        ("sources", false) => Some(Scope::SourcesWrite),
        ("webhooks" | "signing-key" | "deliveries" | "recoveries", true) => Some(Scope::WebhooksRead),
        // The only write on event types sends a sample to webhook endpoints.
        ("webhooks" | "signing-key" | "deliveries" | "event-types", false) => Some(Scope::WebhooksWrite),
        _ => None,
    }
}

/// Whether a key with these scopes may make the request. What has no route is nobody's to forbid.
pub(crate) fn check(scopes: &Scopes, request: &Request) -> Result<(), ApiError> {
    let Some(route) = request.extensions().get::<MatchedPath>() else { return Ok(()) };
    if *scopes == Scopes::All {
        return Ok(());
    }
    match needed(request.method(), route.as_str()) {
        Some(scope) if scopes.allow(scope) => Ok(()),
        Some(scope) => {
            let scope = scope.as_str();
            let message = format!("This API key is restricted and has not the scope `{scope}`");
            // RFC 6750 section 3.1.
            let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
            let error = ApiError::new(Code::Forbidden, message);
            Err(match HeaderValue::from_str(&challenge) {
                Ok(challenge) => error.with(header::WWW_AUTHENTICATE, challenge),
                Err(_) => error,
            })
        }
        None => {
            let message = "This API key is restricted, and this is only for keys without a restriction";
            Err(ApiError::new(Code::Forbidden, message))
        }
    }
}

/// What the description says of keys.
pub(crate) fn description() -> String {
    let each = Scope::ALL.map(|scope| format!("- `{}`: may {}\n", scope.as_str(), scope.about()));
    format!(
        "An API key of the organization. A key may do everything, unless it was restricted to some scopes when it was \
         made:\n\n{}\nEach operation names the scope that it needs. A restricted key without it is answered with 403 \
         `forbidden`.",
        each.concat()
    )
}

/// Writes the scope that it needs into every operation under `/v1`. OpenAPI 3.1 takes names of roles for that.
pub(crate) fn describe(document: &mut Value) {
    let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) else { return };
    for (path, item) in paths {
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let Some(operation) = item.get_mut(method.as_str().to_lowercase()) else { continue };
            let Some(scope) = needed(&method, path) else { continue };
            operation["security"] = json!([{"api_key": [scope.as_str()]}]);
            operation["responses"]["403"] = json!({"$ref": "#/components/responses/Forbidden"});
        }
    }
}
