//! A hotkey's place in a subnet, as `check` and `status` report it.

use serde::Serialize;
use weighhouse_chain::Chain;
use weighhouse_chain::address::ChainAddress;
use weighhouse_types::{Block, Hotkey, Netuid, Uid};

use super::{chain_failure, chain_option};
use crate::failure::{Exit, Failure};
use crate::output::tao;

/// The place that a configuration names.
pub(crate) struct Place<'a> {
    pub(crate) address: &'a ChainAddress,
    pub(crate) netuid: Netuid,
    pub(crate) hotkey: Hotkey,
    /// The wallet's name and the hotkey's within it.
    pub(crate) wallet: (&'a str, &'a str),
}

#[derive(Debug, Serialize)]
pub(crate) struct HotkeyStatus {
    pub(crate) head: Block,
    pub(crate) uid: Uid,
    pub(crate) validator_permit: bool,
    pub(crate) axon: Option<String>,
    pub(crate) stake_tao: String,
    /// Of the last epoch.
    pub(crate) emission_alpha: String,
    pub(crate) last_update: Block,
}

impl Place<'_> {
    pub(crate) async fn ask(&self, chain: &dyn Chain) -> Result<HotkeyStatus, Failure> {
        let state = chain.subnet(self.netuid).await.map_err(chain_failure)?;
        let neuron = state.metagraph.by_hotkey(&self.hotkey).ok_or_else(|| self.missing())?;
        Ok(HotkeyStatus {
            head: state.head.number,
            uid: neuron.uid,
            validator_permit: neuron.validator_permit,
            axon: neuron.axon.map(|axon| axon.address().to_string()),
            stake_tao: tao(neuron.stake.0),
            emission_alpha: tao(neuron.emission.0),
            last_update: neuron.last_update,
        })
    }

    fn missing(&self) -> Failure {
        let Self { address, netuid, hotkey, wallet: (wallet, name) } = self;
        let chain = chain_option(address);
        let fix = format!(
            "`weighhouse chain register --chain {chain} --netuid {netuid} --wallet {wallet} --hotkey {name}` does that"
        );
        Failure::new(Exit::Denied, format!("hotkey {hotkey} is not registered in subnet {netuid}: {fix}"))
    }
}
