//! Validators' rows of weights as a chain holds them, how two of them differ, and what Yuma consensus will make of them.
//!
//! All rows are of one epoch: where an epoch ends or weights come in while they are read, they are read again. Under commit-reveal the
//! chain shows what was revealed last.

mod agreement;
mod expected;

use futures::StreamExt as _;
use futures::stream::{self, TryStreamExt as _};
use serde::Serialize;
use weighhouse_types::{
    Block, Hotkey, MechId, MechanismRows, Netuid, Neuron, Rao, SubnetState, Uid, WeightVector,
};
use weighhouse_yuma::max_upscale;

use crate::{Chain, ChainError};

pub use agreement::{Agreement, UidDifference, shares};
pub use expected::{Expected, Replaced};

/// Validators that the chain is asked about at once.
const IN_FLIGHT_MAX: usize = 8;
/// Times that everything is read before what can't be had is told.
const READS_MAX: usize = 3;

/// A row of (uid, figure) as a chain stores it.
pub type StoredRow = Vec<(Uid, u16)>;

/// The row that a chain makes of a vector.
pub fn stored(vector: &WeightVector) -> StoredRow {
    vector.uids().into_iter().zip(max_upscale(&vector.values())).collect()
}

/// One validator's row of weights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Vote {
    pub uid: Uid,
    pub hotkey: Hotkey,
    pub stake: Rao,
    pub validator_permit: bool,
    /// The block of its last weights, commit or registration.
    pub last_update: Block,
    pub age_blocks: u64,
    /// Of the last epoch, of 65535.
    pub validator_trust: u16,
    /// As the chain stores them, the largest 65535; empty where none were ever set.
    pub weights: StoredRow,
}

/// The rows of a subnet's validators at one epoch.
#[derive(Clone, Debug)]
pub struct Votes {
    pub state: SubnetState,
    pub mechanism: MechId,
    /// Ascending by uid: of whoever was asked for, or has a permit.
    pub votes: Vec<Vote>,
    bonds: Vec<StoredRow>,
    last_updates: Vec<Block>,
    earliest_commits: Vec<Option<Block>>,
}

impl Votes {
    /// Reads the rows of these uids, or of every validator with a permit.
    ///
    /// # Errors
    /// Where the chain can't be read, or changes faster than it can be.
    pub async fn read(
        chain: &dyn Chain,
        netuid: Netuid,
        mechanism: MechId,
        whose: Option<&[Uid]>,
    ) -> Result<Self, ChainError> {
        Self::at_one_epoch(chain, netuid, mechanism, whose, false).await
    }

    /// Reads the rows of every validator with a permit, and all else that [`Votes::expected`] takes.
    ///
    /// # Errors
    /// As [`Votes::read`].
    pub async fn read_all(chain: &dyn Chain, netuid: Netuid, mechanism: MechId) -> Result<Self, ChainError> {
        Self::at_one_epoch(chain, netuid, mechanism, None, true).await
    }

    async fn at_one_epoch(
        chain: &dyn Chain,
        netuid: Netuid,
        mechanism: MechId,
        whose: Option<&[Uid]>,
        for_consensus: bool,
    ) -> Result<Self, ChainError> {
        let mut reads = 0;
        loop {
            let votes = Self::once(chain, netuid, mechanism, whose, for_consensus).await?;
            let now = chain.subnet(netuid).await?;
            reads += 1;
            let updates = |state: &SubnetState| {
                state.metagraph.neurons.iter().map(|n| (n.hotkey, n.last_update)).collect::<Vec<_>>()
            };
            let is_steady =
                now.schedule.epoch == votes.state.schedule.epoch && updates(&now) == updates(&votes.state);
            // After that many a subnet is so busy that rows of two neighbouring blocks are the best there is, but never of two epochs.
            if is_steady || (reads >= READS_MAX && now.schedule.epoch == votes.state.schedule.epoch) {
                return Ok(votes);
            }
            if reads >= READS_MAX {
                return Err(ChainError::Undecodable(
                    "its epochs end faster than its validators' weights can be read".to_owned(),
                ));
            }
        }
    }

