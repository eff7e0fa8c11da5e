//! A gRPC server on a listener of ours: connections that are counted, bounded and cut, and a drain with a deadline.

mod connection;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic::transport::server::Router;
use weighhouse_seams::{Clock, Listener, Networks};

use connection::ServedConnection;

const HEADER_BYTES_MAX: u32 = 8 * 1024;
const FRAME_BYTES_MAX: u32 = 16 * 1024;
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 256 * 1024;
const RESET_STREAMS_MAX: usize = 64;
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two tries after the listener failed (out of file descriptors, say).
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Limits on what the server takes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServeLimits {
    /// Further connections are closed at once.
    pub connections_max: usize,
    /// Connections of one network (an IPv4 address, 64 bits of an IPv6 one), this machine's excepted.
    pub per_network_max: usize,
    /// Requests at once on one connection; further ones are refused.
    pub streams_max: u32,
    pub request_timeout: Duration,
    /// A connection is closed after this long, to be made anew.
    pub connection_age_max: Duration,
    /// Time that requests have to finish after the shutdown began.
    pub drain: Duration,
}

impl Default for ServeLimits {
    fn default() -> Self {
        Self {
            connections_max: 256,
            per_network_max: 32,
            streams_max: 64,
            request_timeout: Duration::from_secs(15),
            connection_age_max: Duration::from_secs(3600),
            drain: Duration::from_secs(5),
        }
    }
}

/// Serves until `shutdown`, then lets requests finish for `limits.drain` and closes what is left.
///
/// # Errors
/// A server that tonic can't run.
pub async fn serve(
    router: Router,
    listener: Box<dyn Listener>,
    limits: ServeLimits,
    clock: Arc<dyn Clock>,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), tonic::transport::Error> {
    let (stop, mut stopping) = watch::channel(false);
    let (cut, cutting) = watch::channel(false);
    // Of one: further connections wait in the kernel, where the cap on them isn't counted yet.
    let (accepted, incoming) = mpsc::channel::<std::io::Result<ServedConnection>>(1);
    let server = router.serve_with_incoming_shutdown(ReceiverStream::new(incoming), async move {
        // An error means that the sender is gone: the same as being told.
        let _ = stopping.wait_for(|stop| *stop).await;
    });
    let accept = accept(listener, accepted, limits, cutting, Arc::clone(&clock));
    let finish = async {
        shutdown.await;
        stop.send_replace(true);
        clock.sleep(limits.drain).await;
        cut.send_replace(true);
        // The cut connections end the server, and the server ends the `select` below.
        std::future::pending().await
    };
    let serving = async { tokio::join!(server, accept).0 };
    tokio::select! {
        served = serving => served,
        never = finish => never,
    }
}

/// A server with every limit that tonic and h2 know of.
pub fn server(limits: &ServeLimits) -> Server {
    Server::builder()
        .concurrency_limit_per_connection(usize::try_from(limits.streams_max).unwrap_or(usize::MAX))
        .load_shed(true)
        .timeout(limits.request_timeout)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(limits.streams_max)
        .max_connection_age(limits.connection_age_max)
        .max_connection_age_grace(limits.request_timeout)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        // An adaptive window would replace the two sizes above.
        .http2_adaptive_window(Some(false))
        // Against streams that are opened and reset at once, HTTP/2's rapid reset (CVE-2023-44487).
        .http2_max_pending_accept_reset_streams(Some(RESET_STREAMS_MAX))
        .http2_max_local_error_reset_streams(Some(RESET_STREAMS_MAX))
        .http2_max_header_list_size(HEADER_BYTES_MAX)
        .max_frame_size(FRAME_BYTES_MAX)
}

/// Takes connections until the server stops reading them; then the port is free.
async fn accept(
    listener: Box<dyn Listener>,
    accepted: mpsc::Sender<std::io::Result<ServedConnection>>,
    limits: ServeLimits,
    cutting: watch::Receiver<bool>,
    clock: Arc<dyn Clock>,
) {
    let ServeLimits { connections_max, per_network_max, .. } = limits;
    let (slots, networks) = (Arc::new(Semaphore::new(connections_max)), Networks::new(per_network_max));
    loop {
        let next = tokio::select! {
            biased;
            // First: no peer is accepted for a server that has ended.
            () = accepted.closed() => return,
            next = listener.accept() => next,
        };
        match next {
            Ok((io, peer)) => {
                let Some(place) = networks.enter(peer.ip()) else {
                    tracing::debug!(%peer, per_network_max, "connection closed: too many of one network");
                    continue;
                };
                let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
                    tracing::warn!(%peer, connections_max, "connection closed: too many");
                    continue;
                };
                let connection = ServedConnection::new(io, (slot, place), cutting.clone(), &clock);
                if accepted.send(Ok(connection)).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "no connection could be accepted");
                clock.sleep(ACCEPT_RETRY).await;
            }
        }
    }
}
