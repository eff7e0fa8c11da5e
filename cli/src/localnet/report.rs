//! What a localnet prints: a table or an object per epoch, and who earned what and why.

use serde::Serialize;
use weighhouse_scoring::Explanation;
use weighhouse_types::{SubnetState, Uid, WeightVector};

use super::Mode;
use super::economy::{Economy, Participant};
use crate::failure::Failure;
use crate::output::{self, Table, tao};

/// One closed epoch: the chain's figures, and the largest honest validator's scores and weights behind them.
#[derive(Debug)]
pub(super) struct EpochReport {
    pub(super) epoch: u64,
    pub(super) state: SubnetState,
    pub(super) scores: Vec<(Uid, f64)>,
    pub(super) weights: Option<WeightVector>,
}

#[derive(Debug, Serialize)]
struct Row {
    uid: Uid,
    persona: &'static str,
    score: Option<f64>,
    weight: u16,
    incentive: f64,
    dividends: f64,
    vtrust: f64,
    /// In decimal digits: JSON's numbers don't hold every rao.
    emission_rao: String,
}

#[derive(Debug, Serialize)]
struct EpochJson {
    epoch: u64,
    block: u64,
    neurons: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct MinerTotal {
    uid: Uid,
    persona: &'static str,
    score: f64,
    weight: u16,
    incentive: f64,
    emission_rao: String,
}

#[derive(Debug, Serialize)]
struct ValidatorTotal {
    uid: Uid,
    persona: &'static str,
    vtrust: f64,
    dividends: f64,
    emission_rao: String,
}

#[derive(Debug, Serialize)]
struct Totals {
    seed: u64,
    epochs: u64,
    miners: Vec<MinerTotal>,
    validators: Vec<ValidatorTotal>,
}

impl EpochReport {
    fn row(&self, participant: &Participant) -> Row {
        let neuron = self.state.metagraph.neuron(participant.uid);
        let fraction = |value: Option<u16>| f64::from(value.unwrap_or(0)) / f64::from(u16::MAX);
        Row {
            uid: participant.uid,
            persona: participant.persona,
            score: self.score(participant.uid),
            weight: self.weight(participant.uid),
            incentive: fraction(neuron.map(|neuron| neuron.incentive)),
            dividends: fraction(neuron.map(|neuron| neuron.dividends)),
            vtrust: fraction(neuron.map(|neuron| neuron.validator_trust)),
            emission_rao: neuron.map_or(0, |neuron| neuron.emission.0).to_string(),
        }
    }

    fn score(&self, uid: Uid) -> Option<f64> {
        self.scores.iter().find(|(other, _)| *other == uid).map(|(_, score)| *score)
    }

    fn weight(&self, uid: Uid) -> u16 {
        self.weights.as_ref().map_or(0, |weights| weights.get(uid))
    }

    pub(super) fn print(&self, economy: &Economy, json: bool) -> Result<(), Failure> {
        let neurons = economy.participants.iter().map(|participant| self.row(participant));
        if json {
            let block = self.state.head.number.0;
            return Ok(output::json(&EpochJson { epoch: self.epoch, block, neurons: neurons.collect() })?);
        }
        output::line(format!("epoch {} closed at block {}", self.epoch, self.state.head.number))?;
        let mut table = Table::new(&[
            "uid",
            "<persona",
            "score",
            "weight",
            "incentive",
            "dividends",
            "vtrust",
            "emission (TAO)",
        ]);
        for (row, participant) in neurons.zip(&economy.participants) {
            let validates = participant.role.validates();
            let blank = |shown: bool, text: String| if shown { text } else { String::new() };
            table.row(vec![
                row.uid.to_string(),
                row.persona.to_owned(),
                row.score.map_or_else(String::new, |score| format!("{score:.4}")),
                blank(!validates, row.weight.to_string()),
                blank(!validates, format!("{:.4}", row.incentive)),
                blank(validates, format!("{:.4}", row.dividends)),
                blank(validates, format!("{:.4}", row.vtrust)),
                tao(row.emission_rao.parse().unwrap_or(0)),
            ]);
        }
        table.print()?;
        output::line("")?;
        Ok(())
    }

    /// The closing account: all that was earned since genesis.
    pub(super) fn print_totals(
        &self,
        economy: &Economy,
        seed: u64,
        mode: Mode,
        explanations: &[Explanation],
        json: bool,
    ) -> Result<(), Failure> {
        let earned = |participant: &Participant| {
            let stake = self.state.metagraph.neuron(participant.uid).map_or(0, |neuron| neuron.stake.0);
            stake.saturating_sub(participant.genesis_stake.0)
        };
        if json {
            let totals = self.totals(economy, seed, &earned);
            return Ok(output::json(&totals)?);
        }
        output::line(format!("who earned what in {} epochs of {}, and why", self.epoch + 1, mode.name()))?;
        let mut table = Table::new(&["uid", "<persona", "earned (TAO)", "<why"]);
        for participant in &economy.participants {
            let why = if participant.role.validates() {
                let row = self.row(participant);
                format!("published weights with vtrust {:.4}, dividends {:.4}", row.vtrust, row.dividends)
            } else {
                let explained = explanations.iter().find(|explanation| explanation.uid == participant.uid);
                explained
                    .map_or_else(|| "never judged".to_owned(), |explanation| explanation.sentence.clone())
            };
            table.row(vec![
                participant.uid.to_string(),
                participant.persona.to_owned(),
                tao(earned(participant)),
                why,
            ]);
        }
        table.print()?;
        Ok(())
    }

    fn totals(&self, economy: &Economy, seed: u64, earned: &dyn Fn(&Participant) -> u64) -> Totals {
        let (validators, miners): (Vec<_>, Vec<_>) =
            economy.participants.iter().partition(|participant| participant.role.validates());
        let miner = |participant: &&Participant| {
            let row = self.row(participant);
            MinerTotal {
                uid: row.uid,
                persona: row.persona,
                score: row.score.unwrap_or(0.0),
                weight: row.weight,
                incentive: row.incentive,
                emission_rao: earned(participant).to_string(),
            }
        };
        let validator = |participant: &&Participant| {
            let row = self.row(participant);
            ValidatorTotal {
                uid: row.uid,
                persona: row.persona,
                vtrust: row.vtrust,
                dividends: row.dividends,
                emission_rao: earned(participant).to_string(),
            }
        };
        Totals {
            seed,
            epochs: self.epoch + 1,
            miners: miners.iter().map(miner).collect(),
            validators: validators.iter().map(validator).collect(),
        }
    }
}
