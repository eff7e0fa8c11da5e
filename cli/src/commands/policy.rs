//! `weighhouse policy`: everything about how judgements become weights, without a chain or a model.

pub(crate) mod files;

mod check;
mod pretence;
mod rollout;

mod diff;
pub(super) mod epochs;
mod replay;
pub(super) mod why;

mod attack;
mod words;

mod simulate;
mod world;

mod budget;
mod redteam;
mod tune;

use clap::Subcommand;
use tokio_util::sync::CancellationToken;
use weighhouse_scoring::policy::DEFAULT_POLICY;

use crate::failure::Failure;

/// Write, check, compare, replay, attack and tune scoring policies.
#[derive(Subcommand, Debug)]
#[command(after_help = "\
Examples:
  weighhouse policy check policy.toml
  weighhouse policy replay --journal journal
  weighhouse policy diff old.toml new.toml --journal journal
  weighhouse policy attack --policy policy.toml --report attacks.html

Where a policy file is asked for, `default` means the one that ships.")]
pub(crate) enum PolicyCommand {
    /// Print the policy that ships, with a comment on every key
    Default,
    /// Print a commented policy of a kind: winner, top, softmax, burn or expression
    Examples(words::Examples),
    /// Print the JSON Schema of policy files
    Schema,
    /// Print the digest by which records and roll-outs name a policy
    Hash(check::Hash),
    /// Say what is wrong or doubtful with a policy
    #[command(alias = "lint")]
    Check(check::Lint),
    /// Show every verdict and figure on one miner's way to its weight (`weighhouse explain` adds costs, penalties and what it will earn)
    #[command(alias = "explain")]
    Why(why::Why),
    /// Replay a journal's epochs, under their own policies or another
    Replay(replay::Replay),
    /// Show who gains and who loses from a change of policy
    Diff(diff::Diff),
    /// Sign a change of policy as the subnet's owner, for validators to stage
    Rollout(rollout::Rollout),
    /// Run a simulated subnet
    Simulate(simulate::Simulate),
    /// Measure what each known attack earns against honest work
    Attack(attack::Attack),
    /// Tell what each known attack does, how it is seen, and what answers it
    Attacks(words::Attacks),
    /// Let an optimiser play the attacker and report the best response it finds
    Redteam(redteam::Redteam),
    /// Search for a better policy
    Tune(tune::Tune),
}

pub(crate) async fn run(command: PolicyCommand, shutdown: CancellationToken) -> Result<(), Failure> {
    match command {
        PolicyCommand::Default => Ok(crate::output::line(DEFAULT_POLICY.trim_end())?),
        PolicyCommand::Examples(args) => words::examples(&args),
        PolicyCommand::Attacks(args) => words::attacks(&args),
        PolicyCommand::Schema => check::schema(),
        PolicyCommand::Hash(args) => check::hash(&args),
        PolicyCommand::Check(args) => check::lint(&args).await,
        PolicyCommand::Why(args) => why::run(&args),
        PolicyCommand::Replay(args) => replay::run(&args, &shutdown),
        PolicyCommand::Diff(args) => diff::run(&args, &shutdown),
        PolicyCommand::Rollout(args) => rollout::run(&args).await,
        PolicyCommand::Simulate(args) => simulate::run(&args),
        PolicyCommand::Attack(args) => attack::run(&args),
        PolicyCommand::Redteam(args) => redteam::run(&args, &shutdown),
        PolicyCommand::Tune(args) => tune::run(&args, &shutdown),
    }
}
