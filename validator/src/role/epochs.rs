//! An epoch's beginning and its end: the context that opens it, and the records that decide and close it.

use std::sync::PoisonError;

use tracing::{info, warn};
use weighhouse_chain::ChainError;
use weighhouse_types::{
    Block, Digest, Epoch, EpochContext, Fields, NextEpoch, Record, StartedFrom, SubnetState, VoidCause,
};

use super::validator::{Validator, write};
use crate::checks::CheckHistory;
use crate::closing::{closing_record, void_by_the_end, void_round};
use crate::epoch::{OpenEpoch, departed};
use crate::error::ValidatorError;
use crate::later;
use crate::metrics;
use crate::parts::Parts;
use crate::policies::PolicyFile;
use crate::publish;
use crate::start::Start;

impl Validator {
    /// Opens the epoch that the chain is in, carrying in what the last one in the journal left behind. True where that epoch is
    /// open: a chain that was put back lives through earlier ones again, and of some the beginning can't be read any more.
    pub(super) async fn open_epoch(&mut self, state: &SubnetState) -> Result<bool, ValidatorError> {
        let epoch = state.schedule.epoch;
        if let Some(open) = self.open.as_ref().map(OpenEpoch::context).filter(|open| open.epoch >= epoch) {
            return Ok(open.epoch == epoch && self.relived != Some(epoch));
        }
        // The block that began the epoch: whenever validator or auditor asks, it is the same one.
        let beacon = match self.parts.chain.beacon(state.schedule.last_epoch_block).await {
            Err(error @ ChainError::Discarded { .. }) => {
                self.tell_pruned(state, &error);
                return Ok(false);
            }
            beacon => beacon?,
        };
        if let Some(open) = &self.open {
            let last = open.context().epoch;
            let first = if self.is_undecided() { last.0 } else { last.0.saturating_add(1) };
            publish::passed(Epoch(first), epoch);
        }
        self.close_undecided(state).await?;
        self.witness_epoch(state).await?;
        self.tell_witnesses();
        self.held.clear();
        self.awaiting.clear();
        self.take_next_task();
        let closing = self.open.as_ref().map(OpenEpoch::closing).transpose()?;
        let neurons = &state.metagraph.neurons;
        let left = self.open.as_ref().and_then(|open| open.leave_checks(&self.parts.task, epoch, neurons));
        let before = self.open.as_ref().map_or(&[][..], OpenEpoch::records);
        let earlier = left.or_else(|| CheckHistory::anew(&self.parts.task, epoch, before, neurons));
        let file = self.policy_for(state);
        let operator = self.parts.task.judge_operator();
        let operator = operator.as_deref().map_or_else(Fields::default, Fields::on_the_word_of);
        let rounds = operator.with_rounds(file.policy.rounds().unwrap_or(self.parts.rounds.per_epoch));
        let mut fields = rounds.with_log(&self.log_opening(epoch).await?);
        if self.parts.task.request_follows_from_seed() {
            fields = fields.with_derived_requests();
        }
        let start = if closing.is_none() { self.start(&file.bytes)? } else { None };
        if let Some(start) = &start {
            fields = fields.with_start(&start.from);
        }
        let (carried, trails) = match (closing, start) {
            (Some(closing), _) => (closing.standings, closing.trails),
            (None, Some(start)) => (start.standings, start.trails),
            (None, None) => Default::default(),
        };
        let context = EpochContext {
            epoch,
            netuid: self.parts.netuid,
            mechanism: self.parts.mechanism,
            genesis: self.parts.chain.genesis(),
            validator: self.parts.keypair.hotkey(),
            state: state.clone(),
            beacon,
            policy: file.bytes,
            task: self.parts.task_file.clone(),
            carried,
            software: concat!("weighhouse/", env!("CARGO_PKG_VERSION")).to_owned(),
            judge: Some(self.parts.task.judge_identity()),
            fields,
        };
        info!(%epoch, block = %state.head.number, neurons = state.metagraph.neurons.len(), "epoch opened");
        let mut opened = OpenEpoch::new(context, file.policy, (trails, earlier), &self.parts.task);
        let mut records = opened.records().to_vec();
        for record in self.taken_over(epoch).await? {
            if !matches!(record, Record::Blob(_)) {
                opened.take(record.clone(), &self.parts.task);
            }
            records.push(record);
        }
        records.extend(self.seen.record(state.head.number));
        let journal = self.journal.clone();
        self.parts
            .cpu
            .run(move || {
                let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
                // A crash between the two leaves a file without a context,
                // which `Validator::open` passes over.
                journal.begin_epoch(epoch)?;
                write(&mut journal, records)
            })
            .await??;
        self.open = Some(opened);
        Ok(true)
    }

    /// What the journal's first epoch begins with, where another validator's epochs were judged again for it.
    fn start(&self, policy: &[u8]) -> Result<Option<Start>, ValidatorError> {
        let Some(start) = Start::read(&*self.parts.storage)? else { return Ok(None) };
        let StartedFrom { validator, epoch, .. } = start.from;
        if let Some(why) = start.unfit(&self.log_owner.place, policy, &self.parts.task_file) {
            warn!(%validator, %epoch, "nothing is taken over from this validator's epoch: {why}");
            return Ok(None);
        }
        info!(%validator, %epoch, miners = start.standings.len(), "the first epoch begins with the averages that this one left");
        Ok(Some(start))
    }

