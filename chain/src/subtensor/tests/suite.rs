//! The suite of [`crate::conformance`] on a real runtime, with somebody who makes blocks.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use subxt::rpcs::client::rpc_params;

use crate::conformance::{Actors, Connect, subnet, transport};
use crate::subtensor::{Network, Subtensor};
use crate::{ChainError, SharedChain};

/// Steps that spec 293 has no call for.
const UNEXECUTED: [&str; 2] =
    ["timelocked weights open by themselves", "an epoch is triggered ahead of time"];

struct Dial(Network);

#[async_trait]
impl Connect for Dial {
    async fn connect(&self) -> Result<SharedChain, ChainError> {
        Ok(Arc::new(Subtensor::connect(&self.0).await?))
    }
}

/// Something while blocks are made one after the other.
pub(super) async fn making_blocks<T>(chain: &Subtensor, something: impl Future<Output = T>) -> T {
    let maker = chain.clone();
    let blocks = tokio::spawn(async move {
        loop {
            let made: Result<String, _> = maker.0.endpoints.ask("dev_newBlock", &rpc_params![]).await;
            made.expect("a block");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let outcome = something.await;
    assert!(!blocks.is_finished(), "the runtime stopped making blocks");
    blocks.abort();
    outcome
}

/// Runs both levels.
#[expect(clippy::print_stderr, reason = "what was not executed must be seen")]
pub(super) async fn passes(chain: &Subtensor, network: Network, actors: &Actors) {
    let both = async { (transport(&Dial(network), actors).await, subnet(chain, actors).await) };
    let (transport, subnet) = making_blocks(chain, both).await;
    eprint!("{transport}{subnet}");
    assert_eq!(transport.failed(), []);
    assert_eq!(transport.unexecuted(), [""; 0]);
    assert_eq!(subnet.failed(), []);
    assert_eq!(subnet.unexecuted(), UNEXECUTED);
}
