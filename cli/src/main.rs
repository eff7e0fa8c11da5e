//! The `weighhouse` binary: parse, log, dispatch, exit code.

mod commands;
mod failure;
mod localnet;
mod models;
mod output;
mod signals;

use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use tracing_subscriber::EnvFilter;

use commands::{audit, chain, history, miner, model, policy, proxy, task, validator, wallet};
use failure::{Exit, Failure};

/// Serve models, judge answers, publish weights: the neuron layer of a subnet.
#[derive(Parser, Debug)]
#[command(name = "weighhouse", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = "\
Exit codes:
  0   done                                65  a journal, ledger or keyfile is damaged
  64  wrong command line or config        66  a wallet or file is missing
  69  chain, port or miner unavailable    70  internal error
  77  wrong password, or refused by the chain

Start with:  weighhouse localnet")]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// How log lines are written to standard error; RUST_LOG chooses which
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[derive(Subcommand, Debug)]
enum Command {
    Localnet(localnet::Localnet),
    Miner(miner::Miner),
    Validator(validator::Validator),
    Proxy(proxy::Proxy),
    #[command(subcommand)]
    Wallet(wallet::Wallet),
    #[command(subcommand)]
    Chain(chain::Chain),
    Audit(audit::Audit),
    #[command(subcommand)]
    History(history::History),
    #[command(subcommand)]
    Policy(policy::Policy),
    #[command(subcommand)]
    Model(model::Model),
    #[command(subcommand)]
    Task(task::Task),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let failed = error.use_stderr();
            // Nothing is left to do where even this can't be written.
            let _ = error.print();
            return if failed { ExitCode::from(Exit::Config as u8) } else { ExitCode::SUCCESS };
        }
    };
    // A daemon tells its story by itself; a command only what needs attention.
    let daemon = matches!(cli.command, Command::Miner(_) | Command::Validator(_) | Command::Proxy(_))
        || matches!(cli.command, Command::Chain(chain::Chain::Serve(_)));
    init_logging(cli.log_format, if daemon { "info" } else { "error" });
    match run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::complain(&failure);
            failure.code()
        }
    }
}

fn init_logging(format: LogFormat, default: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => builder.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init(),
        LogFormat::Json => builder.json().init(),
    }
}

fn run(command: Command) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let shutdown = signals::shutdown()?;
        match command {
            Command::Localnet(args) => localnet::run(args, shutdown).await,
            Command::Miner(args) => miner::run(args, shutdown).await,
            Command::Validator(args) => validator::run(args, shutdown).await,
            Command::Proxy(args) => proxy::run(args, shutdown).await,
            Command::Wallet(args) => wallet::run(args),
            Command::Chain(args) => chain::run(args, shutdown).await,
            Command::Audit(args) => audit::run(&args),
            Command::Policy(args) => policy::run(args, shutdown).await,
            Command::History(args) => history::run(args, &shutdown),
            Command::Model(args) => model::run(args),
            Command::Task(args) => task::run(args),
        }
    })
}
