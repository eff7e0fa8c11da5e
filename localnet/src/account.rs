//! The closing account: earnings since genesis, with a sentence of why for everybody.

use serde::Serialize;
use weighhouse_scoring::Explanation;
use weighhouse_tasks::Conduct;
use weighhouse_types::profile::Paid;
use weighhouse_types::{Mark, Outcome, Record, Uid, VerdictRecord};

use crate::economy::{Participant, Role};
use crate::options::builtin_task;
use crate::report::{EpochReport, EpochRow};
use crate::rounds::Rounds;
use crate::state::KeptState;

/// The closing account: what everybody earned since genesis, and why.
#[derive(Clone, Debug)]
pub struct Account {
    pub seed: u64,
    /// The last closed epoch.
    pub last: EpochReport,
    /// A sentence for each participant, in the same order.
    pub reasons: Vec<String>,
    /// The rounds of this run's epochs.
    pub rounds: Rounds,
    /// The first verdict that paid a guest nothing, for each participant, with why it gave no answer, where it gave none.
    given_away: Vec<Option<String>>,
}

impl Account {
    /// `guests` has, for each participant, the first verdict that paid a guest nothing, and its newest failure.
    pub(crate) fn new(
        (last, rounds): (EpochReport, Rounds),
        kept: &KeptState,
        participants: &[Participant],
        explanations: &[Explanation],
        guests: &[(Option<VerdictRecord>, Option<String>)],
    ) -> Self {
        let paying = |paid| builtin_task(&kept.task, Some(paid));
        let pays =
            if paying(Paid::Quality) != paying(Paid::Conformance) { ": --mode quality pays it" } else { "" };
        let given_away = |(judged, said): &(Option<VerdictRecord>, Option<String>)| {
            judged.as_ref().map(|judged| given_away(judged, said.as_deref()))
        };
        let given_away: Vec<_> = guests.iter().map(given_away).collect();
        let reasons = last.neurons.iter().zip(participants).zip(&given_away);
        let reasons = reasons.map(|((row, participant), given_away)| {
            let explained = explanations.iter().find(|explanation| explanation.uid == row.uid);
            let explained = explained.map_or("never judged", |explained| explained.sentence.as_str());
            match (&participant.role, given_away) {
                (Role::Validator, _) => {
                    format!("published weights with vtrust {:.4}, dividends {:.4}", row.vtrust, row.dividends)
                }
                (Role::Copier, _) => copier(row, &participants[0].persona, kept.commit_reveal),
                (Role::Miner { persona, .. }, _)
                    if persona.conduct == Conduct::Better && kept.mode == Paid::Conformance =>
                {
                    format!("{explained}; better than the agreed model is not the agreed model{pays}")
                }
                (_, Some(given_away)) => format!("{explained}; {given_away}"),
                (_, None) => explained.to_owned(),
            }
        });
        let reasons = reasons.collect();
        Self { seed: kept.seed, last, reasons, rounds, given_away }
    }

    /// Epochs since genesis.
    pub fn epochs(&self) -> u64 {
        self.last.epoch + 1
    }

    /// The account for machines.
    pub fn totals(&self) -> Totals {
        let rows = self.last.neurons.iter().zip(&self.given_away);
        let (validators, miners): (Vec<_>, Vec<_>) = rows.partition(|(row, _)| row.validates);
        let miner = |(row, given_away): &(&EpochRow, &Option<String>)| MinerTotal {
            uid: row.uid,
            persona: row.persona.clone(),
            score: row.score.unwrap_or(0.0),
            weight: row.weight,
            incentive: row.incentive,
            emission_rao: row.earned.to_string(),
            given_away: (*given_away).clone(),
        };
        let validator = |(row, _): &(&EpochRow, &Option<String>)| ValidatorTotal {
            uid: row.uid,
            persona: row.persona.clone(),
            vtrust: row.vtrust,
            dividends: row.dividends,
            emission_rao: row.earned.to_string(),
        };
        Totals {
            seed: self.seed,
            epochs: self.epochs(),
            rounds: self.rounds.clone(),
            miners: miners.iter().map(miner).collect(),
            validators: validators.iter().map(validator).collect(),
        }
    }
}

/// The first verdict on a miner that paid it nothing, in the order in which they were recorded.
pub(crate) fn first_refused(records: &[Record], uid: Uid) -> Option<VerdictRecord> {
    let judged = records.iter().filter_map(|record| match record {
        Record::Judged(judged) => Some(judged),
        _ => None,
    });
    judged.filter(|judged| judged.uid == uid).find(|judged| judged.judgement.mark <= Mark::ZERO).cloned()
}

fn given_away(judged: &VerdictRecord, said: Option<&str>) -> String {
    let reason = judged.judgement.reasons.first();
    let is_silent = reason.is_some_and(|reason| reason.outcome() == Outcome::Silent);
    // A status is all that callers are told; who wrote the miner is told its words.
    let said = said.filter(|_| is_silent).map_or_else(String::new, |said| format!(" ({said})"));
    let reason = reason.map_or_else(String::new, ToString::to_string);
    format!("given away in epoch {}, round {}: {reason}{said}", judged.asked_in, judged.round)
}

fn copier(row: &EpochRow, copied: &str, commit_reveal: bool) -> String {
    let EpochRow { vtrust, dividends, .. } = row;
    if commit_reveal {
        return format!(
            "found nothing of {copied}'s to copy in time: weights stay hidden (vtrust {vtrust:.4}, dividends {dividends:.4})"
        );
    }
    format!(
        "copied {copied}'s weights: vtrust {vtrust:.4}, dividends {dividends:.4}; had they been hidden (--commit-reveal), \
         0.0000"
    )
}

#[derive(Clone, Debug, Serialize)]
pub struct MinerTotal {
    pub uid: Uid,
    pub persona: String,
    pub score: f64,
    pub weight: u16,
    pub incentive: f64,
    pub emission_rao: String,
    /// The first verdict that paid nothing, of the user's own miners.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_away: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct ValidatorTotal {
    pub uid: Uid,
    pub persona: String,
    pub vtrust: f64,
    pub dividends: f64,
    pub emission_rao: String,
}

/// Everybody's earnings, miners and validators apart.
#[derive(Clone, Debug, Serialize)]
pub struct Totals {
    pub seed: u64,
    pub epochs: u64,
    #[serde(skip_serializing_if = "Rounds::went_well")]
    pub rounds: Rounds,
    pub miners: Vec<MinerTotal>,
    pub validators: Vec<ValidatorTotal>,
}
