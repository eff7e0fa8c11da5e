//! Break-even of copying weights: the drift of miners' quality below which a copier does better than a judge.

use serde::{Deserialize, Serialize};

use super::error::{ScenarioError, within};
use super::run::run_all;
use super::scenario::{Scenario, ScenarioValidator};

#[cfg(test)]
mod tests;

/// The answer, with the gains at the ends of the range.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BreakEven {
    /// The drift below which copying pays; `None` where it pays, or does not, over the whole range.
    pub drift: Option<f64>,
    /// Excess of a copier's profit per stake over a judge's, relative to the latter, where quality does not drift.
    pub gain_at_rest: f64,
    /// The same at the largest drift looked at.
    pub gain_at_most: f64,
    pub drift_most: f64,
    /// Drifts that were simulated.
    pub evaluations: u32,
}

/// Bisects the scenario's `judging.drift` between 0 and `drift_most` in `steps` steps. The scenario needs a group of honest
/// validators and one of copiers; profit counts what judging
/// costs, and only epochs after the warm-up, which should let bonds settle.
///
/// # Errors
/// Refuses what [`run_all`] refuses, and a scenario without both groups.
pub fn copy_break_even(
    scenario: &Scenario,
    seeds: &[u64],
    drift_most: f64,
    steps: u32,
) -> Result<BreakEven, ScenarioError> {
    within("drift_most", drift_most, 0.0, 1.0)?;
    let group = |persona: &ScenarioValidator, missing| {
        let at = scenario.validators.iter().position(|group| group.persona == *persona);
        at.ok_or(ScenarioError::NoValidators { missing })
    };
    let honest = group(&ScenarioValidator::Honest, "honest")?;
    let copier = group(&ScenarioValidator::Copier, "copier")?;
    let mut evaluations = 0;
    let mut gain = |drift: f64| -> Result<f64, ScenarioError> {
        evaluations += 1;
        let mut drifting = scenario.clone();
        drifting.judging.drift = drift;
        let outcomes = run_all(std::slice::from_ref(&drifting), seeds)?;
        let (mut of_honest, mut of_copier) = (0.0, 0.0);
        for outcome in outcomes.iter().flatten() {
            of_honest += outcome.validators[honest].settled_profit;
            of_copier += outcome.validators[copier].settled_profit;
        }
        // Judges may just break even, which must not divide by 0.
        Ok((of_copier - of_honest) / of_honest.abs().max(f64::MIN_POSITIVE))
    };
    let (gain_at_rest, gain_at_most) = (gain(0.0)?, gain(drift_most)?);
    let mut drift = None;
    if gain_at_rest > 0.0 && gain_at_most <= 0.0 {
        let (mut pays, mut costs) = (0.0, drift_most);
        for _ in 0..steps {
            let middle = 0.5 * (pays + costs);
            if gain(middle)? > 0.0 { pays = middle } else { costs = middle }
        }
        drift = Some(0.5 * (pays + costs));
    }
    Ok(BreakEven { drift, gain_at_rest, gain_at_most, drift_most, evaluations })
}
