//! Challenges as a validator poses and judges them, without a network.

use weighhouse_types::{
    Beacon, Block, Failure, Hasher, Hotkey, InferAnswer, InferRequest, Judgement, RegistrationId,
};

use super::MeasureError;
use crate::kind::Timing;
use crate::persona::Answerer;
use crate::{Challenge, Read, Reference, Scope, Task, TaskError, silent};

/// Challenges of one miner, or of all where they are shared.
pub(crate) struct PosedChallenges {
    challenges: Vec<Challenge>,
    pub(crate) requests: Vec<InferRequest>,
    references: Vec<Reference>,
}

/// A miner's place among those that the measurement asks; a question that is divided is so among them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seat {
    pub(crate) at: usize,
    pub(crate) of: usize,
}

impl Seat {
    pub(crate) const ALONE: Self = Self { at: 0, of: 1 };
}

/// One miner's answers to a challenge, stage by stage; the verdict where it was not asked to the end.
pub(crate) type Dialogue = Result<Vec<InferAnswer>, Judgement>;

/// One miner's answers to every challenge, or the verdicts on what can't be read.
pub(crate) type ReadAnswers = Vec<Result<Read, Judgement>>;

impl PosedChallenges {
    /// Draws a challenge for each seed; [`PosedChallenges::refer`] says what is right.
    pub(crate) fn draw(task: &Task, seeds: &[[u8; 32]]) -> Result<Self, TaskError> {
        let challenges = task.challenges(seeds)?;
        // Verdicts are the same with and without commitments.
        let task = &task.unsealed();
        let requests = challenges.iter().map(|challenge| task.request(challenge, String::new())).collect();
        Ok(Self { challenges, requests, references: Vec::new() })
    }

    /// Asks the reference, a round in one call, or for the truth that comes later.
    pub(crate) fn refer(&mut self, task: &Task) -> Result<(), MeasureError> {
        if let Timing::Later { epochs_max } = task.timing() {
            self.references = self.truths(task, epochs_max)?;
            return Ok(());
        }
        // A shared round has one challenge, so that its reference takes a whole pass for itself.
        let rounds = match task.file().scope {
            Scope::Private => self.challenges.len(),
            Scope::Shared => 1,
        };
        for round in self.challenges.chunks(rounds.max(1)) {
            self.references.extend(task.references(round)?);
        }
        Ok(())
    }

    /// The truths, in the first epoch that knows them all.
    fn truths(&self, task: &Task, epochs_max: u64) -> Result<Vec<Reference>, MeasureError> {
        let asked: Vec<&Challenge> = self.challenges.iter().collect();
        let named = |hash: Hasher, challenge: &&Challenge| hash.part(challenge.digest().as_bytes());
        let value = asked.iter().fold(Hasher::new("weighhouse/measured-beacon/v1"), named).finish();
        let beacon = Beacon { block: Block::default(), value };
        for epochs in 1..=epochs_max {
            let truths: Option<Vec<_>> = task.resolve(&asked, epochs, &beacon)?.into_iter().collect();
            if let Some(truths) = truths {
                return Ok(truths.into_iter().map(|truth| truth.word).collect());
            }
        }
        Err(MeasureError::NoTruth { epochs_max })
    }

    /// Puts every challenge to a miner, all stages of it. Silence is a deadline that passed.
    pub(crate) fn put<E: From<TaskError>>(
        &self,
        task: &Task,
        seat: Seat,
        mut answer: impl FnMut(&InferRequest) -> Result<Option<InferAnswer>, E>,
    ) -> Result<Vec<Dialogue>, E> {
        let task = &task.unsealed();
        let mut requests = self.parts(task, seat)?;
        let mut dialogues: Vec<Dialogue> = requests.iter().map(|_| Ok(Vec::new())).collect();
        for stage in 1..=task.stages() {
            for (dialogue, request) in dialogues.iter_mut().zip(&requests) {
                let (Ok(answers), Some(request)) = (&mut *dialogue, request) else { continue };
                match answer(request)? {
                    Some(answer) => answers.push(answer),
                    None => *dialogue = Err(silent(Failure::DeadlineExceeded)),
                }
            }
            if stage < task.stages() {
                self.follow_up(task, &mut dialogues, &mut requests)?;
            }
        }
        Ok(dialogues)
    }

