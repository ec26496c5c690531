//! Servers whose TLS proves nothing, or is none.

use conform::receiver::{Behavior, Flaw, OldTls, Receiver};

use crate::scene::{Case, on_both};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_to_who_does_not_prove_who_it_is_and_what_is_wrong_is_said() {
    on_both(async |scene| {
        let flawed = [
            (Flaw::Expired, "the server's certificate has expired"),
            (Flaw::NotYetValid, "the server's certificate is not valid yet"),
            (Flaw::WrongHost, "the server's certificate is for another host"),
            (
                Flaw::SelfSigned,
                "the server's certificate is self-signed, of an unknown authority, or sent without its chain",
            ),
        ];
        let mut receivers = Vec::new();
        let mut cases = Vec::new();
        for (flaw, why) in flawed {
            for host in ["hooks.test", "127.0.0.1"] {
                let receiver = scene.secure(flaw).await;
                let error = format!("no TLS connection to {host}: {why}");
                cases.push(Case::fails(&format!("{flaw:?}"), receiver.url_as(host), None, &error));
                receivers.push(receiver);
            }
        }
        let good = scene.secure(Flaw::None).await;
        cases.push(Case::arrives("good", good.url_as("hooks.test"), 204));
        cases.push(Case::arrives("good", good.url(), 204));
        scene.bear(&cases).await;
        for receiver in receivers {
            assert_eq!((receiver.connections(), receiver.got().len()), (1, 0));
        }
        assert_eq!(good.got().len(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_speaks_an_old_tls_or_none_is_told_apart() {
    on_both(async |scene| {
        let old = [
            Receiver::start_old_tls(OldTls::Refuses).await.expect("a port"),
            Receiver::start_old_tls(OldTls::GoesOn).await.expect("a port"),
        ];
        let too_old = "no TLS connection to 127.0.0.1: the server speaks no TLS version that is still safe \
                       (1.2 and 1.3)";
        let mut cases: Vec<Case> =
            old.iter().map(|old| Case::fails("old", old.url(), None, too_old)).collect();
        // These wait for the head of an HTTP request, which never comes, and close.
        let plain = Receiver::start(Behavior::good()).await.expect("a port");
        let silent = Receiver::start(Behavior::silent()).await.expect("a port");
        let https = |receiver: &Receiver| receiver.url().replace("http:", "https:");
        for receiver in [&plain, &silent] {
            cases.push(Case::fails("plain", https(receiver), None, "no connection within 1 s"));
        }
        scene.bear(&cases).await;
    })
    .await;
}
