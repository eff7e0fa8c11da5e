//! `weighhouse forecast`: files of predictions scored as a tournament scores them, offline.

mod files;
mod simulate;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;
use weighhouse_tasks::forecast::{
    self, CorrTerms, Neutralizers, Payout, PayoutTerms, ScoreError, Series, contribution, corr,
    feature_neutral_corr,
};

use crate::failure::{Context as _, Exit, Failure};
use crate::output::{self, Table};

use files::{column, columns};

/// Score files of predictions by CORR, MMC and FNC, and work out payouts.
#[derive(Subcommand, Debug)]
#[command(after_help = "\
Examples:
  weighhouse forecast score predictions.csv --target target.csv --meta meta.csv
  weighhouse forecast payout --corr 0.02 --mmc 0.01 --stake 100 --at-risk 72000
  weighhouse forecast simulate --seeds 20

docs/forecast.md has the formulas, and what a file must look like.")]
pub(crate) enum Forecast {
    /// Score predictions against the target that came
    Score(Score),
    /// What a stake is paid or loses for its scores
    Payout(PayoutArgs),
    /// What every sort of forecaster earns, on tournaments that are drawn
    Simulate(simulate::Simulate),
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse forecast score predictions.csv --target target.csv
  weighhouse forecast score predictions.csv --target target.csv --meta meta.csv --features features.csv --json
  weighhouse forecast score predictions.csv --target returns.csv --returns

Each file is CSV with a column `id`: predictions and the meta-model have `prediction`, the target has `target`,
features any further columns. At least 80 % of the ids must stand in both of two files.")]
pub(crate) struct Score {
    /// CSV with the columns id and prediction
    predictions: PathBuf,
    /// CSV with the columns id and target
    #[arg(long, value_name = "FILE")]
    target: PathBuf,
    /// The meta-model's predictions, for MMC; a benchmark's, for BMC
    #[arg(long, value_name = "FILE")]
    meta: Option<PathBuf>,
    /// Features over the predictions' ids, for FNC
    #[arg(long, value_name = "FILE")]
    features: Option<PathBuf>,
    /// Only the best and the worst so many predictions
    #[arg(long, value_name = "ROWS")]
    top_bottom: Option<usize>,
    /// The target is returns: CORR doesn't raise it to the power 1.5
    #[arg(long)]
    returns: bool,
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
#[command(
    allow_negative_numbers = true,
    after_help = "\
Examples:
  weighhouse forecast payout --corr 0.02 --mmc 0.01 --stake 100 --at-risk 72000
  weighhouse forecast payout --corr -0.1 --mmc -0.05 --stake 100 --at-risk 36000 --clip 0.05 --json

stake x clip(factor x (corr x corr-multiplier + mmc x mmc-multiplier)); factor is threshold / at-risk, at most 1.
The multipliers are a round's own: say those of yours."
)]
pub(crate) struct PayoutArgs {
    /// The forecast's CORR
    #[arg(long)]
    corr: f64,
    /// Its MMC, BMC or MPC
    #[arg(long)]
    mmc: f64,
    /// What this forecast is staked with
    #[arg(long)]
    stake: f64,
    /// What all forecasts of the round are staked with
    #[arg(long)]
    at_risk: f64,
    /// Weight of CORR in the round's score
    #[arg(long, default_value_t = 0.5)]
    corr_multiplier: f64,
    /// Weight of MMC in the round's score
    #[arg(long, default_value_t = 2.0)]
    mmc_multiplier: f64,
    /// Stake at risk beyond which all are paid less
    #[arg(long, default_value_t = 72_000.0)]
    threshold: f64,
    /// The most of a stake that is won or lost
    #[arg(long, default_value_t = 0.05)]
    clip: f64,
    #[arg(long)]
    json: bool,
}

/// Scores of one file; absent what wasn't asked for.
#[derive(Debug, Serialize)]
struct Scores {
    rows: usize,
    corr: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    mmc: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fnc: Option<f64>,
}

