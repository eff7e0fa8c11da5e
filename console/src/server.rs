//! The server: its parts, and connections.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use weighhouse_ask::connections;
use weighhouse_seams::{BoxIo, Clock, ClockExt as _, Listener};

use crate::chain::{self, ChainSource, ChainView};
use crate::economy::Economy;
use crate::events::{self, Turn};
use crate::folder::Folder;
use crate::guard::Guard;
use crate::limits::{
    CONNECTION_AGE_MAX, CONNECTIONS_MAX, HEADER_BYTES_MAX, HEADER_TIMEOUT, READS_MAX, STREAMS_MAX,
};
use crate::routes;
use crate::token::Token;

/// Parts of a console.
#[derive(Debug)]
pub struct Parts {
    /// The validator's journal.
    pub journal: PathBuf,
    /// Absent: the page shows the journal alone, and says so.
    pub chain: Option<ChainSource>,
    /// Told by a localnet that runs beside it.
    pub economy: Option<Economy>,
    pub token: Token,
    /// A name by which browsers may call this server, besides loopback's.
    pub host: Option<String>,
    pub clock: Arc<dyn Clock>,
}

/// What routes share.
#[derive(Debug)]
pub(crate) struct Console {
    pub(crate) folder: Arc<Folder>,
    pub(crate) view: Option<watch::Receiver<ChainView>>,
    pub(crate) economy: Option<Economy>,
    pub(crate) turns: watch::Receiver<Turn>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Places of requests that read files.
    pub(crate) reads: Arc<Semaphore>,
    /// Places of streams of events.
    pub(crate) streams: Arc<Semaphore>,
}

/// The address at which a browser opens a console that listens here.
pub fn address(local: SocketAddr, host: Option<&str>, token: &Token) -> String {
    let reachable = match local.ip() {
        ip if ip.is_unspecified() => SocketAddr::from(([127, 0, 0, 1], local.port())),
        _ => local,
    };
    match host {
        Some(host) => format!("http://{host}:{}/{}", local.port(), token.query()),
        None => format!("http://{reachable}/{}", token.query()),
    }
}

/// Serves until `shutdown`.
pub async fn run(parts: Parts, listener: Box<dyn Listener>, shutdown: CancellationToken) {
    let Parts { journal, chain, economy, token, host, clock } = parts;
    let (turn, turns) = watch::channel(Turn::default());
    let (told, view) = watch::channel(ChainView::default());
    let view = chain.is_some().then_some(view);
    let console = Arc::new(Console {
        folder: Arc::new(Folder::new(journal)),
        view: view.clone(),
        economy: economy.clone(),
        turns,
        clock: clock.clone(),
        reads: Arc::new(Semaphore::new(READS_MAX)),
        streams: Arc::new(Semaphore::new(STREAMS_MAX)),
    });
    let guard = Arc::new(Guard { token, local: listener.local_addr(), host });
    let looking = events::look(console.folder.clone(), view, economy, clock.clone(), turn);
    let router = routes::router(console, guard);
    let serving = connections::serve(listener, CONNECTIONS_MAX, &clock, &shutdown, |io, peer| {
        serve(router.clone(), io, peer, clock.clone(), shutdown.clone())
    });
    let following = async {
        match chain {
            Some(source) => chain::follow(source, clock.clone(), told).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = serving => {}
        () = looking => {}
        () = following => {}
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
    // A stream of events has no end of its own.
    let ended = async { clock.timeout(CONNECTION_AGE_MAX, connection).await };
    tokio::select! {
        ended = ended => {
            if let Ok(Err(error)) = ended {
                tracing::debug!(%peer, %error, "a browser's connection ended");
            }
        }
        () = shutdown.cancelled() => {}
    }
}
