//! A miner's answers by the check that cost them something, and the epoch weighed without some of these checks.

use std::collections::BTreeMap;

use weighhouse_types::{
    Digest, Exchange, Judgement, Likeness, LossExample, Mark, Outcome, Reason, Record, RegistrationId, Uid,
    VerdictRecord,
};

use crate::error::WeighError;
use crate::policy::Policy;
use crate::standing::Fold;
use crate::track::{Tally, divide_i64};
use crate::weigh::{Decision, decide, pick};

/// Checks that no single reason names.
const LATE: &str = "late";
const UNCHECKED: &str = "unchecked";
const ALIKE: &str = "alike";

/// One miner in one epoch.
#[derive(Debug)]
pub(super) struct Case<'a> {
    records: &'a [Record],
    uid: Uid,
    who: Option<RegistrationId>,
    /// Worth of an answer that was accepted.
    pub(super) accepted_worth: Mark,
    pub(super) losing: Vec<Losing>,
    /// By the position among the miner's verdicts: the loss that its verdict belongs to.
    of_verdict: Vec<Option<usize>>,
    /// The miner's verdicts that lost something, as if they had not; by round and challenge, with their loss.
    passed: BTreeMap<(u32, Digest), (usize, VerdictRecord)>,
}

/// One check, and the answers that it cost something.
#[derive(Debug)]
pub(super) struct Losing {
    pub(super) check: String,
    pub(super) phrase: String,
    pub(super) answers: u32,
    /// In billionths.
    pub(super) marks: i64,
    pub(super) example: Option<LossExample>,
}

/// The check that cost one answer something.
struct Complaint {
    check: String,
    phrase: String,
    text: String,
}

impl<'a> Case<'a> {
    pub(super) fn new(records: &'a [Record], uid: Uid) -> Result<Self, WeighError> {
        let fold = Fold::new(pick(records)?)?;
        let verdicts = fold.verdicts(uid);
        let who = fold.context.state.metagraph.neuron(uid).map(weighhouse_types::Neuron::registration);
        let accepted_worth = accepted_worth(&fold.policy, verdicts);
        let mut case = Self {
            records,
            uid,
            who,
            accepted_worth,
            losing: Vec::new(),
            of_verdict: Vec::with_capacity(verdicts.len()),
            passed: BTreeMap::new(),
        };
        let mut by_check: BTreeMap<(String, String), usize> = BTreeMap::new();
        for verdict in verdicts {
            let Some(complaint) = complaint(&fold.policy, verdict, accepted_worth) else {
                case.of_verdict.push(None);
                continue;
            };
            let Complaint { check, phrase, text } = complaint;
            let at = *by_check.entry((check.clone(), phrase.clone())).or_insert_with(|| {
                case.losing.push(Losing { check, phrase, answers: 0, marks: 0, example: None });
                case.losing.len() - 1
            });
            let passed = passed(&fold.policy, verdict, accepted_worth);
            let losing = &mut case.losing[at];
            losing.answers += 1;
            losing.marks += value(&fold.policy, &passed) - value(&fold.policy, verdict);
            let example = LossExample { asked_in: verdict.asked_in, round: verdict.round, text };
            losing.example.get_or_insert(example);
            case.of_verdict.push(Some(at));
            case.passed.insert((verdict.round, verdict.challenge), (at, passed));
        }
        case.losing.extend(alike(&fold, who));
        Ok(case)
    }

    /// Tells whether a check cost a verdict something.
    pub(super) fn loses(&self, verdict: usize) -> bool {
        self.of_verdict.get(verdict).is_some_and(Option::is_some)
    }

    /// The miner's share of the vector in billionths, had these checks cost nothing; 0 where there is no vector.
    pub(super) fn share(&self, undone: &[usize]) -> Result<u64, WeighError> {
        let likeness: Vec<Likeness>;
        let mut picked = pick(self.records)?;
        for verdict in picked.judged.iter_mut().filter(|verdict| verdict.uid == self.uid) {
            match self.passed.get(&(verdict.round, verdict.challenge)) {
                Some((at, passed)) if undone.contains(at) => *verdict = passed,
                _ => {}
            }
        }
        if undone.iter().any(|at| self.losing[*at].check == ALIKE) {
            likeness = picked.likeness.iter().map(|round| self.told_apart(round)).collect();
            picked.likeness = likeness.iter().collect();
        }
        Ok(share(&decide(&Fold::new(picked)?), self.uid))
    }

    /// A round's likeness without this miner.
    fn told_apart(&self, round: &Likeness) -> Likeness {
        let others = |group: &Vec<RegistrationId>| -> Vec<RegistrationId> {
            group.iter().filter(|who| Some(**who) != self.who).copied().collect()
        };
        let groups = round.groups.iter().map(others).filter(|group| group.len() > 1).collect();
        Likeness { groups, ..round.clone() }
    }
}