    /// What a miner is asked of every challenge.
    fn parts(&self, task: &Task, seat: Seat) -> Result<Vec<Option<InferRequest>>, TaskError> {
        let miners: Vec<_> = (0..seat.of).map(registration).collect();
        let part = |(challenge, whole): (&Challenge, &InferRequest)| {
            let own = task.assign(challenge, &miners)?.map(|mut parts| parts.swap_remove(seat.at));
            Ok(Some(own.unwrap_or_else(|| whole.clone())))
        };
        self.challenges.iter().zip(&self.requests).map(part).collect()
    }

    fn follow_up(
        &self,
        task: &Task,
        dialogues: &mut [Dialogue],
        requests: &mut [Option<InferRequest>],
    ) -> Result<(), TaskError> {
        let open = self.challenges.iter().zip(&*dialogues);
        let open: Vec<_> =
            open.filter_map(|(challenge, said)| Some((challenge, &said.as_ref().ok()?[..]))).collect();
        let mut next = task.follow_up(&open)?.into_iter();
        for (dialogue, request) in dialogues.iter_mut().zip(requests) {
            *request = None;
            if dialogue.is_ok() {
                match next.next() {
                    Some(Ok(due)) => *request = Some(due),
                    Some(Err(judgement)) => *dialogue = Err(judgement),
                    None => {}
                }
            }
        }
        Ok(())
    }

    /// Reads a miner's answers.
    pub(crate) fn read(&self, task: &Task, dialogues: Vec<Dialogue>) -> ReadAnswers {
        let read = |(challenge, dialogue): (&Challenge, Dialogue)| {
            let answers = dialogue?;
            let (last, earlier) = answers.split_last().ok_or_else(|| silent(Failure::DeadlineExceeded))?;
            task.read_opened(challenge, earlier, last)
        };
        self.challenges.iter().zip(dialogues).map(read).collect()
    }

    /// The reference's words on every miner's answers, for those that can be read: asked now where it is asked about answers.
    pub(crate) fn words(
        &self,
        task: &Task,
        miners: &[ReadAnswers],
    ) -> Result<Vec<Vec<Reference>>, TaskError> {
        let of_one = |answers: &ReadAnswers| {
            let read = self.challenges.iter().zip(answers);
            let asked: Vec<_> =
                read.filter_map(|(challenge, read)| Some((challenge, read.as_ref().ok()?))).collect();
            let each = self.references.iter().zip(answers);
            let before = || each.filter(|(_, read)| read.is_ok()).map(|(word, _)| word.clone()).collect();
            Ok(task.testify(&asked)?.unwrap_or_else(before))
        };
        miners.iter().map(of_one).collect()
    }

    /// Tells whether the reference is asked about answers.
    pub(crate) fn is_awaited(&self) -> bool {
        self.references.iter().any(Reference::is_awaited)
    }

    /// Tells whether answers are judged together, by what the task makes of an honest answer to the first challenge.
    pub(crate) fn is_joint(&self, task: &Task, mut honest: Answerer) -> Result<bool, TaskError> {
        let (Some(challenge), Some(reference)) = (self.challenges.first(), self.references.first()) else {
            return Ok(false);
        };
        let one = Self {
            challenges: vec![challenge.clone()],
            requests: self.requests[..1].to_vec(),
            references: vec![reference.clone()],
        };
        let dialogues = one.put(task, Seat::ALONE, |request| honest(request))?;
        let miners = [one.read(task, dialogues)];
        let words = one.words(task, &miners)?;
        match (&miners[0][..], words.first().and_then(|words| words.first())) {
            ([Ok(read)], Some(word)) => {
                let miners = divided(task, challenge, 1)?;
                Ok(task.judge_together(challenge, &miners, &[(registration(0), word, read)])?.is_some())
            }
            _ => Ok(false),
        }
    }

