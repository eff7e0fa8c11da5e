//! A task: its file, its kind, and what a validator does with them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parity_scale_codec::DecodeAll as _;
use weighhouse_merkle::commitments::{self, Place};
use weighhouse_types::sealed::{self, Author, PROOF, SealError};
use weighhouse_types::{
    Beacon, Digest, Failure, InferAnswer, InferRequest, JointVerdicts, JudgeIdentity, Judgement, Mark,
    Reason, RegistrationId,
};

use crate::calibrate::{CalibrateError, CalibrationPlan, CalibrationProgress, CalibrationReport};
use crate::challenge::Challenge;
use crate::error::TaskError;
use crate::file::TaskFile;
use crate::generate::sequential::{Budget, LogOddsWalk};
use crate::kind::{NextRequest, Timing, Truth};
use crate::persona::Persona;
use crate::reference::Reference;
use crate::registry::TaskLoader;
use crate::work::{Read, Work};

/// A commitment, and what was committed to.
const SEALED_STAGES: u8 = 2;
/// Bytes of an answer besides its values: names, parameters, and outputs that nobody asked for.
const ANSWER_ROOM_BYTES: usize = 16 << 10;

/// A loaded task. Any number of threads may share one.
#[derive(Clone)]
pub struct Task {
    file: TaskFile,
    digest: Digest,
    /// Answers are committed to by everybody before anybody reveals one.
    sealed: bool,
    work: Arc<dyn Work>,
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("digest", &self.digest).field("file", &self.file).finish_non_exhaustive()
    }
}

impl Task {
    /// Reads a task file and takes up the reference that it names.
    ///
    /// # Errors
    /// A file that is refused, no such reference, or another one than the file names.
    pub fn load(file: &[u8], loader: &(impl TaskLoader + ?Sized)) -> Result<Self, TaskError> {
        let (header, section, kind) = TaskFile::split(file, loader.further_kinds())?;
        if !kind.judges.contains(&header.judge) {
            let known = format!("{} to {}", kind.judges.start(), kind.judges.end());
            return Err(TaskError::JudgeVersion { asked: header.judge, known });
        }
        let work = (kind.open)(&header, &section, loader.references())?;
        Ok(Self { file: header, digest: Digest::of(file), sealed: kind.sealed, work })
    }

    /// The same task without commitments, for measurements: one exchange less, and the same verdicts.
    #[must_use]
    pub fn unsealed(&self) -> Self {
        Self { sealed: false, ..self.clone() }
    }

    pub fn file(&self) -> &TaskFile {
        &self.file
    }

    /// SHA-256 of the task file's bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The kind behind the task.
    #[cfg(test)]
    pub(crate) fn kind<K: crate::kind::Kind>(&self) -> Option<&K> {
        self.work.as_any().downcast_ref()
    }

    /// The judge's choice of whom it checks, where the task leaves it one.
    pub fn budget(&self) -> Option<&Budget> {
        self.work.budget()
    }

    /// The judge that reaches this task's verdicts.
    pub fn judge_identity(&self) -> JudgeIdentity {
        let digest = self.work.judge_files().map(|files| files.digest);
        JudgeIdentity { kind: self.file.kind.to_owned(), version: self.file.judge, digest }
    }

    /// The operator whose word the digest of the judge's files is, where somebody else runs it.
    pub fn judge_operator(&self) -> Option<String> {
        self.work.judge_files()?.operator
    }

    /// The challenges of these seeds, in order: the same bits on every machine. Whose seed it is decides whether a
    /// challenge is private or shared (see [`TaskFile::scope`]).
    ///
    /// # Errors
    /// A judge out of process that draws nothing.
    pub fn challenges(&self, seeds: &[[u8; 32]]) -> Result<Vec<Challenge>, TaskError> {
        self.work.draw(self.digest, self.file.items, seeds)
    }

    /// The challenge of one seed.
    ///
    /// # Errors
    /// As [`Task::challenges`].
    pub fn challenge(&self, seed: &[u8; 32]) -> Result<Challenge, TaskError> {
        let mut challenges = self.challenges(std::slice::from_ref(seed))?;
        Ok(challenges.pop().expect("one challenge for one seed, or an error"))
    }

    /// The question as sent.
    pub fn request(&self, challenge: &Challenge, id: String) -> InferRequest {
        let question = InferRequest { model: self.file.model.clone(), id, ..self.work.request(challenge) };
        self.first_stage(question)
    }

