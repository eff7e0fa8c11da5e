//! The address of the verdicts' service on the chain, where miners look for it.

use std::net::SocketAddr;

use tracing::{info, warn};
use weighhouse_ask::verdicts::ENDPOINT_VERSION;
use weighhouse_chain::{Call, ChainError};
use weighhouse_seams::ClockExt as _;
use weighhouse_types::{Axon, Block};

use super::{CHAIN_DEADLINE, Validator};
use crate::metrics;

/// Blocks between two looks at the chain's word on our address.
const LOOK_BLOCKS: u64 = 25;

/// The address to publish, and the block of the last look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Endpoint {
    address: SocketAddr,
    looked: Option<Block>,
}

impl Validator {
    /// Publishes an address as the one where this validator serves verdicts, while it runs.
    pub fn publish_endpoint(&mut self, address: SocketAddr) {
        // As the chain gives it back.
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        self.endpoint = Some(Endpoint { address, looked: None });
    }

    /// Sees now and then that the chain has our address, and hands it in where it hasn't. A hotkey has one call under way at a
    /// time, so weights go first; nothing waits for the outcome, which the next look shows.
    pub(super) async fn tell_endpoint(&mut self, block: Block) {
        let Some(Endpoint { address, looked }) = self.endpoint else { return };
        let is_due = looked.is_none_or(|looked| block.saturating_since(looked) >= LOOK_BLOCKS);
        if !is_due || self.publications.is_in_flight() {
            return;
        }
        self.endpoint = Some(Endpoint { address, looked: Some(block) });
        let handing_in = self.parts.clock.timeout(CHAIN_DEADLINE, self.hand_in(address)).await;
        let told =
            handing_in.map_err(|late| late.to_string()).and_then(|told| told.map_err(|e| e.to_string()));
        match told {
            Ok(true) => info!(%address, "the address of the verdicts' service was handed to the chain"),
            Ok(false) => {}
            Err(error) => {
                metrics::chain_error();
                warn!(%error, %address, "miners can't find the verdicts' service on the chain yet; trying again later");
            }
        }
    }

    /// True where the chain had another address or none.
    async fn hand_in(&self, address: SocketAddr) -> Result<bool, ChainError> {
        let (chain, netuid) = (&self.parts.chain, self.parts.netuid);
        let published = chain.prometheus(netuid, self.parts.keypair.hotkey()).await?;
        let is_ours = |endpoint: &Axon| (endpoint.address(), endpoint.version) == (address, ENDPOINT_VERSION);
        if published.as_ref().is_some_and(is_ours) {
            return Ok(false);
        }
        let endpoint = Axon::new(address, ENDPOINT_VERSION, Block(0));
        let call = chain.sign(&self.parts.keypair, Call::ServePrometheus { netuid, endpoint }).await?;
        chain.submit(&call).await?;
        Ok(true)
    }
}
