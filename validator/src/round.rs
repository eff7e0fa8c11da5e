//! One round: challenges from the validator's VRF, references in one batch, all miners at once, verdicts.

mod answered;
mod asking;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use futures::future::join_all;
use parity_scale_codec::Encode;
use weighhouse_ask::{Asker, Target};
use weighhouse_chain::certificate::Pins;
use weighhouse_merkle::commitments;
use weighhouse_tasks::{Scope, Task};
use weighhouse_types::sealed::ChainRoot;
use weighhouse_types::{
    Beacon, Blob, Block, ChallengeRecord, ChallengeScope, Digest, EpochContext, Fields, Hasher, Hotkey,
    Neuron, Record, RegistrationId, SubnetState, Uid,
};
use weighhouse_wallet::keypair::Keypair;

use crate::answers::{Attempt, PreparedChallenge};
use crate::dialogue::{self, CutOff, Dialogue};
use crate::error::ValidatorError;
use crate::parts::Parts;

pub(crate) use answered::{AnsweredRound, JudgedRound};

/// The bytes under the VRF whose output seeds a challenge. An auditor derives the same.
pub(crate) fn vrf_input(context: &EpochContext, round: u32, scope: ChallengeScope) -> Vec<u8> {
    vrf_input_of(context, context.beacon, Digest::of(&context.task), round, scope)
}

/// As [`vrf_input`], of an epoch with this beacon and task on the same subnet.
pub(crate) fn vrf_input_of(
    context: &EpochContext,
    beacon: Beacon,
    task: Digest,
    round: u32,
    scope: ChallengeScope,
) -> Vec<u8> {
    let EpochContext { genesis, netuid, mechanism, .. } = context;
    ("weighhouse/challenge/v1", genesis, netuid, mechanism, beacon, task, round, scope).encode()
}

/// The name of a challenge. It covers the VRF's pre-output, so that nobody but this validator can name it before it is sent.
pub(crate) fn challenge_id(input: &[u8], preout: &[u8; 32]) -> Digest {
    Hasher::new("weighhouse/challenge-id/v1").part(input).part(preout).finish()
}

/// Miners whose commitments are read from the chain at the same time.
const ROOTS_AT_ONCE: usize = 16;

/// What the journal holds of a round that was cut off; nothing of one that begins.
#[derive(Default)]
pub(crate) struct Resumed {
    /// Miners with a verdict, and those who are not to be asked.
    pub(crate) done: BTreeSet<Uid>,
    pub(crate) cut_off: BTreeMap<RegistrationId, CutOff>,
    /// Whom its question was divided among.
    pub(crate) divided: Option<Vec<RegistrationId>>,
}

/// A round under way: its challenges, the miners that are still to be asked, and the attempts that are over.
pub(crate) struct Round {
    challenges: Arc<Vec<PreparedChallenge>>,
    dialogues: Vec<Dialogue>,
    attempts: Vec<Attempt>,
    /// Where the miners of the round are.
    targets: BTreeMap<Hotkey, Target>,
    /// The epoch's records leave out requests that a seed gives.
    has_derived_requests: bool,
    /// How far our clock is ahead of the miners', in milliseconds, where most of them refused a request for its time.
    pub(crate) ahead_ms: Option<i64>,
    /// Miners of whom nothing came back in the newest stage.
    pub(crate) silent: BTreeSet<Hotkey>,
}

impl fmt::Debug for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Round").field("dialogues", &self.dialogues.len()).finish_non_exhaustive()
    }
}

