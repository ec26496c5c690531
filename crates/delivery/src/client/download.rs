//! Fetching what may be large, piece by piece: nothing of it is held but the piece at hand.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, header};
use reqwest::Response;

use super::{Cause, Client, Phase, cause, dialled, out_of_time};
use crate::guard::{Target, noting};

/// An answer whose body is still to come.
pub struct Download {
    /// Its status.
    pub status: u16,
    /// Its header lines.
    pub headers: HeaderMap,
    response: Response,
    target: Target,
    client: Client,
}

impl Client {
    /// Asks for what is at an address. Whatever the status, the answer's body waits to be read; a redirect is not
    /// followed. The client's timeout is the head's, and that of each piece of the body.
    pub async fn get(&self, target: &Target, headers: HeaderMap) -> Result<Download, Cause> {
        let request = self.http.get(target.url().clone()).headers(headers);
        let (result, notes) = noting(tokio::time::timeout(self.timeout, request.send())).await;
        let response = match result {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                let dialled = dialled(target, &notes);
                return Err(cause::of(&error, Phase::Answer, &dialled, target, self));
            }
            Err(_) => return Err(out_of_time(target, Phase::Answer, notes.waits_for, self.timeout)),
        };
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Download { status, headers, response, target: target.clone(), client: self.clone() })
    }
}

impl Download {
    /// The next piece of the body, as it comes from the connection; `None` at its end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Cause> {
        let after: Duration = self.client.timeout;
        match tokio::time::timeout(after, self.response.chunk()).await {
            Ok(Ok(piece)) => Ok(piece),
            Ok(Err(error)) => Err(cause::of(&error, Phase::Body, &[], &self.target, &self.client)),
            Err(_) => Err(Cause::Timeout { phase: Phase::Body, after }),
        }
    }

    /// How long the body is, where the answer says so.
    pub fn length(&self) -> Option<u64> {
        self.header(header::CONTENT_LENGTH)?.parse().ok()
    }

    /// A header's value, where it is text.
    pub fn header(&self, name: header::HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}
