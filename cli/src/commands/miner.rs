//! `weighhouse miner`: serves, or says whether it could or does.

mod check;
pub(crate) mod descriptors;
mod earnings;
mod reload;
mod score;
mod serve;
mod status;
pub(super) mod why;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use weighhouse_miner::config::Config;
use weighhouse_miner::engine::Catalogue;
use weighhouse_miner::load::{self, Surroundings};
use weighhouse_miner::server::Keys;
use weighhouse_seams::{Clock, CpuPool};
use weighhouse_types::Hotkey;

use super::standing::Place;
use super::{expand, open_dir, read_text};
use crate::failure::{Context, Exit, Failure};
use crate::signals::Signals;
use crate::{models, output};

/// Serve models to validators: verify, answer, sign.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct MinerArgs {
    #[command(subcommand)]
    command: Option<MinerCommand>,
    #[command(flatten)]
    file: ConfigFile,
    /// Only check the configuration
    #[arg(long, hide = true)]
    check: bool,
}

#[derive(Subcommand, Debug)]
enum MinerCommand {
    /// Serve (as `weighhouse miner` alone does)
    ///
    /// SIGHUP has it read models and admission again while requests go on; what else changed in the file waits for a restart.
    Run(ConfigFile),
    /// Try everything that serving needs, and say what is wrong
    Check(check::CheckArgs),
    /// Make a new key of TLS, which the next start publishes
    ///
    /// The key before it is served beside it until the chain has shown the new one for 100 blocks, and is removed then.
    RenewKey(ConfigFile),
    /// Say whether the running miner works, and what it earns
    Status(ConfigFile),
    /// Say what a miner would earn in the subnet as it is, and what that rests on
    Earnings(earnings::MinerEarnings),
    /// Say what an epoch's judgements cost this miner, and why, by each validator's own word
    Why(why::Why),
    /// Let the validators' judge mark this miner's answers before it goes live
    Score(score::Score),
}

#[derive(Args, Debug)]
struct ConfigFile {
    /// Configuration file; `weighhouse init miner` writes one with every key
    #[arg(long, value_name = "FILE", default_value = "miner.toml")]
    config: PathBuf,
    /// Answer in JSON, where there is an answer
    #[arg(long)]
    json: bool,
}

impl MinerArgs {
    /// True where it runs until it is stopped.
    pub(crate) fn is_daemon(&self) -> bool {
        matches!(self.command, None | Some(MinerCommand::Run(_))) && !self.check
    }
}

pub(crate) async fn run(args: MinerArgs, signals: Signals) -> Result<(), Failure> {
    match args.command {
        Some(MinerCommand::Run(file)) => serve::run(&file, signals).await,
        Some(MinerCommand::Check(args)) => check::run(&args.file, args.task.as_deref()).await,
        Some(MinerCommand::RenewKey(file)) => renew_key(&file),
        Some(MinerCommand::Status(file)) => status::run(&file).await,
        Some(MinerCommand::Earnings(args)) => earnings::run(&args).await,
        Some(MinerCommand::Why(args)) => why::run(&args).await,
        Some(MinerCommand::Score(args)) => score::run(&args, &signals.shutdown).await,
        None if args.check => {
            read_config(&args.file.config)?;
            Ok(crate::output::line(format!("{}: valid", args.file.config.display()))?)
        }
        None => serve::run(&args.file, signals).await,
    }
}

/// As `weighhouse miner check` does.
pub(crate) async fn check(config: &Path, json: bool) -> Result<(), Failure> {
    check::run(&ConfigFile { config: config.to_owned(), json }, None).await
}

fn read_config(path: &Path) -> Result<Config, Failure> {
    Config::parse(&read_text(path)?).exit(Exit::Config, path.display())
}

/// The configuration as the hotkey of this name has it; the first where none is named.
fn read_identity(path: &Path, hotkey: Option<&str>) -> Result<Config, Failure> {
    let all = read_config(path)?.identities();
    let names: Vec<_> = all.iter().map(|one| one.wallet.hotkey.clone()).collect();
    let meant = all.into_iter().find(|one| hotkey.is_none_or(|name| one.wallet.hotkey == name));
    meant.ok_or_else(|| {
        Failure::config(format!("{} has no such hotkey; it has {}", path.display(), names.join(", ")))
    })
}

/// The place in the subnet that a configuration names.
fn place(config: &Config, hotkey: Hotkey) -> Place<'_> {
    Place {
        address: &config.chain.address,
        netuid: config.chain.netuid,
        hotkey,
        wallet: (&config.wallet.name, &config.wallet.hotkey),
    }
}

fn renew_key(file: &ConfigFile) -> Result<(), Failure> {
    let config = read_config(&file.config)?;
    for one in config.identities() {
        // The folder is locked: a miner that runs has read its keys already.
        let storage = open_dir(&expand(&one.state.dir), "state.dir")?;
        let pin = Keys::renew(&storage).exit(Exit::Data, "TLS")?;
        let (hotkey, name) = (&one.wallet.hotkey, pin.server_name());
        match file.json {
            true => output::json(&serde_json::json!({ "hotkey": hotkey, "server_name": name }))?,
            false => output::line(format!(
                "new key of {hotkey}, server name {name}: the next start of the miner publishes it"
            ))?,
        }
    }
    Ok(())
}

fn load_models(config: &Config, cpu: &CpuPool, clock: &Arc<dyn Clock>) -> Result<Catalogue, Failure> {
    let read = |path: &Path| std::fs::read(path);
    let around = Surroundings { read: &read, expand: &expand, folder: &models::folder, cpu, clock };
    load::engines(config, &around).exit(Exit::Config, "model")
}
