use std::time::Duration;

use futures_util::FutureExt;
use model::{AttemptId, testing::ManualClock};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const LIMITS: Limits = Limits { in_all: 512, per_org: 128, per_endpoint: 16 };

struct World {
    slots: Slots,
    clock: Arc<ManualClock>,
}

impl World {
    fn new(limits: Limits) -> Self {
        let clock = Arc::new(ManualClock::new(Time::from_micros(0)));
        Self { slots: Slots::new(limits, clock.clone()), clock }
    }

    /// Takes places until there are none.
    fn fill(&self, wanted: &Wanted) -> Vec<Slot> {
        std::iter::from_fn(|| self.slots.reserve(wanted)).collect()
    }

    /// Tries an endpoint so often, with success, each in so many milliseconds.
    fn succeed(&self, wanted: &Wanted, times: usize, millis: i64) {
        for _ in 0..times {
            let held = self.slots.reserve(wanted);
            self.slots.note(wanted.endpoint, &record(Some(200), millis), NextStep::Delivered, None);
            drop(held);
        }
    }

    fn fail(&self, wanted: &Wanted, status: Option<u16>) {
        let next = NextStep::RetryAt(Time::from_micros(0));
        self.slots.note(wanted.endpoint, &record(status, 20), next, None);
    }
}

fn record(status: Option<u16>, duration_ms: i64) -> Attempt {
    Attempt {
        id: AttemptId::new(Uuid::nil()),
        number: 1,
        cause: "schedule",
        started_at: Time::from_micros(0),
        duration_ms,
        address: None,
        request_headers: String::new(),
        status,
        response_headers: None,
        response_body: None,
        shape: None,
        error: None,
        is_our_fault: false,
        asked_to_wait: None,
    }
}

fn first(org: u128, endpoint: u128) -> Wanted {
    let (org, endpoint) = (OrgId::new(Uuid::from_u128(org)), EndpointId::new(Uuid::from_u128(endpoint)));
    Wanted { org, endpoint, kind: Kind::First }
}

fn retry(org: u128, endpoint: u128) -> Wanted {
    Wanted { kind: Kind::Retry, ..first(org, endpoint) }
}

#[test]
fn an_endpoint_begins_with_four_has_more_as_it_copes_and_half_as_it_does_not() {
    let world = World::new(LIMITS);
    let one = first(1, 1);
    assert_eq!(world.fill(&one).len(), 4, "and nothing is held behind them while it is not known to be fast");
    world.succeed(&one, 1, 5);
    assert_eq!(world.fill(&one).len(), 5 * 5, "some for each slot");
    world.succeed(&one, 30, 5);
    assert_eq!(world.fill(&one).len(), 16 * 16);
    world.fail(&one, Some(404));
    assert_eq!(world.fill(&one).len(), 16, "it does not want that one, but copes");
    for (status, left) in [(Some(500), 8), (Some(429), 4), (None, 2), (Some(503), 1), (None, 1)] {
        world.fail(&one, status);
        assert_eq!(world.fill(&one).len(), left, "{status:?}");
    }
    for left in [4, 16, 25] {
        world.succeed(&one, 1, 5);
        assert_eq!(world.fill(&one).len(), left);
    }
}

#[test]
fn one_that_has_become_well_begins_with_a_single_try() {
    let world = World::new(LIMITS);
    let one = first(1, 1);
    world.succeed(&one, 30, 5);
    let held = world.slots.reserve(&one);
    world.slots.note(one.endpoint, &record(Some(200), 5), NextStep::Delivered, Some(Turn::Closed));
    drop(held);
    assert_eq!(world.fill(&one).len(), 1);
}

#[tokio::test]
async fn no_more_set_out_than_have_a_slot() {
    let world = World::new(LIMITS);
    let (one, slots) = (first(1, 1), &world.slots);
    assert!(slots.set_out(one.endpoint).await.is_none(), "it has no place");
    world.succeed(&one, 30, 5);
    let held = world.fill(&one);
    let mut under_way = Vec::new();
    while let Some(Some(next)) = slots.set_out(one.endpoint).now_or_never() {
        under_way.push(next);
    }
    assert_eq!((held.len(), under_way.len()), (256, 16));
    under_way.pop();
    under_way.extend(slots.set_out(one.endpoint).now_or_never().flatten());
    assert_eq!(under_way.len(), 16, "one comes back and the next sets out");
    // Half as many: those under way come back, and no other sets out until eight are left.
    world.fail(&one, Some(500));
    for _ in 0..8 {
        under_way.pop();
        assert!(slots.set_out(one.endpoint).now_or_never().is_none());
    }
    under_way.pop();
    assert!(slots.set_out(one.endpoint).now_or_never().flatten().is_some());
    slots.close();
    assert!(slots.set_out(one.endpoint).await.is_none());
}

