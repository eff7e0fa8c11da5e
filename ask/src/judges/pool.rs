//! A round's work, cut into calls that fit a judge and shared among those that are at hand.
//!
//! Every judge of a pool runs the files whose digest the task pins, so any of them may do any part. Each is asked first who it
//! is; one that is away, slow or another than the pinned one takes no part, and its calls go to the rest. An error means that
//! all of them failed, and is never held against a miner.

use std::future::Future;

use futures::{StreamExt as _, TryStreamExt as _, future, stream};
use tonic::transport::Channel;
use weighhouse_proto::v1;
use weighhouse_proto::v1::judge_service_client::JudgeServiceClient;
use weighhouse_types::{
    Digest, DrawSeed, DrawnChallenge, JointVerdicts, JudgeAttempt, JudgeDescription, JudgeTerms, Judgement,
    TensorError,
};

use super::address::JudgeAddress;
use super::channel::JudgeDialing;
use super::error::JudgeError;
use super::remote::RemoteJudge;

/// Calls under way to each judge. A second one waits there while the first is worked at.
const CALLS_PER_JUDGE: usize = 2;

/// Judges that run the same files.
#[derive(Clone, Debug)]
pub struct JudgePool {
    judges: Vec<RemoteJudge>,
    terms: JudgeTerms,
}

impl JudgePool {
    /// Dials nobody yet. To be called within a Tokio runtime, which drives the connections.
    pub fn new(addresses: &[JudgeAddress], terms: JudgeTerms, dialing: &JudgeDialing) -> Self {
        let judge = |address| RemoteJudge::new(address, terms.deadline, terms.message_bytes_max, dialing);
        Self { judges: addresses.iter().map(judge).collect(), terms }
    }

    /// The account that the first judge at hand gives of itself.
    ///
    /// # Errors
    /// No judge at hand that is the pinned one.
    pub async fn describe(&self) -> Result<JudgeDescription, JudgeError> {
        self.at_hand().await.map(|at_hand| at_hand.description)
    }

    /// Draws a challenge for each seed.
    ///
    /// # Errors
    /// See [`JudgeError`].
    pub async fn draw(&self, items: u32, seeds: Vec<DrawSeed>) -> Result<Vec<DrawnChallenge>, JudgeError> {
        let (at_hand, Digest(task)) = (self.at_hand().await?, self.terms.task);
        let limit = at_hand.description.limits.challenges_max;
        at_hand
            .share(
                &encode::<_, v1::Seed>(seeds)?,
                self.batch(limit),
                |judge: RemoteJudge, seeds| async move {
                    let expected = seeds.len();
                    let request = v1::DrawRequest { task: task.to_vec(), items, seeds };
                    let asking = |mut client: Client| async move { client.draw(request).await };
                    judge.each(expected, judge.call(asking).await?.challenges)
                },
            )
            .await
    }

    /// Asks the judge for its testimony on each answer.
    ///
    /// # Errors
    /// See [`JudgeError`].
    pub async fn testify(&self, attempts: Vec<JudgeAttempt>) -> Result<Vec<Vec<u8>>, JudgeError> {
        let (at_hand, Digest(task)) = (self.at_hand().await?, self.terms.task);
        let limit = at_hand.description.limits.attempts_max;
        at_hand
            .share(
                &encode::<_, v1::Attempt>(attempts)?,
                self.batch(limit),
                |judge: RemoteJudge, attempts| async move {
                    let expected = attempts.len();
                    let request = v1::TestifyRequest { task: task.to_vec(), attempts };
                    let asking = |mut client: Client| async move { client.testify(request).await };
                    let testimonies = judge.call(asking).await?.testimonies;
                    judge.counted(expected, testimonies.len())?;
                    Ok(testimonies)
                },
            )
            .await
    }

    /// The truth about each challenge, `epochs` epochs after it was drawn; `None` while nobody knows it.
    ///
    /// # Errors
    /// See [`JudgeError`].
    pub async fn resolve(
        &self,
        challenges: Vec<DrawnChallenge>,
        epochs: u64,
    ) -> Result<Vec<Option<Vec<u8>>>, JudgeError> {
        let (at_hand, Digest(task)) = (self.at_hand().await?, self.terms.task);
        let limit = at_hand.description.limits.challenges_max;
        at_hand
            .share(
                &encode::<_, v1::Challenge>(challenges)?,
                self.batch(limit),
                |judge: RemoteJudge, challenges| async move {
                    let expected = challenges.len();
                    let request = v1::ResolveRequest { task: task.to_vec(), challenges, epochs };
                    let asking = |mut client: Client| async move { client.resolve(request).await };
                    let resolutions = judge.call(asking).await?.resolutions;
                    judge.counted(expected, resolutions.len())?;
                    Ok(resolutions.into_iter().map(|resolution| resolution.truth).collect())
                },
            )
            .await
    }

