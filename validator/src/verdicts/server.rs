//! Serving: verification before everything, few connections, small bodies.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tonic::service::LayerExt as _;
use tracing::info;
use weighhouse_chain::Chain;
use weighhouse_chain::grpc::{self, ServeLimits};
use weighhouse_proto::method;
use weighhouse_proto::v1::verdicts_service_server::VerdictsServiceServer;
use weighhouse_proto::v1::witness_service_server::WitnessServiceServer;
use weighhouse_seams::{Clock, CpuPool, Dialer, Listener, Storage};
use weighhouse_types::Netuid;
use weighhouse_wallet::http::{VerifyLayer, VerifyLimits, VerifyParts};
use weighhouse_wallet::keypair::Keypair;
use weighhouse_wallet::replay::{ReplayGuard, ReplayLimits, ReplayOpenError};

use super::gate::{Gate, Registered};
use super::reach::Reacher;
use super::service::Verdicts;
use super::shelf::Shelf;
use crate::log::{Witness, WitnessBook};

/// A miner's request is two numbers; a validator's has a checkpoint with its witnesses, and a proof.
const REQUEST_BYTES_MAX: usize = 96 << 10;
const BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// Bodies of all requests under way.
const HELD_BYTES_MAX: usize = 4 << 20;
const CONNECTIONS_MAX: usize = 128;
/// A miner's or a validator's machine needs two or three.
const PER_NETWORK_MAX: usize = 16;
const STREAMS_MAX: u32 = 4;
/// Callers that wait while one's epoch is read.
const QUEUE_MAX: usize = 32;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// What the service is made of.
#[derive(Debug)]
pub struct VerdictsParts {
    pub netuid: Netuid,
    pub keypair: Arc<Keypair>,
    pub chain: Arc<dyn Chain>,
    /// Dials miners that ask for it.
    pub dialer: Arc<dyn Dialer>,
    pub clock: Arc<dyn Clock>,
    /// Bound before, so that a taken port is the caller's error.
    pub listener: Box<dyn Listener>,
    /// The journal's folder, where the replay guard's high-water mark lies too.
    pub storage: Arc<dyn Storage>,
    /// Requests of one hotkey a minute.
    pub requests_max: u32,
    pub(crate) shelf: Shelf,
    pub(crate) registered: Registered,
    pub(crate) book: Arc<WitnessBook>,
}

/// Why serving ended.
#[derive(Debug, thiserror::Error)]
pub enum VerdictsError {
    #[error(transparent)]
    Replay(#[from] ReplayOpenError),
    #[error("serving verdicts ended: {0}")]
    Serve(#[from] tonic::transport::Error),
    #[error("the replay guard's lease could not be given back: {0}")]
    Release(std::io::Error),
}

/// Serves until `shutdown`.
///
/// # Errors
/// An unreadable high-water mark, or a server that can't run.
pub async fn serve(parts: VerdictsParts, shutdown: CancellationToken) -> Result<(), VerdictsError> {
    let VerdictsParts {
        netuid,
        keypair,
        chain,
        dialer,
        clock,
        listener,
        storage,
        requests_max,
        shelf,
        registered,
        book,
    } = parts;
    let replay = Arc::new(ReplayGuard::open(storage, clock.clone(), ReplayLimits::STANDARD)?);
    let verify = VerifyLayer::new(VerifyParts {
        hotkey: keypair.hotkey(),
        is_signed: |path| [method::EXPLAIN, method::REACH, method::COSIGN, method::NEWEST].contains(&path),
        admission: Arc::new(Gate::new(registered.clone(), clock.clone(), requests_max)),
        replay: replay.clone(),
        clock: clock.clone(),
        // Signatures never wait behind an epoch that is read.
        pool: CpuPool::new(1, CONNECTIONS_MAX),
        limits: VerifyLimits {
            body_bytes: REQUEST_BYTES_MAX,
            body_deadline: BODY_TIMEOUT,
            held_bytes: HELD_BYTES_MAX,
        },
    });
    info!(listen = %listener.local_addr(), "verdicts are served to the miners they are about");
    let reacher = Arc::new(Reacher {
        netuid,
        chain,
        dialer,
        clock: clock.clone(),
        registered,
        dialled: Mutex::default(),
    });
    let service = Verdicts { shelf, netuid, keypair, cpu: CpuPool::new(1, QUEUE_MAX), reacher };
    let service = VerdictsServiceServer::new(service).max_decoding_message_size(REQUEST_BYTES_MAX);
    // Beside the statements' thread: a witness doesn't wait behind an epoch that is read.
    let witness = Witness { book, cpu: CpuPool::new(1, QUEUE_MAX) };
    let witness = WitnessServiceServer::new(witness).max_decoding_message_size(REQUEST_BYTES_MAX);
    let limits = ServeLimits {
        connections_max: CONNECTIONS_MAX,
        per_network_max: PER_NETWORK_MAX,
        streams_max: STREAMS_MAX,
        request_timeout: REQUEST_TIMEOUT,
        ..ServeLimits::default()
    };
    let router = grpc::server(&limits)
        .add_service(verify.named_layer(service))
        .add_service(verify.named_layer(witness));
    grpc::serve(router, listener, limits, clock, shutdown.cancelled_owned()).await?;
    replay.release().map_err(VerdictsError::Release)
}
