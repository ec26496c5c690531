//! Notes when a request waits for a new connection, so that a timeout can say so.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use tower::{Layer, Service};

use crate::guard::{Notebook, WaitsFor};

/// The layer around the HTTP client's way of connecting.
#[derive(Clone)]
pub(super) struct NotingLayer;

/// A way of connecting, noted.
#[derive(Clone)]
pub(super) struct Noting<S>(S);

impl<S> Layer<S> for NotingLayer {
    type Service = Noting<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Noting(inner)
    }
}

impl<S, R> Service<R> for Noting<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let notebook = Notebook::of_this_request();
        notebook.waits_for(WaitsFor::Connection);
        let connecting = self.0.call(request);
        Box::pin(async move {
            let connection = connecting.await;
            notebook.waits_for(WaitsFor::Answer);
            connection
        })
    }
}