    /// A verdict on each attempt.
    ///
    /// # Errors
    /// See [`JudgeError`].
    pub async fn judge(&self, attempts: Vec<JudgeAttempt>) -> Result<Vec<Judgement>, JudgeError> {
        let (at_hand, Digest(task)) = (self.at_hand().await?, self.terms.task);
        let limit = at_hand.description.limits.attempts_max;
        at_hand
            .share(
                &encode::<_, v1::Attempt>(attempts)?,
                self.batch(limit),
                |judge: RemoteJudge, attempts| async move {
                    let expected = attempts.len();
                    let request = v1::JudgeRequest { task: task.to_vec(), attempts };
                    let asking = |mut client: Client| async move { client.judge(request).await };
                    judge.each(expected, judge.call(asking).await?.verdicts)
                },
            )
            .await
    }

    /// Verdicts on all answers to one challenge.
    ///
    /// # Errors
    /// See [`JudgeError`].
    pub async fn judge_together(&self, attempts: Vec<JudgeAttempt>) -> Result<JointVerdicts, JudgeError> {
        let (at_hand, Digest(task)) = (self.at_hand().await?, self.terms.task);
        let (attempts, limit) =
            (encode::<_, v1::Attempt>(attempts)?, at_hand.description.limits.together_max);
        if attempts.len() > limit as usize {
            return Err(JudgeError::TooManyTogether { attempts: attempts.len(), limit });
        }
        let whole = attempts.len().max(1);
        let mut told = at_hand
            .share(&attempts, whole, |judge: RemoteJudge, attempts| async move {
                let expected = attempts.len();
                let request = v1::JudgeTogetherRequest { task: task.to_vec(), attempts };
                let asking = |mut client: Client| async move { client.judge_together(request).await };
                let joint = JointVerdicts::try_from(judge.call(asking).await?)
                    .map_err(|source| judge.wrong(source))?;
                judge.counted(expected, joint.verdicts.len())?;
                Ok(vec![joint])
            })
            .await?;
        Ok(told.pop().unwrap_or(JointVerdicts { verdicts: vec![], alike: vec![] }))
    }

    fn batch(&self, limit: u32) -> usize {
        limit.min(self.terms.batch_max).max(1) as usize
    }

    /// The judges that answer and are the pinned one; the first failure where there is none.
    async fn at_hand(&self) -> Result<AtHand<'_>, JudgeError> {
        let asking = self.judges.iter().map(|judge| judge.describe(&self.terms));
        let mut found: Option<AtHand<'_>> = None;
        let mut first = None;
        for (judge, told) in self.judges.iter().zip(future::join_all(asking).await) {
            match (told, &mut found) {
                (Ok(description), None) => found = Some(AtHand { judges: vec![judge], description }),
                (Ok(_), Some(at_hand)) => at_hand.judges.push(judge),
                (Err(error), _) => {
                    tracing::warn!(%error, "a judge is left out");
                    first.get_or_insert(error);
                }
            }
        }
        found.ok_or_else(|| first.unwrap_or(JudgeError::NoAddress))
    }
}

type Client = JudgeServiceClient<Channel>;

fn encode<T, M: TryFrom<T, Error = TensorError>>(values: Vec<T>) -> Result<Vec<M>, TensorError> {
    values.into_iter().map(M::try_from).collect()
}

/// Judges that were asked a moment ago who they are.
struct AtHand<'a> {
    judges: Vec<&'a RemoteJudge>,
    description: JudgeDescription,
}

impl AtHand<'_> {
    /// Cuts the work into calls of at most `batch`, so that every judge has some; the results in the order of the work.
    async fn share<M, T, F>(
        &self,
        work: &[M],
        batch: usize,
        call: impl Fn(RemoteJudge, Vec<M>) -> F,
    ) -> Result<Vec<T>, JudgeError>
    where
        M: Clone,
        F: Future<Output = Result<Vec<T>, JudgeError>>,
    {
        let even = work.len().div_ceil(self.judges.len()).max(1);
        let calls = work.chunks(batch.min(even)).enumerate();
        let calls = calls.map(|(turn, part)| self.try_each(turn, part, &call));
        let told: Vec<Vec<T>> =
            stream::iter(calls).buffered(self.judges.len() * CALLS_PER_JUDGE).try_collect().await?;
        Ok(told.into_iter().flatten().collect())
    }

    /// Asks one judge after the other, from the one whose turn it is, until one can say.
    async fn try_each<M, T, F>(
        &self,
        turn: usize,
        part: &[M],
        call: &impl Fn(RemoteJudge, Vec<M>) -> F,
    ) -> Result<Vec<T>, JudgeError>
    where
        M: Clone,
        F: Future<Output = Result<Vec<T>, JudgeError>>,
    {
        let mut first = None;
        for judge in self.judges.iter().cycle().skip(turn % self.judges.len()).take(self.judges.len()) {
            match call(RemoteJudge::clone(judge), part.to_vec()).await {
                Ok(told) => return Ok(told),
                Err(error) => {
                    tracing::warn!(%error, "a call to a judge failed");
                    first.get_or_insert(error);
                }
            }
        }
        Err(first.unwrap_or(JudgeError::NoAddress))
    }
}
