//! The figures of a closed epoch.

use std::collections::BTreeMap;

use serde::Serialize;
use weighhouse_scoring::ScoredMiner;
use weighhouse_types::{Block, Epoch, SubnetState, Uid, WeightVector};

use crate::economy::Participant;
use crate::rounds::Rounds;

/// One participant's figures in an epoch: the chain's, and the score and weight behind them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EpochRow {
    pub uid: Uid,
    pub persona: String,
    #[serde(skip)]
    pub validates: bool,
    pub score: Option<f64>,
    pub weight: u16,
    pub incentive: f64,
    pub dividends: f64,
    pub vtrust: f64,
    /// In decimal digits: JSON's numbers don't hold every rao.
    #[serde(rename = "emission_rao", serialize_with = "digits")]
    pub emission: u64,
    /// Earned since genesis, in rao.
    #[serde(skip)]
    pub earned: u64,
}

/// One closed epoch, seen with the largest honest validator's scores and weights.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EpochReport {
    pub epoch: u64,
    pub block: u64,
    /// By uid.
    pub neurons: Vec<EpochRow>,
    #[serde(skip_serializing_if = "Rounds::went_well")]
    pub rounds: Rounds,
    /// Every validator's weights on the chain as the epoch closed.
    #[serde(skip)]
    pub weights: BTreeMap<Uid, Vec<(Uid, u16)>>,
}

impl EpochReport {
    pub(crate) fn new(
        epoch: Epoch,
        state: &SubnetState,
        participants: &[Participant],
        (scores, weights): (&[ScoredMiner], Option<&WeightVector>),
        rounds: Rounds,
    ) -> Self {
        let fraction = |value: Option<u16>| f64::from(value.unwrap_or(0)) / f64::from(u16::MAX);
        let row = |participant: &Participant| {
            let uid = participant.uid;
            let neuron = state.metagraph.neuron(uid);
            let score = scores.iter().find(|scored| scored.uid == uid).map(|scored| scored.score.to_f64());
            let stake = neuron.map_or(0, |neuron| neuron.stake.0);
            EpochRow {
                uid,
                persona: participant.persona.clone(),
                validates: participant.validates(),
                score,
                weight: weights.map_or(0, |weights| weights.get(uid)),
                incentive: fraction(neuron.map(|neuron| neuron.incentive)),
                dividends: fraction(neuron.map(|neuron| neuron.dividends)),
                vtrust: fraction(neuron.map(|neuron| neuron.validator_trust)),
                emission: neuron.map_or(0, |neuron| neuron.emission.0),
                // What a neuron earns is added to its stake, and nobody stakes anything else in a localnet.
                earned: stake.saturating_sub(participant.genesis_stake.0),
            }
        };
        let Block(block) = state.head.number;
        let neurons = participants.iter().map(row).collect();
        Self { epoch: epoch.0, block, neurons, rounds, weights: BTreeMap::new() }
    }

    pub(crate) fn epoch(&self) -> Epoch {
        Epoch(self.epoch)
    }
}

fn digits<S: serde::Serializer>(rao: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(rao)
}