    /// The share of challenges whose answers, one of each of two miners, the judge finds alike, of those that both answered; `None` where
    /// likeness can't be said, or nothing was answered.
    pub(crate) fn alike(&self, task: &Task, [one, other]: [&ReadAnswers; 2]) -> Option<f64> {
        let (mut alike, mut compared) = (0_u32, 0_u32);
        let answers = one.iter().zip(other);
        for ((challenge, reference), read) in self.challenges.iter().zip(&self.references).zip(answers) {
            let (Ok(one), Ok(other)) = read else { continue };
            let both = [(registration(0), one), (registration(1), other)];
            alike += u32::from(!task.alike(challenge, reference, &both)?.is_empty());
            compared += 1;
        }
        (compared > 0).then(|| f64::from(alike) / f64::from(compared))
    }

    /// Verdicts on every miner's answers, challenge by challenge: together where the kind judges so. `words` are those of
    /// [`PosedChallenges::words`].
    pub(crate) fn judge(
        &self,
        task: &Task,
        miners: Vec<ReadAnswers>,
        words: Vec<Vec<Reference>>,
    ) -> Result<Vec<Vec<Judgement>>, TaskError> {
        let mut verdicts: Vec<Vec<Judgement>> = miners.iter().map(|_| Vec::new()).collect();
        let mut miners: Vec<_> = miners.into_iter().map(Vec::into_iter).collect();
        let mut words: Vec<_> = words.into_iter().map(Vec::into_iter).collect();
        for challenge in &self.challenges {
            let read: Vec<_> = miners.iter_mut().filter_map(Iterator::next).collect();
            let mut judged = judge_one(task, challenge, &read, &mut words)?.into_iter();
            for (verdicts, read) in verdicts.iter_mut().zip(read) {
                verdicts.extend(read.err().or_else(|| judged.next()));
            }
        }
        Ok(verdicts)
    }
}

#[cfg(test)]
impl PosedChallenges {
    /// What the judge says of all answers to the first challenge together.
    pub(crate) fn joint(
        &self,
        task: &Task,
        miners: &[ReadAnswers],
        words: Vec<Vec<Reference>>,
    ) -> Result<weighhouse_types::JointVerdicts, TaskError> {
        let challenge = &self.challenges[0];
        let each = miners.iter().zip(&words).enumerate();
        let named: Vec<_> = each
            .filter_map(|(at, (read, words))| {
                Some((registration(at), words.first()?, read[0].as_ref().ok()?))
            })
            .collect();
        let joint = task.judge_together(challenge, &divided(task, challenge, miners.len())?, &named)?;
        Ok(joint.expect("a kind that judges together"))
    }
}

/// The verdicts on the answers to one challenge that were read, in the miners' order.
fn judge_one(
    task: &Task,
    challenge: &Challenge,
    read: &[Result<Read, Judgement>],
    words: &mut [impl Iterator<Item = Reference>],
) -> Result<Vec<Judgement>, TaskError> {
    let each = read.iter().zip(words).enumerate();
    let answers: Vec<(usize, Reference, &Read)> = each
        .filter_map(|(miner, (read, words))| Some((miner, read.as_ref().ok()?, words)))
        .map(|(miner, read, words)| {
            words.next().map(|word| (miner, word, read)).ok_or(TaskError::NoTestimony)
        })
        .collect::<Result<_, _>>()?;
    if answers.is_empty() {
        return Ok(Vec::new());
    }
    let named: Vec<_> =
        answers.iter().map(|(miner, word, read)| (registration(*miner), word, *read)).collect();
    match task.judge_together(challenge, &divided(task, challenge, read.len())?, &named)? {
        Some(joint) => Ok(joint.verdicts),
        None => {
            let alone: Vec<_> = answers.iter().map(|(_, word, read)| (challenge, word, *read)).collect();
            task.judge_each(&alone)
        }
    }
}

/// Whom a challenge was divided among, where it was.
fn divided(task: &Task, challenge: &Challenge, miners: usize) -> Result<Vec<RegistrationId>, TaskError> {
    let miners: Vec<_> = (0..miners).map(registration).collect();
    Ok(task.assign(challenge, &miners)?.map_or_else(Vec::new, |_| miners))
}

/// A registration for each miner, ascending.
fn registration(miner: usize) -> RegistrationId {
    let mut hotkey = [0; 32];
    hotkey[..8].copy_from_slice(&(miner as u64).to_be_bytes());
    RegistrationId { hotkey: Hotkey(hotkey), registered_at: Block::default() }
}
