//! Obstacles between a hotkey and its weights in the next block, and what to do about each: all of them at once,
//! where the chain names the first.

use std::fmt;

use serde::Serialize;
use weighhouse_types::{
    Block, CommitContent, Hotkey, Hyperparameters, MechId, MechanismRows, Mechanisms, Netuid, Rao,
    SubnetState, Uid, WeightCommit,
};

use crate::{Chain, ChainError, Preflight, Refusal};

/// Way in which weights reach this chain, as its own configuration decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "regime", rename_all = "snake_case")]
pub enum Regime {
    /// `set_weights`.
    Plain,
    /// A timelocked commit of this version, which the chain opens `reveal_period` epochs later.
    Timelocked { version: u16, reveal_period: u64 },
    /// A hash, revealed by the validator `reveal_period` epochs later: the chain has no beacon.
    Hashed { reveal_period: u64 },
}

/// One mechanism's weights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HotkeyStanding {
    pub mechanism: MechId,
    /// Empty where weights would be taken, if they are well-formed.
    pub obstacles: Vec<Refusal>,
    pub waiting: Vec<WeightCommit>,
}

/// A hotkey before a subnet, at one finalised block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    pub netuid: Netuid,
    pub hotkey: Hotkey,
    pub block: Block,
    pub epoch: u64,
    pub next_epoch: Option<Block>,
    pub regime: Regime,
    pub uid: Option<Uid>,
    pub stake: Rao,
    /// Stake that the hotkey lacks to be among the stakes that the next epoch gives permits to.
    pub short_of_permit: Option<Rao>,
    pub standings: Vec<HotkeyStanding>,
}

/// Asks the chain for everything that decides.
pub async fn explain(chain: &dyn Chain, netuid: Netuid, hotkey: Hotkey) -> Result<Explanation, ChainError> {
    let state = chain.subnet(netuid).await?;
    // A chain without mechanisms has the one that every subnet has.
    let mechanisms = lenient(chain.mechanisms(netuid).await, Mechanisms::default())?;
    let mut standings = Vec::with_capacity(usize::from(mechanisms.count));
    for mechanism in (0..mechanisms.count).map(MechId) {
        let rows = match mechanism {
            MechId(0) => MechanismRows::default(),
            further => chain.mechanism(netuid, further).await?,
        };
        let waiting = lenient(chain.commits(netuid, mechanism, hotkey).await, Vec::new())?;
        let obstacles = Preflight::new(&state, &mechanisms, &rows, &hotkey).obstacles();
        standings.push(HotkeyStanding { mechanism, obstacles, waiting });
    }
    let regime = regime(chain, &state.hyperparameters).await?;
    let neuron = state.metagraph.by_hotkey(&hotkey);
    Ok(Explanation {
        netuid,
        hotkey,
        block: state.head.number,
        epoch: state.schedule.epoch.0,
        next_epoch: state.schedule.next_epoch_block(),
        regime,
        uid: neuron.map(|neuron| neuron.uid),
        stake: neuron.map_or(Rao(0), |neuron| neuron.stake),
        short_of_permit: neuron.and_then(|neuron| short_of_permit(&state, neuron.stake)),
        standings,
    })
}

/// The way in which weights reach the chain under these hyperparameters.
pub async fn regime(chain: &dyn Chain, rules: &Hyperparameters) -> Result<Regime, ChainError> {
    if !rules.commit_reveal_weights_enabled {
        return Ok(Regime::Plain);
    }
    let reveal_period = rules.reveal_period_epochs;
    Ok(match lenient(chain.timelock().await.map(Some), None)? {
        Some(timelock) => Regime::Timelocked { version: timelock.version, reveal_period },
        None => Regime::Hashed { reveal_period },
    })
}

/// A chain that lacks something has none of it.
fn lenient<T>(answer: Result<T, ChainError>, otherwise: T) -> Result<T, ChainError> {
    match answer {
        Err(ChainError::Unsupported { .. }) => Ok(otherwise),
        answer => answer,
    }
}

/// Stake missing to be among the `max_allowed_validators` highest, which get permits; `None` for one that is.
pub fn short_of_permit(state: &SubnetState, stake: Rao) -> Option<Rao> {
    let mut stakes: Vec<Rao> = state.metagraph.neurons.iter().map(|neuron| neuron.stake).collect();
    stakes.sort_unstable_by(|a, b| b.cmp(a));
    let permits = usize::from(state.hyperparameters.max_allowed_validators);
    // Where there are more permits than neurons, any stake at all is enough.
    let last = permits.checked_sub(1).and_then(|last| stakes.get(last)).copied().unwrap_or(Rao(1));
    (stake < last || stake == Rao(0)).then(|| Rao(last.0.max(1) - stake.0))
}

fn tao(amount: Rao) -> String {
    let (whole, rao) = (amount.0 / 1_000_000_000, amount.0 % 1_000_000_000);
    format!("{whole}.{rao:09}")
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "subnet {} at block {}, epoch {}", self.netuid, self.block, self.epoch)?;
        match self.next_epoch {
            Some(next) => writeln!(f, "; the next epoch is block {next}'s")?,
            None => writeln!(f, "; it runs no epochs")?,
        }
        match self.uid {
            Some(uid) => writeln!(f, "{} has uid {uid} and votes with {} TAO", self.hotkey, tao(self.stake))?,
            None => writeln!(f, "{} is not registered", self.hotkey)?,
        }
        if let Some(missing) = self.short_of_permit {
            let missing = tao(missing);
            writeln!(f, "{missing} TAO more would be among the stakes that get a permit at the next epoch")?;
        }
        match self.regime {
            Regime::Plain => writeln!(f, "weights are set plainly")?,
            Regime::Timelocked { version, reveal_period } => {
                writeln!(
                    f,
                    "weights are timelocked (version {version}) and opened {reveal_period} epochs later"
                )?;
            }
            Regime::Hashed { reveal_period } => {
                writeln!(f, "weights are committed as a hash and revealed {reveal_period} epochs later")?;
            }
        }
        self.standings.iter().try_for_each(|standing| write!(f, "{standing}"))
    }
}

impl fmt::Display for HotkeyStanding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mechanism = self.mechanism;
        if self.obstacles.is_empty() {
            writeln!(f, "mechanism {mechanism}: the chain would take weights now, if they are well-formed")?;
        }
        for obstacle in &self.obstacles {
            writeln!(f, "mechanism {mechanism}: {obstacle}")?;
        }
        for WeightCommit { epoch, block, content } in &self.waiting {
            match content {
                CommitContent::Hash { hash } => {
                    writeln!(
                        f,
                        "mechanism {mechanism}: {hash} of block {block}, epoch {epoch}, waits for its reveal"
                    )?;
                }
                CommitContent::Timelocked { reveal_round, .. } => writeln!(
                    f,
                    "mechanism {mechanism}: weights of block {block}, epoch {epoch}, open at round {reveal_round}"
                )?,
            }
        }
        Ok(())
    }
}
