//! After the last round: the records, what the platforms were told, and what the receivers saw, beside each other.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fmt,
};

use uuid::Uuid;

use super::{
    ledger::{Arrival, Manner},
    records::{Cell, rows},
    rounds::{End, Round, Trial},
};

/// What happened in all rounds together.
#[derive(Debug, Default)]
pub(super) struct Figures {
    rounds: usize,
    pub(super) kills: usize,
    /// Of those, while the server started.
    at_start: usize,
    stops: usize,
    answered: usize,
    posted_again: usize,
    calls: usize,
    events: usize,
    deliveries: usize,
    arrivals: usize,
    refused: usize,
    /// Arrivals that were not written down, because the server was killed before: each was repeated.
    extra: usize,
    /// The most of them after one kill.
    most_extra: usize,
    /// Kills with at least one.
    kills_with_extra: usize,
}

impl Figures {
    /// Whether the kills came while there was something to lose.
    pub(super) fn is_telling(&self) -> bool {
        self.answered > 2 * self.rounds && self.deliveries > self.answered && self.kills_with_extra > 0
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rounds, kills, at_start, stops, answered, posted_again, calls, .. } = self;
        let Self { events, deliveries, arrivals, refused, extra, most_extra, kills_with_extra, .. } = self;
        write!(
            f,
            "{rounds} rounds: {kills} kills ({at_start} at the start), {stops} stops; {answered} messages answered, \
             {posted_again} posted again; {calls} calls, {events} events, {deliveries} deliveries, all delivered; \
             {arrivals} webhooks arrived, {refused} refused; {extra} extra attempts after {kills_with_extra} of the \
             kills, at most {most_extra} after one"
        )
    }
}

/// A try: in which round, and how it was answered.
type Try = (usize, Option<u16>);

/// Fails where anything was lost, repeated without need, or is not as it was seen.
pub(super) async fn audit(trial: &Trial, plan: &[Round]) -> Figures {
    let (answered, posted_again) = trial.platforms.counts();
    let count = |end| plan.iter().filter(|round| round.end == end).count();
    let mut figures = Figures { rounds: plan.len(), answered, posted_again, ..Figures::default() };
    figures.at_start = count(End::KillAtStart);
    figures.stops = count(End::Stop);
    figures.kills = count(End::Kill) + figures.at_start;
    figures.calls = check_calls(trial).await;
    (figures.events, figures.deliveries) = check_deliveries(trial).await;
    check_tries(trial, plan, &mut figures).await;
    figures
}

/// Each call is there once, and each that was answered for is there. Returns how many there are.
async fn check_calls(trial: &Trial) -> usize {
    let sql = "SELECT external_id FROM calls WHERE external_id IS NOT NULL";
    let calls = rows(&trial.home, sql).await;
    let known: HashSet<&str> = calls.iter().map(|row| row[0].text()).collect();
    assert_eq!(known.len(), calls.len(), "each call once");
    for call in &trial.platforms.answered() {
        assert!(known.contains(call.as_str()), "{call} was answered 200 and is gone");
    }
    // Each is told as completed, and once.
    let told =
        "SELECT c.external_id FROM calls c JOIN events e ON e.call_id = c.id AND e.type = 'call.completed'";
    let told = rows(&trial.home, told).await;
    let once: HashSet<&str> = told.iter().map(|row| row[0].text()).collect();
    assert_eq!((once.len(), &once), (told.len(), &known), "each call is told as completed, and once");
    calls.len()
}

/// Each event owes each endpoint one delivery, and it is delivered. Returns how many events and deliveries there are.
async fn check_deliveries(trial: &Trial) -> (usize, usize) {
    let events = rows(&trial.home, "SELECT id FROM events").await;
    let sql = "SELECT event_id, endpoint_id, state FROM deliveries";
    let mut owed: HashMap<Uuid, HashSet<Uuid>> = HashMap::new();
    let deliveries = rows(&trial.home, sql).await;
    for row in &deliveries {
        assert_eq!(row[2].text(), "delivered");
        let is_first = owed.entry(row[0].id()).or_default().insert(row[1].id());
        assert!(is_first, "an event owes an endpoint one delivery: {row:?}");
    }
    for event in &events {
        let count = owed.get(&event[0].id()).map_or(0, HashSet::len);
        assert_eq!(count, Manner::ALL.len(), "{event:?} is owed to every endpoint");
    }
    (events.len(), deliveries.len())
}

