//! `weighhouse policy replay`: recorded epochs weighed again.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use weighhouse_scoring::policy::PolicyFile;
use weighhouse_scoring::replay::{Replay as Replayer, ReplayTotals, ReplayedEpoch};
use weighhouse_scoring::{Decision, Policy};
use weighhouse_types::Digest;

use super::epochs::each_epoch;
use super::files::read_policy;
use crate::failure::{Context, Exit, Failure};
use crate::output::{self, Table};

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

/// The last object of `--json`.
#[derive(Serialize)]
struct Summary {
    #[serde(flatten)]
    totals: ReplayTotals,
    policy: Option<Digest>,
    seconds: f64,
}

pub(crate) fn run(args: &Replay, shutdown: &CancellationToken) -> Result<(), Failure> {
    let other = args.policy.as_deref().map(read_policy).transpose()?;
    let mut replayer = match &other {
        Some(file) => Replayer::under(Policy::clone(file.policy())),
        None => Replayer::recorded(),
    };
    let began = std::time::Instant::now();
    let mut table = Table::new(&["epoch", "verdicts", "<result", "<published"]);
    let mut totals = ReplayTotals::default();
    each_epoch(&args.journal, shutdown, |records| {
        let replayed = replayer.epoch(records).exit(Exit::Data, args.journal.display())?;
        totals.add(&replayed);
        if args.json {
            return Ok(output::json(&replayed)?);
        }
        table.row(row(&replayed));
        Ok(())
    })?;
    let seconds = began.elapsed().as_secs_f64();
    let ReplayTotals { epochs, judgements, decided, differ } = totals;
    if args.json {
        output::json(&Summary { totals, policy: other.as_ref().map(PolicyFile::hash), seconds })?;
    } else {
        table.print()?;
        output::line(format!(
            "{judgements} judgements of {epochs} epochs in {seconds:.2} s; {differ} of {decided} decided epochs give another \
             vector than the one intended"
        ))?;
    }
    if other.is_none() && differ > 0 {
        return Err(Failure::new(Exit::Data, format!("{differ} epochs do not give what was published")));
    }
    Ok(())
}

fn row(replayed: &ReplayedEpoch) -> Vec<String> {
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
