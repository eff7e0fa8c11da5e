//! The `weighhouse` binary: parse, log, dispatch, exit code.

mod commands;
mod failure;
mod localnet;
mod models;
mod output;
mod signals;
mod tree;

use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

use commands::{audit, chain, history, init, miner, model, policy, proxy, task, validator, wallet};
use failure::{Exit, Failure};
use tree::{Cli, Command, LogFormat};

fn main() -> ExitCode {
    let cli = match Cli::read() {
        Ok(cli) => cli,
        Err(error) => {
            // `--help` and `--version` come as errors too.
            let failed = error.use_stderr();
            // Nothing is left to do where even this can't be written.
            let _ = error.print();
            // Clap's own code would be 2, which `Exit` doesn't have.
            return if failed { ExitCode::from(Exit::Config as u8) } else { ExitCode::SUCCESS };
        }
    };
    // A daemon tells its story by itself; a command only what needs attention.
    let daemon = match &cli.command {
        Command::Miner(args) => args.is_daemon(),
        Command::Validator(args) => args.is_daemon(),
        Command::Chain(command) => matches!(command, chain::ChainCommand::Serve(_)),
        command => matches!(command, Command::Proxy(_)),
    };
    let default = match &cli.command {
        _ if daemon => "info",
        // A localnet tells itself why its miners gave no answer.
        Command::Localnet(_) => "error,weighhouse_miner::service=off",
        _ => "error",
    };
    init_logging(cli.log_format, default);
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
        // Colours only where somebody looks: journald and files would keep the escape codes.
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
            Command::Init(args) => init::run(args),
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
