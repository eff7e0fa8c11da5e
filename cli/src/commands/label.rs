//! `weighhouse label`: what a crowd's labels say together, and what each worker's are worth.

mod aggregate;
mod simulate;
mod tables;

use clap::Subcommand;

use crate::failure::Failure;

/// Aggregate the labels of a crowd, and try what its workers would earn.
#[derive(Subcommand, Debug)]
#[command(after_help = "\
Examples:
  weighhouse label aggregate labels.csv --gold gold.csv --out posterior.csv
  weighhouse label simulate --seeds 20

docs/label.md has the methods, and what a file must look like.")]
pub(crate) enum Label {
    /// Work out each item's class from the labels of many workers
    Aggregate(aggregate::Aggregate),
    /// What every sort of worker earns, on crowds that are drawn
    Simulate(simulate::Simulate),
}

pub(crate) fn run(command: &Label) -> Result<(), Failure> {
    match command {
        Label::Aggregate(args) => aggregate::run(args),
        Label::Simulate(args) => simulate::run(args),
    }
}

#[cfg(test)]
mod tests;