fn share(decision: &Decision, uid: Uid) -> u64 {
    let Decision::Weights { vector, .. } = decision else { return 0 };
    let total: u64 = vector.entries().iter().map(|(_, weight)| u64::from(*weight)).sum();
    // Rounded to the nearest; at most 65,535 times 10^9.
    (u64::from(vector.get(uid)) * 1_000_000_000 + total / 2) / total
}

/// The mean mark of the accepted answers, or 1 without any.
fn accepted_worth(policy: &Policy, verdicts: &[&VerdictRecord]) -> Mark {
    let accepted = verdicts.iter().filter(|verdict| {
        let judgement = &verdict.judgement;
        judgement.outcome() == Some(Outcome::Accepted)
            && judgement.complaint().is_none()
            && !is_late(policy, verdict)
    });
    let marks: Vec<i64> = accepted.map(|verdict| verdict.judgement.mark.billionths()).collect();
    let Some(count) = i64::try_from(marks.len()).ok().filter(|count| *count > 0) else { return Mark::MAX };
    Mark::from_billionths(divide_i64(marks.iter().sum(), count)).unwrap_or(Mark::MAX)
}

/// What cost an answer something; `None` where nothing did.
fn complaint(policy: &Policy, verdict: &VerdictRecord, worth: Mark) -> Option<Complaint> {
    let Judgement { mark, reasons } = &verdict.judgement;
    if let Some(reason) = verdict.judgement.complaint() {
        return Some(Complaint {
            check: reason.code(),
            phrase: reason.gist().phrase,
            text: reason.to_string(),
        });
    }
    let told = |check: &str, phrase: &str, text: String| {
        Some(Complaint { check: check.to_owned(), phrase: phrase.to_owned(), text })
    };
    if is_late(policy, verdict) {
        let latency = verdict.exchange.as_ref().map_or(0, |exchange| exchange.latency_us);
        return told(LATE, "later than the policy's deadline", format!("{:.1} ms", latency as f64 / 1000.0));
    }
    let outcome = verdict.judgement.outcome();
    if outcome == Some(Outcome::Unchecked) && *mark < worth {
        return told(
            UNCHECKED,
            "taken unchecked, for what earlier checks had shown",
            format!("worth {mark}"),
        );
    }
    (reasons.is_empty() && *mark < worth).then(|| Complaint {
        check: "unexplained".to_owned(),
        phrase: "without a reason".to_owned(),
        text: format!("worth {mark}"),
    })
}

fn is_late(policy: &Policy, verdict: &VerdictRecord) -> bool {
    let latency = verdict.exchange.as_ref().map(|exchange| exchange.latency_us);
    policy.deadline_us().zip(latency).is_some_and(|(deadline, latency)| latency > deadline)
}

/// The verdict as if the answer had been accepted, in time.
fn passed(policy: &Policy, verdict: &VerdictRecord, worth: Mark) -> VerdictRecord {
    let mut passed = verdict.clone();
    passed.judgement.mark = worth;
    // One that was taken unchecked stays so, and doesn't raise an average.
    if verdict.judgement.outcome() != Some(Outcome::Unchecked) || verdict.judgement.complaint().is_some() {
        passed.judgement.reasons = vec![Reason::told(Outcome::Accepted, "")];
    }
    let none = Digest::default();
    let nothing =
        || Exchange { request: none, answer: none, model: none, signature: Vec::new(), latency_us: 0 };
    let exchange = passed.exchange.get_or_insert_with(nothing);
    exchange.latency_us = exchange.latency_us.min(policy.deadline_us().unwrap_or(u64::MAX));
    passed
}

/// What a verdict adds to its epoch's sum.
fn value(policy: &Policy, verdict: &VerdictRecord) -> i64 {
    let mut tally = Tally::default();
    let latency = verdict.exchange.as_ref().map(|exchange| exchange.latency_us);
    tally.add(policy, verdict.judgement.mark.billionths(), latency);
    tally.sum
}

/// Answers that were more like others' than the judge expects, where the policy pays such miners less.
fn alike(fold: &Fold<'_>, who: Option<RegistrationId>) -> Option<Losing> {
    let who = who?;
    fold.cluster(&who)?;
    let mut rounds =
        fold.likeness().iter().filter(|round| round.groups.iter().any(|group| group.contains(&who)));
    let first = rounds.next()?;
    let others = first.groups.iter().find(|group| group.contains(&who)).map_or(0, |group| group.len() - 1);
    Some(Losing {
        check: ALIKE.to_owned(),
        phrase: "more like others' answers than the judge expects".to_owned(),
        answers: u32::try_from(1 + rounds.count()).unwrap_or(u32::MAX),
        marks: 0,
        example: Some(LossExample {
            asked_in: first.epoch,
            round: first.round,
            text: format!("like {others} others'"),
        }),
    })
}
