//! A Substrate runtime that isn't subtensor's, under chopsticks at the address in `WEIGHHOUSE_SUBSTRATE_URL`: what every
//! node has is used as on any.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;
use subxt::rpcs::client::rpc_params;
use weighhouse_types::Netuid;
use weighhouse_wallet::keypair::Keypair;

use super::metadata::skipped;
use super::suite::making_blocks;
use crate::conformance::{Actor, Actors, Connect, transport};
use crate::subtensor::{Network, Subtensor};
use crate::{ChainError, SharedChain};

const URL: &str = "WEIGHHOUSE_SUBSTRATE_URL";
/// It has no subnets to miss, and chopsticks can't read its errors.
const UNEXECUTED: [&str; 2] =
    ["a call without effect is refused by the chain's name", "what is missing is said to be"];

struct Dial(Network);

#[async_trait]
impl Connect for Dial {
    async fn connect(&self) -> Result<SharedChain, ChainError> {
        Ok(Arc::new(Subtensor::connect_to_any(&self.0).await?))
    }
}

fn actor(name: &str) -> Actor {
    let key = || Keypair::from_uri(&format!("//{name}")).expect("a development key");
    Actor { hotkey: key(), coldkey: key() }
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stderr, reason = "what was not executed must be seen")]
async fn transport_holds_on_any_substrate_runtime() {
    let Ok(url) = std::env::var(URL) else { return skipped(&format!("{URL} is not set")) };
    let network: Network = url.parse().expect("an address");
    let refused = Subtensor::connect(&network).await.expect_err("it is no subtensor");
    assert!(matches!(refused, ChainError::Runtime { .. }), "{refused}");
    let chain = Subtensor::connect_to_any(&network).await.expect("connected");
    let (validators, miners) = (vec![actor("Alice")], vec![actor("Bob")]);
    let rich = |actor: &Actor| {
        let account = json!({ "providers": 1, "data": { "free": "1000000000000000000" } });
        json!([[actor.coldkey.coldkey().to_string()], account])
    };
    let accounts = json!({ "System": { "Account": [rich(&validators[0]), rich(&miners[0])] } });
    let set: Result<serde_json::Value, _> =
        chain.0.endpoints.ask("dev_setStorage", &rpc_params![accounts]).await;
    set.expect("balances");
    let actors = Actors { netuid: Netuid(0), owner: None, validators, miners, newcomer: None };
    let report = making_blocks(&chain, transport(&Dial(network), &actors)).await;
    eprint!("{report}");
    assert_eq!(report.failed(), []);
    assert_eq!(report.unexecuted(), UNEXECUTED);
}