/// What was written down of each delivery's tries is what the receiver saw, but for one try that was under way at each
/// kill.
async fn check_tries(trial: &Trial, plan: &[Round], figures: &mut Figures) {
    let arrivals = trial.ledger.arrivals();
    figures.arrivals = arrivals.len();
    figures.refused = arrivals.iter().filter(|arrival| arrival.status != 200).count();
    let kept = kept_tries(trial).await;
    let mut extra_by_round: BTreeMap<usize, usize> = BTreeMap::new();
    let seen = by_delivery(&arrivals);
    assert_eq!(seen.len(), kept.len(), "as many deliveries have tries as arrived");
    for (delivery, seen) in &seen {
        let kept = kept.get(delivery).unwrap_or_else(|| panic!("{delivery} arrived and has no tries"));
        let rounds: BTreeSet<usize> = seen.iter().chain(kept).map(|it| it.0).collect();
        for round in rounds {
            let of = |tries: &[Try]| tries.iter().filter(|it| it.0 == round).copied().collect::<Vec<_>>();
            let (seen, kept) = (of(seen), of(kept));
            let lost = seen.len().checked_sub(kept.len());
            let is_begun = seen.starts_with(&kept);
            let may_lose = usize::from(plan.get(round).is_some_and(|round| round.end != End::Stop));
            assert!(
                is_begun && lost.is_some_and(|lost| lost <= may_lose),
                "delivery {delivery} in round {round} ({:?}): the receiver saw {seen:?}, and {kept:?} is kept",
                plan.get(round)
            );
            if lost == Some(1) {
                *extra_by_round.entry(round).or_default() += 1;
            }
        }
    }
    figures.extra = extra_by_round.values().sum();
    figures.most_extra = extra_by_round.values().copied().max().unwrap_or_default();
    figures.kills_with_extra = extra_by_round.len();
}

/// What arrived of each delivery. Whenever it does, it is the same.
fn by_delivery(arrivals: &[Arrival]) -> HashMap<Uuid, Vec<Try>> {
    let (mut seen, mut bodies) = (HashMap::<Uuid, Vec<Try>>::new(), HashMap::new());
    for arrival in arrivals {
        let body = *bodies.entry(arrival.delivery).or_insert(arrival.body);
        assert_eq!(body, arrival.body, "{} has the same body each time", arrival.delivery);
        seen.entry(arrival.delivery).or_default().push((arrival.round, Some(arrival.status)));
    }
    seen
}

/// What is written down of each delivery, numbered from 1, the last one a success.
async fn kept_tries(trial: &Trial) -> HashMap<Uuid, Vec<Try>> {
    let began: Vec<i64> = trial.began().iter().map(|time| time.micros()).collect();
    let sql = "SELECT a.delivery_id, a.number, a.started_at, a.status, d.attempts FROM attempts a \
               JOIN deliveries d ON d.id = a.delivery_id ORDER BY a.delivery_id, a.number";
    let mut kept: HashMap<Uuid, Vec<Try>> = HashMap::new();
    let mut counts = HashMap::new();
    for row in rows(&trial.home, sql).await {
        let tries = kept.entry(row[0].id()).or_default();
        let round = began.partition_point(|began| *began <= row[2].int()) - 1;
        let status = (row[3] != Cell::Null).then(|| u16::try_from(row[3].int()).expect("a status"));
        tries.push((round, status));
        assert_eq!(row[1].int(), tries.len() as i64, "tries are numbered without a gap: {row:?}");
        counts.insert(row[0].id(), row[4].int());
    }
    for (delivery, tries) in &kept {
        assert_eq!(counts[delivery], tries.len() as i64, "{delivery} counts its tries");
        assert_eq!(tries.last().map(|it| it.1), Some(Some(200)), "{delivery}'s last try was a success");
    }
    kept
}
