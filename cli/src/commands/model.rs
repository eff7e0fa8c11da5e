//! `weighhouse model`.

mod language;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use weighhouse_models::{Classifier, held_out_accuracy};

use crate::failure::{Context, Exit, Failure};
use crate::output;

/// Look at weights, complete a text, embed texts.
#[derive(Subcommand, Debug)]
#[command(after_help = "\
Examples:
  weighhouse model show reference.safetensors
  weighhouse model generate small --prompt \"The borrow checker\" --max-tokens 40
  weighhouse model embed all-MiniLM-L6-v2 \"one text\" \"another\"")]
pub(crate) enum Model {
    /// Show a weights file's digest and its accuracy on held-out scans, or a language model's digest and shape
    Show(Show),
    /// Go on with a text
    Generate(language::Generate),
    /// The embedding of each text, a line each
    Embed(language::Embed),
}

#[derive(Args, Debug)]
pub(crate) struct Show {
    /// A classifier's weights, or a language model's folder
    file: PathBuf,
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(command: Model) -> Result<(), Failure> {
    match command {
        Model::Show(args) => show(&args),
        Model::Generate(args) => language::generate(&args),
        Model::Embed(args) => language::embed(&args),
    }
}

fn show(args: &Show) -> Result<(), Failure> {
    if args.file.is_dir() {
        return language::show(&args.file, args.json);
    }
    let bytes = std::fs::read(&args.file).exit(Exit::Missing, args.file.display())?;
    describe(&bytes, args.json)
}

fn describe(bytes: &[u8], json: bool) -> Result<(), Failure> {
    let classifier = Classifier::load(bytes).exit(Exit::Data, "weights")?;
    let accuracy = held_out_accuracy(&classifier).exit(Exit::Internal, "held-out scans")?;
    if json {
        return Ok(output::json(
            &serde_json::json!({ "digest": classifier.digest(), "held_out_accuracy": accuracy }),
        )?);
    }
    Ok(output::line(format!("digest {}\nheld-out accuracy {:.2} %", classifier.digest(), accuracy * 100.0))?)
}
