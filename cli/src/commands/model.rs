//! `weighhouse model`.

mod language;

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use weighhouse_models::{Classifier, Recipe, held_out_accuracy, train};
use weighhouse_seams::{DirStorage, Storage};

use crate::failure::{Context, Exit, Failure};
use crate::output;

/// Train the built-in models again, and look at weights.
#[derive(Subcommand, Debug)]
#[command(after_help = "\
Examples:
  weighhouse model train --recipe reference --out reference.safetensors
  weighhouse model show reference.safetensors
  weighhouse model train-language --text ~/.rustup/toolchains/stable-*/share/doc/rust/html/book --out small
  weighhouse model generate small --prompt \"The borrow checker\" --max-tokens 40
  weighhouse model embed all-MiniLM-L6-v2 \"one text\" \"another\"")]
pub(crate) enum Model {
    /// Train a classifier of digits by one of the built-in recipes
    Train(Train),
    /// Show a weights file's digest and its accuracy on held-out scans
    Show(Show),
    /// Train a small language model on a folder of text
    TrainLanguage(language::TrainLanguage),
    /// Go on with a text
    Generate(language::Generate),
    /// The embedding of each text, a line each
    Embed(language::Embed),
}

#[derive(Args, Debug)]
pub(crate) struct Train {
    /// reference, better or weak
    #[arg(long)]
    recipe: Recipe,
    /// Where to write the weights (safetensors)
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The shipped weights were trained with the default
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Show {
    file: PathBuf,
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(command: Model) -> Result<(), Failure> {
    match command {
        Model::Train(args) => retrain(&args),
        Model::Show(args) => show(&args),
        Model::TrainLanguage(args) => language::train(&args),
        Model::Generate(args) => language::generate(&args),
        Model::Embed(args) => language::embed(&args),
    }
}

fn retrain(args: &Train) -> Result<(), Failure> {
    if args.out.exists() {
        return Err(Failure::config(format!("{} exists already and was left as it is", args.out.display())));
    }
    let live = std::io::stderr().is_terminal();
    let mut report = |progress: weighhouse_models::Progress| {
        if live || progress.pass.is_multiple_of(10) {
            output::note(format!("pass {}/{}: loss {:.4}", progress.pass, progress.passes, progress.loss));
        }
    };
    let trained = train(args.recipe, args.seed, &mut report).exit(Exit::Internal, "training")?;
    let dir =
        args.out.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(std::path::Path::new("."));
    let name = args.out.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| Failure::config(format!("{} is no file name", args.out.display())))?;
    DirStorage::open(dir)?.write_atomic(name, &trained.file)?;
    describe(&trained.file, args.json)
}

fn show(args: &Show) -> Result<(), Failure> {
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
