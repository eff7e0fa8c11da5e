//! The truth about challenges of earlier epochs, and the verdicts that follow from it.

use std::collections::BTreeMap;

use weighhouse_journal::{Journal, JournalError};
use weighhouse_tasks::kind::{Timing, Truth};
use weighhouse_tasks::{Challenge, Read, Reference, Task, TaskError};
use weighhouse_types::{
    Blob, CarriedChallenge, ChallengePhase, Epoch, EpochContext, Fields, InferAnswer, Judgement, Record,
    RegistrationId, StageRecord, VerdictRecord,
};

use crate::answers::decode;
use crate::error::ValidatorError;
use crate::later::phase;
use crate::metrics;
use crate::round::vrf_input_of;
use crate::together;

/// A challenge of an earlier epoch with the answers' messages, by miner and in the order of their stages.
pub(crate) struct KeptChallenge {
    carried: CarriedChallenge,
    seed: [u8; 32],
    messages: BTreeMap<RegistrationId, Vec<InferAnswer>>,
}

impl KeptChallenge {
    /// Takes the answers' bytes from the epoch's own file.
    pub(crate) fn read(
        journal: &mut Journal,
        epoch: Epoch,
        carried: CarriedChallenge,
        seed: [u8; 32],
    ) -> Result<Self, JournalError> {
        let mut messages: BTreeMap<_, Vec<InferAnswer>> = BTreeMap::new();
        for answered in &carried.answers {
            if let Ok(exchange) = &answered.outcome {
                let message = decode(&journal.blob(epoch, &exchange.answer)?);
                messages.entry(answered.who).or_default().extend(message.ok());
            }
        }
        Ok(Self { carried, seed, messages })
    }
}

/// The bytes under the VRF of a challenge that was taken over.
pub(crate) fn vrf_input(context: &EpochContext, carried: &CarriedChallenge) -> Vec<u8> {
    let CarriedChallenge { asked, beacon, task, .. } = carried;
    vrf_input_of(context, *beacon, *task, asked.round, asked.scope)
}

/// Why a challenge that awaits its truth lapses in this epoch, if it does.
pub(crate) fn lapses(task: &Task, carried: &CarriedChallenge) -> Option<String> {
    if carried.task != task.digest() {
        return Some("the task has changed since it was asked".to_owned());
    }
    match task.timing() {
        Timing::AtOnce => Some("the task no longer waits for truth".to_owned()),
        Timing::Later { epochs_max } if age(carried) > epochs_max => {
            Some(format!("no truth within {epochs_max} epochs"))
        }
        Timing::Later { .. } => None,
    }
}

/// Epochs since a challenge was asked.
pub(crate) fn age(carried: &CarriedChallenge) -> u64 {
    carried.epoch.0.saturating_sub(carried.asked.epoch.0)
}

/// Challenges that lapse, with the reason, and those of earlier epochs that still await their truth.
pub(crate) fn divide(
    task: &Task,
    pending: Vec<CarriedChallenge>,
) -> (Vec<(CarriedChallenge, String)>, Vec<CarriedChallenge>) {
    let (mut lapsed, mut awaiting) = (Vec::new(), Vec::new());
    // What this epoch asked itself waits for the next one at least.
    for carried in pending.into_iter().filter(|carried| age(carried) > 0) {
        match lapses(task, &carried) {
            Some(why) => lapsed.push((carried, why)),
            None => awaiting.push(carried),
        }
    }
    (lapsed, awaiting)
}

