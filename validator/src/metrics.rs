//! The validator's metrics: each is described once, and counted by a function of its own.

use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use weighhouse_seams::UnixNanos;
use weighhouse_types::{Block, Epoch, Judgement, Outcome, VoidCause};

use crate::role::ChainTrouble;

/// Ends of a publication.
const PUBLICATIONS: [&str; 7] = ["abstained", "committed", "failed", "late", "missed", "passed", "published"];

/// Names the metrics to whatever recorder is installed; those that alerts look for an increase of begin at 0.
pub fn describe() {
    describe_counter!("weighhouse_validator_verdicts_total", "Verdicts, by their outcome");
    describe_histogram!(
        "weighhouse_validator_answer_seconds",
        "From a request's sending to its answer's last byte"
    );
    describe_histogram!(
        "weighhouse_validator_canary_seconds",
        "From the sending of a round's request to the validator's own canary to its answer's last byte"
    );
    describe_counter!(
        "weighhouse_validator_rounds_total",
        "Rounds of asking that were judged and journalled"
    );
    describe_counter!(
        "weighhouse_validator_rounds_void_total",
        "Rounds that failed through the validator's own trouble, for all or for some, by its cause: nobody is charged"
    );
    describe_counter!(
        "weighhouse_validator_rounds_postponed_total",
        "Attempts at a round, or at the truth about earlier ones, that wait for the validator's own trouble to pass, by its cause"
    );
    describe_counter!(
        "weighhouse_validator_publications_total",
        "Epochs by what became of their weights; those have passed that ended before they were weighed, and late are published ones that came after their epoch's end"
    );
    describe_gauge!(
        "weighhouse_validator_epochs_abstained",
        "Epochs that gave no weights since weights were last published"
    );
    describe_gauge!(
        "weighhouse_validator_epochs_failed",
        "Epochs whose weights the chain didn't take or were never revealed, since weights were last published"
    );
    describe_gauge!("weighhouse_validator_passed_epoch", "The newest epoch that ended before it was weighed");
    describe_gauge!("weighhouse_validator_block", "The newest block that the validator has worked through");
    describe_gauge!(
        "weighhouse_validator_last_progress_timestamp_seconds",
        "When a block was last worked through, since the Unix epoch"
    );
    describe_gauge!(
        "weighhouse_validator_last_round_timestamp_seconds",
        "When a round was last judged and journalled, since the Unix epoch"
    );
    describe_gauge!(
        "weighhouse_validator_last_publication_timestamp_seconds",
        "When weights were last read back from the chain, since the Unix epoch"
    );
    describe_gauge!("weighhouse_validator_epoch", "The epoch that is open");
    describe_gauge!("weighhouse_validator_published_epoch", "The newest epoch whose weights were read back");
    describe_gauge!(
        "weighhouse_validator_shadow_moved_ratio",
        "Share of emission that the staged policy would have moved in the newest epoch"
    );
    describe_counter!(
        "weighhouse_validator_rollouts_refused_total",
        "Epochs opened with a staged policy that did not verify"
    );
    describe_gauge!(
        "weighhouse_validator_burn_excess_ratio",
        "Share of the newest weights that the burn's hotkey gets beyond the policy's burn, since it mines as well"
    );
    describe_gauge!(
        "weighhouse_validator_permitted",
        "1 while the chain shows a validator permit of the hotkey, else 0."
    );
    describe_counter!(
        "weighhouse_validator_reach_requests_total",
        "Requests of miners to be dialled, by gRPC status code."
    );
    describe_counter!(
        "weighhouse_validator_verdicts_requests_total",
        "Proven requests of miners for what became of their answers, by gRPC status"
    );
    describe_counter!(
        "weighhouse_validator_receipts_total",
        "Attempts to tell a miner that its answers were received, by their outcome"
    );
    describe_gauge!(
        "weighhouse_validator_clock_ahead_seconds",
        "How far the clock was ahead of the miners' that refused the newest round for its time, else 0"
    );
    describe_counter!(
        "weighhouse_validator_bundles_requests_total",
        "Requests for bundles of public epochs, by route and HTTP status"
    );
    describe_counter!("weighhouse_validator_bundles_sent_bytes_total", "Bytes of bundles that were sent");
    describe_gauge!("weighhouse_validator_bundles_offered", "Epochs whose bundles anybody may take");
    describe_gauge!(
        "weighhouse_validator_journal_epochs",
        "Epochs in the journal's folder, the open one included"
    );
    describe_gauge!(
        "weighhouse_validator_journal_bytes",
        "Bytes of the journal's epochs when the newest was opened"
    );
    describe_gauge!("weighhouse_validator_journal_epoch_bytes", "Bytes of the newest epoch that is over");
    describe_gauge!(
        "weighhouse_validator_disk_short",
        "1 while less is free where the journal lies than journal.free_space_min, else 0"
    );
    describe_gauge!(
        "weighhouse_validator_witnesses",
        "Validators that have signed the newest checkpoint of the journal's log"
    );
    describe_gauge!(
        "weighhouse_validator_witnesses_wanted",
        "Validators whose signatures an audit demands of it"
    );
    describe_gauge!(
        "weighhouse_validator_anchored_epoch",
        "The newest epoch whose checkpoint is the hotkey's commitment on the chain"
    );
    describe_counter!(
        "weighhouse_validator_witness_requests_total",
        "Requests of other validators to sign a checkpoint of theirs, by gRPC status"
    );
    describe_counter!(
        "weighhouse_validator_forks_total",
        "Logs of validators that showed two records of one past, with a proof in the journal's folder"
    );
    counter!("weighhouse_validator_forks_total").increment(0);
    describe_gauge!(
        "weighhouse_validator_logs_unjoined",
        "Logs of validators that haven't shown that they grew from what another witness has signed, and aren't signed here any more"
    );
    describe_gauge!(
        "weighhouse_validator_chain_trouble",
        "1 while no block comes (silent), the chain is behind one that was acted on (behind), nobody keeps the epoch's first block \
         (pruned), or final blocks change (finality), else 0"
    );
    chain_trouble(None);
    describe_gauge!(
        "weighhouse_validator_foreign_update_block",
        "The block in which another process last published with the hotkey, for two epochs after; else 0"
    );
    foreign_update(None);
    describe_counter!("weighhouse_validator_chain_errors_total", "Steps that failed because the chain did");
    counter!("weighhouse_validator_chain_errors_total").increment(0);
    counter!("weighhouse_validator_rollouts_refused_total").increment(0);
    for cause in VoidCause::ALL.map(VoidCause::name) {
        counter!("weighhouse_validator_rounds_void_total", "cause" => cause).increment(0);
        counter!("weighhouse_validator_rounds_postponed_total", "cause" => cause).increment(0);
    }
    for outcome in PUBLICATIONS {
        counter!("weighhouse_validator_publications_total", "outcome" => outcome).increment(0);
    }
}

