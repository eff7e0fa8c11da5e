//! A development chain under chopsticks: balances out of nothing, blocks on demand, root's calls. For tests of what lives
//! on a real runtime.

use serde_json::json;
use subxt::dynamic::Value;
use subxt::rpcs::client::{RpcParams, rpc_params};
use weighhouse_types::{Coldkey, Head, Hotkey, Netuid, SubnetState};
use weighhouse_wallet::keypair::Keypair;

use super::calls::{self, Payload, number};
use super::{Network, Subtensor, sign};
use crate::{Call, CallOutcome, Chain as _, ChainError, SignedCall};

/// Free balance of an endowed account, in rao: a million TAO.
const ENDOWMENT: &str = "1000000000000000";
/// The first subnet that is registered on a new chain.
const FIRST: Netuid = Netuid(2);
/// Registrations that fit into a block.
const CROWD_PER_BLOCK: usize = 16;

/// A chain that makes a block when asked.
#[derive(Debug)]
pub struct Development {
    pub chain: Subtensor,
    root: Keypair,
}

impl Development {
    /// Connects and makes `root` the key of root's calls, with a balance.
    pub async fn connect(network: &Network, root: Keypair) -> Result<Self, ChainError> {
        let development = Self { chain: Subtensor::connect(network).await?, root };
        let key = development.root.coldkey();
        development.store(&json!({ "Sudo": { "Key": key.to_string() } })).await?;
        development.endow(&[key]).await?;
        Ok(development)
    }

    /// One block, of everything that was handed in.
    pub async fn block(&self) -> Result<(), ChainError> {
        let _: String = self.chain.0.endpoints.ask("dev_newBlock", &rpc_params![]).await?;
        Ok(())
    }

    pub async fn blocks(&self, count: usize) -> Result<(), ChainError> {
        for _ in 0..count {
            self.block().await?;
        }
        Ok(())
    }

    /// Gives accounts a balance.
    pub async fn endow(&self, accounts: &[Coldkey]) -> Result<(), ChainError> {
        // Without a provider the runtime refuses the account's calls, whatever its balance.
        let rich = json!({ "providers": 1, "data": { "free": ENDOWMENT } });
        let accounts: Vec<_> = accounts.iter().map(|account| json!([[account.to_string()], rich])).collect();
        self.store(&json!({ "System": { "Account": accounts } })).await
    }

    async fn store(&self, storage: &serde_json::Value) -> Result<(), ChainError> {
        let _: serde_json::Value =
            self.chain.0.endpoints.ask("dev_setStorage", &rpc_params![storage]).await?;
        Ok(())
    }

    /// Signs root's calls, puts them into one block and insists that each had its effect.
    pub(super) async fn together(&self, payloads: &[Payload]) -> Result<(), ChainError> {
        let (head, runtime) = self.chain.now().await?;
        let first = self.chain.next_nonce(&self.root.public()).await?;
        let sign = |(nonce, payload)| sign::sign(&runtime, &self.root, payload, nonce, head);
        let signed: Result<Vec<SignedCall>, _> = (first..).zip(payloads).map(sign).collect();
        for outcome in self.include(&signed?).await? {
            match outcome {
                CallOutcome::Included { .. } => {}
                CallOutcome::Refused { refusal, .. } => return Err(ChainError::Refused(refusal)),
                CallOutcome::Pending | CallOutcome::Expired => {
                    return Err(ChainError::Expired { last: head.number });
                }
            }
        }
        Ok(())
    }

    /// Hands all in for one block, and says what became of each.
    pub async fn include(&self, signed: &[SignedCall]) -> Result<Vec<CallOutcome>, ChainError> {
        for signed in signed {
            self.chain.submit(signed).await?;
        }
        self.block().await?;
        let mut outcomes = Vec::new();
        for signed in signed {
            outcomes.push(self.chain.outcome(signed).await?);
        }
        Ok(outcomes)
    }

    /// Signs one call for each account and puts all into one block.
    pub async fn all(&self, calls: Vec<(&Keypair, Call)>) -> Result<Vec<CallOutcome>, ChainError> {
        let mut signed = Vec::new();
        for (signer, call) in calls {
            signed.push(self.chain.sign(signer, call).await?);
        }
        self.include(&signed).await
    }

