//! `weighhouse-trainer`: makes classifiers of digits and small language models, among them those that ship.
//!
//! A crate outside the default build: it takes burn's optimisers and automatic differentiation, which no role needs.

mod corpus;
mod digits;
mod error;
mod language;
mod optimizer;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, bail};
use clap::{Args, Parser};
use weighhouse_seams::{DirStorage, Storage};

use digits::Recipe;
use language::{LanguageProgress, LanguageRecipe, Size};

/// Train classifiers of digits and small language models.
#[derive(Parser, Debug)]
#[command(
    version,
    arg_required_else_help = true,
    after_help = "\
Examples:
  weighhouse-trainer digits --recipe reference --out reference.safetensors
  weighhouse-trainer language --text ~/.rustup/toolchains/stable-*/share/doc/rust/html/book --out small"
)]
enum Command {
    Digits(Digits),
    Language(Language),
}

/// Train a classifier of digits by one of the built-in recipes
#[derive(Args, Debug)]
struct Digits {
    /// reference, better or weak
    #[arg(long)]
    recipe: Recipe,
    /// The file to write the weights to (safetensors)
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The shipped weights were trained with the default
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[arg(long)]
    json: bool,
}

/// Train a small language model on a folder of text
#[derive(Args, Debug)]
struct Language {
    /// A folder of text, Markdown or HTML: the documentation of a Rust toolchain will do
    #[arg(long, value_name = "DIR")]
    text: PathBuf,
    /// reference or weak
    #[arg(long, default_value = "reference")]
    size: Size,
    /// A tokenizer.json to use; without it, one is trained on the text
    #[arg(long, value_name = "FILE")]
    tokenizer: Option<PathBuf>,
    #[arg(long, default_value_t = 6_000)]
    steps: u32,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A new folder for config.json, tokenizer.json and model.safetensors
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Digits(args) => digits(&args),
        Command::Language(args) => language(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to do where even this can't be written.
            let _ = note(format_args!("weighhouse-trainer: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn digits(args: &Digits) -> anyhow::Result<()> {
    // Before the training, which takes minutes and would be lost.
    free(&args.out)?;
    let dir = args.out.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = args.out.file_name().and_then(|name| name.to_str());
    let name = name.with_context(|| format!("--out {}: give the name of a file", args.out.display()))?;
    let live = std::io::stderr().is_terminal();
    let mut report = |progress: digits::TrainingProgress| {
        if live || progress.pass.is_multiple_of(10) {
            let digits::TrainingProgress { pass, passes, loss } = progress;
            let _ = note(format_args!("pass {pass}/{passes}: loss {loss:.4}"));
        }
    };
    let trained = digits::train(args.recipe, args.seed, &mut report)?;
    DirStorage::open(dir)?.write_atomic(name, &trained.file)?;
    let accuracy = trained.held_out_accuracy;
    if args.json {
        return line(
            serde_json::json!({ "held_out_accuracy": accuracy, "weights_bytes": trained.file.len() }),
        );
    }
    line(format_args!("held-out accuracy {:.2} %", accuracy * 100.0))
}

fn language(args: &Language) -> anyhow::Result<()> {
    // Before the training, which takes long and would be lost.
    free(&args.out)?;
    let documents = corpus::read(&args.text).with_context(|| args.text.display().to_string())?;
    let tokenizer = match &args.tokenizer {
        Some(file) => std::fs::read_to_string(file).with_context(|| file.display().to_string())?,
        None => language::tokenizer(&documents, Size::VOCABULARY)?,
    };
    let recipe = LanguageRecipe { size: args.size, steps: args.steps, seed: args.seed };
    let start = Instant::now();
    let mut report = |progress: LanguageProgress| {
        let LanguageProgress { step, steps, loss, elapsed } = progress;
        let left = elapsed.as_secs_f64() / f64::from(step) * f64::from(steps - step);
        let _ = note(format_args!("step {step}/{steps}: loss {loss:.3}, {left:.0} s left"));
    };
    let elapsed = || start.elapsed();
    let trained = language::train_language(&recipe, &documents, &tokenizer, &elapsed, &mut report)?;
    std::fs::create_dir_all(&args.out).with_context(|| args.out.display().to_string())?;
    let folder = DirStorage::open(&args.out)?;
    folder.write_atomic("config.json", trained.config.as_bytes())?;
    folder.write_atomic("tokenizer.json", tokenizer.as_bytes())?;
    folder.write_atomic("model.safetensors", &trained.weights)?;
    let (perplexity, tokens) = (trained.held_out_perplexity, trained.held_out_tokens);
    if args.json {
        return line(serde_json::json!({
            "held_out_perplexity": perplexity, "held_out_tokens": tokens, "weights_bytes": trained.weights.len(),
        }));
    }
    line(format_args!("held-out perplexity {perplexity:.2} per token, over {tokens} tokens"))
}

fn free(out: &Path) -> anyhow::Result<()> {
    if out.exists() {
        bail!("--out {} exists already and was left as it is: name another", out.display());
    }
    Ok(())
}

fn line(text: impl std::fmt::Display) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "{text}")?)
}

fn note(text: std::fmt::Arguments<'_>) -> std::io::Result<()> {
    writeln!(std::io::stderr().lock(), "{text}")
}
