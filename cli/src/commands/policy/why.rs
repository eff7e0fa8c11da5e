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
  weighhouse policy why --journal journal --uid 17 --epoch 42 --json")]
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
    let unit = |billionths: i64| format!("{:.4}", billionths as f64 / 1e9);
    output::line(format!("epoch {}, uid {}, hotkey {}", way.epoch, way.uid, way.who.hotkey))?;
    verdicts(way).print()?;
    if way.awaiting > 0 {
        output::line(LaterAnswers::in_words(way.awaiting))?;
    }
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
    if let Some(burn) = &way.mining_burn {
        output::line(format!("burn                 {burn}"))?;
    }
    Ok(())
}

/// The verdicts, with the epoch that asked where it is an earlier one.
fn verdicts(way: &Way) -> Table {
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
