//! The `weighhouse` binary: parse, log, dispatch, exit code.

mod commands;
mod console;
mod failure;
mod localnet;
mod logging;
mod models;
mod notices;
mod output;
mod signals;
mod supervisor;
mod tree;

use std::process::ExitCode;

use commands::{
    audit, chain, check, completions, explain, forecast, health, history, init, label, miner, model, policy,
    proxy, task, validator, wallet, weights,
};
use failure::{Exit, Failure};
use signals::Signals;
use tree::{Cli, Command};

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
        // What others' code says of a connection is its peer's to repeat.
        _ if daemon => "error,weighhouse=info",
        // A localnet tells itself why its miners gave no answer.
        Command::Localnet(_) => "error,weighhouse_miner::service=off",
        _ => "error",
    };
    let logging = logging::init(cli.log_format, default);
    let outcome = logging.map_err(Failure::from).and_then(|logging| {
        let outcome = run(cli.command);
        // Before the last word, which stands last then.
        drop(logging);
        outcome
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::complain(&failure);
            failure.code()
        }
    }
}

fn run(command: Command) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let reloaded = matches!(&command, Command::Miner(args) if args.is_daemon());
        let signals = Signals::listen(reloaded)?;
        let shutdown = signals.shutdown.clone();
        match command {
            Command::Localnet(args) => localnet::run(args, shutdown).await,
            Command::Init(args) => init::run(args).await,
            Command::Miner(args) => miner::run(args, signals).await,
            Command::Validator(args) => Box::pin(validator::run(args, shutdown)).await,
            Command::Proxy(args) => proxy::run(args, shutdown).await,
            Command::Wallet(args) => wallet::run(args),
            Command::Chain(args) => chain::run(args, shutdown).await,
            Command::Weights(args) => weights::run(args, shutdown).await,
            Command::Explain(args) => explain::run(&args).await,
            Command::Audit(args) => audit::run(&args).await,
            Command::Check(args) => check::run(&args).await,
            Command::Health(args) => health::run(&args).await,
            Command::Completions(args) => completions::run(&args),
            Command::Policy(args) => policy::run(args, shutdown).await,
            Command::History(args) => history::run(args, &shutdown),
            Command::Forecast(args) => forecast::run(&args),
            Command::Label(args) => label::run(args, shutdown).await,
            Command::Model(args) => model::run(args),
            Command::Task(args) => task::run(args),
        }
    })
}
