//! Kind `forecast`: the live era of a panel whose target is drawn when all predictions are in.

use weighhouse_models::draw::Gaussian;

use crate::kind::prelude::*;
use crate::verdict::{malformed, scored};

use super::panel::{LIVE, PREDICTIONS, PanelTerms, TARGETS, TRAINING, targets};
use super::round::{RoundScore, score_round, weighted};

/// Epochs until a round lapses: its target is there after one, and a validator may have been down.
const EPOCHS_MAX: u64 = 3;
/// What the best of a round scores at least for the marks to be relative to it: below, all of it may be luck.
const BEST_MIN: f64 = 0.005;
/// Of an answer, for each prediction.
const PREDICTION_BYTES: usize = 16;
const MULTIPLIER_MAX: f64 = 100.0;
const ROWS_MAX: u32 = 4_096;
const FEATURES_MAX: u32 = 64;

/// A tournament's rounds.
pub(crate) struct Tournament {
    panel: PanelTerms,
    corr: f64,
    mmc: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Section {
    training: u32,
    features: u32,
    noise: f64,
    corr_multiplier: f64,
    mmc_multiplier: f64,
}

/// A panel: features of past and live rows, targets of the past, and what the live target is made of besides noise.
#[derive(Debug, Encode)]
pub(crate) struct Era {
    training: Vec<f32>,
    targets: Vec<f32>,
    live: Vec<f32>,
    exact: Vec<f64>,
}

/// The live target as it came.
#[derive(Encode, Decode)]
pub(crate) struct Came(Vec<f64>);

impl Kind for Tournament {
    const NAME: &'static str = "forecast";
    const FILES: &'static [(&'static str, &'static str)] =
        &[("forecast", include_str!("../../files/forecast.toml"))];
    const SCOPES: &'static [Scope] = &[Scope::Shared];
    const TABLE: Option<&'static str> = Some("forecast");
    const SEALED: bool = true;

    type Section = Section;
    type Question = Era;
    type Answer = Vec<f64>;
    type Word = Came;

    fn new(file: &TaskFile, section: Section, _: &dyn References) -> Result<Self, TaskError> {
        if file.items < 20 {
            return Err(refused("items", "must be 20 at least: fewer rows rank nothing").into());
        }
        Ok(Self {
            panel: PanelTerms {
                training: count("forecast.training", section.training, ROWS_MAX)? as usize,
                live: file.items as usize,
                features: count("forecast.features", section.features, FEATURES_MAX)? as usize,
                noise: within("forecast.noise", section.noise, MULTIPLIER_MAX)?,
            },
            corr: within("forecast.corr_multiplier", section.corr_multiplier, MULTIPLIER_MAX)?,
            mmc: within("forecast.mmc_multiplier", section.mmc_multiplier, MULTIPLIER_MAX)?,
        })
    }

    fn draw(&self, seeds: &[[u8; 32]]) -> Result<Vec<Era>, TaskError> {
        Ok(per_seed(seeds, |rng| {
            let panel = self.panel.draw(rng);
            let mut normal = Gaussian::default();
            let came = targets(&panel.training_exact, self.panel.noise, || normal.next(rng));
            let told = came.iter().map(|target| *target as f32).collect();
            Era { training: panel.training, targets: told, live: panel.live, exact: panel.live_exact }
        }))
    }

    fn request(&self, era: &Era) -> InferRequest {
        let table = |name, values: &[f32]| Tensor::table(name, self.panel.rows(values));
        let told = Tensor::numbers(TARGETS, &era.targets);
        InferRequest::asking(
            vec![table(TRAINING, &era.training), told, table(LIVE, &era.live)],
            &[PREDICTIONS],
        )
    }

    fn answer_bytes(&self) -> Option<usize> {
        Some(self.panel.live * PREDICTION_BYTES)
    }

    fn timing(&self) -> Timing {
        Timing::Later { epochs_max: EPOCHS_MAX }
    }

    fn resolve(&self, eras: &[(&Era, [u8; 32])], _: u64) -> Result<Vec<Option<Truth<Came>>>, TaskError> {
        let came = |(era, seed): &(&Era, [u8; 32])| {
            let (mut rng, mut normal) = (generator(*seed), Gaussian::default());
            let word = Came(targets(&era.exact, self.panel.noise, || normal.next(&mut rng)));
            Some(Truth { word, operator: None })
        };
        Ok(eras.iter().map(came).collect())
    }

    fn read(&self, _: &Era, answer: &InferAnswer) -> Result<Vec<f64>, Judgement> {
        let predictions = reading::numbers(answer, PREDICTIONS, &[self.panel.live])?;
        let first = predictions.first().copied();
        if predictions.iter().all(|value| Some(*value) == first) {
            return Err(malformed(0, "one prediction for all rows ranks nothing"));
        }
        Ok(predictions.into_iter().map(f64::from).collect())
    }

    fn judge_together(
        &self,
        _: &Era,
        _: &[RegistrationId],
        answers: &[(RegistrationId, &Came, &Vec<f64>)],
    ) -> Result<Option<JointVerdicts>, TaskError> {
        let Some((_, Came(target), _)) = answers.first() else {
            return Err(TaskError::Count { expected: 1, actual: 0 });
        };
        let submissions: Vec<_> = answers.iter().map(|(.., made)| Some(((*made).clone(), 1.0))).collect();
        let round =
            score_round(&submissions, target).map_err(|error| TaskError::Request(error.to_string()))?;
        let worth = |score: &RoundScore| weighted(score, self.corr, self.mmc);
        let best = round.scores.iter().flatten().map(worth).fold(BEST_MIN, f64::max);
        let meta = round.meta_corr.unwrap_or(0.0);
        let verdict = |(at, score): (usize, &Option<RoundScore>)| match score {
            Some(score) => {
                let RoundScore { corr, mmc, .. } = *score;
                let group = round.copies.iter().find(|group| group.contains(&at)).map_or(1, Vec::len);
                let mut why = format!("corr {corr:.4}, mmc {mmc:.4}; meta-model {meta:.4}");
                if group > 1 {
                    why.push_str(&format!("; one model with {} others", group - 1));
                }
                // Copies get together what one of them would.
                scored(worth(score) / best / group as f64, &why)
            }
            None => malformed(0, "its predictions rank nothing"),
        };
        let alike = round.copies.iter().map(|group| group.iter().map(|member| *member as u32).collect());
        Ok(Some(JointVerdicts {
            verdicts: round.scores.iter().enumerate().map(verdict).collect(),
            alike: alike.collect(),
        }))
    }

    fn personas(&self) -> Vec<Persona> {
        super::personas::catalogue()
    }
}

#[cfg(test)]
mod tests;
