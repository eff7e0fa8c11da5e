//! JSON-RPC over a WebSocket, one exchange at a time: a message with some requests, and the answers to them.
//!
//! The transport is jsonrpsee's. Its client wakes a timer's thread and several tasks for each request, which takes
//! longer than reading the answer; here nothing runs beside the one who asks.

use serde::{Deserialize, Serialize};
use subxt::ext::jsonrpsee::client_transport::ws::{
    EitherStream, Receiver, Sender, Url, WsTransportClientBuilder,
};
use subxt::ext::jsonrpsee::core::client::{ReceivedMessage, TransportReceiverT as _, TransportSenderT as _};
use subxt::rpcs::UserError;
use subxt::rpcs::client::{RawValue, RpcParams};
use tokio_util::compat::Compat;

/// A connection. Whoever gives up on an exchange must not use it again.
#[derive(Debug)]
pub(super) struct Socket {
    sender: Sender<Compat<EitherStream>>,
    receiver: Receiver<Compat<EitherStream>>,
    /// Of the next request.
    id: u64,
    takes_batches: bool,
}

/// Bytes as JSON-RPC writes them: hexadecimal digits after `0x`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(transparent)]
pub(super) struct Hex(#[serde(with = "const_hex::serde")] pub(super) Vec<u8>);

/// A method with its parameters.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    params: Option<Box<RawValue>>,
}

/// A node's answer to one request.
pub(super) type Reply = Result<Box<RawValue>, UserError>;

/// Why there are no replies.
#[derive(Debug, thiserror::Error)]
pub(super) enum SocketError {
    #[error("{0}")]
    Transport(String),
    /// An answer to the message as a whole.
    #[error("{0}")]
    Refused(UserError),
    #[error("what came is no JSON-RPC: {0}")]
    Garbled(#[from] serde_json::Error),
}

#[derive(Serialize)]
struct RpcCall<'a> {
    jsonrpc: &'static str,
    id: u64,
    method: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    params: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RpcAnswer {
    id: Option<u64>,
    result: Option<Box<RawValue>>,
    error: Option<UserError>,
}

impl<'a> Request<'a> {
    pub(super) fn new(method: &'a str, params: RpcParams) -> Self {
        Self { method, params: params.build() }
    }
}

impl Socket {
    pub(super) async fn open(url: &str) -> Result<Self, SocketError> {
        let url = Url::parse(url).map_err(transport)?;
        let (sender, receiver) = WsTransportClientBuilder::default().build(url).await.map_err(transport)?;
        Ok(Self { sender, receiver, id: 0, takes_batches: true })
    }

    /// Asks in one message; one by one where the node takes no batches. Each request has its reply, in their order.
    pub(super) async fn exchange(&mut self, requests: &[Request<'_>]) -> Result<Vec<Reply>, SocketError> {
        if self.takes_batches || requests.len() == 1 {
            match self.message(requests).await {
                // Remembered for this connection; some nodes behind proxies refuse batches.
                Err(SocketError::Refused(_)) if requests.len() > 1 => self.takes_batches = false,
                replies => return replies,
            }
        }
        let mut replies = Vec::with_capacity(requests.len());
        for request in requests {
            replies.extend(self.message(std::slice::from_ref(request)).await?);
        }
        Ok(replies)
    }

    async fn message(&mut self, requests: &[Request<'_>]) -> Result<Vec<Reply>, SocketError> {
        let first = self.id;
        let call = |(request, id): (&Request<'_>, u64)| -> serde_json::Result<String> {
            let params = request.params.as_deref();
            serde_json::to_string(&RpcCall { jsonrpc: "2.0", id, method: request.method, params })
        };
        let calls = requests.iter().zip(first..).map(call).collect::<Result<Vec<_>, _>>()?;
        self.id += requests.len() as u64;
        let text = match &calls[..] {
            [only] => only.clone(),
            calls => format!("[{}]", calls.join(",")),
        };
        self.sender.send(text).await.map_err(transport)?;
        let mut replies: Vec<Option<Reply>> = requests.iter().map(|_| None).collect();
        while replies.iter().any(Option::is_none) {
            for answer in self.answers().await? {
                let (result, error) = (answer.result, answer.error);
                let place = answer.id.and_then(|id| usize::try_from(id.checked_sub(first)?).ok());
                match (place.and_then(|place| replies.get_mut(place)), error) {
                    (Some(reply), Some(error)) => *reply = Some(Err(error)),
                    // serde reads a result of `null` as none given; it is an answer all the same.
                    (Some(reply), None) => *reply = Some(Ok(result.unwrap_or_else(null))),
                    (None, Some(error)) if answer.id.is_none() => return Err(SocketError::Refused(error)),
                    // Of an exchange that is over.
                    (None, _) => {}
                }
            }
        }
        Ok(replies.into_iter().flatten().collect())
    }

    async fn answers(&mut self) -> Result<Vec<RpcAnswer>, SocketError> {
        let text = match self.receiver.receive().await.map_err(transport)? {
            ReceivedMessage::Text(text) => text,
            ReceivedMessage::Bytes(bytes) => String::from_utf8(bytes).map_err(transport)?,
            ReceivedMessage::Pong => return Ok(Vec::new()),
        };
        match text.trim_start().starts_with('[') {
            true => Ok(serde_json::from_str(&text)?),
            false => Ok(vec![serde_json::from_str(&text)?]),
        }
    }
}

fn null() -> Box<RawValue> {
    RawValue::NULL.to_owned()
}

fn transport(error: impl std::fmt::Display) -> SocketError {
    SocketError::Transport(error.to_string())
}
