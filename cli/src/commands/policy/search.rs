//! `weighhouse policy redteam` and `tune`: searches that can be watched, stopped and taken up again.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use tokio_util::sync::CancellationToken;
use weighhouse_lab::search::tuning::Tuned;
use weighhouse_lab::search::{
    Log, Progress, RedTeam, Response, SearchError, Tuning, TuningError, TuningResult, Watch, tune as search,
};
use weighhouse_lab::sim::Strategy;

use super::check::profile;
use super::lab::read_any;
use super::read_policy;
use crate::commands::write_file;
use crate::failure::{Context, Exit, Failure};
use crate::output::{self, Table};

/// A log above this size is no log of ours.
const LOG_BYTES_MAX: u64 = 4 << 30;

/// How long a search goes on, and where it is written down.
#[derive(Args, Clone, Debug)]
pub(crate) struct Budget {
    /// End the search after this time, such as 90s or 2h, and report what was found
    #[arg(long, value_name = "TIME", value_parser = duration)]
    time: Option<Duration>,
    /// Write every evaluation down here; the same command takes the search up where the file ends
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) =
        text.split_at(text.find(|digit: char| !digit.is_ascii_digit()).unwrap_or(text.len()));
    let seconds = match unit {
        "s" | "" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err("a number and s, m or h, such as 90s".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "a number and s, m or h, such as 90s".to_owned())?;
    Ok(Duration::from_secs(number.saturating_mul(seconds)))
}

/// Shows progress, writes the log, and ends a search when its time is up or somebody interrupts it.
struct Watcher<'a> {
    began: Instant,
    time: Option<Duration>,
    evaluations: u64,
    shutdown: &'a CancellationToken,
    log: Option<(PathBuf, File)>,
    failed: Option<std::io::Error>,
    sign: f64,
}

impl Watch for Watcher<'_> {
    fn go_on(&mut self, progress: &Progress) -> bool {
        let elapsed = self.began.elapsed();
        if elapsed.as_secs() >= 2 {
            output::live(format_args!(
                "{} of {} evaluations, best {:.4}, {} s",
                progress.evaluations,
                self.evaluations,
                self.sign * progress.best,
                elapsed.as_secs()
            ));
        }
        self.failed.is_none() && !self.shutdown.is_cancelled() && self.time.is_none_or(|time| elapsed < time)
    }

    fn line(&mut self, line: &str) {
        if let Some((_, file)) = &mut self.log
            && let Err(error) = file.write_all(line.as_bytes())
        {
            self.failed = Some(error);
        }
    }
}

impl Watcher<'_> {
    fn finish(mut self) -> Result<(), Failure> {
        output::live("");
        if let (Some(error), Some((path, _))) = (self.failed.take(), &self.log) {
            return Err(Failure::new(Exit::Unavailable, format!("can't write {}: {error}", path.display())));
        }
        if self.shutdown.is_cancelled() {
            output::note("interrupted: this is what was found so far");
        }
        Ok(())
    }
}

impl Budget {
    fn watch<'a>(
        &self,
        evaluations: u64,
        sign: f64,
        shutdown: &'a CancellationToken,
    ) -> Result<(Option<Log>, Watcher<'a>), Failure> {
        let mut watcher = Watcher {
            began: Instant::now(),
            time: self.time,
            evaluations,
            shutdown,
            log: None,
            failed: None,
            sign,
        };
        let Some(path) = &self.log else { return Ok((None, watcher)) };
        let bytes = match std::fs::metadata(path) {
            Ok(found) if found.len() > LOG_BYTES_MAX => {
                return Err(Failure::new(Exit::Data, format!("{}: too large for a log", path.display())));
            }
            Ok(_) => std::fs::read(path).exit(Exit::Missing, path.display())?,
            Err(_) => Vec::new(),
        };
        let log =
            if bytes.is_empty() { None } else { Some(Log::parse(&bytes).exit(Exit::Data, path.display())?) };
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .exit(Exit::Unavailable, path.display())?;
        if let Some(log) = &log {
            // A line that a crash cut short is written again.
            file.set_len(log.whole_bytes() as u64).exit(Exit::Unavailable, path.display())?;
            output::note(format!("taken up after {} evaluations", log.evaluations()));
        }
        watcher.log = Some((path.clone(), file));
        Ok((log, watcher))
    }
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse policy redteam --evaluations 2000
  weighhouse policy redteam --policy new.toml --profile digits-quality-shared --time 10m --log redteam.log
  weighhouse policy redteam --strategy mine.toml --evaluate     what a strategy of yours earns

