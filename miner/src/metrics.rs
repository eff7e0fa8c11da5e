//! Every metric of the miner: names, descriptions, and the only places that write them.
//!
//! Refusals by reason are counted where requests are verified, in the wallet. Labels come from fixed lists and the
//! configuration, never from callers, so their number is bounded.

use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use tonic::Code;
use weighhouse_seams::UnixNanos;
use weighhouse_types::{Block, Hotkey};

use crate::server::OwnStanding;

const REQUESTS: &str = "weighhouse_miner_requests_total";
const LAST_REQUEST: &str = "weighhouse_miner_last_request_timestamp_seconds";
const LATENCY: &str = "weighhouse_miner_request_seconds";
const IN_FLIGHT: &str = "weighhouse_miner_requests_in_flight";
const CONNECTIONS: &str = "weighhouse_miner_connections";
const CONNECTIONS_REFUSED: &str = "weighhouse_miner_connections_refused_total";
const CONNECTIONS_EVICTED: &str = "weighhouse_miner_connections_evicted_total";
const CONNECTIONS_FLOODED: &str = "weighhouse_miner_connections_flooded_total";
const REQUESTS_EVICTED: &str = "weighhouse_miner_requests_evicted_total";
const ROSTER_BLOCK: &str = "weighhouse_miner_roster_block";
const LAST_PROGRESS: &str = "weighhouse_miner_last_progress_timestamp_seconds";
const ROSTER_FAILURES: &str = "weighhouse_miner_roster_failures_total";
const AXON_LOST: &str = "weighhouse_miner_axon_lost_total";
const AXON_REACHED: &str = "weighhouse_miner_axon_reached_ratio";
const INCENTIVE: &str = "weighhouse_miner_incentive_ratio";
const EMISSION: &str = "weighhouse_miner_emission_rao";
const IMMUNITY: &str = "weighhouse_miner_immunity_left_blocks";
const PRUNED_BEFORE: &str = "weighhouse_miner_pruned_before";
const RELOADED: &str = "weighhouse_miner_config_last_reload_successful";
const RELOADED_AT: &str = "weighhouse_miner_config_last_reload_success_timestamp_seconds";
const IDENTITIES: &str = "weighhouse_miner_identities";
const RECEIPTS: &str = "weighhouse_miner_receipts_total";
const ROOTS: &str = "weighhouse_miner_commitment_roots_total";
const BACKEND_UP: &str = "weighhouse_miner_backend_up";
const DECODER_RESTARTS: &str = "weighhouse_miner_decoder_restarts_total";
const BACKEND_FAILURES: &str = "weighhouse_miner_backend_failures_total";

/// Gives the exporter its help texts; call it once a recorder is installed.
pub fn describe() {
    weighhouse_wallet::metrics::describe();
    describe_counter!(REQUESTS, "Requests answered, by method and gRPC status code.");
    describe_gauge!(LAST_REQUEST, "When a validator's request was last answered, since the Unix epoch.");
    describe_histogram!(LATENCY, "Seconds from a request's headers to its response's.");
    describe_gauge!(IN_FLIGHT, "Requests that have no whole answer yet.");
    describe_gauge!(CONNECTIONS, "Open connections.");
    describe_counter!(CONNECTIONS_REFUSED, "Connections closed at once, by the limit they hit.");
    describe_counter!(
        CONNECTIONS_EVICTED,
        "Connections that were cut to make room, by the limit that was hit."
    );
    describe_counter!(
        CONNECTIONS_FLOODED,
        "Connections that were cut for frames that carry no request: pings, settings, windows, resets."
    );
    describe_counter!(REQUESTS_EVICTED, "Requests that weren't proven in time and made room for newer ones.");
    describe_counter!(RECEIPTS, "Validators' receipts for answers, by whether they were kept.");
    describe_counter!(
        ROOTS,
        "Roots of commitments for the chain, by whether the chain showed them or an attempt failed."
    );
    describe_gauge!(ROSTER_BLOCK, "The block of the metagraph snapshot that admission uses.");
    describe_gauge!(LAST_PROGRESS, "When the metagraph was last read, since the Unix epoch.");
    describe_counter!(ROSTER_FAILURES, "Failed attempts to read the metagraph.");
    describe_counter!(
        AXON_LOST,
        "Times the chain showed another axon than the miner's, which it then published again."
    );
    describe_gauge!(
        AXON_REACHED,
        "Of the validators that dialled the axon when last asked to, those that reached it."
    );
    describe_gauge!(INCENTIVE, "The miner's incentive on the chain, of 1.");
    describe_gauge!(EMISSION, "The miner's pay of the last epoch, in 1e-9 of the subnet's token.");
    describe_gauge!(IMMUNITY, "Blocks for which the miner can't be pruned yet.");
    describe_gauge!(PRUNED_BEFORE, "Neurons that would be pruned before the miner.");
    describe_gauge!(RELOADED, "1 if the configuration was last read without an error, else 0.");
    describe_gauge!(
        RELOADED_AT,
        "When the configuration was last read without an error, since the Unix epoch."
    );
    describe_gauge!(IDENTITIES, "Hotkeys that this process serves as.");
    describe_gauge!(BACKEND_UP, "1 while the server behind a model answers, else 0, by model.");
    describe_counter!(
        DECODER_RESTARTS,
        "Failed passes of our own text models, after which all that ran began anew."
    );
    describe_counter!(
        BACKEND_FAILURES,
        "Answers that a model, or the server behind it, failed at or refused, by model and cause."
    );
    // An alert on an increase needs a first sample before it.
    for rare in [AXON_LOST, DECODER_RESTARTS, CONNECTIONS_FLOODED, REQUESTS_EVICTED, ROSTER_FAILURES] {
        counter!(rare).increment(0);
    }
}

