//! Connections of a proxy's clients: served up to a number, and given time to end when the proxy stops.

use std::fmt;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use weighhouse_seams::{BoxIo, Clock, ClockExt as _, Listener};

/// Rest after a failed accept (mostly: out of file descriptors).
const ACCEPT_RETRY: Duration = Duration::from_millis(100);
/// Time that calls in flight have when the proxy stops; those still open are cut then.
const GRACE: Duration = Duration::from_secs(5);

/// Runs `serve` for each connection until `shutdown`, on which it is to finish what it has begun. Beyond
/// `connections_max` at once, more wait.
pub async fn serve<F: Future<Output = ()> + Send + 'static>(
    listener: Box<dyn Listener>,
    connections_max: usize,
    clock: &Arc<dyn Clock>,
    shutdown: &CancellationToken,
    serve: impl Fn(BoxIo, SocketAddr) -> F,
) {
    let slots = Arc::new(Semaphore::new(connections_max));
    let mut connections = JoinSet::new();
    loop {
        // A place first, the connection then: those over the limit wait in the kernel's queue and take no memory
        // here.
        let slot = tokio::select! {
            slot = slots.clone().acquire_owned() => slot.expect("the semaphore is never closed"),
            () = shutdown.cancelled() => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => break,
        };
        // Ended connections are collected here, or the set would grow for as long as the proxy runs.
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((io, peer)) => {
                let served = serve(io, peer);
                connections.spawn(async move {
                    let _slot = slot;
                    served.await;
                });
            }
            Err(error) => {
                tracing::warn!(%error, "accepting a connection failed");
                clock.sleep(ACCEPT_RETRY).await;
            }
        }
    }
    drop(listener);
    let ending = async { while connections.join_next().await.is_some() {} };
    if clock.timeout(GRACE, ending).await.is_err() {
        tracing::warn!(seconds = GRACE.as_secs(), "calls still in flight are cut");
    }
}

/// Drives one of them to its end: on `shutdown` it takes no more calls, and finishes those that it has.
pub async fn drive<C: Future<Output = Result<(), E>>, E: fmt::Display>(
    connection: C,
    shut_down: impl FnOnce(Pin<&mut C>),
    peer: SocketAddr,
    shutdown: &CancellationToken,
) {
    let mut connection = pin!(connection);
    let served = tokio::select! {
        served = &mut connection => served,
        () = shutdown.cancelled() => {
            shut_down(connection.as_mut());
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%peer, %error, "a client's connection ended");
    }
}
