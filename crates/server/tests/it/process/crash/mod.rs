//! Killed at any moment, again and again and under load, the server loses nothing that it had answered for, and repeats
//! nothing but what was under way.
//!
//! `cargo xtask crash` runs the same for as many rounds as one likes; docs/reliability.md has the figures.

mod audit;
mod ledger;
mod load;
mod records;
mod rounds;

use std::{env, str::FromStr};

use inboundflow::system::SystemIds;
use model::IdGen;

pub(super) use self::records::rows;
use self::{
    audit::{Figures, audit},
    rounds::{Round, Trial},
};
use super::server::Kind;

/// So many rounds where nothing is said: under a minute on two cores.
const ROUNDS: usize = 30;

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_loses_nothing_and_repeats_only_what_was_under_way_on_sqlite() {
    survive(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_loses_nothing_and_repeats_only_what_was_under_way_on_postgres() {
    survive(Kind::Postgres).await;
}

#[expect(clippy::print_stdout, reason = "`cargo xtask crash` shows the figures, and a failure the seed")]
async fn survive(kind: Kind) {
    let rounds = asked("INBOUNDFLOW_TEST_CRASH_ROUNDS").unwrap_or(ROUNDS);
    let ids: &dyn IdGen = &SystemIds;
    let seed = asked("INBOUNDFLOW_TEST_CRASH_SEED").unwrap_or_else(|| (ids.fraction() * 1e9) as u64);
    println!("crash: {rounds} rounds on {kind:?}, INBOUNDFLOW_TEST_CRASH_SEED={seed}");
    let trial = Trial::begin(kind).await;
    let plan = Round::plan(rounds, seed);
    for (number, round) in plan.iter().enumerate() {
        trial.run(round).await;
        if (number + 1).is_multiple_of(100) {
            println!("crash: {} rounds, {} messages answered", number + 1, trial.answered());
        }
    }
    trial.finish().await;
    let figures: Figures = audit(&trial, &plan).await;
    println!("crash: {figures}");
    assert!(figures.kills * 2 >= rounds, "most rounds end with a kill: {figures}");
    assert!(figures.is_telling(), "there was something to lose in most rounds: {figures}");
}

fn asked<T: FromStr>(name: &str) -> Option<T> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}
