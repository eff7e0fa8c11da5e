//! `weighhouse validator`: validates, or says whether it could or does.

mod check;
mod status;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use tokio_util::sync::CancellationToken;
use weighhouse_ask::completions::CompletionServer;
use weighhouse_models::Builtin;
use weighhouse_models::device::{Device, Place};
use weighhouse_seams::{CpuPool, Entropy, SystemClock};
use weighhouse_tasks::witness::{TeacherForced, Witness};
use weighhouse_tasks::{Kind, Task, TaskFile};
use weighhouse_validator::config::{self, Config};
use weighhouse_validator::remote::RemoteReference;
use weighhouse_validator::{Parts, Validator as Role, ValidatorError, metrics};

use super::keys::{daemon_hotkey, default_wallets};
use super::{chain_failure, connect, dialer, expand, open_dir, read_text, serve_metrics, warn_of};
use crate::failure::{Context, Exit, Failure};
use crate::models;

/// Ask miners, judge their answers, publish weights and confirm them.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Validator {
    #[command(subcommand)]
    command: Option<ValidatorCommand>,
    #[command(flatten)]
    file: ConfigFile,
    /// Only check the configuration, the task and the policy
    #[arg(long, hide = true)]
    check: bool,
}

#[derive(Subcommand, Debug)]
enum ValidatorCommand {
    /// Validate (as `weighhouse validator` alone does)
    Run(ConfigFile),
    /// Try everything that validating needs, and say what is wrong
    Check(ConfigFile),
    /// Say whether the running validator makes progress and publishes
    Status(ConfigFile),
}

#[derive(Args, Debug)]
struct ConfigFile {
    /// Configuration file; `weighhouse init validator` writes one with every key
    #[arg(long, value_name = "FILE", default_value = "validator.toml")]
    config: PathBuf,
    /// Answer in JSON, where there is an answer
    #[arg(long)]
    json: bool,
}

impl Validator {
    /// True where it runs until it is stopped.
    pub(crate) fn is_daemon(&self) -> bool {
        matches!(self.command, None | Some(ValidatorCommand::Run(_))) && !self.check
    }
}

pub(crate) async fn run(args: Validator, shutdown: CancellationToken) -> Result<(), Failure> {
    match args.command {
        Some(ValidatorCommand::Run(file)) => validate(&file, shutdown).await,
        Some(ValidatorCommand::Check(file)) => check::run(&file).await,
        Some(ValidatorCommand::Status(file)) => status::run(&file).await,
        None if args.check => {
            let config = read_config(&args.file.config)?;
            load_task(&config.task)?;
            read_policy(&config)?;
            Ok(crate::output::line(format!("{}: valid", args.file.config.display()))?)
        }
        None => validate(&args.file, shutdown).await,
    }
}

fn read_config(path: &Path) -> Result<Config, Failure> {
    Config::parse(&read_text(path)?).exit(Exit::Config, path.display())
}

/// The text of the policy, which parses.
fn read_policy(config: &Config) -> Result<String, Failure> {
    let policy = match &config.policy.file {
        Some(path) => read_text(path)?,
        None => weighhouse_scoring::policy::DEFAULT_POLICY.to_owned(),
    };
    weighhouse_scoring::Policy::parse(policy.as_bytes()).exit(Exit::Config, "policy")?;
    Ok(policy)
}

async fn validate(file: &ConfigFile, shutdown: CancellationToken) -> Result<(), Failure> {
    let config = read_config(&file.config)?;
    warn_of(&config.chain.outdated);
    let (task_file, task) = load_task(&config.task)?;
    let policy = read_policy(&config)?;
    let base = config.wallet.path.clone().unwrap_or_else(default_wallets);
    let keypair = daemon_hotkey(&base, &config.wallet.name, &config.wallet.hotkey)?;
    let storage = open_dir(&expand(&config.journal.dir))?;
    let staged = config.policy.staged.as_deref().map(|dir| open_dir(&expand(dir))).transpose()?;
    let chain = connect(&config.chain.address, config.chain.genesis).await?;
    serve_metrics(config.metrics.listen)?;
    metrics::describe();
    tracing::info!(hotkey = %keypair.hotkey(), chain = %config.chain.address, "validator starting");
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let parts = Parts {
        netuid: config.chain.netuid,
        mechanism: config.chain.mechanism,
        rounds: config.rounds,
        publish: config.publish,
        policy: policy.into_bytes(),
        staged: staged.map(|folder| Arc::new(folder) as Arc<dyn weighhouse_seams::Storage>),
        task_file: task_file.into_bytes(),
        task: Arc::new(task),
        keypair: Arc::new(keypair),
        chain,
        dialer: dialer(&config.chain.dial),
        clock: Arc::new(SystemClock::new()),
        entropy: Entropy::system(),
        storage: Arc::new(storage),
        cpu: CpuPool::new(threads, 256),
    };
    let validator = Role::open(parts).await.map_err(role_failure)?;
    validator.run(shutdown).await.map_err(role_failure)
}

