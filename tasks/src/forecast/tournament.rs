//! Tournaments that are drawn: forecasters of every sort over a universe whose truth is known to nobody but the draw.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use weighhouse_models::draw::Gaussian;

use super::churn::ChurnPenalty;
use super::payout::PayoutTerms;
use super::round::{RoundScore, score_round, weighted};
use super::series::{gaussian, mean, pearson, ranks};
use super::significance::proven;
use super::stakes::StakeLedger;

/// What of a latent signal a round's target shows.
const SIGNAL: f64 = 0.12;
/// From one round to the next.
const PERSISTENCE: f64 = 0.9;
const TAO: u64 = 1_000_000_000;

/// A way of forecasting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Forecaster {
    /// Sees the signal through an error of its own.
    Signal,
    Noise,
    /// The first forecaster's model, disguised to this correlation with it.
    Copy(f64),
    /// Noise, and its mirror image.
    Twin {
        mirrors: bool,
    },
    /// Knows the past by heart, and a seventh of what the others see of the signal.
    Overfit,
    /// Sees the signal, and misses every third round.
    Late,
    /// Sees the signal through an error that is another in each round.
    HeavyChurn,
    /// Noise, staked ten times as high.
    Bluffer,
}

impl Forecaster {
    pub fn name(self) -> &'static str {
        match self {
            Self::Signal => "signal",
            Self::Noise => "noise",
            Self::Copy(_) => "copy",
            Self::Twin { .. } => "twin",
            Self::Overfit => "overfit",
            Self::Late => "late",
            Self::HeavyChurn => "heavy-churn",
            Self::Bluffer => "staked-bluffer",
        }
    }

    /// What of its predictions is the signal, as a correlation.
    fn sees(self) -> f64 {
        match self {
            Self::Signal | Self::Late | Self::HeavyChurn => 0.65,
            Self::Overfit => 0.09,
            _ => 0.0,
        }
    }
}

/// A tournament to draw.
#[derive(Clone, Debug, PartialEq)]
pub struct TournamentPlan {
    pub ids: usize,
    pub rounds: usize,
    /// Rounds that are open at once: how far apart scores go together.
    pub open_at_once: usize,
    pub forecasters: Vec<Forecaster>,
    pub corr_multiplier: f64,
    pub mmc_multiplier: f64,
}

impl TournamentPlan {
    pub fn new(forecasters: Vec<Forecaster>) -> Self {
        Self {
            ids: 100,
            rounds: 200,
            open_at_once: 20,
            forecasters,
            corr_multiplier: 0.5,
            mmc_multiplier: 2.0,
        }
    }
}

/// A drawn tournament.
#[derive(Clone, Debug, PartialEq)]
pub struct TournamentOutcome {
    /// What each one's signed scores prove, clipped last: what the subnet pays by.
    pub pay: Vec<f64>,
    /// Mean score of each, signed.
    pub scores: Vec<f64>,
    /// Change of each stake, in rao.
    pub payouts: Vec<i64>,
    /// CORR of the meta-model, and of the single model that was best on the rounds before, over the second half of the rounds.
    pub meta_corr: f64,
    pub best_corr: f64,
    /// Rao at the end less rao at the beginning.
    pub rao_out_of_thin_air: i128,
}

/// The sorts that a tournament is shown with: ten who see something, and everybody who doesn't.
pub fn everybody() -> Vec<Forecaster> {
    use Forecaster::{Bluffer, HeavyChurn, Late, Noise, Overfit, Signal, Twin};
    let mut all = vec![Signal; 8];
    let twins = [Twin { mirrors: false }, Twin { mirrors: true }];
    all.extend([Noise, Noise, twins[0], twins[1], Overfit, Late, HeavyChurn, Bluffer]);
    all
}

