//! From runs to a row of the matrix: who gains by the attack, and who pays for it.

use serde::{Deserialize, Serialize};

use super::{AttackPlan, Cell, FRACTION_MAX, MatrixCell, MatrixRow, SweepRow, ratio_ci95};
use crate::sim::{MinerOutcome, SimulationOutcome};
use crate::world::{Books, CostSweep};

/// Part of their dividends above whose loss delegators are counted as harmed.
const HARMED: f64 = 0.05;

/// What a row is made of, without the curves and the profile of each run.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttackFigures {
    profit: f64,
    books: Books,
    honest_rao: u64,
    dishonest: u32,
    detected: u32,
    /// Epochs to detection, summed over the detected.
    delay: f64,
    vtrust_least: f64,
    /// Stake and dividends of each honest validator.
    dividends: Vec<(u64, u64)>,
}

impl AttackFigures {
    pub(super) fn of(outcome: SimulationOutcome, unjudged_requests: f64) -> Self {
        let attackers = || outcome.miners.iter().filter(|group| group.attacker);
        // A seed's figure is a mean over its detected, so that it weighs by their number.
        let delay = |group: &MinerOutcome| f64::from(group.detected) * group.epochs_to_detect.unwrap_or(0.0);
        let sum = |of: fn(&MinerOutcome) -> f64| attackers().map(of).sum::<f64>();
        let unjudged = sum(|group| group.unjudged_cost);
        let books = Books {
            earned_rao: sum(|group| group.emission_rao as f64 - group.registration_rao as f64),
            judged: sum(|group| group.cost) - unjudged_requests * unjudged,
            unjudged,
        };
        Self {
            books,
            profit: outcome.attacker_profit(),
            honest_rao: outcome.honest_emission_rao(),
            dishonest: attackers().map(|group| group.dishonest).sum(),
            detected: attackers().map(|group| group.detected).sum(),
            delay: attackers().map(delay).sum(),
            vtrust_least: outcome.vtrust_least,
            dividends: outcome.dividends,
        }
    }

    /// The share of honest miners' emission in `without` that they lack here.
    fn honest_loss(&self, without: &Self) -> f64 {
        // At least 1 rao, so that nothing is divided by 0.
        1.0 - self.honest_rao as f64 / (without.honest_rao as f64).max(1.0)
    }
}

/// The largest share of its dividends that a validator loses, and the share of stake that loses more than [`HARMED`], over all
/// seeds.
fn dividends_lost(with: &[AttackFigures], without: &[AttackFigures]) -> (f64, f64) {
    let validators = with.first().map_or(0, |run| run.dividends.len());
    let sum = |runs: &[AttackFigures], at: usize| -> u64 {
        runs.iter().filter_map(|run| run.dividends.get(at)).map(|(_, rao)| rao).sum()
    };
    let (mut worst, mut harmed, mut all) = (0.0_f64, 0.0, 0.0);
    for at in 0..validators {
        let stake = with[0].dividends[at].0 as f64;
        let loss = 1.0 - sum(with, at) as f64 / (sum(without, at) as f64).max(1.0);
        worst = worst.max(loss);
        all += stake;
        harmed += if loss > HARMED { stake } else { 0.0 };
    }
    (worst, harmed / f64::max(all, 1.0))
}

/// The best attack on each policy at each point, among those that a policy answers for.
pub(super) fn sweep(
    plan: &AttackPlan,
    cells: &[Cell],
    outcomes: &[Vec<AttackFigures>],
    points: &[CostSweep],
) -> Vec<SweepRow> {
    let mut rows = Vec::new();
    for policy in 0..plan.policies.len() {
        let cells =
            || cells.iter().filter(|cell| cell.policy == policy && cell.fraction <= FRACTION_MAX + 1e-9);
        for point in points {
            let profits = |world: usize| -> Vec<f64> {
                outcomes[world].iter().map(|run| point.profit(&run.books)).collect()
            };
            let priced = cells().filter_map(|cell| {
                let (ratio, ci95) = ratio_ci95(&profits(cell.attacked), &profits(cell.honest))?;
                Some((cell, ratio, ci95))
            });
            // Of equals the first.
            let best = priced.reduce(|best, next| if next.1 > best.1 { next } else { best });
            rows.extend(best.map(|(cell, profit_ratio, ci95)| SweepRow {
                policy: plan.policies[policy].0.clone(),
                cost_share: point.cost_share,
                unjudged: point.unjudged,
                attack: plan.attacks[cell.attack].name.clone(),
                fraction: cell.fraction,
                profit_ratio,
                ci95,
            }));
        }
    }
    rows
}

pub(super) fn row(plan: &AttackPlan, cell: &Cell, outcomes: &[Vec<AttackFigures>]) -> MatrixRow {
    let attack = &plan.attacks[cell.attack];
    let profits = |world: usize| outcomes[world].iter().map(|run| run.profit).collect::<Vec<f64>>();
    let (attacked, honest) = (profits(cell.attacked), profits(cell.honest));
    let ratio = ratio_ci95(&attacked, &honest);
    let worlds = || outcomes[cell.attacked].iter();
    let seeds = plan.seeds.len() as f64;
    let loss = |(with, without): (&AttackFigures, &AttackFigures)| with.honest_loss(without);
    let operators = seeds * f64::from(cell.numbers.attackers);
    let dishonest: u32 = worlds().map(|run| run.dishonest).sum();
    let detected: u32 = worlds().map(|run| run.detected).sum();
    let delay: f64 = worlds().map(|run| run.delay).sum();
    let (validator_loss, harmed_stake) = dividends_lost(&outcomes[cell.attacked], &outcomes[cell.honest]);
    MatrixRow {
        cell: MatrixCell {
            attack: attack.name.clone(),
            fraction: cell.fraction,
            policy: plan.policies[cell.policy].0.clone(),
            detectable: attack.detectable,
            profit_ratio: ratio.map(|(ratio, _)| ratio),
            ci95: ratio.map(|(_, interval)| interval),
        },
        honest_loss: worlds().zip(&outcomes[cell.honest]).map(loss).sum::<f64>() / seeds,
        displacement: worlds().zip(&outcomes[cell.absent]).map(loss).sum::<f64>() / seeds,
        validator_loss,
        harmed_stake,
        profit: attacked.iter().sum::<f64>() / operators,
        honest_profit: honest.iter().sum::<f64>() / operators,
        detected: f64::from(detected) / f64::from(dishonest.max(1)),
        epochs_to_detect: (detected > 0).then(|| delay / f64::from(detected)),
        vtrust_least: worlds().map(|run| run.vtrust_least).fold(1.0, f64::min),
    }
}