/// A task file by path or built-in name, with the reference it names. Must be called within a runtime.
fn load_task(asked: &config::Task) -> Result<(String, Task), Failure> {
    let (file, reference) = (asked.file.as_str(), asked.reference.as_str());
    let text = task_text(file)?;
    let kind = TaskFile::parse(text.as_bytes()).exit(Exit::Config, file)?.kind;
    if let (Some(_), Kind::Classify | Kind::Embed) = (&asked.server, kind) {
        return Err(Failure::config(
            "task.server: only a task of kind \"generate\" has a reference elsewhere",
        ));
    }
    if asked.device != "cpu" && (kind == Kind::Classify || asked.server.is_some()) {
        return Err(Failure::config(
            "task.device: only a text reference of the validator's own has a device",
        ));
    }
    let task = match kind {
        Kind::Classify => Task::load(text.as_bytes(), &reference_weights(reference)?),
        Kind::Generate => Task::with_witness(text.as_bytes(), witness(asked)?),
        Kind::Embed => {
            Task::with_encoder(text.as_bytes(), Arc::new(models::encoder_on(&place(asked)?, reference)?))
        }
    };
    Ok((text, task.exit(Exit::Config, file)?))
}

/// The reference of a `generate` task: a model of ours, or a server.
fn witness(asked: &config::Task) -> Result<Arc<dyn Witness>, Failure> {
    let reference = asked.reference.as_str();
    let Some(server) = &asked.server else {
        return Ok(Arc::new(TeacherForced(models::language_on(&place(asked)?, reference)?)));
    };
    let tokens = models::tokens(reference)?;
    let url = server.uri().ok_or_else(|| Failure::config("task.server.url must be http://HOST:PORT"))?;
    let key = server.key_file.as_deref().map(|file| read_text(&expand(file))).transpose()?;
    let (model, deadline) = (server.model.clone(), server.deadline);
    let key = key.map(|key| key.trim().to_owned());
    let server = CompletionServer { url, model, key, connect_timeout: deadline };
    Ok(Arc::new(RemoteReference::new(tokens, server, deadline, tokio::runtime::Handle::current())))
}

/// Where the reference of texts is computed.
fn place(asked: &config::Task) -> Result<Place, Failure> {
    let device: Device = asked.device.parse().exit(Exit::Config, "task.device")?;
    Place::find(device).exit(Exit::Config, "task.device")
}

/// A task file by path or built-in name.
pub(crate) fn task_text(file: &str) -> Result<String, Failure> {
    match builtin_task(file) {
        Some(text) => Ok(text.to_owned()),
        None => read_text(Path::new(file)),
    }
}

/// A weights file by path or built-in name.
pub(crate) fn reference_weights(reference: &str) -> Result<Vec<u8>, Failure> {
    match reference.strip_prefix("digits-").and_then(|name| name.parse::<Builtin>().ok()) {
        Some(builtin) => Ok(builtin.bytes().to_vec()),
        None => std::fs::read(reference).exit(Exit::Missing, reference),
    }
}

pub(crate) fn builtin_task(name: &str) -> Option<&'static str> {
    match name {
        "digits-conformance" => Some(weighhouse_tasks::DIGITS_CONFORMANCE),
        "digits-quality" => Some(weighhouse_tasks::DIGITS_QUALITY),
        "generate" => Some(weighhouse_tasks::GENERATE),
        "generate-greedy" => Some(weighhouse_tasks::GENERATE_GREEDY),
        "embed" => Some(weighhouse_tasks::EMBED),
        _ => None,
    }
}

fn role_failure(error: ValidatorError) -> Failure {
    let exit = match error {
        ValidatorError::Chain(error) => return chain_failure(error),
        ValidatorError::NotRegistered { .. } => Exit::Denied,
        ValidatorError::Journal(_) | ValidatorError::Weigh(_) => Exit::Data,
        ValidatorError::Policy(_) | ValidatorError::Task(_) => Exit::Config,
        ValidatorError::Pool(_) => Exit::Internal,
    };
    Failure::new(exit, error)
}
