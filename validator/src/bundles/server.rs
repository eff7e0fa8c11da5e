//! Connections: few, short, and cut where their caller doesn't keep up.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use weighhouse_ask::connections;
use weighhouse_journal::Journal;
use weighhouse_seams::{BoxIo, Clock, CpuPool, Listener, Networks, Storage};

use super::answer::{Body, Site, text};
use super::catalogue::Catalogue;
use super::pace::Pace;
use crate::config::BundlesSection;
use crate::role::Progress;

/// Connections at once; more wait in the kernel's queue.
pub(super) const CONNECTIONS_MAX: usize = 64;
/// Connections of one network at once.
pub(super) const PER_NETWORK_MAX: usize = 8;
/// Connections beyond them that are told so at once, and their time.
pub(super) const REFUSALS_MAX: usize = 4;
const REFUSAL_TIME: Duration = Duration::from_secs(1);
/// For a request's head, which is all of it.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// Bytes of it; hyper takes no less.
const HEAD_BYTES_MAX: usize = 8 << 10;
/// For a response, besides the time that its bytes take at [`SLOWEST`].
const RESPONSE_TIME: Duration = Duration::from_secs(30);
/// Bytes a second that a caller takes at least, or it is cut: it may go on with the part that it lacks.
const SLOWEST: u64 = 16 << 10;
/// Threads that read pieces of files.
const READERS: usize = 2;

/// What the server is made of.
#[derive(Debug)]
pub struct BundlesParts {
    pub clock: Arc<dyn Clock>,
    /// Bound before, so that a taken port is the caller's error.
    pub listener: Box<dyn Listener>,
    pub section: BundlesSection,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) journal: Arc<Mutex<Journal>>,
    pub(crate) progress: watch::Receiver<Progress>,
}

/// Serves until `shutdown`.
pub async fn serve(parts: BundlesParts, shutdown: CancellationToken) {
    let BundlesParts { clock, listener, section, storage, journal, progress } = parts;
    let local = listener.local_addr();
    let site = Arc::new(Site {
        catalogue: Catalogue::new(journal, storage.clone(), section.keep_epochs),
        storage,
        cpu: CpuPool::new(READERS, CONNECTIONS_MAX),
        refusals: Arc::new(Semaphore::new(REFUSALS_MAX)),
        pace: Pace::new(section.bytes_per_second.0, clock.clone()),
        local: local.to_string(),
    });
    info!(listen = %local, "bundles of public epochs are served to anybody");
    let networks = Networks::new(PER_NETWORK_MAX);
    let serving = connections::serve(listener, CONNECTIONS_MAX, &clock, &shutdown, |io, peer| {
        connection(site.clone(), networks.clone(), (io, peer), clock.clone(), shutdown.clone())
    });
    tokio::select! {
        () = serving => {}
        () = follow(&site, progress) => {}
    }
}

/// Keeps the list up to the journal, a look at each block.
async fn follow(site: &Arc<Site>, mut progress: watch::Receiver<Progress>) {
    // A thread of its own: an epoch may be large, and downloads don't wait for it.
    let cpu = CpuPool::new(1, 0);
    loop {
        let reading = site.clone();
        match cpu.run(move || reading.catalogue.refresh()).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => warn!(%error, "the list of bundles is as it was"),
        }
        if progress.changed().await.is_err() {
            // The role has ended, and this is about to.
            return std::future::pending().await;
        }
    }
}

/// Serves one request, since each has its own time.
pub(super) async fn connection(
    site: Arc<Site>,
    networks: Arc<Networks>,
    (io, peer): (BoxIo, SocketAddr),
    clock: Arc<dyn Clock>,
    shutdown: CancellationToken,
) {
    let place = networks.enter(peer.ip());
    let is_crowded = place.is_none();
    // A network with all its places is told so a few times a second, and keeps none of those that others need.
    let refusal = if is_crowded { site.refusals.clone().try_acquire_owned().ok() } else { None };
    if is_crowded && refusal.is_none() {
        return;
    }
    let head_time = if is_crowded { REFUSAL_TIME } else { HEAD_TIME };
    let due = Arc::new(watch::Sender::new(clock.monotonic() + head_time));
    let (until, at) = (due.subscribe(), clock.clone());
    let service = service_fn(move |request: Request<Incoming>| {
        let (site, due, clock) = (site.clone(), due.clone(), at.clone());
        async move {
            let response = if is_crowded {
                let why = "your network has all the connections that it may have; try again later\n";
                text(StatusCode::TOO_MANY_REQUESTS, why.to_owned())
            } else {
                site.answer(request.method(), request.uri().path(), request.headers()).await
            };
            due.send_replace(clock.monotonic() + time_of(&response, site.pace.bytes_per_second()));
            Ok::<_, Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_BYTES_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(io), service);
    tokio::select! {
        () = connections::drive(connection, |connection| connection.graceful_shutdown(), peer, &shutdown) => {}
        () = passed(&*clock, until) => debug!(%peer, "a connection took too long and was cut"),
    }
    drop(place);
}

/// The time that a response may take, at the slowest that a caller may be or that everybody together leaves it.
fn time_of(response: &Response<Body>, bytes_per_second: u64) -> Duration {
    let length = response.headers().get(header::CONTENT_LENGTH);
    let bytes: u64 = length.and_then(|length| length.to_str().ok()?.parse().ok()).unwrap_or_default();
    let share = bytes_per_second / (2 * CONNECTIONS_MAX as u64);
    RESPONSE_TIME + Duration::from_secs(bytes / SLOWEST.min(share).max(1))
}

/// Waits until a time is over that may be set anew meanwhile.
async fn passed(clock: &dyn Clock, mut due: watch::Receiver<Duration>) {
    loop {
        let left = due.borrow_and_update().saturating_sub(clock.monotonic());
        if left.is_zero() {
            return;
        }
        tokio::select! {
            () = clock.sleep(left) => {}
            changed = due.changed() => if changed.is_err() {
                // Its service is gone, and its connection is about to end.
                return clock.sleep(left).await;
            },
        }
    }
}
