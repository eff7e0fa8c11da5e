//! Reading what an epoch was computed from, one block before its own: an endpoint that keeps old states is needed.

use weighhouse_types::{Block, Digest, Head, MechId, Netuid};
use weighhouse_yuma::{EpochInput, Rules};

use super::fetch::{self, StorageBatch};
use super::items::{self, Key};
use super::runtime::Runtime;
use super::{Subtensor, extra, read};
use crate::ChainError;
use crate::verify::{EpochCheck, EpochRows, EpochSnapshot};

impl Subtensor {
    /// Recomputes the epoch of a subnet's first mechanism that ran in a block.
    pub async fn verify_epoch(&self, netuid: Netuid, block: Block) -> Result<EpochCheck, ChainError> {
        self.epoch_snapshot(netuid, block).await?.check()
    }

    /// Reads the inputs of such an epoch and the figures that it stored.
    pub async fn epoch_snapshot(&self, netuid: Netuid, block: Block) -> Result<EpochSnapshot, ChainError> {
        let number = Block(block.0.saturating_sub(1));
        let before = Head { number, hash: self.0.endpoints.block_hash(number).await? };
        let after = Head { number: block, hash: self.0.endpoints.block_hash(block).await? };
        let (computing, storing) = (self.runtime(before.hash).await?, self.runtime(after.hash).await?);
        let stored = read::subnet(&storing, &self.0.endpoints, after, netuid).await?;
        if stored.schedule.blocks_since_last_step != 0 {
            return Err(ChainError::NoEpoch { netuid, block });
        }
        let input = self.epoch_input(&computing, before, netuid, block).await?;
        let rules = if computing.layout.stateful_epochs { Rules::Spec425 } else { Rules::Spec377 };
        let bonds = self.rows(&storing, after.hash, netuid, input.stake.len()).await?.1;
        Ok(EpochSnapshot { netuid, rules, input, neurons: stored.metagraph.neurons, bonds })
    }

    async fn epoch_input(
        &self,
        runtime: &Runtime,
        before: Head,
        netuid: Netuid,
        block: Block,
    ) -> Result<EpochInput, ChainError> {
        let endpoints = &self.0.endpoints;
        let state = read::subnet(runtime, endpoints, before, netuid).await?;
        let (rules, neurons) = (&state.hyperparameters, &state.metagraph.neurons);
        let (weights, bonds) = self.rows(runtime, before.hash, netuid, neurons.len()).await?;
        let mut earliest_commit_block = vec![None; neurons.len()];
        if rules.commit_reveal_weights_enabled {
            for (neuron, earliest) in neurons.iter().zip(&mut earliest_commit_block) {
                let place = (netuid, MechId(0));
                let commits = extra::commits(runtime, endpoints, before, place, neuron.hotkey).await?;
                *earliest = commits.first().map(|commit| commit.block.0);
            }
        }
        let own = [Key::Small(netuid.0)];
        let last_step = match runtime.layout.stateful_epochs {
            true => {
                fetch::one(runtime, endpoints, before.hash, items::LAST_STEP_BLOCK, &own).await?.unwrap_or(0)
            }
            false => 0,
        };
        let last_step_boundary_block = match last_step {
            0 => block.0.saturating_sub(u64::from(rules.tempo)),
            last => last.saturating_add(1),
        };
        Ok(EpochInput {
            block: block.0,
            stake: neurons.iter().map(|neuron| neuron.stake.0).collect(),
            last_update: neurons.iter().map(|neuron| neuron.last_update.0).collect(),
            block_at_registration: neurons.iter().map(|neuron| neuron.registered_at.0).collect(),
            validator_permit: neurons.iter().map(|neuron| neuron.validator_permit).collect(),
            weights,
            bonds,
            hyperparameters: rules.into(),
            earliest_commit_block,
            last_step_boundary_block,
            owner_uid: state.metagraph.owner.map(|uid| uid.0),
            // Emissions aren't compared: what an epoch distributes is known to the block alone.
            emission_rao: 0,
        })
    }

    /// Weights and bonds of every uid.
    async fn rows(
        &self,
        runtime: &Runtime,
        at: Digest,
        netuid: Netuid,
        neurons: usize,
    ) -> Result<(EpochRows, EpochRows), ChainError> {
        let mut batch = StorageBatch::new(runtime);
        let mut slots = Vec::with_capacity(neurons);
        for uid in (0..=u16::MAX).take(neurons) {
            let keys = &[Key::Small(netuid.0), Key::Small(uid)];
            slots.push((batch.add(items::WEIGHTS, keys)?, batch.add(items::BONDS, keys)?));
        }
        let values = batch.fetch(&self.0.endpoints, at).await?;
        let (mut weights, mut bonds) = (Vec::with_capacity(neurons), Vec::with_capacity(neurons));
        for (weight, bond) in &slots {
            weights.push(values.get(weight)?.unwrap_or_default());
            bonds.push(values.get(bond)?.unwrap_or_default());
        }
        Ok((weights, bonds))
    }
}
