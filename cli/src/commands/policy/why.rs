//! `weighhouse policy why`: one miner's way from its answers to its weight.

use std::path::PathBuf;

use clap::Args;
use weighhouse_journal::read_segment;
use weighhouse_scoring::path::{Path as Way, path};
use weighhouse_types::{Epoch, LaterAnswers, Uid};

use super::epochs::epochs;
use crate::failure::{Exit, Failure};
use crate::output::{self, Table};

#[cfg(test)]
mod tests;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse policy why --journal journal --uid 17
  weighhouse policy why --journal journal --uid 17 --epoch 42 --json

It follows the policy's arithmetic, verdict by verdict. `weighhouse explain` tells the same miner's reasons in words, what each
check cost, what keeps it from more, and the incentive that the chain is expected to pay.")]
pub(crate) struct Why {
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

pub(crate) fn run(args: &Why) -> Result<(), Failure> {
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
        match path(&read_segment(file)?, Uid(args.uid)) {
            Ok(way) if args.json => return Ok(output::json(&way)?),
            Ok(way) => return print(&way),
            // The newest epoch's reason is the one to tell.
            Err(error) => drop(last.get_or_insert(error)),
        }
    }
    let error = last.map_or_else(|| "the journal is empty".to_owned(), |error| error.to_string());
    Err(Failure::new(Exit::Missing, error))
}

fn print(way: &Way) -> Result<(), Failure> {
    output::line(format!("epoch {}, uid {}, hotkey {}", way.epoch, way.uid, way.who.hotkey))?;
    verdicts(way).print()?;
    if way.awaiting > 0 {
        output::line(LaterAnswers::in_words(way.awaiting))?;
    }
    figures(way).into_iter().try_for_each(output::line)?;
    Ok(())
}

/// The figures from the mean of the verdicts to the weight, a line each.
pub(crate) fn figures(way: &Way) -> Vec<String> {
    let unit = |billionths: i64| format!("{:.4}", billionths as f64 / 1e9);
    let rated = &way.rated;
    let carried = way.carried.map_or("nothing".to_owned(), unit);
    let (verdicts, in_time) = (way.verdicts.len(), way.in_time);
    let mut lines = vec![
        format!("this epoch's mean    {} over {verdicts} verdicts, {in_time} in time", unit(way.epoch_mean)),
        format!("carried in           {carried}"),
        format!("average              {} over {} verdicts in all", unit(rated.average), way.attempts),
        format!("standard error       {}", unit(rated.error as i64)),
        format!("significant          {}", unit(rated.significant)),
        format!("expressed            {}", unit(rated.expressed)),
        format!("score                {} ({})", rated.score, rating(rated.rating)),
    ];
    lines.extend(way.cluster.map(|cluster| format!("cluster              {cluster}: answers like others'")));
    lines.extend(way.place.map(|place| format!("place                {}", place + 1)));
    lines.push(format!("share of all weights {:.4} %", way.share * 100.0));
    lines.push(match (way.weight, &way.abstains) {
        (Some(weight), _) => format!("weight               {weight} of 65535"),
        (None, why) => format!("no vector            {}", why.as_deref().unwrap_or("unknown")),
    });
    lines.extend(way.mining_burn.as_ref().map(|burn| format!("burn                 {burn}")));
    lines
}

/// The verdicts, with the epoch that asked where it is an earlier one.
pub(crate) fn verdicts(way: &Way) -> Table {
    let is_later = way.verdicts.iter().any(|step| step.asked_in != way.epoch);
    let headings = ["asked in", "round", "mark", "ms", "<why"];
    let shown = usize::from(!is_later);
    let mut table = Table::new(&headings[shown..]);
    let mut steps: Vec<_> = way.verdicts.iter().collect();
    steps.sort_by_key(|step| (step.asked_in, step.round));
    for step in steps {
        let reasons: Vec<String> = step.judgement.reasons.iter().map(ToString::to_string).collect();
        let row = [
            step.asked_in.to_string(),
            step.round.to_string(),
            step.judgement.mark.to_string(),
            step.latency_us.map_or("-".to_owned(), |latency| format!("{:.1}", latency as f64 / 1000.0)),
            reasons.join("; "),
        ];
        table.row(row[shown..].to_vec());
    }
    table
}

fn rating(rating: weighhouse_scoring::Rating) -> String {
    serde_json::to_value(rating)
        .ok()
        .and_then(|value| value.as_str().map(|text| text.replace('_', " ")))
        .unwrap_or_default()
}
