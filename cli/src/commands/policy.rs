//! `weighhouse policy`: everything about how judgements become weights, without a chain or a model.

mod check;
mod journal;
mod lab;
mod rollout;
mod search;

use std::path::Path;

use clap::Subcommand;
use tokio_util::sync::CancellationToken;
use weighhouse_scoring::policy::{DEFAULT_POLICY, MAX_POLICY_BYTES, PolicyFile};

use crate::failure::{Context, Exit, Failure};

/// Write, check, compare, replay, attack and tune scoring policies.
#[derive(Subcommand, Debug)]
#[command(after_help = "\
Examples:
  weighhouse policy check policy.toml
  weighhouse policy replay --journal journal
  weighhouse policy diff old.toml new.toml --journal journal
  weighhouse policy attack --policy policy.toml --report attacks.html

Where a policy file is asked for, `default` means the one that ships.")]
pub(crate) enum Policy {
    /// Print the policy that ships, with a comment on every key
    Default,
    /// Print the JSON Schema of policy files
    Schema,
    /// Print the digest by which records and roll-outs name a policy
    Hash(check::Hash),
    /// Say what is wrong or doubtful with a policy
    #[command(alias = "lint")]
    Check(check::Lint),
    /// Show one miner's way from its answers to its weight, step by step
    #[command(alias = "explain")]
    Why(journal::Explain),
    /// Replay a journal's epochs, under their own policies or another
    Replay(journal::Replay),
    /// Show who gains and who loses from a change of policy
    Diff(journal::Diff),
    /// Sign a change of policy as the subnet's owner, for validators to stage
    Rollout(rollout::Rollout),
    /// Run a simulated subnet
    Simulate(lab::Simulate),
    /// Measure what each known attack earns against honest work
    Attack(lab::Attack),
    /// Let an optimiser play the attacker and report the best response it finds
    Redteam(search::Redteam),
    /// Search for a better policy
    Tune(search::Tune),
}

pub(crate) async fn run(command: Policy, shutdown: CancellationToken) -> Result<(), Failure> {
    match command {
        Policy::Default => Ok(crate::output::line(DEFAULT_POLICY.trim_end())?),
        Policy::Schema => check::schema(),
        Policy::Hash(args) => check::hash(&args),
        Policy::Check(args) => check::lint(&args).await,
        Policy::Why(args) => journal::explain(&args),
        Policy::Replay(args) => journal::replay(&args, &shutdown),
        Policy::Diff(args) => journal::diff(&args, &shutdown),
        Policy::Rollout(args) => rollout::run(&args).await,
        Policy::Simulate(args) => lab::simulate(&args),
        Policy::Attack(args) => lab::attack(&args),
        Policy::Redteam(args) => search::redteam(&args, &shutdown),
        Policy::Tune(args) => search::tune(&args, &shutdown),
    }
}

/// Reads a policy file; `default` is the one that ships.
fn read_policy(path: &Path) -> Result<PolicyFile, Failure> {
    if path.as_os_str() == "default" {
        return Ok(PolicyFile::shipped());
    }
    let file = std::fs::File::open(path).exit(Exit::Missing, path.display())?;
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut std::io::Read::take(file, MAX_POLICY_BYTES as u64 + 1), &mut bytes)?;
    PolicyFile::parse(&bytes).exit(Exit::Config, path.display())
}

/// Reads a policy file and gives it the name that reports use.
fn named_policy(path: &Path) -> Result<(String, PolicyFile), Failure> {
    let name =
        path.file_stem().map_or_else(|| "policy".to_owned(), |stem| stem.to_string_lossy().into_owned());
    Ok((name, read_policy(path)?))
}
