//! A miner's life: read the subnet, serve, publish the axon, keep the roster fresh, drain.
//!
//! Everything runs in one task set that ends with [`run`]; what tonic spawns per connection is cut at the drain
//! deadline. The miner refuses to start, and stops, when its hotkey is not registered: it would earn nothing.

mod announce;
mod committing;
mod health;
mod keys;
mod layers;
mod reached;
mod report;
mod roster;
mod several;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::service::LayerExt as _;
use tonic::transport::Server;
use tonic_health::pb::health_server::{Health, HealthServer};
use tracing::{Instrument as _, Span};
use weighhouse_ask::Asker;
use weighhouse_chain::{Chain, ChainError};
use weighhouse_proto::inference::grpc_inference_service_server::GrpcInferenceServiceServer;
use weighhouse_proto::v1::miner_server::MinerServer;
use weighhouse_seams::{
    Clock, ClockExt as _, CpuPool, Entropy, Listener, Plaintext, Storage, TcpDialer, TlsAcceptor,
};
use weighhouse_types::{Hotkey, Netuid, SubnetState};
use weighhouse_wallet::btauth::Signer;
use weighhouse_wallet::keypair::Keypair;
use weighhouse_wallet::replay::{ReplayGuard, ReplayLimits, ReplayOpenError};

use self::announce::Announced;
use self::health::HealthWatch;
pub use self::keys::{Keys, KeysError};
pub(crate) use self::report::OwnStanding;
pub use self::several::run_all;
use crate::admission::{Gate, PlaceLimits, Places, Roster};
use crate::callers::Callers;
use crate::config::{Admission, Config, MinerLimits, Tls};
use crate::incoming::{self, ConnectionLimits};
use crate::live::Live;
use crate::receipts::Receipts;
use crate::sealing::SealedAnswers;
use crate::service::MinerService;

/// Streams that a peer opened and reset before they were looked at (rapid reset): more close the connection.
const PENDING_RESETS_MAX: usize = 20;
/// Streams that were reset for a peer's errors: more close the connection.
const ERROR_RESETS_MAX: usize = 64;

/// A message of receipts: the most that one has, each with the longest proof.
const RECEIPTS_BYTES_MAX: usize = 32 << 10;

/// Time for the last statuses to reach their callers.
const CUT_GRACE: Duration = Duration::from_secs(1);

/// Parts that a miner is made of.
#[derive(Debug)]
pub struct Parts {
    pub config: Config,
    pub keypair: Arc<Keypair>,
    pub chain: Arc<dyn Chain>,
    /// The models and the admission that are in force; `config` has no say in them any more.
    pub live: Arc<Live>,
    /// Bound before, so that a taken port is the caller's error.
    pub listener: Box<dyn Listener>,
    pub clock: Arc<dyn Clock>,
    /// The folder of the replay guard's high-water mark and the keys of TLS.
    pub storage: Arc<dyn Storage>,
    /// Salts of commitments.
    pub entropy: Entropy,
    /// Checks signatures.
    pub cpu: CpuPool,
    /// True while requests can be answered: signed ones pass, and the servers behind models answer. What supervisors wait
    /// for. Sent anew every second while the miner serves.
    pub ready: watch::Sender<bool>,
    /// Cancelling it drains and ends the miner.
    pub shutdown: CancellationToken,
}

