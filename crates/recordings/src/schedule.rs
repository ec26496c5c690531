//! When a recording that could not be fetched is tried again.

use std::time::Duration;

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It may well go better later: no connection, an error of the platform.
    Passing,
    /// The platform does not give it out: too early, or too late. Platforms tell of recordings before these can be
    /// had, and signed addresses stop being good.
    Refused,
    /// What came is no recording.
    NotSound,
    /// It will be the same next time.
    Final,
}

const PASSING: [u64; 8] = [10, 60, 300, 1_800, 7_200, 21_600, 43_200, 86_400];
const REFUSED: [u64; 4] = [10, 60, 300, 1_800];

/// The longest that a platform may have us wait.
const LONGEST: Duration = Duration::from_secs(3600);

/// How long to wait after a failed try, of which this was the `attempt`th from 1. `asked` is what the platform asks
/// for (`Retry-After`). `None` where there is no further try.
pub(crate) fn wait(kind: Kind, attempt: u32, asked: Option<Duration>) -> Option<Duration> {
    let steps: &[u64] = match kind {
        Kind::Passing => &PASSING,
        Kind::Refused | Kind::NotSound => &REFUSED,
        Kind::Final => &[],
    };
    let step = steps.get(usize::try_from(attempt).ok()?.checked_sub(1)?)?;
    let own = Duration::from_secs(*step);
    Some(asked.map_or(own, |asked| own.max(asked.min(LONGEST))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_end_sooner_where_the_platform_says_no() {
        let tries = |kind| (1..100).take_while(|attempt| wait(kind, *attempt, None).is_some()).count();
        assert_eq!([Kind::Passing, Kind::Refused, Kind::NotSound, Kind::Final].map(tries), [8, 4, 4, 0]);
        let asked =
            |seconds| wait(Kind::Passing, 1, Some(Duration::from_secs(seconds))).map(|wait| wait.as_secs());
        assert_eq!([1, 30, 1_000_000].map(asked), [Some(10), Some(30), Some(3600)]);
    }
}
