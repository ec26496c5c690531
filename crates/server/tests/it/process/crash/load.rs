//! Platforms that post calls, and post again what was not answered.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use reqwest::Client;
use tokio::task::JoinSet;

use super::{
    super::{
        scene::{PLATFORM_SECRET, report},
        server::http_client,
    },
    ledger::lock,
};

/// What the fixture has in the place of a call's id and of the caller's number.
const CALL: &str = "the-id-of-the-call";
const CALLER: &str = "+14155550142";

/// What the platforms know: which calls are to be told, and which they were answered for.
pub(super) struct Platforms {
    http: Client,
    path: String,
    message: String,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    next: u32,
    unanswered: Vec<u32>,
    answered: HashSet<u32>,
    /// Messages that were posted once more, because the answer to them was lost.
    repeated: usize,
}

impl Platforms {
    /// Platforms that post to a source.
    pub(super) fn of(source: &str) -> Self {
        let path = format!("/ingest/vapi/{source}");
        Self { http: http_client(), path, message: report(CALL), book: Mutex::default() }
    }

    /// Posts until the server is gone, from so many connections at once.
    pub(super) async fn post(self: &Arc<Self>, base: &str, clients: usize, stop: &Arc<AtomicBool>) {
        let mut tasks = JoinSet::new();
        for _ in 0..clients {
            let (platforms, url, stop) = (self.clone(), format!("{base}{}", self.path), stop.clone());
            tasks.spawn(
                async move { while !stop.load(Ordering::Relaxed) && platforms.post_one(&url).await {} },
            );
        }
        while let Some(ended) = tasks.join_next().await {
            ended.expect("what a platform is told is right");
        }
    }

    /// Posts what is unanswered, until nothing is.
    pub(super) async fn post_the_rest(self: &Arc<Self>, base: &str) {
        let url = format!("{base}{}", self.path);
        while !lock(&self.book).unanswered.is_empty() {
            assert!(self.post_one(&url).await, "a server that nobody kills answers");
        }
    }

    /// Posts a call; first those that were not answered before. Returns whether it was answered.
    async fn post_one(&self, url: &str) -> bool {
        let call = {
            let mut book = lock(&self.book);
            let again = book.unanswered.pop();
            book.repeated += usize::from(again.is_some());
            again.unwrap_or_else(|| {
                book.next += 1;
                book.next
            })
        };
        let body = self.message.replace(CALL, &name(call)).replace(CALLER, &caller(call));
        let request = self.http.post(url).header("content-type", "application/json");
        let answer = request.header("x-vapi-secret", PLATFORM_SECRET).body(body).send().await;
        let mut book = lock(&self.book);
        match answer {
            Ok(answer) => {
                assert_eq!(answer.status(), 200, "{}", name(call));
                book.answered.insert(call);
                true
            }
            // The connection broke when the server was killed.
            Err(_) => {
                book.unanswered.push(call);
                false
            }
        }
    }

    /// The calls that were answered for.
    pub(super) fn answered(&self) -> HashSet<String> {
        lock(&self.book).answered.iter().map(|call| name(*call)).collect()
    }

    /// How many messages were answered, and how many of all were posted again.
    pub(super) fn counts(&self) -> (usize, usize) {
        let book = lock(&self.book);
        (book.answered.len(), book.repeated)
    }
}

fn name(call: u32) -> String {
    format!("call-{call:07}")
}

/// A few calls come from each caller.
fn caller(call: u32) -> String {
    format!("+1415555{:04}", call / 4 % 10_000)
}