    /// The parts of a shared question that these miners are sent, ascending by registration, without an id; `None` where everybody
    /// is sent the same.
    ///
    /// # Errors
    /// A kind that divides it among others.
    pub fn assign(
        &self,
        challenge: &Challenge,
        miners: &[RegistrationId],
    ) -> Result<Option<Vec<InferRequest>>, TaskError> {
        let named = |request| InferRequest { model: self.file.model.clone(), ..request };
        let requests = self.work.assign(challenge, miners)?;
        Ok(requests.map(|each| each.into_iter().map(|it| self.first_stage(named(it))).collect()))
    }

    fn first_stage(&self, question: InferRequest) -> InferRequest {
        match self.sealed {
            true => sealed::committing(question, self.commit_blocks())
                .expect("a kind's names of outputs are short"),
            false => question,
        }
    }

    /// Within so many blocks commitments have to stand on the chain, before anybody is asked to reveal; `None` where they have no place
    /// there.
    pub fn commit_blocks(&self) -> Option<u32> {
        self.file.commit_blocks.filter(|_| self.sealed)
    }

    /// Whether a seed gives the request back with the task file alone: then records name it and don't hold it.
    pub fn request_follows_from_seed(&self) -> bool {
        self.work.request_follows_from_seed() && !matches!(self.timing(), Timing::Later { .. })
    }

    /// The part of a challenge that only the judge may know, for the record; `None` where the seed gives it back.
    pub fn secret(&self, challenge: &Challenge) -> Option<Vec<u8>> {
        self.work.secret(challenge)
    }

    /// Exchanges that one challenge takes with a miner; at least 1.
    pub fn stages(&self) -> u8 {
        if self.sealed { SEALED_STAGES } else { self.work.stages().max(1) }
    }

    /// The next request to each of these miners, who gave these answers so far, without an id; or the verdict on answers after
    /// which nothing more is asked.
    ///
    /// # Errors
    /// A judge that gives no requests.
    pub fn follow_up(&self, asked: &[(&Challenge, &[InferAnswer])]) -> Result<Vec<NextRequest>, TaskError> {
        let named = |request| InferRequest { model: self.file.model.clone(), ..request };
        if self.sealed {
            let next = |(challenge, answers): &(&Challenge, &[InferAnswer])| {
                let committed = answers.first().ok_or(SealError::NoCommitment);
                committed.and_then(sealed::commitment).map_err(not_sealed)?;
                let question = named(self.work.request(challenge));
                let on_chain = self.commit_blocks().is_some();
                Ok(sealed::revealing(question, on_chain).expect("a kind's names of outputs are short"))
            };
            return Ok(asked.iter().map(next).collect());
        }
        Ok(self.work.follow_up(asked)?.into_iter().map(|request| request.map(named)).collect())
    }

    /// The time at which the truth about this task's challenges is known.
    pub fn timing(&self) -> Timing {
        self.work.timing()
    }

    /// The truth about challenges that were asked so many epochs ago; `None` while nobody knows it. `beacon` is that of the epoch
    /// which asks for it.
    ///
    /// # Errors
    /// A reference or a judge that gives no result.
    pub fn resolve(
        &self,
        challenges: &[&Challenge],
        epochs: u64,
        beacon: &Beacon,
    ) -> Result<Vec<Option<Truth<Reference>>>, TaskError> {
        self.work.resolve(challenges, epochs, beacon)
    }

    /// The reference's answers, in the order of the challenges: one call a round, in passes of a fixed shape. Belongs
    /// on a thread for CPU work. Where the reference is asked about answers there is none yet: see [`Task::testify`].
    ///
    /// # Errors
    /// A reference that gives no result.
    pub fn references(&self, challenges: &[Challenge]) -> Result<Vec<Reference>, TaskError> {
        self.work.refer(challenges)
    }

    /// Tells whether a reference on record is the one that was worked out again here, but for what processors differ by.
    pub fn agrees(&self, recorded: &Reference, again: &Reference) -> bool {
        self.work.agrees(recorded, again)
    }

    /// Reads what came back, once.
    ///
    /// # Errors
    /// The verdict on what is no answer to the challenge.
    pub fn read(
        &self,
        challenge: &Challenge,
        answer: &Result<InferAnswer, Failure>,
    ) -> Result<Read, Judgement> {
        match answer {
            Ok(answer) => self.read_opened(challenge, &[], answer),
            Err(failure) => Err(silent(failure.clone())),
        }
    }

