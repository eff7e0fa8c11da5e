//! `weighhouse label aggregate`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;
use weighhouse_tasks::label::{
    Iterations, MaceMethod, Posterior, Spamming, TOLERANCE, Weighted, agreement, dawid_skene, glad,
    gold_majority, mace, majority, most_likely, one_coin, wawa, zero_based_skill,
};

use super::votes::{self, Crowd};
use crate::failure::{Exit, Failure};
use crate::output::{self, Table};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse label aggregate labels.csv
  weighhouse label aggregate labels.csv --gold gold.csv --out posterior.csv
  weighhouse label aggregate labels.jsonl --method mace --review 20 --json

LABELS has the columns task, worker and label, as CSV or as JSON lines; GOLD has task and label. Items in GOLD keep their class by
the methods ds and gold; workers are held against it in any case.")]
pub(crate) struct Aggregate {
    /// CSV or JSON lines with task, worker and label
    labels: PathBuf,
    #[arg(long, value_enum, default_value_t = Method::Ds)]
    method: Method,
    /// Classes that are known: CSV or JSON lines with task and label
    #[arg(long, value_name = "FILE")]
    gold: Option<PathBuf>,
    /// Writes item, class and the probability of every class as CSV
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Items to show whose class is least certain
    #[arg(long, value_name = "N", default_value_t = 10)]
    review: usize,
    /// Iterations of methods that have them, at most
    #[arg(long, value_name = "N", default_value_t = 100)]
    iterations: usize,
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Method {
    /// Majority vote
    Mv,
    /// Dawid and Skene: error rates of each worker
    Ds,
    /// One error rate a worker
    OneCoin,
    /// Workers weighted by agreement with the majority
    Wawa,
    /// The same, step by step
    Zbs,
    /// MACE, variational: who knows and who spams
    Mace,
    /// GLAD: abilities of workers and ease of items
    Glad,
    /// Workers weighted by their accuracy on gold
    Gold,
}

#[derive(Debug, Serialize)]
struct Account {
    items: usize,
    workers: Vec<WorkerAccount>,
    labels: usize,
    review: Vec<ItemAccount>,
}

#[derive(Debug, Serialize)]
struct WorkerAccount {
    worker: String,
    labels: usize,
    /// With the classes that came out.
    agreement: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    gold: Option<f64>,
}

#[derive(Debug, Serialize)]
struct ItemAccount {
    item: String,
    class: String,
    probability: f64,
}

pub(super) fn run(args: &Aggregate) -> Result<(), Failure> {
    let known = args.gold.as_deref().map(votes::gold).transpose()?.unwrap_or_default();
    let crowd = Crowd::read(&args.labels, &known)?;
    let gold = crowd.gold(&known);
    let posterior = posterior(args, &crowd, &gold)?;
    let classes = most_likely(&posterior);
    if let Some(out) = &args.out {
        let text = table(&crowd, &posterior, &classes)?;
        super::super::write_file(out, text.as_bytes())?;
    }
    let account = account(args, &crowd, (&gold, &known), (&posterior, &classes));
    if args.json {
        return Ok(output::json(&account)?);
    }
    print(args, &account)
}

fn posterior(args: &Aggregate, crowd: &Crowd, gold: &[Option<usize>]) -> Result<Posterior, Failure> {
    let votes = &crowd.votes;
    let iterations = Iterations { max: args.iterations, tolerance: Some(TOLERANCE) };
    Ok(match args.method {
        Method::Mv => majority(votes),
        Method::Ds => dawid_skene(votes, gold, iterations).posterior,
        Method::OneCoin => one_coin(votes, iterations).posterior,
        Method::Wawa => wawa(votes).posterior,
        Method::Zbs => zero_based_skill(votes, args.iterations).posterior,
        Method::Mace => {
            mace(votes, MaceMethod::Variational, Spamming::even(votes), args.iterations).posterior
        }
        Method::Glad => glad(votes, args.iterations).posterior,
        Method::Gold if args.gold.is_none() => {
            return Err(Failure::config("--method gold weighs workers by gold: name it with --gold FILE"));
        }
        Method::Gold => match gold_majority(votes, gold) {
            Ok(Weighted { posterior, .. }) => posterior,
            Err(error) => {
                let worker = &crowd.workers[error.worker];
                let why = format!("worker {worker:?} labelled no gold item; --method ds does without");
                return Err(Failure::new(Exit::Data, why));
            }
        },
    })
}

fn account(
    args: &Aggregate,
    crowd: &Crowd,
    (gold, known): (&[Option<usize>], &BTreeMap<String, String>),
    (posterior, classes): (&Posterior, &[usize]),
) -> Account {
    let with_result = agreement(&crowd.votes, |item| Some(classes[item]));
    let with_gold = agreement(&crowd.votes, |item| gold[item]);
    let mut labels = vec![0; crowd.workers.len()];
    crowd.votes.iter().for_each(|vote| labels[vote.worker] += 1);
    let workers = crowd.workers.iter().enumerate().map(|(at, worker)| WorkerAccount {
        worker: worker.clone(),
        labels: labels[at],
        agreement: with_result[at].unwrap_or_default(),
        gold: with_gold[at],
    });
    let mut order: Vec<usize> =
        (0..crowd.items.len()).filter(|item| !known.contains_key(&crowd.items[*item])).collect();
    let sure = |item: &usize| posterior[(*item, classes[*item])];
    order.sort_by(|one, other| sure(one).total_cmp(&sure(other)));
    let review = order.iter().take(args.review).map(|item| ItemAccount {
        item: crowd.items[*item].clone(),
        class: crowd.classes[classes[*item]].clone(),
        probability: sure(item),
    });
    Account {
        items: crowd.items.len(),
        workers: workers.collect(),
        labels: crowd.votes.len(),
        review: review.collect(),
    }
}

fn print(args: &Aggregate, account: &Account) -> Result<(), Failure> {
    let mut table = Table::new(&["worker", "labels", "agrees", "on gold"]);
    for WorkerAccount { worker, labels, agreement, gold } in &account.workers {
        let gold = gold.map_or_else(|| "-".to_owned(), |gold| format!("{gold:.3}"));
        table.row(vec![worker.clone(), labels.to_string(), format!("{agreement:.3}"), gold]);
    }
    table.print()?;
    if !account.review.is_empty() {
        output::line("\nleast certain, for somebody to look at:")?;
        let mut table = Table::new(&["item", "class", "probability"]);
        for ItemAccount { item, class, probability } in &account.review {
            table.row(vec![item.clone(), class.clone(), format!("{probability:.3}")]);
        }
        table.print()?;
    }
    if let Some(out) = &args.out {
        output::line(format!("\n{} items in {}", account.items, out.display()))?;
    }
    Ok(())
}

fn table(crowd: &Crowd, posterior: &Posterior, classes: &[usize]) -> Result<String, Failure> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed = |error: csv::Error| Failure::new(Exit::Internal, error.to_string());
    let shares = crowd.classes.iter().map(|class| format!("probability_{class}"));
    let header: Vec<String> = ["task", "label"].into_iter().map(str::to_owned).chain(shares).collect();
    writer.write_record(header).map_err(failed)?;
    for (item, class) in classes.iter().enumerate() {
        let shares = posterior.row(item).into_iter().map(|share| format!("{share}"));
        let names = [crowd.items[item].clone(), crowd.classes[*class].clone()];
        writer.write_record(names.into_iter().chain(shares)).map_err(failed)?;
    }
    let bytes = writer.into_inner().map_err(|error| Failure::new(Exit::Internal, error.to_string()))?;
    Ok(String::from_utf8(bytes).expect("rows of text"))
}
