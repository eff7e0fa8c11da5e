//! `weighhouse policy simulate`, `attack` and `diff --profile`: policies in simulated subnets.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::de::DeserializeOwned;
use weighhouse_lab::attack::{self, AttackPlan, CATALOGUE, FRACTIONS, Matrix};
use weighhouse_lab::report::{self, Data};
use weighhouse_lab::sim::{MinerGroup, Mix, Scenario, Strategy, run_all};
use weighhouse_scoring::policy::PolicyFile;

use super::check::profile;
use super::{named_policy, read_policy};
use crate::commands::read_text;
use crate::commands::write_file;
use crate::failure::{Context, Exit, Failure};
use crate::output;

/// The columns that a terminal gives a report; files and pipes get as many.
const WIDTH: usize = 110;

/// The subnet that attacks are tried in.
#[derive(Args, Clone, Debug)]
pub(crate) struct World {
    /// The task's measured figures: a profile that ships, or a file of `weighhouse task measure`
    #[arg(long, default_value = "digits-conformance-private", value_name = "NAME|FILE")]
    profile: String,
    /// Miners' uids
    #[arg(long, default_value_t = 32, value_name = "N")]
    miners: u16,
    /// Honest validators with equal stake
    #[arg(long, default_value_t = 8, value_name = "N")]
    validators: u16,
    #[arg(long, default_value_t = 100, value_name = "N")]
    epochs: u32,
    /// Challenges to each miner by each validator in an epoch
    #[arg(long, default_value_t = 32, value_name = "N")]
    challenges: u32,
    /// The cost of honest work over what it earns
    #[arg(long, default_value_t = 0.5, value_name = "SHARE")]
    cost_share: f64,
    /// How many random worlds
    #[arg(long, default_value_t = 8, value_name = "N")]
    seeds: u64,
    /// The first world's seed
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
}

impl World {
    fn scenario(&self) -> Result<Scenario, Failure> {
        let mut scenario =
            Scenario::honest(profile(&self.profile)?, self.miners, self.validators, self.epochs);
        scenario.judging.challenges = self.challenges;
        scenario.economy.cost_share = self.cost_share;
        Ok(scenario)
    }

    fn seeds(&self) -> Vec<u64> {
        (self.seed..self.seed.saturating_add(self.seeds.max(1))).collect()
    }
}

/// Where results go.
#[derive(Args, Clone, Debug)]
pub(crate) struct Shown {
    /// Also write a page that a browser shows without a network
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Draw with letters instead of blocks
    #[arg(long)]
    ascii: bool,
    #[arg(long)]
    json: bool,
}

impl Shown {
    fn print(&self, data: &Data) -> Result<(), Failure> {
        if let Some(path) = &self.report {
            write_file(path, report::html(data).as_bytes())?;
            output::note(format!("report written to {}", path.display()));
        }
        if self.json {
            return Ok(());
        }
        let color = std::io::IsTerminal::is_terminal(&std::io::stdout());
        let text = if self.ascii { report::ascii(data, WIDTH) } else { report::text(data, WIDTH, color) };
        Ok(output::line(text.trim_end())?)
    }
}

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
    shown: Shown,
}

pub(crate) fn simulate(args: &Simulate) -> Result<(), Failure> {
    let mut scenario: Scenario = match &args.scenario {
        Some(path) => read_any(path)?,
        None => args.world.scenario()?,
    };
    if let Some(path) = &args.policy {
        scenario.policy = read_policy(path)?;
    }
    if let Some(name) = &args.attack {
        let attack = named_attack(name)?;
        join(&mut scenario, &attack.strategy, args.fraction)?;
    }
    if args.print_scenario {
        return Ok(output::line(
            toml::to_string(&scenario).exit(Exit::Internal, "the scenario")?.trim_end(),
        )?);
    }
    output::live(format_args!("{} worlds of {} epochs", args.world.seeds, scenario.epochs));
    let policy = scenario.policy.clone();
    let outcomes = run_all(&[scenario], &args.world.seeds());
    output::live("");
    let outcomes = outcomes.exit(Exit::Config, "the scenario")?.concat();
    if args.shown.json {
        outcomes.iter().try_for_each(output::json)?;
    }
    let mut data = Data::of_outcomes("A simulated subnet", &outcomes);
    data.note("policy", policy.hash().to_string());
    args.shown.print(&data)
}

