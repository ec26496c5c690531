//! Receivers that take their time, or all the time there is.

use std::time::Duration;

use conform::receiver::{Answer, Behavior};

use crate::scene::{Case, TIMEOUT, on_both, receivers};

const PAUSE: Duration = Duration::from_millis(100);
const NO_ANSWER: &str = "no answer within 1 s";
const NO_END: &str = "the answer began but did not end within 1 s";

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_come_to_an_end_is_given_up_in_time() {
    on_both(async |scene| {
        let redirect = b"HTTP/1.1 302 Found\r\nlocation: /new\r\ncontent-length: 9\r\n\r\n".to_vec();
        let slow = [
            ("silence", Behavior::silent(), None, NO_ANSWER),
            ("a slow head", Behavior::slow_head(PAUSE), None, NO_ANSWER),
            ("a slow body", Behavior::slow_body(PAUSE), Some(200), NO_END),
            ("interim answers for ever", Behavior::interim_flood(), None, NO_ANSWER),
            (
                "a redirect that stops in its body",
                Behavior::Trickles { first: redirect, then: Vec::new(), pause: PAUSE },
                Some(302),
                NO_END,
            ),
        ];
        let receivers = receivers(slow.iter().map(|(_, behavior, ..)| behavior.clone())).await;
        let cases: Vec<Case> = slow
            .iter()
            .zip(&receivers)
            .map(|((name, _, status, error), receiver)| Case::fails(name, receiver.url(), *status, error))
            .collect();
        let became = scene.bear(&cases).await;
        for (case, receiver) in cases.iter().zip(&receivers) {
            let got = receiver.got().remove(0);
            let released = tokio::time::timeout(TIMEOUT, async {
                loop {
                    if let Some(released) = receiver.got()[0].released {
                        return released;
                    }
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            });
            let held = released.await.expect("the connection is closed").duration_since(got.at);
            assert!(held < 2 * TIMEOUT, "{}: {held:?}", case.name);
        }
        let kept = scene.tries(became[2].id).await.remove(0);
        assert!(kept.response_body.is_some_and(|body| body.starts_with(b"xx")), "what came is kept");
        assert!((1000..5000).contains(&kept.duration_ms), "{} ms", kept.duration_ms);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_end_is_cut_off_and_what_began_it_is_kept() {
    on_both(async |scene| {
        let large = Answer::status(500).body(vec![b'y'; 1 << 20]);
        let receivers = receivers([Behavior::endless_body(), large.into()]).await;
        let became = scene
            .bear(&[
                Case::arrives("endless", receivers[0].url(), 200),
                Case::fails("large", receivers[1].url(), Some(500), "the receiver answered 500"),
            ])
            .await;
        for (delivery, letter) in became.iter().zip([b'x', b'y']) {
            let kept = scene.tries(delivery.id).await.remove(0);
            assert_eq!(kept.response_body, Some(vec![letter; 16 << 10]));
            assert!(kept.duration_ms < 1000, "it is not read to its end: {} ms", kept.duration_ms);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn black_holes_take_no_other_endpoint_s_place() {
    on_both(async |scene| {
        let receivers = receivers((0..40).map(|_| Behavior::silent())).await;
        let cases: Vec<Case> =
            receivers.iter().map(|hole| Case::fails("a hole", hole.url(), None, NO_ANSWER)).collect();
        scene.bear(&cases).await;
    })
    .await;
}
