//! Where options come from, and what is said where they are wrong.

use std::{fs, net::TcpListener, path::Path};

use super::server::{Home, Kind, Server, http_client};

const ORG: [&str; 4] = ["org", "create", "--name", "x"];

/// The folders in which a command made a database.
fn databases(home: &Path) -> Vec<String> {
    let folders = fs::read_dir(home).expect("a folder").map(|entry| entry.expect("an entry"));
    let with_database = folders.filter(|entry| entry.path().join("inboundflow.db").exists());
    let mut names: Vec<String> =
        with_database.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn the_command_line_wins_over_the_environment_over_the_file_over_the_defaults() {
    let home = Home::new(Kind::Sqlite).await;
    assert!(home.run(&ORG).status.success());
    assert_eq!(databases(home.path()), ["data"]);

    fs::write(home.path().join("inboundflow.toml"), "data_dir = \"by-file\"").expect("a file");
    assert!(home.run(&ORG).status.success());
    assert_eq!(databases(home.path()), ["by-file", "data"]);

    let with_environment = |args: &[&str]| {
        let mut command = home.command(args);
        command.env("INBOUNDFLOW_DATA_DIR", "by-environment");
        command.status().expect("it starts").success()
    };
    assert!(with_environment(&ORG));
    assert_eq!(databases(home.path()), ["by-environment", "by-file", "data"]);

    assert!(with_environment(&[&ORG[..], &["--data-dir", "by-option"]].concat()));
    assert_eq!(databases(home.path()), ["by-environment", "by-file", "by-option", "data"]);

    // Options of all commands may stand before the command, too.
    assert!(with_environment(&[&["--data-dir", "before", "--json"], &ORG[..]].concat()));
    assert_eq!(databases(home.path()), ["before", "by-environment", "by-file", "by-option", "data"]);
}

#[tokio::test]
async fn a_file_can_be_named_and_must_then_exist() {
    let home = Home::new(Kind::Sqlite).await;
    fs::write(home.path().join("mine.toml"), "data_dir = \"by-mine\"").expect("a file");
    assert!(home.run(&[&ORG[..], &["--config", "mine.toml"]].concat()).status.success());
    assert_eq!(databases(home.path()), ["by-mine"]);
    home.run(&[&ORG[..], &["--config", "missing.toml"]].concat()).assert_refused(&["missing.toml"]);
    let mut by_environment = home.command(&ORG);
    by_environment.env("INBOUNDFLOW_CONFIG", "missing.toml");
    assert!(!by_environment.status().expect("it starts").success());
}

#[tokio::test]
async fn every_option_can_stand_in_the_file() {
    let home = Home::new(Kind::Sqlite).await;
    let all = "listen = \"127.0.0.1:0\"\ndata_dir = \"there\"\npublic_url = \"https://calls.example.com/\"\n\
         [delivery]\nallow_targets = [\"10.0.0.0/8\", \"hooks.internal\"]\nschedule = \"1s,5s\"\n\
         timeout_seconds = 10\nslots = 64\n[rate_limit]\nper_minute = 7\nfailures_per_minute = 5\n\
         [ingest]\ncompletion_wait_seconds = 1\n\
         [recordings]\nfetch = true\nstore = \"s3://recordings/of/calls\"\nkeep_days = 90\nat_once = 2\n\
         max_megabytes = 64\nlink_days = 1\n\
         [recordings.options]\naws_region = \"eu-central-1\"\naws_access_key_id = \"155\"\n\
         aws_secret_access_key = \"x\"\n";
    fs::write(home.path().join("inboundflow.toml"), all).expect("a file");
    let server = Server::spawn(home.command(&[])).await;
    let org = home.json(&ORG)["id"].as_str().expect("an id").to_owned();
    let key = home.json(&["key", "create", "--org", &org, "--name", "x"]);
    let key = key["key"].as_str().expect("a key");
    let answer = http_client().get(server.url("/v1/calls")).bearer_auth(key).send().await.expect("an answer");
    assert_eq!(answer.headers()["x-ratelimit-limit"], "7");
    let source = home.json(&["source", "create", "--org", &org, "--platform", "vapi"]);
    let url = source["url"].as_str().expect("an address");
    assert!(url.starts_with("https://calls.example.com/ingest/vapi/"), "{url}");
}

#[tokio::test]
async fn a_store_for_recordings_that_cannot_be_used_is_named() {
    let home = Home::new(Kind::Sqlite).await;
    for store in ["ftp://recordings", "memory:///", "recordings", "gs://"] {
        let mut command = home.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.env("INBOUNDFLOW_RECORDINGS__STORE", store);
        let ran = super::server::Ran::of(command.output().expect("it starts"));
        ran.assert_refused(&["recordings.store", store]);
    }
}

#[tokio::test]
async fn a_mistyped_key_is_named() {
    let home = Home::new(Kind::Sqlite).await;
    for (text, name) in [
        ("lisen = \"127.0.0.1:1\"", "lisen"),
        ("[delivery]\nschedul = \"1s\"", "schedul"),
        ("[rate_limits]\nper_minute = 1", "rate_limits"),
        ("listen = 8080", "listen"),
        ("[rate_limit]\nper_minute = \"many\"", "per_minute"),
        ("listen = ", "inboundflow.toml"),
    ] {
        fs::write(home.path().join("inboundflow.toml"), text).expect("a file");
        home.run(&ORG).assert_refused(&["the configuration cannot be used", name]);
    }
}

#[tokio::test]
async fn the_environment_has_lists_schedules_and_other_peoples_variables() {
    let home = Home::new(Kind::Sqlite).await;
    let run = |name: &str, value: &str| {
        let mut command = home.command(&ORG);
        command.env(name, value);
        super::server::Ran::of(command.output().expect("it starts"))
    };
    for (name, value) in [
        ("INBOUNDFLOW_DELIVERY__SCHEDULE", "1s,5s"),
        ("INBOUNDFLOW_DELIVERY__SCHEDULE", " 100ms , 2h,1d "),
        ("INBOUNDFLOW_DELIVERY__ALLOW_TARGETS", "10.0.0.0/8, hooks.internal,fd00::/8"),
        ("INBOUNDFLOW_DELIVERY__ALLOW_TARGETS", ""),
        ("INBOUNDFLOW_RATE_LIMIT__PER_MINUTE", "600"),
        ("INBOUNDFLOW_RECORDINGS__OPTIONS__AWS_ALLOW_HTTP", "true"),
        ("INBOUNDFLOW_RECORDINGS__OPTIONS__AWS_ACCESS_KEY_ID", "155"),
        ("INBOUNDFLOW_TEST_POSTGRES", "postgres://somewhere/else"),
        ("INBOUNDFLOW_TEST_ANYTHING", "1"),
        ("INBOUNDFLOW_LOG", "debug"),
    ] {
        let ran = run(name, value);
        assert!(ran.status.success(), "{name}={value}: {ran:?}");
    }
    for (name, value, words) in [
        ("INBOUNDFLOW_DELIVERY__SCHEDULE", "soon", ["delivery.schedule", "soon"]),
        ("INBOUNDFLOW_DELIVERY__SCHEDULE", "1s,5", ["delivery.schedule", "\"5\""]),
        ("INBOUNDFLOW_DELIVERY__ALLOW_TARGETS", "10.0.0.0/99", ["delivery.allow_targets", "10.0.0.0/99"]),
        ("INBOUNDFLOW_DELIVERY__SCHEDUL", "1s", ["schedul", "DELIVERY"]),
        ("INBOUNDFLOW_DELIVERY__TIMEOUT_SECONDS", "31", ["delivery.timeout_seconds", "30"]),
        ("INBOUNDFLOW_DELIVERY__SLOTS", "0", ["delivery.slots", "4096"]),
        ("INBOUNDFLOW_RATE_LIMIT__PER_MINUTE", "0", ["rate_limit.per_minute", "1"]),
        ("INBOUNDFLOW_RECORDINGS__KEEP_DAYS", "0", ["recordings.keep_days", "fetch = false"]),
        ("INBOUNDFLOW_RECORDINGS__AT_ONCE", "0", ["recordings.at_once", "64"]),
        ("INBOUNDFLOW_DATABASE_URL", "mysql://there", ["database_url", "postgres://"]),
    ] {
        run(name, value).assert_refused(&words);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_is_what_is_done_where_nothing_is_said() {
    let home = Home::new(Kind::Sqlite).await;
    for args in [
        &["--listen", "127.0.0.1:0"][..],
        &["--listen=127.0.0.1:0", "--public-url", "https://calls.example.com"],
        &["--data-dir", "elsewhere", "--listen", "127.0.0.1:0"],
        &["--data-dir", "elsewhere", "serve", "--listen", "127.0.0.1:0"],
        &["serve", "--listen", "[::1]:0"],
    ] {
        let server = Server::spawn(home.command(args)).await;
        assert!(!server.base.ends_with(":0"), "{}", server.base);
        let answer = http_client().get(server.url("/healthz")).send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{args:?}");
    }
}

#[tokio::test]
async fn options_of_serve_before_another_command_are_refused() {
    let home = Home::new(Kind::Sqlite).await;
    home.run(&["--listen", "127.0.0.1:0", "org", "create", "--name", "x"]).assert_refused(&["--listen"]);
}

#[tokio::test]
async fn an_address_that_cannot_be_listened_on_is_named() {
    let home = Home::new(Kind::Sqlite).await;
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = (taken.local_addr().expect("its address").to_string(), taken);
    for address in [taken.0.as_str(), "nonsense", "127.0.0.1:99999", "8080"] {
        home.run(&["serve", "--listen", address]).assert_refused(&[address, "--listen"]);
    }
}
