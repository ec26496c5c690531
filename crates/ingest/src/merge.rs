//! Adds what a message says to what is known of a call.
//!
//! Each field keeps the word of the message with the greatest rank: how late in a call's life such messages come,
//! then the message's own time, then the value itself. A greatest element does not depend on the order in which one
//! looks, nor on how often: so any order and any repetition of a call's messages add up to the same call.

use model::{CallState, CallStatus, Change, Field, Rank, Stage};

/// Adds a message to a call. Returns whether anything changed.
pub fn merge(state: &mut CallState, change: &Change) -> bool {
    if change.stage == Stage::Swept && is_told_over(state) {
        return false;
    }
    let mut merging =
        Merging { rank: Rank { stage: change.stage as u8, at: at(change) }, state, changed: false };
    merging.fields(change);
    merging.status(change.facts.status, change.stage);
    merging.transfer(change);
    merging.progress(change);
    merging.derive_duration();
    merging.changed
}

/// Added to the stage of a status with which a call is over.
const OVER: u8 = 16;

/// Whether its platform has told how a call ended. Then it does not count that it was given up, whichever came first.
fn is_told_over(state: &CallState) -> bool {
    state.ranks.get(Field::Status).is_some_and(|rank| rank.stage > OVER + Stage::Swept as u8)
}

fn at(change: &Change) -> i64 {
    change.at.map_or(0, model::Time::micros)
}

struct Merging<'a> {
    state: &'a mut CallState,
    rank: Rank,
    changed: bool,
}

/// One field: the slot in the state, what was said, and how two values of equal rank are told apart.
macro_rules! take {
    ($merging:ident, $change:ident, $($field:ident: $rank:ident),* $(,)?) => {$(
        let won = pick(
            &mut $merging.state.facts.$field,
            $merging.state.ranks.of(Field::$rank),
            $change.facts.$field.as_ref(),
            $merging.rank,
            |said, known| said > known,
        );
        $merging.changed |= won;
    )*};
}

impl Merging<'_> {
    fn fields(&mut self, change: &Change) {
        take!(self, change,
            ended_reason: EndedReason,
            caller_phone: CallerPhone,
            caller_address: CallerAddress,
            caller_name: CallerName,
            caller_email: CallerEmail,
            direction: Direction,
            started_at: StartedAt,
            ended_at: EndedAt,
            duration_seconds: DurationSeconds,
            summary: Summary,
            transcript: Transcript,
            recording_url: RecordingUrl,
            transfer_destination: TransferDestination,
            transfer_reason: TransferReason,
            transferred_at: TransferredAt,
            assistant: Assistant,
            intent: Intent,
            urgency: Urgency,
            carrier_id: CarrierId,
        );
        let facts = &mut self.state.facts;
        let rank = self.rank;
        let said = change.facts.messages.as_ref();
        self.changed |=
            pick(&mut facts.messages, self.state.ranks.of(Field::Messages), said, rank, later_json);
        let said = change.facts.captured.as_ref();
        self.changed |=
            pick(&mut facts.captured, self.state.ranks.of(Field::Captured), said, rank, later_json);
    }

    /// A call that is over never goes back to being under way, whatever comes late.
    fn status(&mut self, said: Option<CallStatus>, stage: Stage) {
        let over = u8::from(said.is_some_and(CallStatus::is_final));
        let rank = Rank { stage: over * OVER + stage as u8, ..self.rank };
        let slot = &mut self.state.facts.status;
        self.changed |= pick(slot, self.state.ranks.of(Field::Status), said.as_ref(), rank, |a, b| a > b);
        let reason = self.state.ranks.of(Field::EndedReason);
        if reason.is_some_and(|rank| rank.stage == Stage::Swept as u8) && is_told_over(self.state) {
            *self.state.ranks.of(Field::EndedReason) = None;
            self.state.facts.ended_reason = None;
        }
    }

    /// Of two words on a transfer the one further along counts, not the one that came later in the call.
    fn transfer(&mut self, change: &Change) {
        let rank = Rank { stage: change.transfer as u8, ..self.rank };
        let said = change.facts.transfer_status.as_ref();
        let slot = &mut self.state.facts.transfer_status;
        self.changed |= pick(slot, self.state.ranks.of(Field::TransferStatus), said, rank, |a, b| a > b);
        if change.transfer > self.state.transfer {
            self.state.transfer = change.transfer;
            self.changed = true;
        }
    }

    fn progress(&mut self, change: &Change) {
        if change.completion > self.state.completion {
            self.state.completion = change.completion;
            self.changed = true;
        }
    }

    /// Where no message tells how long the call took, it took from its start to its end. A derived duration has no
    /// rank, so that it follows a better start or end, and gives way to any message that tells one.
    fn derive_duration(&mut self) {
        if self.state.ranks.get(Field::DurationSeconds).is_some() {
            return;
        }
        let facts = &mut self.state.facts;
        let (Some(start), Some(end)) = (facts.started_at, facts.ended_at) else { return };
        let seconds = (end.micros() - start.micros() + 500_000).div_euclid(1_000_000);
        facts.duration_seconds = (seconds >= 0).then_some(seconds);
    }
}

