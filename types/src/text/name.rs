//! The tensors' names on the wire.

/// BYTES `[1]`, UTF-8: the prompt. In embedding BYTES `[n]`: the texts.
pub const TEXT_INPUT: &str = "text_input";
/// INT32 `[n]`: the prompt as token ids, instead of [`TEXT_INPUT`].
pub const INPUT_IDS: &str = "input_ids";
/// INT32 `[1]`: generated tokens at most.
pub const MAX_TOKENS: &str = "max_tokens";
/// FP32 `[1]`: 0 (the default) is greedy.
pub const TEMPERATURE: &str = "temperature";
/// FP32 `[1]`, in (0, 1]: 1 (the default) is off.
pub const TOP_P: &str = "top_p";
/// INT32 `[1]`: 0 (the default) is off.
pub const TOP_K: &str = "top_k";
/// UINT64 `[1]`.
pub const RANDOM_SEED: &str = "random_seed";
/// BYTES `[n]`, UTF-8: generation ends before the first of them.
pub const STOP_WORDS: &str = "stop_words";
/// BOOL `[1]`: whether the chosen tokens' log-probabilities are wanted.
pub const RETURN_LOG_PROBS: &str = "return_log_probs";
/// INT32 `[1]`: of how many likeliest tokens the log-probabilities are wanted. In an answer FP32 `[n, k]`.
pub const TOP_LOG_PROBS: &str = "top_log_probs";
/// BOOL `[1]`: go on after the end token.
pub const IGNORE_END: &str = "ignore_end";
/// BYTES `[1]`, UTF-8: what was generated; in a stream its new piece.
pub const TEXT_OUTPUT: &str = "text_output";
/// INT32 `[n]`: the generated tokens.
pub const TOKEN_IDS: &str = "token_ids";
/// FP32 `[n]`: each token's log-probability under the raw logits.
pub const LOG_PROBS: &str = "log_probs";
/// INT32 `[n, k]`: the likeliest tokens; -1 where there are fewer.
pub const TOP_TOKEN_IDS: &str = "top_token_ids";
/// BYTES `[1]`: `stop`, `length` or `end`; empty in a stream until its last message.
pub const FINISH_REASON: &str = "finish_reason";
/// INT32 `[1]`: the prompt's tokens; 0 where the server doesn't know.
pub const PROMPT_TOKENS: &str = "prompt_tokens";
/// FP32 `[n, d]`: a row per text.
pub const EMBEDDING: &str = "embedding";
