//! One epoch of pretending, by a miner that is settled or by one that serves unpaid.

use super::{Pretence, Stakes};

/// Chances and amounts of one epoch, in units of a settled miner's pay for one answer and beside honest work by a settled
/// miner.
#[derive(Clone, Copy, Debug)]
pub(super) struct PretendingEpoch {
    pub(super) convicted: f64,
    /// Gained where nothing is found.
    pub(super) kept: f64,
    /// Gained where it is.
    pub(super) caught: f64,
}

impl PretendingEpoch {
    /// Pretends in so many of the epoch's answers.
    pub(super) fn settled(pretence: &Pretence, stakes: &Stakes, answers: u32) -> Self {
        let saved = f64::from(answers) * pretence.gain();
        Self {
            convicted: convicted(pretence, stakes.drawn, answers),
            kept: saved - f64::from(answers) * pretence.refused,
            caught: saved - f64::from(stakes.rounds),
        }
    }

    /// As [`PretendingEpoch::settled`], unpaid and with every answer checked.
    pub(super) fn waiting(pretence: &Pretence, stakes: &Stakes, answers: u32) -> Self {
        let saved = f64::from(answers) * pretence.gain() - f64::from(stakes.rounds);
        Self { convicted: convicted(pretence, 1.0, answers), kept: saved, caught: saved }
    }

    pub(super) fn gain(&self) -> f64 {
        self.convicted * self.caught + (1.0 - self.convicted) * self.kept
    }
}

fn convicted(pretence: &Pretence, drawn: f64, answers: u32) -> f64 {
    1.0 - libm::pow(1.0 - pretence.caught(drawn), f64::from(answers))
}