fn seconds(time: UnixNanos) -> f64 {
    time.0 as f64 / 1e9
}

pub(crate) fn judged(judgement: &Judgement, latency: Option<Duration>) {
    let outcome = judgement.outcome().unwrap_or(Outcome::Silent).name();
    counter!("weighhouse_validator_verdicts_total", "outcome" => outcome).increment(1);
    if let Some(latency) = latency {
        histogram!("weighhouse_validator_answer_seconds").record(latency.as_secs_f64());
    }
}

pub(crate) fn canary(took: Duration) {
    histogram!("weighhouse_validator_canary_seconds").record(took.as_secs_f64());
}

pub(crate) fn round_closed(now: UnixNanos) {
    counter!("weighhouse_validator_rounds_total").increment(1);
    gauge!("weighhouse_validator_last_round_timestamp_seconds").set(seconds(now));
}

pub(crate) fn round_void(cause: VoidCause) {
    counter!("weighhouse_validator_rounds_void_total", "cause" => cause.name()).increment(1);
}

pub(crate) fn postponed(cause: VoidCause) {
    counter!("weighhouse_validator_rounds_postponed_total", "cause" => cause.name()).increment(1);
}

pub(crate) fn publication(outcome: &'static str) {
    counter!("weighhouse_validator_publications_total", "outcome" => outcome).increment(1);
    match outcome {
        "abstained" => gauge!("weighhouse_validator_epochs_abstained").increment(1),
        "failed" | "missed" => gauge!("weighhouse_validator_epochs_failed").increment(1),
        _ => {}
    }
}

/// Epochs ended before they were weighed, the newest of which is this one.
pub(crate) fn passed(epochs: u64, newest: Epoch) {
    counter!("weighhouse_validator_publications_total", "outcome" => "passed").increment(epochs);
    gauge!("weighhouse_validator_passed_epoch").set(newest.0 as f64);
}

pub(crate) fn published(epoch: Epoch, now: UnixNanos) {
    publication("published");
    gauge!("weighhouse_validator_epochs_abstained").set(0);
    gauge!("weighhouse_validator_epochs_failed").set(0);
    published_before(epoch);
    gauge!("weighhouse_validator_last_publication_timestamp_seconds").set(seconds(now));
}

