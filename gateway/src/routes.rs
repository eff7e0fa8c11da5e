//! The routes, from a request's bytes to its response.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::middleware;
use axum::response::Response;
use axum::routing::{get, post};
use http::{HeaderValue, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde_json::{Value, json};
use weighhouse_seams::ClockExt as _;
use weighhouse_types::Hotkey;
use weighhouse_types::text::TextRequest;

use crate::chat::{self, Chat};
use crate::completions::{self, Completions};
use crate::embeddings::Embeddings;
use crate::error::ApiError;
use crate::events::stream_of;
use crate::fields::Fields;
use crate::limits::BODY_TIMEOUT;
use crate::metrics;
use crate::reply::Form;
use crate::server::{Gateway, admit};

const COMPLETIONS: &str = "/v1/completions";
const CHAT: &str = "/v1/chat/completions";
const EMBEDDINGS: &str = "/v1/embeddings";
const MODELS: &str = "/v1/models";
/// Tells which miner answered.
const MINER_HEADER: &str = "x-weighhouse-miner";

type Shared = State<Arc<Gateway>>;

pub(crate) fn router(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route(COMPLETIONS, post(post_completions))
        .route(CHAT, post(post_chat))
        .route(EMBEDDINGS, post(post_embeddings))
        .route(MODELS, get(get_models))
        .route("/v1/models/{*name}", get(get_model))
        .fallback(async |request: Request| no_route(&request, StatusCode::NOT_FOUND))
        .method_not_allowed_fallback(async |request: Request| {
            no_route(&request, StatusCode::METHOD_NOT_ALLOWED)
        })
        .layer(middleware::from_fn_with_state(gateway.clone(), admit))
        .with_state(gateway)
}

/// A path's name in logs and metrics, of a fixed list.
pub(crate) fn name(path: &str) -> &'static str {
    match path {
        COMPLETIONS => "completions",
        CHAT => "chat",
        EMBEDDINGS => "embeddings",
        path if path.starts_with(MODELS) => "models",
        _ => "other",
    }
}

fn no_route(request: &Request, status: StatusCode) -> ApiError {
    let routes = "GET /v1/models, POST /v1/completions, /v1/chat/completions and /v1/embeddings";
    ApiError::new(
        status,
        format!("{} {} is not served; {routes} are", request.method(), request.uri().path()),
    )
}

async fn post_completions(State(gateway): Shared, request: Request) -> Result<Response, ApiError> {
    generate(gateway, request, Completions, |_, fields, gateway| completions::read(fields, gateway)).await
}

async fn post_chat(State(gateway): Shared, request: Request) -> Result<Response, ApiError> {
    generate(gateway, request, Chat, chat::read).await
}

async fn generate<F: Form>(
    gateway: Arc<Gateway>,
    request: Request,
    form: F,
    read: impl FnOnce(&str, &mut Fields, &Gateway) -> Result<TextRequest, ApiError> + Send + 'static,
) -> Result<Response, ApiError> {
    let clock = &gateway.asker.clock;
    let (begun, route) = (clock.monotonic(), name(request.uri().path()));
    let mut fields = fields(&gateway, request).await?;
    let model = model(&mut fields)?;
    let streams = fields.flag("stream")?.unwrap_or(false);
    let tells_usage = include_usage(&mut fields, streams)?;
    let (reader, name) = (gateway.clone(), model.clone());
    // A chat's template is a program, and may run for too long for the reactor.
    let reading = tokio::task::spawn_blocking(move || {
        let asked = read(&name, &mut fields, &reader)?;
        fields.done().map(|()| asked)
    });
    let asked = reading
        .await
        .map_err(|error| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))??;
    let envelope = gateway.envelope::<F>(model.clone());
    let response = if streams {
        let generation = gateway.begin(&model, &asked).await?;
        let miner = generation.miner;
        let body = stream_of(form, envelope, generation, route, tells_usage);
        let mut response = reply(body, "text/event-stream", Some(miner));
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    } else {
        let (miner, answer) = gateway.complete(&model, &asked).await?;
        reply_json(&envelope.whole(form, &answer), Some(miner))
    };
    metrics::first_piece(route, clock.monotonic().saturating_sub(begun), clock.now());
    Ok(response)
}

