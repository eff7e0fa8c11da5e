//! The tables `[limits]` and `[text]`: bounds of what is read, held and waited for.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weighhouse_types::text::TextLimits;

/// The bounds of every buffer, queue and wait.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Limits")]
pub struct MinerLimits {
    /// Bytes of one request's body.
    pub request_bytes_max: usize,
    /// Bytes of all requests being worked on.
    pub held_bytes_max: usize,
    /// Items in one request.
    pub items_max: u32,
    /// Requests waiting for the model.
    pub queue_max: usize,
    /// Items that the model runs at once.
    pub batch_items_max: u32,
    /// Requests of proven callers being worked on, over all connections: half of them divided by stake, the others anybody's.
    pub in_flight_max: usize,
    /// Requests whose body or signature is waited for; the oldest makes room where there are more.
    pub unproven_max: usize,
    /// Those of one IPv4 address or IPv6 /64 network.
    pub unproven_per_address_max: usize,
    /// Connections in all. Where there are more, or more of one network, one makes room on which nobody has proven a request.
    pub connections_max: usize,
    /// Connections of one IPv4 address or IPv6 /64 network.
    pub connections_per_address_max: usize,
    /// Requests at once on one connection.
    pub streams_per_connection_max: u32,
    /// Bytes of one request's headers.
    pub header_bytes_max: u32,
    /// Longest time for a signed request's body to arrive.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub body_timeout: Duration,
    /// Longest time for one request, its body's arrival included; where text models are served, at least `text.stream_timeout` for a
    /// signed one.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub request_timeout: Duration,
    /// Longest time for a new connection to say that it speaks HTTP/2.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub handshake_timeout: Duration,
    /// Time between pings on a silent connection.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub keepalive_interval: Duration,
    /// Longest time for the answer to a ping.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub keepalive_timeout: Duration,
    /// When a connection is asked to close; it is cut after a request's or stream's timeout more.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub connection_age_max: Duration,
    /// Longest time for requests in flight to finish at shutdown.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub drain_timeout: Duration,
    /// Longest time for one question to the chain.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub chain_timeout: Duration,
}

/// Text models: what one generation may ask for, and how long it may take.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Text {
    /// Tokens that one request may have generated.
    pub max_tokens: u32,
    /// Bytes of one prompt, or of all texts to embed in one request.
    pub prompt_bytes_max: usize,
    /// Tokens of one prompt that comes as ids.
    pub prompt_tokens_max: usize,
    /// Longest time to the first token, the wait for a turn and the prompt included.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub first_token_timeout: Duration,
    /// Longest time for each further token.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub token_timeout: Duration,
    /// Longest time for one generation in all.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub stream_timeout: Duration,
    /// Longest time to connect to a backend.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub connect_timeout: Duration,
    /// Longest time that a backend may leave unanswered whether it is there; then it counts as stopped, and its callers
    /// are answered so.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub silence_timeout: Duration,
    /// Generations that one of our own models runs at once; more wait, up to `limits.queue_max`.
    pub sequences_max: usize,
    /// Tokens of prompts and answers that one of our own models keeps in its cache, over all generations.
    pub cache_tokens_max: usize,
}

impl Default for MinerLimits {
    fn default() -> Self {
        Self {
            request_bytes_max: 1 << 20,
            held_bytes_max: 64 << 20,
            items_max: 256,
            queue_max: 256,
            batch_items_max: 512,
            in_flight_max: 256,
            unproven_max: 512,
            unproven_per_address_max: 128,
            connections_max: 1024,
            connections_per_address_max: 16,
            streams_per_connection_max: 64,
            header_bytes_max: 16 << 10,
            body_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(10),
            handshake_timeout: Duration::from_secs(5),
            keepalive_interval: Duration::from_secs(20),
            keepalive_timeout: Duration::from_secs(10),
            connection_age_max: Duration::from_secs(300),
            drain_timeout: Duration::from_secs(10),
            chain_timeout: Duration::from_secs(30),
        }
    }
}

impl Default for Text {
    fn default() -> Self {
        Self {
            max_tokens: 1024,
            prompt_bytes_max: 64 << 10,
            prompt_tokens_max: 16 << 10,
            first_token_timeout: Duration::from_secs(30),
            token_timeout: Duration::from_secs(10),
            stream_timeout: Duration::from_secs(120),
            connect_timeout: Duration::from_secs(2),
            silence_timeout: Duration::from_secs(5),
            sequences_max: 16,
            cache_tokens_max: 64 << 10,
        }
    }
}

impl From<&Text> for TextLimits {
    fn from(text: &Text) -> Self {
        Self {
            prompt_bytes: text.prompt_bytes_max,
            prompt_tokens: text.prompt_tokens_max,
            max_tokens: text.max_tokens,
        }
    }
}
