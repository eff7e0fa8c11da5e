//! `weighhouse miner check`: everything that starting needs, tried without serving.

mod identity;

use std::sync::Arc;

use clap::Args;
use weighhouse_miner::engine::Catalogue;
use weighhouse_seams::{Clock, CpuPool, SystemClock};
use weighhouse_tasks::{OnRecord, Task};

use super::{ConfigFile, descriptors, load_models, read_config};
use crate::commands::check::machine::clock;
use crate::commands::checks::Checks;
use crate::commands::validator::task_text;
use crate::commands::{bind, connect};
use crate::failure::{Context as _, Exit, Failure};
use crate::notices;

pub(super) use identity::published;
use identity::{Running, identity};

#[derive(Args, Debug)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    pub(super) file: ConfigFile,
    /// The subnet's task file, or a built-in task: whether a model of its name is served
    #[arg(long, value_name = "FILE")]
    pub(super) task: Option<String>,
}

pub(super) async fn run(args: &ConfigFile, task: Option<&str>) -> Result<(), Failure> {
    let mut checks = Checks::new(args.json);
    let config = read_config(&args.config).map(|config| {
        let old = config.chain.outdated.join("; ");
        let detail = format!("{} {old}", args.config.display());
        (config, detail.trim_end().to_owned())
    });
    let Some(config) = checks.note("config", config)? else { return checks.finish() };
    let identities = config.identities();
    let descriptors = descriptors::raise(&config.limits, identities.len());
    checks.note("files", descriptors.map(|held| ((), format!("{held} file descriptors"))))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let cpu = CpuPool::new(1, config.limits.in_flight_max);
    let loaded = load_models(&config, &cpu, &clock).map(|models| {
        let names: Vec<_> = models.engines().iter().map(|engine| engine.model().name.name.clone()).collect();
        (models, names.join(", "))
    });
    if let Some(models) = checks.note("model", loaded)? {
        upstreams(&mut checks, &models).await?;
        if let Some(task) = task {
            checks.note("task", served(task, &models))?;
        }
    }
    clock::check(&mut checks).await?;
    if let Some(url) = &config.notify.url {
        // A webhook's path is its password.
        let host = url.split('/').nth(2).unwrap_or_default().to_owned();
        checks.note("notify", notices::hook(&config.notify, "miner").map(|_| ((), host)))?;
    }
    let running = Running::ask(&config).await;
    if let Some(listen) = config.metrics.listen
        && !running.is_ours
    {
        let bound = bind(listen, "metrics.listen").await;
        checks.note("metrics", bound.map(|_| ((), format!("{listen} is free"))))?;
    }
    let chain = connect(&config.chain.address, None).await;
    let chain = checks.note("chain", chain.map(|chain| (chain, config.chain.address.to_string())))?;
    let mut registered = Vec::new();
    for (nth, one) in identities.iter().enumerate() {
        let table = if nth == 0 { "serve" } else { "identity" };
        registered.extend(identity(&mut checks, (one, table), &running, chain.as_deref()).await?);
    }
    // One that isn't registered is left out, and the others serve.
    let serves = registered.iter().any(Result::is_ok);
    for standing in registered {
        match standing {
            Err(failure) if serves && failure.exit == Exit::Denied => {
                checks.warn("subnet", format!("left out: {failure}"))?;
            }
            standing => drop(checks.note("subnet", standing.map(|detail| ((), detail)))?),
        }
    }
    checks.finish()
}

/// Whether the model that a task asks for is served.
fn served(task: &str, models: &Catalogue) -> Result<((), String), Failure> {
    let text = task_text(task)?;
    let file = Task::load(text.as_bytes(), &OnRecord).exit(Exit::Config, task)?.file().clone();
    let found = models.find(&file.model, "");
    let names: Vec<_> = models.engines().iter().map(|engine| &engine.model().name.name).collect();
    let missing = || {
        let wanted = &file.model;
        let fix = format!(
            "{task} asks for {wanted:?}, and served are {names:?}: set `name = {wanted:?}` at the model"
        );
        Failure::new(Exit::Config, fix)
    };
    found.map(|_| ((), format!("{task} asks for {:?}, which is served", file.model))).map_err(|_| missing())
}

/// Asks the servers behind models whether they serve them now.
async fn upstreams(checks: &mut Checks, models: &Catalogue) -> Result<(), Failure> {
    for engine in models.engines() {
        if let Some(asked) = engine.upstream().await {
            let doing = format!("model {:?}", engine.model().name.name);
            checks.note("server", asked.map(|detail| ((), detail)).exit(Exit::Unavailable, doing))?;
        }
    }
    Ok(())
}
