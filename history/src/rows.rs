//! Records as rows, in the order of the tables' columns.

use std::collections::HashMap;

use parquet::data_type::ByteArray;
use weighhouse_journal::Segment;
use weighhouse_types::{
    Epoch, EpochContext, Hotkey, JudgeIdentity, Mark, Netuid, RegistrationId, Standing, Uid, VerdictRecord,
};

use crate::columns::Cell;
use crate::error::ExportError;
use crate::limits::HOTKEYS_MAX;
use crate::words;

/// Addresses as text, computed once for each of the hotkeys that come again and again.
#[derive(Debug, Default)]
pub(crate) struct Addresses(HashMap<Hotkey, ByteArray>);

impl Addresses {
    pub(crate) fn cell(&mut self, hotkey: &Hotkey) -> Cell {
        if self.0.len() >= HOTKEYS_MAX && !self.0.contains_key(hotkey) {
            // A cache only: clearing it costs time and never a row.
            self.0.clear();
        }
        let text = self.0.entry(*hotkey).or_insert_with(|| hotkey.to_string().into_bytes().into());
        Cell::Utf8(text.clone())
    }
}

/// # Errors
/// For what a signed column can't hold; no real epoch, block or latency comes near.
fn signed(epoch: Epoch, what: &'static str, value: u64) -> Result<Cell, ExportError> {
    i64::try_from(value).map(Cell::Int64).map_err(|_| ExportError::OutOfRange { epoch, what, value })
}

fn maybe_signed(epoch: Epoch, what: &'static str, value: Option<u64>) -> Result<Cell, ExportError> {
    value.map_or(Ok(Cell::Null), |value| signed(epoch, what, value))
}

fn maybe_time(epoch: Epoch, unix_us: Option<u64>) -> Result<Cell, ExportError> {
    maybe_signed(epoch, "a block's time", unix_us)
}

/// The journal that an epoch's rows come from, and the judge of its verdicts: columns of every row.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) epoch: Epoch,
    netuid: Netuid,
    validator: Hotkey,
    kind: Option<String>,
    judge_version: u32,
}

impl Subject {
    pub(crate) fn of(segment: &Segment, context: Option<&EpochContext>) -> Self {
        let header = segment.header();
        Self {
            epoch: header.epoch,
            netuid: header.identity.netuid,
            validator: header.identity.validator,
            kind: context.and_then(EpochContext::kind),
            judge_version: context.map_or(JudgeIdentity::FIRST_VERSION, EpochContext::judge_version),
        }
    }

    fn netuid(&self) -> Cell {
        Cell::Int32(i32::from(self.netuid.0))
    }

    fn validator(&self, addresses: &mut Addresses) -> Cell {
        addresses.cell(&self.validator)
    }

    fn kind(&self) -> Cell {
        Cell::or_null(self.kind.as_deref().map(Cell::text))
    }
}

/// A row of `judgements`.
pub(crate) fn judgement(
    subject: &Subject,
    judged: &VerdictRecord,
    addresses: &mut Addresses,
) -> Result<[Cell; 17], ExportError> {
    let VerdictRecord { challenge, epoch, round, uid, who, exchange, judgement, asked_in, .. } = judged;
    let latency = exchange.as_ref().map(|exchange| exchange.latency_us);
    Ok([
        subject.netuid(),
        subject.validator(addresses),
        subject.kind(),
        Cell::Int64(i64::from(subject.judge_version)),
        Cell::Int64(i64::from(*round)),
        Cell::Int32(i32::from(uid.0)),
        addresses.cell(&who.hotkey),
        signed(*epoch, "a registration's block", who.registered_at.0)?,
        Cell::text(const_hex::encode(challenge.as_bytes())),
        signed(*epoch, "the epoch that asked", asked_in.0)?,
        Cell::Int64(judgement.mark.billionths()),
        Cell::Float64(judgement.mark.to_f64()),
        Cell::Boolean(judgement.mark > Mark::ZERO),
        Cell::Boolean(exchange.is_some()),
        maybe_signed(*epoch, "a latency", latency)?,
        Cell::or_null(words::first_failure(&judgement.reasons).map(Cell::text)),
        Cell::Reasons(judgement.reasons.iter().map(words::reason).collect()),
    ])
}

/// A row of `standings`. `uid` is the registration's in the epoch's metagraph, if it is there.
pub(crate) fn standing(
    subject: &Subject,
    uid: Option<Uid>,
    standing: &Standing,
    addresses: &mut Addresses,
) -> Result<[Cell; 9], ExportError> {
    let epoch = subject.epoch;
    let Standing { who: RegistrationId { hotkey, registered_at }, average, attempts, judged_in } = standing;
    Ok([
        subject.netuid(),
        subject.validator(addresses),
        Cell::or_null(uid.map(|uid| Cell::Int32(i32::from(uid.0)))),
        addresses.cell(hotkey),
        signed(epoch, "a registration's block", registered_at.0)?,
        Cell::Int64(average.billionths()),
        Cell::Float64(average.to_f64()),
        signed(epoch, "a standing's attempts", *attempts)?,
        signed(epoch, "a standing's epoch", judged_in.0)?,
    ])
}

