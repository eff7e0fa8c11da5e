//! Fuzzing of every parser of foreign bytes, on stable Rust: inputs from a corpus are mutated until the time is up, and
//! whatever panics is kept as a file.
//!
//! It is run by `cargo xtask suite fuzz --seconds N`. The random draws follow from `--seed`, so that a run on the same machine
//! can be had again; an input that failed belongs into the corpus, where the tests look at it from then on.

mod mutation;
mod run;
mod targets;

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Parser;

use run::{Budget, fuzz};
use targets::TARGETS;

/// Mutate inputs of every parser of foreign bytes until the time is up.
#[derive(Debug, Parser)]
struct Args {
    /// Time for all targets together
    #[arg(long, default_value_t = 30, value_name = "S", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Only this target
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// Seed of the random draws
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Folder for inputs that fail
    #[arg(long, default_value = "target/fuzz", value_name = "DIR")]
    failures: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let chosen: Vec<_> = TARGETS
        .iter()
        .filter(|target| args.target.as_deref().is_none_or(|name| name == target.name))
        .collect();
    let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
    ensure!(!chosen.is_empty(), "no such target; there are {}", names.join(", "));
    let share = Duration::from_secs(args.seconds) / u32::try_from(chosen.len())?;
    let (mut runs, mut failures) = (0, 0);
    for target in chosen {
        let budget = Budget { time: share, seed: args.seed };
        let outcome = fuzz(target, &budget, &args.failures).context(target.name)?;
        writeln!(
            std::io::stderr(),
            "{:<12} {:>9} inputs, {} failures",
            target.name,
            outcome.runs,
            outcome.failures
        )?;
        runs += outcome.runs;
        failures += outcome.failures;
    }
    let line = serde_json::json!({ "name": "fuzz", "runs": runs, "failures": failures, "skipped": [] });
    writeln!(std::io::stdout(), "{line}")?;
    ensure!(failures == 0, "{failures} inputs failed; they are in {}", args.failures.display());
    Ok(())
}
