//! The routes: the page, what it is about, the item, the answer.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::middleware;
use axum::response::Response;
use axum::routing::{get, post};
use http::{HeaderValue, header};
use rand::Rng as _;
use serde_json::Value;
use weighhouse_seams::{Clock, Entropy};
use weighhouse_types::Digest;

use super::enter;
use super::error::WorkError;
use super::guard::{Guard, admit};
use super::room::{Room, Sent};

const PAGE: &str = include_str!("../../assets/work.html");
/// Stands in the page where each answer has its own number, by which the browser knows the page's script and style.
const NONCE: &str = "NONCE-OF-THIS-ANSWER";
/// Bytes of a request's body.
const BODY_BYTES_MAX: usize = 4 << 10;

#[derive(Clone, Debug)]
struct Shared {
    room: Arc<Mutex<Room>>,
    entropy: Entropy,
    clock: Arc<dyn Clock>,
}

pub(super) fn router(
    room: Arc<Mutex<Room>>,
    guard: Arc<Guard>,
    entropy: Entropy,
    clock: Arc<dyn Clock>,
) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/image/{digest}", get(image))
        .route("/api/about", get(about))
        .route("/api/item", get(item))
        .route("/api/label", post(label))
        .route("/api/undo", post(undo))
        .fallback(async || WorkError::Path)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(guard, admit))
        .with_state(Shared { room, entropy, clock })
}

async fn page(State(shared): State<Shared>) -> Response {
    let mut nonce = [0; 32];
    shared.entropy.clone().fill_bytes(&mut nonce);
    let nonce = Digest(nonce).to_string();
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; img-src 'self' data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let mut response = answer("text/html; charset=utf-8", PAGE.replace(NONCE, &nonce));
    let policy = HeaderValue::from_str(&policy).expect("plain text");
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

async fn image(State(shared): State<Shared>, Path(digest): Path<String>) -> Result<Response, WorkError> {
    let digest: Digest = digest.parse().map_err(|_| WorkError::Path)?;
    let (kind, bytes) = working(shared, move |room, _| room.image(&digest)).await?;
    Ok(answer(kind, bytes))
}

async fn about(State(shared): State<Shared>) -> Result<Response, WorkError> {
    working(shared, |room, _| Ok(room.about())).await.map(json)
}

async fn item(State(shared): State<Shared>) -> Result<Response, WorkError> {
    working(shared, |room, _| room.now()).await.map(json)
}

async fn label(State(shared): State<Shared>, body: Bytes) -> Result<Response, WorkError> {
    let sent: Sent = serde_json::from_slice(&body).map_err(|error| WorkError::Answer(error.to_string()))?;
    working(shared, move |room, at| room.take(&sent, at)).await.map(json)
}

async fn undo(State(shared): State<Shared>) -> Result<Response, WorkError> {
    working(shared, |room, at| room.undo(at)).await.map(json)
}

/// Reads and writes files on a thread for that.
async fn working<T: Send + 'static>(
    shared: Shared,
    work: impl FnOnce(&mut Room, u64) -> Result<T, WorkError> + Send + 'static,
) -> Result<T, WorkError> {
    let at = shared.clock.now().0 / 1_000_000;
    let done = tokio::task::spawn_blocking(move || work(&mut enter(&shared.room), at)).await;
    done.map_err(|error| WorkError::Internal(error.to_string()))?
}

fn json(value: Value) -> Response {
    answer("application/json", value.to_string())
}

fn answer(kind: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