/// Replaces a part of the first group of miners by attackers.
fn join(scenario: &mut Scenario, strategy: &Strategy, fraction: f64) -> Result<(), Failure> {
    if !(0.0..=1.0).contains(&fraction) {
        return Err(Failure::config(format!("--fraction is {fraction}, it must lie between 0 and 1")));
    }
    let Some(honest) = scenario.miners.first_mut() else {
        return Err(Failure::config("the scenario has no miners to replace by attackers"));
    };
    let uids = (f64::from(honest.operators) * fraction).round() as u16;
    let operators = (uids / strategy.identities.max(1)).max(1);
    honest.operators = honest.operators.saturating_sub(operators * strategy.identities);
    scenario.miners.push(MinerGroup::attackers(strategy.clone(), operators));
    Ok(())
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse policy attack
  weighhouse policy attack --policy default --policy new.toml --report attacks.html
  weighhouse policy attack --attack sleeper --attack my-strategy.toml --fractions 0,0.2,0.4 --seeds 32
  weighhouse policy attack --profile digits-quality-shared --attack sybil-16 --json

A cell is what attacking earns over what the same operators would earn by honest work in the same place: at most 1 where
the attack doesn't pay. `--json` ends with an object whose `matrix` has a row per attack, fraction and policy. A strategy
file is TOML or JSON; `policy simulate --print-scenario --attack NAME` shows one.")]
pub(crate) struct Attack {
    /// A policy to attack; may be repeated
    #[arg(long = "policy", value_name = "FILE", default_value = "default")]
    policies: Vec<PathBuf>,
    /// A known attack, a strategy file, or `sybil-N`; all that are known if none is given
    #[arg(long = "attack", value_name = "NAME|FILE")]
    attacks: Vec<String>,
    /// Shares of bad miners; 0 is a single one
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    fractions: Vec<f64>,
    #[command(flatten)]
    world: World,
    #[command(flatten)]
    shown: Shown,
}

pub(crate) fn attack(args: &Attack) -> Result<(), Failure> {
    let base = args.world.scenario()?;
    let policies = args.policies.iter().map(|path| named_policy(path)).collect::<Result<Vec<_>, _>>()?;
    let attacks = if args.attacks.is_empty() {
        let (attacks, missing) = attack::catalogue(&base.profile);
        if !missing.is_empty() {
            output::note(format!("the profile has no figures for {}; left out", missing.join(", ")));
        }
        attacks
    } else {
        args.attacks.iter().map(|name| named_attack(name)).collect::<Result<Vec<_>, _>>()?
    };
    let fractions = if args.fractions.is_empty() { FRACTIONS.to_vec() } else { args.fractions.clone() };
    let plan = AttackPlan { base, policies, attacks, fractions, seeds: args.world.seeds() };
    output::live(format_args!(
        "{} attacks x {} fractions x {} policies x {} seeds",
        plan.attacks.len(),
        plan.fractions.len(),
        plan.policies.len(),
        plan.seeds.len()
    ));
    let matrix = attack::matrix(&plan);
    output::live("");
    let matrix = matrix.exit(Exit::Config, "the attacks")?;
    args.shown.print(&attack_data(&plan, &matrix))?;
    if args.shown.json {
        output::json(&matrix)?;
    }
    Ok(())
}

fn attack_data(plan: &AttackPlan, matrix: &Matrix) -> Data {
    let mut data = Data::of_matrix("What attacking earns against honest work", matrix);
    for (name, file) in &plan.policies {
        data.note(format!("policy {name}"), file.hash().to_string());
    }
    data
}

/// An attack of the catalogue, or a strategy of the user's own.
fn named_attack(name: &str) -> Result<attack::Attack, Failure> {
    if let Some(attack) = attack::Attack::named(name) {
        return Ok(attack);
    }
    let path = Path::new(name);
    if !path.exists() {
        let known: Vec<_> = CATALOGUE.iter().map(|(known, _)| *known).collect();
        let message =
            format!("no attack and no file {name:?}; attacks are {}, and sybil-N", known.join(", "));
        return Err(Failure::new(Exit::Missing, message));
    }
    let strategy: Strategy = read_any(path)?;
    let is_honest = |mix: &Mix| mix.0.iter().all(|(kind, share)| kind == "honest" || *share == 0.0);
    let detectable = !(is_honest(&strategy.work) && strategy.rest.as_ref().is_none_or(is_honest));
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let label =
        if strategy.name.is_empty() || strategy.name == "honest" { stem } else { strategy.name.clone() };
    Ok(attack::Attack { name: label.clone(), detectable, strategy: Strategy { name: label, ..strategy } })
}

/// TOML, or JSON where the name ends in `.json`.
pub(super) fn read_any<T: DeserializeOwned>(path: &Path) -> Result<T, Failure> {
    let text = read_text(path)?;
    if path.extension().is_some_and(|extension| extension == "json") {
        return serde_json::from_str(&text).exit(Exit::Config, path.display());
    }
    weighhouse_types::config::parse(&text).exit(Exit::Config, path.display())
}

/// A miner of each measured kind beside honest ones, under both policies.
pub(super) fn diff(policies: [PolicyFile; 2], profile_name: &str, json: bool) -> Result<(), Failure> {
    const HONEST: u16 = 16;
    let profile = profile(profile_name)?;
    let kinds: Vec<String> = profile.personas.iter().map(|kind| kind.name.clone()).collect();
    let mut scenario = Scenario::honest(profile, HONEST, 8, 60);
    for kind in kinds.iter().filter(|kind| *kind != "honest") {
        scenario.miners.push(MinerGroup::attackers(Strategy::plain(kind, kind), 1));
    }
    scenario.subnet.max_uids += kinds.len() as u16;
    let scenarios = policies.map(|policy| Scenario { policy, ..scenario.clone() });
    let seeds: Vec<u64> = (1..=8).collect();
    let runs = run_all(&scenarios, &seeds).exit(Exit::Config, "the simulation")?;
    let share = |runs: &[weighhouse_lab::sim::Outcome], name: &str| {
        let of = |run: &weighhouse_lab::sim::Outcome| {
            let earned = run.group(name).map_or(0, |group| group.emission_rao);
            earned as f64 / (run.miners_rao as f64).max(1.0)
        };
        runs.iter().map(of).sum::<f64>() / runs.len().max(1) as f64
    };
    let mut rows: Vec<_> = scenario
        .miners
        .iter()
        .map(|group| (group.name.clone(), share(&runs[0], &group.name), share(&runs[1], &group.name)))
        .collect();
    rows.sort_by(|one, other| (other.2 - other.1).total_cmp(&(one.2 - one.1)));
    if json {
        let rows: Vec<_> = rows
            .iter()
            .map(
                |(kind, before, after)| serde_json::json!({ "kind": kind, "before": before, "after": after }),
            )
            .collect();
        return Ok(output::json(
            &serde_json::json!({ "profile": profile_name, "seeds": seeds.len(), "changes": rows }),
        )?);
    }
    let mut table = output::Table::new(&["<miners", "before %", "after %", "gain %"]);
    for (kind, before, after) in rows {
        let percent = |share: f64| format!("{:.3}", share * 100.0);
        table.row(vec![kind, percent(before), percent(after), format!("{:+.3}", (after - before) * 100.0)]);
    }
    table.print()?;
    Ok(output::line(format!(
        "{HONEST} honest miners and one of each other kind on {profile_name}, share of miners' emission over 60 epochs, {} seeds",
        seeds.len()
    ))?)
}
