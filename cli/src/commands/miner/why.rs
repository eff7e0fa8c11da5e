//! `weighhouse miner why`: what an epoch's judgements cost this miner, by each validator's own word, or from a journal.

mod ask;
mod receipts;
pub(crate) mod shown;

use std::path::{Path, PathBuf};

use clap::Args;
use weighhouse_types::{Epoch, Hotkey, Uid};
use weighhouse_validator::verdicts::Miner;

use super::read_identity;
use crate::commands::keys::daemon_hotkey;
use crate::commands::statements::{self, Files};
use crate::commands::{chain_failure, connect, expand};
use crate::failure::{Exit, Failure};
use crate::output;

use ask::Validators;

#[derive(Args, Debug)]
pub(super) struct Why {
    /// Configuration file: its wallet signs the questions
    #[arg(long, value_name = "FILE", default_value = "miner.toml", conflicts_with = "journal")]
    config: PathBuf,
    /// Which of the file's hotkeys; the first if not given
    #[arg(long, value_name = "NAME", conflicts_with = "journal")]
    hotkey: Option<String>,
    /// Ask this validator alone
    #[arg(long, value_name = "HOTKEY", conflicts_with = "journal")]
    validator: Option<Hotkey>,
    /// The epoch; the newest whose weights are public if not given
    #[arg(long)]
    epoch: Option<Epoch>,
    /// Read a validator's journal instead of asking: its folder, or one epoch's file
    #[arg(long, value_name = "PATH", requires = "uid")]
    journal: Option<PathBuf>,
    /// The miner in the journal
    #[arg(long, requires = "journal")]
    uid: Option<u16>,
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &Why) -> Result<(), Failure> {
    match (&args.journal, args.uid) {
        (Some(journal), Some(uid)) => of_journal(args, journal, Uid(uid)),
        _ => of_validators(args).await,
    }
}

fn of_journal(args: &Why, path: &Path, uid: Uid) -> Result<(), Failure> {
    let (files, miner) = (Files::open(path)?, Miner::Uid(uid));
    let statement = match args.epoch {
        Some(epoch) => statements::of_epoch(&files, miner, epoch)?,
        None => statements::newest(&files, miner)?,
    };
    match args.json {
        true => Ok(output::json(&shown::Told::of(&statement))?),
        false => shown::print(&statement),
    }
}

async fn of_validators(args: &Why) -> Result<(), Failure> {
    let config = read_identity(&args.config, args.hotkey.as_deref())?;
    let keypair = daemon_hotkey(&config.wallet)?;
    let chain = connect(&config.chain.address, None).await?;
    let state = chain.subnet(config.chain.netuid).await.map_err(chain_failure)?;
    let own = keypair.hotkey();
    if state.metagraph.by_hotkey(&own).is_none() {
        let message = format!("hotkey {own} is not registered in subnet {}", config.chain.netuid);
        return Err(Failure::new(Exit::Denied, message));
    }
    let validators = Validators::new(chain, keypair, state.metagraph);
    let told = validators.ask(args.validator, args.epoch).await?;
    let state = expand(&config.state.dir);
    let answers = told.iter().filter(|told| told.outcome.is_ok()).count();
    if args.json {
        let validators: Vec<_> = told.iter().map(|told| shown::ToldBy::of(told, &state)).collect();
        output::json(&serde_json::json!({ "hotkey": own, "validators": validators }))?;
    } else {
        shown::print_all(&told, &state)?;
    }
    match (answers, told.len()) {
        (0, 0) => Err(Failure::new(
            Exit::Unavailable,
            "no validator has a permit now; `weighhouse chain metagraph` lists the neurons",
        )),
        (0, asked) => Err(Failure::new(
            Exit::Unavailable,
            format!(
                "none of {asked} validators told anything; with a validator's journal at hand, --journal reads that"
            ),
        )),
        _ => Ok(()),
    }
}
