//! One round: challenges from the validator's VRF, references in one batch, all miners at once, verdicts.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt;
use parity_scale_codec::Encode;
use weighhouse_ask::{AskLimits, Asker, Target, frame};
use weighhouse_proto::inference::ModelInferRequest;
use weighhouse_tasks::{Scope, Task};
use weighhouse_types::{
    Asked, Blob, ChallengeScope, Digest, EpochContext, Failure, Fields, Hasher, Hotkey, Neuron, Record,
    SubnetState,
};
use weighhouse_wallet::keypair::Keypair;

use crate::answers::{Attempt, PreparedChallenge};
use crate::check;
use crate::checks::{CheckHistory, Fingerprint};
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
            records.push(Record::Blob(prepared.reference_blob.clone()));
            records.push(Record::Blob(prepared.request.clone()));
            records.push(Record::Asked(prepared.asked.clone()));
        }
        records
    }

    /// Asks everybody at once and judges what comes back; the records are in uid order. `history` is what the epoch's
    /// checks have shown so far, where the task leaves the judge a choice of whom to check.
    pub(crate) async fn run(
        self,
        parts: &Parts,
        asker: &Asker,
        history: Option<CheckHistory>,
    ) -> Result<JudgedRound, ValidatorError> {
        let limits =
            AskLimits { deadline: parts.rounds.deadline, answer_bytes_max: parts.rounds.answer_bytes_max };
        let challenges = self.challenges;
        let attempts = self.miners.into_iter().map(|(miner, at)| {
            let framed = challenges[at].request.bytes().clone();
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
            let (task, challenges) = (parts.task.clone(), challenges.clone());
            move || {
                let read = |(neuron, at, answer)| Attempt::new(&task, &challenges, at, neuron, answer);
                answers.into_iter().map(read).collect::<Vec<_>>()
            }
        });
        let attempts = Arc::new(attempts.await?);
        let fingerprints = fingerprints(&challenges, &attempts);
        let history = history.unwrap_or_default();
        let records = check::judge_attempts(parts, challenges, attempts, history).await?;
        Ok(JudgedRound { records, fingerprints })
    }
}

/// A round's verdicts with their evidence, and the fingerprints of its answers.
pub(crate) struct JudgedRound {
    pub(crate) records: Vec<Record>,
    pub(crate) fingerprints: Vec<Fingerprint>,
}

fn fingerprints(challenges: &[PreparedChallenge], attempts: &[Attempt]) -> Vec<Fingerprint> {
    let fingerprint = |attempt: &Attempt| {
        let asked = &challenges[attempt.at].asked;
        let said = attempt.answer.fingerprint?;
        Some(Fingerprint { round: asked.round, challenge: asked.challenge, said })
    };
    attempts.iter().filter_map(fingerprint).collect()
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
    let challenges = task.challenges(&seeds.iter().map(|seed| seed.output).collect::<Vec<_>>())?;
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
            let request = Blob::new(frame(&request));
            let reference_blob = Blob::new(reference.to_bytes());
            let asked = Asked {
                challenge: id,
                epoch: context.epoch,
                round,
                scope: *scope,
                vrf_output: seed.preout.to_vec(),
                vrf_proof: seed.proof,
                kind: task.file().kind.to_owned(),
                request: Some(request.digest()),
                secret: None,
                reference: Some(reference_blob.digest()),
                fields: Fields::default(),
            };
            PreparedChallenge { asked, challenge, reference, reference_blob, seed: seed.output, request }
        })
        .collect())
}
