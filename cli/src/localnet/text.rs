//! The words and tables of a localnet, for people.

use std::path::{Path, PathBuf};

use weighhouse_localnet::{Account, DIGITS, EpochReport, Localnet as Economy, Rounds};
use weighhouse_types::Block;
use weighhouse_types::profile::Paid;

use crate::output::{Table, tao};

/// Goes on in the column of the closing lines' words.
const INDENT: &str = "\n                   ";
/// A judge listens there unless it is told otherwise.
const JUDGE_ADDRESS: &str = "127.0.0.1:7711";

/// The first line: who takes part in what.
pub(super) fn greeting(economy: &Economy, head: Block) -> String {
    let validators = economy.participants().iter().filter(|participant| participant.validates()).count();
    format!(
        "localnet: {} miners and {validators} validators, {} {}, mode {}, seed {}, {}\n",
        economy.participants().len() - validators,
        if economy.subnet_folder().is_some() { "subnet" } else { "task" },
        economy.task(),
        economy.mode().name(),
        economy.seed(),
        if head.0 == 0 { "a new chain".to_owned() } else { format!("resumed at block {head}") },
    )
}

/// A closed epoch's table.
pub(super) fn epoch(report: &EpochReport) -> String {
    let mut table = Table::new(&[
        "uid",
        "<persona",
        "score",
        "weight",
        "incentive",
        "dividends",
        "vtrust",
        "emission (TAO)",
    ]);
    for row in &report.neurons {
        let of_miners = |text: String| if row.validates { String::new() } else { text };
        let of_validators = |text: String| if row.validates { text } else { String::new() };
        table.row(vec![
            row.uid.to_string(),
            row.persona.clone(),
            row.score.map_or_else(String::new, |score| format!("{score:.4}")),
            of_miners(row.weight.to_string()),
            of_miners(format!("{:.4}", row.incentive)),
            of_validators(format!("{:.4}", row.dividends)),
            of_validators(format!("{:.4}", row.vtrust)),
            tao(row.emission),
        ]);
    }
    let troubles: String = troubles(&report.rounds).map(|line| format!("{line}\n")).collect();
    format!("epoch {} closed at block {}\n{}\n{troubles}", report.epoch, report.block, table.to_text())
}

/// A line for each thing that was wrong for everybody in some rounds.
fn troubles(rounds: &Rounds) -> impl Iterator<Item = String> {
    let Rounds { all, void, void_why, malformed, malformed_why } = rounds;
    let void = void_why.as_ref().map(|why| {
        let are = if *void == 1 { "is" } else { "are" };
        format!("{void} of {all} rounds {are} void, which is no miner's fault: {why}")
    });
    let malformed = malformed_why.as_ref().map(|why| {
        format!(
            "in {malformed} of {all} rounds nobody's answer was well-formed, so look at the judge first: does it ask for what it \
             reads? {why}"
        )
    });
    [void, malformed].into_iter().flatten()
}

/// The choices of a run that its closing lines speak of.
#[derive(Debug)]
pub(super) struct Closing {
    task: String,
    mode: Paid,
    commit_reveal: bool,
    guests: bool,
    subnet: Option<PathBuf>,
    /// The folder of a state that is kept.
    dir: Option<PathBuf>,
    python: PathBuf,
}

impl Closing {
    pub(super) fn new(economy: &Economy, dir: Option<&Path>, python: &Path) -> Self {
        Self {
            task: economy.task().to_owned(),
            mode: economy.mode(),
            commit_reveal: economy.commit_reveal(),
            guests: economy.participants().iter().any(|participant| participant.is_guest()),
            subnet: economy.subnet_folder().map(ToOwned::to_owned),
            dir: dir.map(ToOwned::to_owned),
            python: python.to_owned(),
        }
    }

    /// The event, the place to look at, and the command to type next.
    fn lines(&self, account: &Account) -> String {
        let miners = || account.last.neurons.iter().filter(|row| !row.validates);
        let (paid, all) = (miners().filter(|row| row.earned > 0).count(), miners().count());
        let shared = tao(miners().map(|row| row.earned).sum());
        let paid = format!(
            "{paid} of {all} miners gave answers that are paid, and shared {shared} TAO; the others earned nothing"
        );
        let paid = (!account.rounds.are_void()).then_some(paid);
        let happened: Vec<_> = paid.into_iter().chain(troubles(&account.rounds)).collect();
        let look = match &self.dir {
            Some(dir) => self.audit(&self.journal(dir, account)),
            None => format!(
                "add --dir ./net to keep each question, answer and verdict; then: {}",
                self.audit("./net/validators/honest-a/epoch-*.wj")
            ),
        };
        format!(
            "what happened      {}\nwhere to look      {look}\nwhat to type next  {}",
            happened.join(INDENT),
            self.next()
        )
    }

    fn journal(&self, dir: &Path, account: &Account) -> String {
        let epoch = weighhouse_types::Epoch(account.last.epoch);
        let file = dir.join("validators/honest-a").join(weighhouse_journal::segment_name(epoch));
        file.display().to_string()
    }

    /// The audit's command, after the one that starts the judge which it needs: the localnet's has ended.
    fn audit(&self, file: &str) -> String {
        let Some(folder) = &self.subnet else { return format!("weighhouse audit {file}") };
        let judge = judge_of(folder);
        let (judge, python) = (judge.display(), self.python.display());
        let start = match folder.join("judge/Cargo.toml").is_file() {
            true => format!("cargo run --release --manifest-path {judge}/Cargo.toml"),
            false => format!("{python} -m weighhouse.judge {judge}"),
        };
        format!("{start}{INDENT}and beside it: weighhouse audit {file} --judge {JUDGE_ADDRESS}")
    }

    /// Something that this run didn't show.
    fn next(&self) -> String {
        if let Some(folder) = &self.subnet {
            return format!(
                "weighhouse localnet --subnet {}, and save {} while it runs; docs/new-task.md leads on",
                folder.display(),
                judge_of(folder).display()
            );
        }
        let next = match (self.task.as_str(), self.mode, self.commit_reveal, self.guests) {
            (_, _, _, true) => {
                "edit your file and run this again; examples/cheats/README.md invites a fourth cheat"
            }
            (DIGITS, Paid::Conformance, false, _) => {
                "weighhouse localnet --mode quality --epochs 3    a better model earns most"
            }
            (_, _, false, _) => {
                "weighhouse localnet --commit-reveal --epochs 3   weights that can't be copied"
            }
            (_, _, true, _) => {
                "weighhouse localnet --with examples/cheats/replay.py   a miner of yours, in ten lines of Python"
            }
        };
        next.to_owned()
    }
}

/// The judge's file, or its folder.
fn judge_of(subnet: &Path) -> PathBuf {
    let file = subnet.join("judge.py");
    if file.is_file() { file } else { subnet.join("judge") }
}

/// The closing account: all that was earned since genesis.
pub(super) fn account(account: &Account, closing: &Closing) -> String {
    let mut table = Table::new(&["uid", "<persona", "earned (TAO)", "<why"]);
    for (row, reason) in account.last.neurons.iter().zip(&account.reasons) {
        table.row(vec![row.uid.to_string(), row.persona.clone(), tao(row.earned), reason.clone()]);
    }
    let (epochs, mode) = (account.epochs(), closing.mode.name());
    let plural = if epochs == 1 { "" } else { "s" };
    format!(
        "who earned what in {epochs} epoch{plural} of {mode}, and why\n{}\n\n{}",
        table.to_text(),
        closing.lines(account)
    )
}
