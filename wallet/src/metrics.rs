//! Counters of this crate. Reasons are a fixed set; no hotkey ever becomes a label.

use metrics::{counter, describe_counter, describe_histogram, histogram};

const VERIFIED: &str = "weighhouse_wallet_requests_verified_total";
const REFUSED: &str = "weighhouse_wallet_requests_refused_total";
const SIGNED: &str = "weighhouse_wallet_answers_signed_total";
const LOOKED_AT: &str = "weighhouse_wallet_signatures_per_check";
const BATCH: &str = "weighhouse_wallet_answers_per_signature";

/// Gives the exporter its help texts; call it once a recorder is installed.
pub fn describe() {
    describe_counter!(VERIFIED, "Requests whose signature was verified and whose nonce was new.");
    describe_counter!(REFUSED, "Requests refused before a handler saw them, by reason.");
    describe_counter!(SIGNED, "Answers that left with a signature.");
    describe_histogram!(
        LOOKED_AT,
        "Requests whose signatures were found right in one check: 1 where few come, up to 32 under load."
    );
    describe_histogram!(BATCH, "Answers under one signature: 1 where few come, up to 64 under load.");
}

/// Requests whose signature was verified and whose nonce was new.
pub(crate) fn request_verified() {
    counter!(VERIFIED).increment(1);
}

/// Requests refused before a handler saw them, by reason.
pub(crate) fn request_refused(reason: &'static str) {
    counter!(REFUSED, "reason" => reason).increment(1);
}

/// Signatures that were looked at, together or each alone.
pub(crate) fn signatures_checked(count: usize, together: bool) {
    let (per_check, checks) = if together { (count, 1) } else { (1, count) };
    histogram!(LOOKED_AT).record_many(per_check as f64, checks);
}

pub(crate) fn answers_batched(count: usize) {
    histogram!(BATCH).record(count as f64);
}

/// Answers that left with a signature.
pub(crate) fn answer_signed() {
    counter!(SIGNED).increment(1);
}
