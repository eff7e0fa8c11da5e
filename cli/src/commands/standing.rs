//! A hotkey's place in a subnet, as `check` and `status` report it.

use serde::Serialize;
use weighhouse_chain::Chain;
use weighhouse_types::{Block, Hotkey, Netuid, Uid};

use super::chain_failure;
use crate::failure::{Exit, Failure};
use crate::output::tao;

#[derive(Debug, Serialize)]
pub(crate) struct HotkeyStatus {
    pub(crate) head: Block,
    pub(crate) uid: Uid,
    pub(crate) validator_permit: bool,
    pub(crate) axon: Option<String>,
    pub(crate) stake_tao: String,
    pub(crate) emission_tao: String,
    pub(crate) last_update: Block,
}

impl HotkeyStatus {
    pub(crate) async fn ask(chain: &dyn Chain, netuid: Netuid, hotkey: Hotkey) -> Result<Self, Failure> {
        let state = chain.subnet(netuid).await.map_err(chain_failure)?;
        let neuron = state.metagraph.by_hotkey(&hotkey).ok_or_else(|| {
            Failure::new(
                Exit::Denied,
                format!(
                    "hotkey {hotkey} is not registered in subnet {netuid}: `weighhouse chain register` does that"
                ),
            )
        })?;
        Ok(Self {
            head: state.head.number,
            uid: neuron.uid,
            validator_permit: neuron.validator_permit,
            axon: neuron.axon.map(|axon| axon.address().to_string()),
            stake_tao: tao(neuron.stake.0),
            emission_tao: tao(neuron.emission.0),
            last_update: neuron.last_update,
        })
    }
}
