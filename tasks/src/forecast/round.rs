//! One round of a tournament: everybody's predictions scored against the target and against one another.

use ndarray::Array2;

use super::series::{ScoreError, dot, gaussian, less_mean, pearson, power};

const BILLION: f64 = 1e9;
/// Correlations of independent predictions lie below so many of their standard errors.
const BY_CHANCE: f64 = 3.0;
/// Correlation from which two submissions are taken for one model's.
pub const COPY: f64 = 0.75;

/// The score of one submission.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RoundScore {
    pub corr: f64,
    /// Contribution beyond the meta-model.
    pub mmc: f64,
    /// The part of it that is nobody else's: 1 of a model that is like no other, one in n of each of n copies.
    pub own: f64,
}

/// A round with all submissions in.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoredRound {
    /// In the order of the submissions; none of whoever sent nothing that ranks.
    pub scores: Vec<Option<RoundScore>>,
    /// The stake-weighted mean of the ranked, normal predictions.
    pub meta_model: Vec<f64>,
    pub meta_corr: Option<f64>,
    /// Submissions of one model, by their places: linked by a correlation of [`COPY`] and more.
    pub copies: Vec<Vec<usize>>,
}

/// Scores all submissions of a round, each over all ids in the target's order, by their stakes. A submission of one value for all ranks nothing.
///
/// # Errors
/// A submission over another number of ids; a target that is constant or has outliers.
pub fn score_round(
    submissions: &[Option<(Vec<f64>, f64)>],
    target: &[f64],
) -> Result<ScoredRound, ScoreError> {
    let centred = less_mean(target);
    let raised = power(&centred)?;
    let normal: Vec<Option<(Vec<f64>, f64)>> =
        submissions.iter().map(|it| ranked(it.as_ref(), target.len())).collect::<Result<_, _>>()?;
    let meta_model = meta_model(&normal, target.len());
    let corr = |predictions: &[f64]| pearson(&power(predictions)?, &raised);
    let square = dot(&meta_model, &meta_model);
    // Of five classes from 0 to 1, as the reference has it.
    let width = if target.iter().all(|value| (0.0..=1.0).contains(value)) { 4.0 } else { 1.0 };
    let alike = correlations(&normal);
    let own = own_parts(&alike, target.len());
    let score = |(submission, own): (&Option<(Vec<f64>, f64)>, f64)| {
        let (predictions, _) = submission.as_ref()?;
        let along = if square > 0.0 { dot(predictions, &meta_model) / square } else { 0.0 };
        let beside: Vec<f64> =
            predictions.iter().zip(&meta_model).map(|(value, meta)| value - along * meta).collect();
        let mmc = width * dot(&centred, &beside) / target.len() as f64;
        let rounded = |value: f64| libm::round(value * BILLION) / BILLION;
        Some(RoundScore { corr: rounded(corr(predictions).ok()?), mmc: rounded(mmc), own: rounded(own) })
    };
    let scores = normal.iter().zip(own).map(score).collect();
    let meta_corr = corr(&gaussian(&meta_model)).ok();
    Ok(ScoredRound { scores, meta_model, meta_corr, copies: copies(&alike) })
}

fn ranked(submission: Option<&(Vec<f64>, f64)>, ids: usize) -> Result<Option<(Vec<f64>, f64)>, ScoreError> {
    let Some((values, stake)) = submission else { return Ok(None) };
    if values.len() != ids {
        return Err(ScoreError::Overlap { common: values.len().min(ids), of: ids, least: 100.0 });
    }
    let ranks_something = values.windows(2).any(|pair| pair[0] != pair[1]);
    Ok((ranks_something && values.iter().all(|value| value.is_finite())).then(|| (gaussian(values), *stake)))
}

fn meta_model(normal: &[Option<(Vec<f64>, f64)>], ids: usize) -> Vec<f64> {
    let mut meta = vec![0.0; ids];
    let all = normal.iter().flatten().fold(0.0, |sum, (_, stake)| sum + stake);
    for (values, stake) in normal.iter().flatten() {
        meta.iter_mut().zip(values).for_each(|(meta, value)| *meta += value * stake / all);
    }
    meta
}

/// Of each two submissions; 0 with one that is none, 1 with itself.
fn correlations(normal: &[Option<(Vec<f64>, f64)>]) -> Array2<f64> {
    let mut alike = Array2::eye(normal.len());
    for (one, submission) in normal.iter().enumerate() {
        for (other, further) in normal.iter().enumerate().skip(one + 1) {
            if let (Some((left, _)), Some((right, _))) = (submission, further) {
                let found = dot(left, right) / libm::sqrt(dot(left, left) * dot(right, right));
                (alike[(one, other)], alike[(other, one)]) = (found, found);
            }
        }
    }
    alike
}

/// 1 over what a model has in common with all, itself included: the roots of positive correlations above chance. n copies of a model, exact
/// or each disguised to any correlation with it, have one part together, but for chance.
fn own_parts(alike: &Array2<f64>, ids: usize) -> Vec<f64> {
    let chance = BY_CHANCE / libm::sqrt(ids as f64);
    let common = |row: ndarray::ArrayView1<'_, f64>| {
        row.iter().filter(|alike| **alike > chance).fold(0.0, |sum, alike| sum + libm::sqrt(*alike))
    };
    alike.rows().into_iter().map(|row| 1.0 / common(row)).collect()
}

fn copies(alike: &Array2<f64>) -> Vec<Vec<usize>> {
    let mut group: Vec<usize> = (0..alike.nrows()).collect();
    for ((one, other), found) in alike.indexed_iter() {
        if one < other && *found >= COPY {
            let (from, to) = (group[one].max(group[other]), group[one].min(group[other]));
            group.iter_mut().filter(|group| **group == from).for_each(|group| *group = to);
        }
    }
    let members =
        |first: usize| -> Vec<usize> { (0..group.len()).filter(|at| group[*at] == first).collect() };
    (0..group.len()).map(members).filter(|members| members.len() > 1).collect()
}

/// The sum of both scores by their multipliers.
pub fn weighted(score: &RoundScore, corr: f64, mmc: f64) -> f64 {
    corr * score.corr + mmc * score.mmc
}
