//! What was observed, and whether it is what was expected.

use std::{collections::BTreeSet, time::Duration};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use standardwebhooks::Webhook;
use tokio::time::Instant;

use crate::{
    adapter::{Seen, State},
    checks::{Expects, Limits},
    receiver::Got,
};

/// Everything that is known of a check so far.
#[derive(Default)]
pub(crate) struct Observed {
    pub(crate) refused: Option<String>,
    pub(crate) got: Vec<Got>,
    pub(crate) connections: usize,
    pub(crate) seen: Option<Seen>,
    /// When the first event was caused, and the second where there was one.
    pub(crate) told: Option<Instant>,
    pub(crate) told_again: Option<Instant>,
}

/// How a check came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passed,
    Failed(String),
    /// More has to be seen.
    NotYet(&'static str),
}

impl Observed {
    /// Whether a try has come to its end.
    fn is_tried(&self) -> bool {
        self.seen.as_ref().is_some_and(|seen| seen.attempts > 0 || seen.state != State::Waiting)
    }

    fn is_delivered(&self) -> bool {
        self.state() == Some(State::Delivered)
    }

    fn state(&self) -> Option<State> {
        self.seen.as_ref().map(|seen| seen.state)
    }

    fn ids(&self) -> BTreeSet<&str> {
        self.got.iter().map(|got| got.header("webhook-id")).collect()
    }

    /// How long after the first request the second came.
    fn gap(&self) -> Option<Duration> {
        Some(self.got.get(1)?.at.duration_since(self.got.first()?.at))
    }

    /// What was observed, in words.
    pub(crate) fn words(&self) -> String {
        if let Some(why) = &self.refused {
            return format!("refused: {why}");
        }
        let mut words = match self.got.len() {
            0 if self.connections > 0 => "a connection, no request".to_owned(),
            0 => "no request".to_owned(),
            1 => "1 request".to_owned(),
            count => format!("{count} requests"),
        };
        if let Some(gap) = self.gap() {
            words.push_str(&format!(", the second after {:.1} s", gap.as_secs_f64()));
        }
        if let Some(first) = self.got.first()
            && let Some(released) = first.released
        {
            let held = released.duration_since(first.at).as_secs_f64();
            words.push_str(&format!(", given up after {held:.1} s and {} bytes", first.written));
        }
        match &self.seen {
            None => words.push_str("; no delivery"),
            Some(Seen { state, attempts, cause }) => {
                words.push_str(&format!("; {} after {attempts} tries", state.as_str()));
                if let Some(cause) = cause {
                    words.push_str(&format!(": {cause}"));
                }
            }
        }
        words
    }
}

/// Judges what was observed by what was expected. What only time can tell is not yet said.
pub(crate) fn judge(expects: Expects, observed: &Observed, secret: &str, limits: &Limits) -> Verdict {
    use Verdict::{Failed, NotYet, Passed};
    if observed.refused.is_some() {
        return match expects {
            Expects::NotDialled => Passed,
            _ => Failed("the sender does not take this URL".to_owned()),
        };
    }
    if let Some(fault) = observed.got.iter().find_map(|got| fault(got, secret)) {
        return Failed(fault);
    }
    match expects {
        Expects::Accepted | Expects::AcceptedSoon => accepted(expects, observed),
        Expects::BothAccepted => match (observed.ids().len(), observed.is_delivered()) {
            (2, true) if observed.told_again.is_some() => Passed,
            _ => NotYet("both events were not delivered"),
        },
        Expects::Retried | Expects::RetriedNoSooner => retried(expects, observed, limits),
        _ if observed.is_delivered() && !matches!(expects, Expects::CutOff | Expects::Survived) => {
            Failed("it was taken for delivered".to_owned())
        }
        Expects::NotFollowed => match observed.got.iter().find(|got| got.path != "/hook") {
            Some(got) => Failed(format!("it was followed to {}", got.path)),
            None if observed.is_tried() => Passed,
            None => NotYet("no try came to an end"),
        },
        Expects::GivenUp | Expects::CutOff => given_up(observed, limits),
        Expects::NotDialled if observed.connections > 0 => Failed("the address was dialled".to_owned()),
        Expects::NothingSent if !observed.got.is_empty() => Failed("the webhook was sent".to_owned()),
        Expects::NotDialled | Expects::NothingSent | Expects::NotDelivered | Expects::Survived => {
            if observed.is_tried() { Passed } else { NotYet("no try came to an end") }
        }
        Expects::Stopped => match observed.told_again {
            Some(_) if observed.got.len() > 1 => Failed("it was sent more".to_owned()),
            Some(at) if observed.is_tried() && at.elapsed() > limits.settle => Passed,
            _ => NotYet("no try came to an end"),
        },
    }
}