pub(crate) fn request(method: &'static str, code: Code, took: Duration) {
    counter!(REQUESTS, "method" => method, "code" => format!("{code:?}")).increment(1);
    histogram!(LATENCY, "method" => method).record(took.as_secs_f64());
}

pub(crate) fn in_flight(change: f64) {
    gauge!(IN_FLIGHT).increment(change);
}

pub(crate) fn connections(change: f64) {
    gauge!(CONNECTIONS).increment(change);
}

pub(crate) fn connection_refused(limit: &'static str) {
    counter!(CONNECTIONS_REFUSED, "limit" => limit).increment(1);
}

pub(crate) fn connection_evicted(limit: &'static str) {
    counter!(CONNECTIONS_EVICTED, "limit" => limit).increment(1);
}

pub(crate) fn connection_flooded() {
    counter!(CONNECTIONS_FLOODED).increment(1);
}

pub(crate) fn request_evicted() {
    counter!(REQUESTS_EVICTED).increment(1);
}

/// A validator said that it received an answer.
pub(crate) fn receipt(kept: bool) {
    let outcome = if kept { "kept" } else { "refused" };
    counter!(RECEIPTS, "outcome" => outcome).increment(1);
}

/// The chain shows the root of what was committed to.
pub(crate) fn root_published() {
    counter!(ROOTS, "outcome" => "shown").increment(1);
}

pub(crate) fn root_failed() {
    counter!(ROOTS, "outcome" => "failed").increment(1);
}

/// A proven request was answered.
pub(crate) fn validator_answered(now: UnixNanos) {
    gauge!(LAST_REQUEST).set(seconds(now));
}

pub(crate) fn roster_read(block: Block, now: UnixNanos) {
    gauge!(ROSTER_BLOCK).set(block.0 as f64);
    gauge!(LAST_PROGRESS).set(seconds(now));
}

fn seconds(time: UnixNanos) -> f64 {
    time.0 as f64 / 1e9
}

pub(crate) fn roster_failure() {
    counter!(ROSTER_FAILURES).increment(1);
}

pub(crate) fn axon_lost() {
    counter!(AXON_LOST).increment(1);
}

pub(crate) fn axon_reached(ratio: f64) {
    gauge!(AXON_REACHED).set(ratio);
}

/// `hotkey` is one of ours.
pub(crate) fn standing(hotkey: &Hotkey, own: &OwnStanding) {
    let hotkey = hotkey.to_string();
    gauge!(INCENTIVE, "hotkey" => hotkey.clone()).set(own.incentive);
    gauge!(EMISSION, "hotkey" => hotkey.clone()).set(own.emission.0 as f64);
    gauge!(IMMUNITY, "hotkey" => hotkey.clone()).set(own.immunity_left as f64);
    gauge!(PRUNED_BEFORE, "hotkey" => hotkey).set(own.pruned_before as f64);
}

/// The configuration was read, at the start or anew.
pub fn reloaded(worked: bool, now: UnixNanos) {
    gauge!(RELOADED).set(f64::from(u8::from(worked)));
    if worked {
        gauge!(RELOADED_AT).set(seconds(now));
    }
}

pub(crate) fn identities(serving: usize) {
    gauge!(IDENTITIES).set(serving as f64);
}

pub(crate) fn decoder_restart() {
    counter!(DECODER_RESTARTS).increment(1);
}

/// `model` is one of the configuration's.
pub(crate) fn backend_up(model: &str, up: bool) {
    gauge!(BACKEND_UP, "model" => model.to_owned()).set(f64::from(u8::from(up)));
}

/// A gauge can't be taken back, and its last figure would stand for ever.
pub(crate) fn backend_gone(model: &str) {
    gauge!(BACKEND_UP, "model" => model.to_owned()).set(f64::NAN);
}

pub(crate) fn backend_failure(model: &str, cause: &'static str) {
    counter!(BACKEND_FAILURES, "model" => model.to_owned(), "cause" => cause).increment(1);
}
