//! Steps from a configuration to a role that is live, each with its cost before it is paid. Nothing here pays.

mod facts;
mod plan;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use weighhouse_chain::address::ChainAddress;
use weighhouse_miner::config::Config as MinerConfig;
use weighhouse_types::{Block, Coldkey, Digest, Hotkey, Netuid};
use weighhouse_validator::config::Config as ValidatorConfig;

use crate::commands::connect;
use crate::commands::keys::DaemonWallet;
use crate::failure::{Exit, Failure};
use facts::Facts;

/// For everything that the chain is asked.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Role {
    Miner,
    Validator,
}

impl Role {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Miner => "miner",
            Self::Validator => "validator",
        }
    }
}

/// A role's configuration, as far as the steps depend on it.
#[derive(Debug)]
pub(super) struct Setup<'a> {
    role: Role,
    file: &'a Path,
    address: &'a ChainAddress,
    genesis: Option<Digest>,
    netuid: Netuid,
    wallet_path: Option<&'a Path>,
    wallet: &'a str,
    hotkey_name: &'a str,
    coldkey: Option<Coldkey>,
    hotkey: Option<Hotkey>,
    /// The address that a miner would publish, where its configuration says it.
    axon: Option<SocketAddr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum StepState {
    Done,
    Todo,
    /// It changes nothing and can be taken at any time.
    Look,
    /// The chain couldn't be asked.
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Step {
    step: &'static str,
    state: StepState,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    /// As text: readers that take JSON's numbers for doubles lose digits above 2^53 rao.
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_rao: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Steps {
    role: Role,
    file: PathBuf,
    network: String,
    netuid: Netuid,
    /// The block of what is said of the chain.
    block: Option<Block>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chain_away: Option<String>,
    steps: Vec<Step>,
}

impl<'a> Setup<'a> {
    pub(super) fn of_miner(file: &'a Path, config: &'a MinerConfig) -> Result<Self, Failure> {
        let (coldkey, hotkey) = DaemonWallet::from(&config.wallet).addresses()?;
        let listen = config.serve.listen;
        Ok(Self {
            role: Role::Miner,
            file,
            address: &config.chain.address,
            genesis: None,
            netuid: config.chain.netuid,
            wallet_path: config.wallet.path.as_deref(),
            wallet: &config.wallet.name,
            hotkey_name: &config.wallet.hotkey,
            coldkey,
            hotkey,
            axon: config.serve.external.or_else(|| (!listen.ip().is_unspecified()).then_some(listen)),
        })
    }

    pub(super) fn of_validator(file: &'a Path, config: &'a ValidatorConfig) -> Result<Self, Failure> {
        let (coldkey, hotkey) = DaemonWallet::from(&config.wallet).addresses()?;
        Ok(Self {
            role: Role::Validator,
            file,
            address: &config.chain.address,
            genesis: config.chain.genesis,
            netuid: config.chain.netuid,
            wallet_path: config.wallet.path.as_deref(),
            wallet: &config.wallet.name,
            hotkey_name: &config.wallet.hotkey,
            coldkey,
            hotkey,
            axon: None,
        })
    }

    /// Asks the chain; where it can't be reached, the steps come without their costs.
    pub(super) async fn steps(&self) -> Steps {
        let ask = async {
            let chain = connect(self.address, self.genesis).await?;
            Facts::ask(&*chain, self).await
        };
        let asked = tokio::time::timeout(PATIENCE, ask).await;
        let asked = asked.unwrap_or_else(|_| {
            let waited = PATIENCE.as_secs();
            Err(Failure::new(Exit::Unavailable, format!("no answer within {waited} s")))
        });
        let (facts, chain_away) = match asked {
            Ok(facts) => (Some(facts), None),
            Err(failure) => (None, Some(failure.to_string())),
        };
        Steps {
            role: self.role,
            file: self.file.to_owned(),
            network: self.address.to_string(),
            netuid: self.netuid,
            block: facts.as_ref().map(|facts| facts.state.head.number),
            chain_away,
            steps: plan::plan(self, facts.as_ref()),
        }
    }
}

impl Steps {
    pub(super) fn lines(&self) -> Vec<String> {
        let (role, netuid, network) = (self.role.name(), self.netuid, &self.network);
        let mut lines = vec![match (&self.block, &self.chain_away) {
            (Some(block), _) => {
                format!("steps to a live {role} on subnet {netuid} of {network}, costs as of block {block}:")
            }
            (None, why) => format!(
                "steps to a live {role} on subnet {netuid} of {network}; what they cost the chain can't be asked now ({}):",
                why.as_deref().unwrap_or("it is away")
            ),
        }];
        for step in &self.steps {
            let state = match step.state {
                StepState::Done => "done",
                StepState::Todo => "todo",
                StepState::Look => "look",
                StepState::Unknown => "?",
            };
            lines.push(format!("{state:<5} {:<9} {}", step.step, step.detail));
            lines.extend(step.command.iter().map(|command| format!("{:16}{command}", "")));
        }
        lines.push(format!(
            "what is left, once more: weighhouse init {role} --steps --out {}",
            self.file.display()
        ));
        lines
    }
}
