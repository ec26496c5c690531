//! Every check.

use std::time::Duration;

use super::{Acts, Check, Expects, Limits};
use crate::receiver::{Answer, Behavior, Flaw, OldTls, gzip_bomb};

const STANDARD: &str = "Standard Webhooks 1.0.0, Delivery success and failure";
const METADATA: &str = "Standard Webhooks 1.0.0, Webhook metadata";
const TIMEOUTS: &str = "Standard Webhooks 1.0.0, Request timeouts";
const SSRF: &str = "Standard Webhooks 1.0.0, Server side request forgery";
const RELIABLE: &str = "Standard Webhooks 1.0.0, Deliverability and reliability";
const RETRY_AFTER: &str = "RFC 9110, section 10.2.3";
const IDENTITY: &str = "RFC 9110, section 4.3.4";
const INCOMPLETE: &str = "RFC 9112, section 8";
const TEARDOWN: &str = "RFC 9112, section 9.5";

const PAUSE: Duration = Duration::from_millis(500);

/// Every check. A receiver with a good certificate is among them only where the sender knows the kit's authority.
pub fn all(limits: &Limits, knows_authority: bool) -> Vec<Check> {
    let mut all = well();
    all.extend(statuses());
    all.extend(retry_after(limits));
    all.extend(slow());
    all.extend(broken());
    all.extend(odd());
    all.extend(guarded());
    all.extend(tls(knows_authority));
    all
}

fn check(name: impl Into<String>, does: &'static str, acts: Acts, expects: Expects) -> Check {
    Check { name: name.into(), does, acts, expects, why: "", source: "" }
}

impl Check {
    fn because(mut self, why: &'static str, source: &'static str) -> Self {
        (self.why, self.source) = (why, source);
        self
    }
}

fn http(behavior: impl Into<Behavior>) -> Acts {
    Acts::Http(behavior.into())
}

fn says(bytes: &[u8]) -> Acts {
    Acts::Http(Behavior::Says(bytes.to_vec()))
}

fn resets(bytes: &[u8]) -> Acts {
    Acts::Http(Behavior::Resets(bytes.to_vec()))
}

fn well() -> Vec<Check> {
    vec![
        check("neighbor", "accepts", http(Behavior::good()), Expects::AcceptedSoon)
            .because("one endpoint's trouble is not another's", RELIABLE),
        check("fails-once", "answers 500, and then 204", http(Behavior::fails(1)), Expects::Retried)
            .because("the id stays the same over retries; the try's time and its signature do not", METADATA),
        check("next-event", "accepts both", http(Behavior::good()), Expects::BothAccepted)
            .because("each event has an id of its own", METADATA),
    ]
}

fn statuses() -> Vec<Check> {
    let answers = "answers with this status";
    let good = [200, 201, 202, 204, 299].map(|status| {
        check(format!("status-{status}"), answers, http(Behavior::status(status)), Expects::Accepted)
            .because("any 2xx is success", STANDARD)
    });
    let redirects = [301, 302, 303, 307, 308].map(|status| {
        let acts = http(Behavior::redirects(status, "/elsewhere"));
        check(format!("redirect-{status}"), "redirects to another path", acts, Expects::NotFollowed)
            .because("a redirect is a failure: the URL is to be changed instead", STANDARD)
    });
    let bad = [400, 404, 500, 502, 504].map(|status| {
        check(format!("status-{status}"), answers, http(Behavior::status(status)), Expects::Retried)
            .because("whatever is not 2xx is a failure, and is tried again", STANDARD)
    });
    let gone = check("gone", "answers 410", http(Behavior::status(410)), Expects::Stopped)
        .because("the receiver is no longer interested", STANDARD);
    good.into_iter().chain(redirects).chain(bad).chain([gone]).collect()
}

fn retry_after(limits: &Limits) -> Vec<Check> {
    let seconds = limits.retry_after.as_secs().to_string();
    let asks = [429, 503].map(|status| {
        let answer = Answer::status(status).header("retry-after", &seconds);
        check(
            format!("retry-after-{status}"),
            "asks for some seconds",
            http(answer),
            Expects::RetriedNoSooner,
        )
        .because("Retry-After is to be taken into consideration", STANDARD)
    });
    let nonsense = [
        ("negative", "-120"),
        ("fraction", "1.5"),
        ("garbage", "a while"),
        ("empty", ""),
        ("past", "Sun, 06 Nov 1994 08:49:37 GMT"),
    ];
    let nonsense = nonsense.map(|(name, value)| {
        let answer = Answer::status(503).header("retry-after", value);
        let does = "asks for time in a way that means nothing";
        check(format!("retry-after-{name}"), does, http(answer), Expects::Retried)
            .because("it is a date or whole seconds, and anything else says nothing", RETRY_AFTER)
    });
    let huge = Answer::status(503).header("retry-after", "99999999999999999999");
    let does = "asks for more seconds than fit anywhere";
    let huge = check("retry-after-huge", does, http(huge), Expects::NotDelivered)
        .because("no number of seconds is to crash anybody, or lose a webhook", RETRY_AFTER);
    asks.into_iter().chain(nonsense).chain([huge]).collect()
}

fn slow() -> Vec<Check> {
    let hints = http(Behavior::interim_flood());
    let endless = http(Behavior::endless_body());
    let head = http(Behavior::slow_head(PAUSE));
    let body = http(Behavior::slow_body(PAUSE));
    let all = vec![
        check("silence", "never says anything", http(Behavior::silent()), Expects::GivenUp),
        check("slow-head", "says a header line now and then", head, Expects::GivenUp),
        check("slow-body", "says a byte of the body now and then", body, Expects::CutOff),
        check("interim-flood", "says 103 for ever", hints, Expects::GivenUp),
        check("endless-body", "says as much as is taken", endless, Expects::CutOff),
    ];
    let why = "a receiver has 15 to 30 s, and no more";
    all.into_iter().map(|check| check.because(why, TIMEOUTS)).collect()
}