/// The newest epoch that an earlier run published.
pub(crate) fn published_before(epoch: Epoch) {
    gauge!("weighhouse_validator_published_epoch").set(epoch.0 as f64);
}

pub(crate) fn progress(block: Block, epoch: Epoch, now: UnixNanos) {
    gauge!("weighhouse_validator_block").set(block.0 as f64);
    gauge!("weighhouse_validator_last_progress_timestamp_seconds").set(seconds(now));
    gauge!("weighhouse_validator_epoch").set(epoch.0 as f64);
}

pub(crate) fn burn_excess(share: f64) {
    gauge!("weighhouse_validator_burn_excess_ratio").set(share);
}

pub(crate) fn explained(code: tonic::Code) {
    counter!("weighhouse_validator_verdicts_requests_total", "code" => format!("{code:?}")).increment(1);
}

pub(crate) fn permitted(permitted: bool) {
    gauge!("weighhouse_validator_permitted").set(f64::from(u8::from(permitted)));
}

pub(crate) fn reached(code: tonic::Code) {
    counter!("weighhouse_validator_reach_requests_total", "code" => format!("{code:?}")).increment(1);
}

pub(crate) fn witnesses(signed: usize, wanted: usize) {
    gauge!("weighhouse_validator_witnesses").set(signed as f64);
    gauge!("weighhouse_validator_witnesses_wanted").set(wanted as f64);
}

pub(crate) fn witnessed(code: tonic::Code) {
    counter!("weighhouse_validator_witness_requests_total", "code" => format!("{code:?}")).increment(1);
}

pub(crate) fn anchored(epoch: Epoch) {
    gauge!("weighhouse_validator_anchored_epoch").set(epoch.0 as f64);
}

pub(crate) fn fork_exposed() {
    counter!("weighhouse_validator_forks_total").increment(1);
}

pub(crate) fn logs_unjoined(count: usize) {
    gauge!("weighhouse_validator_logs_unjoined").set(count as f64);
}

pub(crate) fn receipts_sent(delivered: bool) {
    let outcome = if delivered { "delivered" } else { "failed" };
    counter!("weighhouse_validator_receipts_total", "outcome" => outcome).increment(1);
}

pub(crate) fn clock_ahead(seconds: f64) {
    gauge!("weighhouse_validator_clock_ahead_seconds").set(seconds);
}

pub(crate) fn bundles_requested(route: &'static str, status: u16) {
    let code = status.to_string();
    counter!("weighhouse_validator_bundles_requests_total", "route" => route, "code" => code).increment(1);
}

pub(crate) fn bundles_sent(bytes: u64) {
    counter!("weighhouse_validator_bundles_sent_bytes_total").increment(bytes);
}

pub(crate) fn bundles_offered(epochs: usize) {
    gauge!("weighhouse_validator_bundles_offered").set(epochs as f64);
}

/// The journal's folder, and the newest epoch that is over.
pub(crate) fn journal_size(epochs: usize, bytes: u64, newest: Option<u64>) {
    gauge!("weighhouse_validator_journal_epochs").set(epochs as f64);
    gauge!("weighhouse_validator_journal_bytes").set(bytes as f64);
    if let Some(newest) = newest {
        gauge!("weighhouse_validator_journal_epoch_bytes").set(newest as f64);
    }
}

pub(crate) fn disk_short(is_short: bool) {
    gauge!("weighhouse_validator_disk_short").set(f64::from(u8::from(is_short)));
}

pub(crate) fn chain_error() {
    counter!("weighhouse_validator_chain_errors_total").increment(1);
}

/// The newest update of our hotkey that no intent explains; `None` where there is none, or it is over.
pub(crate) fn foreign_update(block: Option<Block>) {
    gauge!("weighhouse_validator_foreign_update_block").set(block.map_or(0.0, |block| block.0 as f64));
}

/// The chain's trouble now; one at a time.
pub(crate) fn chain_trouble(now: Option<ChainTrouble>) {
    for trouble in ChainTrouble::ALL {
        let is_there = f64::from(u8::from(now == Some(trouble)));
        gauge!("weighhouse_validator_chain_trouble", "cause" => trouble.name()).set(is_there);
    }
}

pub(crate) fn shadow_moved(share: f64) {
    gauge!("weighhouse_validator_shadow_moved_ratio").set(share);
}

pub(crate) fn rollout_refused() {
    counter!("weighhouse_validator_rollouts_refused_total").increment(1);
}
