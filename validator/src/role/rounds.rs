//! One round as a step runs it: asked of those without a verdict, journalled before and after, void where we failed.

use std::sync::PoisonError;

use tracing::info;
use weighhouse_types::{Record, SubnetState};

use super::validator::Validator;
use crate::closing::{void_cause, void_round};
use crate::dialogue;
use crate::epoch::OpenEpoch;
use crate::error::ValidatorError;
use crate::metrics;
use crate::round::Round;

impl Validator {
    /// Runs a round. Trouble of our own before anything was sent postpones it to the next block, until the epoch's last
    /// chance; from then on, and once something was sent, it makes the round void, which is not asked again.
    pub(super) async fn run_round(
        &mut self,
        round: u32,
        state: &SubnetState,
        is_last_chance: bool,
    ) -> Result<(), ValidatorError> {
        if self.open.as_ref().is_some_and(|open| open.is_void(round)) {
            return Ok(());
        }
        let Err(error) = self.ask_round(round, state).await else { return Ok(()) };
        let Some(open) = &self.open else { return Err(error) };
        match void_cause(&error) {
            Some(cause) if !open.has_asked(round) && !is_last_chance => {
                self.postpone(cause, &error);
                Ok(())
            }
            Some(cause) if open.has_asked(round) || !error.is_transient() => {
                let void = void_round(open.context().epoch, round, cause, &error.to_string());
                self.record(vec![void]).await
            }
            // Trouble that passes, at the last chance and with nothing sent: the whole step is tried again.
            _ => Err(error),
        }
    }

    async fn ask_round(&mut self, round: u32, state: &SubnetState) -> Result<(), ValidatorError> {
        let Some(open) = &self.open else { return Ok(()) };
        let mut done = open.done_in(round);
        let (rounds, _) = open.rounds();
        // Spot rounds are numbered behind those that ask everybody.
        if round >= rounds.unwrap_or(self.parts.rounds.per_epoch) {
            done.extend(open.spared(round, &self.parts.keypair)?);
        }
        let cut_off = {
            let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
            dialogue::cut_off(open, round, &mut journal)?
        };
        let resumed = (&done, cut_off);
        let Some(mut asking) = Round::new(&self.parts, open.context(), round, state, resumed).await? else {
            return Ok(());
        };
        self.record(asking.records()).await?;
        while !asking.is_asked() {
            let records = asking.ask_stage(&self.parts, &self.asker).await?;
            if !records.is_empty() {
                self.record(records).await?;
            }
        }
        // A copy: the epoch's own takes in a check's outcome only once its record is durable.
        let history = self.open.as_ref().and_then(OpenEpoch::history).cloned();
        let judged = asking.judge(&self.parts, history).await?;
        let miners = judged.records.iter().filter(|record| matches!(record, Record::Judged(_))).count();
        self.record(judged.records).await?;
        if let Some(open) = &mut self.open {
            open.note(judged.fingerprints);
        }
        metrics::round_closed();
        info!(epoch = %state.schedule.epoch, round, miners, "round closed");
        Ok(())
    }
}
