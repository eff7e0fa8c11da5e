//! The reference's words on a round's answers: asked for in packs, a core to each, and kept while others fail.
//!
//! A reference that is away is asked again later, about what it has said nothing of. An answer that it can't speak of, while
//! it speaks of others, is left out: its miner gets no verdict, and nobody else loses one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use weighhouse_tasks::sequential::Attention;
use weighhouse_tasks::witness::WitnessError;
use weighhouse_tasks::{Reference, TaskError};

use crate::answers::{Attempt, PreparedChallenge};
use crate::error::ValidatorError;
use crate::fault::{self, Fault, is_away};
use crate::parts::Parts;

/// Answers that one call of the reference takes: packs of this size keep all cores busy, larger ones would leave some
/// without work at the end.
const TOGETHER: usize = 8;

/// Everything said so far of one round's answers, by their places.
#[derive(Clone, Default)]
pub(crate) struct Words {
    /// How closely each answer is looked at: decided for all before any is judged, so that their order changes nobody's chance.
    pub(crate) attentions: Vec<Attention>,
    pub(crate) said: Vec<Option<Reference>>,
    /// Checked answers about which the reference is still to be asked.
    pending: BTreeSet<usize>,
    /// Those about which it was asked, whether or not it had more to say than before there were answers.
    settled: BTreeSet<usize>,
    /// Answers of which nothing can be said, and why.
    left_out: BTreeMap<usize, String>,
}

/// One call's result for each answer; a word that was given before the answers is `None`.
type Said = Vec<(usize, Result<Option<Reference>, TaskError>)>;

impl Words {
    /// Decides anew, for other rounds may have been judged since. Words on answers that aren't checked any more are dropped:
    /// an auditor, who sees the records in their order, expects none.
    pub(crate) fn decide(&mut self, attentions: Vec<Attention>, attempts: &[Attempt]) {
        self.attentions = attentions;
        self.said.resize(attempts.len(), None);
        let is_asked = |at: &usize| self.attentions[*at].is_checked() && attempts[*at].answer.read.is_ok();
        let asked: BTreeSet<usize> = (0..attempts.len()).filter(is_asked).collect();
        self.left_out.retain(|at, _| asked.contains(at));
        self.settled.retain(|at| asked.contains(at));
        let dropped = self.said.iter_mut().enumerate().filter(|(at, _)| !asked.contains(at));
        dropped.for_each(|(_, word)| *word = None);
        let is_open = |at: &usize| !self.settled.contains(at) && !self.left_out.contains_key(at);
        self.pending = asked.into_iter().filter(is_open).collect();
    }

    pub(crate) fn is_left_out(&self, at: usize) -> bool {
        self.left_out.contains_key(&at)
    }

    /// Why answers were left out, with the uid of the first.
    pub(crate) fn why_left_out(&self, attempts: &[Attempt]) -> Option<String> {
        let (at, why) = self.left_out.first_key_value()?;
        let (count, all, uid) = (self.left_out.len(), attempts.len(), attempts[*at].neuron.uid);
        Some(format!("{count} of {all} answers can't be checked, the first of uid {uid}: {why}"))
    }

    /// Asks about all answers that have no word yet. `speaks` where it is known that the reference speaks of others.
    ///
    /// # Errors
    /// Trouble of ours; what was said before it stays.
    pub(crate) async fn ask(
        &mut self,
        parts: &Parts,
        challenges: &Arc<Vec<PreparedChallenge>>,
        attempts: &Arc<Vec<Attempt>>,
        speaks: bool,
    ) -> Result<(), ValidatorError> {
        let pending: Vec<usize> = self.pending.iter().copied().collect();
        let asking =
            pending.chunks(TOGETHER).map(|pack| ask_pack(parts, challenges, attempts, pack.to_vec()));
        let mut asking: FuturesUnordered<_> = asking.collect();
        let (mut failed, mut speaks) = (Vec::new(), speaks || !self.settled.is_empty());
        while let Some(said) = asking.next().await {
            // What is still under way is dropped: a reference that is away is away for all.
            for (at, said) in said? {
                match said {
                    Ok(word) => {
                        speaks = true;
                        self.said[at] = word;
                        self.pending.remove(&at);
                        self.settled.insert(at);
                    }
                    Err(error) => failed.push((at, error)),
                }
            }
        }
        let mut trouble = None;
        for (at, error) in failed {
            if speaks || matches!(fault::of_task(&error), Fault::Question(_)) {
                self.pending.remove(&at);
                self.left_out.insert(at, error.to_string());
            } else {
                trouble = trouble.or(Some(error));
            }
        }
        trouble.map_or(Ok(()), |error| Err(error.into()))
    }
}

/// Asks about a pack, and about each of its answers alone where the pack fails without the reference being away.
async fn ask_pack(
    parts: &Parts,
    challenges: &Arc<Vec<PreparedChallenge>>,
    attempts: &Arc<Vec<Attempt>>,
    pack: Vec<usize>,
) -> Result<Said, ValidatorError> {
    match testify(parts, challenges, attempts, &pack).await {
        Ok(words) => return Ok(pack.into_iter().zip(words.into_iter().map(Ok)).collect()),
        Err(error) if is_away(&error) => return Err(error),
        Err(_) => {}
    }
    let mut said = Vec::with_capacity(pack.len());
    for at in pack {
        let word = match testify(parts, challenges, attempts, &[at]).await {
            Ok(mut words) => Ok(words.pop().flatten()),
            Err(error) if is_away(&error) => return Err(error),
            Err(ValidatorError::Task(error)) => Err(error),
            // A model that panics at one answer fails at that one.
            Err(error) => Err(TaskError::Witness(WitnessError::Model(error.to_string()))),
        };
        said.push((at, word));
    }
    Ok(said)
}

async fn testify(
    parts: &Parts,
    challenges: &Arc<Vec<PreparedChallenge>>,
    attempts: &Arc<Vec<Attempt>>,
    pack: &[usize],
) -> Result<Vec<Option<Reference>>, ValidatorError> {
    let (task, challenges, attempts) = (parts.task.clone(), challenges.clone(), attempts.clone());
    let pack = pack.to_vec();
    let look = move || {
        let answers = pack.iter().filter_map(|at| {
            let read = attempts[*at].answer.read.as_ref().ok()?;
            Some((&challenges[attempts[*at].at].challenge, read))
        });
        let answers: Vec<_> = answers.collect();
        let said = one_core(|| task.testify(&answers))?;
        Ok::<_, TaskError>(match said {
            Some(said) => said.into_iter().map(Some).collect(),
            None => vec![None; answers.len()],
        })
    };
    Ok(parts.cpu.run(look).await??)
}

/// Two forward passes on a core each take less time than one after the other on two.
fn one_core<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    match rayon::ThreadPoolBuilder::new().num_threads(1).build() {
        Ok(pool) => pool.install(work),
        // Without a pool of its own the work only takes longer.
        Err(_) => work(),
    }
}