impl Round {
    /// Derives the round's challenges and computes their references; goes on with dialogues that were cut off. `None` when
    /// there is nobody left to ask.
    pub(crate) async fn new(
        parts: &Parts,
        context: &EpochContext,
        round: u32,
        current: (&SubnetState, &Pins),
        resumed: Resumed,
    ) -> Result<Option<Self>, ValidatorError> {
        let Resumed { done, mut cut_off, divided } = resumed;
        let mut miners = miners(context, current);
        // After a crash within a round, those with a verdict are not asked again: a second answer could only confuse
        // the record.
        miners.retain(|(neuron, _)| !done.contains(&neuron.uid));
        if let Some(among) = &divided {
            miners.retain(|(neuron, _)| among.contains(&neuron.registration()));
        }
        if miners.is_empty() {
            return Ok(None);
        }
        let target = |(neuron, target): &(Neuron, Option<Target>)| Some((neuron.hotkey, (*target)?));
        let targets = miners.iter().filter_map(target).collect();
        let mut scopes = BTreeMap::new();
        let mut assigned = Vec::with_capacity(miners.len());
        for miner in miners {
            let scope = scope(&parts.task, miner.0.hotkey);
            let next = scopes.len();
            assigned.push((miner, *scopes.entry(scope).or_insert(next)));
        }
        let mut ordered: Vec<_> = scopes.into_iter().collect();
        ordered.sort_by_key(|(_, position)| *position);
        let scopes: Vec<_> = ordered.into_iter().map(|(scope, _)| scope).collect();

        let has_derived_requests = context.fields.have_derived_requests();
        let (task, keypair, context) = (parts.task.clone(), parts.keypair.clone(), context.clone());
        // After a crash as before it: another division would give other parts.
        let mut among = divided
            .unwrap_or_else(|| assigned.iter().map(|((neuron, _), _)| neuron.registration()).collect());
        among.sort_unstable();
        let prepare = move || prepare(&task, &keypair, &context, (round, &scopes), &among);
        let challenges = parts.cpu.run(prepare).await??;
        let dialogue = |((neuron, target), at): ((Neuron, _), usize)| {
            let PreparedChallenge { request, parts, .. } = &challenges[at];
            let request = parts.get(&neuron.registration()).unwrap_or(request).clone();
            let cut_off = cut_off.remove(&neuron.registration());
            let mut dialogue = Dialogue {
                neuron,
                target,
                at,
                stage: 0,
                earlier: Vec::new(),
                request,
                commit_by: None,
                root: None,
            };
            if let Some(cut_off) = cut_off {
                cut_off.resume(&mut dialogue);
            }
            dialogue
        };
        let dialogues = assigned.into_iter().map(dialogue).collect();
        let (challenges, attempts) = (Arc::new(challenges), Vec::new());
        let silent = BTreeSet::new();
        Ok(Some(Self {
            challenges,
            dialogues,
            attempts,
            targets,
            has_derived_requests,
            ahead_ms: None,
            silent,
        }))
    }

    /// The records that must be durable before anything is sent.
    pub(crate) fn records(&self) -> Vec<Record> {
        let mut records = Vec::with_capacity(self.challenges.len() * 3);
        for prepared in self.challenges.iter() {
            records.push(Record::Blob(prepared.reference_blob.clone()));
            if !self.has_derived_requests {
                records.push(Record::Blob(prepared.request.clone()));
            }
            records.extend(prepared.secret.iter().cloned().map(Record::Blob));
            records.push(Record::Asked(prepared.asked.clone()));
            for (who, part) in &prepared.parts {
                records.push(Record::Blob(part.clone()));
                records.push(Record::FollowUp(dialogue::follow_up(&prepared.asked, *who, 0, part)));
            }
        }
        records
    }

    /// Miners that are still to be asked, and can be.
    pub(crate) fn hotkeys(&self) -> BTreeSet<Hotkey> {
        let dialled = self.dialogues.iter().filter(|dialogue| dialogue.target.is_some());
        dialled.map(|dialogue| dialogue.neuron.hotkey).collect()
    }

    /// Tells whether everybody has been asked all there is to ask.
    pub(crate) fn is_asked(&self) -> bool {
        self.dialogues.is_empty()
    }

    /// The last block for commitments, where these are awaited on the chain before anybody is asked on.
    pub(crate) fn commit_by(&self) -> Option<Block> {
        let is_first = |dialogue: &Dialogue| dialogue.stage == 0;
        // A restarted validator first asks those who have not committed yet.
        if self.dialogues.iter().any(is_first) {
            return None;
        }
        let unread = self.dialogues.iter().filter(|dialogue| dialogue.root.is_none());
        unread.filter_map(|dialogue| dialogue.commit_by).max()
    }

    /// Reads what the chain had of everybody's commitments with the last block for them.
    pub(crate) async fn read_roots(&mut self, parts: &Parts) -> Result<(), ValidatorError> {
        let awaited = self.dialogues.iter().enumerate();
        let wanted: Vec<_> =
            awaited.filter_map(|(at, it)| Some((at, it.neuron.hotkey, it.commit_by?))).collect();
        for together in wanted.chunks(ROOTS_AT_ONCE) {
            let read = |&(at, hotkey, by): &(usize, Hotkey, Block)| {
                let chain = parts.chain.clone();
                async move { (at, by, chain.commitment_at(parts.netuid, hotkey, by).await) }
            };
            for (at, by, shown) in join_all(together.iter().map(read)).await {
                let root = shown?.and_then(|shown| commitments::from_chain(&shown.data));
                self.dialogues[at].root = Some(ChainRoot { by, root });
            }
        }
        Ok(())
    }

