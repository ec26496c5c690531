//! Requests to the product, without sockets.

use std::fmt::Write;

use axum::body::Body;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use super::app::TestApp;

/// Who asks.
pub(crate) struct Client<'a> {
    app: &'a TestApp,
    authorization: Option<String>,
}

/// What was answered.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl<'a> Client<'a> {
    pub(crate) fn new(app: &'a TestApp, authorization: Option<String>) -> Self {
        Self { app, authorization }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], Vec::new()).await
    }

    pub(crate) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(Method::GET, path, headers, Vec::new()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_with(path, &[], body).await
    }

    pub(crate) async fn post_with(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let mut all = vec![("content-type", "application/json")];
        all.extend_from_slice(headers);
        self.send(Method::POST, path, &all, body.to_string().into_bytes()).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        let json = [("content-type", "application/json")];
        self.send(Method::PATCH, path, &json, body.to_string().into_bytes()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, &[], Vec::new()).await
    }

    /// The data of a GET that succeeds.
    pub(crate) async fn data(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "GET {path}: {}", answer.shown());
        answer.json()["data"].take()
    }

    /// Writes a call that is accepted; the call.
    pub(crate) async fn write_call(&self, body: Value) -> Value {
        let answer = self.post("/v1/calls", &body).await;
        assert!(answer.status.is_success(), "POST /v1/calls {body}: {}", answer.shown());
        answer.json()["data"].take()
    }

    /// Makes a record; the record.
    pub(crate) async fn made(&self, path: &str, body: Value) -> Value {
        let answer = self.post(path, &body).await;
        assert_eq!(answer.status, 201, "POST {path} {body}: {}", answer.shown());
        answer.json()["data"].take()
    }

    /// Changes a record; the record.
    pub(crate) async fn changed(&self, path: &str, body: Value) -> Value {
        let answer = self.patch(path, &body).await;
        assert_eq!(answer.status, 200, "PATCH {path} {body}: {}", answer.shown());
        answer.json()["data"].take()
    }

    /// Sends a request, and lets everything happen that follows from it.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Answer {
        let answer = self.send_only(method, path, headers, body).await;
        self.app.settle().await;
        answer
    }

    /// Sends a request and leaves what follows to itself.
    pub(crate) async fn send_only(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Answer {
        let response = self.begin(method, path, headers, body).await;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("a body").to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, bytes }
    }

    /// Sends a request, and has of the answer only its head.
    pub(crate) async fn begin(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Response<Body> {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body)).expect("a request");
        self.app.router.clone().oneshot(request).await.expect("the router never fails")
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| panic!("{error}: {}", self.shown()))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    /// The code of an error.
    pub(crate) fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// An error's status, code and message in a line.
    pub(crate) fn error(&self) -> String {
        let json = self.json();
        let error = &json["error"];
        assert_eq!(error["status"], self.status.as_u16());
        format!("{} {}: {}", error["status"], text(&error["code"]), text(&error["message"]))
    }

    /// The whole answer, as it went out.
    pub(crate) fn shown(&self) -> String {
        let mut shown = format!("{}\n", self.status);
        for (name, value) in &self.headers {
            let _ = writeln!(shown, "{name}: {}", value.to_str().unwrap_or("?"));
        }
        let _ = write!(shown, "\n{}", String::from_utf8_lossy(&self.bytes));
        shown
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