The figure is the attacker's profit over what the same operators would earn by honest work, in worlds that the search
did not see. `--json` ends with an object that holds `best_response`, `evaluations` and the replayable `strategy`.")]
pub(crate) struct Redteam {
    /// The policy to attack
    #[arg(long, value_name = "FILE", default_value = "default")]
    policy: PathBuf,
    /// The task's measured figures: a profile that ships, or a file of `weighhouse task measure`
    #[arg(long, default_value = "digits-conformance-private", value_name = "NAME|FILE")]
    profile: String,
    #[arg(long, default_value_t = 2000, value_name = "N")]
    evaluations: u64,
    /// The optimiser's seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A further strategy to begin with, as TOML or JSON; may be repeated
    #[arg(long = "strategy", value_name = "FILE")]
    strategies: Vec<PathBuf>,
    /// Only measure the given strategies in the full world, without a search
    #[arg(long, requires = "strategies")]
    evaluate: bool,
    #[command(flatten)]
    budget: Budget,
    #[arg(long)]
    json: bool,
}

pub(crate) fn redteam(args: &Redteam, shutdown: &CancellationToken) -> Result<(), Failure> {
    let policy = read_policy(&args.policy)?;
    let mut game = RedTeam::new(profile(&args.profile)?, &policy, args.evaluations);
    game.seed = args.seed;
    game.starts = args.strategies.iter().map(|path| read_any(path)).collect::<Result<_, _>>()?;
    if args.evaluate {
        return evaluate(&game, args);
    }
    let (log, mut watcher) = args.budget.watch(args.evaluations, -1.0, shutdown)?;
    let response = game.run(log, &mut watcher);
    watcher.finish()?;
    let response = response.exit(Exit::Config, "the red team")?;
    if args.json { Ok(output::json(&response)?) } else { print_response(&response) }
}

fn evaluate(game: &RedTeam, args: &Redteam) -> Result<(), Failure> {
    for (strategy, path) in game.starts.iter().zip(&args.strategies) {
        let worth = game.evaluate(strategy).exit(Exit::Config, path.display())?;
        if args.json {
            output::json(&serde_json::json!({ "strategy": strategy, "worth": worth }))?;
        } else {
            output::line(format!(
                "{}: {:.4} of honest profit ({:.4} to {:.4}) at {:.0} % attackers",
                path.display(),
                worth.ratio,
                worth.ci95[0],
                worth.ci95[1],
                worth.fraction * 100.0
            ))?;
        }
    }
    Ok(())
}

fn print_response(response: &Response) -> Result<(), Failure> {
    let mut table = Table::new(&["held out", "95 %", "screening", "training", "attackers %", "<strategy"]);
    for finalist in &response.finalists {
        let [least, most] = finalist.worth.ci95;
        table.row(vec![
            format!("{:.4}", finalist.worth.ratio),
            format!("{least:.4}..{most:.4}"),
            format!("{:.4}", finalist.screening),
            format!("{:.4}", finalist.training),
            format!("{:.0}", finalist.worth.fraction * 100.0),
            summary(&finalist.strategy),
        ]);
    }
    table.print()?;
    output::line(format!(
        "best response on {} after {} evaluations: {:.4} of honest profit ({:.4} to {:.4})",
        response.task, response.evaluations, response.best_response, response.ci95[0], response.ci95[1]
    ))?;
    output::line("its strategy, for --strategy:")?;
    Ok(output::line(toml::to_string(&response.strategy).exit(Exit::Internal, "the strategy")?.trim_end())?)
}

