//! The closing account: earnings since genesis, with a sentence of why for everybody.

mod totals;

use std::collections::BTreeSet;

use weighhouse_tasks::Conduct;
use weighhouse_types::Uid;
use weighhouse_types::profile::Paid;

use crate::economy::{Participant, Role};
use crate::facts::Facts;
use crate::options::builtin_task;
use crate::report::{EpochReport, EpochRow};
use crate::state::KeptState;

pub use totals::{MinerTotal, Totals, ValidatorTotal};

/// The closing account: what everybody earned since genesis, and why.
#[derive(Clone, Debug)]
pub struct Account {
    pub seed: u64,
    /// The last closed epoch.
    pub last: EpochReport,
    /// A sentence for each participant, in the same order.
    pub reasons: Vec<String>,
    /// The validator whose verdicts are told and counted.
    pub validator: String,
    pub facts: Facts,
    /// For each participant, the first verdict that refused an answer of a guest.
    refused: Vec<Option<String>>,
}

impl Account {
    /// `publishers` are the validators whose weights the chain shows; `said` is why a guest gave no answer, in its own words.
    pub(crate) fn new(
        last: EpochReport,
        kept: &KeptState,
        participants: &[Participant],
        facts: Facts,
        publishers: &BTreeSet<Uid>,
        said: impl Fn(&Participant) -> Option<String>,
    ) -> Self {
        let refused = |participant: &Participant| {
            let refused = facts.refused.get(&participant.uid).filter(|_| participant.is_guest())?;
            // A status is all that callers are told of silence; who wrote the miner is told its words.
            let said = said(participant).filter(|_| refused.is_silence);
            Some(refused.text.clone() + &said.map_or_else(String::new, |said| format!(" ({said})")))
        };
        let refused: Vec<_> = participants.iter().map(refused).collect();
        // The cast begins with the largest.
        let largest = &participants[0];
        let reasons = last.neurons.iter().zip(participants).zip(&refused);
        let reasons = reasons.map(|((row, participant), refused)| match &participant.role {
            Role::Validator if publishers.contains(&row.uid) => format!("published weights: {}", paid(row)),
            Role::Validator => match facts.abstains.as_ref().filter(|_| row.uid == largest.uid) {
                Some(why) => format!("published no weights: {why}"),
                None => "published no weights".to_owned(),
            },
            Role::Copier => copier(row, &largest.persona, publishers, kept.commit_reveal),
            Role::Miner { persona, .. } => {
                let is_better = persona.conduct == Conduct::Better && kept.mode == Paid::Conformance;
                explained(&facts, row.uid) + &if is_better { better(&kept.task) } else { String::new() }
            }
            Role::Guest(_) => match refused {
                Some(refused) => format!("{}; {refused}", explained(&facts, row.uid)),
                None => explained(&facts, row.uid),
            },
        });
        let reasons = reasons.collect();
        Self { seed: kept.seed, last, reasons, validator: largest.persona.clone(), facts, refused }
    }

    /// Epochs since genesis.
    pub fn epochs(&self) -> u64 {
        self.last.epoch + 1
    }
}

fn explained(facts: &Facts, uid: Uid) -> String {
    let explained = facts.explanations.iter().find(|explanation| explanation.uid == uid);
    explained.map_or_else(|| "never judged".to_owned(), |explained| explained.sentence.clone())
}

fn better(task: &str) -> String {
    let paying = |paid| builtin_task(task, Some(paid));
    let pays =
        if paying(Paid::Quality) != paying(Paid::Conformance) { ": --mode quality pays it" } else { "" };
    format!("; better than the agreed model is not the agreed model{pays}")
}

fn paid(EpochRow { vtrust, dividends, .. }: &EpochRow) -> String {
    format!("vtrust {vtrust:.4}, dividends {dividends:.4} in the last epoch")
}

fn copier(row: &EpochRow, copied: &str, publishers: &BTreeSet<Uid>, commit_reveal: bool) -> String {
    match (commit_reveal, publishers.contains(&row.uid)) {
        (true, _) => format!("found no weights of {copied}'s in time: they stay hidden until the next epoch"),
        (false, true) => format!(
            "copied {copied}'s weights: {}; --commit-reveal hides weights until the next epoch, too late to copy",
            paid(row)
        ),
        (false, false) => format!("found no weights of {copied}'s to copy"),
    }
}
