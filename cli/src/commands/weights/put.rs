//! `weighhouse weights put`: weights of other software, published as a validator publishes its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use weighhouse_history::intent_state;
use weighhouse_journal::Publication;
use weighhouse_seams::{ClockExt as _, DirStorage, Entropy, SystemClock};
use weighhouse_types::{Block, Epoch, IntentState};
use weighhouse_validator::config::Config;
use weighhouse_validator::put::{Put, PutError, PutParts};

use crate::commands::keys::daemon_hotkey;
use crate::commands::validator::read_config;
use crate::commands::{chain_failure, connect, expand, open_dir, warn_of, weights_file};
use crate::failure::{Context, Exit, Failure};
use crate::output;

/// For one block's reads from the chain.
const STEP_DEADLINE: Duration = Duration::from_secs(60);
/// The pause after a block that failed.
const RETRY: Duration = Duration::from_secs(6);

#[derive(Args, Debug)]
pub(crate) struct PutArgs {
    /// Weights by uid or hotkey: CSV (uid,weight or hotkey,weight), JSON ({"5F...": 0.4} or a list) or Parquet; - reads standard input.
    /// They are relative: only their proportions count
    #[arg(value_name = "FILE|-", required_unless_present = "resume")]
    file: Option<PathBuf>,
    /// Configuration file: its wallet signs, on its chain
    #[arg(long, value_name = "FILE", default_value = "validator.toml")]
    config: PathBuf,
    /// Folder of the journal, not one of a validator that judges [default: journal.dir of the file]
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
    /// Only follow what is under way, and publish nothing new
    #[arg(long, conflicts_with = "file")]
    resume: bool,
    /// How far to follow hidden weights: until the chain shows them, or only until the commit is in a block (the next call goes on with
    /// it; where weights are hidden by a hash, that has to be in the epoch of the reveal)
    #[arg(long, value_enum, default_value_t = Until::Published)]
    until: Until,
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Until {
    Published,
    Committed,
}

#[derive(Serialize)]
struct Outcome<'a> {
    epoch: Epoch,
    intent: weighhouse_types::Digest,
    weights: &'a weighhouse_types::WeightVector,
    state: &'static str,
    block: Option<Block>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
    scored_elsewhere: bool,
}

pub(super) async fn run(args: PutArgs, shutdown: CancellationToken) -> Result<(), Failure> {
    // Before anything else: a mistake in the file needs no chain to be found.
    let table = args.file.as_deref().map(weights_file::read).transpose()?;
    let config = read_config(&args.config)?;
    warn_of(&config.chain.outdated);
    let keypair = Arc::new(daemon_hotkey(&config.wallet)?);
    let (storage, _others) = folders(&config, args.journal.as_deref())?;
    let chain = connect(&config.chain.address, config.chain.genesis).await?;
    let put = Put::open(PutParts {
        netuid: config.chain.netuid,
        mechanism: config.chain.mechanism,
        keypair,
        chain: chain.clone(),
        clock: Arc::new(SystemClock::new()),
        entropy: Entropy::system(),
        storage: Arc::new(storage),
    });
    let mut put = put.await.map_err(put_failure)?;
    let mut followed: Vec<Epoch> = put
        .publications()
        .filter(|publication| !publication.is_closed())
        .map(|known| known.intent.epoch)
        .collect();
    if let Some(table) = table {
        let state = chain.subnet(config.chain.netuid).await.map_err(chain_failure)?;
        let weights = table.resolve(&state.metagraph).exit(Exit::Data, "the weights")?;
        let epoch = put.intend(&weights).await.map_err(put_failure)?;
        if !followed.contains(&epoch) {
            followed.push(epoch);
        }
    }
    let Some(last) = followed.last().copied() else {
        return Err(Failure::new(
            Exit::Missing,
            "no weights are under way in this journal: there is nothing to resume",
        ));
    };
    follow(&mut put, last, &args, &shutdown).await
}

/// The journal's folder and, where it is another, that of the configured validator: none of its own may run meanwhile.
fn folders(config: &Config, journal: Option<&Path>) -> Result<(DirStorage, Option<DirStorage>), Failure> {
    let configured = expand(&config.journal.dir);
    let Some(own) = journal.map(expand).filter(|own| !is_same(own, &configured)) else {
        return Ok((open_dir(&configured, "journal.dir")?, None));
    };
    let held = configured.is_dir().then(|| open_dir(&configured, "journal.dir")).transpose()?;
    Ok((open_dir(&own, "--journal")?, held))
}