    /// Reads a miner's answers to all stages, the last of which is `answer`. Where they are sealed, that is what this miner had
    /// committed to, or there is a verdict that it isn't.
    ///
    /// # Errors
    /// As [`Task::read`].
    pub fn read_stages(
        &self,
        author: &Author,
        challenge: &Challenge,
        earlier: &[InferAnswer],
        answer: &InferAnswer,
    ) -> Result<Read, Judgement> {
        if !self.sealed {
            return self.read_opened(challenge, earlier, answer);
        }
        let committed = earlier.first().ok_or(SealError::NoCommitment);
        let open = |committed| {
            let opened = author.open(committed, answer)?;
            self.stood(author, committed, answer).map(|()| opened)
        };
        let opened = committed.and_then(open).map_err(not_sealed)?;
        self.work.read(challenge, &[], &opened)
    }

    /// Where commitments have their place on the chain, this one stood there in time.
    fn stood(
        &self,
        author: &Author,
        committed: &InferAnswer,
        revealed: &InferAnswer,
    ) -> Result<(), SealError> {
        if self.commit_blocks().is_none() {
            return Ok(());
        }
        let chain = author.root.ok_or(SealError::Unrecorded)?;
        if chain.root.is_none() {
            return Err(SealError::NoRoot(chain.by));
        }
        let proof = revealed.outputs.iter().find(|output| output.name() == PROOF);
        let places = proof.and_then(|proof| Vec::<Place>::decode_all(&mut proof.data()).ok());
        match commitments::stood(&places.unwrap_or_default(), &sealed::commitment(committed)?, &chain) {
            true => Ok(()),
            false => Err(SealError::NotUnderRoot(chain.by)),
        }
    }

    /// As [`Task::read_stages`], of answers that were not committed to, or have been opened.
    pub(crate) fn read_opened(
        &self,
        challenge: &Challenge,
        earlier: &[InferAnswer],
        answer: &InferAnswer,
    ) -> Result<Read, Judgement> {
        self.work.read(challenge, earlier, answer)
    }

    /// The verdict on a miner that gave no answer at a stage. Who has committed to an answer and doesn't reveal it is as good as wrong in all of
    /// it: else whoever likes its answer no more would take it back.
    pub fn unanswered(&self, stage: u8, failure: Failure) -> Judgement {
        let mark = if self.sealed && stage > 0 { Mark::MIN } else { Mark::ZERO };
        Judgement { mark, ..silent(failure) }
    }

    /// The reference's words on these answers, in packed passes: one for each; `None` where it was asked before them.
    /// Belongs on a thread for CPU work.
    ///
    /// # Errors
    /// [`TaskError::Witness`] if the reference can't say.
    pub fn testify(&self, answers: &[(&Challenge, &Read)]) -> Result<Option<Vec<Reference>>, TaskError> {
        self.work.testify(answers)
    }

    /// Judges an answer. No answer panics this or makes it fail.
    ///
    /// # Errors
    /// [`TaskError::Mismatch`], [`TaskError::Rows`] and their like if the reference is not this challenge's or says
    /// nothing of this answer: the caller's fault or a corrupt journal's, never the miner's.
    pub fn judge_read(
        &self,
        challenge: &Challenge,
        reference: &Reference,
        read: &Read,
    ) -> Result<Judgement, TaskError> {
        let mut judgements = self.judge_each(&[(challenge, reference, read)])?;
        Ok(judgements.pop().expect("one verdict for one answer, or an error"))
    }

    /// Judges many answers, each alone, in one call. Belongs on a thread for CPU work.
    ///
    /// # Errors
    /// As [`Task::judge_read`]; a judge out of process that gives no verdicts.
    pub fn judge_each(
        &self,
        answers: &[(&Challenge, &Reference, &Read)],
    ) -> Result<Vec<Judgement>, TaskError> {
        answers.iter().try_for_each(|(challenge, reference, _)| belongs(challenge, reference))?;
        self.work.judge(answers)
    }

    /// Judges all answers to one challenge, ascending by miner, where they depend on one another; `None` where each is judged
    /// alone, as every answer is of which a budget decides whether it is checked. `miners` are those whom [`Task::assign`] divided it
    /// among.
    ///
    /// # Errors
    /// As [`Task::judge_each`].
    pub fn judge_together(
        &self,
        challenge: &Challenge,
        miners: &[RegistrationId],
        answers: &[(RegistrationId, &Reference, &Read)],
    ) -> Result<Option<JointVerdicts>, TaskError> {
        if self.budget().is_some() {
            return Ok(None);
        }
        answers.iter().try_for_each(|(_, reference, _)| belongs(challenge, reference))?;
        self.work.judge_together(challenge, miners, answers)
    }