fn accepted(expects: Expects, observed: &Observed) -> Verdict {
    if observed.ids().len() < observed.got.len() {
        return Verdict::Failed("it was sent again though it was accepted".to_owned());
    }
    let (Some(first), Some(told)) = (observed.got.first(), observed.told) else {
        return Verdict::NotYet("nothing arrived");
    };
    let took = first.at.saturating_duration_since(told);
    if expects == Expects::AcceptedSoon && took > SOON {
        return Verdict::Failed(format!("it arrived after {:.1} s", took.as_secs_f64()));
    }
    if observed.is_delivered() { Verdict::Passed } else { Verdict::NotYet("it was not taken for delivered") }
}

/// How long a webhook may take that has nobody to wait for.
const SOON: Duration = Duration::from_secs(5);

fn retried(expects: Expects, observed: &Observed, limits: &Limits) -> Verdict {
    let Some(gap) = observed.gap() else {
        let is_over = matches!(observed.state(), Some(State::Delivered | State::Failed | State::Stopped));
        return match observed.state() {
            Some(state) if is_over => Verdict::Failed(format!("it is {} and was sent once", state.as_str())),
            _ => Verdict::NotYet("it was not sent again"),
        };
    };
    let [first, second, ..] = observed.got.as_slice() else {
        return Verdict::NotYet("it was not sent again");
    };
    if observed.ids().len() > 1 {
        return Verdict::Failed("the second try has another webhook-id".to_owned());
    }
    if first.body != second.body {
        return Verdict::Failed("the second try has another body".to_owned());
    }
    if expects == Expects::RetriedNoSooner && gap < limits.retry_after {
        return Verdict::Failed(format!("it was sent again after {:.1} s", gap.as_secs_f64()));
    }
    Verdict::Passed
}

fn given_up(observed: &Observed, limits: &Limits) -> Verdict {
    let Some(first) = observed.got.first() else { return Verdict::NotYet("nothing arrived") };
    match first.released {
        Some(released) if released.duration_since(first.at) > limits.timeout => {
            Verdict::Failed("it was given up too late".to_owned())
        }
        Some(_) if observed.is_tried() => Verdict::Passed,
        Some(_) => Verdict::NotYet("no try came to an end"),
        None => Verdict::NotYet("it was not given up"),
    }
}

/// What is wrong with a request, whatever is answered to it.
fn fault(got: &Got, secret: &str) -> Option<String> {
    let mut headers = HeaderMap::new();
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        let value = got.header(name);
        if value.is_empty() {
            return Some(format!("a request has no {name}"));
        }
        headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).ok()?);
    }
    let verified = Webhook::new(secret).and_then(|webhook| webhook.verify(&got.body, &headers));
    // Where the body is not read there is nothing that could be signed.
    verified.err().filter(|_| !got.body.is_empty()).map(|error| format!("a signature is wrong: {error}"))
}

#[cfg(test)]
mod tests {
    use super::{Verdict::*, *};

    const SECRET: &str = "whsec_YSBzZWNyZXQgb2YgdGhlIGNvbmZvcm1hbmNlIGtpdA==";

    /// A request that came so long after the first event.
    fn got(told: Instant, id: &str, after: Duration) -> Got {
        let now = std::time::UNIX_EPOCH.elapsed().expect("a time").as_secs() as i64;
        let body = b"{}".to_vec();
        let signature = Webhook::new(SECRET).and_then(|webhook| webhook.sign(id, now, &body));
        let line = |name: &str, value: String| (name.to_owned(), value);
        let headers = vec![
            line("webhook-id", id.to_owned()),
            line("webhook-timestamp", now.to_string()),
            line("webhook-signature", signature.expect("a signature")),
        ];
        let (at, path) = (told + after, "/hook".to_owned());
        Got { at, path, headers, body, written: 0, released: None }
    }

    fn seen(state: State) -> Option<Seen> {
        Some(Seen { state, attempts: 1, cause: None })
    }

    fn observed(state: State, requests: &[(&str, u64)]) -> Observed {
        let told = Instant::now();
        let got = requests.iter().map(|(id, after)| got(told, id, Duration::from_secs(*after))).collect();
        Observed {
            got,
            connections: requests.len(),
            seen: seen(state),
            told: Some(told),
            ..Observed::default()
        }
    }

    fn verdict(expects: Expects, observed: &Observed) -> Verdict {
        judge(expects, observed, SECRET, &Limits::default())
    }

    fn failed(words: &str) -> Verdict {
        Failed(words.to_owned())
    }

    #[test]
    fn what_is_accepted_is_delivered_once_and_soon() {
        let once = observed(State::Delivered, &[("a", 1)]);
        assert_eq!(verdict(Expects::AcceptedSoon, &once), Passed);
        let late = observed(State::Delivered, &[("a", 6)]);
        assert_eq!(verdict(Expects::Accepted, &late), Passed);
        assert_eq!(verdict(Expects::AcceptedSoon, &late), failed("it arrived after 6.0 s"));
        let twice = observed(State::Delivered, &[("a", 1), ("a", 2)]);
        assert_eq!(verdict(Expects::Accepted, &twice), failed("it was sent again though it was accepted"));
        let owed = observed(State::Waiting, &[("a", 1)]);
        assert_eq!(verdict(Expects::Accepted, &owed), NotYet("it was not taken for delivered"));
        let mut both = observed(State::Delivered, &[("a", 1), ("b", 2)]);
        assert!(matches!(verdict(Expects::BothAccepted, &both), NotYet(_)), "there was one event yet");
        both.told_again = both.told;
        assert_eq!(verdict(Expects::BothAccepted, &both), Passed);
    }