    /// Asks everybody the stage that is due, all at once; who has come further waits for the others. The records must be durable
    /// before the next one.
    pub(crate) async fn ask_stage(
        &mut self,
        parts: &Parts,
        asker: &Asker,
        head: Block,
    ) -> Result<Vec<Record>, ValidatorError> {
        let seed = self.challenges.first().map(|challenge| challenge.seed).unwrap_or_default();
        let stage = self.dialogues.iter().map(|dialogue| dialogue.stage).min().unwrap_or_default();
        let (due, further) =
            std::mem::take(&mut self.dialogues).into_iter().partition(|dialogue| dialogue.stage == stage);
        let asked = asking::ask(parts, asker, due, &seed).await?;
        self.ahead_ms = self.ahead_ms.or(asked.ahead_ms);
        self.silent = asked.silent;
        let mut answers = asked.answers;
        // Answers come in any order; the records must not depend on whose network was faster.
        answers.sort_by_key(|(dialogue, _)| dialogue.neuron.uid);
        let (task, challenges) = (parts.task.clone(), self.challenges.clone());
        let subnet = (parts.chain.genesis(), parts.netuid, head);
        let end = parts.cpu.run(move || dialogue::end_stage(&task, subnet, &challenges, answers)).await??;
        self.dialogues = end.dialogues;
        self.dialogues.extend::<Vec<_>>(further);
        self.attempts.extend(end.attempts);
        Ok(end.records)
    }

    /// The round with everybody's answers, once everybody was asked.
    pub(crate) fn answered(self) -> AnsweredRound {
        AnsweredRound::new(self.challenges, self.attempts, self.targets)
    }
}

fn scope(task: &Task, miner: Hotkey) -> ChallengeScope {
    match task.file().scope {
        Scope::Private => ChallengeScope::Private { miner },
        Scope::Shared => ChallengeScope::Shared,
    }
}

/// Everyone but ourselves who serves, with the address to dial: the registrations are the context's, the addresses today's.
fn miners(context: &EpochContext, (current, pins): (&SubnetState, &Pins)) -> Vec<(Neuron, Option<Target>)> {
    let own = current.metagraph.by_hotkey(&context.validator).and_then(|own| Some(own.axon?.address()));
    let others = context.state.metagraph.neurons.iter().filter(|neuron| neuron.hotkey != context.validator);
    let present = |neuron: &Neuron| {
        let now = current.metagraph.neuron(neuron.uid)?;
        // A uid that changed hands meanwhile belongs to somebody who was never drawn for this epoch.
        (now.registration() == neuron.registration()).then_some(now)
    };
    others
        .filter_map(|neuron| {
            // Today's first: a miner may have moved since the epoch was opened.
            let axon = present(neuron)?.axon.or(neuron.axon)?;
            let address = axon.address();
            // An axon of zeros is how a miner says that it serves nothing, and ours is how it would have us ask ourselves.
            let dialable = address.port() != 0 && !address.ip().is_unspecified() && Some(address) != own;
            let hotkey = neuron.hotkey;
            let pin = pins.get(&hotkey).copied();
            let target = dialable.then_some(Target { address, hotkey, pin });
            Some((neuron.clone(), target))
        })
        .collect()
}

fn prepare(
    task: &Task,
    keypair: &Keypair,
    context: &EpochContext,
    (round, scopes): (u32, &[ChallengeScope]),
    miners: &[RegistrationId],
) -> Result<Vec<PreparedChallenge>, ValidatorError> {
    let seeds: Vec<_> = scopes.iter().map(|scope| keypair.vrf(&vrf_input(context, round, *scope))).collect();
    let challenges = task.challenges(&seeds.iter().map(|seed| seed.output).collect::<Vec<_>>())?;
    let references = task.references(&challenges)?;
    let each = scopes.iter().zip(seeds).zip(challenges.into_iter().zip(references));
    each.map(|((scope, seed), (challenge, reference))| {
        let id = challenge_id(&vrf_input(context, round, *scope), &seed.preout);
        let reference_blob = Blob::new(reference.to_bytes());
        let secret = task.secret(&challenge).map(Blob::new);
        let mut asked = ChallengeRecord {
            challenge: id,
            epoch: context.epoch,
            round,
            scope: *scope,
            vrf_output: seed.preout.to_vec(),
            vrf_proof: seed.proof,
            kind: task.file().kind.to_owned(),
            request: None,
            secret: secret.as_ref().map(Blob::digest),
            reference: Some(reference_blob.digest()),
            fields: Fields::default(),
        };
        let request = dialogue::framed(&asked, task.request(&challenge, String::new()));
        asked.request = Some(request.digest());
        let mut parts = BTreeMap::new();
        if let (ChallengeScope::Shared, Some(divided)) = (scope, task.assign(&challenge, miners)?) {
            asked.fields = Fields::of_those_asked(miners);
            let framed = divided.into_iter().map(|part| dialogue::framed(&asked, part));
            parts = miners.iter().copied().zip(framed).collect();
        }
        let seed = seed.output;
        Ok(PreparedChallenge { asked, challenge, reference, reference_blob, seed, request, parts, secret })
    })
    .collect()
}

#[cfg(test)]
mod tests;
