//! Limits of the gateway, one of them the operator's.

use std::time::Duration;

use weighhouse_ask::ProxyLimits;

/// Connections served at once; more wait.
pub(crate) const CONNECTIONS_MAX: usize = 256;
/// Requests worked on at once, streams until their end; more are refused.
pub(crate) const REQUESTS_MAX: usize = 128;
/// Time for a request's headers; a connection on which none come for so long is closed.
pub(crate) const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// Time for a request's body.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Time in which a client takes something of its answer.
pub(crate) const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes of a request's headers.
pub(crate) const HEADER_BYTES_MAX: usize = 32 << 10;
/// Miners asked in turn for one request.
pub(crate) const MINERS_ASKED_MAX: usize = 8;
/// Time in which a miner that failed is asked only after all others.
pub(crate) const SET_ASIDE: Duration = Duration::from_secs(10);
/// Messages of one dialogue.
pub(crate) const MESSAGES_MAX: usize = 1_024;
/// Texts of one request for embeddings; OpenAI's own limit.
pub(crate) const TEXTS_MAX: usize = 2_048;
/// Numbers of one embedding.
pub(crate) const DIMENSIONS_MAX: usize = 16_384;
/// Tokens that one request may ask for; a miner's own limit is usually lower, and it says so.
pub(crate) const TOKENS_MAX: u32 = 1 << 17;
/// Tokens of a completion that says no number, as with OpenAI.
pub(crate) const COMPLETION_TOKENS: u32 = 16;
/// Tokens of a chat's answer where the request says no number.
pub(crate) const CHAT_TOKENS: u32 = 256;

/// Limits of the calls to miners; a request of a client has the same size at most.
pub type CallLimits = ProxyLimits;
