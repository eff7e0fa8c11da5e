//! The command tree: every command, whom it is for, and examples of it.
//!
//! One verb has one meaning everywhere: `init` writes, `check` says whether it will work, `status` whether it works,
//! `why` where a number comes from. Spellings of before are hidden aliases.

mod examples;

use std::fmt::Write as _;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};

use crate::commands::{
    audit, chain, check, completions, explain, forecast, health, history, init, label, miner, model, policy,
    proxy, task, validator, wallet, weights,
};
use crate::localnet;

/// Serve models, judge answers, publish weights: the neuron layer of a subnet.
#[derive(Parser, Debug)]
#[command(name = "weighhouse", version, propagate_version = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Form of the log lines on standard error; RUST_LOG chooses which
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    Localnet(localnet::Localnet),
    #[command(subcommand)]
    Init(init::Init),
    Miner(miner::MinerArgs),
    Validator(validator::ValidatorArgs),
    #[command(subcommand)]
    Weights(weights::WeightsCommand),
    Explain(explain::Explain),
    Proxy(proxy::Proxy),
    #[command(subcommand)]
    Wallet(wallet::WalletCommand),
    #[command(subcommand)]
    Chain(chain::ChainCommand),
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    #[command(subcommand)]
    Task(task::TaskCommand),
    #[command(subcommand)]
    Forecast(forecast::Forecast),
    #[command(subcommand)]
    Label(label::Label),
    #[command(subcommand)]
    Model(model::Model),
    Audit(audit::Audit),
    #[command(subcommand)]
    History(history::History),
    Check(check::Check),
    Health(health::Health),
    Completions(completions::Completions),
}

/// Top-level commands by who needs them.
const READERS: [(&str, &[&str]); 5] = [
    ("New here", &["localnet", "init"]),
    ("You run a miner", &["miner", "model"]),
    ("You run a validator", &["validator", "weights", "explain", "proxy"]),
    ("You tune a subnet", &["policy", "task", "forecast", "label"]),
    ("You audit", &["audit", "history"]),
];
const EVERYBODY: (&str, &[&str]) = ("Everybody", &["wallet", "chain", "check", "health", "completions"]);

const EXIT_CODES: &str = "\
Exit codes:
  0   done                                65  a journal, ledger or keyfile is damaged
  64  wrong command line or config        66  a wallet or file is missing
  69  chain, port, miner or judge away    70  internal error
  77  wrong password, or chain refused    1   beyond a limit (--fail-above)";

impl Cli {
    /// Parses the command line of this process.
    pub(crate) fn read() -> Result<Self, clap::Error> {
        Self::from_arg_matches(&tree().try_get_matches()?)
    }
}

/// The whole tree, with commands sorted by reader and an example for each.
pub(crate) fn tree() -> clap::Command {
    let tree = examples::add(Cli::command(), "weighhouse");
    let commands = by_reader(&tree);
    tree.help_template("{about}\n\nUsage: {usage}{after-help}\n\nOptions:\n{options}").after_help(format!(
        "{commands}\n{EXIT_CODES}\nStart with `weighhouse localnet`; `weighhouse COMMAND --help` has examples."
    ))
}

/// The list of commands that `--help` shows, made from the tree.
fn by_reader(tree: &clap::Command) -> String {
    let mut text = String::new();
    for (reader, names) in READERS.iter().chain([&EVERYBODY]) {
        let _ = writeln!(text, "{reader}:");
        for name in *names {
            let about = tree.find_subcommand(name).and_then(clap::Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(text, "  {name:<11} {}", about.trim_end_matches('.'));
        }
    }
    text
}

#[cfg(test)]
mod tests;
