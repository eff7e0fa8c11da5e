//! The participants, their keys and stakes, and the chain's genesis.

use std::sync::Arc;

use weighhouse_chain::ledger::{BlockTime, Genesis, GenesisFile, NeuronEntry, SubnetEntry};
use weighhouse_types::{Digest, Hasher, Hyperparameters, Netuid, Rao, Uid};
use weighhouse_wallet::keypair::Keypair;

use crate::error::LocalnetError;
use crate::guests::PERSONAS;
use crate::options::Work;

pub(crate) const NETUID: Netuid = Netuid(1);
/// Blocks per epoch.
const TEMPO: u16 = 12;
const EMISSION_PER_BLOCK: Rao = Rao(1_000_000_000);

/// A participant's behaviour. Only the localnet knows it; no judge does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Validator,
    /// Publishes what other validators published.
    Copier,
    /// Serves the reference model.
    Honest,
    /// Serves a model that is better than the reference.
    Better,
    /// Serves a model that is worse.
    Weak,
    /// Answers at random without running a model.
    Lazy,
    /// Returns NaN, or another shape than was asked for.
    Nan,
    /// Answers long after the deadline.
    Slow,
    /// Answers one round and is gone.
    Offline,
    /// Serves the model with its weights rounded to four bits.
    Int4,
    /// Repeats its first answer.
    Cached,
    /// Completes half of what was asked.
    Truncating,
    /// Exchanges one token for another.
    Editing,
    /// Draws under a seed of its own.
    Reseeding,
    /// Draws at another temperature.
    Hot,
    /// Continues a prompt of its own.
    Ignoring,
    /// Serves a file of the user's: the one of this place among them.
    Guest(usize),
}

/// A neuron of the localnet, from genesis on.
#[derive(Clone, Debug)]
pub struct Participant {
    pub uid: Uid,
    pub persona: &'static str,
    pub(crate) role: Role,
    pub(crate) keypair: Arc<Keypair>,
    pub(crate) genesis_stake: Rao,
}

impl Participant {
    /// Tells whether it serves a file of the user's.
    pub fn is_guest(&self) -> bool {
        matches!(self.role, Role::Guest(_))
    }

    /// Tells whether it publishes weights; everybody else is a miner.
    pub fn validates(&self) -> bool {
        matches!(self.role, Role::Validator | Role::Copier)
    }
}

#[derive(Debug)]
pub(crate) struct Economy {
    pub(crate) participants: Vec<Participant>,
    pub(crate) genesis: Genesis,
}

/// Position is the uid; stakes in TAO.
const CAST: [(&str, Role, u64); 14] = [
    ("honest-a", Role::Validator, 40_000),
    ("honest-b", Role::Validator, 30_000),
    ("honest-c", Role::Validator, 20_000),
    ("copier", Role::Copier, 10_000),
    ("honest-1", Role::Honest, 0),
    ("honest-2", Role::Honest, 0),
    ("honest-3", Role::Honest, 0),
    ("honest-4", Role::Honest, 0),
    ("better", Role::Better, 0),
    ("weak", Role::Weak, 0),
    ("lazy", Role::Lazy, 0),
    ("nan", Role::Nan, 0),
    ("slow", Role::Slow, 0),
    ("offline", Role::Offline, 0),
];

/// Completions and how they are faked.
const GENERATE: [(&str, Role, u64); 16] = [
    ("honest-a", Role::Validator, 40_000),
    ("honest-b", Role::Validator, 30_000),
    ("honest-c", Role::Validator, 20_000),
    ("copier", Role::Copier, 10_000),
    ("honest-1", Role::Honest, 0),
    ("honest-2", Role::Honest, 0),
    ("honest-3", Role::Honest, 0),
    ("weak", Role::Weak, 0),
    ("int4", Role::Int4, 0),
    ("cached", Role::Cached, 0),
    ("truncating", Role::Truncating, 0),
    ("editing", Role::Editing, 0),
    ("reseeding", Role::Reseeding, 0),
    ("hot", Role::Hot, 0),
    ("ignoring", Role::Ignoring, 0),
    ("offline", Role::Offline, 0),
];

/// Embeddings and how they are faked.
const EMBED: [(&str, Role, u64); 11] = [
    ("honest-a", Role::Validator, 40_000),
    ("honest-b", Role::Validator, 30_000),
    ("honest-c", Role::Validator, 20_000),
    ("copier", Role::Copier, 10_000),
    ("honest-1", Role::Honest, 0),
    ("honest-2", Role::Honest, 0),
    ("honest-3", Role::Honest, 0),
    ("lazy", Role::Lazy, 0),
    ("cached", Role::Cached, 0),
    ("nan", Role::Nan, 0),
    ("offline", Role::Offline, 0),
];

impl Economy {
    pub(crate) fn new(
        seed: u64,
        work: Work,
        commit_reveal: bool,
        guests: usize,
    ) -> Result<Self, LocalnetError> {
        let cast: &[(&'static str, Role, u64)] = match work {
            Work::Digits => &CAST,
            Work::Generate => &GENERATE,
            Work::Embed => &EMBED,
        };
        let guests = PERSONAS.iter().take(guests).enumerate();
        let guests = guests.map(|(at, persona)| (*persona, Role::Guest(at), 0));
        let participants: Vec<_> = cast
            .iter()
            .copied()
            .chain(guests)
            .zip(0..)
            .map(|((persona, role, stake), uid)| Participant {
                uid: Uid(uid),
                persona,
                role,
                keypair: Arc::new(keypair(seed, persona, "hotkey")),
                genesis_stake: Rao::from_tao(stake),
            })
            .collect();
        let neurons = participants.iter().map(|participant| NeuronEntry {
            hotkey: participant.keypair.hotkey(),
            coldkey: keypair(seed, participant.persona, "coldkey").coldkey(),
            stake: participant.genesis_stake,
            validator_permit: participant.validates(),
        });
        let owner = keypair(seed, "owner", "coldkey");
        let subnet = SubnetEntry {
            netuid: NETUID,
            owner_coldkey: owner.coldkey(),
            owner_hotkey: keypair(seed, "owner", "hotkey").hotkey(),
            emission_per_block: EMISSION_PER_BLOCK,
            registration_price: Rao(100_000_000),
            hyperparameters: Hyperparameters {
                tempo: TEMPO,
                max_allowed_validators: 4,
                min_allowed_weights: 1,
                weights_set_rate_limit: 3,
                serving_rate_limit: 0,
                commit_reveal_weights_enabled: commit_reveal,
                ..Hyperparameters::default()
            },
            neurons: neurons.collect(),
        };
        let genesis = Genesis::new(GenesisFile {
            name: format!("localnet-{seed}"),
            block_time: BlockTime::OnDemand,
            beacon_seed: Some(derive(seed, "beacon", "")),
            accounts: Vec::new(),
            subnets: vec![subnet],
        })
        .map_err(|error| LocalnetError::BuiltIn(error.to_string()))?;
        Ok(Self { participants, genesis })
    }
}

/// Everything random in a localnet comes from its seed, one domain per use.
pub(crate) fn derive(seed: u64, who: &str, what: &str) -> Digest {
    Hasher::new("weighhouse/localnet/v1")
        .part(&seed.to_le_bytes())
        .part(who.as_bytes())
        .part(what.as_bytes())
        .finish()
}

fn keypair(seed: u64, who: &str, what: &str) -> Keypair {
    Keypair::from_seed(derive(seed, who, what).as_bytes())
}
