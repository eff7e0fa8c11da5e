//! The account for machines.

use serde::Serialize;
use weighhouse_types::Uid;

use super::Account;
use crate::facts::VoidRounds;
use crate::report::EpochRow;

#[derive(Clone, Debug, Serialize)]
pub struct MinerTotal {
    pub uid: Uid,
    pub persona: String,
    pub score: f64,
    pub weight: u16,
    pub incentive: f64,
    pub emission_rao: String,
    /// Answers that await their truth.
    #[serde(skip_serializing_if = "is_zero")]
    pub awaiting: u64,
    /// The first verdict that refused an answer, of the user's own miners.
    #[serde(rename = "given_away", skip_serializing_if = "Option::is_none")]
    pub first_refused: Option<String>,
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
    /// Rounds of the largest validator's that were asked or are void.
    pub rounds: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub void: Vec<VoidRounds>,
    pub miners: Vec<MinerTotal>,
    pub validators: Vec<ValidatorTotal>,
}

impl Account {
    /// The account for machines.
    pub fn totals(&self) -> Totals {
        let rows = self.last.neurons.iter().zip(&self.refused);
        let (validators, miners): (Vec<_>, Vec<_>) = rows.partition(|(row, _)| row.validates);
        let awaiting = |uid| self.facts.explanations.iter().find(|explained| explained.uid == uid);
        let miner = |(row, refused): &(&EpochRow, &Option<String>)| MinerTotal {
            uid: row.uid,
            persona: row.persona.clone(),
            score: row.score.unwrap_or(0.0),
            weight: row.weight,
            incentive: row.incentive,
            emission_rao: row.earned.to_string(),
            awaiting: awaiting(row.uid).map_or(0, |explained| explained.awaiting),
            first_refused: (*refused).clone(),
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
            rounds: self.facts.rounds.all,
            void: self.facts.void.clone(),
            miners: miners.iter().map(miner).collect(),
            validators: validators.iter().map(validator).collect(),
        }
    }
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}
