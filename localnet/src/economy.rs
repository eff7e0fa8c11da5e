//! The participants, their keys and stakes, and the chain's genesis.

use std::sync::Arc;
use std::time::Duration;

use weighhouse_chain::ledger::{BlockTime, Genesis, GenesisFile, NeuronEntry, SubnetEntry};
use weighhouse_tasks::{Conduct, Persona, Task};
use weighhouse_types::{Digest, Hasher, Hyperparameters, Netuid, Rao, Uid};
use weighhouse_wallet::keypair::Keypair;

use crate::error::LocalnetError;
use crate::guests::Guests;
use crate::options::Options;
use crate::pretending::PretendingMiner;

pub(crate) const NETUID: Netuid = Netuid(1);
/// Blocks per epoch.
const TEMPO: u16 = 12;
/// A miner that waits out a longer deadline would hold up every round.
const LATE_DEADLINE_MAX: Duration = Duration::from_secs(5);
const EMISSION_PER_BLOCK: Rao = Rao(1_000_000_000);

/// A participant's behaviour. Only the localnet knows it; no judge does.
#[derive(Clone, Debug)]
pub(crate) enum Role {
    Validator,
    /// Publishes what other validators published.
    Copier,
    Miner {
        persona: Persona,
        service: Service,
    },
    /// Serves a file of the user's: the one of this place among them.
    Guest(usize),
}

/// Way in which a miner serves the answers of its persona.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Prompt,
    /// Answers long after the deadline.
    Late,
    /// Answers one round and is gone.
    Offline,
}

/// A neuron of the localnet, from genesis on.
#[derive(Clone, Debug)]
pub struct Participant {
    pub uid: Uid,
    pub persona: String,
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

/// The first uids; stakes in TAO.
const VALIDATORS: [(&str, Role, u64); 4] = [
    ("honest-a", Role::Validator, 40_000),
    ("honest-b", Role::Validator, 30_000),
    ("honest-c", Role::Validator, 20_000),
    ("copier", Role::Copier, 10_000),
];

/// Everybody, by uid: the validators, the miners of each persona, and honest ones who are late or gone.
fn cast(task: &Task) -> Vec<(String, Role, u64)> {
    let personas = task.personas();
    let miner = |name: &str, persona: &Persona, service| {
        (name.to_owned(), Role::Miner { persona: persona.clone(), service }, 0)
    };
    let mut cast: Vec<_> =
        VALIDATORS.iter().map(|(name, role, stake)| ((*name).to_owned(), role.clone(), *stake)).collect();
    for persona in &personas {
        cast.extend(persona.cast.iter().map(|name| miner(name, persona, Service::Prompt)));
    }
    if let Some(honest) = personas.iter().find(|persona| persona.conduct == Conduct::Honest) {
        if task.deadline() <= LATE_DEADLINE_MAX {
            cast.push(miner("slow", honest, Service::Late));
        }
        cast.push(miner("offline", honest, Service::Offline));
    }
    cast
}

/// The miners that pretend for a while.
fn pretending(task: &Task, options: &Options) -> Result<Vec<(String, Role, u64)>, LocalnetError> {
    let validators = VALIDATORS.iter().filter(|(_, role, _)| matches!(role, Role::Validator)).count() as u32;
    let asked = options.rounds().saturating_mul(validators);
    let miner = |miner: &PretendingMiner| {
        let persona = miner.persona(task, asked)?;
        Ok((miner.to_string(), Role::Miner { persona, service: Service::Prompt }, 0))
    };
    options.pretending.iter().map(miner).collect()
}

impl Economy {
    pub(crate) fn new(
        seed: u64,
        task: &Task,
        options: &Options,
        guests: &Guests,
    ) -> Result<Self, LocalnetError> {
        let pretending = pretending(task, options)?;
        let guests =
            guests.personas().enumerate().map(|(at, persona)| (persona.to_owned(), Role::Guest(at), 0));
        let participants: Vec<_> = cast(task)
            .into_iter()
            .chain(pretending)
            .chain(guests)
            .zip(0..)
            .map(|((persona, role, stake), uid)| Participant {
                uid: Uid(uid),
                role,
                keypair: Arc::new(keypair(seed, &persona, "hotkey")),
                persona,
                genesis_stake: Rao::from_tao(stake),
            })
            .collect();
        let neurons = participants.iter().map(|participant| NeuronEntry {
            hotkey: participant.keypair.hotkey(),
            coldkey: keypair(seed, &participant.persona, "coldkey").coldkey(),
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
                // A resumed run whose ports are taken publishes other ones at once.
                serving_rate_limit: 0,
                commit_reveal_weights_enabled: options.commit_reveal,
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
