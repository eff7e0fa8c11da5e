//! A client of OpenAI-compatible completions (`/v1/completions` of vLLM, SGLang, llama.cpp) over HTTP/1.1.
//!
//! One connection per call: dropping the response is what tells the server to stop. `https` is not spoken: such a server
//! stands beside its caller, or behind a tunnel of the operator's. A server's bytes are bounded like a peer's.

mod echo;
mod error;
mod events;

use std::fmt;
use std::pin::{Pin, pin};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

pub use echo::{ScoreError, TokenScore};
pub use error::CompletionError;
pub use events::CompletionEvents;

/// Bytes that are read ahead of the caller, headers included.
const BUFFER_BYTES_MAX: usize = 64 << 10;
/// The prefix of a token that is named by its id, as vLLM and SGLang name it when asked to.
const TOKEN_ID_PREFIX: &str = "token_id:";

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
        let request = self.request(question)?;
        let unreachable = |error: &dyn fmt::Display| CompletionError::Unreachable(error.to_string());
        let host = self.url.host().unwrap_or_default().trim_matches(['[', ']']);
        let dialling = TcpStream::connect((host, self.url.port_u16().unwrap_or(80)));
        let io = match tokio::time::timeout(self.connect_timeout, dialling).await {
            Ok(dialled) => dialled.map_err(|error| unreachable(&error))?,
            Err(_) => return Err(unreachable(&"no connection in time")),
        };
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
                closed = true;
                sending.await
            }
        };
        let (head, body) = sent.map_err(|_| CompletionError::Disconnected)?.into_parts();
        Ok(CompletionResponse { status: head.status, body, connection, closed })
    }

    fn request(&self, question: &Value) -> Result<Request<Full<Bytes>>, CompletionError> {
        let base = self.url.path().trim_end_matches('/');
        let base = if base.is_empty() { "/v1" } else { base };
        let host = self.url.authority().map_or("", |authority| authority.as_str());
        let mut post = Request::post(format!("{base}/completions"))
            .header(header::HOST, host)
            .header(header::CONTENT_TYPE, "application/json");
        if question["stream"] == Value::Bool(true) {
            post = post.header(header::ACCEPT, "text/event-stream");
        }
        if let Some(key) = &self.key {
            post = post.header(header::AUTHORIZATION, format!("Bearer {key}"));
        }
        post.body(Full::new(Bytes::from(question.to_string())))
            .map_err(|error| CompletionError::Misconfigured(error.to_string()))
    }
}

type Connection = http1::Connection<TokioIo<TcpStream>, Full<Bytes>>;

/// A response that is being read; dropping it hangs up.
#[derive(Debug)]
pub struct CompletionResponse {
    status: StatusCode,
    body: Incoming,
    /// Driven while the body is read: a task of its own would be one more wake-up between a token and its caller.
    connection: Pin<Box<Connection>>,
    closed: bool,
}

impl CompletionResponse {
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the next bytes of the body; `None` at its end.
    pub async fn data(&mut self) -> Option<Result<Bytes, CompletionError>> {
        let mut next = self.body.frame();
        let frame = if self.closed {
            next.await
        } else {
            tokio::select! {
                biased;
                frame = &mut next => frame,
                // The connection may end before the body's buffered rest is read; then only the body is left.
                _ = &mut self.connection => {
                    self.closed = true;
                    next.await
                }
            }
        };
        let data = frame?.map(|frame| frame.into_data().unwrap_or_default());
        Some(data.map_err(|_| CompletionError::Disconnected))
    }

    /// Reads the whole body.
    ///
    /// # Errors
    /// A body of more than `bytes_max`, or one that breaks off.
    pub async fn collect(mut self, bytes_max: usize) -> Result<Vec<u8>, CompletionError> {
        let mut body = Vec::new();
        while let Some(data) = self.data().await {
            body.extend_from_slice(&data?);
            if body.len() > bytes_max {
                return Err(CompletionError::Oversized(bytes_max));
            }
        }
        Ok(body)
    }

    /// Reads the beginning of a refusal, for a log.
    pub async fn refusal(mut self, bytes_max: usize) -> String {
        let mut body = Vec::new();
        while let Some(Ok(data)) = self.data().await
            && body.len() < bytes_max
        {
            body.extend_from_slice(&data);
        }
        body.truncate(bytes_max);
        String::from_utf8_lossy(&body).trim().to_owned()
    }
}

/// Reads the id of a token that is named by it.
pub fn token_id(name: &str) -> Option<u32> {
    name.strip_prefix(TOKEN_ID_PREFIX)?.parse().ok()
}

#[cfg(test)]
mod tests;
