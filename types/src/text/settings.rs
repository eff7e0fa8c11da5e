//! Samplers, and the bounds of what a request may ask for.

/// The sampler that takes the likeliest token.
pub const GREEDY: &str = "greedy";
/// The sampler that adds Gumbel noise from the request's seed.
pub const GUMBEL_V1: &str = "gumbel/v1";
/// Most stop words of one request.
pub const STOP_WORDS_MAX: usize = 16;
/// Most bytes of one stop word.
pub const STOP_WORD_BYTES_MAX: usize = 64;
/// Most alternatives whose log-probabilities can be asked for.
pub const TOP_LOG_PROBS_MAX: u8 = 20;
/// The highest temperature: at it, no logit of a real model decides anything any more.
pub const TEMPERATURE_MAX: f32 = 100.0;
/// Tokens for a request that names no `max_tokens`, or the server's limit where that is lower.
pub const MAX_TOKENS_DEFAULT: u32 = 64;
