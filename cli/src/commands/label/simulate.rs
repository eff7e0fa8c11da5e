//! `weighhouse label simulate`.

use clap::Args;
use serde::Serialize;
use weighhouse_tasks::label::{CrowdOutcome, CrowdPlan, Interval, Sort, draw_crowd, mixed};

use crate::failure::Failure;
use crate::output::{self, Table};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse label simulate
  weighhouse label simulate --careful 10 --bad clique:15 --classes 4
  weighhouse label simulate --seeds 100 --items 5000 --json

Sorts: careful (right on 9 of 10), hasty (6 of 10), random, constant, majority-guesser, clique, same-model (8 of 10, wrong where the
others are), gold-spotter. Without --bad it is a mix of them, four in ten of 25 workers.")]
pub(crate) struct Simulate {
    #[arg(long, default_value_t = 20)]
    seeds: u64,
    #[arg(long, default_value_t = 2_000)]
    items: usize,
    #[arg(long, default_value_t = 10)]
    classes: usize,
    /// Workers on each item
    #[arg(long, default_value_t = 5)]
    overlap: usize,
    /// Share of items whose class is known
    #[arg(long, default_value_t = 0.05)]
    gold: f64,
    /// Careful workers, with --bad
    #[arg(long, default_value_t = 15)]
    careful: usize,
    /// Other workers, by sort and number
    #[arg(long, value_name = "SORT:N")]
    bad: Vec<String>,
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Account {
    seeds: u64,
    sorts: Vec<SortAccount>,
    accuracy: Figure,
    majority_accuracy: Figure,
    /// Posterior above majority, seed by seed.
    gain: Figure,
    /// Crowds in which a group was found.
    grouped: usize,
}

#[derive(Debug, Serialize)]
struct SortAccount {
    sort: &'static str,
    workers: usize,
    /// Of all pay, together.
    pay: Figure,
    /// What one earns, as a share of what a careful one does.
    of_careful: Option<f64>,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Figure {
    mean: f64,
    half_width: f64,
}

pub(super) fn run(args: &Simulate) -> Result<(), Failure> {
    let sorts = sorts(args)?;
    let plan = plan(args, &sorts)?;
    let outcomes: Vec<CrowdOutcome> = (0..args.seeds).map(|seed| draw_crowd(&plan, seed)).collect();
    let account = account(args, &plan, &sorts, &outcomes);
    if args.json {
        return Ok(output::json(&account)?);
    }
    let mut table = Table::new(&["sort", "workers", "share of pay", "of a careful one"]);
    for SortAccount { sort, workers, pay, of_careful } in &account.sorts {
        let each = of_careful.map_or_else(|| "-".to_owned(), |each| format!("{:.1} %", 100.0 * each));
        table.row(vec![(*sort).to_owned(), workers.to_string(), percent(*pay), each]);
    }
    table.print()?;
    output::line(format!(
        "accuracy {}, majority vote {}: {} more. {} of {} crowds had a group that is wrong together.",
        percent(account.accuracy),
        percent(account.majority_accuracy),
        percent(account.gain),
        account.grouped,
        account.seeds
    ))?;
    Ok(())
}

fn percent(figure: Figure) -> String {
    format!("{:.1} % (+-{:.1})", 100.0 * figure.mean, 100.0 * figure.half_width)
}

fn sorts(args: &Simulate) -> Result<Vec<(Sort, usize)>, Failure> {
    if args.bad.is_empty() {
        return Ok(mixed());
    }
    let mut sorts = vec![(Sort::Careful, args.careful)];
    for bad in &args.bad {
        let (name, count) = bad.split_once(':').unwrap_or((bad, "1"));
        let known = Sort::ALL.iter().map(|sort| sort.name()).collect::<Vec<_>>().join(", ");
        let sort = Sort::ALL.into_iter().find(|sort| sort.name() == name);
        let sort = sort.ok_or_else(|| Failure::config(format!("no sort {name:?}; there are: {known}")))?;
        let count = count.parse();
        let count = count.map_err(|_| Failure::config(format!("{bad:?}: write it as clique:10")))?;
        sorts.push((sort, count));
    }
    Ok(sorts)
}

fn plan(args: &Simulate, sorts: &[(Sort, usize)]) -> Result<CrowdPlan, Failure> {
    let workers: Vec<Sort> = sorts.iter().flat_map(|(sort, count)| vec![*sort; *count]).collect();
    let limits = [
        ("--seeds", args.seeds >= 1 && args.seeds <= 10_000, "1 to 10,000"),
        ("--items", (20..=1_000_000).contains(&args.items), "20 to 1,000,000"),
        ("--classes", (2..=1_000).contains(&args.classes), "2 to 1,000"),
        ("--overlap", args.overlap >= 2 && args.overlap <= workers.len(), "2 to the number of workers"),
        ("--gold", (0.001..=0.9).contains(&args.gold), "0.001 to 0.9"),
        ("workers", (2..=1_000).contains(&workers.len()), "2 to 1,000"),
    ];
    if let Some((key, _, allowed)) = limits.iter().find(|(_, holds, _)| !holds) {
        return Err(Failure::config(format!("{key}: {allowed}")));
    }
    let gold_per_mille = (args.gold * 1_000.0).round() as usize;
    let (items, classes, overlap) = (args.items, args.classes, args.overlap);
    Ok(CrowdPlan { items, classes, overlap, gold_per_mille, workers })
}

fn account(args: &Simulate, plan: &CrowdPlan, sorts: &[(Sort, usize)], outcomes: &[CrowdOutcome]) -> Account {
    let figure = |of: &dyn Fn(&CrowdOutcome) -> f64| {
        let Interval { mean, half_width } = Interval::of(&outcomes.iter().map(of).collect::<Vec<_>>());
        Figure { mean, half_width }
    };
    let earned = |sort: Sort| {
        figure(&|outcome: &CrowdOutcome| {
            let own = outcome.pay.iter().zip(&plan.workers).filter(|(_, worker)| **worker == sort);
            own.map(|(pay, _)| pay).sum()
        })
    };
    let each = |(sort, workers): (Sort, usize)| earned(sort).mean / workers.max(1) as f64;
    let careful = sorts.iter().find(|(sort, _)| *sort == Sort::Careful).map(|careful| each(*careful));
    let sorts = sorts.iter().map(|&(sort, workers)| SortAccount {
        sort: sort.name(),
        workers,
        pay: earned(sort),
        of_careful: careful.filter(|careful| *careful > 0.0).map(|careful| each((sort, workers)) / careful),
    });
    Account {
        seeds: args.seeds,
        sorts: sorts.collect(),
        accuracy: figure(&|outcome| outcome.accuracy),
        majority_accuracy: figure(&|outcome| outcome.majority_accuracy),
        gain: figure(&|outcome| outcome.accuracy - outcome.majority_accuracy),
        grouped: outcomes.iter().filter(|outcome| !outcome.judged.groups.is_empty()).count(),
    }
}
