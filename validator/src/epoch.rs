//! An epoch as the validator keeps it: its context, parsed once when it is opened, and its records without blobs.
//!
//! Everything here follows from the journal's records of the epoch, so that a restarted validator has the same.

use std::collections::BTreeSet;

use parity_scale_codec::Encode;
use weighhouse_journal::Journal;
use weighhouse_scoring::{Closing, Decision, MiningBurn, Policy, WeighError};
use weighhouse_tasks::Task;
use weighhouse_types::{
    Digest, EarlierChecks, Epoch, EpochContext, FollowUp, Neuron, Record, RegistrationId, StageRecord,
    SubnetState, Trail, Uid, VerdictRecord,
};
use weighhouse_wallet::keypair::Keypair;

use crate::answers;
use crate::checks::{self, CheckHistory, Fingerprint};
use crate::error::ValidatorError;

/// One epoch: what it was opened with, parsed, and its records so far.
#[derive(Debug)]
pub(crate) struct OpenEpoch {
    context: EpochContext,
    /// The context's policy.
    policy: Policy,
    /// See [`OpenEpoch::asks`].
    asks: bool,
    /// The checks so far; `None` where the task checks every answer.
    history: Option<CheckHistory>,
    /// Without blobs; the context first.
    records: Vec<Record>,
}

impl OpenEpoch {
    /// Takes up an epoch from the journal; `None` when it was never opened.
    pub(crate) fn resume(
        journal: &mut Journal,
        epoch: Epoch,
        task: &Task,
    ) -> Result<Option<Self>, ValidatorError> {
        let records = journal.read_epoch(epoch)?;
        let context = records.iter().find_map(|record| match record {
            Record::EpochOpened(context) => Some(context.as_ref().clone()),
            _ => None,
        });
        // A crash may have left a segment without its context: then nothing was asked in it yet.
        let Some(context) = context else { return Ok(None) };
        if context.fields.are_scored_elsewhere() {
            return Err(ValidatorError::ScoredElsewhere { folder: journal.folder() });
        }
        let policy = Policy::parse(&context.policy)?;
        let mut open = Self::empty(context, policy, task, checks::earlier(&records));
        for record in records {
            // An answer's bytes are needed only where its fingerprint is.
            if let (Some(history), Record::Judged(judged)) = (&mut open.history, &record)
                && let Some(exchange) = &judged.exchange
            {
                let framed = journal.blob(epoch, &exchange.answer)?;
                let VerdictRecord { round, challenge, .. } = *judged;
                let said = answers::fingerprint(task, &framed);
                said.into_iter().for_each(|said| history.note(Fingerprint { round, challenge, said }));
            }
            open.take(record, task);
        }
        Ok(Some(open))
    }

    /// Opens an epoch under the policy that its context holds as bytes, with what the epoch before left behind.
    pub(crate) fn new(
        context: EpochContext,
        policy: Policy,
        (trails, earlier): (Vec<Trail>, Option<EarlierChecks>),
        task: &Task,
    ) -> Self {
        let epoch = context.epoch;
        let mut open = Self::empty(context.clone(), policy, task, earlier.as_ref());
        open.records.push(Record::EpochOpened(Box::new(context)));
        open.records.extend(earlier.map(Record::EarlierChecks));
        if !trails.is_empty() {
            open.records.push(Record::Trails { epoch, trails });
        }
        open
    }

    /// The later stages of a round's challenges that were about to be asked.
    pub(crate) fn follow_ups(&self, round: u32) -> impl Iterator<Item = &FollowUp> {
        self.records.iter().filter_map(move |record| match record {
            Record::FollowUp(follow_up) if follow_up.round == round => Some(follow_up),
            _ => None,
        })
    }

    /// The answers of a round that have no verdict of their own.
    pub(crate) fn answered(&self, round: u32) -> impl Iterator<Item = &StageRecord> {
        self.records.iter().filter_map(move |record| match record {
            Record::Answered(answered) if answered.round == round => Some(answered),
            _ => None,
        })
    }

    fn empty(context: EpochContext, policy: Policy, task: &Task, earlier: Option<&EarlierChecks>) -> Self {
        // The task file may have changed while the epoch ran; what it was opened with stays its task.
        let asks = Digest::of(&context.task) == task.digest();
        let history = if asks { CheckHistory::new(task, &context.carried, earlier) } else { None };
        Self { context, policy, asks, history, records: Vec::new() }
    }

    /// Takes note of a record that the journal has made durable.
    pub(crate) fn take(&mut self, record: Record, task: &Task) {
        match (&mut self.history, &record) {
            (Some(history), Record::Evidence(evidence)) => history.take(task, evidence),
            (Some(history), Record::Judged(judged)) => history.judged(judged),
            _ => {}
        }
        self.records.push(record);
    }

    /// Takes note of what a round's answers said.
    pub(crate) fn note(&mut self, fingerprints: Vec<Fingerprint>) {
        if let Some(history) = &mut self.history {
            fingerprints.into_iter().for_each(|fingerprint| history.note(fingerprint));
        }
    }

    pub(crate) fn records(&self) -> &[Record] {
        &self.records
    }

    /// The checks so far; `None` where the task checks every answer.
    pub(crate) fn history(&self) -> Option<&CheckHistory> {
        self.history.as_ref()
    }

    pub(crate) fn context(&self) -> &EpochContext {
        &self.context
    }

