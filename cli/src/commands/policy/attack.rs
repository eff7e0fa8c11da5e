//! `weighhouse policy attack`: every known attack against policies, at several shares of bad miners.

use std::path::PathBuf;

use clap::Args;
use weighhouse_lab::attack::{self, AttackPlan, FRACTIONS, Matrix};
use weighhouse_lab::report::Data;

use super::files::named_policy;
use super::world::{OutputForm, World, named_attack};
use crate::failure::{Context, Exit, Failure};
use crate::output;

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
    shown: OutputForm,
}

pub(crate) fn run(args: &Attack) -> Result<(), Failure> {
    let base = args.world.scenario()?;
    let policies = args.policies.iter().map(|path| named_policy(path)).collect::<Result<Vec<_>, _>>()?;
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
