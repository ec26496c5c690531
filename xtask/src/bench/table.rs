//! What was measured, and how it compares with what was promised.

use std::{fmt::Write, time::Duration};

use serde_json::{Value, json};

/// One measurement of a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) per_second: f64,
    /// Milliseconds that half of the requests took at most, and 99 of 100. `None` where no single one is watched.
    pub(super) p50: Option<f64>,
    pub(super) p99: Option<f64>,
    /// Seconds of the server's processor time for 1,000 requests.
    pub(super) cpu: Option<f64>,
}

impl Sample {
    /// From how long each request took. `cpu` is the server's processor time for all of them, in seconds.
    pub(super) fn of(micros: &mut [u32], elapsed: Duration, cpu: Option<f64>) -> Self {
        micros.sort_unstable();
        let at = |share: f64| {
            let place = (micros.len() as f64 * share) as usize;
            micros.get(place.min(micros.len().saturating_sub(1))).map(|it| f64::from(*it) / 1000.0)
        };
        let (p50, p99) = (at(0.5), at(0.99));
        Self { p50, p99, ..Self::rate(micros.len() as u64, elapsed, cpu) }
    }

    /// From nothing but how many there were.
    pub(super) fn rate(count: u64, elapsed: Duration, cpu: Option<f64>) -> Self {
        let cpu = cpu.map(|seconds| seconds * 1000.0 / count as f64);
        Self { per_second: count as f64 / elapsed.as_secs_f64(), p50: None, p99: None, cpu }
    }
}

/// The rows, in the order in which they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Row {
    StaticList,
    FirstPage,
    DeepPage,
    StaticOne,
    OneById,
    Ingest,
    RawPosts,
    Delivered,
    Paced,
    Fanned,
    PacedBesideDead,
    BesideHoles,
}

const ROWS: [(Row, &str); 12] = [
    (Row::StaticList, "limit: a fixed answer of the list's size"),
    (Row::FirstPage, "list of 50 calls, first page"),
    (Row::DeepPage, "list of 50 calls, deep page"),
    (Row::StaticOne, "limit: a fixed answer of one call's size"),
    (Row::OneById, "one call by id"),
    (Row::Ingest, "durable ingests, no webhooks"),
    (Row::RawPosts, "limit: raw signed posts"),
    (Row::Delivered, "ingest to delivered"),
    (Row::Paced, "200 calls/s: ingest to receiver"),
    (Row::Fanned, "four endpoints: ingest to delivered"),
    (Row::PacedBesideDead, "200 calls/s, 5 % dead endpoints"),
    (Row::BesideHoles, "20 endpoints beside 100 that hang"),
];

/// Everything that was measured.
#[derive(Default)]
pub(super) struct Table {
    samples: Vec<(Row, Sample)>,
    /// What the numbers were measured on, line by line.
    notes: Vec<String>,
    /// The server's peak memory in MB.
    pub(super) memory: f64,
    /// What was measured once.
    figures: Vec<Promise>,
}

/// A promise: what of, the number that was measured, and how it must compare with the number of the promise.
#[derive(Clone, Copy)]
struct Promise {
    what: &'static str,
    measured: f64,
    at_least: bool,
    promised: f64,
}

impl Table {
    pub(super) fn with_notes(notes: Vec<String>) -> Self {
        Self { notes, ..Self::default() }
    }

    pub(super) fn add(&mut self, row: Row, sample: Sample) {
        self.samples.push((row, sample));
    }

    /// Adds a number that was measured once, and what it is to be at most.
    pub(super) fn note(&mut self, what: &'static str, measured: f64, promised: f64) {
        self.figures.push(Promise { what, measured, at_least: false, promised });
    }

    fn of(&self, row: Row) -> Vec<Sample> {
        self.samples.iter().filter(|(of, _)| *of == row).map(|(_, sample)| *sample).collect()
    }

    fn median_of(&self, row: Row, value: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
        median(self.of(row).iter().filter_map(value).collect())
    }

    /// The median of the rounds' ratios: what disturbs a round disturbs both of its rows.
    fn ratio(&self, row: Row, limit: Row) -> Option<f64> {
        let (ours, limits) = (self.of(row), self.of(limit));
        median(ours.iter().zip(&limits).map(|(ours, limit)| ours.per_second / limit.per_second).collect())
    }