#[test]
fn an_organization_leaves_slots_to_the_others_and_its_endpoints_to_each_other() {
    let world = World::new(LIMITS);
    let taken: Vec<_> = (0..200).map(|endpoint| world.fill(&first(1, endpoint))).collect();
    assert_eq!(taken.iter().map(Vec::len).sum::<usize>(), 128);
    let served = taken.iter().filter(|slots| !slots.is_empty()).count();
    assert!(served > 32, "the fewer are left, the fewer each takes: {served} found some");
    assert_eq!(world.fill(&first(2, 1000)).len(), 4, "of another organization");
    assert!(!world.slots.is_scarcity_over());
    drop(taken);
    assert!(world.slots.is_scarcity_over() && !world.slots.is_scarcity_over());
}

#[test]
fn who_has_nothing_under_way_and_finds_no_slot_is_looked_after_when_one_is_free() {
    let world = World::new(LIMITS);
    let one = first(1, 1);
    let mut others: Vec<_> = (2..200).flat_map(|endpoint| world.fill(&first(1, endpoint))).collect();
    others.pop();
    assert!(world.slots.is_scarcity_over(), "those that found none so far are looked after");
    others.extend(world.slots.reserve(&first(1, 300)));
    assert_eq!(others.len(), 128);
    assert!(!world.slots.is_half_free(&one), "the others have all of the organization's");
    assert!(!world.slots.is_scarcity_over());
    others.pop();
    assert!(world.slots.is_scarcity_over());
}

#[test]
fn those_that_hang_share_a_quarter_of_the_slots_and_leave_the_rest_to_the_others() {
    let world = World::new(LIMITS);
    let mut held = Vec::new();
    let mut under_way = Vec::new();
    for endpoint in 0..100 {
        let one = first(endpoint, endpoint);
        held.extend(world.fill(&one));
        under_way.extend(world.slots.set_out(one.endpoint).now_or_never().flatten());
    }
    assert!(held.len() > 300, "nothing is known of them yet: {}", held.len());
    assert_eq!(world.fill(&first(900, 900)).len(), 4, "and still others find some");
    world.clock.advance(Duration::from_secs(4));
    held.clear();
    for endpoint in 0..100 {
        held.extend(world.fill(&first(endpoint, endpoint)));
    }
    assert_eq!(held.len(), 128, "now it is seen that they are slow, though none has failed yet");
    let well = first(901, 901);
    world.succeed(&well, 40, 5);
    assert_eq!(world.fill(&well).len(), 256);
    drop(under_way);
}

#[test]
fn an_endpoint_is_slow_while_more_than_one_in_ten_of_its_tries_are() {
    let world = World::new(Limits { in_all: 8, per_org: 8, per_endpoint: 16 });
    let one = first(1, 1);
    let is_slow = || {
        let taken = world.slots.0.look(one.endpoint);
        taken.by_endpoint[&one.endpoint].is_slow()
    };
    world.succeed(&one, 1, 3001);
    assert!(is_slow());
    world.succeed(&one, 8, 5);
    assert!(is_slow(), "one of nine");
    world.succeed(&one, 1, 5);
    assert!(!is_slow(), "one of ten");
    world.succeed(&one, 100, 5);
    world.succeed(&one, 3, 3001);
    assert!(!is_slow(), "three of the last thirty-two");
    world.succeed(&one, 1, 3001);
    assert!(is_slow());
}

#[test]
fn a_tenth_is_kept_for_retries_whatever_comes_new() {
    let world = World::new(Limits { in_all: 100, per_org: 1000, per_endpoint: 16 });
    let held: Vec<_> = (0..200).flat_map(|org| world.fill(&first(org, org))).collect();
    assert_eq!(held.len(), 90);
    let again: Vec<_> = (300..400).flat_map(|org| world.fill(&retry(org, org))).collect();
    assert_eq!(again.len(), 10);
    drop(held);
    let more: Vec<_> = (400..600).flat_map(|org| world.fill(&retry(org, org))).collect();
    assert_eq!(more.len(), 90, "where nothing new comes, they have all of them");
    drop((again, more));
    let held: Vec<_> = (0..200).flat_map(|org| world.fill(&first(org, org))).collect();
    assert_eq!(held.len(), 90, "what was taken is given back");
}

proptest! {
    #[test]
    fn as_many_find_a_place_as_there_is_said_to_be_room_for(
        steps in prop::collection::vec((0_u128..12, 0_usize..20, 0_u8..6), 0..60),
    ) {
        let world = World::new(Limits { in_all: 40, per_org: 20, per_endpoint: 16 });
        let mut held = Vec::new();
        for (endpoint, times, kind) in steps {
            let one = if kind == 0 { retry(endpoint % 3, endpoint) } else { first(endpoint % 3, endpoint) };
            match kind {
                1 => world.fail(&one, Some(500)),
                2 => { held.pop(); }
                3 => world.succeed(&one, times, 4000),
                _ => world.succeed(&one, times, 5),
            }
            let room = world.slots.room(&one);
            let found = world.fill(&one);
            prop_assert_eq!(found.len(), room);
            held.extend(found.into_iter().take(times));
            let taken = world.slots.0.taken();
            prop_assert!(taken.in_all <= 40 && taken.by_org.values().all(|of_org| *of_org <= 20));
        }
        drop(held);
        let taken = world.slots.0.taken();
        prop_assert_eq!((taken.in_all, taken.slow, taken.queued, taken.retries), (0, 0, 0, 0));
        prop_assert!(taken.by_org.is_empty());
    }
}