/// An epoch as its header and its own records tell it.
#[derive(Clone, Debug)]
pub(crate) struct EpochRow {
    pub(crate) mechanism: u8,
    pub(crate) genesis: String,
    /// `None` for an epoch that was begun and never opened.
    pub(crate) opened: Option<EpochOpening>,
    pub(crate) judgements: u64,
    pub(crate) void_rounds: u64,
    pub(crate) record_version: u16,
    pub(crate) closed: Option<EpochClosing>,
}

/// An epoch's opening record.
#[derive(Clone, Debug)]
pub(crate) struct EpochOpening {
    pub(crate) block: u64,
    /// Microseconds since the Unix epoch.
    pub(crate) time: Option<u64>,
    pub(crate) tempo: u16,
    pub(crate) policy_sha256: String,
    pub(crate) task_sha256: String,
    pub(crate) judge_sha256: Option<String>,
    pub(crate) miners: u64,
    pub(crate) software: String,
}

/// An epoch's closing record.
#[derive(Clone, Debug)]
pub(crate) struct EpochClosing {
    pub(crate) block: u64,
    pub(crate) time: Option<u64>,
    pub(crate) receipts_root: String,
}

/// The end of an epoch's publication, as far as the journal knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EpochOutcome {
    pub(crate) decision: &'static str,
    pub(crate) decided_at: Option<u64>,
    pub(crate) decided_time: Option<u64>,
    pub(crate) why: Option<String>,
}

/// A row of `epochs`.
pub(crate) fn epoch(
    subject: &Subject,
    row: &EpochRow,
    outcome: &EpochOutcome,
    addresses: &mut Addresses,
) -> Result<[Cell; 24], ExportError> {
    let epoch = subject.epoch;
    let (opened, closed) = (row.opened.as_ref(), row.closed.as_ref());
    let text = |of: fn(&EpochOpening) -> &String| {
        Cell::or_null(opened.map(|opened| Cell::text(of(opened).as_str())))
    };
    Ok([
        subject.netuid(),
        subject.validator(addresses),
        Cell::Int32(i32::from(row.mechanism)),
        Cell::text(row.genesis.as_str()),
        maybe_signed(epoch, "the block", opened.map(|opened| opened.block))?,
        maybe_time(epoch, opened.and_then(|opened| opened.time))?,
        Cell::or_null(opened.map(|opened| Cell::Int32(i32::from(opened.tempo)))),
        text(|opened| &opened.policy_sha256),
        text(|opened| &opened.task_sha256),
        subject.kind(),
        Cell::or_null(opened.map(|_| Cell::Int64(i64::from(subject.judge_version)))),
        Cell::or_null(opened.and_then(|opened| opened.judge_sha256.as_deref()).map(Cell::text)),
        maybe_signed(epoch, "the number of miners", opened.map(|opened| opened.miners))?,
        signed(epoch, "the number of judgements", row.judgements)?,
        signed(epoch, "the number of void rounds", row.void_rounds)?,
        text(|opened| &opened.software),
        Cell::Int32(i32::from(row.record_version)),
        maybe_signed(epoch, "the closing block", closed.map(|closed| closed.block))?,
        maybe_time(epoch, closed.and_then(|closed| closed.time))?,
        Cell::or_null(closed.map(|closed| Cell::text(closed.receipts_root.as_str()))),
        Cell::text(outcome.decision),
        maybe_signed(epoch, "the block of the decision", outcome.decided_at)?,
        maybe_time(epoch, outcome.decided_time)?,
        Cell::or_null(outcome.why.as_deref().map(Cell::text)),
    ])
}

/// An entry of a vector.
#[derive(Debug)]
pub(crate) struct WeightRow<'a> {
    pub(crate) intent: &'a ByteArray,
    pub(crate) uid: Uid,
    pub(crate) hotkey: Option<&'a Hotkey>,
    pub(crate) weight: u16,
    /// The sum of the vector's weights.
    pub(crate) total: u64,
    pub(crate) state: &'static str,
    pub(crate) superseded: bool,
}

/// A row of `weights`.
pub(crate) fn weight(subject: &Subject, row: &WeightRow<'_>, addresses: &mut Addresses) -> [Cell; 9] {
    [
        subject.netuid(),
        subject.validator(addresses),
        Cell::Utf8(row.intent.clone()),
        Cell::Int32(i32::from(row.uid.0)),
        Cell::or_null(row.hotkey.map(|hotkey| addresses.cell(hotkey))),
        Cell::Int32(i32::from(row.weight)),
        // A total is at most 65536 weights of 65535, exact as a float; a vector has a positive one.
        Cell::Float64(f64::from(row.weight) / row.total as f64),
        Cell::text(row.state),
        Cell::Boolean(row.superseded),
    ]
}