    /// Registers a subnet of root's and lets it run with a short tempo and without limits of rate.
    pub async fn make_subnet(&self, tempo: u16) -> Result<Netuid, ChainError> {
        let free = sudo("sudo_set_network_rate_limit", vec![("rate_limit", number(0_u8))]);
        self.together(&[free]).await?;
        self.blocks(2).await?;
        let hotkey = vec![("hotkey", Value::from_bytes(self.root.public()))];
        self.together(&[calls::raw("SubtensorModule", "register_network", hotkey)]).await?;
        self.together(&rules(tempo)).await?;
        self.blocks(10).await?;
        let netuid = vec![("netuid", number(FIRST.0))];
        self.together(&[calls::raw("SubtensorModule", "start_call", netuid)]).await?;
        Ok(FIRST)
    }

    /// Turns commit-reveal on or off.
    pub async fn commit_reveal(&self, enabled: bool) -> Result<(), ChainError> {
        self.together(&[flag("sudo_set_commit_reveal_weights_enabled", "enabled", enabled)]).await
    }

    /// Registers hotkeys that belong to root, some blocks' worth at once.
    pub async fn crowd(&self, hotkeys: &[Hotkey]) -> Result<(), ChainError> {
        let register = |hotkey: &Hotkey| {
            let arguments = vec![("netuid", number(FIRST.0)), ("hotkey", Value::from_bytes(hotkey.0))];
            calls::raw("SubtensorModule", "burned_register", arguments)
        };
        for some in hotkeys.chunks(CROWD_PER_BLOCK) {
            self.together(&some.iter().map(register).collect::<Vec<_>>()).await?;
        }
        Ok(())
    }

    /// Any request to the node, for who stands between it and others.
    pub async fn request(
        &self,
        method: &str,
        arguments: Vec<serde_json::Value>,
    ) -> Result<serde_json::Value, ChainError> {
        let mut params = RpcParams::new();
        for argument in arguments {
            params.push(argument).map_err(|error| ChainError::Undecodable(error.to_string()))?;
        }
        self.chain.0.endpoints.ask(method, &params).await
    }

    pub async fn head(&self) -> Result<Head, ChainError> {
        self.chain.head().await
    }

    pub async fn subnet(&self) -> Result<SubnetState, ChainError> {
        self.chain.subnet(FIRST).await
    }
}

fn sudo(name: &str, arguments: Vec<(&str, Value)>) -> Payload {
    let call = Value::unnamed_variant("AdminUtils", [Value::named_variant(name, arguments)]);
    calls::raw("Sudo", "sudo", vec![("call", call)])
}

fn flag(name: &str, argument: &'static str, on: bool) -> Payload {
    sudo(name, vec![("netuid", number(FIRST.0)), (argument, Value::bool(on))])
}

fn rules(tempo: u16) -> Vec<Payload> {
    let figures: [(&str, &str, u64); 11] = [
        ("sudo_set_serving_rate_limit", "serving_rate_limit", 0),
        ("sudo_set_tempo", "tempo", tempo.into()),
        ("sudo_set_weights_set_rate_limit", "weights_set_rate_limit", 0),
        ("sudo_set_min_allowed_weights", "min_allowed_weights", 1),
        ("sudo_set_max_weight_limit", "max_weight_limit", 65_535),
        ("sudo_set_max_registrations_per_block", "max_registrations_per_block", 300),
        ("sudo_set_target_registrations_per_interval", "target_registrations_per_interval", 300),
        ("sudo_set_immunity_period", "immunity_period", 1),
        ("sudo_set_max_allowed_validators", "max_allowed_validators", 8),
        ("sudo_set_kappa", "kappa", 32_767),
        ("sudo_set_activity_cutoff", "activity_cutoff", 5000),
    ];
    let of_subnet = |(name, argument, value): (&str, &'static str, u64)| {
        sudo(name, vec![("netuid", number(FIRST.0)), (argument, number(value))])
    };
    let mut payloads: Vec<Payload> = figures.into_iter().map(of_subnet).collect();
    payloads.insert(7, sudo("sudo_set_stake_threshold", vec![("min_stake", number(0_u8))]));
    payloads.insert(8, flag("sudo_set_subtoken_enabled", "subtoken_enabled", true));
    payloads.insert(9, flag("sudo_set_network_registration_allowed", "registration_allowed", true));
    payloads.insert(10, flag("sudo_set_commit_reveal_weights_enabled", "enabled", false));
    payloads
}
