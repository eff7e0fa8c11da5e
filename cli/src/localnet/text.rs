//! The words and tables of a localnet, for people.

use std::path::{Path, PathBuf};

use weighhouse_localnet::{Account, DIGITS, EpochReport, Localnet as Economy};
use weighhouse_types::Block;
use weighhouse_types::profile::Paid;

use crate::output::{Table, tao};

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
    format!("epoch {} closed at block {}\n{}\n", report.epoch, report.block, table.to_text())
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
}

impl Closing {
    pub(super) fn new(economy: &Economy, dir: Option<&Path>) -> Self {
        Self {
            task: economy.task().to_owned(),
            mode: economy.mode(),
            commit_reveal: economy.commit_reveal(),
            guests: economy.participants().iter().any(|participant| participant.is_guest()),
            subnet: economy.subnet_folder().map(ToOwned::to_owned),
            dir: dir.map(ToOwned::to_owned),
        }
    }

    /// Three lines: the event, the place to look at, the command to type next.
    fn lines(&self, account: &Account) -> String {
        let miners = || account.last.neurons.iter().filter(|row| !row.validates);
        let (paid, all) = (miners().filter(|row| row.earned > 0).count(), miners().count());
        let shared = tao(miners().map(|row| row.earned).sum());
        let happened = match &account.void {
            None => format!(
                "{paid} of {all} miners gave answers that are paid, and shared {shared} TAO; the others earned nothing"
            ),
            Some((void, why)) => {
                format!("{void} rounds of the last epoch are void, which is no miner's fault: {why}")
            }
        };
        let look = match &self.dir {
            Some(dir) => format!("weighhouse audit {}{}", self.journal(dir, account), self.judge()),
            None => "add --dir ./net to keep each question, answer and verdict; then: weighhouse audit \
                     ./net/validators/honest-a/epoch-*.wj"
                .to_owned(),
        };
        format!(
            "what happened      {happened}\nwhere to look      {look}\nwhat to type next  {}",
            self.next()
        )
    }

    fn journal(&self, dir: &Path, account: &Account) -> String {
        let epoch = weighhouse_types::Epoch(account.last.epoch);
        let file = dir.join("validators/honest-a").join(weighhouse_journal::segment_name(epoch));
        file.display().to_string()
    }

    /// An audit reaches verdicts again with a judge that runs.
    fn judge(&self) -> &'static str {
        if self.subnet.is_some() { " --judge ADDRESS, of the judge that was run" } else { "" }
    }

    /// Something that this run didn't show.
    fn next(&self) -> String {
        if let Some(folder) = &self.subnet {
            let judge = folder.join("judge.py");
            let judge = if judge.is_file() { judge } else { folder.join("judge") };
            return format!(
                "weighhouse localnet --subnet {}, and save {} while it runs; docs/new-task.md leads on",
                folder.display(),
                judge.display()
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
