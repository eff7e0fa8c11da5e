//! `weighhouse policy why`, `replay` and `diff`: recorded epochs under the policies.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use weighhouse_journal::Segment;
use weighhouse_scoring::diff::{Diff as Changes, Differ};
use weighhouse_scoring::path::{Path as Way, path};
use weighhouse_scoring::policy::PolicyFile;
use weighhouse_scoring::replay::{Replay as Replayer, Replayed};
use weighhouse_scoring::{Decision, Policy};
use weighhouse_types::{Digest, Epoch, Record, Uid};

use super::read_policy;
use crate::commands::expand;
use crate::failure::{Context, Exit, Failure};
use crate::output::{self, Table};

/// Epochs read ahead of the one that is replayed.
const AHEAD: usize = 4;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse policy why --journal journal --uid 17
  weighhouse policy why --journal journal --uid 17 --epoch 42 --json")]
pub(crate) struct Explain {
    /// The validator's journal folder
    #[arg(long, value_name = "DIR")]
    journal: PathBuf,
    /// The miner
    #[arg(long)]
    uid: u16,
    /// The epoch; the newest that knows the miner if not given
    #[arg(long)]
    epoch: Option<Epoch>,
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse policy replay --journal journal                       is every vector what its records give?
  weighhouse policy replay --journal journal --policy new.toml     what would have been published
  weighhouse policy replay --journal journal --json                an object per epoch

Under the recorded policies the result must be what was published, to the byte: exit code 65 where it is not.")]
pub(crate) struct Replay {
    /// The validator's journal folder
    #[arg(long, value_name = "DIR")]
    journal: PathBuf,
    /// Another policy than the recorded ones; its averages are carried from the first epoch on
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse policy diff old.toml new.toml --journal journal
  weighhouse policy diff default new.toml --journal journal --json
  weighhouse policy diff default new.toml --profile digits-quality-private    over a simulated subnet")]
pub(crate) struct Diff {
    /// The policy before
    before: PathBuf,
    /// The policy after
    after: PathBuf,
    /// The validator's journal folder
    #[arg(long, value_name = "DIR", required_unless_present = "profile")]
    journal: Option<PathBuf>,
    /// Compare over a simulated subnet with a miner of each kind that this profile measured, instead of over a journal
    #[arg(long, conflicts_with = "journal")]
    profile: Option<String>,
    #[arg(long)]
    json: bool,
}

pub(crate) fn explain(args: &Explain) -> Result<(), Failure> {
    let mut files = epochs(&args.journal)?;
    if let Some(epoch) = args.epoch {
        files.retain(|(other, _)| *other == epoch);
        if files.is_empty() {
            let message = format!("{}: no epoch {epoch} in this journal", args.journal.display());
            return Err(Failure::new(Exit::Missing, message));
        }
    }
    let mut last = None;
    for (_, file) in files.iter().rev() {
        match path(&read(file)?, Uid(args.uid)) {
            Ok(way) if args.json => return Ok(output::json(&way)?),
            Ok(way) => return print_way(&way),
            Err(error) => last = Some(error),
        }
    }
    let error = last.map_or_else(|| "the journal is empty".to_owned(), |error| error.to_string());
    Err(Failure::new(Exit::Missing, error))
}

fn print_way(way: &Way) -> Result<(), Failure> {
    let unit = |billionths: i64| format!("{:.4}", billionths as f64 / 1e9);
    output::line(format!("epoch {}, uid {}, hotkey {}", way.epoch, way.uid, way.who.hotkey))?;
    let mut table = Table::new(&["round", "mark", "ms", "<why"]);
    for step in &way.verdicts {
        table.row(vec![
            step.round.to_string(),
            step.judgement.mark.to_string(),
            step.latency_us.map_or("-".to_owned(), |latency| format!("{:.1}", latency as f64 / 1000.0)),
            step.judgement.reasons.iter().map(|reason| format!("{reason:?}")).collect::<Vec<_>>().join("; "),
        ]);
    }
    table.print()?;
    let rated = &way.rated;
    let carried = way.carried.map_or("nothing".to_owned(), unit);
    output::line(format!(
        "this epoch's mean    {} over {} verdicts, {} in time",
        unit(way.epoch_mean),
        way.verdicts.len(),
        way.in_time
    ))?;
    output::line(format!("carried in           {carried}"))?;
    output::line(format!(
        "average              {} over {} verdicts in all",
        unit(rated.average),
        way.attempts
    ))?;
    output::line(format!("standard error       {}", unit(rated.error as i64)))?;
    output::line(format!("significant          {}", unit(rated.significant)))?;
    output::line(format!("expressed            {}", unit(rated.expressed)))?;
    output::line(format!("score                {} ({})", rated.score, rating(rated.rating)))?;
    if let Some(cluster) = way.cluster {
        output::line(format!("cluster              {cluster}: answers like others'"))?;
    }
    if let Some(place) = way.place {
        output::line(format!("place                {}", place + 1))?;
    }
    output::line(format!("share of all weights {:.4} %", way.share * 100.0))?;
    match (way.weight, &way.abstains) {
        (Some(weight), _) => output::line(format!("weight               {weight} of 65535"))?,
        (None, why) => output::line(format!("no vector            {}", why.as_deref().unwrap_or("unknown")))?,
    }
    Ok(())
}

fn rating(rating: weighhouse_scoring::Rating) -> String {
    serde_json::to_value(rating)
        .ok()
        .and_then(|value| value.as_str().map(|text| text.replace('_', " ")))
        .unwrap_or_default()
}

/// What a replay of a whole journal comes to.
#[derive(Serialize)]
struct Summary {
    epochs: u64,
    judgements: u64,
    decided: u64,
    differ: u64,
    policy: Option<Digest>,
    seconds: f64,
}

pub(crate) fn replay(args: &Replay, shutdown: &CancellationToken) -> Result<(), Failure> {
    let other = args.policy.as_deref().map(read_policy).transpose()?;
    let mut replayer = match &other {
        Some(file) => Replayer::under(Policy::clone(file.policy())),
        None => Replayer::recorded(),
    };
    let began = std::time::Instant::now();
    let mut table = Table::new(&["epoch", "verdicts", "<result", "<published"]);
    let policy = other.as_ref().map(PolicyFile::hash);
    let mut summary = Summary { epochs: 0, judgements: 0, decided: 0, differ: 0, policy, seconds: 0.0 };
    each_epoch(&args.journal, shutdown, |records| {
        let replayed = replayer.epoch(records).exit(Exit::Data, args.journal.display())?;
        summary.epochs += 1;
        summary.judgements += replayed.judgements;
        summary.decided += u64::from(replayed.matches.is_some());
        summary.differ += u64::from(replayed.matches == Some(false));
        if args.json {
            return Ok(output::json(&replayed)?);
        }
        table.row(row(&replayed));
        Ok(())
    })?;
    summary.seconds = began.elapsed().as_secs_f64();
    if args.json {
        output::json(&summary)?;
    } else {
        table.print()?;
        output::line(format!(
            "{} judgements of {} epochs in {:.2} s; {} of {} decided epochs give another vector than the one intended",
            summary.judgements, summary.epochs, summary.seconds, summary.differ, summary.decided
        ))?;
    }
    if other.is_none() && summary.differ > 0 {
        return Err(Failure::new(
            Exit::Data,
            format!("{} epochs do not give what was published", summary.differ),
        ));
    }
    Ok(())
}

fn row(replayed: &Replayed) -> Vec<String> {
    let result = match &replayed.decision {
        Decision::Weights { vector, .. } => {
            let entries: Vec<_> =
                vector.entries().iter().take(8).map(|(uid, weight)| format!("{uid}:{weight}")).collect();
            let more = vector.entries().len().saturating_sub(8);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("{}{more}", entries.join(" "))
        }
        Decision::Abstain { why, .. } => format!("nothing: {why}"),
    };
    let published = match (replayed.matches, replayed.published) {
        (Some(true), true) => "the same",
        (Some(true), false) => "the same, not confirmed",
        (Some(false), _) => "ANOTHER",
        (None, _) => "not decided yet",
    };
    vec![replayed.epoch.to_string(), replayed.judgements.to_string(), result, published.to_owned()]
}

pub(crate) fn diff(args: &Diff, shutdown: &CancellationToken) -> Result<(), Failure> {
    let policies = [read_policy(&args.before)?, read_policy(&args.after)?];
    let Some(journal) = &args.journal else {
        return super::lab::diff(policies, args.profile.as_deref().unwrap_or_default(), args.json);
    };
    let [mut first, mut second] = policies.map(|file| Replayer::under(Policy::clone(file.policy())));
    let mut differ = Differ::new();
    each_epoch(journal, shutdown, |records| {
        let one = first.epoch(records).exit(Exit::Data, journal.display())?;
        let other = second.epoch(records).exit(Exit::Data, journal.display())?;
        differ.epoch(&one, &other);
        Ok(())
    })?;
    let changes = differ.finish();
    if args.json { Ok(output::json(&changes)?) } else { print_changes(&changes) }
}

fn print_changes(diff: &Changes) -> Result<(), Failure> {
    let mut table = Table::new(&["uid", "<hotkey", "before %", "after %", "gain %"]);
    for change in &diff.changes {
        table.row(vec![
            change.uid.to_string(),
            change.who.hotkey.to_string(),
            format!("{:.3}", change.before * 100.0),
            format!("{:.3}", change.after * 100.0),
            format!("{:+.3}", change.gain() * 100.0),
        ]);
    }
    if !diff.changes.is_empty() {
        table.print()?;
    }
    output::line(format!(
        "{:.3} % of emission moves, on average over {} epochs; {} of them give the same vector",
        diff.moved * 100.0,
        diff.epochs,
        diff.equal
    ))?;
    if diff.first_abstains + diff.second_abstains > 0 {
        output::line(format!(
            "only the first abstains in {} epochs, only the second in {}",
            diff.first_abstains, diff.second_abstains
        ))?;
    }
    Ok(())
}

/// The journal's files, by epoch.
fn epochs(dir: &Path) -> Result<Vec<(Epoch, PathBuf)>, Failure> {
    let dir = expand(dir);
    let files = weighhouse_journal::segments(&dir).exit(Exit::Missing, dir.display())?;
    if files.is_empty() {
        let message = format!("{}: no epochs here; name a validator's journal folder", dir.display());
        return Err(Failure::new(Exit::Missing, message));
    }
    Ok(files)
}

fn read(file: &Path) -> Result<Vec<Record>, Failure> {
    let bytes = std::fs::read(file).exit(Exit::Missing, file.display())?;
    Ok(Segment::read(&bytes).exit(Exit::Data, file.display())?.into_records())
}

/// Hands every opened epoch over in order, while threads read and check the next ones.
fn each_epoch(
    dir: &Path,
    shutdown: &CancellationToken,
    mut take: impl FnMut(&[Record]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let files = epochs(dir)?;
    let threads = std::thread::available_parallelism().map_or(2, usize::from).min(AHEAD);
    let began = std::time::Instant::now();
    std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..threads)
            .map(|lane| {
                let (sender, receiver) = std::sync::mpsc::sync_channel(AHEAD / threads.max(1) + 1);
                let mine: Vec<_> = files.iter().skip(lane).step_by(threads).collect();
                scope.spawn(move || {
                    for (_, file) in mine {
                        if sender.send(read(file)).is_err() {
                            return;
                        }
                    }
                });
                receiver
            })
            .collect();
        for (at, (epoch, _)) in files.iter().enumerate() {
            if shutdown.is_cancelled() {
                return Err(Failure::internal("interrupted"));
            }
            let records = lanes[at % threads].recv().exit(Exit::Internal, "reading the journal")??;
            // A crash may have left a file in which nothing was opened yet.
            if records.iter().any(|record| matches!(record, Record::EpochOpened(_))) {
                take(&records)?;
            }
            if began.elapsed().as_secs() >= 2 {
                output::live(format_args!("epoch {epoch}: {} of {}", at + 1, files.len()));
            }
        }
        output::live("");
        Ok(())
    })
}