    /// The records that take over what earlier epochs asked and nobody knows the truth about yet.
    async fn taken_over(&self, epoch: Epoch) -> Result<Vec<Record>, ValidatorError> {
        let Some(before) = &self.open else { return Ok(Vec::new()) };
        if later::pending(before.records(), epoch).is_empty() {
            return Ok(Vec::new());
        }
        let (journal, context) = (self.journal.clone(), before.context().clone());
        let read = move || {
            // Locked for reading the file alone, not while its challenges are worked through.
            let segment = {
                let journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
                journal.segment(context.epoch)?
            };
            later::take_over(&segment, &context, epoch)
        };
        let records = self.parts.cpu.run(read).await??;
        let lapsed = records.iter().filter(|record| matches!(record, Record::PhaseChange(_))).count();
        if lapsed > 0 {
            warn!(%epoch, lapsed, "more challenges await their truth than an epoch takes over: the oldest lapse");
        }
        Ok(records)
    }

    /// Closes an epoch that ended before it was decided. Its file takes the record only while it is the journal's last.
    async fn close_undecided(&mut self, state: &SubnetState) -> Result<(), ValidatorError> {
        let block = state.head.number;
        let Some(open) = &self.open else { return Ok(()) };
        let last = self.journal.lock().unwrap_or_else(PoisonError::into_inner).current_epoch();
        if last != Some(open.context().epoch) || open.is_closed() {
            return Ok(());
        }
        let epoch = open.context().epoch;
        let late = "the epoch ended while its answers waited to be judged";
        let void = |round: &u32| void_round(epoch, *round, VoidCause::Reference, late);
        let void: Vec<_> = self.held.keys().map(void).collect();
        self.record(void).await?;
        let Some(open) = &self.open else { return Ok(()) };
        let mut records = void_by_the_end(open);
        let next = self.next_epoch(Some(state.schedule.last_epoch_block));
        records.extend(closing_record(open, &records, (block, &next)));
        records.extend(self.seen.record(block));
        self.record(records).await
    }

    /// Takes up a task that was configured in mid-epoch, unless the epoch's closing record has named the one of before: then that
    /// one stands for one epoch more.
    fn take_next_task(&mut self) {
        let Some((file, task)) = self.parts.next_task.take() else { return };
        let closed = self.open.as_ref().and_then(|open| {
            open.records().iter().find_map(|record| match record {
                Record::EpochClosed(closed) => closed.fields.next(),
                _ => None,
            })
        });
        let digest = Digest::of(&file);
        if closed.is_some_and(|next| next.task != digest) {
            info!(task = %digest, "the new task waits: the closing record names the one of before for this epoch");
            self.parts.next_task = Some((file, task));
            return;
        }
        info!(task = %digest, "the new task begins with this epoch");
        (self.parts.task_file, self.parts.task) = (file, task);
    }

    /// What the epoch that begins with this block is opened with, as far as is known now.
    fn next_epoch(&self, begins: Option<Block>) -> NextEpoch {
        let policy = self.policies.upcoming(begins);
        let Parts { task_file, task, next_task, .. } = &self.parts;
        let (task_file, task) = next_task.as_ref().map_or((task_file, task), |(file, task)| (file, task));
        NextEpoch {
            policy: Digest::of(&policy.bytes),
            task: Digest::of(task_file),
            judge: Some(task.judge_identity()),
            rounds: policy.policy.rounds().unwrap_or(self.parts.rounds.per_epoch),
        }
    }

    /// The policy of the epoch that `state` shows: the live one, or a staged one whose block has come.
    fn policy_for(&mut self, state: &SubnetState) -> PolicyFile {
        let before = self.policies.live().hash();
        match self.policies.follow(self.parts.staged.as_deref(), self.parts.chain.genesis(), state) {
            Err(error) => {
                metrics::rollout_refused();
                warn!(%error, "the staged policy is not taken; the live one stays");
            }
            Ok(Some(block)) => info!(%block, "a staged policy waits for its block"),
            Ok(None) => {}
        }
        let live = self.policies.live();
        let now = live.hash();
        if now != before {
            info!(policy = %now, %before, "the policy changes with this epoch, as the owner signed");
        }
        live.clone()
    }

    /// Tells whether the open epoch is yet to be weighed; afterwards no verdict counts any more.
    pub(super) fn is_undecided(&self) -> bool {
        self.open
            .as_ref()
            .is_some_and(|open| !open.abstained() && !self.publications.has(open.context().epoch))
    }

    pub(super) async fn close_epoch(&mut self, state: &SubnetState) -> Result<(), ValidatorError> {
        if !self.is_undecided() {
            return Ok(());
        }
        let Some(open) = &self.open else { return Ok(()) };
        let epoch = open.context().epoch;
        let void = void_by_the_end(open);
        self.record(void).await?;
        let Some(open) = &self.open else { return Ok(()) };
        let who: Vec<_> = departed(open.context(), state).into_iter().map(|(who, _)| who).collect();
        if !who.is_empty() {
            info!(%epoch, left = who.len(), "registrations left since the epoch was opened");
            self.record(vec![Record::Departed { epoch, block: state.head.number, who }]).await?;
        }
        let Some(open) = &self.open else { return Ok(()) };
        // After the departures are durable: weighing leaves those out,
        // and an auditor has to see the same records.
        let mut records = vec![publish::weigh(open)?];
        if let Some(shadow) = self.policies.shadow(open.records()) {
            metrics::shadow_moved(shadow.moved);
            info!(%epoch, switch_at = %shadow.activation_block, "in the shadow: {}", shadow.summary);
        }
        let next = self.next_epoch(state.schedule.next_epoch_block());
        records.extend(closing_record(open, &records, (state.head.number, &next)));
        records.extend(self.seen.record(state.head.number));
        self.record(records.clone()).await?;
        self.publications.extend(&records);
        Ok(())
    }
}
