//! `weighhouse policy redteam`: an optimiser in the attacker's place.

use std::path::PathBuf;

use clap::Args;
use tokio_util::sync::CancellationToken;
use weighhouse_lab::search::{RedTeam, Response};

use super::budget::Budget;
use super::files::{profile, read_any, read_policy};
use super::world::Economy;
use crate::failure::{Context, Exit, Failure};
use crate::output::{self, Table};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse policy redteam --evaluations 2000
  weighhouse policy redteam --policy new.toml --profile digits-quality-shared --time 10m --log redteam.log
  weighhouse policy redteam --strategy mine.toml --evaluate     what a strategy of yours earns

The figure is the attacker's profit over what the same operators would earn by honest work, in worlds that the search
did not see. `--json` ends with an object that holds `best_response`, `evaluations` and the replayable `strategy`.")]
pub(crate) struct Redteam {
    /// The policy to attack
    #[arg(long, value_name = "FILE", default_value = "default")]
    policy: PathBuf,
    /// The task's measured figures: a profile that ships, or a file of `weighhouse task measure`
    #[arg(long, default_value = "digits-conformance-private", value_name = "NAME|FILE")]
    profile: String,
    #[arg(long, default_value_t = 2000, value_name = "N")]
    evaluations: u64,
    /// The optimiser's seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A further strategy to begin with, as TOML or JSON; may be repeated
    #[arg(long = "strategy", value_name = "FILE")]
    strategies: Vec<PathBuf>,
    /// Only measure the given strategies in the full world, without a search
    #[arg(long, requires = "strategies")]
    evaluate: bool,
    #[command(flatten)]
    economy: Economy,
    #[command(flatten)]
    budget: Budget,
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Redteam, shutdown: &CancellationToken) -> Result<(), Failure> {
    let policy = read_policy(&args.policy)?;
    let assumptions = args.economy.assumptions()?;
    let mut game = RedTeam::new(profile(&args.profile)?, &policy, args.evaluations, assumptions);
    game.seed = args.seed;
    game.starts = args.strategies.iter().map(|path| read_any(path)).collect::<Result<_, _>>()?;
    if args.evaluate {
        return evaluate(&game, args);
    }
    // The search minimises; the sign turns its best back into a profit.
    let (log, mut watcher) = args.budget.watch(args.evaluations, -1.0, shutdown)?;
    let response = game.run(log, &mut watcher);
    // The watcher first: where the log can't be written, that is why the search ended.
    watcher.finish()?;
    let response = response.exit(Exit::Config, "the red team")?;
    if args.json { Ok(output::json(&response)?) } else { print(&response) }
}

fn evaluate(game: &RedTeam, args: &Redteam) -> Result<(), Failure> {
    for (strategy, path) in game.starts.iter().zip(&args.strategies) {
        let worth = game.evaluate(strategy).exit(Exit::Config, path.display())?;
        if args.json {
            output::json(&serde_json::json!({ "strategy": strategy, "worth": worth }))?;
        } else {
            output::line(format!(
                "{}: {:.4} of honest profit ({:.4} to {:.4}) at {:.0} % attackers",
                path.display(),
                worth.ratio,
                worth.ci95[0],
                worth.ci95[1],
                worth.fraction * 100.0
            ))?;
        }
    }
    Ok(())
}

fn print(response: &Response) -> Result<(), Failure> {
    let mut table = Table::new(&["held out", "95 %", "screening", "training", "attackers %", "<strategy"]);
    for finalist in &response.finalists {
        let [least, most] = finalist.worth.ci95;
        table.row(vec![
            format!("{:.4}", finalist.worth.ratio),
            format!("{least:.4}..{most:.4}"),
            format!("{:.4}", finalist.screening),
            format!("{:.4}", finalist.training),
            format!("{:.0}", finalist.worth.fraction * 100.0),
            finalist.strategy.summary(),
        ]);
    }
    table.print()?;
    output::line(format!(
        "best response on {} after {} evaluations: {:.4} of honest profit ({:.4} to {:.4})",
        response.task, response.evaluations, response.best_response, response.ci95[0], response.ci95[1]
    ))?;
    output::line(format!("assumes that {}", response.assumptions.in_words()))?;
    output::line("its strategy, for --strategy:")?;
    Ok(output::line(toml::to_string(&response.strategy).exit(Exit::Internal, "the strategy")?.trim_end())?)
}
