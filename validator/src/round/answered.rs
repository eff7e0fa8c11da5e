//! A round whose answers are in: judged at once, or held until trouble of our own has passed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use weighhouse_ask::Target;
use weighhouse_tasks::Task;
use weighhouse_tasks::kind::Timing;
use weighhouse_tasks::sequential::Attention;
use weighhouse_types::{Hotkey, Record};

use crate::answers::{Attempt, PreparedChallenge};
use crate::check::{self, Words};
use crate::checks::{CheckHistory, Fingerprint};
use crate::draw::Draw;
use crate::error::ValidatorError;
use crate::later;
use crate::parts::Parts;

/// A round's challenges with everybody's attempts, in uid order.
pub(crate) struct AnsweredRound {
    challenges: Arc<Vec<PreparedChallenge>>,
    attempts: Arc<Vec<Attempt>>,
    /// The reference's words so far.
    words: Arc<Words>,
    pub(crate) draw: Draw,
    /// Where its miners are, for their receipts.
    pub(crate) targets: BTreeMap<Hotkey, Target>,
}

/// A round's verdicts with their evidence, and the fingerprints of its answers.
pub(crate) struct JudgedRound {
    pub(crate) records: Vec<Record>,
    pub(crate) fingerprints: Vec<Fingerprint>,
    /// Why some answers have no verdict, by no fault of their miners'.
    pub(crate) left_out: Option<String>,
}

impl fmt::Debug for AnsweredRound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnsweredRound").field("attempts", &self.attempts.len()).finish_non_exhaustive()
    }
}

impl AnsweredRound {
    pub(super) fn new(
        challenges: Arc<Vec<PreparedChallenge>>,
        mut attempts: Vec<Attempt>,
        targets: BTreeMap<Hotkey, Target>,
    ) -> Self {
        attempts.sort_by_key(|attempt| attempt.neuron.uid);
        let (attempts, words) = (Arc::new(attempts), Arc::default());
        Self { challenges, attempts, words, draw: Draw::BySeed, targets }
    }

    /// Bytes of the answers.
    pub(crate) fn bytes(&self) -> usize {
        let signed = self.attempts.iter().filter_map(|attempt| attempt.signed.as_ref());
        signed.map(|(_, blob)| blob.bytes().len()).sum()
    }

    /// Judges what came back, or keeps it until the truth is known; the records are in uid order. `history` is what the
    /// epoch's checks have shown so far, where the task leaves the judge a choice of whom to check. `speaks` where the reference
    /// spoke of other answers and there is no time to wait until it speaks of these.
    ///
    /// # Errors
    /// Trouble of ours, after which the same round can be judged again.
    pub(crate) async fn judge(
        &mut self,
        parts: &Parts,
        history: Option<CheckHistory>,
        speaks: bool,
    ) -> Result<JudgedRound, ValidatorError> {
        let (challenges, attempts) = (&self.challenges, &self.attempts);
        if let Timing::Later { .. } = parts.task.timing() {
            let records = later::keep(challenges, attempts);
            return Ok(JudgedRound { records, fingerprints: Vec::new(), left_out: None });
        }
        let history = history.unwrap_or_default();
        let drawn = match &self.draw {
            Draw::By(_, seed) => Some(*seed),
            Draw::BySeed | Draw::At(_) => None,
        };
        let attention = |attempt| attention(&parts.task, challenges, attempt, drawn.as_ref(), &history);
        let mut attentions: Vec<Attention> = attempts.iter().map(attention).collect();
        for at in check::contradicting(parts, challenges, attempts, &attentions).await? {
            attentions[at] = Attention::Contradicts;
        }
        let words = Arc::make_mut(&mut self.words);
        words.decide(attentions, attempts);
        words.ask(parts, challenges, attempts, speaks).await?;
        let words = &self.words;
        let verdicts = check::judge_attempts(parts, challenges, attempts, words, history).await?;
        let records = match &self.draw {
            Draw::By(draw, _) => [Record::CheckDraw(draw.clone())].into_iter().chain(verdicts).collect(),
            Draw::BySeed | Draw::At(_) => verdicts,
        };
        let said = attempts.iter().enumerate().filter(|(at, _)| !words.is_left_out(*at));
        let fingerprints = said.filter_map(|(_, attempt)| fingerprint(challenges, attempt)).collect();
        Ok(JudgedRound { records, fingerprints, left_out: words.why_left_out(attempts) })
    }
}

fn attention(
    task: &Task,
    challenges: &[PreparedChallenge],
    attempt: &Attempt,
    drawn: Option<&[u8; 32]>,
    history: &CheckHistory,
) -> Attention {
    let PreparedChallenge { asked, seed, .. } = &challenges[attempt.at];
    let (who, fingerprint) = (attempt.neuron.registration(), attempt.answer.fingerprint);
    let seed = drawn.unwrap_or(seed);
    let answer =
        check::UncheckedAnswer { who, round: asked.round, challenge: asked.challenge, seed, fingerprint };
    check::attention(task, history, &answer)
}

fn fingerprint(challenges: &[PreparedChallenge], attempt: &Attempt) -> Option<Fingerprint> {
    let asked = &challenges[attempt.at].asked;
    let said = attempt.answer.fingerprint?;
    Some(Fingerprint { round: asked.round, challenge: asked.challenge, said })
}