#[derive(Debug, thiserror::Error)]
pub enum MinerError {
    #[error("{0}")]
    Chain(#[from] ChainError),
    #[error("the chain didn't answer in {seconds} s; check `chain.endpoints`")]
    ChainTimeout { seconds: u64 },
    #[error(
        "hotkey {hotkey} is not registered in subnet {netuid}; register it first (weighhouse chain register --netuid {netuid} \
         --wallet WALLET --hotkey HOTKEY)"
    )]
    NotRegistered { hotkey: Hotkey, netuid: Netuid },
    #[error(
        "the miner listens on {listen}, which nobody can dial: set `external` beside `listen` to the address to publish"
    )]
    NoExternalAddress { listen: SocketAddr },
    #[error(transparent)]
    Replay(#[from] ReplayOpenError),
    #[error("the answers that this miner has committed to can't be listed in state.dir: {0}")]
    Sealed(io::Error),
    #[error("TLS: {0}")]
    Keys(#[from] KeysError),
    #[error("serving ended: {0}")]
    Serve(#[from] tonic::transport::Error),
    #[error("the replay guard's lease could not be given back: {0}")]
    Release(io::Error),
    #[error("a task of the miner panicked")]
    Panicked,
}

/// Serves until `shutdown` is cancelled or the miner can't go on.
pub async fn run(parts: Parts) -> Result<(), MinerError> {
    let Parts { config, keypair, chain, live, listener, clock, storage, entropy, cpu, ready, shutdown } =
        parts;
    let (hotkey, netuid) = (keypair.hotkey(), config.chain.netuid);
    let address = announce::address(config.serve.external, listener.local_addr())?;
    let keys = if config.serve.tls == Tls::Off { None } else { Some(Keys::open(&*storage)?) };
    let announced = Announced { address, pin: keys.as_ref().map(Keys::pin) };
    let tls = keys.map(|keys| keys.acceptor(plaintext(config.serve.tls)));
    let source =
        roster::RosterSource { chain, clock: clock.clone(), netuid, timeout: config.limits.chain_timeout };
    // Before anything is served: a miner without a place in the subnet would earn nothing and answer strangers.
    let (state, pin) = futures::try_join!(source.read(), source.pin(hotkey))?;
    check_registered(&state, hotkey)?;
    let admission = live.admission();
    let remembered = remembered(&admission.borrow());
    let guard = Arc::new(ReplayGuard::open(storage.clone(), clock.clone(), remembered)?);

    let (roster_sender, roster) = watch::channel(Arc::new(Roster::from(&state.metagraph)));
    let (places, callers) = (places(&config.limits), Callers::new(clock.clone()));
    let gate = Gate::new(admission.clone(), roster, places.clone(), callers.clone(), clock.clone());
    let gate = Arc::new(gate);
    // A child, so that the miner's own failure stops its tasks and not its caller's.
    let stop = shutdown.child_token();
    let passes = watch::Sender::new(false);
    let about = (hotkey, config.limits.clone());
    let receipts = Receipts::new(hotkey, (source.chain.genesis(), netuid), storage.clone());
    let subnet = (source.chain.genesis(), netuid);
    let sealed = SealedAnswers::open(hotkey, subnet, storage.clone(), entropy).map_err(MinerError::Sealed)?;
    let roots = sealed.roots();
    let noted = (callers.clone(), receipts, sealed);
    let service = MinerService::new(live.clone(), about, noted, passes.subscribe(), stop.clone());
    let (reporter, health) = health::service().await;
    let telling = HealthWatch {
        reporter,
        passes: passes.subscribe(),
        live: live.clone(),
        guard: guard.clone(),
        able: ready,
        clock: clock.clone(),
        stop: stop.clone(),
    };
    tracing::info!(%hotkey, %netuid, listen = %listener.local_addr(), axon = %address, tls = ?config.serve.tls, "miner starts");
    if config.serve.tls == Tls::Off {
        tracing::warn!(
            "serve.tls is off: whoever sees the traffic reads questions and answers, which stay signed"
        );
    }

    let serving = Serving {
        service,
        live: live.clone(),
        gate: gate.clone(),
        places,
        callers: callers.clone(),
        guard: guard.clone(),
        keypair: keypair.clone(),
        cpu,
        tls: tls.clone(),
    };
    let (limits, streams) = (config.limits.clone(), config.text.stream_timeout);
    let mut tasks: JoinSet<Result<(), MinerError>> = JoinSet::new();
    tasks.spawn(
        serve(serving, health, listener, limits, streams, clock.clone(), stop.clone()).in_current_span(),
    );
    tasks.spawn(telling.run().map(Ok).in_current_span());
    let standing = watch::Sender::new(report::OwnStanding::of(&state, &hotkey, pin));
    let reporting = report::report(hotkey, callers, standing.subscribe(), clock.clone());
    tasks.spawn(until(stop.clone(), reporting.map(Ok)).in_current_span());
    let watching = async move {
        live.watch().await;
        Ok(())
    };
    tasks.spawn(until(stop.clone(), watching).in_current_span());
    tasks.spawn(until(stop.clone(), remember(guard.clone(), admission).map(Ok)).in_current_span());
    if let Some(tls) = tls {
        let forgetting = keys::forget_old(tls, storage, announced, standing.subscribe());
        tasks.spawn(until(stop.clone(), forgetting.map(Ok)).in_current_span());
    }
    let signer = Arc::new(Signer::new(keypair.clone(), clock.clone()));
    let asker = Asker { signer, dialer: Arc::new(TcpDialer), clock: clock.clone() };
    let reached = reached::watch(source.clone(), asker, announced, standing.subscribe());
    tasks.spawn(until(stop.clone(), reached.map(Ok)).in_current_span());
    let committing = committing::publish(source.clone(), keypair.clone(), roots);
    tasks.spawn(until(stop.clone(), committing).in_current_span());
    let announcing =
        announce(source.clone(), keypair, announced, guard.ready_in(), passes, standing.subscribe());
    tasks.spawn(until(stop.clone(), announcing).in_current_span());
    let senders = (roster_sender, standing);
    let refresh = roster::refresh(source, hotkey, gate, senders, state.head.number);
    tasks.spawn(until(stop.clone(), refresh).in_current_span());

    let outcome = all_end(tasks, &stop).await;
    // A clean stop gives the lease back; after a failure the next run waits it out.
    outcome.and_then(|()| guard.release().map_err(MinerError::Release))
}

/// The first failure, or the end of serving, ends everything else; draining takes place in `serve`.
async fn all_end(
    mut tasks: JoinSet<Result<(), MinerError>>,
    stop: &CancellationToken,
) -> Result<(), MinerError> {
    let mut outcome = Ok(());
    while let Some(ended) = tasks.join_next().await {
        let ended = ended.unwrap_or(Err(MinerError::Panicked));
        if let (Err(error), true) = (ended, outcome.is_ok()) {
            tracing::error!(%error, "miner stops");
            stop.cancel();
            outcome = Err(error);
        }
    }
    outcome
}

fn places(limits: &MinerLimits) -> Arc<Places> {
    Places::new(PlaceLimits {
        proven: limits.in_flight_max,
        unproven: limits.unproven_max,
        unproven_per_network: limits.unproven_per_address_max,
        // The others are for proven requests; a body alone may be as large as it may.
        unproven_bytes: (limits.held_bytes_max / 2).max(limits.request_bytes_max * 4),
    })
}

/// Publishes the axon, and again where the chain has lost it, once signed requests pass: being announced earlier would only
/// earn failed ones.
async fn announce(
    source: roster::RosterSource,
    keypair: Arc<Keypair>,
    ours: Announced,
    wait: Duration,
    passes: watch::Sender<bool>,
    standing: watch::Receiver<Option<report::OwnStanding>>,
) -> Result<(), MinerError> {
    if !wait.is_zero() {
        tracing::info!(
            wait_ms = wait.as_millis(),
            "an earlier run was cut off: its replay lease runs out first"
        );
        source.clock.sleep(wait).await;
    }
    passes.send_replace(true);
    announce::publish(source, keypair, ours, standing).await
}

fn remembered(admission: &Admission) -> ReplayLimits {
    ReplayLimits::of_quota(admission.requests_per_second.get(), admission.burst.get())
}

/// Keeps what the guard remembers in step with what callers may ask.
async fn remember(guard: Arc<ReplayGuard>, mut admission: watch::Receiver<Arc<Admission>>) {
    while admission.changed().await.is_ok() {
        let limits = remembered(&admission.borrow_and_update());
        guard.limit(limits);
    }
    std::future::pending().await
}

fn plaintext(tls: Tls) -> Plaintext {
    if tls == Tls::Required { Plaintext::Refused } else { Plaintext::Served }
}

fn check_registered(state: &SubnetState, hotkey: Hotkey) -> Result<(), MinerError> {
    match state.metagraph.by_hotkey(&hotkey) {
        Some(_) => Ok(()),
        None => Err(MinerError::NotRegistered { hotkey, netuid: state.metagraph.netuid }),
    }
}

async fn until(
    stop: CancellationToken,
    work: impl Future<Output = Result<(), MinerError>>,
) -> Result<(), MinerError> {
    tokio::select! {
        outcome = work => outcome,
        () = stop.cancelled() => Ok(()),
    }
}

/// Services and limits that the server is assembled from.
struct Serving {
    service: MinerService,
    live: Arc<Live>,
    gate: Arc<Gate>,
    places: Arc<Places>,
    callers: Arc<Callers>,
    guard: Arc<ReplayGuard>,
    keypair: Arc<Keypair>,
    cpu: CpuPool,
    tls: Option<TlsAcceptor>,
}

async fn serve(
    serving: Serving,
    health: HealthServer<impl Health>,
    listener: Box<dyn Listener>,
    limits: MinerLimits,
    stream_timeout: Duration,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) -> Result<(), MinerError> {
    let Serving { service, live, gate, places, callers, guard, keypair, cpu, tls } = serving;
    let (cut, kill) = (CancellationToken::new(), CancellationToken::new());
    let connections = ConnectionLimits {
        total: limits.connections_max,
        per_network: limits.connections_per_address_max,
        streams_max: limits.streams_per_connection_max,
        handshake_timeout: limits.handshake_timeout,
        // Older connections are asked to leave first; the cut comes only after the longest request could have ended.
        age_max: limits.connection_age_max + limits.request_timeout.max(stream_timeout) + stream_timeout,
    };
    let incoming = incoming::accept(listener, connections, tls, clock.clone(), kill.clone());
    let auth = layers::auth(gate, guard, &keypair, &clock, cpu, &limits);
    let inference =
        GrpcInferenceServiceServer::new(service.clone()).max_decoding_message_size(limits.request_bytes_max);
    let server = builder(&limits)
        .layer(layers::Overall {
            places,
            callers,
            live,
            request_timeout: limits.request_timeout,
            stream_timeout,
            span: Span::current(),
            clock: clock.clone(),
            stop: stop.clone(),
            cut: cut.clone(),
        })
        .add_service(auth.named_layer(inference))
        .add_service(health)
        // Its one signed path passes the same layers; what isn't signed is bounded before.
        .add_service(
            auth.named_layer(MinerServer::new(service).max_decoding_message_size(RECEIPTS_BYTES_MAX)),
        )
        .serve_with_incoming_shutdown(incoming, stop.clone().cancelled_owned());
    tokio::pin!(server);
    tokio::select! {
        // First: without requests the server ends at once.
        biased;
        () = stop.cancelled() => tracing::info!("miner drains"),
        ended = &mut server => return Ok(ended?),
    }
    if clock.timeout(limits.drain_timeout, &mut server).await.is_err() {
        tracing::warn!(
            "requests were still running at the drain deadline (limits.drain_timeout); they are cut"
        );
        // Each is told so with a status, which needs a moment to be sent.
        cut.cancel();
        let _ = clock.timeout(CUT_GRACE, &mut server).await;
    }
    // Whatever is left belongs to peers that don't read; nothing of ours waits for them.
    kill.cancel();
    Ok(())
}

/// Every limit that tonic and h2 know of, set by name.
fn builder(limits: &MinerLimits) -> Server {
    Server::builder()
        .concurrency_limit_per_connection(limits.streams_per_connection_max as usize)
        // Refused at once and not queued: a validator's deadline runs on while a request waits.
        .load_shed(true)
        .max_concurrent_streams(limits.streams_per_connection_max)
        .http2_keepalive_interval(Some(limits.keepalive_interval))
        .http2_keepalive_timeout(Some(limits.keepalive_timeout))
        // No grace here: tonic would then cut the connection without asking. `incoming` cuts it.
        .max_connection_age(limits.connection_age_max)
        .http2_max_header_list_size(limits.header_bytes_max)
        .http2_max_pending_accept_reset_streams(Some(PENDING_RESETS_MAX))
        .http2_max_local_error_reset_streams(Some(ERROR_RESETS_MAX))
        // gRPC speaks HTTP/2 alone, and a second parser is a second thing to attack.
        .accept_http1(false)
}

#[cfg(test)]
mod tests;
