//! Failures of a server of the Open Inference Protocol: whose doing each one is.
//!
//! Triton's codes say less than its words: a prompt that is too long may come as INTERNAL, and tensors that we shaped wrongly
//! as INVALID_ARGUMENT.

use tonic::{Code, Status};
use weighhouse_proto::bounded::MALFORMED;

use crate::backend::error::{BackendError, Stage, shortened};

/// Words of Triton's core about tensors, which are ours and never the caller's.
const OF_TENSORS: [&str; 8] = [
    "unexpected shape",
    "unexpected datatype",
    "unexpected inference input",
    "data-type is",
    "inputs but got",
    "missing required input",
    "byte size for input",
    "batch-size must be",
];
/// Words about a prompt or a wish that is over the model's context.
const OF_LENGTH: [&str; 7] = [
    "maximum model length",
    "max_model_len",
    "context length",
    "exceeds maximum input length",
    "exceeds the maximum",
    "longer than the maximum",
    "too long",
];

/// The failure behind a status.
pub(super) fn of_status(status: &Status) -> BackendError {
    of(Some(status.code()), status.message())
}

/// The failure behind a message within a stream, which has no code.
pub(super) fn of_message(message: &str) -> BackendError {
    of(None, message)
}

/// Whether another question after asking for metadata anew may fare better.
pub(super) fn is_of_tensors(error: &BackendError) -> bool {
    matches!(error, BackendError::Misconfigured(why) if says(why, &OF_TENSORS))
}

fn of(code: Option<Code>, message: &str) -> BackendError {
    let why = shortened(cause(message));
    if says(message, &OF_TENSORS) || says(message, &["unknown model"]) {
        return BackendError::Misconfigured(why);
    }
    if says(message, &OF_LENGTH) {
        return BackendError::Refused(why);
    }
    if says(message, &["maximum queue size"]) {
        return BackendError::Busy;
    }
    match code {
        // Our own reader's word for a server's message.
        Some(Code::InvalidArgument) if message == MALFORMED => BackendError::Malformed(why),
        Some(Code::Cancelled) => BackendError::Disconnected,
        // Triton's word for a request that waited in its queue for too long.
        Some(Code::Unavailable) if says(message, &["timeout expired"]) => BackendError::Slow(Stage::First),
        Some(code) => BackendError::from(&Status::new(code, cause(message))),
        None => BackendError::Failed(why),
    }
}

/// The last line of a Python traceback, which says what the rest led to; any other message whole.
fn cause(message: &str) -> &str {
    let Some((_, trace)) = message.split_once("Traceback (most recent call last)") else { return message };
    // Triton's stub adds where it was in C++.
    let trace = trace.split_once("\nAt:\n").map_or(trace, |(trace, _)| trace);
    trace.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or(message)
}

fn says(message: &str, words: &[&str]) -> bool {
    let message = message.to_ascii_lowercase();
    words.iter().any(|word| message.contains(word))
}
