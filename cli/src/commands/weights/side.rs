//! One side of a comparison: a validator's row on the chain, an epoch of a journal, or a file of weights.

use std::path::{Path, PathBuf};

use weighhouse_chain::votes::{Votes, stored};
use weighhouse_journal::read_segment;
use weighhouse_scoring::{Limits, conform};
use weighhouse_types::{Hotkey, Intent, Record, Uid};
use weighhouse_validator::put::{WeightTable, Whose};

use super::uid_of;
use crate::commands::expand;
use crate::commands::policy::epochs::epochs;
use crate::commands::weights_file;
use crate::failure::{Context, Exit, Failure};

/// A side as the command line names it.
#[derive(Clone, Debug)]
pub(super) enum Named {
    OnChain(Whose),
    Path(PathBuf),
}

impl Named {
    /// Digits are a uid and an address is a hotkey; all else is a path.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match Whose::parse(text) {
            Ok(whose) => Ok(Self::OnChain(whose)),
            Err(_) if text == "-" || Path::new(text).exists() || expand(Path::new(text)).exists() => {
                Ok(Self::Path(expand(Path::new(text))))
            }
            Err(why) => Err(format!("{why}, and there is no such file or folder")),
        }
    }
}

/// A side with its weights.
#[derive(Clone, Debug)]
pub(super) struct Side {
    pub(super) label: String,
    /// The validator whose weights these are, where that is known.
    pub(super) validator: Option<Uid>,
    /// False for what is on the chain already.
    pub(super) replaces: bool,
    /// As the chain stores them, or would.
    pub(super) weights: Vec<(Uid, u16)>,
}

impl Side {
    pub(super) fn read(named: &Named, votes: &Votes) -> Result<Self, Failure> {
        match named {
            Named::OnChain(whose) => on_chain(*whose, votes),
            Named::Path(path) if path.is_dir() || path.extension().is_some_and(|ending| ending == "wj") => {
                of_journal(path, votes)
            }
            Named::Path(path) => of_file(path, votes),
        }
    }
}

fn on_chain(whose: Whose, votes: &Votes) -> Result<Side, Failure> {
    let uid = uid_of(whose, votes)?;
    let Some(vote) = votes.of(uid) else {
        let why = "has no validator permit, so that its weights count for nothing";
        return Err(Failure::new(
            Exit::Missing,
            format!("{whose} {why}; `weighhouse weights show` lists who has one"),
        ));
    };
    if vote.weights.is_empty() {
        return Err(Failure::new(Exit::Missing, format!("{whose} has no weights on the chain yet")));
    }
    let label = format!("uid {uid} on the chain, set at block {}", vote.last_update);
    Ok(Side { label, validator: Some(uid), replaces: false, weights: vote.weights.clone() })
}

/// The newest epoch of a journal that has a vector, or the epoch of one file.
fn of_journal(path: &Path, votes: &Votes) -> Result<Side, Failure> {
    let files = if path.is_dir() { epochs(path)? } else { vec![(Default::default(), path.to_owned())] };
    for (_, file) in files.iter().rev() {
        let records = read_segment(file)?;
        let Some(intent) = intended(&records) else { continue };
        let (validator, here) = owner(&records, votes);
        if !here {
            let (netuid, mechanism) = (votes.state.metagraph.netuid, votes.mechanism);
            let why =
                format!("is of another subnet or mechanism than {netuid} and {mechanism}; see --netuid");
            return Err(Failure::config(format!("{}: {why}", file.display())));
        }
        let label = format!("epoch {} of {}", intent.epoch, path.display());
        return Ok(Side { label, validator, replaces: true, weights: stored(&intent.weights) });
    }
    Err(Failure::new(Exit::Missing, format!("{}: no epoch has a vector yet", path.display())))
}

fn intended(records: &[Record]) -> Option<Intent> {
    let (_, publication) = weighhouse_journal::publications(records).pop_last()?;
    Some(publication.intent)
}

/// The uid that a journal's validator has now, and whether the journal is of this subnet.
fn owner(records: &[Record], votes: &Votes) -> (Option<Uid>, bool) {
    let context = records.iter().find_map(|record| match record {
        Record::EpochOpened(context) => Some(context),
        _ => None,
    });
    let uid_of = |hotkey: &Hotkey| votes.state.metagraph.by_hotkey(hotkey).map(|neuron| neuron.uid);
    context.map_or((None, true), |context| {
        let is_here = (context.netuid, context.mechanism) == (votes.state.metagraph.netuid, votes.mechanism);
        (uid_of(&context.validator), is_here)
    })
}

fn of_file(path: &Path, votes: &Votes) -> Result<Side, Failure> {
    let table: WeightTable = weights_file::read(path)?;
    let weights = table.resolve(&votes.state.metagraph).exit(Exit::Data, path.display())?;
    let vector = conform(&weights, &Limits::of(&votes.state)).exit(Exit::Data, path.display())?;
    let label = path.display().to_string();
    Ok(Side { label, validator: None, replaces: true, weights: stored(&vector) })
}
