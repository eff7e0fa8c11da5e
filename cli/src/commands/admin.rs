//! A role's port for Prometheus and supervisors: `/metrics`, `/livez` and `/readyz`.
//!
//! It stands beside the role and takes little: few connections, small requests, short waits.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;
use tokio::sync::{Semaphore, watch};
use weighhouse_seams::Listener as _;

use super::bind;
use crate::failure::{Context as _, Exit, Failure};

const CONNECTIONS_MAX: usize = 32;
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// The exporter's own housekeeping, without which its histograms would grow.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

struct Admin {
    metrics: PrometheusHandle,
    process: Collector,
    ready: watch::Receiver<bool>,
}

/// Serves from here on, where an address is given; `ready` tells whether the role can do its work now.
pub(crate) async fn serve(
    listen: Option<SocketAddr>,
    key: &str,
    ready: watch::Receiver<bool>,
) -> Result<(), Failure> {
    let Some(address) = listen else { return Ok(()) };
    let listener = bind(address, key).await?;
    let metrics = PrometheusBuilder::new().install_recorder().exit(Exit::Internal, "metrics")?;
    let process = Collector::default();
    process.describe();
    metrics::describe_gauge!("weighhouse_build_info", "1, with the version that runs.");
    metrics::gauge!("weighhouse_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    let admin = Arc::new(Admin { metrics, process, ready });
    let upkeep = admin.metrics.clone();
    tokio::spawn(async move {
        loop {
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
                let answer = service_fn(|request| {
                    let answered = admin.answer(&request);
                    async move { Ok::<_, Infallible>(answered) }
                });
                let mut server = http1::Builder::new();
                server.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).keep_alive(false);
                // A peer that broke off is its own affair.
                let _ = server.serve_connection(TokioIo::new(io), answer).await;
                drop(place);
            });
        }
    });
    Ok(())
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
