//! Bounds of what is read from a server.

use weighhouse_types::text::{Prompt, TextRequest};

/// Bytes of a refusal that are read for our log.
pub(super) const REFUSAL_BYTES_MAX: usize = 4 << 10;
/// Bytes of a list of models.
pub(super) const MODELS_BYTES_MAX: usize = 1 << 20;
/// Bytes of a stream besides those of its tokens.
const STREAM_BYTES_BASE: usize = 64 << 10;
/// Bytes of a stream for each token: with 20 alternatives and their names about three thousand.
const STREAM_BYTES_PER_TOKEN: usize = 8 << 10;

/// Bytes of a prompt's token where an answer repeats it.
const PROMPT_BYTES_PER_TOKEN: usize = 64;
/// Bytes of an escaped character, at most, for each of its own.
const ESCAPED_BYTES: usize = 6;

/// Bytes of an answer of `tokens` that repeats its prompt, to which `before` tokens were added, as llama.cpp's own does.
pub(super) fn repeating_bytes_max(request: &TextRequest, before: usize, tokens: usize) -> usize {
    let prompt = match &request.prompt {
        Prompt::Text(text) => text.len().saturating_mul(ESCAPED_BYTES),
        Prompt::Ids(ids) => ids.len().saturating_mul(PROMPT_BYTES_PER_TOKEN),
    };
    prompt
        .saturating_add(before.saturating_mul(PROMPT_BYTES_PER_TOKEN))
        .saturating_add(tokens.saturating_mul(STREAM_BYTES_PER_TOKEN))
        .saturating_add(STREAM_BYTES_BASE)
}

/// Bytes of an answer. Bounded by what was asked for: a server that never ends its stream is cut by bytes, not only by
/// time.
pub(super) fn bytes_max(request: &TextRequest) -> usize {
    let tokens = usize::try_from(request.max_tokens).unwrap_or(usize::MAX);
    STREAM_BYTES_PER_TOKEN.saturating_mul(tokens).saturating_add(STREAM_BYTES_BASE)
}
