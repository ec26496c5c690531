//! One server for each embedded database, and clear words where none can run.

use std::fs;

use super::server::{Home, Kind, PATIENCE, Server, http_client, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_over_the_same_file_is_refused() {
    let home = Home::new(Kind::Sqlite).await;
    let first = Server::start(&home, &[]).await;
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    home.run(&serve).assert_refused(&["another server runs over", "inboundflow.db"]);
    // The same file by another name is the same file.
    let by_url = [&serve[..], &["--database-url", "sqlite:data/inboundflow.db"]].concat();
    home.run(&by_url).assert_refused(&["another server runs over", "inboundflow.db"]);
    let demo = home.run(&["demo", "--exit"]);
    assert!(!demo.status.success() && demo.stderr.contains("another server runs over"), "{demo:?}");
    let answer = http_client().get(first.url("/readyz")).send().await.expect("an answer");
    assert_eq!(answer.status(), 200, "the first is not disturbed");

    first.kill();
    first.ended(PATIENCE).await;
    Server::start(&home, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_share_a_postgres_database() {
    let home = Home::new(Kind::Postgres).await;
    let (first, second) = tokio::join!(Server::start(&home, &[]), Server::start(&home, &[]));
    for server in [&first, &second] {
        let answer = http_client().get(server.url("/readyz")).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_cannot_be_written_is_named() {
    let home = Home::new(Kind::Sqlite).await;
    fs::write(home.path().join("file"), "not a folder").expect("a file");
    // Nobody makes folders there, not even root.
    for folder in ["file/data", "/proc/inboundflow"] {
        for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["org", "create", "--name", "x"]] {
            home.run(&[command, &["--data-dir", folder]].concat()).assert_refused(&[folder]);
        }
    }
    fs::create_dir_all(home.path().join("data/inboundflow.db")).expect("a folder in the database's place");
    for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["org", "create", "--name", "x"]] {
        home.run(command).assert_refused(&["cannot open the database", "inboundflow.db"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_database_is_left_alone() {
    let home = Home::new(Kind::Sqlite).await;
    let words = "Dear diary, this is not a database. ".repeat(100);
    fs::write(home.path().join("notes.txt"), &words).expect("a file");
    let org = ["org", "create", "--name", "x", "--database-url", "sqlite:notes.txt"];
    home.run(&org).assert_refused(&["cannot open the database notes.txt"]);
    assert_eq!(fs::read_to_string(home.path().join("notes.txt")).expect("the file"), words);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_that_does_not_answer_is_named_without_its_password() {
    let home = Home::new(Kind::Sqlite).await;
    let url = "postgres://me:hunter2@127.0.0.1:1/nothing";
    for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["org", "create", "--name", "x"]] {
        let ran = home.run(&[command, &["--database-url", url]].concat());
        ran.assert_refused(&["cannot open the database 127.0.0.1:1/nothing"]);
        assert!(!ran.stderr.contains("hunter2"), "{ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_told_to_anybody() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let home = Home::new(kind).await;
        let server = Server::start(&home, &[]).await;
        for path in ["/healthz", "/readyz"] {
            let ready = until("it is ready", PATIENCE, async || {
                let answer = http_client().get(server.url(path)).send().await.expect("an answer");
                (answer.status() == 200).then_some(answer)
            })
            .await;
            assert_eq!(ready.headers()["content-type"], "application/json", "{path}");
        }
    }
}
