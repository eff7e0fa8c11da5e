//! One round: challenges from the validator's VRF, references in one batch, all miners at once, verdicts.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt;
use parity_scale_codec::Encode;
use weighhouse_proto::inference::{ModelInferRequest, ModelInferResponse};
use weighhouse_tasks::{Challenge, Kind, Mode, Reference, Scope, Task, TaskError, likeness};
use weighhouse_types::{
    Asked, ChallengeScope, Digest, EpochContext, Exchange, Failure, Hasher, Hotkey, InferAnswer, Judged,
    Likeness, Neuron, Record, SubnetState,
};
use weighhouse_wallet::answer;
use weighhouse_wallet::keypair::Keypair;

use crate::answers::{Attempt, PreparedChallenge, judge_framed};
use crate::ask::{self, Asker, Limits, RawAnswer, Target};
use crate::check::{self, Known};
use crate::error::ValidatorError;
use crate::parts::Parts;

/// The bytes under the VRF whose output seeds a challenge. An auditor derives the same.
pub(crate) fn vrf_input(context: &EpochContext, round: u32, scope: ChallengeScope) -> Vec<u8> {
    let task = Digest::of(&context.task);
    (
        "weighhouse/challenge/v1",
        context.genesis,
        context.netuid,
        context.mechanism,
        context.beacon,
        task,
        round,
        scope,
    )
        .encode()
}

/// A miner to ask, by its present axon.
struct Miner {
    neuron: Neuron,
    target: Option<Target>,
}

/// Which challenges there are, and which of them each miner gets.
pub(crate) struct RoundPlan {
    challenges: Arc<Vec<PreparedChallenge>>,
    miners: Vec<(Miner, usize)>,
}

impl RoundPlan {
    /// Derives the round's challenges and computes their references. `None` when there is nobody left to ask.
    pub(crate) async fn new(
        parts: &Parts,
        context: &EpochContext,
        round: u32,
        current: &SubnetState,
        done: &std::collections::BTreeSet<weighhouse_types::Uid>,
    ) -> Result<Option<Self>, ValidatorError> {
        let mut miners = miners(context, current);
        miners.retain(|miner| !done.contains(&miner.neuron.uid));
        if miners.is_empty() {
            return Ok(None);
        }
        let mut scopes = BTreeMap::new();
        let mut assigned = Vec::with_capacity(miners.len());
        for miner in miners {
            let scope = scope(&parts.task, miner.neuron.hotkey);
            let next = scopes.len();
            assigned.push((miner, *scopes.entry(scope).or_insert(next)));
        }
        let mut ordered: Vec<_> = scopes.into_iter().collect();
        ordered.sort_by_key(|(_, position)| *position);
        let scopes: Vec<_> = ordered.into_iter().map(|(scope, _)| scope).collect();

        let (task, keypair, context) = (parts.task.clone(), parts.keypair.clone(), context.clone());
        let prepare = move || prepare(&task, &keypair, &context, round, &scopes);
        let challenges = parts.cpu.run(prepare).await??;
        Ok(Some(Self { challenges: Arc::new(challenges), miners: assigned }))
    }

    /// The records that must be durable before anything is sent.
    pub(crate) fn records(&self) -> Vec<Record> {
        let mut records = Vec::with_capacity(self.challenges.len() * 3);
        for prepared in self.challenges.iter() {
            records.push(Record::Blob { bytes: prepared.reference.to_bytes() });
            records.push(Record::Blob { bytes: prepared.framed.to_vec() });
            records.push(Record::Asked(prepared.asked.clone()));
        }
        records
    }