    async fn once(
        chain: &dyn Chain,
        netuid: Netuid,
        mechanism: MechId,
        whose: Option<&[Uid]>,
        for_consensus: bool,
    ) -> Result<Self, ChainError> {
        let state = chain.subnet(netuid).await?;
        let rows = match mechanism {
            MechId(0) => MechanismRows::default(),
            further => chain.mechanism(netuid, further).await?,
        };
        let neurons = &state.metagraph.neurons;
        let last_updates: Vec<Block> = neurons
            .iter()
            .map(|neuron| rows.last_update.get(neuron.uid.index()).copied().unwrap_or(neuron.last_update))
            .collect();
        let is_asked = |neuron: &&Neuron| match whose {
            Some(whose) => whose.contains(&neuron.uid),
            // The owner's neuron votes without a permit.
            None => neuron.validator_permit || state.metagraph.owner == Some(neuron.uid),
        };
        let asked: Vec<&Neuron> = neurons.iter().filter(is_asked).collect();
        let weights = asked.iter().map(|neuron| chain.weights(netuid, mechanism, neuron.uid));
        let weights: Vec<StoredRow> = stream::iter(weights).buffered(IN_FLIGHT_MAX).try_collect().await?;
        let (bonds, earliest_commits) = match for_consensus {
            true => consensus_rows(chain, &state, mechanism, &asked).await?,
            false => (Vec::new(), Vec::new()),
        };
        let vote = |(neuron, weights): (&&Neuron, StoredRow)| Vote {
            uid: neuron.uid,
            hotkey: neuron.hotkey,
            stake: neuron.stake,
            validator_permit: neuron.validator_permit,
            last_update: last_updates[neuron.uid.index()],
            age_blocks: state.head.number.saturating_since(last_updates[neuron.uid.index()]),
            validator_trust: neuron.validator_trust,
            weights,
        };
        let votes = asked.iter().zip(weights).map(vote).collect();
        Ok(Self { state, mechanism, votes, bonds, last_updates, earliest_commits })
    }

    /// The row of one uid, where it was read.
    pub fn of(&self, uid: Uid) -> Option<&Vote> {
        self.votes.iter().find(|vote| vote.uid == uid)
    }
}

/// Bonds and the earliest commits by uid: what consensus takes besides weights.
async fn consensus_rows(
    chain: &dyn Chain,
    state: &SubnetState,
    mechanism: MechId,
    asked: &[&Neuron],
) -> Result<(Vec<StoredRow>, Vec<Option<Block>>), ChainError> {
    let (netuid, count) = (state.metagraph.netuid, state.metagraph.neurons.len());
    let read = asked.iter().map(|neuron| chain.bonds(netuid, mechanism, neuron.uid));
    let read: Vec<StoredRow> = stream::iter(read).buffered(IN_FLIGHT_MAX).try_collect().await?;
    let mut bonds = vec![Vec::new(); count];
    for (neuron, row) in asked.iter().zip(read) {
        bonds[neuron.uid.index()] = row;
    }
    let mut earliest = vec![None; count];
    if state.hyperparameters.commit_reveal_weights_enabled {
        let read = asked.iter().map(|neuron| earliest_commit(chain, netuid, mechanism, neuron.hotkey));
        let read: Vec<Option<Block>> = stream::iter(read).buffered(IN_FLIGHT_MAX).try_collect().await?;
        for (neuron, block) in asked.iter().zip(read) {
            earliest[neuron.uid.index()] = block;
        }
    }
    Ok((bonds, earliest))
}

async fn earliest_commit(
    chain: &dyn Chain,
    netuid: Netuid,
    mechanism: MechId,
    hotkey: Hotkey,
) -> Result<Option<Block>, ChainError> {
    match chain.commits(netuid, mechanism, hotkey).await {
        Ok(commits) => Ok(commits.iter().map(|commit| commit.block).min()),
        Err(ChainError::Unsupported { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
