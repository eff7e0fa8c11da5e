//! `weighhouse forecast simulate`.

use clap::Args;
use serde::Serialize;
use weighhouse_tasks::forecast::{Forecaster, TournamentOutcome, TournamentPlan, draw_tournament, everybody};
use weighhouse_tasks::label::Interval;

use crate::failure::Failure;
use crate::output::{self, Table};

const RAO: f64 = 1e9;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse forecast simulate
  weighhouse forecast simulate --copies 4 --alike 0.8
  weighhouse forecast simulate --seeds 200 --rounds 200 --json

Eight forecasters who see the signal, each through an error of its own, and noise, mirror twins, one that knows the past by heart, one that is
late, one that churns, and a bluffer with ten times the stake. With --copies, copies of the first forecaster's model beside the eight.")]
pub(crate) struct Simulate {
    #[arg(long, default_value_t = 20)]
    seeds: u64,
    #[arg(long, default_value_t = 200)]
    rounds: usize,
    /// Rows that are ranked in a round
    #[arg(long, default_value_t = 100)]
    ids: usize,
    /// Rounds that are open at once: the lag of the errors of a mean
    #[arg(long, default_value_t = 20)]
    open: usize,
    /// Copies of the first forecaster's model
    #[arg(long, value_name = "N")]
    copies: Option<usize>,
    /// Correlation of a copy with its model
    #[arg(long, default_value_t = 1.0)]
    alike: f64,
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Account {
    seeds: u64,
    rounds: usize,
    forecasters: Vec<ForecasterAccount>,
    meta_corr: Figure,
    /// CORR of the meta-model above that of the model that was best on earlier rounds, seed by seed.
    meta_gain: Figure,
}

#[derive(Debug, Serialize)]
struct ForecasterAccount {
    forecaster: &'static str,
    count: usize,
    /// Mean signed score of one of them.
    score: Figure,
    /// What all of them are paid together, as a share of what one signal is.
    of_signal: f64,
    /// Change of one's stake, in tao; negative: burned.
    payout: Figure,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Figure {
    mean: f64,
    half_width: f64,
}

pub(super) fn run(args: &Simulate) -> Result<(), Failure> {
    let plan = plan(args)?;
    let outcomes: Vec<TournamentOutcome> = (0..args.seeds).map(|seed| draw_tournament(&plan, seed)).collect();
    let account = account(args, &plan, &outcomes);
    if args.json {
        return Ok(output::json(&account)?);
    }
    let mut table = Table::new(&["forecaster", "count", "score", "pay, of one signal's", "stake"]);
    for ForecasterAccount { forecaster, count, score, of_signal, payout } in &account.forecasters {
        table.row(vec![
            (*forecaster).to_owned(),
            count.to_string(),
            format!("{:+.4} (+-{:.4})", score.mean, score.half_width),
            format!("{:.1} %", 100.0 * of_signal),
            format!("{:+.1} (+-{:.1})", payout.mean, payout.half_width),
        ]);
    }
    table.print()?;
    let (meta, gain) = (account.meta_corr, account.meta_gain);
    output::line(format!(
        "meta-model: CORR {:.4} (+-{:.4}), {:+.4} (+-{:.4}) beside the model that was best on earlier rounds.",
        meta.mean, meta.half_width, gain.mean, gain.half_width
    ))?;
    Ok(())
}

fn plan(args: &Simulate) -> Result<TournamentPlan, Failure> {
    let limits = [
        ("--seeds", args.seeds >= 1 && args.seeds <= 10_000, "1 to 10,000"),
        ("--rounds", (4..=10_000).contains(&args.rounds), "4 to 10,000"),
        ("--ids", (20..=10_000).contains(&args.ids), "20 to 10,000"),
        ("--open", args.open < args.rounds, "fewer than there are rounds"),
        ("--copies", args.copies.is_none_or(|copies| copies <= 100), "0 to 100"),
        ("--alike", (0.0..=1.0).contains(&args.alike), "0 to 1"),
    ];
    if let Some((key, _, allowed)) = limits.iter().find(|(_, holds, _)| !holds) {
        return Err(Failure::config(format!("{key}: {allowed}")));
    }
    let forecasters = match args.copies {
        None => everybody(),
        Some(copies) => {
            let signals = std::iter::repeat_n(Forecaster::Signal, 8);
            signals.chain(std::iter::repeat_n(Forecaster::Copy(args.alike), copies)).collect()
        }
    };
    let plan = TournamentPlan::new(forecasters);
    Ok(TournamentPlan { ids: args.ids, rounds: args.rounds, open_at_once: args.open, ..plan })
}

fn account(args: &Simulate, plan: &TournamentPlan, outcomes: &[TournamentOutcome]) -> Account {
    let figure = |of: &dyn Fn(&TournamentOutcome) -> f64| {
        let Interval { mean, half_width } = Interval::of(&outcomes.iter().map(of).collect::<Vec<_>>());
        Figure { mean, half_width }
    };
    let names: Vec<&str> = plan.forecasters.iter().map(|forecaster| forecaster.name()).collect();
    let places = |name: &str| -> Vec<usize> { (0..names.len()).filter(|at| names[*at] == name).collect() };
    let paid =
        |places: &[usize]| figure(&|outcome| places.iter().map(|at| outcome.pay[*at]).sum::<f64>()).mean;
    let signals = places(Forecaster::Signal.name());
    let of_one = paid(&signals) / signals.len() as f64;
    let mut forecasters = Vec::new();
    for name in
        names.iter().enumerate().filter(|(at, name)| !names[..*at].contains(name)).map(|(_, name)| *name)
    {
        let places = places(name);
        let each = places.len() as f64;
        forecasters.push(ForecasterAccount {
            forecaster: name,
            count: places.len(),
            score: figure(&|outcome| places.iter().map(|at| outcome.scores[*at]).sum::<f64>() / each),
            of_signal: if of_one > 0.0 { paid(&places) / of_one } else { 0.0 },
            payout: figure(&|outcome| {
                places.iter().map(|at| outcome.payouts[*at] as f64 / RAO).sum::<f64>() / each
            }),
        });
    }
    Account {
        seeds: args.seeds,
        rounds: args.rounds,
        forecasters,
        meta_corr: figure(&|outcome| outcome.meta_corr),
        meta_gain: figure(&|outcome| outcome.meta_corr - outcome.best_corr),
    }
}