async fn post_embeddings(State(gateway): Shared, request: Request) -> Result<Response, ApiError> {
    let mut fields = fields(&gateway, request).await?;
    let model = model(&mut fields)?;
    let asked = Embeddings::read(&mut fields)?;
    fields.done()?;
    let (miner, rows) = gateway.embed(&model, &asked.texts).await?;
    Ok(reply_json(&asked.reply(&model, &rows), Some(miner)))
}

async fn get_models(State(gateway): Shared) -> Response {
    let data: Vec<Value> = gateway.roster.models().await.iter().map(|name| model_object(name)).collect();
    reply_json(&json!({"object": "list", "data": data}), None)
}

async fn get_model(State(gateway): Shared, Path(name): Path<String>) -> Result<Response, ApiError> {
    let known = gateway.roster.models().await.contains(&name);
    if known { Ok(reply_json(&model_object(&name), None)) } else { Err(ApiError::no_model(&name)) }
}

/// Nobody knows when a model was made; clients want a number.
fn model_object(name: &str) -> Value {
    json!({"id": name, "object": "model", "created": 0, "owned_by": "subnet"})
}

async fn fields(gateway: &Gateway, request: Request) -> Result<Fields, ApiError> {
    let kind = request.headers().get(header::CONTENT_TYPE).map_or(&b""[..], |kind| kind.as_bytes());
    // A page in a browser can post other kinds to this machine without being asked whether it may.
    if !kind.to_ascii_lowercase().starts_with(b"application/json") {
        let message = "send JSON, with `Content-Type: application/json`";
        return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    let limit = gateway.limits.body_bytes_max;
    let reading = Limited::new(request.into_body(), limit).collect();
    let read = gateway.asker.clock.timeout(BODY_TIMEOUT, reading).await.map_err(|_| {
        ApiError::new(
            StatusCode::REQUEST_TIMEOUT,
            format!("the body took over {} seconds", BODY_TIMEOUT.as_secs()),
        )
    })?;
    let body = read.map_err(|error| match error.is::<LengthLimitError>() {
        true => ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is over the limit of {limit} bytes"),
        ),
        false => ApiError::bad("the body broke off"),
    })?;
    Fields::parse(&body.to_bytes())
}

fn model(fields: &mut Fields) -> Result<String, ApiError> {
    fields.text("model")?.ok_or_else(|| ApiError::missing("model"))
}

fn include_usage(fields: &mut Fields, streams: bool) -> Result<bool, ApiError> {
    let wrong = |message: &str| ApiError::param("stream_options", message);
    let Some(options) = fields.take("stream_options") else { return Ok(false) };
    if !streams {
        return Err(wrong("`stream_options` is for streams: set `stream` to true"));
    }
    let Value::Object(options) = options else { return Err(wrong("`stream_options` must be an object")) };
    let known = ["include_usage", "continuous_usage_stats", "include_obfuscation"];
    if let Some(other) = options.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(wrong(&format!("`stream_options.{other}` is no parameter that can be honoured")));
    }
    Ok(options.get("include_usage") == Some(&Value::Bool(true)))
}

fn reply_json(value: &Value, miner: Option<Hotkey>) -> Response {
    reply(value.to_string().into(), "application/json", miner)
}

fn reply(body: Body, kind: &'static str, miner: Option<Hotkey>) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Some(miner) = miner {
        let name = HeaderValue::from_str(&miner.to_string()).expect("an address is letters and digits");
        response.headers_mut().insert(MINER_HEADER, name);
    }
    response
}
