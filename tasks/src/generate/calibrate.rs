//! Limits of a task of completions: beyond the worst that honest completions showed, in every way that an honest miner may run
//! the agreed model. The two histograms of the sequential test are those of the honest run that is furthest off and of the
//! cheat that it has to tell.

mod answers;
mod figures;
mod written;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::Serialize;
use weighhouse_types::text::TextAnswer;

use super::sequential::{EDGES, Pretence};
use super::verdict;
use super::witness::{Claim, TeacherForced, Witness};
use super::{Completions, Prompt};
use crate::calibrate::{
    CalibrateError, CalibrationPlan, CalibrationProgress, CalibrationReport, RateBound, rounded_up,
};
use crate::error::TaskError;
use crate::kind::Kind as _;
use crate::references::Grade;
use answers::{Answers, everybody};
use figures::{PersonaSample, Table};

/// Limits are set this many times as far as the worst that was seen of honest answers.
const HEADROOM: f64 = 2.0;
/// Of cheats so many challenges are looked at, at most: they are far off, and rates below this are not told of them.
const CHEAT_CHALLENGES: u32 = 500;
/// No limit is below these, in units of the logits: kernels of other machines that were not measured.
const MARGIN_LEAST: f64 = 0.01;
const MEAN_LEAST: f64 = 1e-4;
/// Answers that go before the judge together.
const PACK: usize = 8;
const COLUMNS: [&str; 10] = [
    "<answers",
    "exact",
    "mean",
    "rejected",
    "AUC",
    "at 1 %",
    "at 0.1 %",
    "checks",
    "convicted",
    "per CPU-s",
];

/// The measured figures, and the limits that follow from them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Calibrated {
    challenges: u32,
    tokens: u32,
    /// Of an epoch.
    rounds: u32,
    limits: Limits,
    /// Honest checks that no limit was set by, how many of them were beyond, and the rate that this bounds (95 %
    /// confidence).
    honest: RateBound,
    table: Table,
    pretences: Vec<Pretence>,
}

/// For the task's file.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Limits {
    tolerance: f64,
    clip: f64,
    token_max: f64,
    log_prob_max: f64,
    edges: Vec<f64>,
    honest: Vec<f64>,
    cheat: Vec<f64>,
}

/// Measures.
///
/// # Errors
/// A model that can't answer, or an honest answer that no limit lets pass.
pub(super) fn run(
    kind: &Completions,
    plan: &CalibrationPlan<'_>,
    progress: &mut dyn FnMut(CalibrationProgress),
) -> Result<Calibrated, CalibrateError> {
    if plan.challenges == 0 {
        return Err(CalibrateError::NoChallenges);
    }
    let settings = kind.settings();
    let everybody = everybody(settings, plan)?;
    let witness = TeacherForced(plan.references.served_language(Grade::Agreed)?);
    let judge = Judge { kind, plan, witness: &witness };
    let mut rng = ChaCha20Rng::seed_from_u64(plan.seed);
    let mut seen = Vec::with_capacity(everybody.len());
    for (done, answers) in everybody.iter().enumerate() {
        progress(CalibrationProgress { persona: answers.name.clone(), done, personas: everybody.len() });
        seen.push(judge.look(answers, &mut rng)?);
    }
    let limits = limits(&seen, plan.against)?;
    let honest = figures::bound(&seen, &limits);
    let table = figures::table(&limits, &seen);
    let pretences = figures::pretences(&limits, &seen);
    Ok(Calibrated {
        challenges: plan.challenges,
        tokens: settings.max_tokens,
        rounds: plan.rounds,
        limits,
        honest,
        table,
        pretences,
    })
}

struct Judge<'a> {
    kind: &'a Completions,
    plan: &'a CalibrationPlan<'a>,
    witness: &'a dyn Witness,
}

