//! Trouble that the user of a localnet can mend: what a judge fails at, and why a miner of the user's own gives no answer.
//!
//! **Invariants.** A fault of the judge is told once, however often its calls are repeated. What strangers' programs say is kept
//! cut and without control characters, and only so much of it.

mod judge;
mod miner;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

pub(crate) use judge::HeardJudge;
pub(crate) use miner::HeardMiner;

/// Faults that are told of one judge.
const FAULTS_MAX: usize = 64;
const WHY_CHARS_MAX: usize = 300;

/// A failed call to the judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgeFault {
    pub why: String,
    /// Miners had answered, so their round is lost; else the call is tried again with the next block.
    pub is_void: bool,
}

/// The notebook that a run's parts share.
#[derive(Debug, Default)]
pub(crate) struct Troubles {
    noted: Mutex<Noted>,
    fresh: Notify,
}

#[derive(Debug, Default)]
struct Noted {
    /// Faults of the judge that runs, without the figures in them.
    known: BTreeSet<String>,
    untold: VecDeque<JudgeFault>,
    /// The newest failure of each miner of the user's, by persona.
    miners: BTreeMap<String, String>,
}

impl Troubles {
    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn judge_failed(&self, fault: JudgeFault) {
        let mut noted = self.noted();
        let why = printable(&fault.why);
        if noted.known.len() < FAULTS_MAX && noted.known.insert(without_figures(&why)) {
            noted.untold.push_back(JudgeFault { why, ..fault });
            self.fresh.notify_one();
        }
    }

    /// Takes note that another judge runs, whose faults are new even where they look the same.
    pub(crate) fn judge_renewed(&self) {
        self.noted().known.clear();
    }

    /// The oldest fault of the judge that wasn't told yet.
    pub(crate) fn untold(&self) -> Option<JudgeFault> {
        self.noted().untold.pop_front()
    }

    /// Waits for a fault of the judge.
    pub(crate) async fn next(&self) -> JudgeFault {
        loop {
            if let Some(fault) = self.untold() {
                return fault;
            }
            self.fresh.notified().await;
        }
    }

    fn miner_failed(&self, persona: &str, why: &str) {
        self.noted().miners.insert(persona.to_owned(), printable(why));
    }

    /// The newest failure of a miner of the user's.
    pub(crate) fn of_miner(&self, persona: &str) -> Option<String> {
        self.noted().miners.get(persona).cloned()
    }
}

fn printable(text: &str) -> String {
    let plain = text.chars().map(|character| if character.is_control() { ' ' } else { character });
    plain.take(WHY_CHARS_MAX).collect()
}

/// Two faults that differ in a figure are one, unless they have another place in the file, which stands in brackets at the end.
fn without_figures(why: &str) -> String {
    let (what, place) = why.split_at(why.rfind('(').unwrap_or(why.len()));
    what.chars().filter(|character| !character.is_ascii_digit()).chain(place.chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_told_once_for_each_place_whatever_its_figures() {
        let troubles = Troubles::default();
        let fail = |why: &str| troubles.judge_failed(JudgeFault { why: why.to_owned(), is_void: true });
        fail("a mark of 1.25 is outside (judge.py, line 4, in judge)");
        fail("a mark of 3.5 is outside (judge.py, line 4, in judge)");
        fail("a mark of 3.5 is outside (judge.py, line 9, in judge)");
        let told = [troubles.untold(), troubles.untold(), troubles.untold()];
        let lines = told.map(|fault| fault.map(|fault| fault.why.contains("line 4")));
        assert_eq!(lines, [Some(true), Some(false), None]);
        troubles.judge_renewed();
        fail("a mark of 1.25 is outside (judge.py, line 4, in judge)");
        assert!(troubles.untold().is_some());
    }

    #[test]
    fn words_of_a_program_are_cut_and_printable() {
        let troubles = Troubles::default();
        troubles.miner_failed("honest", &format!("one\n\u{1b}[2J{}", "x".repeat(1_000)));
        let said = troubles.of_miner("honest").expect("noted");
        assert_eq!(said.chars().count(), WHY_CHARS_MAX);
        assert!(said.starts_with("one  [2Jxx"), "{said}");
    }
}
