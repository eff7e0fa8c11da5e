//! Records as rows, in the order of the tables' columns.

use std::collections::HashMap;

use parquet::data_type::ByteArray;
use weighhouse_types::{Epoch, Hotkey, Judged, Mark, RegistrationId, Standing, Uid};

use crate::columns::Cell;
use crate::error::ExportError;
use crate::words;

/// Hotkeys whose text is remembered.
const HOTKEYS_MAX: usize = 1 << 14;

/// Addresses as text, computed once for each of the hotkeys that come again and again.
#[derive(Debug, Default)]
pub(crate) struct Addresses(HashMap<Hotkey, ByteArray>);

impl Addresses {
    pub(crate) fn cell(&mut self, hotkey: &Hotkey) -> Cell {
        if self.0.len() >= HOTKEYS_MAX && !self.0.contains_key(hotkey) {
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

/// A row of `judgements`.
pub(crate) fn judgement(judged: &Judged, addresses: &mut Addresses) -> Result<[Cell; 13], ExportError> {
    let Judged { challenge, epoch, round, uid, who, exchange, judgement, .. } = judged;
    let latency = exchange.as_ref().map(|exchange| exchange.latency_us);
    Ok([
        signed(*epoch, "the epoch", epoch.0)?,
        Cell::Int64(i64::from(*round)),
        Cell::Int32(i32::from(uid.0)),
        addresses.cell(&who.hotkey),
        signed(*epoch, "a registration's block", who.registered_at.0)?,
        Cell::text(const_hex::encode(challenge.as_bytes())),
        Cell::Int64(judgement.mark.billionths()),
        Cell::Float64(judgement.mark.to_f64()),
        Cell::Boolean(judgement.mark > Mark::ZERO),
        Cell::Boolean(exchange.is_some()),
        maybe_signed(*epoch, "a latency", latency)?,
        Cell::or_null(words::first_failure(&judgement.reasons).map(Cell::text)),
        Cell::text(words::reasons(&judgement.reasons)),
    ])
}

/// A row of `standings`. `uid` is the registration's in the epoch's metagraph, if it is there.
pub(crate) fn standing(
    epoch: Epoch,
    uid: Option<Uid>,
    standing: &Standing,
    addresses: &mut Addresses,
) -> Result<[Cell; 8], ExportError> {
    let Standing { who: RegistrationId { hotkey, registered_at }, average, attempts, judged_in } = standing;
    Ok([
        signed(epoch, "the epoch", epoch.0)?,
        Cell::or_null(uid.map(|uid| Cell::Int32(i32::from(uid.0)))),
        addresses.cell(hotkey),
        signed(epoch, "a registration's block", registered_at.0)?,
        Cell::Int64(average.billionths()),
        Cell::Float64(average.to_f64()),
        signed(epoch, "a standing's attempts", *attempts)?,
        signed(epoch, "a standing's epoch", judged_in.0)?,
    ])
}

/// What the header and the records of an epoch say of it.
#[derive(Clone, Debug)]
pub(crate) struct EpochRow {
    pub(crate) epoch: Epoch,
    pub(crate) netuid: u16,
    pub(crate) mechanism: u8,
    pub(crate) genesis: String,
    pub(crate) validator: Hotkey,
    /// `None` for an epoch that was begun and never opened.
    pub(crate) opened: Option<Opened>,
    pub(crate) judgements: u64,
}

/// What the record that opens an epoch says.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    pub(crate) block: u64,
    pub(crate) tempo: u16,
    pub(crate) policy_sha256: String,
    pub(crate) task_sha256: String,
    pub(crate) miners: u64,
    pub(crate) software: String,
}

/// What became of an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) decision: &'static str,
    pub(crate) decided_at: Option<u64>,
    pub(crate) why: Option<String>,
}

/// A row of `epochs`.
pub(crate) fn epoch(
    row: &EpochRow,
    outcome: &Outcome,
    addresses: &mut Addresses,
) -> Result<[Cell; 15], ExportError> {
    let epoch = row.epoch;
    let opened = row.opened.as_ref();
    let text =
        |of: fn(&Opened) -> &String| Cell::or_null(opened.map(|opened| Cell::text(of(opened).as_str())));
    Ok([
        signed(epoch, "the epoch", epoch.0)?,
        Cell::Int32(i32::from(row.netuid)),
        Cell::Int32(i32::from(row.mechanism)),
        Cell::text(row.genesis.as_str()),
        addresses.cell(&row.validator),
        maybe_signed(epoch, "the block", opened.map(|opened| opened.block))?,
        Cell::or_null(opened.map(|opened| Cell::Int32(i32::from(opened.tempo)))),
        text(|opened| &opened.policy_sha256),
        text(|opened| &opened.task_sha256),
        maybe_signed(epoch, "the number of miners", opened.map(|opened| opened.miners))?,
        signed(epoch, "the number of judgements", row.judgements)?,
        text(|opened| &opened.software),
        Cell::text(outcome.decision),
        maybe_signed(epoch, "the block of the decision", outcome.decided_at)?,
        Cell::or_null(outcome.why.as_deref().map(Cell::text)),
    ])
}

/// An entry of a vector.
#[derive(Debug)]
pub(crate) struct WeightRow<'a> {
    pub(crate) epoch: Epoch,
    pub(crate) intent: &'a ByteArray,
    pub(crate) uid: Uid,
    pub(crate) hotkey: Option<&'a Hotkey>,
    pub(crate) weight: u16,
    /// Of all weights of the vector.
    pub(crate) total: u64,
    pub(crate) state: &'static str,
    pub(crate) superseded: bool,
}

/// A row of `weights`.
pub(crate) fn weight(row: &WeightRow<'_>, addresses: &mut Addresses) -> Result<[Cell; 8], ExportError> {
    Ok([
        signed(row.epoch, "the epoch", row.epoch.0)?,
        Cell::Utf8(row.intent.clone()),
        Cell::Int32(i32::from(row.uid.0)),
        Cell::or_null(row.hotkey.map(|hotkey| addresses.cell(hotkey))),
        Cell::Int32(i32::from(row.weight)),
        // A total is at most 65536 weights of 65535, exact as a float; a vector has a positive one.
        Cell::Float64(f64::from(row.weight) / row.total as f64),
        Cell::text(row.state),
        Cell::Boolean(row.superseded),
    ])
}
