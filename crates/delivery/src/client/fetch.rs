//! Asks a server for something, and reads the whole of a bounded answer.

use bytes::Bytes;
use http::HeaderMap;

use super::{Bounds, Cause, Client};
use crate::guard::Target;

/// What a server answered.
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The header lines, names in lower case, at most 16 KiB of them.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Why there is no whole answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// No answer came, or not all of it.
    #[error(transparent)]
    Failed(Cause),
    /// The answer is longer than it may be.
    #[error("the answer is longer than {limit} bytes")]
    TooLong {
        /// How long it may be.
        limit: usize,
    },
}

impl Client {
    /// Asks by GET, or by POST where there is a body. An answer with a bad status is an answer; its body may be cut
    /// short at `limit`, a good one's may not.
    pub async fn fetch(
        &self,
        target: &Target,
        headers: HeaderMap,
        body: Option<Bytes>,
        limit: usize,
    ) -> Result<Answer, FetchError> {
        let url = target.url().clone();
        let request = match body {
            Some(body) => self.http.post(url).body(body),
            None => self.http.get(url),
        };
        let request = request.headers(headers);
        // One byte more tells a longer answer from one that just fits.
        let bounds = Bounds { timeout: self.timeout, read_bytes: limit + 1, kept_bytes: limit + 1 };
        let outcome = self.carry(target, request, bounds).await;
        let Some(status) = outcome.status else {
            let nothing = || Cause::Other("no answer came".into());
            return Err(FetchError::Failed(outcome.error.unwrap_or_else(nothing)));
        };
        if (200..300).contains(&status) {
            if let Some(cause) = outcome.error {
                return Err(FetchError::Failed(cause));
            }
            if outcome.response_body.len() > limit {
                return Err(FetchError::TooLong { limit });
            }
        }
        Ok(Answer { status, headers: outcome.response_headers, body: outcome.response_body })
    }
}