    /// Reads and judges what came back, or that nothing did.
    ///
    /// # Errors
    /// As [`Task::judge_read`].
    pub fn judge(
        &self,
        challenge: &Challenge,
        reference: &Reference,
        answer: &Result<InferAnswer, Failure>,
    ) -> Result<Judgement, TaskError> {
        belongs(challenge, reference)?;
        match self.read(challenge, answer) {
            Ok(read) => self.judge_read(challenge, reference, &read),
            Err(judgement) => Ok(judgement),
        }
    }

    /// Groups of miners who answered one shared challenge alike, beyond what the judge expects; `None` where that can't be
    /// said of this task, or not by this reference.
    pub fn alike(
        &self,
        challenge: &Challenge,
        reference: &Reference,
        answers: &[(RegistrationId, &Read)],
    ) -> Option<Vec<Vec<RegistrationId>>> {
        belongs(challenge, reference).ok()?;
        self.work.alike(challenge, reference, answers)
    }

    /// Every way of answering that the kind knows, the honest one first.
    pub fn personas(&self) -> Vec<Persona> {
        self.work.personas()
    }

    /// Measures how far honest answers are from the reference, and gives the task's file with limits beyond them.
    ///
    /// # Errors
    /// A kind without limits, a persona that can't answer, or an honest answer that no limit lets pass.
    pub fn calibrate(
        &self,
        plan: &CalibrationPlan<'_>,
        progress: &mut dyn FnMut(CalibrationProgress),
    ) -> Result<CalibrationReport, CalibrateError> {
        self.work.calibrate(plan, progress)
    }

    /// Time for an answer on a machine that runs a whole localnet.
    pub fn deadline(&self) -> Duration {
        self.work.deadline()
    }

    /// The largest framed answer of an honest miner, over all stages each; `None` where the kind doesn't say.
    pub fn answer_bytes_max(&self) -> Option<usize> {
        Some(self.work.answer_bytes()?.saturating_add(ANSWER_ROOM_BYTES))
    }

    /// Counts of a reference's word in the bins of the sequential test.
    pub fn bins(&self, reference: &Reference) -> Vec<u32> {
        self.work.bins(reference)
    }

    /// Tells of each answer whether it contradicts itself on sight, so that it is checked whoever gave it; `None` where nobody
    /// looks, as under the terms of earlier task files. Belongs on a thread for CPU work.
    ///
    /// # Errors
    /// A reference that isn't at hand.
    pub fn contradict_themselves(
        &self,
        answers: &[(&Challenge, &Read)],
    ) -> Result<Option<Vec<bool>>, TaskError> {
        match self.budget().and_then(Budget::newcomer_checks) {
            Some(_) => self.work.contradict_themselves(answers).map(Some),
            None => Ok(None),
        }
    }

    /// As [`Task::contradict_themselves`], of one answer by the reference's word on it.
    pub fn contradicts(&self, reference: &Reference, read: &Read) -> bool {
        self.budget().and_then(Budget::newcomer_checks).is_some() && self.work.contradicts(reference, read)
    }

    /// A digest of what an answer says; `None` where the task checks every answer, so that repeating one gains nothing.
    pub fn fingerprint(&self, answer: Result<&Read, &InferAnswer>) -> Option<Digest> {
        self.budget()?;
        self.work.fingerprint(answer)
    }

    /// The verdict on an answer that is not checked, and is worth what checked ones of its miner were.
    pub fn spare(&self, read: &Read, worth: Mark) -> Judgement {
        Judgement { mark: worth, ..self.work.spare(read) }
    }

    /// The verdict on an answer of a miner whom the sequential test has convicted; `judgement` is the answer's own, if it
    /// was checked.
    pub fn convict(&self, judgement: Option<Judgement>, walk: &LogOddsWalk) -> Judgement {
        let reason = Reason::Convicted { checks: walk.checks(), log_odds: walk.log_odds() };
        let mut reasons = judgement.map_or_else(Vec::new, |judgement| judgement.reasons);
        // In front: a verdict is explained by its first complaint.
        reasons.insert(0, reason);
        Judgement { mark: Mark::MIN, reasons }
    }
}

/// The verdict on a miner that gave no answer.
pub fn silent(failure: Failure) -> Judgement {
    Judgement { mark: Mark::ZERO, reasons: vec![Reason::Silent { failure }] }
}

fn not_sealed(error: SealError) -> Judgement {
    crate::verdict::malformed(0, error.to_string())
}

fn belongs(challenge: &Challenge, reference: &Reference) -> Result<(), TaskError> {
    let (challenge, reference) = (challenge.digest(), reference.challenge());
    if challenge == reference { Ok(()) } else { Err(TaskError::Mismatch { challenge, reference }) }
}

#[cfg(test)]
mod tests;
