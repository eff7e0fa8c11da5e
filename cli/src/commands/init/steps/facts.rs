//! What a chain says of a role's hotkey, and of the costs of each step.

use weighhouse_chain::explain::{Regime, regime};
use weighhouse_chain::{Call, Chain};
use weighhouse_types::{Hotkey, Neuron, Rao, SubnetState};

use super::Setup;
use crate::commands::chain::fee;
use crate::commands::chain_failure;
use crate::commands::earnings::alpha_price;
use crate::failure::Failure;

#[derive(Debug)]
pub(super) struct Facts {
    pub(super) state: SubnetState,
    pub(super) price: Rao,
    pub(super) alpha_price: Option<Rao>,
    /// What an account keeps at least.
    pub(super) least: Rao,
    pub(super) register_fee: Option<Rao>,
    pub(super) stake_fee: Option<Rao>,
    /// Free balance of the coldkey, where there is one.
    pub(super) free: Option<Rao>,
    pub(super) regime: Regime,
}

impl Facts {
    pub(super) async fn ask(chain: &dyn Chain, setup: &Setup<'_>) -> Result<Self, Failure> {
        let netuid = setup.netuid;
        let state = chain.subnet(netuid).await.map_err(chain_failure)?;
        // A call costs the same for every hotkey.
        let hotkey = setup.hotkey.unwrap_or(Hotkey([0; 32]));
        let register = Call::Register { netuid, hotkey, limit: Rao(u64::MAX) };
        let stake = Call::AddStake { netuid, hotkey, amount: Rao::from_tao(1) };
        let free = match setup.coldkey {
            Some(coldkey) => Some(chain.balance(coldkey).await.map_err(chain_failure)?),
            None => None,
        };
        Ok(Self {
            price: chain.burn(netuid).await.map_err(chain_failure)?,
            alpha_price: alpha_price(chain, netuid).await?,
            least: chain.existential_deposit().await.map_err(chain_failure)?,
            register_fee: fee(chain, &register).await?,
            stake_fee: fee(chain, &stake).await?,
            free,
            regime: regime(chain, &state.hyperparameters).await.map_err(chain_failure)?,
            state,
        })
    }

    pub(super) fn neuron(&self, setup: &Setup<'_>) -> Option<&Neuron> {
        self.state.metagraph.by_hotkey(&setup.hotkey?)
    }
}
