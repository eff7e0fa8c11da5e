//! `weighhouse label`: a customer's data set labelled by people and models, built and verified; and what a crowd's labels say and are worth.

mod aggregate;
mod exchange;
mod init;
mod product;
mod simulate;
mod votes;
mod work;

use clap::Subcommand;
use tokio_util::sync::CancellationToken;
use weighhouse_label::JobError;

use crate::failure::{Exit, Failure};

/// Have a data set labelled by people and models, and verify one.
#[derive(Subcommand, Debug)]
#[command(after_help = "\
Examples:
  weighhouse label plan --items 2000 --accuracy 0.95 --classes 10 --price 0.02
  weighhouse label init reviews --items reviews.csv --classes negative,positive --guidelines guidelines.md
  weighhouse label work reviews --as ann
  weighhouse label ask reviews --url http://127.0.0.1:8000/v1 --model qwen2.5-7b
  weighhouse label build reviews --out reviews-labelled
  weighhouse label verify reviews-labelled
  weighhouse label aggregate labels.csv --gold gold.csv

docs/label.md goes through all of it.")]
pub(crate) enum Label {
    /// What labels of an accuracy will cost
    Plan(init::Plan),
    /// Make a job's folder of items, classes and guidelines
    Init(init::InitArgs),
    /// Label in a browser
    Work(work::Work),
    /// Have a model label, at an OpenAI-compatible server
    Ask(work::Ask),
    /// Take over labels that were given elsewhere
    Import(exchange::Import),
    /// Hand out labels as other tools read them
    Export(exchange::Export),
    /// Build the labelled data set
    Build(product::Build),
    /// Work a data set out again, and name what differs
    Verify(product::Verify),
    /// Work out each item's class from a table of labels
    Aggregate(aggregate::Aggregate),
    /// What every sort of worker earns, on crowds that are drawn
    Simulate(simulate::Simulate),
}

pub(crate) async fn run(command: Label, shutdown: CancellationToken) -> Result<(), Failure> {
    match command {
        Label::Plan(args) => init::plan(&args),
        Label::Init(args) => init::init(&args),
        Label::Work(args) => work::work(args, shutdown).await,
        Label::Ask(args) => work::ask(args, shutdown).await,
        Label::Import(args) => exchange::import(&args),
        Label::Export(args) => exchange::export(&args),
        Label::Build(args) => product::build(&args),
        Label::Verify(args) => product::verify(&args),
        Label::Aggregate(args) => aggregate::run(&args),
        Label::Simulate(args) => simulate::run(&args),
    }
}

fn failed(error: JobError) -> Failure {
    let exit = match &error {
        JobError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => Exit::Missing,
        JobError::Io { .. } | JobError::Busy { .. } => Exit::Unavailable,
        JobError::Config(_) => Exit::Config,
        JobError::Large { .. }
        | JobError::Wrong { .. }
        | JobError::Item { .. }
        | JobError::Receipt { .. } => Exit::Data,
    };
    Failure::new(exit, error)
}

#[cfg(test)]
mod tests;
