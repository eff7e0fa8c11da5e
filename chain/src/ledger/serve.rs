//! The ledger for roles on other hosts: `weighhouse.v1.Chain` over gRPC.
//!
//! Every answer names the genesis, so that a client notices when it talks to another chain. Nothing here decides
//! anything; strangers' bytes are bounded before they are read.

mod service;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use weighhouse_proto::v1::chain_server::ChainServer;
use weighhouse_seams::Listener;

use super::Ledger;
use super::extrinsic::EXTRINSIC_BYTES_MAX;
use crate::grpc::{self, ServeLimits};
use service::LedgerService;

/// The genesis hash in every answer's metadata, as hexadecimal digits.
pub(super) const GENESIS_HEADER: &str = "x-weighhouse-genesis";

/// In the answer for a block's beacon: what the chain did of itself in that block, in SCALE.
pub(super) const EVENTS_HEADER: &str = "x-weighhouse-hook-events-bin";

/// The most of it that is sent: clients bound their headers, and bytes grow by a third on the way.
const EVENTS_BYTES_MAX: usize = 8 * 1024;

/// One extrinsic and its frame.
const REQUEST_BYTES_MAX: usize = EXTRINSIC_BYTES_MAX + 1024;

/// Limits on what a served ledger takes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerLimits {
    pub serve: ServeLimits,
    /// Longest wait of `NextBlock`; below the request timeout.
    pub next_block_wait: Duration,
}

impl Default for LedgerLimits {
    fn default() -> Self {
        Self { serve: ServeLimits::default(), next_block_wait: Duration::from_secs(10) }
    }
}

/// Serves until `shutdown`, then lets requests finish for a while and closes what is left.
pub async fn serve(
    ledger: Ledger,
    listener: Box<dyn Listener>,
    limits: LedgerLimits,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), tonic::transport::Error> {
    let clock = Arc::clone(&ledger.0.clock);
    let (stop, stopping) = watch::channel(false);
    let service = ChainServer::new(LedgerService::new(ledger, limits.next_block_wait, stopping))
        .max_decoding_message_size(REQUEST_BYTES_MAX);
    let shutdown = async {
        shutdown.await;
        stop.send_replace(true);
    };
    let router = grpc::server(&limits.serve).add_service(service);
    grpc::serve(router, listener, limits.serve, clock, shutdown).await
}
