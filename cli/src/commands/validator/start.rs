//! `weighhouse validator start-from`: a new validator begins with what another's epochs show of the miners.

use std::path::PathBuf;

use clap::Args;
use weighhouse_ask::judges::JudgeAddress;
use weighhouse_validator::start::{Start, StartError};

use super::read_config;
use crate::commands::{audit, expand, open_dir};
use crate::failure::{Exit, Failure};
use crate::output;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse validator start-from http://203.0.113.8:8093/ --config validator.toml
  weighhouse validator start-from evidence --newest 20       a folder of another validator's epochs

Every verdict is judged again here first, and any fault ends it: nothing is taken on the other validator's word but
what its oldest epoch here took over from epochs before. The first epoch of the new journal then begins with the
averages that the newest one leaves, and names it, so that an audit can compare them. It takes a task and a policy
that are the same as here.")]
pub(super) struct StartFrom {
    /// Another validator's epochs: the address at which it offers its bundles, a folder, or files in their order
    #[arg(required = true, value_name = "FILE|FOLDER|URL")]
    named: Vec<PathBuf>,
    /// Configuration file of the validator here, whose journal.dir has no epochs yet
    #[arg(long, value_name = "FILE", default_value = "validator.toml")]
    config: PathBuf,
    /// Judge the newest so many epochs again
    #[arg(long, value_name = "COUNT", default_value = "8", value_parser = clap::value_parser!(u32).range(1..))]
    newest: u32,
    /// The task's reference, where it is a file of weights and not the built-in one
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Address of a judge of the pinned files; repeat it for several
    #[arg(long, value_name = "ADDRESS")]
    judge: Vec<JudgeAddress>,
    /// Validators that have to have witnessed each epoch; as many as the policy says where nothing is said
    #[arg(long, value_name = "COUNT")]
    witnesses: Option<usize>,
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &StartFrom) -> Result<(), Failure> {
    let config = read_config(&args.config)?;
    let dir = expand(&config.journal.dir);
    let storage = open_dir(&dir, "journal.dir")?;
    let asked = (args.newest as usize, args.model.as_deref());
    let bytes = audit::judged_again(&args.named, asked, &args.judge, args.witnesses).await?;
    let start = Start::of(&bytes).map_err(|error| failure(&error))?;
    let here = (config.chain.netuid, config.chain.mechanism);
    if (start.place.netuid, start.place.mechanism) != here {
        return Err(Failure::config(format!(
            "these epochs are of subnet {}, mechanism {}, and {} names subnet {}, mechanism {}",
            start.place.netuid,
            start.place.mechanism,
            args.config.display(),
            here.0,
            here.1
        )));
    }
    start.write(&storage).map_err(|error| failure(&error))?;
    if args.json {
        return Ok(output::json(&start)?);
    }
    output::line(format!(
        "{} miners' averages of epoch {} of validator {}, in {}",
        start.standings.len(),
        start.from.epoch,
        start.from.validator,
        dir.display()
    ))?;
    Ok(output::line(format!("start it with `weighhouse validator --config {}`", args.config.display()))?)
}

fn failure(error: &StartError) -> Failure {
    let exit = match error {
        StartError::HasEpochs => Exit::Config,
        StartError::Io(_) => Exit::Unavailable,
        _ => Exit::Data,
    };
    Failure::new(exit, error)
}