    fn promises(&self) -> Vec<Promise> {
        let at_least = |what, promised, measured: Option<f64>| {
            measured.map(|measured| Promise { what, measured, at_least: true, promised })
        };
        let at_most = |what, promised, measured: Option<f64>| {
            measured.map(|measured| Promise { what, measured, at_least: false, promised })
        };
        let memory = (self.memory > 0.0).then_some(self.memory);
        [
            at_least("list, first page / static", 0.20, self.ratio(Row::FirstPage, Row::StaticList)),
            at_least("list, deep page / first page", 0.95, self.ratio(Row::DeepPage, Row::FirstPage)),
            at_least("one by id / static", 0.35, self.ratio(Row::OneById, Row::StaticOne)),
            at_least("ingest to delivered / raw posts", 0.12, self.ratio(Row::Delivered, Row::RawPosts)),
            at_most("CPU-s per 1,000 delivered", 0.6, self.median_of(Row::Delivered, |it| it.cpu)),
            at_most("p50 at 200 calls/s, ms", 2.0, self.median_of(Row::Paced, |it| it.p50)),
            at_most("p99 at 200 calls/s, ms", 10.0, self.median_of(Row::Paced, |it| it.p99)),
            at_most("peak memory, MB", 64.0, memory),
            at_least("four endpoints / raw posts", 0.30, self.ratio(Row::Fanned, Row::RawPosts)),
            at_most("four: CPU-s per 1,000 delivered", 0.20, self.median_of(Row::Fanned, |it| it.cpu)),
            at_most("p50 with 5 % dead, ms", 1.0, self.median_of(Row::PacedBesideDead, |it| it.p50)),
            at_most("p99 with 5 % dead, ms", 5.0, self.median_of(Row::PacedBesideDead, |it| it.p99)),
            at_most("p99 beside 100 that hang, ms", 250.0, self.median_of(Row::BesideHoles, |it| it.p99)),
        ]
        .into_iter()
        .flatten()
        .chain(self.figures.iter().copied())
        .collect()
    }

    /// As a table for people.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |line: String| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{}", line.trim_end());
        };
        for note in &self.notes {
            line(note.clone());
        }
        line(format!(
            "\n{:<42} {:>9} {:>8} {:>8} {:>13}  {}",
            "(median of the rounds)", "per s", "p50 ms", "p99 ms", "CPU-s/1,000", "per s in each round"
        ));
        for (row, label) in ROWS {
            let Some(per_second) = self.median_of(row, |it| Some(it.per_second)) else { continue };
            let shown = |value: Option<f64>, digits: usize| {
                value.map_or("-".to_owned(), |value| format!("{value:.digits$}"))
            };
            let [p50, p99] = [self.median_of(row, |it| it.p50), self.median_of(row, |it| it.p99)];
            let cpu = self.median_of(row, |it| it.cpu);
            let rounds: Vec<String> =
                self.of(row).iter().map(|sample| format!("{:.0}", sample.per_second)).collect();
            line(format!(
                "{label:<42} {per_second:>9.0} {:>8} {:>8} {:>13}  {}",
                shown(p50, 2),
                shown(p99, 2),
                shown(cpu, 4),
                rounds.join(" ")
            ));
        }
        line(format!("\n{:<42} {:>9} {:>9}", "(promises)", "measured", "to reach"));
        for promise in self.promises() {
            let sign = if promise.at_least { '≥' } else { '≤' };
            let verdict = if promise.is_kept() { "reached" } else { "MISSED" };
            let Promise { what, measured, promised, .. } = promise;
            line(format!("{what:<42} {measured:>9.3}   {sign} {promised:<6} {verdict}"));
        }
        text
    }

    /// As one JSON object for programs.
    pub(super) fn json(&self) -> Value {
        let rows = ROWS.iter().filter_map(|(row, label)| {
            let per_second = self.median_of(*row, |it| Some(it.per_second))?;
            let rounds: Vec<f64> = self.of(*row).iter().map(|it| it.per_second).collect();
            Some(json!({"row": label, "per_second": per_second, "rounds": rounds,
                "p50_ms": self.median_of(*row, |it| it.p50), "p99_ms": self.median_of(*row, |it| it.p99),
                "cpu_seconds_per_1000": self.median_of(*row, |it| it.cpu)}))
        });
        let promises = self.promises().into_iter().map(|it| {
            json!({"what": it.what, "measured": it.measured, "promised": it.promised,
                "at_least": it.at_least, "reached": it.is_kept()})
        });
        json!({"notes": self.notes, "rows": rows.collect::<Vec<_>>(), "peak_memory_mb": self.memory,
            "promises": promises.collect::<Vec<_>>()})
    }
}

impl Promise {
    fn is_kept(&self) -> bool {
        if self.at_least { self.measured >= self.promised } else { self.measured <= self.promised }
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
