//! Records as rows. Rows are gathered column by column and handed over as Arrow batches of a bounded size.

use std::collections::HashMap;

use arrow_array::builder::{
    ArrayBuilder, BooleanBuilder, Float64Builder, Int32Builder, Int64Builder, StringBuilder,
};
use arrow_array::{ArrayRef, RecordBatch};
use weighhouse_types::{Epoch, Hotkey, Judged, Mark, RegistrationId, Standing, Uid};

use crate::error::ExportError;
use crate::schema::Table;
use crate::words;

/// Hotkeys whose text is remembered.
const HOTKEYS_MAX: usize = 1 << 14;

/// Addresses as text, computed once for each of the hotkeys that come again and again.
#[derive(Debug, Default)]
pub(crate) struct Addresses(HashMap<Hotkey, String>);

impl Addresses {
    pub(crate) fn text(&mut self, hotkey: &Hotkey) -> &str {
        if self.0.len() >= HOTKEYS_MAX && !self.0.contains_key(hotkey) {
            self.0.clear();
        }
        self.0.entry(*hotkey).or_insert_with(|| hotkey.to_string())
    }
}

/// # Errors
/// For what a signed column can't hold; no real epoch, block or latency comes near.
pub(crate) fn signed(epoch: Epoch, what: &'static str, value: u64) -> Result<i64, ExportError> {
    i64::try_from(value).map_err(|_| ExportError::OutOfRange { epoch, what, value })
}

fn batch<const N: usize>(table: Table, columns: [&mut dyn ArrayBuilder; N]) -> RecordBatch {
    let columns: Vec<ArrayRef> = columns.into_iter().map(|column| column.finish()).collect();
    RecordBatch::try_new(table.schema(), columns).expect("the columns are those of the schema, in its order")
}

/// Rows of `judgements`.
#[derive(Debug, Default)]
pub(crate) struct Judgements {
    epoch: Int64Builder,
    round: Int64Builder,
    uid: Int32Builder,
    hotkey: StringBuilder,
    registered_at: Int64Builder,
    challenge: StringBuilder,
    mark_billionths: Int64Builder,
    mark: Float64Builder,
    accepted: BooleanBuilder,
    answered: BooleanBuilder,
    latency_us: Int64Builder,
    failure: StringBuilder,
    reasons: StringBuilder,
}

impl Judgements {
    pub(crate) fn len(&self) -> usize {
        self.epoch.len()
    }

    pub(crate) fn push(&mut self, judged: &Judged, addresses: &mut Addresses) -> Result<(), ExportError> {
        let Judged { challenge, epoch, round, uid, who, exchange, judgement } = judged;
        let latency = exchange.as_ref().map(|exchange| signed(*epoch, "a latency", exchange.latency_us));
        let latency = latency.transpose()?;
        let registered_at = signed(*epoch, "a registration's block", who.registered_at.0)?;
        self.epoch.append_value(signed(*epoch, "the epoch", epoch.0)?);
        self.round.append_value(i64::from(*round));
        self.uid.append_value(i32::from(uid.0));
        self.hotkey.append_value(addresses.text(&who.hotkey));
        self.registered_at.append_value(registered_at);
        self.challenge.append_value(hex::encode(challenge.as_bytes()));
        self.mark_billionths.append_value(judgement.mark.billionths());
        self.mark.append_value(judgement.mark.to_f64());
        self.accepted.append_value(judgement.mark > Mark::ZERO);
        self.answered.append_value(exchange.is_some());
        self.latency_us.append_option(latency);
        self.failure.append_option(words::first_failure(&judgement.reasons));
        self.reasons.append_value(words::reasons(&judgement.reasons));
        Ok(())
    }

    pub(crate) fn take(&mut self) -> RecordBatch {
        let columns: [&mut dyn ArrayBuilder; 13] = [
            &mut self.epoch,
            &mut self.round,
            &mut self.uid,
            &mut self.hotkey,
            &mut self.registered_at,
            &mut self.challenge,
            &mut self.mark_billionths,
            &mut self.mark,
            &mut self.accepted,
            &mut self.answered,
            &mut self.latency_us,
            &mut self.failure,
            &mut self.reasons,
        ];
        batch(Table::Judgements, columns)
    }
}

/// Rows of `standings`.
#[derive(Debug, Default)]
pub(crate) struct Standings {
    epoch: Int64Builder,
    uid: Int32Builder,
    hotkey: StringBuilder,
    registered_at: Int64Builder,
    average_billionths: Int64Builder,
    average: Float64Builder,
    attempts: Int64Builder,
    judged_in: Int64Builder,
}

impl Standings {
    pub(crate) fn len(&self) -> usize {
        self.epoch.len()
    }

    /// `uid` is the registration's in the epoch's metagraph, if it is there.
    pub(crate) fn push(
        &mut self,
        epoch: Epoch,
        uid: Option<Uid>,
        standing: &Standing,
        addresses: &mut Addresses,
    ) -> Result<(), ExportError> {
        let Standing { who: RegistrationId { hotkey, registered_at }, average, attempts, judged_in } =
            standing;
        let registered_at = signed(epoch, "a registration's block", registered_at.0)?;
        let attempts = signed(epoch, "a standing's attempts", *attempts)?;
        let judged_in = signed(epoch, "a standing's epoch", judged_in.0)?;
        self.epoch.append_value(signed(epoch, "the epoch", epoch.0)?);
        self.uid.append_option(uid.map(|uid| i32::from(uid.0)));
        self.hotkey.append_value(addresses.text(hotkey));
        self.registered_at.append_value(registered_at);
        self.average_billionths.append_value(average.billionths());
        self.average.append_value(average.to_f64());
        self.attempts.append_value(attempts);
        self.judged_in.append_value(judged_in);
        Ok(())
    }