    /// Asks everybody at once and judges what comes back; the records are in uid order. `known` is what the
    /// epoch has shown so far, where the task leaves the judge a choice.
    pub(crate) async fn run(
        self,
        parts: &Parts,
        asker: &Asker,
        known: Option<Known>,
    ) -> Result<Vec<Record>, ValidatorError> {
        let limits =
            Limits { deadline: parts.rounds.deadline, answer_bytes_max: parts.rounds.answer_bytes_max };
        let challenges = self.challenges;
        let attempts = self.miners.into_iter().map(|(miner, at)| {
            let framed = challenges[at].framed.clone();
            async move {
                let answer = match miner.target {
                    Some(target) => asker.ask(target, framed, limits).await,
                    None => Err(Failure::NoAxon),
                };
                (miner.neuron, at, answer)
            }
        });
        let mut answers: Vec<_> =
            futures::stream::iter(attempts).buffer_unordered(parts.rounds.in_flight_max).collect().await;
        answers.sort_by_key(|(neuron, ..)| neuron.uid);

        let attempts = parts.cpu.run({
            let challenges = challenges.clone();
            move || {
                let verify = |(neuron, at, answer)| verify(&challenges, at, neuron, answer);
                answers.into_iter().map(verify).collect::<Vec<_>>()
            }
        });
        let attempts = attempts.await?;
        let task = parts.task.clone();
        if task.file().kind == Kind::Generate {
            return check::judge_attempts(parts, challenges, attempts, known.unwrap_or_default()).await;
        }
        parts
            .cpu
            .run(move || {
                let judge = |attempt| judge_attempt(&task, &challenges, attempt);
                let verdicts = attempts.into_iter().map(judge).collect::<Result<Vec<_>, TaskError>>()?;
                let mut records: Vec<Record> = verdicts.into_iter().flatten().collect();
                let shared =
                    challenges.iter().filter(|prepared| prepared.asked.scope == ChallengeScope::Shared);
                let likeness: Vec<_> = shared
                    .filter_map(|prepared| likeness_of(&task, prepared, &records))
                    .map(Record::Likeness)
                    .collect();
                records.extend(likeness);
                Ok(records)
            })
            .await?
    }
}

/// Who answered one shared challenge alike, beyond what the judge expects; `None` where that can't be said of this task.
fn likeness_of(task: &Task, prepared: &PreparedChallenge, records: &[Record]) -> Option<Likeness> {
    let blobs: BTreeMap<Digest, &[u8]> = records
        .iter()
        .filter_map(|record| match record {
            Record::Blob { bytes } => Some((Digest::of(bytes), bytes.as_slice())),
            _ => None,
        })
        .collect();
    let judged = records.iter().filter_map(|record| match record {
        Record::Judged(judged) if judged.challenge == prepared.asked.challenge => Some(judged),
        _ => None,
    });
    alike(task, &prepared.challenge, &prepared.reference, judged, &blobs)
}

/// As an auditor finds it too: from the verdicts on one challenge and the answers' bytes.
pub(crate) fn alike<'a>(
    task: &Task,
    challenge: &Challenge,
    reference: &Reference,
    judged: impl Iterator<Item = &'a Judged>,
    blobs: &BTreeMap<Digest, &[u8]>,
) -> Option<Likeness> {
    if matches!(task.file().mode, Mode::Conformance { .. }) || task.file().scope == Scope::Private {
        return None;
    }
    let mut place = None;
    let mut answers = Vec::new();
    for verdict in judged {
        place = Some((verdict.epoch, verdict.round));
        let framed = verdict.exchange.as_ref().and_then(|exchange| blobs.get(&exchange.answer));
        let message = framed.and_then(|framed| ask::unframe::<ModelInferResponse>(framed).ok());
        if let Some(answer) = message.and_then(|message| InferAnswer::try_from(message).ok()) {
            answers.push((verdict.who, answer));
        }
    }
    let (epoch, round) = place?;
    let borrowed: Vec<_> = answers.iter().map(|(who, answer)| (*who, answer)).collect();
    let groups = likeness::groups(task.file(), challenge, reference, &borrowed);
    let mut compared: Vec<_> = answers.iter().map(|(who, _)| *who).collect();
    compared.sort();
    Some(Likeness { epoch, round, compared, groups })
}

