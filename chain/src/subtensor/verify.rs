//! An epoch recomputed: what the chain read goes through our own Yuma, and every figure is compared with what the
//! chain stored.
//!
//! The inputs are read one block before the epoch's, so an endpoint that keeps old states is needed. Emissions in rao
//! are not compared: what an epoch distributes is known to the block alone.

use serde::Serialize;
use weighhouse_scoring::yuma::{self, EpochInput, EpochOutput, Rules};
use weighhouse_types::{Block, Digest, Head, MechId, Netuid, SubnetState, Uid};

use super::fetch::{self, Batch};
use super::items::{self, Key};
use super::runtime::Runtime;
use super::{Subtensor, extra, read};
use crate::ChainError;

/// One figure that came out otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    pub figure: &'static str,
    pub uid: Uid,
    pub stored: u64,
    pub computed: u64,
}

/// What a recomputed epoch looks like beside the stored one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EpochCheck {
    pub netuid: Netuid,
    pub block: Block,
    pub neurons: usize,
    /// How many figures were compared.
    pub compared: usize,
    pub differences: Vec<Difference>,
}

type Rows = Vec<Vec<(u16, u16)>>;

impl Subtensor {
    /// Recomputes the epoch of a subnet's first mechanism that ran in a block.
    pub async fn verify_epoch(&self, netuid: Netuid, block: Block) -> Result<EpochCheck, ChainError> {
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
        let output = yuma::epoch(rules, &input)
            .map_err(|error| ChainError::Undecodable(format!("the epoch's input: {error}")))?;
        let neurons = input.stake.len();
        let bonds = self.rows(&storing, after.hash, netuid, neurons).await?.1;
        let mut check = EpochCheck { netuid, block, neurons, compared: 0, differences: Vec::new() };
        check.compare(&stored, &bonds, &output);
        Ok(check)
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
            last => last + 1,
        };
        Ok(EpochInput {
            block: block.0,
            stake: neurons.iter().map(|neuron| neuron.stake.0).collect(),
            last_update: neurons.iter().map(|neuron| neuron.last_update.0).collect(),
            block_at_registration: neurons.iter().map(|neuron| neuron.registered_at.0).collect(),
            validator_permit: neurons.iter().map(|neuron| neuron.validator_permit).collect(),
            weights,
            bonds,
            hyperparameters: yuma::Hyperparameters {
                kappa: rules.kappa,
                bonds_penalty: rules.bonds_penalty,
                bonds_moving_average: rules.bonds_moving_average,
                alpha_low: rules.alpha_low,
                alpha_high: rules.alpha_high,
                alpha_sigmoid_steepness: rules.alpha_sigmoid_steepness,
                max_allowed_validators: rules.max_allowed_validators,
                activity_cutoff: rules.activity_cutoff(),
                stake_threshold: rules.stake_threshold.0,
                liquid_alpha: rules.liquid_alpha_enabled,
                yuma3: rules.yuma3_enabled,
                commit_reveal: rules.commit_reveal_weights_enabled,
            },
            earliest_commit_block,
            last_step_boundary_block,
            owner_uid: state.metagraph.owner.map(|uid| uid.0),
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
    ) -> Result<(Rows, Rows), ChainError> {
        let mut batch = Batch::new(runtime);
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

impl EpochCheck {
    fn compare(&mut self, stored: &SubnetState, bonds: &Rows, output: &EpochOutput) {
        for (index, neuron) in stored.metagraph.neurons.iter().enumerate().take(self.neurons) {
            let figures = [
                ("consensus", u64::from(neuron.consensus), u64::from(output.consensus[index])),
                ("incentive", u64::from(neuron.incentive), u64::from(output.incentive[index])),
                ("dividends", u64::from(neuron.dividends), u64::from(output.dividends[index])),
                (
                    "validator_trust",
                    u64::from(neuron.validator_trust),
                    u64::from(output.validator_trust[index]),
                ),
                (
                    "validator_permit",
                    u64::from(neuron.validator_permit),
                    u64::from(output.new_permits[index]),
                ),
                ("active", u64::from(neuron.active), u64::from(output.active[index])),
            ];
            for (figure, stored, computed) in figures {
                self.note(figure, neuron.uid, stored, computed);
            }
            self.compare_bonds(neuron.uid, &bonds[index], &output.new_bonds[index]);
        }
    }

    fn compare_bonds(&mut self, uid: Uid, stored: &[(u16, u16)], computed: &[(u16, u16)]) {
        self.note("bonds' count", uid, stored.len() as u64, computed.len() as u64);
        for (stored, computed) in stored.iter().zip(computed) {
            let number = |(uid, bond): &(u16, u16)| u64::from(*uid) << 16 | u64::from(*bond);
            self.note("bond (uid and figure)", uid, number(stored), number(computed));
        }
    }

    fn note(&mut self, figure: &'static str, uid: Uid, stored: u64, computed: u64) {
        self.compared += 1;
        if stored != computed {
            self.differences.push(Difference { figure, uid, stored, computed });
        }
    }
}
