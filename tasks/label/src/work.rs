//! A person's page: one item at a time in a browser, answered by a key.
//!
//! It serves its own one file, the job's items and nothing else, to whoever has the token of this start, under loopback's names.
//! A label is on the disk before the page shows the next item.

mod error;
mod guard;
mod page;
mod room;
mod token;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use weighhouse_ask::connections;
use weighhouse_seams::{BoxIo, Clock, ClockExt as _, Entropy, Listener};

use crate::error::JobError;
use crate::job::Job;
use crate::labels::{Labels, Worker};

use guard::Guard;
use room::Room;
use token::Token;

/// Browsers' connections at once.
const CONNECTIONS_MAX: usize = 32;
const CONNECTION_AGE_MAX: Duration = Duration::from_secs(3600);
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
const HEADER_BYTES_MAX: usize = 32 << 10;

/// A page that is ready to be served.
#[derive(Debug)]
pub struct Work {
    room: Arc<Mutex<Room>>,
    token: Token,
    entropy: Entropy,
    clock: Arc<dyn Clock>,
}

impl Work {
    /// Takes the worker's file.
    ///
    /// # Errors
    /// As [`Labels::open`] and [`Worker::open`].
    pub fn open(job: Job, worker: &str, entropy: Entropy, clock: Arc<dyn Clock>) -> Result<Self, JobError> {
        let mut labels = Labels::open(&job)?;
        let worker = Worker::open(&job, &mut labels, worker, entropy.clone())?;
        let room = Arc::new(Mutex::new(Room::new(job, labels, worker)));
        Ok(Self { room, token: Token::draw(&entropy), entropy, clock })
    }

    /// Where a browser opens it.
    pub fn address(&self, local: SocketAddr) -> String {
        format!("http://{local}/{}", self.token.query())
    }

    /// Serves until `shutdown`.
    pub async fn run(self, listener: Box<dyn Listener>, shutdown: CancellationToken) {
        let Self { room, token, entropy, clock } = self;
        let guard = Arc::new(Guard { token, local: listener.local_addr() });
        let router = page::router(room, guard, entropy, clock.clone());
        connections::serve(listener, CONNECTIONS_MAX, &clock, &shutdown, |io, peer| {
            serve(router.clone(), io, peer, clock.clone(), shutdown.clone())
        })
        .await;
    }
}

async fn serve(
    router: Router,
    io: BoxIo,
    peer: SocketAddr,
    clock: Arc<dyn Clock>,
    shutdown: CancellationToken,
) {
    let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let router = router.clone();
        async move { Ok::<_, Infallible>(router.oneshot(request).await.unwrap_or_else(|never| match never {})) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEADER_BYTES_MAX)
        .serve_connection(TokioIo::new(io), service);
    tokio::select! {
        ended = async { clock.timeout(CONNECTION_AGE_MAX, connection).await } => {
            if let Ok(Err(error)) = ended {
                tracing::debug!(%peer, %error, "a browser's connection ended");
            }
        }
        () = shutdown.cancelled() => {}
    }
}

/// A request that failed midway leaves the room as it was: what holds is on the disk.
fn enter(room: &Mutex<Room>) -> std::sync::MutexGuard<'_, Room> {
    room.lock().unwrap_or_else(PoisonError::into_inner)
}