fn scope(task: &Task, miner: Hotkey) -> ChallengeScope {
    match task.file().scope {
        Scope::Private => ChallengeScope::Private { miner },
        Scope::Shared => ChallengeScope::Shared,
    }
}

/// Everyone but ourselves who serves: the registrations are the context's, the addresses today's.
fn miners(context: &EpochContext, current: &SubnetState) -> Vec<Miner> {
    let others = context.state.metagraph.neurons.iter().filter(|neuron| neuron.hotkey != context.validator);
    let present = |neuron: &Neuron| {
        let now = current.metagraph.neuron(neuron.uid)?;
        (now.registration() == neuron.registration()).then_some(now)
    };
    others
        .filter_map(|neuron| {
            let axon = present(neuron)?.axon.or(neuron.axon)?;
            let address = axon.address();
            let dialable = address.port() != 0 && !address.ip().is_unspecified();
            let target = dialable.then_some(Target { address, hotkey: neuron.hotkey });
            Some(Miner { neuron: neuron.clone(), target })
        })
        .collect()
}

fn prepare(
    task: &Task,
    keypair: &Keypair,
    context: &EpochContext,
    round: u32,
    scopes: &[ChallengeScope],
) -> Result<Vec<PreparedChallenge>, ValidatorError> {
    let seeds: Vec<_> = scopes.iter().map(|scope| keypair.vrf(&vrf_input(context, round, *scope))).collect();
    let challenges: Vec<_> = seeds.iter().map(|seed| task.challenge(&seed.output)).collect();
    let references = task.references(&challenges)?;
    let each = scopes.iter().zip(seeds).zip(challenges.into_iter().zip(references));
    Ok(each
        .map(|((scope, seed), (challenge, reference))| {
            let id = Hasher::new("weighhouse/challenge-id/v1")
                .part(&vrf_input(context, round, *scope))
                .part(&seed.preout)
                .finish();
            let request = ModelInferRequest::try_from(task.request(&challenge, id.to_string()))
                .expect("a challenge's dimensions are far below 2^63");
            let asked = Asked {
                challenge: id,
                epoch: context.epoch,
                round,
                scope: *scope,
                vrf_output: seed.preout.to_vec(),
                vrf_proof: seed.proof,
                reference: Digest::of(&reference.to_bytes()),
            };
            PreparedChallenge { asked, challenge, reference, seed: seed.output, framed: ask::frame(&request) }
        })
        .collect())
}

/// Checks who signed an answer.
fn verify(
    challenges: &[PreparedChallenge],
    at: usize,
    neuron: Neuron,
    raw: Result<RawAnswer, Failure>,
) -> Attempt {
    let framed = &challenges[at].framed;
    let verified = raw.and_then(|raw| {
        let signed = answer::verify_answer(&neuron.hotkey, framed, &raw.framed, &raw.trailers);
        let signed = signed.map_err(|_| Failure::BadSignature)?;
        Ok((raw, signed))
    });
    match verified {
        Err(failure) => Attempt { neuron, at, exchange: None, answer: Err(failure) },
        Ok((raw, signed)) => {
            let exchange = Exchange {
                request: Digest::of(framed),
                answer: Digest::of(&raw.framed),
                model: signed.model,
                signature: signed.signature.encode(),
                latency_us: u64::try_from(raw.latency.as_micros()).unwrap_or(u64::MAX),
            };
            Attempt { neuron, at, exchange: Some(exchange), answer: Ok(raw.framed) }
        }
    }
}

/// The verdict on one attempt, with the blob it refers to.
fn judge_attempt(
    task: &Task,
    challenges: &[PreparedChallenge],
    attempt: Attempt,
) -> Result<Vec<Record>, TaskError> {
    let prepared = &challenges[attempt.at];
    let judgement = match &attempt.answer {
        Err(failure) => task.judge(&prepared.challenge, &prepared.reference, &Err(failure.clone()))?,
        Ok(framed) => judge_framed(task, &prepared.challenge, &prepared.reference, framed)?,
    };
    Ok(attempt.records(prepared, Vec::new(), judgement))
}
