//! Answers that are none, or not what one would wish for.

use std::time::Duration;

use conform::receiver::{Answer, Behavior, Receiver, closed_port, gzip_bomb};
use store::DeliveryState;

use crate::scene::{Case, on_both, receivers, wait};

#[tokio::test(flavor = "multi_thread")]
async fn only_2xx_is_accepted_and_any_other_answer_is_shown_by_its_status() {
    on_both(async |scene| {
        let good = [200, 201, 202, 203, 204, 206, 226, 250, 299];
        let bad =
            [300, 304, 400, 401, 403, 404, 405, 408, 413, 418, 422, 429, 451, 500, 502, 503, 504, 599, 999];
        let receivers = receivers(good.into_iter().chain(bad).map(Behavior::status)).await;
        let mut cases = Vec::new();
        for (status, receiver) in good.into_iter().chain(bad).zip(&receivers) {
            let (name, url) = (status.to_string(), receiver.url());
            cases.push(if good.contains(&status) {
                Case::arrives(&name, url, status.into())
            } else if (300..400).contains(&status) {
                let error =
                    format!("the receiver answered {status}, a redirect; redirects are never followed");
                Case::fails(&name, url, Some(status.into()), &error)
            } else {
                let error = format!("the receiver answered {status}");
                Case::fails(&name, url, Some(status.into()), &error)
            });
        }
        scene.bear(&cases).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_redirect_is_followed_and_where_it_leads_is_shown() {
    on_both(async |scene| {
        let elsewhere = Receiver::start(Behavior::good()).await.expect("a port");
        let there = elsewhere.url();
        let leads = [
            (301, "/elsewhere"),
            (302, there.as_str()),
            (303, "/elsewhere"),
            (307, "/elsewhere"),
            (308, there.as_str()),
            (302, "http://169.254.169.254/latest/meta-data"),
        ];
        let receivers = receivers(leads.map(|(status, to)| Behavior::redirects(status, to))).await;
        let cases: Vec<Case> = leads
            .iter()
            .zip(&receivers)
            .map(|((status, to), receiver)| {
                let error = format!(
                    "the receiver answered {status}, a redirect to {to}; redirects are never followed"
                );
                Case::fails(&status.to_string(), receiver.url(), Some(*status as i64), &error)
            })
            .collect();
        scene.bear(&cases).await;
        assert_eq!(elsewhere.connections(), 0);
        for receiver in &receivers {
            let paths: Vec<String> = receiver.got().into_iter().map(|got| got.path).collect();
            assert_eq!(paths, ["/hook"]);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_answers_410_is_not_told_any_more() {
    on_both(async |scene| {
        let gone = Receiver::start(Behavior::status(410)).await.expect("a port");
        scene
            .bear(&[Case {
                name: "410".into(),
                url: gone.url(),
                state: DeliveryState::Cancelled,
                status: Some(410),
                error: Some("the receiver answered 410".into()),
            }])
            .await;
        scene.tell().await;
        scene.tick(Duration::from_secs(86_400)).await;
        assert_eq!(gone.got().len(), 1);
    })
    .await;
}

/// The first step of the schedule, and how long nobody is left alone at most.
const STEP: u64 = 5;
const DAY: u64 = 86_400;

/// What `Retry-After` says, and for how many seconds an endpoint is then left alone at least, and a tenth more at most. It
/// is 2026-02-24T21:00:00Z, a Tuesday.
const RETRY_AFTER: [(&str, u64); 17] = [
    ("120", 120),
    ("1", STEP),
    ("0", STEP),
    ("86400", DAY),
    ("86401", DAY),
    ("99999999999999999999999999", DAY),
    ("Tue, 24 Feb 2026 21:02:00 GMT", 120),
    ("Tuesday, 24-Feb-26 21:02:00 GMT", 120),
    ("Tue Feb 24 21:02:00 2026", 120),
    ("Sun, 24 Feb 2126 21:02:00 GMT", DAY),
    ("Tue, 24 Feb 2026 20:59:59 GMT", STEP),
    ("Tue, 24 Feb 2026 21:02:00", STEP),
    ("-120", STEP),
    ("+120", STEP),
    ("1e3", STEP),
    ("a while", STEP),
    ("", STEP),
];

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_time_gets_a_day_at_most_and_who_says_nonsense_what_everybody_gets() {
    on_both(async |scene| {
        let answers = RETRY_AFTER.iter().flat_map(|(value, seconds)| {
            [429, 503].map(|status| (Answer::status(status).header("retry-after", value), status, *seconds))
        });
        let answers: Vec<(Answer, u16, u64)> = answers.collect();
        let receivers = receivers(answers.iter().map(|(answer, ..)| answer.clone().into())).await;
        let cases: Vec<Case> = answers
            .iter()
            .zip(&receivers)
            .map(|((answer, status, _), receiver)| {
                let error = format!("the receiver answered {status}");
                Case::fails(&format!("{answer:?}"), receiver.url(), Some((*status).into()), &error)
            })
            .collect();
        let became = scene.bear(&cases).await;
        let now = model::Clock::now(&*scene.clock);
        for ((answer, _, seconds), delivery) in answers.iter().zip(&became) {
            let (waits, asked) = (wait(now, delivery), Duration::from_secs(*seconds));
            let is_right =
                if *seconds == STEP { (asked..=asked.mul_f64(1.1)).contains(&waits) } else { waits == asked };
            assert!(is_right, "{answer:?}: {waits:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_asked_to_wait_hears_it_however_long_the_rest_of_the_head_is() {
    on_both(async |scene| {
        let long = "v".repeat(9000);
        let answer = |status| Answer::status(status).header("x-one", &long).header("x-two", &long);
        let busy = answer(429).header("x-three", "short").header("retry-after", "120");
        let moved = answer(301).header("location", "/new");
        let receivers = receivers([busy.into(), moved.into()]).await;
        let became = scene
            .bear(&[
                Case::fails("429", receivers[0].url(), Some(429), "the receiver answered 429"),
                Case::fails(
                    "301",
                    receivers[1].url(),
                    Some(301),
                    "the receiver answered 301, a redirect to /new; redirects are never followed",
                ),
            ])
            .await;
        assert_eq!(wait(model::Clock::now(&*scene.clock), &became[0]), Duration::from_secs(120));
        let tries = scene.tries(became[0].id).await;
        let headers = tries[0].response_headers.as_ref().expect("headers");
        let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["x-one", "x-three", "retry-after", "content-length"], "what fits is kept");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_cut_off_or_is_no_http_says_so() {
    const NO_HEAD: &str = "the connection was closed before the answer's head was complete";
    const NO_BODY: &str = "the connection was closed before the answer's body was complete";
    const RESET_IN_HEAD: &str = "the connection was reset before the answer's head was complete";
    const RESET_IN_BODY: &str = "the connection was reset before the answer's body was complete";
    on_both(async |scene| {
        let says = |text: &str| Behavior::Says(text.as_bytes().to_vec());
        let resets = |text: &str| Behavior::Resets(text.as_bytes().to_vec());
        let cut: [(&str, Behavior, Option<i64>, &str); 15] = [
            ("closed at once", says(""), None, NO_HEAD),
            ("closed in the status", says("HTTP/1.1 200 O"), None, NO_HEAD),
            ("closed in the head", says("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n"), None, NO_HEAD),
            (
                "closed in the body",
                says("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc"),
                Some(200),
                NO_BODY,
            ),
            (
                "closed in a chunk",
                says("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab"),
                Some(200),
                NO_BODY,
            ),
            (
                "closed between chunks",
                says("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n"),
                Some(200),
                NO_BODY,
            ),
            ("reset at once", resets(""), None, RESET_IN_HEAD),
            ("reset in the head", resets("HTTP/1.1 200 OK\r\nx-"), None, RESET_IN_HEAD),
            (
                "reset in the body",
                resets("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc"),
                Some(200),
                RESET_IN_BODY,
            ),
            ("reset in a body of no length", resets("HTTP/1.1 200 OK\r\n\r\nabc"), Some(200), RESET_IN_BODY),
            (
                "another protocol",
                says("SSH-2.0-OpenSSH_9.6\r\n"),
                None,
                "the answer is not HTTP: invalid HTTP version parsed",
            ),
            (
                "a status of letters",
                says("HTTP/1.1 OK\r\n\r\n"),
                None,
                "the answer is not HTTP: invalid HTTP status-code parsed",
            ),
            (
                "a length of letters",
                says("HTTP/1.1 200 OK\r\ncontent-length: two\r\n\r\n"),
                None,
                "the answer is not HTTP: invalid content-length parsed",
            ),
            (
                "two lengths",
                says("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"),
                None,
                "the answer is not HTTP: invalid content-length parsed",
            ),
            (
                "a chunk of letters",
                says("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxy\r\nab\r\n"),
                Some(200),
                "the answer is not HTTP: Invalid chunk size line: missing size digit",
            ),
        ];
        let receivers = receivers(cut.iter().map(|(_, behavior, ..)| behavior.clone())).await;
        let mut cases: Vec<Case> = cut
            .iter()
            .zip(&receivers)
            .map(|((name, _, status, error), receiver)| Case::fails(name, receiver.url(), *status, error))
            .collect();
        let port = closed_port().await.expect("a port");
        let refused = format!("connection refused by 127.0.0.1:{port}");
        cases.push(Case::fails("refused", format!("http://127.0.0.1:{port}/"), None, &refused));
        scene.bear(&cases).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_answers_that_are_http_all_the_same_are_taken() {
    on_both(async |scene| {
        let says = |bytes: &[u8]| Behavior::Says(bytes.to_vec());
        let hints = "HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n".repeat(50);
        let hints =
            format!("HTTP/1.1 100 Continue\r\n\r\n{hints}HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        let early = b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        let odd = [
            ("a body of no length", says(b"HTTP/1.1 200 OK\r\n\r\nabc"), 200),
            ("HTTP/1.0", says(b"HTTP/1.0 200 OK\r\n\r\n"), 200),
            ("no reason", says(b"HTTP/1.1 200\r\n\r\n"), 200),
            ("an early answer", Behavior::AnswersEarly(early.to_vec()), 202),
            ("interim answers", says(hints.as_bytes()), 200),
            (
                "lines that end in nothing but a line feed",
                says(b"HTTP/1.1 200 OK\ncontent-length: 0\n\n"),
                200,
            ),
            (
                "text that is no UTF-8",
                says(
                    b"HTTP/1.1 200 \xff\xfe\r\nx-name: \xc3\x28\r\ncontent-length: 4\r\n\r\n\xf0\x28\x00\xff",
                ),
                200,
            ),
            ("a gzip bomb", gzip_bomb().into(), 200),
            ("100 KB of headers", Answer::status(200).header("x-long", &"v".repeat(100_000)).into(), 200),
            ("closed when it is idle", Behavior::ClosesIdle, 204),
        ];
        let receivers = receivers(odd.iter().map(|(_, behavior, _)| behavior.clone())).await;
        let cases: Vec<Case> = odd
            .iter()
            .zip(&receivers)
            .map(|((name, _, status), receiver)| Case::arrives(name, receiver.url(), *status))
            .collect();
        let became = scene.bear(&cases).await;
        for (at, body) in [(0, b"abc".to_vec()), (6, b"\xf0\x28\x00\xff".to_vec())] {
            assert_eq!(scene.tries(became[at].id).await[0].response_body, Some(body), "as it came");
        }
        let bomb = scene.tries(became[7].id).await.remove(0).response_body.expect("a body");
        assert!(bomb.starts_with(&[0x1f, 0x8b]) && bomb.len() == 16 << 10, "kept as it came, and in part");
        let long = scene.tries(became[8].id).await.remove(0).response_headers.expect("headers");
        assert_eq!(long, [("content-length".to_owned(), "0".to_owned())], "what fits is kept");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_without_end_is_not_read_to_its_end() {
    on_both(async |scene| {
        let many = (0..101).fold(Answer::status(200), |answer, n| answer.header(&format!("x-{n}"), "v"));
        let long = Answer::status(200).header("x-long", &"v".repeat(1 << 20));
        let receivers = receivers([many.into(), long.into()]).await;
        let error = "the answer's head is too long: more than 100 lines or some 400 KB";
        scene
            .bear(&[
                Case::fails("101 lines", receivers[0].url(), None, error),
                Case::fails("a line of 1 MiB", receivers[1].url(), None, error),
            ])
            .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_was_closed_meanwhile_costs_a_try_at_most_and_never_the_webhook() {
    on_both(async |scene| {
        let receivers = receivers([Behavior::ClosesIdle, Behavior::ClosesReused]).await;
        let [idle, reused] = [&receivers[0], &receivers[1]];
        scene
            .bear(&[Case::arrives("idle", idle.url(), 204), Case::arrives("reused", reused.url(), 204)])
            .await;
        for _ in 0..3 {
            scene.tell().await;
            scene.settled().await;
        }
        // Those that were sent over a connection that was closed under them are sent again.
        for _ in 0..4 {
            scene.tick(Duration::from_secs(2 * 3600)).await;
        }
        let became = scene.settled().await;
        assert!(became.values().all(|delivery| delivery.state == DeliveryState::Delivered));
        assert_eq!((idle.got().len(), reused.got().len()), (4, 4), "each once");
        assert_eq!(idle.connections(), 4);
    })
    .await;
}
