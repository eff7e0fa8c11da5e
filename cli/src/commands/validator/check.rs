//! `weighhouse validator check`: everything that starting needs, tried without asking or publishing.

use super::{ConfigFile, load_task, place, read_config, read_policy};
use crate::commands::checks::Checks;
use crate::commands::keys::daemon_hotkey;
use crate::commands::{bind, connect, expand, open_dir};
use crate::failure::{Exit, Failure};

pub(super) async fn run(args: &ConfigFile) -> Result<(), Failure> {
    let mut checks = Checks::new(args.json);
    let config = read_config(&args.config).map(|config| {
        let old = config.chain.outdated.join("; ");
        let detail = format!("{} {old}", args.config.display());
        (config, detail.trim_end().to_owned())
    });
    let Some(config) = checks.note("config", config)? else { return checks.finish() };
    let task = load_task(&config.task).map(|(_, task)| (task, config.task.file.clone()));
    if let Some(task) = checks.note("task", task)? {
        // A judge may draw it, and is waited for on this thread.
        let drawn = tokio::task::block_in_place(|| task.challenge(&[0; 32]));
        let drawn = drawn.map(|challenge| ((), format!("a challenge of {} items", challenge.items())));
        checks.note("draw", drawn.map_err(|error| Failure::new(Exit::Unavailable, error)))?;
    }
    let policy = config.policy.file.as_ref().map_or("built in".to_owned(), |file| file.display().to_string());
    checks.note("policy", read_policy(&config).map(|_| ((), policy)))?;
    let hotkey = checks.wallet(daemon_hotkey(&config.wallet))?;
    let dir = expand(&config.journal.dir);
    checks.note("journal", open_dir(&dir, "journal.dir").map(|_| ((), dir.display().to_string())))?;
    if let Some(listen) = config.verdicts.listen {
        let bound = bind(listen, "verdicts.listen").await;
        checks.note("verdicts", bound.map(|_| ((), format!("{listen} is free"))))?;
    }
    if let Some(listen) = config.bundles.listen {
        let bound = bind(listen, "bundles.listen").await;
        checks.note("bundles", bound.map(|_| ((), format!("{listen} is free"))))?;
    }
    let chain = connect(&config.chain.address, config.chain.genesis).await;
    let chain = checks.note("chain", chain.map(|chain| (chain, config.chain.address.to_string())))?;
    let (Some(chain), Some(hotkey)) = (chain, hotkey) else { return checks.finish() };
    let standing = place(&config, hotkey).ask(&*chain).await.map(|standing| {
        let detail = format!("uid {}, stake {} TAO", standing.uid, standing.stake_tao);
        (standing, detail)
    });
    if let Some(standing) = checks.note("subnet", standing)?
        && !standing.validator_permit
    {
        checks.unsure(
            "permit",
            "no validator permit yet: it comes with an epoch, to those with the most stake; \
             `weighhouse chain why HOTKEY` says what is missing"
                .to_owned(),
        )?;
    }
    checks.finish()
}
