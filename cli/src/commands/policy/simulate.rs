//! `weighhouse policy simulate`: a policy in a simulated subnet.

use std::path::PathBuf;

use clap::Args;
use weighhouse_lab::report::Data;
use weighhouse_lab::sim::{Scenario, run_all};

use super::files::{read_any, read_policy};
use super::world::{OutputForm, World, named_attack};
use crate::failure::{Context, Exit, Failure};
use crate::output;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse policy simulate
  weighhouse policy simulate --attack sleeper --fraction 0.3 --report sleeper.html
  weighhouse policy simulate --scenario world.toml --seeds 32 --json
  weighhouse policy simulate --print-scenario > world.toml     a scenario file to start from")]
pub(crate) struct Simulate {
    /// A world as TOML or JSON, instead of the options below
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// The policy; a scenario's own if not given
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// A known attack, a strategy file, or `sybil-N`
    #[arg(long, value_name = "NAME|FILE")]
    attack: Option<String>,
    /// Share of the miners that attack
    #[arg(long, default_value_t = 0.3, value_name = "SHARE")]
    fraction: f64,
    /// Print the scenario as TOML and run nothing
    #[arg(long)]
    print_scenario: bool,
    #[command(flatten)]
    world: World,
    #[command(flatten)]
    shown: OutputForm,
}

pub(crate) fn run(args: &Simulate) -> Result<(), Failure> {
    let mut scenario: Scenario = match &args.scenario {
        Some(path) => read_any(path)?,
        None => args.world.scenario()?,
    };
    if let Some(path) = &args.policy {
        scenario.policy = read_policy(path)?;
    }
    if let Some(name) = &args.attack {
        let attack = named_attack(name, &scenario.profile)?;
        scenario.attacked(&attack.strategy, args.fraction).exit(Exit::Config, "--attack")?;
    }
    if args.print_scenario {
        return Ok(output::line(
            toml::to_string(&scenario).exit(Exit::Internal, "the scenario")?.trim_end(),
        )?);
    }
    let seeds = args.world.seeds(1)?;
    let page = args.shown.reserve()?;
    output::live(format_args!("{} worlds of {} epochs", seeds.len(), scenario.epochs));
    let policy = scenario.policy.clone();
    let outcomes = run_all(&[scenario], &seeds);
    output::live("");
    let outcomes = outcomes.exit(Exit::Config, "the scenario")?.concat();
    if args.shown.json {
        outcomes.iter().try_for_each(output::json)?;
    }
    let mut data = Data::of_outcomes("A simulated subnet", &outcomes);
    data.note("policy", policy.hash().to_string());
    args.shown.print(&data, page)
}
