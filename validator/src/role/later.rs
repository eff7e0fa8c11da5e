//! Challenges of earlier epochs as the open epoch deals with them: their truth is asked for, and verdicts follow.

use std::sync::PoisonError;

use tracing::info;
use weighhouse_types::{CarriedChallenge, ChallengePhase, Fields, Record};

use super::validator::Validator;
use crate::error::ValidatorError;
use crate::fault::Fault;
use crate::later::{pending, phase};
use crate::resolve::{self, KeptChallenge};

impl Validator {
    /// Asks once an epoch for the truth about what earlier epochs asked. Trouble of ours is waited out from block to block, and
    /// what has no truth by the epoch's end is taken over by the next.
    pub(super) async fn resolve_carried(&mut self) -> Result<(), ValidatorError> {
        let Some(open) = &self.open else { return Ok(()) };
        let epoch = open.context().epoch;
        if self.truth_asked_in == Some(epoch) {
            return Ok(());
        }
        let (lapsed, awaiting) = resolve::divide(&self.parts.task, pending(open.records(), epoch));
        let lapse = |(carried, why): (CarriedChallenge, String)| {
            phase(&carried.asked, epoch, ChallengePhase::Lapsed { why }, Fields::default())
        };
        let mut records: Vec<Record> = lapsed.into_iter().map(lapse).collect();
        match self.resolve(awaiting).await {
            Ok(resolved) => records.extend(resolved),
            Err(error) => {
                let (Fault::Ours(cause) | Fault::Question(cause)) = error.fault() else { return Err(error) };
                self.postpone(cause, &error);
                return Ok(());
            }
        }
        if !records.is_empty() {
            let verdicts = records.iter().filter(|record| matches!(record, Record::Judged(_))).count();
            info!(%epoch, verdicts, "earlier challenges resolved");
            self.record(records).await?;
        }
        // Only now: after trouble of ours or a failed write, the truth is asked for again.
        self.truth_asked_in = Some(epoch);
        Ok(())
    }

    async fn resolve(&self, awaiting: Vec<CarriedChallenge>) -> Result<Vec<Record>, ValidatorError> {
        let (Some(open), false) = (&self.open, awaiting.is_empty()) else { return Ok(Vec::new()) };
        let context = open.context().clone();
        let (task, journal, keypair) =
            (self.parts.task.clone(), self.journal.clone(), self.parts.keypair.clone());
        let work = move || {
            // The lock ends before the judge is asked, who may be another process and slow.
            let kept: Vec<KeptChallenge> = {
                let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
                let seed = |carried: &CarriedChallenge| {
                    let input = resolve::vrf_input(&context, carried);
                    keypair.vrf(&input).output
                };
                let kept = |carried: CarriedChallenge| {
                    let seed = seed(&carried);
                    KeptChallenge::read(&mut journal, context.epoch, carried, seed)
                };
                awaiting.into_iter().map(kept).collect::<Result<_, _>>()?
            };
            resolve::resolve(&task, &context, kept)
        };
        self.parts.cpu.run(work).await?
    }
}
