//! The memory of checks: how sure the sequential test is of each miner, what its checked answers were worth, and what was
//! said before in the epoch.
//!
//! The validator keeps it as the epoch goes on; a restarted one and an auditor rebuild the same from the records.

use std::collections::{BTreeMap, BTreeSet};

use weighhouse_tasks::Task;
use weighhouse_tasks::sequential::{Repetitions, Watch};
use weighhouse_types::{
    CheckedMiner, Digest, EarlierChecks, Epoch, Evidence, Fields, Mark, Neuron, OpenWalk, Outcome,
    RecentMarks, Record, RegistrationId, Standing, VerdictRecord,
};

/// The state of an epoch's checks after the records so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct CheckHistory {
    pub(crate) watch: Watch,
    pub(crate) repetitions: Repetitions,
    /// Checks of a newcomer before it is settled; 0 under the terms of earlier task files.
    newcomer_checks: u64,
    /// Whoever comes now is on probation.
    newcomers_wait: bool,
    miners: BTreeMap<RegistrationId, CheckedMiner>,
    /// Answers that were checked and have no verdict yet.
    checked: BTreeSet<(Digest, RegistrationId)>,
}

/// One answer's fingerprint, and which question it was given to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fingerprint {
    pub(crate) round: u32,
    pub(crate) challenge: Digest,
    pub(crate) said: Digest,
}

impl CheckHistory {
    /// The state at an epoch's beginning; `None` where the task checks every answer and nothing needs to be kept.
    pub(crate) fn new(task: &Task, carried: &[Standing], earlier: Option<&EarlierChecks>) -> Option<Self> {
        let budget = task.budget()?;
        let watch = Watch::new(budget, carried, earlier);
        let newcomer_checks = budget.newcomer_checks().unwrap_or_default();
        let miners: BTreeMap<_, _> = earlier
            .into_iter()
            .flat_map(|earlier| earlier.miners.iter().map(|miner| (miner.who, miner.clone())))
            .collect();
        let newcomers_wait = earlier.is_some_and(EarlierChecks::make_newcomers_wait);
        Some(Self { watch, newcomer_checks, newcomers_wait, miners, ..Self::default() })
    }

    /// What an epoch takes over from one of another task, whose checks say nothing of this one: who waits unpaid goes on
    /// waiting, all others don't, and everything else begins anew. A miner could otherwise pretend for free before a change that
    /// it knows of. Without an epoch before, those wait whom the other validators don't pay. `None` under the terms of earlier
    /// task files.
    pub(crate) fn anew(
        task: &Task,
        epoch: Epoch,
        before: &[Record],
        neurons: &[Neuron],
    ) -> Option<EarlierChecks> {
        let newcomer_checks = task.budget()?.newcomer_checks()?;
        let earlier = earlier(before);
        let least = earlier.map_or(0, |earlier| earlier.newcomer_checks);
        let mut waits: BTreeMap<RegistrationId, bool> = BTreeMap::new();
        for miner in earlier.into_iter().flat_map(|earlier| &earlier.miners) {
            waits.insert(miner.who, miner.on_probation && miner.accepted < least);
        }
        for record in before {
            if let (Some(_), Record::Judged(judged)) = (earlier, record) {
                let is_convicted = judged.judgement.outcome() == Some(Outcome::Convicted);
                *waits.entry(judged.who).or_default() |= is_convicted;
            }
        }
        if before.is_empty() && neurons.iter().any(|neuron| neuron.incentive > 0) {
            waits.extend(neurons.iter().map(|neuron| (neuron.registration(), neuron.incentive == 0)));
        }
        let registered: BTreeSet<_> = neurons.iter().map(Neuron::registration).collect();
        let known = waits.into_iter().filter(|(who, _)| registered.contains(who));
        let miners = known.map(|(who, waits)| newcomer(who, waits)).collect();
        Some(EarlierChecks { epoch, newcomer_checks, miners, fields: Fields::default() })
    }

    /// Tells whether what checks show is kept beyond the epoch: not under the terms of earlier task files.
    pub(crate) fn outlasts_epochs(&self) -> bool {
        self.newcomer_checks > 0
    }

    /// Takes in one check's outcome.
    pub(crate) fn take(&mut self, task: &Task, evidence: &Evidence) {
        if let Some(budget) = task.budget() {
            self.watch.take(budget, evidence.who, &evidence.bins);
            self.checked.insert((evidence.challenge, evidence.who));
        }
    }

    /// As [`CheckHistory::take`], of a check that the watch has taken in already.
    pub(crate) fn expect(&mut self, challenge: Digest, who: RegistrationId) {
        self.checked.insert((challenge, who));
    }

    /// Takes in a verdict, which says what the answer was worth if it was checked.
    pub(crate) fn judged(&mut self, verdict: &VerdictRecord) {
        let VerdictRecord { challenge, who, judgement, .. } = verdict;
        let is_checked = self.checked.remove(&(*challenge, *who));
        let miner = self.miners.entry(*who).or_insert_with(|| newcomer(*who, self.newcomers_wait));
        if is_checked {
            miner.accepted += u64::from(judgement.mark > Mark::ZERO);
            miner.recent.push(judgement.mark);
        }
    }

    /// The worth of an answer of this miner's that isn't checked: the mean of its newest checked ones.
    pub(crate) fn worth_unchecked(&self, who: &RegistrationId) -> Mark {
        match (self.newcomer_checks, self.miners.get(who)) {
            (0, _) => Mark::MAX,
            (_, miner) => miner.and_then(|miner| miner.recent.mean()).unwrap_or(Mark::ZERO),
        }
    }

    /// Takes note of what an answer said, which counts from the next round on.
    pub(crate) fn note(&mut self, fingerprint: Fingerprint) {
        let Fingerprint { round, challenge, said } = fingerprint;
        self.repetitions.take(round, challenge, said);
    }

    /// Everything that the next epoch takes over of those who are still registered then; `None` under the terms of earlier
    /// task files.
    pub(crate) fn leave(&self, task: &Task, epoch: Epoch, neurons: &[Neuron]) -> Option<EarlierChecks> {
        let budget = task.budget()?;
        let newcomer_checks = budget.newcomer_checks()?;
        let incentives: BTreeMap<_, _> =
            neurons.iter().map(|neuron| (neuron.registration(), neuron.incentive)).collect();
        let leave = |miner: &CheckedMiner| {
            let incentive = *incentives.get(&miner.who)?;
            let walk = self.watch.walk(&miner.who);
            if walk.is_convicted() {
                return Some(newcomer(miner.who, true));
            }
            // Others, who know it longer, pay it. By half the wait an incentive from before a conviction has gone, where that
            // is several epochs.
            let is_known = incentive > 0 && miner.accepted >= newcomer_checks.div_ceil(2);
            let on_probation = miner.on_probation && !is_known;
            Some(CheckedMiner { on_probation, walk: walk.leave(&budget.test), ..miner.clone() })
        };
        let miners = self.miners.values().filter_map(leave).collect();
        Some(EarlierChecks { epoch, newcomer_checks, miners, fields: Fields::default() })
    }
}

/// The checks that an epoch took over, by its records.
pub(crate) fn earlier(records: &[Record]) -> Option<&EarlierChecks> {
    records.iter().find_map(|record| match record {
        Record::EarlierChecks(earlier) => Some(earlier),
        _ => None,
    })
}

fn newcomer(who: RegistrationId, on_probation: bool) -> CheckedMiner {
    CheckedMiner { who, accepted: 0, on_probation, recent: RecentMarks::default(), walk: OpenWalk::default() }
}

#[cfg(test)]
mod tests;