fn pick<T: Clone + PartialEq>(
    slot: &mut Option<T>,
    known_rank: &mut Option<Rank>,
    said: Option<&T>,
    rank: Rank,
    is_greater: impl Fn(&T, &T) -> bool,
) -> bool {
    let Some(said) = said else { return false };
    let wins = match (slot.as_ref(), &known_rank) {
        (Some(known), Some(known_rank)) => {
            rank > *known_rank || (rank == *known_rank && is_greater(said, known))
        }
        _ => true,
    };
    if wins {
        *slot = Some(said.clone());
        *known_rank = Some(rank);
    }
    wins
}

/// For values without an order of their own: the order of their JSON. Which of two is greater does not matter, only
/// that it is always the same one.
fn later_json<T: serde::Serialize>(said: &T, known: &T) -> bool {
    let json = |value: &T| serde_json::to_string(value).unwrap_or_default();
    json(said) > json(known)
}

#[cfg(test)]
mod tests {
    use model::{CallId, Completion, Facts, Time, Transfer};
    use proptest::prelude::*;

    use super::*;

    fn change(stage: Stage, at: i64, facts: Facts) -> Change {
        let at = Time::from_millis(at);
        Change {
            external_id: "c".into(),
            stage,
            at,
            completion: Completion::No,
            facts,
            transfer: Transfer::None,
        }
    }

    fn merged(changes: &[Change]) -> CallState {
        let mut state = CallState::new(CallId::new(Default::default()));
        for change in changes {
            merge(&mut state, change);
        }
        state
    }

    #[test]
    fn a_call_that_is_over_stays_over() {
        let status = |status| Facts { status: Some(status), ..Facts::default() };
        let over = change(Stage::Ended, 5, status(CallStatus::Completed));
        let late = change(Stage::Audio, 9, status(CallStatus::InProgress));
        assert_eq!(merged(&[over.clone(), late.clone()]).facts.status, Some(CallStatus::Completed));
        assert_eq!(merged(&[late, over]).facts.status, Some(CallStatus::Completed));
    }

    #[test]
    fn a_call_that_was_given_up_is_over_as_soon_as_its_platform_says_how() {
        let given_up = Facts {
            status: Some(CallStatus::Failed),
            ended_reason: Some("no_final_event".into()),
            ..Facts::default()
        };
        let given_up = change(Stage::Swept, 0, given_up);
        let status = |status| Facts { status: Some(status), ..Facts::default() };
        let under_way = change(Stage::Status, 9, status(CallStatus::InProgress));
        assert_eq!(merged(&[under_way.clone(), given_up.clone()]).facts.status, Some(CallStatus::Failed));
        for reason in [Some("hangup".to_owned()), None] {
            let told = Facts { ended_reason: reason.clone(), ..status(CallStatus::Completed) };
            let told = change(Stage::Started, 1, told);
            for order in [[&under_way, &given_up, &told], [&told, &given_up, &under_way]] {
                let facts = merged(&order.map(Clone::clone)).facts;
                assert_eq!((facts.status, facts.ended_reason), (Some(CallStatus::Completed), reason.clone()));
            }
        }
    }

    #[test]
    fn a_told_duration_wins_over_the_derived_one() {
        let time = |millis| Time::from_millis(millis);
        let ends = Facts { started_at: time(1_000), ended_at: time(26_499), ..Facts::default() };
        assert_eq!(merged(&[change(Stage::Ended, 0, ends.clone())]).facts.duration_seconds, Some(25));
        let told = change(Stage::Started, 0, Facts { duration_seconds: Some(30), ..Facts::default() });
        let state = merged(&[change(Stage::Ended, 0, ends), told]);
        assert_eq!(state.facts.duration_seconds, Some(30));
    }

    fn any_change() -> impl Strategy<Value = Change> {
        let stages =
            vec![Stage::Swept, Stage::Started, Stage::Status, Stage::Ended, Stage::Analyzed, Stage::Audio];
        let stage = proptest::sample::select(stages);
        let status = proptest::option::of(proptest::sample::select(&CallStatus::ALL[..]));
        let text = || proptest::option::of("[ab]");
        let transfers = vec![Transfer::None, Transfer::Started, Transfer::Failed, Transfer::HandedOver];
        let transfer = proptest::sample::select(transfers);
        let time = || proptest::option::of(0..4i64);
        (stage, 0..3i64, (status, text()), text(), text(), transfer, time(), time()).prop_map(
            |(stage, at, (status, ended_reason), summary, transfer_status, transfer, start, end)| {
                if stage == Stage::Swept {
                    let (status, reason) = (Some(CallStatus::Failed), Some("no_final_event".into()));
                    return change(stage, 0, Facts { status, ended_reason: reason, ..Facts::default() });
                }
                let (started_at, ended_at) =
                    (start.and_then(Time::from_millis), end.and_then(Time::from_millis));
                let facts = Facts {
                    status,
                    ended_reason,
                    summary,
                    transfer_status,
                    started_at,
                    ended_at,
                    ..Facts::default()
                };
                Change { transfer, ..change(stage, at, facts) }
            },
        )
    }

    proptest! {
        #[test]
        fn order_and_repetition_do_not_matter(
            changes in proptest::collection::vec(any_change(), 0..6),
            order in Just((0..12usize).collect::<Vec<_>>()).prop_shuffle(),
        ) {
            let shuffled: Vec<Change> =
                order.iter().filter_map(|n| changes.get(n % changes.len().max(1)).cloned()).collect();
            prop_assert_eq!(merged(&changes), merged(&shuffled));
        }
    }
}