/// Asks for the truth, one call for all that were asked in the same epoch, and judges where it is known.
pub(crate) fn resolve(
    task: &Task,
    context: &EpochContext,
    kept: Vec<KeptChallenge>,
) -> Result<Vec<Record>, ValidatorError> {
    let mut by_age: BTreeMap<u64, Vec<KeptChallenge>> = BTreeMap::new();
    for challenge in kept {
        by_age.entry(age(&challenge.carried)).or_default().push(challenge);
    }
    let mut records = Vec::new();
    for (age, kept) in by_age {
        // Drawn anew from the seed: a record names a challenge by digest and doesn't hold it.
        let challenges = task.challenges(&kept.iter().map(|kept| kept.seed).collect::<Vec<_>>())?;
        let truths = task.resolve(&challenges.iter().collect::<Vec<_>>(), age, &context.beacon)?;
        for ((kept, challenge), truth) in kept.iter().zip(&challenges).zip(truths) {
            if let Some(truth) = truth {
                records.extend(judge(task, context, kept, challenge, truth)?);
            }
        }
    }
    Ok(records)
}

/// The truth about one challenge, and a verdict on everybody who answered it and still holds the registration.
fn judge(
    task: &Task,
    context: &EpochContext,
    kept: &KeptChallenge,
    challenge: &Challenge,
    Truth { word, operator }: Truth<Reference>,
) -> Result<Vec<Record>, TaskError> {
    let KeptChallenge { carried, messages, .. } = kept;
    let (epoch, asked) = (context.epoch, &carried.asked);
    let blob = Blob::new(word.to_bytes());
    let fields = operator.as_deref().map_or_else(Fields::default, Fields::on_the_word_of);
    let resolved = phase(asked, epoch, ChallengePhase::Resolved { truth: blob.digest() }, fields);
    let mut records = vec![Record::Blob(blob), resolved];

    let last = last_answers(carried, context);
    let read = |answered: &&StageRecord| {
        let (message, earlier) = messages.get(&answered.who)?.split_last()?;
        let author = context.author(asked.challenge, answered.who.hotkey, answered.fields.chain_root());
        Some((answered.who, task.read_stages(&author, challenge, earlier, message)))
    };
    let read: BTreeMap<_, _> = last.iter().filter_map(read).collect();
    let readable: Vec<(RegistrationId, &Reference, &Read)> =
        read.iter().filter_map(|(who, read)| Some((*who, &word, read.as_ref().ok()?))).collect();
    let verdicts = match together::judge(task, asked, epoch, challenge, readable.clone())? {
        Some((joint, verdicts)) => {
            records.extend(joint.map(|joint| Record::JudgedTogether(joint.record)));
            verdicts
        }
        None => {
            let answers: Vec<_> = readable.iter().map(|(_, word, read)| (challenge, *word, *read)).collect();
            readable.iter().map(|(who, ..)| *who).zip(task.judge_each(&answers)?).collect()
        }
    };
    for answered in last {
        let own = read.get(&answered.who).and_then(|read| read.as_ref().err());
        let Some(judgement) = verdicts.get(&answered.who).or(own) else { continue };
        records.push(judged(answered, epoch, asked.epoch, judgement.clone()));
    }
    Ok(records)
}

/// Everybody's last answer, where the miner still holds the registration that gave it.
pub(crate) fn last_answers<'a>(
    carried: &'a CarriedChallenge,
    context: &EpochContext,
) -> Vec<&'a StageRecord> {
    // Answers stand in the order of their stages, so of each miner's the last one stays in the map.
    let last = carried.answers.iter().map(|answered| (answered.who, answered)).collect::<BTreeMap<_, _>>();
    let stays = |answered: &&StageRecord| {
        let neuron = context.state.metagraph.neuron(answered.uid);
        neuron.is_some_and(|neuron| neuron.registration() == answered.who)
    };
    let mut last: Vec<_> = last.into_values().filter(stays).collect();
    last.sort_by_key(|answered| answered.uid);
    last
}

fn judged(answered: &StageRecord, epoch: Epoch, asked_in: Epoch, judgement: Judgement) -> Record {
    metrics::judged(&judgement, None);
    Record::Judged(VerdictRecord {
        challenge: answered.challenge,
        epoch,
        round: answered.round,
        uid: answered.uid,
        who: answered.who,
        exchange: answered.outcome.clone().ok(),
        judgement,
        asked_in,
        stage: answered.stage,
        fields: Fields::under(answered.fields.chain_root()),
    })
}

#[cfg(test)]
mod tests;
