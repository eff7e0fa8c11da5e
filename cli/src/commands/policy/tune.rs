//! `weighhouse policy tune`: a search for a better policy.

use std::path::PathBuf;

use clap::Args;
use tokio_util::sync::CancellationToken;
use weighhouse_lab::search::tuning::{Decision, TunedCandidate};
use weighhouse_lab::search::{SearchError, Tuning, TuningError, TuningResult, tune as search};

use super::budget::Budget;
use super::files::read_policy;
use crate::commands::ReservedFile;
use crate::failure::{Context, Exit, Failure};
use crate::output::{self, Table};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse policy tune tuning.toml --out better.toml
  weighhouse policy tune tuning.toml --policy mine.toml --out better.toml --time 1h --log tuning.log --json

deploy/tuning.toml shows every key of a tuning file: parameters with their ranges, objectives, worlds, training and
held-out seeds. The winner is a policy file with its provenance at the head.")]
pub(crate) struct Tune {
    /// The tuning file
    tuning: PathBuf,
    /// The policy to start from
    #[arg(long, value_name = "FILE", default_value = "default")]
    policy: PathBuf,
    /// File to write the winner to; printed if not given
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    budget: Budget,
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Tune, shutdown: &CancellationToken) -> Result<(), Failure> {
    let bytes = std::fs::read(&args.tuning).exit(Exit::Missing, args.tuning.display())?;
    let tuning = Tuning::parse(&bytes).exit(Exit::Config, args.tuning.display())?;
    let base = read_policy(&args.policy)?;
    let out = args.out.as_deref().map(ReservedFile::open).transpose()?;
    let (log, mut watcher) = args.budget.watch(tuning.evaluations, 1.0, shutdown)?;
    let proving = tuning.proving().exit(Exit::Config, args.tuning.display())?;
    let result = search(&tuning, &base, &proving, log, &mut watcher);
    watcher.finish()?;
    let result = result.map_err(|error| {
        let exit =
            if matches!(error, TuningError::Search(SearchError::Log(_))) { Exit::Data } else { Exit::Config };
        Failure::new(exit, format!("{}: {error}", args.tuning.display()))
    })?;
    let written = out.map_or(Ok(()), |file| file.write(result.winner_text.as_bytes()));
    if let Err(failure) = written {
        // Printed at least: the search that found it may have taken hours.
        output::line(result.winner_text.trim_end())?;
        return Err(failure);
    }
    if args.json {
        return Ok(output::json(&result)?);
    }
    print(&result)?;
    match &args.out {
        Some(out) => Ok(output::line(format!("the winner is in {}", out.display()))?),
        None => Ok(output::line(result.winner_text.trim_end())?),
    }
}

fn print(result: &TuningResult) -> Result<(), Failure> {
    let is_front = result.decision == Decision::Front;
    let mut table = Table::new(&[
        "<policy",
        if is_front { "distance" } else { "objective" },
        "held out",
        "attack profit",
        "rank corr.",
        "vtrust",
        "newcomer",
        "honest loss",
    ]);
    let mut row = |name: String, tuned: &TunedCandidate, compared: bool| {
        let held = &tuned.held_out;
        let objective = |value: f64| if compared { format!("{value:.4}") } else { "-".to_owned() };
        table.row(vec![
            name,
            objective(tuned.train_objective),
            objective(tuned.held_out_objective),
            format!("{:.4}", held.attack_profit),
            format!("{:.4}", held.rank_correlation),
            format!("{:.4}", held.vtrust),
            format!("{:.2}", held.newcomer_delay),
            format!("{:.4}", held.honest_loss),
        ]);
    };
    // Distances are between members of a front: the base has one where it is a member.
    row("base".to_owned(), &result.base, !is_front);
    row("winner".to_owned(), &result.winner, true);
    for (at, finalist) in result.finalists.iter().enumerate() {
        let name = if is_front { "front" } else { "finalist" };
        row(format!("{name} {}", at + 1), finalist, true);
    }
    table.print()?;
    if is_front {
        output::line(format!(
            "the front: {} policies that no other beats in every objective on held-out seeds; the winner is the nearest to the best \
             of each",
            result.finalists.len()
        ))?;
    }
    for (key, value) in &result.winner.values {
        output::line(format!("{key} = {value}"))?;
    }
    output::line(format!("assumes that {}", result.assumptions.in_words()))?;
    Ok(output::line(format!(
        "{} evaluations; the columns right of `held out` are measured on held-out seeds",
        result.evaluations
    ))?)
}
