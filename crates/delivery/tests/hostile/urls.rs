//! URLs that are spelled oddly, or carry what they should not.

use conform::receiver::{Behavior, ELSEWHERE, Receiver};
use store::DeliveryState;

use crate::scene::{Case, on_both};

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_the_same_in_every_spelling() {
    on_both(async |scene| {
        let home = Receiver::start(Behavior::good()).await.expect("a port");
        let trap = Receiver::start_at(ELSEWHERE, Behavior::good()).await.expect("a port");
        let good = ["2130706433", "0x7f.1", "127.1", "0177.0.0.1", "127.0.0.1.", "①②⑦.0.0.1", "@127.0.0.1"];
        let mut cases: Vec<Case> =
            good.iter().map(|host| Case::arrives(host, home.url_as(host), 204)).collect();
        let forbidden = "the address 127.0.0.2 is loopback; allow it with delivery.allow_targets";
        for host in [
            "127.0.0.2",
            "2130706434",
            "0x7f.2",
            "127.2",
            "0177.0.0.2",
            "①②⑦.0.0.2",
            "127.0.0.2.",
            "@127.0.0.2",
        ] {
            cases.push(Case::fails(host, trap.url_as(host), None, forbidden));
        }
        for (host, shown) in [
            ("[::ffff:127.0.0.2]", "::ffff:127.0.0.2"),
            ("[::ffff:7f00:1]", "::ffff:127.0.0.1"),
            ("[::127.0.0.2]", "::7f00:2"),
            ("[64:ff9b::7f00:2]", "64:ff9b::7f00:2"),
        ] {
            let reason = if host.starts_with("[64") { "loopback" } else { "reserved" };
            let error = format!("the address {shown} is {reason}; allow it with delivery.allow_targets");
            cases.push(Case::fails(host, trap.url_as(host), None, &error));
        }
        scene.bear(&cases).await;
        assert_eq!((home.got().len(), trap.connections()), (good.len(), 0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_that_carries_or_hides_something_is_refused_in_words() {
    on_both(async |scene| {
        let home = Receiver::start(Behavior::good()).await.expect("a port");
        let port = home.address().port();
        let user = "the URL must not contain a user name or password; use a custom header instead";
        let cases = [
            (home.url_as("me:secret@127.0.0.1"), user),
            (home.url_as("me@127.0.0.1"), user),
            (home.url_as("hooks.example.com@127.0.0.1"), user),
            (home.url_as(":@127.0.0.1:1@127.0.0.1"), user),
            (home.url_as(":secret@127.0.0.1"), user),
            (format!("ftp://127.0.0.1:{port}/"), "the URL must begin with https://, not ftp:"),
            ("javascript:alert(1)".to_owned(), "the URL must begin with https://, not javascript:"),
            ("file:///etc/passwd".to_owned(), "the URL must begin with https://, not file:"),
            (
                format!("http://other.test:{port}/"),
                "the URL must begin with https://; for plain http the host other.test must be listed in \
                 delivery.allow_targets",
            ),
            (
                "https://metadata.google.internal/computeMetadata".to_owned(),
                "metadata.google.internal is a cloud's metadata service; allow it with delivery.allow_targets",
            ),
            ("https://127.0.0.1:99999/".to_owned(), "the URL cannot be read: invalid port number"),
            ("https://exa mple.com/".to_owned(), "the URL cannot be read: invalid international domain name"),
            ("https://".to_owned(), "the URL has no host"),
        ];
        let cases = cases.map(|(url, error)| Case::fails(&url.clone(), url, None, error));
        scene.bear(&cases).await;
        assert_eq!(home.connections(), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_arrives_as_it_was_written_and_a_fragment_stays_here() {
    on_both(async |scene| {
        let home = Receiver::start(Behavior::good()).await.expect("a port");
        let url = format!("{}/a%2Fb/../c;d?token={{x}}&q=%00|#fragment", home.url());
        let became = scene.bear(&[Case::arrives("odd", url, 204)]).await;
        assert_eq!(became[0].state, DeliveryState::Delivered);
        assert_eq!(home.got()[0].path, "/hook/c;d?token={x}&q=%00|");
    })
    .await;
}
