//! One kind of task, as a trait: the only thing that a new kind has to write.
//!
//! A kind draws questions from seeds, says what is right of them (before the answers are in, after them, or epochs later),
//! reads answers and judges them, each alone or all to one question together. All else (whom to ask, signatures, the journal, the audit, weights) is the same for every kind and stands
//! elsewhere. A kind is listed once, in [`KINDS`](crate::registry::KINDS).
//!
//! **Invariants.** [`Kind::draw`] gives the same bits on every machine. [`Kind::read`] and [`Kind::judge`] are functions of
//! their arguments alone, since the audit calls them with recorded bytes; no answer panics them.

pub(crate) mod prelude;
mod terms;

#[cfg(test)]
pub(crate) mod harness;
#[cfg(test)]
mod smallest;

use std::ops::RangeInclusive;
use std::time::Duration;

use parity_scale_codec::{Decode, Encode};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use weighhouse_types::profile::{Paid, Scope};
use weighhouse_types::{
    Digest, Hasher, InferAnswer, InferRequest, JointVerdicts, JudgeIdentity, Judgement, Mark, Outcome,
    Reason, RegistrationId,
};

use crate::calibrate::{CalibrateError, CalibrationPlan, CalibrationProgress, CalibrationReport};
use crate::error::TaskError;
use crate::file::TaskFile;
use crate::generate::sequential::Budget;
use crate::persona::Persona;
use crate::reference::Recorded;
use crate::references::References;
pub use terms::{JudgeFiles, NextRequest, Timing, Truth};

