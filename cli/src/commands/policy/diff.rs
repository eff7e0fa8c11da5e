//! `weighhouse policy diff`: who gains and who loses from a change of policy, over a journal or a simulated subnet.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use weighhouse_lab::compare::{self, KeyChange, PolicyComparison};
use weighhouse_scoring::Policy;
use weighhouse_scoring::diff::{Diff as Changes, Differ};
use weighhouse_scoring::replay::Replay as Replayer;

use super::epochs::each_epoch;
use super::files::{profile, read_policy};
use crate::failure::{Context, Exit, Failure};
use crate::output::{self, Table};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse policy diff old.toml new.toml --journal journal
  weighhouse policy diff default new.toml --journal journal --json
  weighhouse policy diff default new.toml --profile digits-quality-private    over a simulated subnet

Exit code 64 where the second policy abstains in epochs in which the first doesn't, or nothing can be compared, unless
--force.")]
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
    /// End with 0 even where the second policy abstains
    #[arg(long)]
    force: bool,
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Diff, shutdown: &CancellationToken) -> Result<(), Failure> {
    let policies = [read_policy(&args.before)?, read_policy(&args.after)?];
    let keys = compare::keys(&policies[0], &policies[1]);
    let Some(journal) = &args.journal else {
        let name = args.profile.as_deref().unwrap_or_default();
        let compared =
            compare::compare(policies, name, profile(name)?).exit(Exit::Config, "the simulation")?;
        if args.json {
            return Ok(output::json(&WithKeys { keys: &keys, differences: &compared })?);
        }
        print_keys(&keys)?;
        return print_comparison(&compared);
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
    if args.json {
        output::json(&changes)?
    } else {
        print_changes(&changes)?
    }
    match stops(&changes) {
        Some(message) if !args.force => Err(Failure::config(format!("{}: {message}", args.after.display()))),
        _ => Ok(()),
    }
}

/// The keys that differ beside the differences they make, for `--json`.
#[derive(Serialize)]
struct WithKeys<'a, T> {
    keys: &'a [KeyChange],
    #[serde(flatten)]
    differences: &'a T,
}

fn print_keys(keys: &[KeyChange]) -> Result<(), Failure> {
    if keys.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(&["<key", "<before", "<after"]);
    for KeyChange { key, before, after } in keys {
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
        table.row(vec![key.clone(), value(before), value(after)]);
    }
    table.print()?;
    Ok(output::line("")?)
}

/// Why the change of policy should not go live by what the journal shows.
fn stops(diff: &Changes) -> Option<String> {
    if diff.second_abstains > 0 {
        let all = diff.epochs + diff.second_abstains;
        return Some(format!(
            "validators abstain under it in {} of {all} epochs in which the first policy gives a vector; see why with `policy \
             replay --policy`, or use --force",
            diff.second_abstains
        ));
    }
    (diff.epochs == 0).then(|| "no epoch gives a vector under both policies: nothing was compared".to_owned())
}

/// Cells of a share before and after, and of the gain, in percent.
fn percents(before: f64, after: f64) -> [String; 3] {
    let percent = |share: f64| format!("{:.3}", share * 100.0);
    [percent(before), percent(after), format!("{:+.3}", (after - before) * 100.0)]
}

fn print_changes(diff: &Changes) -> Result<(), Failure> {
    let mut table = Table::new(&["uid", "<hotkey", "before %", "after %", "gain %"]);
    for change in &diff.changes {
        let mut row = vec![change.uid.to_string(), change.who.hotkey.to_string()];
        row.extend(percents(change.before, change.after));
        table.row(row);
    }
    if !diff.changes.is_empty() {
        table.print()?;
    }
    if diff.epochs > 0 {
        output::line(format!(
            "{:.3} % of emission moves, on average over {} epochs; {} of them give the same vector",
            diff.moved * 100.0,
            diff.epochs,
            diff.equal
        ))?;
    }
    if diff.first_abstains + diff.second_abstains > 0 {
        output::line(format!(
            "only the first abstains in {} epochs, only the second in {}",
            diff.first_abstains, diff.second_abstains
        ))?;
    }
    Ok(())
}

fn print_comparison(compared: &PolicyComparison) -> Result<(), Failure> {
    let mut table = Table::new(&["<miners", "before %", "after %", "gain %"]);
    for change in &compared.changes {
        let mut row = vec![change.kind.clone()];
        row.extend(percents(change.before, change.after));
        table.row(row);
    }
    table.print()?;
    Ok(output::line(format!(
        "{} honest miners and one of each other kind on {}, share of miners' emission over {} epochs, {} seeds",
        compare::HONEST_MINERS,
        compared.profile,
        compare::EPOCHS,
        compared.seeds
    ))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_that_abstains_or_cannot_be_compared_is_told_of() {
        let moved = Changes { epochs: 3, ..Changes::default() };
        assert_eq!(stops(&moved), None);
        let stopped = stops(&Changes { second_abstains: 2, ..moved.clone() }).expect("told");
        assert!(stopped.starts_with("validators abstain under it in 2 of 5 epochs"), "{stopped}");
        assert!(stops(&Changes { first_abstains: 4, ..Changes::default() }).is_some());
        assert_eq!(stops(&Changes { first_abstains: 4, ..moved }), None);
    }
}