fn broken() -> Vec<Check> {
    let unheard = vec![
        check("closed-at-once", "closes without a word", says(b""), Expects::Retried),
        check("closed-in-head", "closes in the head", says(b"HTTP/1.1 200 OK\r\nx-"), Expects::Retried),
        check("reset-at-once", "resets without a word", resets(b""), Expects::Retried),
        check("reset-in-head", "resets in the head", resets(b"HTTP/1.1 200 OK\r\nx-"), Expects::Retried),
        check("not-http", "says what SSH says", says(b"SSH-2.0-OpenSSH_9.6\r\n"), Expects::Retried),
        check("refused", "does not listen", Acts::Closed, Expects::NotDelivered),
    ];
    let half = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc";
    let chunk = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab";
    let cut = vec![
        check("closed-in-body", "closes in the body", says(half), Expects::Retried),
        check("closed-in-chunk", "closes in a chunk", says(chunk), Expects::Retried),
        check("reset-in-body", "resets in the body", resets(half), Expects::Retried),
    ];
    let nothing = |check: Check| check.because("without an answer nothing was accepted", STANDARD);
    let partly =
        |check: Check| check.because("what is cut off is incomplete, whatever its status", INCOMPLETE);
    unheard.into_iter().map(nothing).chain(cut.into_iter().map(partly)).collect()
}

fn odd() -> Vec<Check> {
    let hints = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(20);
    let interim = format!("HTTP/1.1 100 Continue\r\n\r\n{hints}HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let early = b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec();
    let early = http(Behavior::AnswersEarly(early));
    let text = b"HTTP/1.1 200 \xff\r\nx-name: \xc3\x28\r\ncontent-length: 2\r\n\r\n\xf0\x28";
    let long = Answer::status(200).header("x-long", &"v".repeat(100_000));
    let idle = http(Behavior::ClosesIdle);
    let reused = http(Behavior::ClosesReused);
    let closed = "a connection may be closed at any time";
    vec![
        check("interim", "says 100 and 103 before 200", says(interim.as_bytes()), Expects::Accepted)
            .because("a client must be able to read interim answers", "RFC 9110, section 15.2"),
        check("early-answer", "answers and never reads the body", early, Expects::Accepted)
            .because("a server may answer before it has the whole request", "RFC 9110, section 7.5"),
        check("no-utf8", "answers with bytes that are no text", says(text), Expects::Accepted)
            .because("what is beyond ASCII is opaque", "RFC 9110, section 5.5"),
        check(
            "no-length",
            "ends the body by closing",
            says(b"HTTP/1.1 200 OK\r\n\r\nabc"),
            Expects::Accepted,
        )
        .because("without a length the body ends with the connection", "RFC 9112, section 6.3"),
        check("gzip-bomb", "answers with 64 MiB in 64 KB", http(gzip_bomb()), Expects::Survived)
            .because("nobody who answers may exhaust the sender", RELIABLE),
        check("long-header", "answers with a header of 100 KB", http(long), Expects::Survived)
            .because("a client may refuse it, and must go on", "RFC 9110, section 5.4"),
        check("closed-idle", "closes the connection after the answer", idle, Expects::BothAccepted)
            .because(closed, TEARDOWN),
        check("closed-reused", "closes it when it is used again", reused, Expects::BothAccepted)
            .because(closed, TEARDOWN),
    ]
}

fn guarded() -> Vec<Check> {
    let spellings = [
        ("plain", "127.0.0.2"),
        ("decimal", "2130706434"),
        ("hex", "0x7f.2"),
        ("octal", "0177.0.0.2"),
        ("short", "127.2"),
        ("mapped", "[::ffff:127.0.0.2]"),
        ("user-info", "example.com@127.0.0.2"),
    ];
    let does = "listens where nobody was allowed to send";
    let spelled = spellings.map(|(name, host)| {
        check(format!("inside-{name}"), does, Acts::Elsewhere(host), Expects::NotDialled)
            .because("a URL is chosen by a stranger, and may lead inside", SSRF)
    });
    spelled.into()
}

fn tls(knows_authority: bool) -> Vec<Check> {
    let flaws = [
        ("tls-expired", "shows an expired certificate", Acts::Tls(Flaw::Expired)),
        ("tls-not-yet", "shows a certificate of the future", Acts::Tls(Flaw::NotYetValid)),
        ("tls-wrong-host", "shows another host's certificate", Acts::Tls(Flaw::WrongHost)),
        ("tls-self-signed", "shows a certificate of its own making", Acts::Tls(Flaw::SelfSigned)),
    ];
    let flaws = flaws.map(|(name, does, acts)| {
        check(name, does, acts, Expects::NothingSent)
            .because("who does not prove who it is gets nothing", IDENTITY)
    });
    let old = check("tls-old", "speaks TLS 1.1", Acts::OldTls(OldTls::GoesOn), Expects::NothingSent)
        .because("versions before 1.2 must not be used", "RFC 8996, section 5");
    let good = knows_authority.then(|| {
        check("tls-good", "proves who it is", Acts::Tls(Flaw::None), Expects::Accepted)
            .because("so that the others' failures mean something", IDENTITY)
    });
    flaws.into_iter().chain([old]).chain(good).collect()
}