    /// Tells whether the epoch was opened with the task that is loaded: under another, nothing that is asked now could be
    /// derived from the epoch's records.
    pub(crate) fn asks(&self) -> bool {
        self.asks
    }

    pub(crate) fn judged(&self) -> impl Iterator<Item = &VerdictRecord> {
        self.records.iter().filter_map(|record| match record {
            Record::Judged(judged) => Some(judged),
            _ => None,
        })
    }

    /// The miners that are done with a round, for they have a verdict or await its truth: after a crash within a round only the
    /// others are asked again.
    pub(crate) fn done_in(&self, round: u32) -> BTreeSet<Uid> {
        let epoch = self.context.epoch;
        let own = self.judged().filter(|judged| judged.round == round && judged.asked_in == epoch);
        let closed = |answered: &&StageRecord| {
            self.records.iter().any(|record| {
                matches!(record, Record::PhaseChange(change) if change.challenge == answered.challenge)
            })
        };
        let kept = self.answered(round).filter(closed).map(|answered| answered.uid);
        own.map(|judged| judged.uid).chain(kept).collect()
    }

    /// Tells whether a round is on record as void.
    pub(crate) fn is_void(&self, round: u32) -> bool {
        self.records.iter().any(|record| matches!(record, Record::VoidRound(void) if void.round == round))
    }

    /// Tells whether a challenge of a round may have left already.
    pub(crate) fn has_asked(&self, round: u32) -> bool {
        self.records.iter().any(|record| matches!(record, Record::Asked(asked) if asked.round == round))
    }

    /// Whom a round's question was divided among; `None` where it is not, or was not asked yet.
    pub(crate) fn divided_in(&self, round: u32) -> Option<Vec<RegistrationId>> {
        self.records.iter().find_map(|record| match record {
            Record::Asked(asked) if asked.round == round => asked.fields.asked_of(),
            _ => None,
        })
    }

    /// Tells whether the reference spoke of any answer.
    pub(crate) fn has_evidence(&self) -> bool {
        self.records.iter().any(|record| matches!(record, Record::Evidence(_)))
    }

    /// Tells whether the closing record is there.
    pub(crate) fn is_closed(&self) -> bool {
        self.records.iter().any(|record| matches!(record, Record::EpochClosed(_)))
    }

    pub(crate) fn abstained(&self) -> bool {
        self.records.iter().any(|record| matches!(record, Record::Abstained { .. }))
    }

    /// The rounds in which everybody is asked, as the epoch's opening has them, and the policy's spot rounds.
    pub(crate) fn rounds(&self) -> (Option<u32>, u32) {
        let opened = self.context.fields.rounds().or_else(|| self.policy.rounds());
        (opened, self.policy.spot_rounds().0)
    }

    /// The miners that a spot round leaves out: those that the policy is sure of, but for a random share. The draw is the
    /// validator's VRF, so that nobody knows before being asked.
    pub(crate) fn spared(&self, round: u32, keypair: &Keypair) -> Result<BTreeSet<Uid>, ValidatorError> {
        let context = &self.context;
        let (_, share) = self.policy.spot_rounds();
        let unsure = weighhouse_scoring::unsure(&self.policy, &self.records)?;
        let is_drawn = |neuron: &Neuron| {
            let draw = (
                "weighhouse/spot/v1",
                context.genesis,
                context.netuid,
                context.mechanism,
                context.beacon,
                round,
                neuron.hotkey,
            );
            let output = keypair.vrf(&draw.encode()).output;
            // Eight bytes are enough: the bias of the remainder is below one in ten billion.
            let draw = output.iter().take(8).fold(0_u64, |draw, byte| draw << 8 | u64::from(*byte));
            draw % 1_000_000_000 < share.billionths()
        };
        let neurons = context.state.metagraph.neurons.iter();
        Ok(neurons
            .filter(|neuron| !unsure.contains(&neuron.registration()) && !is_drawn(neuron))
            .map(|neuron| neuron.uid)
            .collect())
    }

    /// Weighs the epoch's records under its policy; tells of a burn that mines as well.
    pub(crate) fn weigh(&self) -> Result<(Decision, Option<MiningBurn>), WeighError> {
        let decision = weighhouse_scoring::weigh_under(&self.policy, &self.records)?;
        let mining_burn = MiningBurn::of(&self.policy, &decision);
        Ok((decision, mining_burn))
    }

    /// The checks that an epoch which opens with these neurons takes over.
    pub(crate) fn leave_checks(
        &self,
        task: &Task,
        epoch: Epoch,
        neurons: &[Neuron],
    ) -> Option<EarlierChecks> {
        self.history.as_ref()?.leave(task, epoch, neurons)
    }

    /// The standings that the next epoch carries in.
    pub(crate) fn closing(&self) -> Result<Closing, WeighError> {
        weighhouse_scoring::closing_under(&self.policy, &self.records)
    }
}

/// Registrations of an epoch's opening, with their uids, that `current` shows no more.
pub(crate) fn departed(opened: &EpochContext, current: &SubnetState) -> Vec<(RegistrationId, Uid)> {
    let stays = |neuron: &Neuron| {
        let now = current.metagraph.neuron(neuron.uid);
        now.is_some_and(|now| now.registration() == neuron.registration())
    };
    let neurons = opened.state.metagraph.neurons.iter();
    neurons.filter(|neuron| !stays(neuron)).map(|neuron| (neuron.registration(), neuron.uid)).collect()
}