fn summary(strategy: &Strategy) -> String {
    let mix = |mix: &weighhouse_lab::sim::Mix| {
        let total: f64 = mix.0.values().sum();
        let mut kinds: Vec<_> = mix.0.iter().filter(|(_, share)| **share > 0.01 * total).collect();
        kinds.sort_by(|one, other| other.1.total_cmp(one.1));
        let shown =
            kinds.iter().take(3).map(|(kind, share)| format!("{kind} {:.0} %", *share / total * 100.0));
        shown.collect::<Vec<_>>().join(" + ")
    };
    let rest = strategy.rest.as_ref().map_or(String::new(), |rest| format!(", resting: {}", mix(rest)));
    format!("{} uids: {}{rest}", strategy.identities, mix(&strategy.work))
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weighhouse policy tune tuning.toml --out better.toml
  weighhouse policy tune tuning.toml --policy mine.toml --out better.toml --time 1h --log tuning.log --json

deploy/tuning.toml shows every key of a tuning file: parameters with their ranges, objectives, worlds, training and
held-out seeds. The winner is a policy file with its provenance at the head.")]
pub(crate) struct Tune {
    /// The tuning file
    tuning: PathBuf,
    /// The policy to start from
    #[arg(long, value_name = "FILE", default_value = "default")]
    policy: PathBuf,
    /// Where to write the winner; printed if not given
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    budget: Budget,
    #[arg(long)]
    json: bool,
}

pub(crate) fn tune(args: &Tune, shutdown: &CancellationToken) -> Result<(), Failure> {
    let bytes = std::fs::read(&args.tuning).exit(Exit::Missing, args.tuning.display())?;
    let tuning = Tuning::parse(&bytes).exit(Exit::Config, args.tuning.display())?;
    let base = read_policy(&args.policy)?;
    let (log, mut watcher) = args.budget.watch(tuning.evaluations, 1.0, shutdown)?;
    let proving = tuning.proving().exit(Exit::Config, args.tuning.display())?;
    let result = search(&tuning, &base, &proving, log, &mut watcher);
    watcher.finish()?;
    let result = result.map_err(|error| {
        let exit =
            if matches!(error, TuningError::Search(SearchError::Log(_))) { Exit::Data } else { Exit::Config };
        Failure::new(exit, format!("{}: {error}", args.tuning.display()))
    })?;
    if let Some(out) = &args.out {
        write_file(out, result.winner_text.as_bytes())?;
    }
    if args.json {
        return Ok(output::json(&result)?);
    }
    print_result(&result)?;
    match &args.out {
        Some(out) => Ok(output::line(format!("the winner is in {}", out.display()))?),
        None => Ok(output::line(result.winner_text.trim_end())?),
    }
}

fn print_result(result: &TuningResult) -> Result<(), Failure> {
    let mut table = Table::new(&[
        "<policy",
        "objective",
        "held out",
        "attack profit",
        "rank corr.",
        "vtrust",
        "newcomer",
        "honest loss",
    ]);
    let mut row = |name: String, tuned: &Tuned| {
        let held = &tuned.held_out;
        table.row(vec![
            name,
            format!("{:.4}", tuned.train_objective),
            format!("{:.4}", tuned.held_out_objective),
            format!("{:.4}", held.attack_profit),
            format!("{:.4}", held.rank_correlation),
            format!("{:.4}", held.vtrust),
            format!("{:.2}", held.newcomer_delay),
            format!("{:.4}", held.honest_loss),
        ]);
    };
    row("base".to_owned(), &result.base);
    row("winner".to_owned(), &result.winner);
    for (at, finalist) in result.finalists.iter().enumerate() {
        row(format!("finalist {}", at + 1), finalist);
    }
    table.print()?;
    for (key, value) in &result.winner.values {
        output::line(format!("{key} = {value}"))?;
    }
    Ok(output::line(format!(
        "{} evaluations; the columns right of `held out` are measured on held-out seeds",
        result.evaluations
    ))?)
}