/// Draws a tournament and settles every round of it.
pub fn draw_tournament(plan: &TournamentPlan, seed: u64) -> TournamentOutcome {
    let (mut rng, mut normal) = (ChaCha20Rng::seed_from_u64(seed), Gaussian::default());
    let count = plan.forecasters.len();
    let mut draw = |ids: usize| -> Vec<f64> { (0..ids).map(|_| normal.next(&mut rng)).collect() };
    let mut signal = draw(plan.ids);
    let mut errors: Vec<Vec<f64>> = (0..count).map(|_| draw(plan.ids)).collect();
    let stakes: Vec<u64> = plan
        .forecasters
        .iter()
        .map(|it| if *it == Forecaster::Bluffer { 1_000 * TAO } else { 100 * TAO })
        .collect();
    let mut ledger = StakeLedger { stakes: stakes.clone(), pool: 100_000 * TAO, burned: 0 };
    let before = ledger.total();
    let mut played: Vec<Vec<f64>> = vec![Vec::new(); count];
    let (mut corrs, mut meta_corrs, mut best_corrs) = (vec![0.0_f64; count], Vec::new(), Vec::new());
    let mut last: Vec<Option<Vec<f64>>> = vec![None; count];
    for round in 0..plan.rounds {
        step(&mut signal, &draw(plan.ids), PERSISTENCE);
        for (error, forecaster) in errors.iter_mut().zip(&plan.forecasters) {
            let stays = if *forecaster == Forecaster::HeavyChurn { 0.0 } else { PERSISTENCE };
            step(error, &draw(plan.ids), stays);
        }
        let noise = draw(plan.ids);
        let target: Vec<f64> = mix(&signal, &noise, SIGNAL);
        let target = quintiles(&target);
        let predictions = predictions(&plan.forecasters, &signal, &errors, round);
        let submissions: Vec<_> = predictions
            .iter()
            .zip(&ledger.stakes)
            .map(|(it, stake)| Some((it.clone()?, *stake as f64)))
            .collect();
        let scored = score_round(&submissions, &target).expect("quintiles of a normal target");
        let churned: Vec<Option<RoundScore>> = scored
            .scores
            .iter()
            .zip(predictions.iter().zip(&last))
            .map(|(score, (now, last))| Some(kept(score.as_ref()?, now.as_deref(), last.as_deref())))
            .collect();
        let terms = PayoutTerms {
            corr_multiplier: plan.corr_multiplier,
            contribution_multiplier: plan.mmc_multiplier,
            stake_threshold: 72_000.0 * TAO as f64,
            total_at_risk: ledger.stakes.iter().map(|stake| *stake as f64).sum(),
            clip: 0.05,
        };
        ledger.settle(&terms, &churned).expect("terms in their range");
        if round * 2 >= plan.rounds {
            let best = (0..count).max_by(|one, other| corrs[*one].total_cmp(&corrs[*other])).unwrap_or(0);
            meta_corrs.push(scored.meta_corr.unwrap_or(0.0));
            best_corrs.push(scored.scores[best].map_or(0.0, |score| score.corr));
        }
        for (at, score) in churned.iter().enumerate() {
            corrs[at] += score.map_or(0.0, |score| score.corr);
            let own = score
                .map_or(0.0, |score| score.own * weighted(&score, plan.corr_multiplier, plan.mmc_multiplier));
            played[at].push(own);
        }
        last = predictions;
    }
    let change = |(now, stake): (&u64, &u64)| *now as i64 - *stake as i64;
    TournamentOutcome {
        pay: played.iter().map(|scores| proven(scores, plan.open_at_once)).collect(),
        scores: played.iter().map(|scores| mean(scores)).collect(),
        payouts: ledger.stakes.iter().zip(&stakes).map(change).collect(),
        meta_corr: mean(&meta_corrs),
        best_corr: mean(&best_corrs),
        rao_out_of_thin_air: ledger.total() as i128 - before as i128,
    }
}

fn predictions(
    forecasters: &[Forecaster],
    signal: &[f64],
    errors: &[Vec<f64>],
    round: usize,
) -> Vec<Option<Vec<f64>>> {
    let own = |at: usize| mix(signal, &errors[at], forecasters[at].sees());
    let each = |(at, forecaster): (usize, &Forecaster)| match forecaster {
        Forecaster::Late if round % 3 == 2 => None,
        Forecaster::Copy(alike) => Some(mix(&own(0), &errors[at], *alike)),
        Forecaster::Twin { mirrors: true } => Some(errors[at - 1].iter().map(|value| -value).collect()),
        _ => Some(own(at)),
    };
    forecasters.iter().enumerate().map(each).collect()
}

/// What churn leaves of what a score wins; what it loses it loses whole.
fn kept(score: &RoundScore, now: Option<&[f64]>, last: Option<&[f64]>) -> RoundScore {
    let (Some(now), Some(last)) = (now, last) else { return *score };
    let churn = 1.0 - pearson(&ranks(now), &ranks(last)).unwrap_or(0.0);
    let part = ChurnPenalty::default().kept(churn.clamp(0.0, 2.0)).unwrap_or(1.0);
    let less = |value: f64| if value > 0.0 { part * value } else { value };
    RoundScore { corr: less(score.corr), mmc: less(score.mmc), ..*score }
}

fn step(values: &mut [f64], fresh: &[f64], stays: f64) {
    let new = libm::sqrt(1.0 - stays * stays);
    values.iter_mut().zip(fresh).for_each(|(value, fresh)| *value = stays * *value + new * fresh);
}

fn mix(one: &[f64], other: &[f64], alike: f64) -> Vec<f64> {
    let rest = libm::sqrt(1.0 - alike * alike);
    one.iter().zip(other).map(|(one, other)| alike * one + rest * other).collect()
}

/// Five classes from 0 to 1, of equal size.
fn quintiles(values: &[f64]) -> Vec<f64> {
    let count = values.len() as f64;
    let class = |rank: f64| libm::floor((rank - 0.5) / count * 5.0) / 4.0;
    ranks(&gaussian(values)).into_iter().map(class).collect()
}