impl Judge<'_> {
    /// The reference's words on somebody's answers.
    fn look(&self, answers: &Answers<'_>, rng: &mut ChaCha20Rng) -> Result<PersonaSample, CalibrateError> {
        let Self { plan, kind, .. } = self;
        let count = if answers.is_honest { plan.challenges } else { plan.challenges.min(CHEAT_CHALLENGES) };
        let prompts = kind.draw(&CalibrationPlan::seeds(count, rng))?;
        let start = (plan.cpu)();
        let completions = answers.answer(kind.settings(), &prompts)?;
        let answering = (plan.cpu)().saturating_sub(start).as_secs_f64();
        let start = (plan.cpu)();
        let mut seen = PersonaSample::new(answers);
        for (prompts, completions) in prompts.chunks(PACK).zip(completions.chunks(PACK)) {
            self.judge(prompts, completions, &mut seen)?;
        }
        let judging = (plan.cpu)().saturating_sub(start).as_secs_f64();
        (seen.answering, seen.judging) = (answering / f64::from(count), judging / f64::from(count));
        if let Some(why) = seen.refused.first().filter(|_| answers.is_honest) {
            return Err(CalibrateError::Form { who: answers.name.clone(), why: why.clone() });
        }
        Ok(seen)
    }

    fn judge(
        &self,
        prompts: &[Prompt],
        answers: &[TextAnswer],
        seen: &mut PersonaSample,
    ) -> Result<(), CalibrateError> {
        let mut completions = Vec::with_capacity(answers.len());
        for answer in answers {
            completions.push(verdict::read(self.kind.settings(), &answer.to_infer("", "", "")?));
        }
        let mut claims = Vec::with_capacity(prompts.len());
        for (prompt, completion) in prompts.iter().zip(&completions) {
            if let Ok(completion) = completion {
                let (tokens, sampling) = (&completion.tokens[..], prompt.sampling);
                claims.push(Claim { prompt: &prompt.text, tokens, sampling, ended: completion.ended() });
            }
        }
        let testimonies = self.witness.testify(&claims).map_err(TaskError::from)?;
        let mut testimonies = testimonies.into_iter();
        for completion in completions {
            match completion {
                Err(judgement) => seen.refuse(judgement.reasons.first()),
                Ok(completion) => {
                    let Some(testimony) = testimonies.next() else { break };
                    match verdict::contradicts(self.kind.settings(), &completion, &testimony) {
                        Some(reason) => seen.refuse(Some(&reason)),
                        None => seen.take(completion.log_probs(), testimony),
                    }
                }
            }
        }
        Ok(())
    }
}

fn limits(seen: &[PersonaSample], against: &str) -> Result<Limits, CalibrateError> {
    let honest: Vec<&PersonaSample> = seen.iter().filter(|seen| seen.is_honest).collect();
    let cheat = seen.iter().find(|seen| seen.name == against && !seen.is_honest);
    let cheat = cheat.ok_or_else(|| CalibrateError::NoCheat { name: against.to_owned() })?;
    let worst =
        |of: &dyn Fn(&PersonaSample) -> f64| honest.iter().map(|seen| of(seen)).fold(0.0_f64, f64::max);
    let beyond = |value: f64, least: f64| rounded_up((value * HEADROOM).max(least));
    let token_max = beyond(worst(&PersonaSample::largest_margin), MARGIN_LEAST);
    // A single token that is beyond every honest one decides alone; what the mean adds is many small ones.
    let clip = token_max;
    // A task file's tolerance has to be below 1.
    let tolerance = beyond(worst(&|seen| seen.largest_mean(clip)), MEAN_LEAST).min(0.99);
    Ok(Limits {
        tolerance,
        clip,
        token_max,
        log_prob_max: beyond(worst(&PersonaSample::largest_difference), MARGIN_LEAST),
        edges: EDGES.to_vec(),
        honest: figures::most_spread(&honest),
        cheat: cheat.shares(),
    })
}

impl Calibrated {
    pub(super) fn report(&self, plan: &CalibrationPlan<'_>) -> Result<CalibrationReport, CalibrateError> {
        let row = |row: &figures::Row| {
            let [at_1, at_01] = row.detected;
            let figures = [
                row.exact,
                row.mean,
                row.rejected,
                row.auc,
                at_1,
                at_01,
                row.checks,
                row.convicted,
                row.power,
            ];
            let name = format!("{}{}", row.persona, if row.honest { " (honest)" } else { "" });
            [name].into_iter().chain(figures.map(|figure| figure.to_string())).collect()
        };
        Ok(CalibrationReport {
            file: written::rewrite(plan.file, self, plan.how)?,
            columns: &COLUMNS,
            rows: self.table.rows.iter().map(row).collect(),
            json: serde_json::to_string(self)?,
        })
    }
}

#[cfg(test)]
mod tests;
