//! `weighhouse explain`: why a miner has the score it has, and what the chain is expected to pay for it.

mod expected;
mod penalties;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde::Serialize;
use weighhouse_chain::address::ChainAddress;
use weighhouse_scoring::path::{Path as Way, path};
use weighhouse_types::{Digest, Epoch, EpochContext, PayStatement, Record, Uid};
use weighhouse_validator::put::Whose;
use weighhouse_validator::verdicts::{Journalled as _, Miner};

use super::miner::why::shown::checks;
use super::policy::why::{figures, verdicts};
use super::statements::{self, Files};
use super::validator::read_config;
use crate::failure::{Exit, Failure};
use crate::output;

use expected::ExpectedPay;
use penalties::{Penalty, penalties};

/// Epochs that are looked through for one that was decided and knows the miner.
const EPOCHS_MAX: usize = 16;

/// Say why a miner has its score, what it lost, and what the chain is expected to pay.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse explain 17                                   by the journal and chain of validator.toml
  weighhouse explain 5Grw... --epoch 42 --json
  weighhouse explain 17 --journal journal --chain finney

It is a validator's own word on a miner, from its journal; the journal is only read, and its validator may be running. `weighhouse policy
why` shows the arithmetic alone, every verdict of it; `weighhouse miner why` asks validators from outside.")]
pub(crate) struct Explain {
    /// The miner
    #[arg(value_name = "UID|HOTKEY", value_parser = Whose::parse)]
    miner: Whose,
    /// Configuration file of the validator: its journal is read, and its chain asked
    #[arg(long, value_name = "FILE", default_value = "validator.toml", conflicts_with = "journal")]
    config: PathBuf,
    /// A journal instead: its folder, or one epoch's file
    #[arg(long, value_name = "PATH")]
    journal: Option<PathBuf>,
    /// With --journal, the chain that shows what to expect; without, none is asked
    #[arg(long, value_name = "NAME|URL", requires = "journal")]
    chain: Option<ChainAddress>,
    /// The epoch; the newest that was decided and knows the miner if not given
    #[arg(long)]
    epoch: Option<Epoch>,
    /// List every verdict as well, as `weighhouse policy why` does
    #[arg(long)]
    verdicts: bool,
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Explained {
    sentence: String,
    penalties: Vec<Penalty>,
    statement: PayStatement,
    way: Way,
    /// `None` where no chain was asked, or it couldn't say.
    expected: Option<ExpectedPay>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_expected: Option<String>,
}

pub(crate) async fn run(args: &Explain) -> Result<(), Failure> {
    let (journal, chain) = sources(args)?;
    let files = Files::open(&journal)?;
    let miner = match args.miner {
        Whose::Uid(uid) => Miner::Uid(uid),
        Whose::Hotkey(hotkey) => Miner::Hotkey(hotkey),
    };
    let epoch = match args.epoch {
        Some(epoch) => epoch,
        None => newest_decided(&files, args.miner)?,
    };
    let records = files.records(epoch)?;
    refuse_scored_elsewhere(&records, &journal)?;
    refuse_departed(&records, args.miner, epoch)?;
    let statement = statements::of_epoch(&files, miner, epoch)?;
    let way = path(&records, statement.uid).map_err(|error| Failure::new(Exit::Missing, error))?;
    let (expected, not_expected) = match &chain {
        None => (None, None),
        Some((address, genesis)) => match expected::ask(address, *genesis, &statement, &records).await {
            Ok(expected) => (Some(expected), None),
            // The journal's part stands without the chain's.
            Err(failure) => (None, Some(failure.to_string())),
        },
    };
    let explained = Explained {
        sentence: statement.sentence(),
        penalties: penalties(&statement, &way),
        statement,
        way,
        expected,
        not_expected,
    };
    if args.json { Ok(output::json(&explained)?) } else { print(&explained, args.verdicts) }
}

type AskedChain = Option<(ChainAddress, Option<Digest>)>;

/// The journal, and the chain where one is to be asked.
fn sources(args: &Explain) -> Result<(PathBuf, AskedChain), Failure> {
    match &args.journal {
        Some(journal) => Ok((journal.clone(), args.chain.clone().map(|address| (address, None)))),
        None => {
            let config = read_config(&args.config)?;
            Ok((config.journal.dir, Some((config.chain.address, config.chain.genesis))))
        }
    }
}

/// The newest epoch with a vector, or the word that there is none, in which the miner was registered; else the newest of all.
fn newest_decided(files: &Files, miner: Whose) -> Result<Epoch, Failure> {
    let mut newest = None;
    for epoch in files.newest_first().take(EPOCHS_MAX) {
        let records = files.records(epoch)?;
        let Some(context) = context(&records) else { continue };
        newest.get_or_insert(epoch);
        let is_decided = |record: &Record| matches!(record, Record::Intent(_) | Record::Abstained { .. });
        let uid = match miner {
            Whose::Uid(uid) => Some(uid),
            Whose::Hotkey(hotkey) => context.state.metagraph.by_hotkey(&hotkey).map(|neuron| neuron.uid),
        };
        let knows = |uid: Uid| context.fields.are_scored_elsewhere() || path(&records, uid).is_ok();
        if records.iter().any(is_decided) && uid.is_some_and(knows) {
            return Ok(epoch);
        }
    }
    newest.ok_or_else(|| Failure::new(Exit::Missing, "no epoch was opened in this journal yet"))
}

fn context(records: &[Record]) -> Option<&EpochContext> {
    records.iter().find_map(|record| match record {
        Record::EpochOpened(context) => Some(context.as_ref()),
        _ => None,
    })
}

fn refuse_scored_elsewhere(records: &Arc<Vec<Record>>, journal: &Path) -> Result<(), Failure> {
    if context(records).is_some_and(|context| context.fields.are_scored_elsewhere()) {
        let why = "its weights were made by other software (weights put), and no records say why they are what they are";
        return Err(Failure::new(Exit::Missing, format!("{}: {why}", journal.display())));
    }
    Ok(())
}

/// One who left before the epoch was weighed has no way through it.
fn refuse_departed(records: &[Record], miner: Whose, epoch: Epoch) -> Result<(), Failure> {
    let Some(context) = context(records) else { return Ok(()) };
    let neuron = match miner {
        Whose::Uid(uid) => context.state.metagraph.neuron(uid),
        Whose::Hotkey(hotkey) => context.state.metagraph.by_hotkey(&hotkey),
    };
    let left = |one| {
        records.iter().any(|record| matches!(record, Record::Departed { who, .. } if who.contains(&one)))
    };
    if neuron.is_some_and(|neuron| left(neuron.registration())) {
        let why = "its registration ended before the epoch was weighed, so it gets nothing";
        return Err(Failure::new(Exit::Missing, format!("epoch {epoch}: {why}")));
    }
    Ok(())
}

fn print(explained: &Explained, with_verdicts: bool) -> Result<(), Failure> {
    let Explained { sentence, penalties, statement, way, expected, not_expected } = explained;
    output::line(format!(
        "uid {}, hotkey {}, by validator {}",
        way.uid, way.who.hotkey, statement.validator
    ))?;
    output::line(sentence)?;
    if with_verdicts {
        verdicts(way).print()?;
    }
    if !statement.losses.is_empty() {
        checks(statement).print()?;
    }
    output::line(format!("reasons              {}", statement.reasons))?;
    for penalty in penalties {
        output::line(format!("penalty              {}: {}", penalty.name, penalty.text))?;
    }
    figures(way).into_iter().try_for_each(output::line)?;
    if let Some(block) = statement.published {
        output::line(format!("published            the chain shows these weights since block {block}"))?;
    }
    match (expected, not_expected) {
        (Some(expected), _) => Ok(output::line(format!("expected             {expected}"))?),
        (None, Some(why)) => Ok(output::line(format!("expected             not known: {why}"))?),
        (None, None) => Ok(()),
    }
}
