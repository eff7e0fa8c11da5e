//! The next epoch as Yuma would compute it from the rows as they are, or with one row in another's place.

use serde::Serialize;
use weighhouse_types::{Block, Uid};
use weighhouse_yuma::{self as yuma, EpochInput, Rules};

use super::{StoredRow, Votes};
use crate::ChainError;

/// Weights that stand in for the row of one validator, as if they were set in the next block.
#[derive(Clone, Copy, Debug)]
pub struct Replaced<'a> {
    pub uid: Uid,
    /// As the chain would store them.
    pub weights: &'a [(Uid, u16)],
}

/// An epoch that is yet to come. A figure is of 65535, and each vector has one for every uid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Expected {
    /// The block that the epoch is computed in.
    pub block: Block,
    pub validator_trust: Vec<u16>,
    pub consensus: Vec<u16>,
    pub incentive: Vec<u16>,
    pub dividends: Vec<u16>,
}

impl Votes {
    /// Computes the next epoch; `None` where the subnet runs none. Stakes, permits and everybody else's weights are taken to stay as
    /// they are.
    ///
    /// # Errors
    /// Rows that no chain can hold.
    pub fn expected(&self, replaced: Option<Replaced<'_>>) -> Result<Option<Expected>, ChainError> {
        let Some(block) = self.state.schedule.next_epoch_block() else { return Ok(None) };
        // An epoch that is due runs in the next block.
        let next = Block(self.state.head.number.0.saturating_add(1));
        let block = block.max(next);
        let input = self.input(block, next, replaced);
        let output = yuma::epoch(Rules::Spec425, &input)
            .map_err(|error| ChainError::Undecodable(format!("the validators' weights: {error}")))?;
        Ok(Some(Expected {
            block,
            validator_trust: output.validator_trust,
            consensus: output.consensus,
            incentive: output.incentive,
            dividends: output.dividends,
        }))
    }

    fn input(&self, block: Block, next: Block, replaced: Option<Replaced<'_>>) -> EpochInput {
        let state = &self.state;
        let neurons = &state.metagraph.neurons;
        let plain = |row: &[(Uid, u16)]| row.iter().map(|(uid, figure)| (uid.0, *figure)).collect::<Vec<_>>();
        let mut weights = vec![Vec::new(); neurons.len()];
        for vote in &self.votes {
            weights[vote.uid.index()] = plain(&vote.weights);
        }
        let mut last_update: Vec<u64> = self.last_updates.iter().map(|block| block.0).collect();
        if let Some(Replaced { uid, weights: row }) = replaced.filter(|new| new.uid.index() < neurons.len()) {
            weights[uid.index()] = plain(row);
            last_update[uid.index()] = next.0;
        }
        let rows = |read: &[StoredRow]| read.iter().map(|row| plain(row)).collect::<Vec<_>>();
        let mut bonds = rows(&self.bonds);
        bonds.resize(neurons.len(), Vec::new());
        let mut earliest: Vec<Option<u64>> =
            self.earliest_commits.iter().map(|block| block.map(|block| block.0)).collect();
        earliest.resize(neurons.len(), None);
        EpochInput {
            block: block.0,
            stake: neurons.iter().map(|neuron| neuron.stake.0).collect(),
            last_update,
            block_at_registration: neurons.iter().map(|neuron| neuron.registered_at.0).collect(),
            validator_permit: neurons.iter().map(|neuron| neuron.validator_permit).collect(),
            weights,
            bonds,
            hyperparameters: (&state.hyperparameters).into(),
            earliest_commit_block: earliest,
            last_step_boundary_block: match state.schedule.last_epoch_block {
                Block(0) => block.0.saturating_sub(u64::from(state.schedule.tempo)),
                Block(last) => last.saturating_add(1),
            },
            owner_uid: state.metagraph.owner.map(|uid| uid.0),
            // Shares don't depend on it.
            emission_rao: neurons.iter().fold(0, |sum, neuron| u64::saturating_add(sum, neuron.emission.0)),
        }
    }
}
