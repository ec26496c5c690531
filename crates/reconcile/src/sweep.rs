//! Closes calls of which no more is heard: asks their platform where there is a key, else gives them up.

use std::time::Duration;

use connectors::history::{Listed, Standing, Window};
use model::{CallStatus, Change, Completion, Facts, Stage, Time, Transfer};
use serde_json::Value;
use store::{Healing, NO_FINAL_EVENT, OpenCall, Report, Telling};

use crate::{
    Reconciler,
    platform::{Account, Trouble},
};

/// How much longer than a call may take is waited for its last message.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// How long after an answer a platform is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(15 * 60);

/// For so long after it should have been over, a call is left open while its platform says that it goes on, or cannot be
/// asked. Platforms too forget to end a call.
const GIVE_UP: Duration = Duration::from_secs(86_400);

/// How many calls are looked at at once.
const AT_ONCE: usize = 100;

/// What is known of a call that should be over.
enum Answer {
    /// The platform says how it ended.
    Over(Box<(Account, Listed, Vec<Value>)>),
    /// The platform says that it is not over, or could not be asked: why.
    Later(String),
    /// Nobody knows.
    Unknown,
}

impl Reconciler {
    /// Closes the calls that should be over.
    pub(crate) async fn sweep(&self) -> store::Result<()> {
        loop {
            let calls = self.overdue_calls().await?;
            if calls.is_empty() {
                return Ok(());
            }
            for call in calls {
                let now = self.clock.now();
                match self.sweep_call(&call, now).await {
                    Err(error) if error.is_unavailable() => return Err(error),
                    // One that cannot be closed keeps no other open.
                    Err(error) => {
                        tracing::error!(%error, call = %call.id, "call {} could not be closed; trying again later", call.id);
                    }
                    Ok(()) => {}
                }
                // Whatever came of it, it must not be the next one again.
                self.put_off().insert(call.id, now + ASK_AGAIN);
            }
        }
    }

    /// Calls that should be over, without those that their platform was just asked about.
    async fn overdue_calls(&self) -> store::Result<Vec<OpenCall>> {
        let now = self.clock.now();
        let Some(limit) = self.limit_micros() else { return Ok(Vec::new()) };
        let skipped = {
            let mut put_off = self.put_off();
            put_off.retain(|_, until| *until > now);
            put_off.len()
        };
        let mut calls = self.store.list_open_calls(now.plus_micros(-limit), AT_ONCE + skipped).await?;
        let put_off = self.put_off();
        calls.retain(|call| !put_off.contains_key(&call.id));
        Ok(calls)
    }

    /// When the next call should be over.
    pub(crate) async fn next_sweep(&self) -> store::Result<Option<Time>> {
        let (first, limit) = (self.store.first_open_call().await?, self.limit_micros());
        let Some(due) = first.zip(limit).map(|(first, limit)| first.plus_micros(limit)) else {
            return Ok(None);
        };
        let now = self.clock.now();
        if due > now {
            return Ok(Some(due));
        }
        if !self.overdue_calls().await?.is_empty() {
            return Ok(Some(now));
        }
        Ok(self.put_off().values().copied().min())
    }

    fn limit_micros(&self) -> Option<i64> {
        i64::try_from((self.options.longest_call + PATIENCE).as_micros()).ok()
    }

    async fn sweep_call(&self, call: &OpenCall, now: Time) -> store::Result<()> {
        match self.ask_about(call, now).await? {
            Answer::Over(found) => {
                let (account, listed, details) = *found;
                let healing = Healing { sync: None, began_at: listed.began_at, report: Report::Gap };
                self.ingest.heal(&account.source, (listed, details), healing, Telling::Owed).await?;
                Ok(())
            }
            Answer::Later(why)
                if now.since(call.created_at) < self.options.longest_call + PATIENCE + GIVE_UP =>
            {
                tracing::info!(call = %call.id, why, "call {} should be over, and is asked about again", call.id);
                Ok(())
            }
            Answer::Unknown | Answer::Later(_) => self.give_up(call).await,
        }
    }

    async fn ask_about(&self, call: &OpenCall, now: Time) -> store::Result<Answer> {
        let Some(external_id) = &call.external_id else { return Ok(Answer::Unknown) };
        let account = match self.account(call.source).await {
            Ok(account) => account,
            Err(Trouble::Store(error)) => return Err(error),
            // Without a key there is nobody to ask.
            Err(_) => return Ok(Answer::Unknown),
        };
        let Some(ask) = account.history.one(&account.key, external_id) else { return Ok(Answer::Unknown) };
        let found = match self.ask(&account, ask).await {
            Ok(body) => account.history.single(Window { since: call.created_at, until: now }, &body),
            Err(trouble) => return unanswered(trouble),
        };
        let listed = match found {
            Ok(Some(listed)) if listed.external_id == *external_id => listed,
            Ok(_) => return Ok(Answer::Unknown),
            Err(why) => return Ok(Answer::Later(why.to_string())),
        };
        if matches!(listed.standing, Standing::UnderWay) {
            return Ok(Answer::Later("its platform says that it is not over".into()));
        }
        match self.details(&account, &listed).await {
            Ok(details) => Ok(Answer::Over(Box::new((account, listed, details)))),
            Err(trouble) => unanswered(trouble),
        }
    }

    /// What its platform still says of it counts for more, whenever it comes.
    async fn give_up(&self, call: &OpenCall) -> store::Result<()> {
        let facts = Facts {
            status: Some(CallStatus::Failed),
            ended_reason: Some(NO_FINAL_EVENT.into()),
            ..Facts::default()
        };
        let change = Change {
            external_id: call.external_id.clone().unwrap_or_default(),
            stage: Stage::Swept,
            at: None,
            completion: Completion::No,
            facts,
            transfer: Transfer::None,
        };
        if self.store.close_call(call, change, self.ingest.rules()).await? {
            tracing::warn!(call = %call.id, "call {} is closed: its last message never came", call.id);
        }
        Ok(())
    }
}

fn unanswered(trouble: Trouble) -> store::Result<Answer> {
    Ok(match trouble {
        Trouble::Store(error) => return Err(error),
        Trouble::Refused(_) => Answer::Unknown,
        Trouble::Lasting(why) | Trouble::Passing(why) => Answer::Later(why),
        Trouble::Wait(_) => Answer::Later("its platform asks to wait".into()),
    })
}
