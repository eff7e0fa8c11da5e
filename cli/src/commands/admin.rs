//! A role's port for Prometheus and supervisors: `/metrics`, `/livez` and `/readyz`; and for clients of gRPC.
//!
//! It stands beside the role and takes little: few connections, small requests, short waits.

mod grpc;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use metrics::{describe_gauge, gauge};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::sync::{Semaphore, watch};
use tonic::body::Body;
use tonic::service::Routes;
use tower::Service as _;
use weighhouse_seams::{Io, Listener as _};

use super::bind;
use crate::failure::{Context as _, Exit, Failure};

const CONNECTIONS_MAX: usize = 32;
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Requests at once on a connection of gRPC, and the bytes of their headers.
const STREAMS_MAX: u32 = 8;
const HEADER_BYTES_MAX: u32 = 8 << 10;
/// Between pings on a silent connection of gRPC, and for the answer to one.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// The exporter's own housekeeping, without which its histograms would grow.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

const BUILD: &str = "weighhouse_build_info";
const READY: &str = "weighhouse_ready";
const DISK_FREE: &str = "weighhouse_disk_free_bytes";
const DISK_SIZE: &str = "weighhouse_disk_size_bytes";

/// What a role tells of itself there.
pub(crate) struct Told {
    /// The address, and the key or flag that it comes from.
    pub(crate) listen: (Option<SocketAddr>, &'static str),
    /// Whether the role can do its work now.
    pub(crate) ready: watch::Receiver<bool>,
    /// Folder of what has to outlive a restart, where there is one.
    pub(crate) state: Option<PathBuf>,
}

struct Admin {
    metrics: PrometheusHandle,
    process: Collector,
    ready: watch::Receiver<bool>,
    grpc: Routes,
}

/// Gives the exporter its help texts.
fn describe() {
    Collector::default().describe();
    describe_gauge!(BUILD, "1, with the version that runs.");
    describe_gauge!(READY, "1 while the role can do its work, as /readyz says.");
    describe_gauge!(DISK_FREE, "Bytes that the role may still write where its journal or state lies.");
    describe_gauge!(DISK_SIZE, "Bytes of the file system where the role's journal or state lies.");
}

/// Serves from here on, where an address is given.
pub(crate) async fn serve(told: Told) -> Result<(), Failure> {
    let Told { listen: (Some(address), key), ready, state } = told else { return Ok(()) };
    let listener = bind(address, key).await?;
    let metrics = PrometheusBuilder::new().install_recorder().exit(Exit::Internal, "metrics")?;
    describe();
    gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    let grpc = grpc::routes(ready.clone())?;
    let admin = Arc::new(Admin { metrics, process: Collector::default(), ready, grpc });
    let upkeep = admin.metrics.clone();
    tokio::spawn(async move {
        loop {
            if let Some(state) = state.clone() {
                // A file system over a network may take its time.
                let _ = tokio::task::spawn_blocking(move || measure(&state)).await;
            }
            tokio::time::sleep(UPKEEP_INTERVAL).await;
            upkeep.run_upkeep();
        }
    });
    tokio::spawn(async move {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            let Ok((io, _)) = listener.accept().await else {
                tokio::time::sleep(UPKEEP_INTERVAL).await;
                continue;
            };
            let admin = admin.clone();
            tokio::spawn(async move {
                connection(admin, io).await;
                drop(place);
            });
        }
    });
    Ok(())
}

async fn connection(admin: Arc<Admin>, io: Box<dyn Io>) {
    let mut io = BufReader::new(io);
    // Which HTTP it is shows in the first bytes.
    match tokio::time::timeout(HEAD_TIMEOUT, io.fill_buf()).await {
        Ok(Ok(first)) if !first.is_empty() => {}
        _ => return,
    }
    let answer = service_fn(move |request: Request<Incoming>| {
        let admin = admin.clone();
        async move {
            let kind = request.headers().get(http::header::CONTENT_TYPE);
            if kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc")) {
                return admin.grpc.clone().call(request).await;
            }
            Ok::<_, Infallible>(admin.answer(&request).map(Body::new))
        }
    });
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).keep_alive(false);
    server
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADER_BYTES_MAX)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    // A peer that broke off is its own affair.
    let _ = server.serve_connection(TokioIo::new(io), answer).await;
}

/// Tells how full the disk is.
fn measure(folder: &Path) {
    let Ok(disk) = rustix::fs::statvfs(folder) else { return };
    gauge!(DISK_FREE).set(disk.f_bavail.saturating_mul(disk.f_frsize) as f64);
    gauge!(DISK_SIZE).set(disk.f_blocks.saturating_mul(disk.f_frsize) as f64);
}

impl Admin {
    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let (status, body) = match (request.method(), request.uri().path()) {
            (&Method::GET | &Method::HEAD, path) => self.get(path),
            _ => (StatusCode::METHOD_NOT_ALLOWED, "GET alone\n".to_owned()),
        };
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = status;
        let kind = http::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
        response
    }

    fn get(&self, path: &str) -> (StatusCode, String) {
        match path {
            "/metrics" => {
                self.process.collect();
                gauge!(READY).set(f64::from(u8::from(*self.ready.borrow())));
                (StatusCode::OK, self.metrics.render())
            }
            // Answered by the threads that do the role's work: an answer is their progress.
            "/livez" => (StatusCode::OK, "alive\n".to_owned()),
            "/readyz" if *self.ready.borrow() => (StatusCode::OK, "ready\n".to_owned()),
            "/readyz" => (StatusCode::SERVICE_UNAVAILABLE, "not ready; the log says why\n".to_owned()),
            _ => (StatusCode::NOT_FOUND, "/metrics, /livez, /readyz\n".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
