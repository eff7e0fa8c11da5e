//! The routes: three files of a page, and the JSON that it is made of.

use std::str::FromStr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::middleware;
use axum::response::Response;
use axum::routing::get;
use http::{HeaderValue, header};
use serde_json::Value;
use weighhouse_types::{Digest, Epoch, Uid};

use crate::chain::ChainView;
use crate::error::ConsoleError;
use crate::events::stream_of;
use crate::guard::{Guard, admit};
use crate::limits::{EPOCHS_LISTED, LOOK};
use crate::server::Console;
use crate::{answer, curves, epochs, miner, overview};

const PAGE: &str = include_str!("../assets/console.html");
const STYLE: &str = include_str!("../assets/console.css");
const SCRIPT: &str = include_str!("../assets/console.js");
const ICON: &str = include_str!("../assets/icon.svg");

type Shared = State<Arc<Console>>;

pub(crate) fn router(console: Arc<Console>, guard: Arc<Guard>) -> Router {
    Router::new()
        .route("/", get(async || file(PAGE, "text/html; charset=utf-8")))
        .route("/console.css", get(async || file(STYLE, "text/css; charset=utf-8")))
        .route("/console.js", get(async || file(SCRIPT, "text/javascript; charset=utf-8")))
        .route("/icon.svg", get(async || file(ICON, "image/svg+xml")))
        .route("/api/overview", get(get_overview))
        .route("/api/epochs", get(get_epochs))
        .route("/api/epochs/{epoch}", get(get_epoch))
        .route("/api/epochs/{epoch}/miners/{uid}", get(get_miner))
        .route("/api/epochs/{epoch}/miners/{uid}/answers/{challenge}", get(get_answer))
        .route("/api/economy", get(get_economy))
        .route("/api/events", get(get_events))
        .fallback(async || ConsoleError::Path)
        .layer(middleware::from_fn_with_state(guard, admit))
        .with_state(console)
}

fn file(text: &'static str, kind: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

async fn get_overview(State(console): Shared) -> Result<Response, ConsoleError> {
    let view = console.view();
    let clock = console.clock.clone();
    reading(&console, move |console| overview::overview(&console.folder, view.as_ref(), &*clock)).await
}

async fn get_epochs(State(console): Shared, RawQuery(query): RawQuery) -> Result<Response, ConsoleError> {
    let query = query.unwrap_or_default();
    let before = query.split('&').find_map(|pair| pair.strip_prefix("before="));
    let before = before.map(number::<Epoch>).transpose()?;
    reading(&console, move |console| epochs::list(&console.folder, before, EPOCHS_LISTED)).await
}

async fn get_epoch(State(console): Shared, Path(epoch): Path<String>) -> Result<Response, ConsoleError> {
    let epoch = number(&epoch)?;
    reading(&console, move |console| epochs::epoch(&console.folder, epoch)).await
}

async fn get_miner(
    State(console): Shared,
    Path((epoch, uid)): Path<(String, String)>,
) -> Result<Response, ConsoleError> {
    let (epoch, uid) = (number(&epoch)?, number::<Uid>(&uid)?);
    reading(&console, move |console| {
        let folder = &console.folder;
        miner::page(&*folder.records(&folder.file(epoch)?)?, uid)
    })
    .await
}

async fn get_answer(
    State(console): Shared,
    Path((epoch, uid, challenge)): Path<(String, String, String)>,
) -> Result<Response, ConsoleError> {
    let (epoch, uid, challenge) = (number(&epoch)?, number::<Uid>(&uid)?, number::<Digest>(&challenge)?);
    reading(&console, move |console| {
        let folder = &console.folder;
        answer::page(&folder.records(&folder.file(epoch)?)?.segment, uid, challenge)
    })
    .await
}

async fn get_economy(State(console): Shared) -> Result<Response, ConsoleError> {
    let view = console.view();
    reading(&console, move |console| curves::curves(&console.folder, console.economy.as_ref(), view.as_ref()))
        .await
}

async fn get_events(State(console): Shared) -> Result<Response, ConsoleError> {
    let place = console.streams.clone().try_acquire_owned().map_err(|_| ConsoleError::Streams)?;
    Ok(stream_of(console.turns.clone(), console.clock.clone(), place, LOOK * 4))
}

/// Reads files on a thread for that, a few requests at a time.
async fn reading(
    console: &Arc<Console>,
    read: impl FnOnce(&Console) -> Result<Value, ConsoleError> + Send + 'static,
) -> Result<Response, ConsoleError> {
    let internal = |error: &dyn std::fmt::Display| ConsoleError::Internal(error.to_string());
    let shared = console.clone();
    let place = console.reads.clone().acquire_owned().await.map_err(|error| internal(&error))?;
    let work = tokio::task::spawn_blocking(move || {
        // Held by the work, which goes on where its client has gone away.
        let _place = place;
        read(&shared).map(|value| value.to_string())
    });
    let text = work.await.map_err(|error| internal(&error))??;
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// A part of a path that is a number or a digest; anything else is no path that is served.
fn number<T: FromStr>(text: &str) -> Result<T, ConsoleError> {
    text.parse().map_err(|_| ConsoleError::Path)
}

impl Console {
    fn view(&self) -> Option<ChainView> {
        self.view.as_ref().map(|view| view.borrow().clone())
    }
}
