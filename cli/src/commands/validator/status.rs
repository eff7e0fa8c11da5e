//! `weighhouse validator status`: how far the running validator is, and what the chain says of it.

use super::{ConfigFile, place, read_config};
use crate::commands::connect;
use crate::commands::keys::daemon_hotkey;
use crate::commands::samples::Samples;
use crate::failure::{Exit, Failure};
use crate::output;

/// Blocks that a validator which makes progress may be behind the chain.
const LAG_BLOCKS_MAX: u64 = 10;

pub(super) async fn run(args: &ConfigFile) -> Result<(), Failure> {
    let config = read_config(&args.config)?;
    let samples = Samples::ask("validator", config.metrics.listen).await?;
    let keypair = daemon_hotkey(&config.wallet)?;
    let chain = connect(&config.chain.address, config.chain.genesis).await?;
    let standing = place(&config, keypair.hotkey()).ask(&*chain).await?;
    let count = |name: &str| samples.total(name).unwrap_or(0.0) as u64;
    let published = samples.total("weighhouse_validator_published_epoch").map(|epoch| epoch as u64);
    let (block, epoch) = (count("weighhouse_validator_block"), count("weighhouse_validator_epoch"));
    let (verdicts, errors) =
        (count("weighhouse_validator_verdicts_total"), count("weighhouse_validator_chain_errors_total"));
    let (held, void) = (
        count("weighhouse_validator_rounds_postponed_total"),
        count("weighhouse_validator_rounds_void_total"),
    );
    let in_step = block.saturating_add(LAG_BLOCKS_MAX) >= standing.head.0;
    let passed = samples.total("weighhouse_validator_passed_epoch").map(|epoch| epoch as u64);
    // Until a newer epoch's weights are on the chain.
    let has_passed = passed.filter(|passed| published.is_none_or(|published| published < *passed));
    let works = in_step && standing.validator_permit && has_passed.is_none();
    if args.json {
        output::json(&serde_json::json!({
            "works": works, "passed_epoch": passed, "block": block, "epoch": epoch, "published_epoch": published, "verdicts": verdicts,
            "chain_errors": errors, "attempts_postponed": held, "rounds_void": void, "chain": standing,
        }))?;
    } else {
        let published = published.map_or("none yet".to_owned(), |epoch| format!("epoch {epoch}"));
        output::line(format!("progress   block {block} of {}; epoch {epoch} is open", standing.head))?;
        output::line(format!(
            "judged     {verdicts} answers since it started; {errors} steps the chain failed"
        ))?;
        if held + void > 0 {
            output::line(format!(
                "trouble    {held} attempts waited for trouble of its own, {void} rounds are void; its log says why"
            ))?;
        }
        output::line(format!("published  {published}; last update at block {}", standing.last_update))?;
        output::line(format!("chain      uid {}, stake {} TAO", standing.uid, standing.stake_tao))?;
    }
    if works {
        return Ok(());
    }
    let why = match (in_step, has_passed) {
        (false, _) => "the validator is behind the chain; its log says why".to_owned(),
        (true, _) if !standing.validator_permit => {
            "no validator permit: nothing is asked or published until an epoch grants one, which more stake does"
                .to_owned()
        }
        (true, Some(passed)) => format!("epoch {passed} ended before it was weighed; its log says why"),
        (true, None) => "its log says why".to_owned(),
    };
    Err(Failure::new(Exit::Unavailable, why))
}