    pub(crate) fn take(&mut self) -> RecordBatch {
        let columns: [&mut dyn ArrayBuilder; 8] = [
            &mut self.epoch,
            &mut self.uid,
            &mut self.hotkey,
            &mut self.registered_at,
            &mut self.average_billionths,
            &mut self.average,
            &mut self.attempts,
            &mut self.judged_in,
        ];
        batch(Table::Standings, columns)
    }
}

/// One row of `epochs`.
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

/// Rows of `epochs`.
#[derive(Debug, Default)]
pub(crate) struct Epochs {
    epoch: Int64Builder,
    netuid: Int32Builder,
    mechanism: Int32Builder,
    genesis: StringBuilder,
    validator: StringBuilder,
    block: Int64Builder,
    tempo: Int32Builder,
    policy_sha256: StringBuilder,
    task_sha256: StringBuilder,
    miners: Int64Builder,
    judgements: Int64Builder,
    software: StringBuilder,
    decision: StringBuilder,
    decided_at: Int64Builder,
    why: StringBuilder,
}

impl Epochs {
    pub(crate) fn len(&self) -> usize {
        self.epoch.len()
    }

    pub(crate) fn push(
        &mut self,
        row: &EpochRow,
        outcome: &Outcome,
        addresses: &mut Addresses,
    ) -> Result<(), ExportError> {
        let epoch = row.epoch;
        let opened = row.opened.as_ref();
        let number = |what, value: Option<u64>| value.map(|value| signed(epoch, what, value)).transpose();
        let block = number("the block", opened.map(|opened| opened.block))?;
        let miners = number("the number of miners", opened.map(|opened| opened.miners))?;
        let decided_at = number("the block of the decision", outcome.decided_at)?;
        let judgements = signed(epoch, "the number of judgements", row.judgements)?;
        self.epoch.append_value(signed(epoch, "the epoch", epoch.0)?);
        self.netuid.append_value(i32::from(row.netuid));
        self.mechanism.append_value(i32::from(row.mechanism));
        self.genesis.append_value(&row.genesis);
        self.validator.append_value(addresses.text(&row.validator));
        self.block.append_option(block);
        self.tempo.append_option(opened.map(|opened| i32::from(opened.tempo)));
        self.policy_sha256.append_option(opened.map(|opened| &opened.policy_sha256));
        self.task_sha256.append_option(opened.map(|opened| &opened.task_sha256));
        self.miners.append_option(miners);
        self.judgements.append_value(judgements);
        self.software.append_option(opened.map(|opened| &opened.software));
        self.decision.append_value(outcome.decision);
        self.decided_at.append_option(decided_at);
        self.why.append_option(outcome.why.as_deref());
        Ok(())
    }

    pub(crate) fn take(&mut self) -> RecordBatch {
        let columns: [&mut dyn ArrayBuilder; 15] = [
            &mut self.epoch,
            &mut self.netuid,
            &mut self.mechanism,
            &mut self.genesis,
            &mut self.validator,
            &mut self.block,
            &mut self.tempo,
            &mut self.policy_sha256,
            &mut self.task_sha256,
            &mut self.miners,
            &mut self.judgements,
            &mut self.software,
            &mut self.decision,
            &mut self.decided_at,
            &mut self.why,
        ];
        batch(Table::Epochs, columns)
    }
}

/// One row of `weights`.
#[derive(Debug)]
pub(crate) struct WeightRow<'a> {
    pub(crate) epoch: Epoch,
    pub(crate) intent: &'a str,
    pub(crate) uid: Uid,
    pub(crate) hotkey: Option<&'a Hotkey>,
    pub(crate) weight: u16,
    /// Of all weights of the vector.
    pub(crate) total: u64,
    pub(crate) state: &'static str,
    pub(crate) superseded: bool,
}

/// Rows of `weights`.
#[derive(Debug, Default)]
pub(crate) struct Weights {
    epoch: Int64Builder,
    intent: StringBuilder,
    uid: Int32Builder,
    hotkey: StringBuilder,
    weight: Int32Builder,
    share: Float64Builder,
    state: StringBuilder,
    superseded: BooleanBuilder,
}

impl Weights {
    pub(crate) fn len(&self) -> usize {
        self.epoch.len()
    }

    pub(crate) fn push(&mut self, row: &WeightRow<'_>, addresses: &mut Addresses) -> Result<(), ExportError> {
        self.epoch.append_value(signed(row.epoch, "the epoch", row.epoch.0)?);
        self.intent.append_value(row.intent);
        self.uid.append_value(i32::from(row.uid.0));
        self.hotkey.append_option(row.hotkey.map(|hotkey| addresses.text(hotkey)));
        self.weight.append_value(i32::from(row.weight));
        // A total is at most 65536 weights of 65535, exact as a float; a vector has a positive one.
        self.share.append_value(f64::from(row.weight) / row.total as f64);
        self.state.append_value(row.state);
        self.superseded.append_value(row.superseded);
        Ok(())
    }

    pub(crate) fn take(&mut self) -> RecordBatch {
        let columns: [&mut dyn ArrayBuilder; 8] = [
            &mut self.epoch,
            &mut self.intent,
            &mut self.uid,
            &mut self.hotkey,
            &mut self.weight,
            &mut self.share,
            &mut self.state,
            &mut self.superseded,
        ];
        batch(Table::Weights, columns)
    }
}
