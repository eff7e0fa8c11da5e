//! `weighhouse chain why`: the chain's answer to a hotkey's weights now, and what to do about it.

mod journal;

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use weighhouse_chain::explain::{Explanation, explain};
use weighhouse_types::{Hotkey, Netuid};

use super::Endpoint;
use crate::commands::{chain_failure, connect};
use crate::failure::Failure;
use crate::output;

use journal::{LastWord, last_word};

/// Where a validator's file from `weighhouse init validator` puts it.
const JOURNAL: &str = "validator-journal";

#[derive(Args, Debug)]
pub(crate) struct Why {
    #[command(flatten)]
    endpoint: Endpoint,
    /// The hotkey whose weights are meant
    #[arg(value_name = "HOTKEY")]
    hotkey: Hotkey,
    #[arg(long, default_value_t = Netuid(1))]
    netuid: Netuid,
    /// The validator's journal folder, which says what it decided last [default: validator-journal, where there is one]
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
    #[arg(long)]
    json: bool,
}

/// The chain's part, and the validator's own where its journal is at hand.
#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    chain: Explanation,
    #[serde(skip_serializing_if = "Option::is_none")]
    validator: Option<LastWord>,
}

pub(crate) async fn run(args: &Why) -> Result<(), Failure> {
    let chain = connect(&args.endpoint.address, args.endpoint.genesis_hash).await?;
    let chain = explain(&*chain, args.netuid, args.hotkey).await.map_err(chain_failure)?;
    let usual = Path::new(JOURNAL);
    let validator = match &args.journal {
        Some(dir) => last_word(dir, args.netuid, args.hotkey)?,
        // Somebody else's journal, or one that can't be read, was not asked about.
        None if usual.is_dir() => last_word(usual, args.netuid, args.hotkey).unwrap_or(None),
        None => None,
    };
    let answer = Answer { chain, validator };
    if args.json {
        return Ok(output::json(&answer)?);
    }
    output::line(answer.chain.to_string().trim_end())?;
    match (&answer.validator, &args.journal) {
        (Some(word), _) => output::line(word)?,
        (None, Some(_)) => output::line("its journal: no epoch was weighed yet under this hotkey")?,
        (None, None) => output::line(
            "whether a validator has weights to send, its journal says: name the folder with --journal",
        )?,
    }
    Ok(())
}
