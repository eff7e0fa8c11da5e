//! Counters of this crate. Reasons are a fixed set; no hotkey ever becomes a label.

use metrics::counter;

/// Requests whose signature was verified and whose nonce was new.
pub(crate) fn request_verified() {
    counter!("weighhouse_wallet_requests_verified_total").increment(1);
}

/// Requests refused before a handler saw them, by reason.
pub(crate) fn request_refused(reason: &'static str) {
    counter!("weighhouse_wallet_requests_refused_total", "reason" => reason).increment(1);
}

/// Answers that left with a signature.
pub(crate) fn answer_signed() {
    counter!("weighhouse_wallet_answers_signed_total").increment(1);
}