fn is_same(one: &Path, other: &Path) -> bool {
    one == other || matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// Works through blocks until the newest epoch's weights have come to an end.
async fn follow(
    put: &mut Put,
    last: Epoch,
    args: &PutArgs,
    shutdown: &CancellationToken,
) -> Result<(), Failure> {
    let clock = SystemClock::new();
    let mut told = String::new();
    loop {
        let step = clock.timeout(STEP_DEADLINE, put.step()).await;
        let after = match step {
            Ok(Ok(block)) => Some(block),
            Ok(Err(error)) if error.passes() => {
                output::note(format!("this block failed, trying again: {error}"));
                None
            }
            Ok(Err(error)) => return Err(put_failure(error)),
            Err(_) => {
                output::note("the chain gave no answer, trying again");
                None
            }
        };
        let now = progress(put);
        if now != told {
            output::note(&now);
            told = now;
        }
        if let Some(publication) = put.publications().find(|known| known.intent.epoch == last)
            && is_done(publication, args.until)
        {
            return tell(publication, args.json);
        }
        let next = async {
            match after {
                Some(block) => drop(put.next_block(block).await),
                None => tokio::time::sleep(RETRY).await,
            }
        };
        tokio::select! {
            () = next => {}
            () = shutdown.cancelled() => return Err(stopped(put, last)),
        }
    }
}

fn is_done(publication: &Publication, until: Until) -> bool {
    let is_committed = matches!(publication.state, Some(IntentState::Committed { .. }));
    publication.is_closed() || (until == Until::Committed && is_committed)
}

fn stopped(put: &Put, last: Epoch) -> Failure {
    let at = put.publications().find(|known| known.intent.epoch == last);
    let state = at.map_or("unknown", |publication| intent_state(publication.state.as_ref()));
    let message = format!(
        "stopped while the weights of epoch {last} were {state}: `weighhouse weights put --resume` goes on, and so does the same command \
         while the epoch lasts"
    );
    Failure::new(Exit::Unavailable, message)
}

/// One line on everything that is under way.
fn progress(put: &Put) -> String {
    let one = |publication: &Publication| {
        let epoch = publication.intent.epoch;
        let state = intent_state(publication.state.as_ref());
        match publication.state.as_ref().and_then(IntentState::block) {
            Some(block) => format!("epoch {epoch}: {state} (block {block})"),
            None => format!("epoch {epoch}: {state}"),
        }
    };
    put.publications().map(one).collect::<Vec<_>>().join("; ")
}

fn tell(publication: &Publication, json: bool) -> Result<(), Failure> {
    let Publication { intent, state, .. } = publication;
    let block = state.as_ref().and_then(IntentState::block);
    let why = match state {
        Some(IntentState::Failed { why } | IntentState::Missed { why }) => Some(why.as_str()),
        _ => None,
    };
    let (epoch, word) = (intent.epoch, intent_state(state.as_ref()));
    if json {
        let weights = &intent.weights;
        output::json(&Outcome {
            epoch,
            intent: intent.id,
            weights,
            state: word,
            block,
            why,
            scored_elsewhere: true,
        })?;
    } else if let (None, Some(block)) = (why, block) {
        let uids = intent.weights.entries().len();
        output::line(format!("epoch {epoch}: weights of {uids} uids {word}, block {block}"))?;
    }
    match why {
        None => Ok(()),
        Some(why) => Err(Failure::new(Exit::Denied, format!("the weights of epoch {epoch} {word}: {why}"))),
    }
}

fn put_failure(error: PutError) -> Failure {
    let exit = match error {
        PutError::Chain(error) => return chain_failure(error),
        PutError::NotRegistered { .. } | PutError::Refused(_) => Exit::Denied,
        PutError::Weights(_) => Exit::Data,
        PutError::Judges { .. }
        | PutError::Moved(_)
        | PutError::UnderWay { .. }
        | PutError::Published { .. } => Exit::Config,
        PutError::Journal(weighhouse_journal::JournalError::Io { .. }) => Exit::Unavailable,
        PutError::Journal(_) => Exit::Data,
    };
    Failure::new(exit, error)
}