#[derive(Debug, Serialize)]
struct PaidOut {
    score: f64,
    payout_factor: f64,
    raw: f64,
    clipped: f64,
    payout: f64,
}

pub(crate) fn run(command: &Forecast) -> Result<(), Failure> {
    match command {
        Forecast::Score(args) => score(args),
        Forecast::Payout(args) => payout(args),
        Forecast::Simulate(args) => simulate::run(args),
    }
}

fn score(args: &Score) -> Result<(), Failure> {
    let predictions = column(&args.predictions, "prediction")?;
    let target = column(&args.target, "target")?;
    let terms =
        CorrTerms { top_bottom: args.top_bottom, raises_target: !args.returns, ..CorrTerms::default() };
    let scored = |what: &str, found: Result<f64, ScoreError>| found.exit(Exit::Data, what);
    let mut scores = Scores {
        rows: predictions.len(),
        corr: scored("CORR", corr(&predictions, &target, &terms))?,
        mmc: None,
        fnc: None,
    };
    if let Some(meta) = &args.meta {
        let meta = column(meta, "prediction")?;
        scores.mmc = Some(scored("MMC", contribution(&predictions, &meta, &target, args.top_bottom))?);
    }
    if let Some(features) = &args.features {
        let features = neutralizers(&columns(features)?, &predictions)?;
        let found = feature_neutral_corr(&predictions, &features, &target, args.top_bottom);
        scores.fnc = Some(scored("FNC", found)?);
    }
    if args.json {
        return Ok(output::json(&scores)?);
    }
    let mut table = Table::new(&["score", "value"]);
    for (name, value) in [("CORR", Some(scores.corr)), ("MMC", scores.mmc), ("FNC", scores.fnc)] {
        table.row(vec![name.to_owned(), value.map_or_else(|| "-".to_owned(), |value| format!("{value:.9}"))]);
    }
    Ok(table.print()?)
}

/// The features of the predictions' ids: each of those must have all of them.
fn neutralizers(features: &[Series], predictions: &Series) -> Result<Neutralizers, Failure> {
    let of_predictions = |feature: &Series| {
        let rows = predictions.ids().iter().map(|id| Some((id.clone(), feature.get(id)?)));
        rows.collect::<Option<Vec<_>>>()
    };
    let kept: Option<Vec<_>> = features.iter().map(of_predictions).collect();
    let missing = || Failure::new(Exit::Data, "FNC: a prediction's id has no features");
    let kept = kept.ok_or_else(missing)?.into_iter().map(Series::new).collect::<Result<Vec<_>, _>>();
    Neutralizers::new(&kept.exit(Exit::Data, "features")?).exit(Exit::Data, "features")
}

fn payout(args: &PayoutArgs) -> Result<(), Failure> {
    let terms = PayoutTerms {
        corr_multiplier: args.corr_multiplier,
        contribution_multiplier: args.mmc_multiplier,
        stake_threshold: args.threshold,
        total_at_risk: args.at_risk,
        clip: args.clip,
    };
    let Payout { score, payout_factor, raw, clipped, payout } =
        forecast::payout(&terms, args.corr, args.mmc, args.stake).map_err(Failure::config)?;
    if args.json {
        return Ok(output::json(&PaidOut { score, payout_factor, raw, clipped, payout })?);
    }
    let mut table = Table::new(&["", "value"]);
    for (name, value) in [
        ("score", score),
        ("payout factor", payout_factor),
        ("share of the stake", clipped),
        ("payout", payout),
    ] {
        table.row(vec![name.to_owned(), format!("{value:.9}")]);
    }
    table.print()?;
    if clipped != raw {
        output::line(format!("clipped: unclipped it would have been {raw:.9} of the stake"))?;
    }
    if payout < 0.0 {
        output::line("negative: that much of the stake is burned")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
