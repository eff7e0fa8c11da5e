//! A round's work, cut into calls that fit a judge and shared among those that are at hand.
//!
//! Every judge of a pool runs the files whose digest the task pins, so any of them may do any part. Each is asked first who it
//! is; one that is away, slow or another than the pinned one takes no part, and its calls go to the rest. An error means that
//! all of them failed, and is never held against a miner.

use std::future::Future;

use futures::{StreamExt as _, TryStreamExt as _, future, stream};
use prost::Message;
use tonic::transport::Channel;
use weighhouse_proto::v1;
use weighhouse_proto::v1::judge_service_client::JudgeServiceClient;
use weighhouse_types::{
    Digest, DrawSeed, DrawnChallenge, JointVerdicts, JudgeAttempt, JudgeDescription, JudgeTerms, Judgement,
    LaterChallenge, TensorError,
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
        let calls = self.cut(encode::<_, v1::Seed>(seeds)?, limit, &at_hand);
        at_hand
            .share(calls, |judge: RemoteJudge, seeds| async move {
                let expected = seeds.len();
                let request = v1::DrawRequest { task: task.to_vec(), items, seeds };
                let asking = |mut client: Client| async move { client.draw(request).await };
                judge.each(expected, judge.call(asking).await?.challenges)
            })
            .await
    }

    /// Asks the judge for its testimony on each answer.
    ///
    /// # Errors
    /// See [`JudgeError`].
    pub async fn testify(&self, attempts: Vec<JudgeAttempt>) -> Result<Vec<Vec<u8>>, JudgeError> {
        let (at_hand, Digest(task)) = (self.at_hand().await?, self.terms.task);
        let limit = at_hand.description.limits.attempts_max;
        let calls = self.cut(encode::<_, v1::Attempt>(attempts)?, limit, &at_hand);
        at_hand
            .share(calls, |judge: RemoteJudge, attempts| async move {
                let expected = attempts.len();
                let request = v1::TestifyRequest { task: task.to_vec(), attempts };
                let asking = |mut client: Client| async move { client.testify(request).await };
                let testimonies = judge.call(asking).await?.testimonies;
                judge.counted(expected, testimonies.len())?;
                Ok(testimonies)
            })
            .await
    }

    /// The truth about each challenge, `epochs` epochs after it was drawn; `None` while nobody knows it.
    ///
    /// # Errors
    /// See [`JudgeError`].
    pub async fn resolve(
        &self,
        asked: Vec<LaterChallenge>,
        epochs: u64,
    ) -> Result<Vec<Option<Vec<u8>>>, JudgeError> {
        let (at_hand, Digest(task)) = (self.at_hand().await?, self.terms.task);
        let limit = at_hand.description.limits.challenges_max;
        let (challenges, seeds): (Vec<_>, Vec<_>) =
            asked.into_iter().map(|asked| (asked.challenge, asked.seed.to_vec())).unzip();
        let mut seeds = seeds.into_iter();
        let calls = self.cut(encode::<_, v1::Challenge>(challenges)?, limit, &at_hand).into_iter();
        let calls = calls.map(|call| call.into_iter().zip(seeds.by_ref()).collect()).collect();
        at_hand
            .share(calls, |judge: RemoteJudge, asked: Vec<(v1::Challenge, Vec<u8>)>| async move {
                let expected = asked.len();
                let (challenges, seeds) = asked.into_iter().unzip();
                let request = v1::ResolveRequest { task: task.to_vec(), challenges, epochs, seeds };
                let asking = |mut client: Client| async move { client.resolve(request).await };
                let resolutions = judge.call(asking).await?.resolutions;
                judge.counted(expected, resolutions.len())?;
                Ok(resolutions.into_iter().map(|resolution| resolution.truth).collect())
            })
            .await
    }

    /// A verdict on each attempt.
    ///
    /// # Errors
    /// See [`JudgeError`].
    pub async fn judge(&self, attempts: Vec<JudgeAttempt>) -> Result<Vec<Judgement>, JudgeError> {
        let (at_hand, Digest(task)) = (self.at_hand().await?, self.terms.task);
        let limit = at_hand.description.limits.attempts_max;
        let calls = self.cut(encode::<_, v1::Attempt>(attempts)?, limit, &at_hand);
        at_hand
            .share(calls, |judge: RemoteJudge, attempts| async move {
                let expected = attempts.len();
                let request = v1::JudgeRequest { task: task.to_vec(), attempts };
                let asking = |mut client: Client| async move { client.judge(request).await };
                judge.each(expected, judge.call(asking).await?.verdicts)
            })
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
        let limit = limit.min(self.terms.batch_max);
        if attempts.len() > limit as usize {
            return Err(JudgeError::TooManyTogether { attempts: attempts.len(), limit });
        }
        // One call, as long as it may be.
        let mut told = at_hand
            .share(vec![attempts], |judge: RemoteJudge, attempts| async move {
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

    /// Cuts work into calls that the judge takes, in number and in bytes, and so that every judge has some.
    fn cut<M: Message>(&self, work: Vec<M>, limit: u32, at_hand: &AtHand<'_>) -> Vec<Vec<M>> {
        let even = work.len().div_ceil(at_hand.judges.len());
        let count_max = even.min(limit.min(self.terms.batch_max) as usize);
        let limits = &at_hand.description.limits;
        // The other half is for what stands around the parts.
        let bytes_max = limits.message_bytes_max.min(self.terms.message_bytes_max as u64) / 2;
        let mut calls: Vec<Vec<M>> = Vec::new();
        let mut bytes = 0;
        for part in work {
            let weight = part.encoded_len() as u64;
            match calls.last_mut() {
                Some(call) if call.len() < count_max && bytes + weight <= bytes_max => {
                    bytes += weight;
                    call.push(part);
                }
                _ => {
                    bytes = weight;
                    // Even a part that is too large by itself gets a call:
                    // the limit on messages then refuses it by name.
                    calls.push(vec![part]);
                }
            }
        }
        calls
    }

    /// The judges that answer and are the pinned one; the first failure where there is none.
    async fn at_hand(&self) -> Result<AtHand<'_>, JudgeError> {
        let asking = self.judges.iter().map(|judge| judge.describe(&self.terms));
        let mut found: Option<AtHand<'_>> = None;
        let mut first = None;
        for (judge, told) in self.judges.iter().zip(future::join_all(asking).await) {
            match (told, &mut found) {
                (Ok(description), at_hand) => {
                    judge.is_in();
                    match at_hand {
                        Some(at_hand) => at_hand.judges.push(judge),
                        None => found = Some(AtHand { judges: vec![judge], description }),
                    }
                }
                (Err(error), _) => {
                    judge.is_out(&error);
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
    /// Makes the calls, the judges in turn; the results in the order of the work.
    async fn share<M, T, F>(
        &self,
        calls: Vec<Vec<M>>,
        call: impl Fn(RemoteJudge, Vec<M>) -> F,
    ) -> Result<Vec<T>, JudgeError>
    where
        M: Clone,
        F: Future<Output = Result<Vec<T>, JudgeError>>,
    {
        let calls = calls.iter().enumerate();
        let calls = calls.map(|(turn, part)| self.try_each(turn, part, &call));
        let told: Vec<Vec<T>> =
            // In order, unlike `buffer_unordered`: results belong to the work by their position.
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
                    tracing::debug!(%error, "a call to a judge failed");
                    first.get_or_insert(error);
                }
            }
        }
        Err(first.unwrap_or(JudgeError::NoAddress))
    }
}