/// One kind of task.
pub trait Kind: Send + Sync + Sized + 'static {
    /// As in a task file: `kind = "regress"`.
    const NAME: &'static str;
    /// Built-in task files by name.
    const FILES: &'static [(&'static str, &'static str)] = &[];
    /// Merits that may be paid.
    const PAYS: &'static [Paid] = &[Paid::Quality];
    /// The task file names a reference, a model that marks are relative to. A kind without one pays quality.
    const HAS_REFERENCE: bool = false;
    /// Scopes that its task files may have: `&[Scope::Shared]` where answers are judged together, `&[Scope::Private]` where a
    /// copy of another's answer would be paid.
    const SCOPES: &'static [Scope] = &[Scope::Private, Scope::Shared];
    /// The one table of the task file that [`Kind::Section`] is; `None` where its fields are the tables.
    const TABLE: Option<&'static str> = None;
    /// A seed gives the first request back with nothing but the task file at hand, so that no record needs its bytes. Only where
    /// verdicts follow in the same epoch.
    const REQUEST_FOLLOWS_FROM_SEED: bool = false;
    /// Every miner commits to its answer before any reveals one: a hash over chain, subnet, challenge, hotkey, a salt and the answer, so that
    /// a copy can't be revealed as one's own. The roles see to it; the kind has one exchange, and reads what was committed to.
    const SEALED: bool = false;
    /// Versions of the judge that this software has. A new one, where the same answer may get another mark; a task file asks
    /// for it with `judge_version = 2`.
    const JUDGES: RangeInclusive<u32> = JudgeIdentity::FIRST_VERSION..=JudgeIdentity::FIRST_VERSION;
    /// Time for an answer on a machine that runs a whole localnet: many times what an honest miner needs.
    const DEADLINE: Duration = Duration::from_secs(2);

    /// The table of the task file that only this kind reads: see [`Kind::TABLE`]. Derive `Deserialize` with
    /// `deny_unknown_fields`. [`NoSection`] of a kind without any.
    type Section: DeserializeOwned;
    /// A question with all that the judge alone knows of it, such as the truth.
    type Question: Encode + Send + Sync + 'static;
    /// An answer that has been read: well-formed by its type.
    type Answer: Send + Sync + 'static;
    /// The reference's word on a question, or on an answer where it is asked afterwards. Its SCALE form is journalled. `()`
    /// where all that is right follows from the seed, and so is part of the question.
    type Word: Encode + Decode + Send + Sync + 'static;

    /// The digest of the reference at hand, for a built-in task file that leaves it open; `None` where there is none. A
    /// reference with several is called by the one that the file names, if it is one of its own.
    ///
    /// # Errors
    /// A reference that doesn't load.
    fn reference(_: &dyn References, _: Option<Digest>) -> Result<Option<Digest>, TaskError> {
        Ok(None)
    }

    /// Checks the section and takes up the reference, if there is one at hand.
    ///
    /// # Errors
    /// A value that can't be used, by its key; a reference other than the file names.
    fn new(file: &TaskFile, section: Self::Section, references: &dyn References) -> Result<Self, TaskError>;

    /// The files of a judge that runs out of process; `None` for one that is part of this software.
    fn judge_files(&self) -> Option<JudgeFiles> {
        None
    }

    /// Draws a question for each seed, in order; a round in one call. [`per_seed`] makes a generator of each; use
    /// [`weighhouse_models::draw`] for chance: its bits are pinned.
    ///
    /// # Errors
    /// A judge out of process that draws nothing: our trouble, never the miner's.
    fn draw(&self, seeds: &[[u8; 32]]) -> Result<Vec<Self::Question>, TaskError>;

    /// Covers the task file and all of the question.
    fn digest(task: Digest, question: &Self::Question) -> Digest {
        Hasher::new("weighhouse/challenge/v3")
            .part(Self::NAME.as_bytes())
            .part(task.as_bytes())
            .part(&question.encode())
            .finish()
    }

    /// The part of a question that only the judge may know, for the record; `None` where the seed gives it back.
    fn secret(&self, _question: &Self::Question) -> Option<Vec<u8>> {
        None
    }

    /// The request that miners are sent: the inputs and the outputs that are wanted. Model and id are filled in.
    fn request(&self, question: &Self::Question) -> InferRequest;

    /// The parts of a shared question that these miners are asked, one request each, where not everybody is asked the same; ascending
    /// by registration. A kind says `Some` of all questions or of none. Judge, record and audit then know whom it was divided among.
    fn assign(&self, _question: &Self::Question, _miners: &[RegistrationId]) -> Option<Vec<InferRequest>> {
        None
    }

    /// Exchanges that one challenge takes with a miner: 2 for a commit and its reveal. At least 1.
    fn stages(&self) -> u8 {
        1
    }

    /// The next request to each of these miners, who gave these answers so far; or the verdict on answers after which
    /// nothing more is asked. A round's miners in one call; only asked where there are several stages.
    ///
    /// # Errors
    /// As [`Kind::draw`].
    fn follow_up(&self, asked: &[(&Self::Question, &[InferAnswer])]) -> Result<Vec<NextRequest>, TaskError> {
        Err(TaskError::Count { expected: asked.len(), actual: 0 })
    }

    /// The time at which the truth about a question is known.
    fn timing(&self) -> Timing {
        Timing::AtOnce
    }

    /// The right answer to each question, in order, worked out before anybody is asked; a round in one call. None at all
    /// where the reference is asked about answers: see [`Kind::testify`]. A kind whose [`Kind::Word`] is `()`, or whose truth
    /// comes later, leaves it out.
    ///
    /// # Errors
    /// A reference that gives no word: our trouble, never the miner's.
    fn refer(&self, questions: &[&Self::Question]) -> Result<Vec<Self::Word>, TaskError> {
        if let Timing::Later { .. } = self.timing() {
            return Ok(Vec::new());
        }
        // Only a word that takes no bytes can be had of nothing.
        let word = |_| Self::Word::decode(&mut &[][..]).map_err(|_| TaskError::NoReference);
        questions.iter().map(word).collect()
    }

    /// Tells whether a word on record is the one that was worked out again here. Words of floating point differ in their last
    /// bits from one processor to another, and must not differ by what decides a verdict.
    fn agrees(&self, recorded: &Self::Word, again: &Self::Word) -> bool {
        recorded.encode() == again.encode()
    }

    /// Reads an answer, or says what is wrong with its form: the one place where foreign tensors are read.
    ///
    /// # Errors
    /// The verdict on an answer that is none.
    fn read(&self, question: &Self::Question, answer: &InferAnswer) -> Result<Self::Answer, Judgement>;

    /// Reads a miner's answers to all stages, the last of which is `answer`. Only kinds with several stages look at those before.
    ///
    /// # Errors
    /// As [`Kind::read`].
    fn read_stages(
        &self,
        question: &Self::Question,
        _earlier: &[InferAnswer],
        answer: &InferAnswer,
    ) -> Result<Self::Answer, Judgement> {
        self.read(question, answer)
    }

    /// The reference's words on these answers, one each, in packed passes; none at all where it was asked before.
    ///
    /// # Errors
    /// As [`Kind::refer`].
    fn testify(&self, _answers: &[(&Self::Question, &Self::Answer)]) -> Result<Vec<Self::Word>, TaskError> {
        Ok(Vec::new())
    }

    /// The truth about these questions, so many epochs after they were asked; `None` while nobody knows it. It is the word by
    /// which the answers are judged. Only asked where [`Kind::timing`] says that truth comes later; an audit asks as well, and
    /// holds what is recorded against it.
    ///
    /// Each question comes with a seed that follows from the beacon of the epoch which asks now, so that nobody, the validator
    /// included, knew it when the question was asked: a truth that must not leak is drawn of it. What was drawn with the
    /// question is known to the validator all the while.
    ///
    /// # Errors
    /// As [`Kind::refer`].
    fn resolve(
        &self,
        questions: &[(&Self::Question, [u8; 32])],
        _epochs: u64,
    ) -> Result<Vec<Option<Truth<Self::Word>>>, TaskError> {
        Ok(questions.iter().map(|_| None).collect())
    }

    /// The verdict on an answer. A kind that judges answers together leaves it out.
    ///
    /// # Errors
    /// A word that doesn't belong to question and answer: a corrupt journal's fault, never the miner's.
    fn judge(
        &self,
        _question: &Self::Question,
        _word: &Self::Word,
        _answer: &Self::Answer,
    ) -> Result<Judgement, TaskError> {
        Err(TaskError::NotAlone { kind: Self::NAME })
    }

    /// The verdicts on many answers, in order: a judge out of process takes them in one call.
    ///
    /// # Errors
    /// As [`Kind::judge`].
    fn judge_each(
        &self,
        answers: &[(&Self::Question, &Self::Word, &Self::Answer)],
    ) -> Result<Vec<Judgement>, TaskError> {
        answers.iter().map(|(question, word, answer)| self.judge(question, word, answer)).collect()
    }

    /// The verdicts on all answers to one question, where they depend on one another, in order; `None` where each is judged
    /// alone. `miners` are those whom [`Kind::assign`] divided the question among, whether they answered or not; none where it
    /// divided nothing. Answers come with the word on each, ascending by miner. Only those that were read come here: at least one, and
    /// sometimes no more. A kind says `Some` of all questions or of none; [`Kind::judge`] is never asked then, and
    /// [`JointVerdicts::alike`] stands in place of [`Kind::alike`]. Its files have `scope = "shared"`: see [`Kind::SCOPES`]. Not for
    /// kinds with a [`Kind::budget`].
    ///
    /// # Errors
    /// As [`Kind::judge`].
    fn judge_together(
        &self,
        _question: &Self::Question,
        _miners: &[RegistrationId],
        _answers: &[(RegistrationId, &Self::Word, &Self::Answer)],
    ) -> Result<Option<JointVerdicts>, TaskError> {
        Ok(None)
    }

    /// Miners of a shared round who answered alike, beyond what the judge expects; `None` where that can't be said. Answers
    /// that are judged together or whose truth comes later are not asked about.
    fn alike(
        &self,
        _question: &Self::Question,
        _word: &Self::Word,
        _answers: &[(RegistrationId, &Self::Answer)],
    ) -> Option<Vec<Vec<RegistrationId>>> {
        None
    }

    /// Every way of answering that is known, the honest one first: see [`Persona`]. None of a kind whose miners are programs
    /// that only the operator has.
    fn personas(&self) -> Vec<Persona> {
        Vec::new()
    }

    /// Measures how far honest answers are from the reference, and gives the task's file with limits beyond them. A kind without
    /// limits leaves it out.
    ///
    /// # Errors
    /// A persona that can't answer, or an honest answer that no limit lets pass.
    fn calibrate(
        &self,
        _plan: &CalibrationPlan<'_>,
        _progress: &mut dyn FnMut(CalibrationProgress),
    ) -> Result<CalibrationReport, CalibrateError> {
        Err(CalibrateError::Nothing { kind: Self::NAME })
    }

    /// Bytes that the values of an answer may take, in the widest form that a miner may choose. What else it carries is bounded by
    /// `ANSWER_ROOM_BYTES`; a larger one isn't read. `None`: as many as a validator reads of any task.
    fn answer_bytes(&self) -> Option<usize> {
        None
    }

    /// The choice of whom to check, where not every answer is; the sequential test goes with it.
    fn budget(&self) -> Option<&Budget> {
        None
    }

    /// Counts of a word in the bins of the sequential test.
    fn bins(&self, _word: &Self::Word) -> Vec<u32> {
        Vec::new()
    }

    /// Tells of each answer whether it contradicts itself on sight, without the reference's work: such an answer is checked,
    /// whoever gave it.
    ///
    /// # Errors
    /// A reference that isn't at hand.
    fn contradict_themselves(
        &self,
        answers: &[(&Self::Question, &Self::Answer)],
    ) -> Result<Vec<bool>, TaskError> {
        Ok(vec![false; answers.len()])
    }

    /// As [`Kind::contradict_themselves`], of one answer by the reference's word on it.
    fn contradicts(&self, _word: &Self::Word, _answer: &Self::Answer) -> bool {
        false
    }

    /// A digest of what an answer says, so that repeating one is noticed where not every answer is checked: from the answer as
    /// it was read, or from the message that could not be.
    fn fingerprint(&self, _answer: Result<&Self::Answer, &InferAnswer>) -> Option<Digest> {
        None
    }

    /// The verdict on a well-formed answer that is not checked.
    fn spare(&self, _answer: &Self::Answer) -> Judgement {
        Judgement {
            mark: Mark::MAX,
            reasons: vec![Reason::told(Outcome::Unchecked, "not drawn for a check")],
        }
    }

    /// Form in which a word is journalled. Kinds that were there before the common form have their own.
    fn record(word: &Self::Word) -> Recorded {
        Recorded::Own { kind: Self::NAME.to_owned(), word: word.encode() }
    }

    /// The word that was journalled; `None` for what is none of this kind's.
    fn recall(recorded: &Recorded) -> Option<Self::Word> {
        match recorded {
            Recorded::Own { kind, word } if kind == Self::NAME => Self::Word::decode(&mut &word[..]).ok(),
            _ => None,
        }
    }
}

/// The section of a kind whose task files have nothing that only it reads.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoSection {}

/// The generator of a seed. Its chance is pinned where it is drawn by [`weighhouse_models::draw`].
pub fn generator(seed: [u8; 32]) -> ChaCha20Rng {
    ChaCha20Rng::from_seed(seed)
}

/// Draws a question for each seed, each from a generator of its own.
pub fn per_seed<Q>(seeds: &[[u8; 32]], mut draw: impl FnMut(&mut ChaCha20Rng) -> Q) -> Vec<Q> {
    seeds.iter().map(|seed| draw(&mut generator(*seed))).collect()
}

#[cfg(test)]
mod tests;
