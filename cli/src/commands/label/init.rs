//! What a job will cost, and its folder.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use weighhouse_label::plan::{Design, Wanted, plan as planned};
use weighhouse_label::{Init, Method, Source, classes_of_config};

use super::failed;
use crate::commands::{expand, read_text};
use crate::failure::{Context as _, Exit, Failure};
use crate::output::{self, Table};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse label plan --items 2000 --accuracy 0.95
  weighhouse label plan --items 2000 --accuracy 0.98 --worker-accuracy 0.7 --classes 3 --price 0.02 --json

Worked out exactly for workers who err independently, each as often as said and in every wrong class alike. The first
row stops giving an item out once its posterior is sure; the second gives every item the same votes.")]
pub(crate) struct Plan {
    /// Items to be labelled
    #[arg(long)]
    items: usize,
    /// The share of right labels that is wanted
    #[arg(long)]
    accuracy: f64,
    /// How often a worker is right
    #[arg(long, default_value_t = 0.8)]
    worker_accuracy: f64,
    /// Classes of the job
    #[arg(long, default_value_t = 10)]
    classes: usize,
    /// What one label costs
    #[arg(long, default_value_t = 1.0)]
    price: f64,
    /// The share of gold among what a worker is given, which is paid too
    #[arg(long, default_value_t = 0.05)]
    gold_rate: f64,
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Priced {
    #[serde(flatten)]
    design: Design,
    labels: f64,
    cost_per_item: f64,
    cost: f64,
}

#[derive(Debug, Serialize)]
struct Plans {
    items: usize,
    stopping_early: Priced,
    same_for_all: Priced,
}

pub(crate) fn plan(args: &Plan) -> Result<(), Failure> {
    let Plan { items, accuracy, worker_accuracy, classes, price, gold_rate, json } = *args;
    if !(0.0..=0.5).contains(&gold_rate) || !price.is_finite() || price < 0.0 {
        return Err(Failure::config("--gold-rate lies between 0 and 0.5, and --price isn't negative"));
    }
    let (early, fixed) = planned(&Wanted { classes, worker_accuracy, accuracy }).map_err(Failure::config)?;
    let priced = |design: Design| {
        let labels = design.votes / (1.0 - gold_rate);
        let cost_per_item = labels * price;
        Priced { design, labels, cost_per_item, cost: cost_per_item * items as f64 }
    };
    let plans = Plans { items, stopping_early: priced(early), same_for_all: priced(fixed) };
    if json {
        return Ok(output::json(&plans)?);
    }
    let mut table = Table::new(&[
        "<",
        "overlap",
        "sure",
        "votes an item",
        "right",
        "labels an item",
        "cost an item",
        "cost",
    ]);
    for (name, plan) in [("stopping early", &plans.stopping_early), ("same for all", &plans.same_for_all)] {
        table.row(vec![
            name.to_owned(),
            plan.design.overlap.to_string(),
            plan.design.sure.map_or_else(|| "-".to_owned(), |sure| sure.to_string()),
            format!("{:.3}", plan.design.votes),
            format!("{:.4}", plan.design.accuracy),
            format!("{:.3}", plan.labels),
            format!("{:.4}", plan.cost_per_item),
            format!("{:.2}", plan.cost),
        ]);
    }
    table.print()?;
    let (overlap, sure) = (early.overlap, early.sure.unwrap_or(1.0));
    output::line(format!(
        "for `label init`: --overlap {overlap} --sure {sure} --worker-accuracy {worker_accuracy}"
    ))?;
    Ok(())
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse label init reviews --items reviews.csv --id id --classes negative,positive --guidelines guidelines.md
  weighhouse label init scans --items scans/ --config label-studio.xml --gold gold.csv --overlap 5

Items are a folder of .txt and .md files or of .png and .jpg files, or a column of texts of a .csv, .jsonl or .parquet
file or of Label Studio's tasks (.json). The first gold item of a class becomes its example, unless --example says another.")]
pub(crate) struct InitArgs {
    /// The job's folder; made, or empty
    dir: PathBuf,
    /// A folder of files, or a table
    #[arg(long, value_name = "PATH")]
    items: PathBuf,
    /// Names of the classes, in the order of the keys 1 to 9
    #[arg(long, value_delimiter = ',', required_unless_present = "config", conflicts_with = "config")]
    classes: Vec<String>,
    /// A labelling config of Label Studio that has the classes
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What workers should know, as Markdown
    #[arg(long, value_name = "FILE")]
    guidelines: Option<PathBuf>,
    /// CSV with the columns item and label: items whose class is known
    #[arg(long, value_name = "FILE")]
    gold: Option<PathBuf>,
    /// An item that is shown as a class's example
    #[arg(long, value_name = "CLASS=ITEM")]
    example: Vec<String>,
    /// The job's name; the folder's if not given
    #[arg(long)]
    name: Option<String>,
    /// The table's column of texts
    #[arg(long, default_value = "text")]
    text: String,
    /// The table's column of names; else rows are called by their number
    #[arg(long, value_name = "COLUMN")]
    id: Option<String>,
    /// The most votes an item gets
    #[arg(long, default_value_t = 3)]
    overlap: usize,
    /// The posterior from which an item isn't given out again
    #[arg(long, default_value_t = 0.95)]
    sure: f64,
    /// What a worker's accuracy is taken to be before gold says more
    #[arg(long, default_value_t = 0.8)]
    worker_accuracy: f64,
    /// The share of gold among what a worker is given
    #[arg(long, default_value_t = 0.05)]
    gold_rate: f64,
    /// How posteriors are made of votes; by default accuracy where there is gold, else dawid-skene
    #[arg(long, value_enum)]
    method: Option<MethodName>,
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum MethodName {
    /// Each worker's confusion matrix is fitted to all votes
    DawidSkene,
    /// Votes count by each worker's accuracy on gold
    Accuracy,
}

pub(crate) fn init(args: &InitArgs) -> Result<(), Failure> {
    let classes = match &args.config {
        Some(path) => classes_of_config(&read_text(&expand(path))?).exit(Exit::Data, path.display())?,
        None => args.classes.iter().map(|class| class.trim().to_owned()).collect(),
    };
    let example = |text: &String| {
        let pair =
            text.split_once('=').map(|(class, item)| (class.trim().to_owned(), item.trim().to_owned()));
        pair.ok_or_else(|| Failure::config(format!("--example {text}: write CLASS=ITEM")))
    };
    let dir = expand(&args.dir);
    let folder = || dir.file_name().map(|name| name.to_string_lossy().into_owned());
    let job = Init {
        name: args.name.clone().or_else(folder).unwrap_or_else(|| "labels".to_owned()),
        classes,
        source: Source { path: expand(&args.items), text: args.text.clone(), id: args.id.clone() },
        guidelines: args
            .guidelines
            .as_ref()
            .map(|path| read_text(&expand(path)))
            .transpose()?
            .unwrap_or_default(),
        gold: args.gold.as_ref().map(|path| expand(path)),
        examples: args.example.iter().map(example).collect::<Result<_, _>>()?,
        overlap: args.overlap,
        sure: args.sure,
        worker_accuracy: args.worker_accuracy,
        gold_rate: args.gold_rate,
        method: match args.method {
            Some(MethodName::DawidSkene) => Method::DawidSkene,
            Some(MethodName::Accuracy) => Method::Accuracy,
            None if args.gold.is_some() => Method::Accuracy,
            None => Method::DawidSkene,
        },
        dir,
    }
    .run()
    .map_err(failed)?;
    let (items, gold) = (job.items.list().len(), job.hidden_gold().count());
    if args.json {
        return Ok(output::json(&serde_json::json!({
            "job": job.digest, "items": items, "items_sha256": job.file.items_sha256, "classes": job.file.classes,
            "examples": job.examples.len(), "hidden_gold": gold,
        }))?);
    }
    output::line(format!(
        "{}: {items} items, {} classes, {} examples, {gold} items of hidden gold",
        job.dir.display(),
        job.file.classes.len(),
        job.examples.len()
    ))?;
    output::line(format!("job {}", job.digest))?;
    Ok(())
}
