//! Names that lead nowhere, or where they should not.

use std::{
    io,
    net::{IpAddr, Ipv4Addr},
    path::Path,
    time::Duration,
};

use conform::receiver::{Behavior, ELSEWHERE, HOME, Receiver};
use delivery::guard::{AllowList, Target, verdict};
use serde_json::Value;
use store::DeliveryState;

use crate::scene::{Case, Scene, on_both_with};

const PRIVATE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

fn names(name: &str, asked_before: usize) -> Option<io::Result<Vec<IpAddr>>> {
    let answer = match name {
        "nowhere.test" => Err(io::Error::other("Name or service not known")),
        "empty.test" => Ok(vec![]),
        "silent.test" => return None,
        "inside.test" => Ok(vec![PRIVATE]),
        "metadata.test" => Ok(vec![IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254))]),
        "mixed.test" => Ok(vec![HOME, PRIVATE]),
        "127.0.0.1.nip.test" => Ok(vec![ELSEWHERE]),
        "rebinds.test" => Ok(vec![if asked_before == 0 { HOME } else { ELSEWHERE }]),
        _ => return vector(name),
    };
    Some(answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_nowhere_or_inside_is_told_and_not_dialled() {
    on_both_with(names, async |scene| {
        let trap = Receiver::start_at(ELSEWHERE, Behavior::good()).await.expect("a port");
        let port = trap.address().port();
        let cases = [
            ("nowhere", "the name nowhere.test could not be resolved: Name or service not known"),
            ("empty", "the name empty.test has no address"),
            ("silent", "the name silent.test was not resolved within 1 s"),
            ("inside", "the address 10.0.0.1 of inside.test is private; allow it with delivery.allow_targets"),
            (
                "metadata",
                "the address 169.254.169.254 of metadata.test is a cloud metadata address; allow it with \
                 delivery.allow_targets",
            ),
            ("mixed", "the address 10.0.0.1 of mixed.test is private; allow it with delivery.allow_targets"),
            (
                "127.0.0.1.nip",
                "the address 127.0.0.2 of 127.0.0.1.nip.test is loopback; allow it with delivery.allow_targets",
            ),
        ];
        let cases = cases
            .map(|(name, error)| Case::fails(name, format!("https://{name}.test:{port}/hook"), None, error));
        scene.bear(&cases).await;
        assert_eq!(trap.connections(), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_changes_its_mind_is_judged_by_what_would_be_dialled() {
    on_both_with(names, async |scene| {
        // One that was fine when it was looked at first: it closes, so that the second try dials anew.
        let identity = scene.authority.identity(conform::receiver::Flaw::None).expect("a certificate");
        let first = Receiver::start_tls(&identity, Behavior::good()).await.expect("a port");
        let trap = Receiver::start_at(ELSEWHERE, Behavior::good()).await.expect("a port");
        let wrong_host = "no TLS connection to rebinds.test: the server's certificate is for another host";
        let url = first.url_as("rebinds.test");
        let became = scene.bear(&[Case::fails("rebinds", url, None, wrong_host)]).await;
        let again = scene.tick(Duration::from_secs(6)).await.remove(&became[0].endpoint).expect("it");
        let error = "the address 127.0.0.2 of rebinds.test is loopback; allow it with delivery.allow_targets";
        assert_eq!((again.state, again.last_error.as_deref()), (DeliveryState::Retrying, Some(error)));
        assert_eq!((again.attempts, first.connections(), trap.connections()), (2, 1, 0));
    })
    .await;
}

/// The address vectors; `None` where the folder is missing, which a developer's machine may do and CI may not.
fn vectors(verdict: &str) -> Option<Vec<IpAddr>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures/ssrf-addresses.json");
    let Ok(text) = std::fs::read_to_string(path) else {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "the address vectors are missing");
        return None;
    };
    let vectors: Value = serde_json::from_str(&text).expect("JSON");
    let by_project = vectors[verdict].as_object().expect("projects").values();
    let all = by_project.flat_map(|list| list.as_array().expect("a list"));
    Some(all.map(|ip| ip.as_str().expect("a text").parse().expect("an address")).collect())
}

/// The vectors that are denied, but for the one address that is allowed in these tests, as it never is by default.
fn denied() -> Option<Vec<IpAddr>> {
    Some(vectors("deny")?.into_iter().filter(|ip| *ip != HOME).collect())
}

/// `deny-17.test` leads to the eighteenth of the addresses that are denied.
fn vector(name: &str) -> Option<io::Result<Vec<IpAddr>>> {
    let number: usize = name.strip_prefix("deny-")?.strip_suffix(".test")?.parse().ok()?;
    Some(Ok(vec![denied()?[number]]))
}

async fn bear_vectors(scene: &Scene, denied: &[IpAddr]) {
    let mut cases = Vec::new();
    for (number, ip) in denied.iter().enumerate() {
        let reason = verdict(*ip).expect_err("a reason");
        let setting = "allow it with delivery.allow_targets";
        let name = format!("deny-{number}.test");
        let by_name = format!("the address {ip} of {name} is {reason}; {setting}");
        cases.push(Case::fails(&ip.to_string(), format!("https://{name}/"), None, &by_name));
        let host = if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() };
        let by_itself = format!("the address {ip} is {reason}; {setting}");
        cases.push(Case::fails(&ip.to_string(), format!("https://{host}/"), None, &by_itself));
    }
    scene.bear(&cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn none_of_the_addresses_that_three_projects_deny_is_dialled_by_itself_or_by_name() {
    let (Some(denied), Some(allowed)) = (denied(), vectors("allow")) else { return };
    assert_eq!((denied.len(), allowed.len()), (82, 22));
    for ip in allowed {
        let host = if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() };
        assert!(Target::parse(&format!("https://{host}/"), &AllowList::default()).is_ok(), "{ip}");
    }
    on_both_with(names, async |scene| bear_vectors(scene, &denied).await).await;
}
