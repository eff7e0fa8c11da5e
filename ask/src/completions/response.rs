//! A response while it is read, together with the connection that has to be driven for it.

use std::pin::Pin;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header, response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::error::CompletionError;

pub(super) type HttpConnection = http1::Connection<TokioIo<TcpStream>, Full<Bytes>>;

/// A response that is being read; dropping it hangs up.
#[derive(Debug)]
pub struct CompletionResponse {
    status: StatusCode,
    headers: HeaderMap,
    body: Incoming,
    /// Driven while the body is read: a task of its own would be one more wake-up between a token and its caller.
    connection: Pin<Box<HttpConnection>>,
    closed: bool,
}

impl CompletionResponse {
    /// `closed` tells that the connection has ended already and only the body's buffered rest is left.
    pub(super) fn new(
        head: response::Parts,
        body: Incoming,
        connection: Pin<Box<HttpConnection>>,
        closed: bool,
    ) -> Self {
        Self { status: head.status, headers: head.headers, body, connection, closed }
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The compression that the server used though it was asked for none.
    pub fn compression(&self) -> Option<&str> {
        let encoding = self.headers.get(header::CONTENT_ENCODING)?.to_str().unwrap_or("unreadable");
        (!encoding.trim().is_empty() && !encoding.eq_ignore_ascii_case("identity")).then_some(encoding)
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
