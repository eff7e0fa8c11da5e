//! `weighhouse policy attack`: every known attack against policies, at several shares of bad miners.

use std::path::PathBuf;

use clap::Args;
use weighhouse_lab::attack::{self, AttackPlan, FRACTIONS, Matrix};
use weighhouse_lab::job::Priced;
use weighhouse_lab::report::verdict::LIMIT;
use weighhouse_lab::report::{self, Data, RunVerdict};

use super::files::named_policies;
use super::world::{OutputForm, World, named_attack};
use crate::commands::ReservedFile;
use crate::failure::{Context, Exit, Failure};
use crate::output;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse policy attack
  weighhouse policy attack --policy default --policy new.toml --report attacks.html
  weighhouse policy attack --attack sleeper --attack my-strategy.toml --fractions 0,0.2,0.4 --seeds 32
  weighhouse policy attack --profile digits-quality-shared --attack sybil-16 --json
  weighhouse policy attack --policy mine.toml --fail-above 1.05 --badge attacks.svg     for CI

A cell is what attacking earns over what the same operators would earn by honest work in the same place: at most 1 where
the attack doesn't pay. The verdict counts every attack at up to 40 % bad miners. `--json` ends with an object whose
`matrix` has a row per attack, fraction and policy, and whose `verdicts` have one per policy. A strategy file is TOML or
JSON; `policy simulate --print-scenario --attack NAME` shows one. `policy attacks` explains each.")]
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
    /// End with exit code 1 unless every attack is shown to earn at most this multiple of honest work, such as 1.05
    #[arg(long, value_name = "RATIO")]
    fail_above: Option<f64>,
    /// Also write a badge with the best attack's profit, green up to 1.05 or the limit given
    #[arg(long, value_name = "FILE.svg")]
    badge: Option<PathBuf>,
    #[command(flatten)]
    world: World,
    #[command(flatten)]
    shown: OutputForm,
}

pub(crate) fn run(args: &Attack) -> Result<(), Failure> {
    let limit = args.fail_above.unwrap_or(LIMIT);
    if !(limit.is_finite() && limit > 0.0) {
        return Err(Failure::config(format!("--fail-above {limit}: a ratio above 0, such as 1.05")));
    }
    let plan = plan(args)?;
    let page = args.shown.reserve()?;
    let badge = args.badge.as_deref().map(ReservedFile::open).transpose()?;
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
    for (attack, fraction) in &matrix.left_out {
        let percent = fraction * 100.0;
        output::note(format!("{attack} at {percent} % has too many identities for this subnet; left out"));
    }
    let data = attack_data(&plan, &matrix);
    let verdicts = data.verdicts();
    let drawn = badge.map_or(Ok(()), |file| file.write(report::badge(&verdicts, limit).as_bytes()));
    args.shown.print(&data, page)?;
    drawn?;
    if args.shown.json {
        output::json(&Priced::new(&matrix))?;
    }
    if args.fail_above.is_some() { holds(&verdicts, limit) } else { Ok(()) }
}

fn plan(args: &Attack) -> Result<AttackPlan, Failure> {
    let base = args.world.scenario()?;
    let attacks = if args.attacks.is_empty() {
        let (attacks, missing) = attack::catalogue(&base.profile);
        if !missing.is_empty() {
            output::note(format!("the profile has no figures for {}; left out", missing.join(", ")));
        }
        attacks
    } else {
        args.attacks.iter().map(|name| named_attack(name, &base.profile)).collect::<Result<Vec<_>, _>>()?
    };
    let fractions = if args.fractions.is_empty() { FRACTIONS.to_vec() } else { args.fractions.clone() };
    let plan = AttackPlan {
        base,
        policies: named_policies(&args.policies)?,
        attacks,
        fractions,
        seeds: args.world.seeds(2)?,
    };
    plan.check().exit(Exit::Config, "the attacks")?;
    Ok(plan)
}

/// Refuses where an attack may earn more than `limit` times honest profit.
fn holds(verdicts: &[RunVerdict], limit: f64) -> Result<(), Failure> {
    let failing: Vec<String> = verdicts
        .iter()
        .filter(|verdict| !verdict.holds(limit))
        .map(|verdict| format!("{}: {}", verdict.policy, verdict.sentence()))
        .collect();
    if failing.is_empty() {
        return Ok(());
    }
    Err(Failure::new(Exit::Above, format!("above {limit} of honest work: {}", failing.join(" "))))
}

fn attack_data(plan: &AttackPlan, matrix: &Matrix) -> Data {
    let mut data = Data::of_matrix("What attacking earns against honest work", matrix);
    for (name, file) in &plan.policies {
        data.note(format!("policy {name}"), file.hash().to_string());
    }
    data
}
