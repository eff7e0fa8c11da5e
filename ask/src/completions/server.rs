//! A server's address, and the calls that are made to it.

use std::fmt;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, header};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use super::error::CompletionError;
use super::response::CompletionResponse;

/// Bytes that are read ahead of the caller, headers included.
const BUFFER_BYTES_MAX: usize = 64 << 10;

/// A server, and its name for the model that is asked.
#[derive(Clone)]
pub struct CompletionServer {
    /// `http://HOST:PORT`, with or without the `/v1` behind it.
    pub url: http::Uri,
    pub model: String,
    /// Sent as a bearer token; never printed.
    pub key: Option<String>,
    pub connect_timeout: Duration,
}

/// The paths of a server that are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompletionRoute {
    /// `/v1/completions`.
    Completions,
    /// `/v1/chat/completions`.
    Chat,
    /// `/completion` beside `/v1`, llama.cpp's own.
    LlamaCompletion,
    /// `/v1/models`, which has no question.
    Models,
}

impl fmt::Debug for CompletionServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("CompletionServer");
        shown.field("url", &self.url).field("model", &self.model).finish_non_exhaustive()
    }
}

impl CompletionServer {
    /// Posts a question, and returns the response as soon as its status is known.
    ///
    /// # Errors
    /// A server that can't be reached in time, or that hangs up before it answers.
    pub async fn post(&self, question: &Value) -> Result<CompletionResponse, CompletionError> {
        self.call(CompletionRoute::Completions, question).await
    }

    /// As [`Self::post`], at another path.
    pub async fn call(
        &self,
        route: CompletionRoute,
        question: &Value,
    ) -> Result<CompletionResponse, CompletionError> {
        let request = self.request(route, question)?;
        let unreachable = |error: &dyn fmt::Display| CompletionError::Unreachable(error.to_string());
        // A literal IPv6 address stands in brackets in a URL and without them in a socket address.
        let host = self.url.host().unwrap_or_default().trim_matches(['[', ']']);
        let dialling = TcpStream::connect((host, self.url.port_u16().unwrap_or(80)));
        let io = match tokio::time::timeout(self.connect_timeout, dialling).await {
            Ok(dialled) => dialled.map_err(|error| unreachable(&error))?,
            Err(_) => return Err(unreachable(&"no connection in time")),
        };
        // A question is one small write; waiting to fill a packet would only delay its first token.
        io.set_nodelay(true).map_err(|error| unreachable(&error))?;
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(BUFFER_BYTES_MAX)
            .handshake(TokioIo::new(io))
            .await
            .map_err(|error| unreachable(&error))?;
        let mut connection = Box::pin(connection);
        let mut closed = false;
        let mut sending = pin!(sender.send_request(request));
        let sent = tokio::select! {
            biased;
            sent = &mut sending => sent,
            _ = &mut connection => {
                // A server may close right after it has answered;
                // the answer still lies in the connection's buffer.
                closed = true;
                sending.await
            }
        };
        let (head, body) = sent.map_err(|_| CompletionError::Disconnected)?.into_parts();
        Ok(CompletionResponse::new(head, body, connection, closed))
    }

    fn request(
        &self,
        route: CompletionRoute,
        question: &Value,
    ) -> Result<Request<Full<Bytes>>, CompletionError> {
        let base = self.url.path().trim_end_matches('/');
        // Users give the address with or without `/v1`, as the servers' own documentation does.
        let base = if base.is_empty() { "/v1" } else { base };
        let host = self.url.authority().map_or("", |authority| authority.as_str());
        let (request, body) = match route {
            CompletionRoute::Models => (Request::get(format!("{base}/models")), Bytes::new()),
            CompletionRoute::Completions => (Request::post(format!("{base}/completions")), written(question)),
            CompletionRoute::Chat => (Request::post(format!("{base}/chat/completions")), written(question)),
            CompletionRoute::LlamaCompletion => {
                let root = base.strip_suffix("/v1").unwrap_or(base);
                (Request::post(format!("{root}/completion")), written(question))
            }
        };
        // Compressed events would come in blocks and not as they are made.
        let mut request = request.header(header::HOST, host).header(header::ACCEPT_ENCODING, "identity");
        if route != CompletionRoute::Models {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if question["stream"] == Value::Bool(true) {
            request = request.header(header::ACCEPT, "text/event-stream");
        }
        if let Some(key) = &self.key {
            request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
        }
        request.body(Full::new(body)).map_err(|error| CompletionError::Misconfigured(error.to_string()))
    }
}

fn written(question: &Value) -> Bytes {
    Bytes::from(question.to_string())
}
