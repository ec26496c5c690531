//! The proof that a request is ElevenLabs', for bodies that come whole and for those that come in pieces.

use http::HeaderMap;
use model::Time;

use super::{SIGNATURE, TOLERANCE};
use crate::{
    Rejection, Secrets,
    signature::{self, Running},
};

/// What the header claims, and the hashes that are to bear it out.
pub(super) struct Proof {
    signed_at: Time,
    macs: Vec<Vec<u8>>,
    running: Running,
}

/// What the header claims.
struct Claims<'a> {
    /// The digits of the one `t`, which are signed as they are written.
    timestamp: &'a [u8],
    /// The time they stand for.
    signed_at: Time,
    /// The hash of each `v0`.
    macs: Vec<Vec<u8>>,
}

impl Proof {
    /// Reads the header. The body is to follow.
    pub(super) fn begin(secrets: &Secrets<'_>, headers: &HeaderMap) -> Result<Self, Rejection> {
        if secrets.each().next().is_none() {
            return Err(Rejection::NoSecret);
        }
        let header = signature::header(headers, SIGNATURE)
            .ok_or_else(|| Rejection::Missing(format!("header {SIGNATURE}")))?;
        let claims = Claims::read(header).ok_or_else(|| Rejection::Malformed {
            header: SIGNATURE.into(),
            expected: "t=<seconds since 1970>,v0=<hex>",
        })?;
        let Claims { timestamp, signed_at, macs } = claims;
        let mut running = Running::new(secrets);
        running.update(timestamp);
        running.update(b".");
        Ok(Self { signed_at, macs, running })
    }

    /// Takes the body, or its next piece.
    pub(super) fn update(&mut self, piece: &[u8]) {
        self.running.update(piece);
    }

    /// Tells whether the whole was signed, and lately enough.
    pub(super) fn finish(self, now: Time) -> Result<(), Rejection> {
        if !self.running.ends_in_one_of(&self.macs) {
            return Err(Rejection::Mismatch { header: SIGNATURE.into() });
        }
        signature::check_age(self.signed_at, now, TOLERANCE)
    }
}

impl<'a> Claims<'a> {
    /// Reads the header, in any order of its parts. Versions other than `v0` are left alone: that is what versions
    /// are for.
    fn read(header: &'a [u8]) -> Option<Self> {
        let parts = || header.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        let mut timestamps = parts().filter_map(|part| part.strip_prefix(b"t="));
        let (Some(timestamp), None) = (timestamps.next(), timestamps.next()) else { return None };
        let signed_at = Time::from_millis(signature::digits(timestamp)?.checked_mul(1000)?)?;
        let macs = parts().filter_map(|part| hex::decode(part.strip_prefix(b"v0=")?).ok());
        let macs: Vec<_> = macs.filter(|mac| !mac.is_empty()).collect();
        (!macs.is_empty()).then_some(Self { timestamp, signed_at, macs })
    }
}