    #[test]
    fn what_fails_is_sent_again_as_it_was_and_when_it_was_asked_for() {
        let again = observed(State::Waiting, &[("a", 0), ("a", 5)]);
        assert_eq!(verdict(Expects::Retried, &again), Passed);
        assert_eq!(verdict(Expects::RetriedNoSooner, &again), failed("it was sent again after 5.0 s"));
        let later = observed(State::Waiting, &[("a", 0), ("a", 10)]);
        assert_eq!(verdict(Expects::RetriedNoSooner, &later), Passed);
        let other = observed(State::Waiting, &[("a", 0), ("b", 5)]);
        assert_eq!(verdict(Expects::Retried, &other), failed("the second try has another webhook-id"));
        let once = observed(State::Delivered, &[("a", 0)]);
        assert_eq!(verdict(Expects::Retried, &once), failed("it is delivered and was sent once"));
        assert!(matches!(verdict(Expects::Retried, &observed(State::Waiting, &[("a", 0)])), NotYet(_)));
    }

    #[test]
    fn where_nothing_may_go_nothing_went() {
        let none = observed(State::Waiting, &[]);
        assert_eq!(verdict(Expects::NotDialled, &none), Passed);
        let dialled = Observed { connections: 1, ..observed(State::Waiting, &[]) };
        assert_eq!(verdict(Expects::NotDialled, &dialled), failed("the address was dialled"));
        assert_eq!(verdict(Expects::NothingSent, &dialled), Passed);
        let sent = observed(State::Waiting, &[("a", 0)]);
        assert_eq!(verdict(Expects::NothingSent, &sent), failed("the webhook was sent"));
        let refused = Observed { refused: Some("private".into()), ..Observed::default() };
        assert_eq!(verdict(Expects::NotDialled, &refused), Passed);
        assert_eq!(verdict(Expects::Accepted, &refused), failed("the sender does not take this URL"));
        let mut followed = observed(State::Waiting, &[("a", 0), ("a", 0)]);
        assert_eq!(verdict(Expects::NotFollowed, &followed), Passed);
        followed.got[1].path = "/elsewhere".to_owned();
        assert_eq!(verdict(Expects::NotFollowed, &followed), failed("it was followed to /elsewhere"));
        let taken = observed(State::Delivered, &[("a", 0)]);
        assert_eq!(verdict(Expects::NotFollowed, &taken), failed("it was taken for delivered"));
    }

    #[test]
    fn what_has_no_end_is_let_go_in_time() {
        let mut held = observed(State::Waiting, &[("a", 0)]);
        assert_eq!(verdict(Expects::GivenUp, &held), NotYet("it was not given up"));
        held.got[0].released = Some(held.got[0].at + Duration::from_secs(30));
        assert_eq!(verdict(Expects::GivenUp, &held), Passed);
        held.got[0].released = Some(held.got[0].at + Duration::from_secs(36));
        assert_eq!(verdict(Expects::CutOff, &held), failed("it was given up too late"));
        held.got[0].released = Some(held.got[0].at);
        held.seen = seen(State::Delivered);
        assert_eq!(verdict(Expects::CutOff, &held), Passed);
        assert_eq!(verdict(Expects::GivenUp, &held), failed("it was taken for delivered"));
    }

    #[test]
    fn whatever_is_checked_every_request_is_verified() {
        let mut wrong = observed(State::Delivered, &[("a", 0)]);
        wrong.got[0].body = b"{ }".to_vec();
        let Failed(why) = verdict(Expects::Accepted, &wrong) else { panic!("it passed") };
        assert!(why.starts_with("a signature is wrong"), "{why}");
        wrong.got[0].headers.remove(1);
        assert_eq!(verdict(Expects::Accepted, &wrong), failed("a request has no webhook-timestamp"));
    }

    #[test]
    fn who_is_gone_is_sent_nothing_of_the_next_event() {
        let mut gone = observed(State::Stopped, &[("a", 0)]);
        assert!(matches!(verdict(Expects::Stopped, &gone), NotYet(_)));
        gone.told_again = Some(Instant::now());
        assert!(matches!(verdict(Expects::Stopped, &gone), NotYet(_)), "it may still come");
        gone.told_again = Instant::now().checked_sub(Duration::from_secs(6));
        assert_eq!(verdict(Expects::Stopped, &gone), Passed);
        gone.got.push(got(Instant::now(), "b", Duration::ZERO));
        assert_eq!(verdict(Expects::Stopped, &gone), failed("it was sent more"));
    }
}
