//! The words and tables of a localnet, for people.

use std::path::Path;

use weighhouse_localnet::{Account, EpochReport, Localnet as Economy, Rounds, VoidRounds, judge_of};
use weighhouse_types::profile::Paid;
use weighhouse_types::{Block, LaterAnswers};

use super::Localnet;
use super::next::next;
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
    let Rounds { all, void, void_why, .. } = rounds;
    let void = void_why.as_ref().map(|why| {
        let are = if *void == 1 { "is" } else { "are" };
        format!("{void} of {all} rounds {are} void, which is no miner's fault: {why}")
    });
    void.into_iter().chain(malformed(rounds))
}

fn malformed(Rounds { all, malformed, malformed_why, .. }: &Rounds) -> Option<String> {
    let why = malformed_why.as_ref()?;
    Some(format!(
        "in {malformed} of {all} rounds nobody's answer was well-formed, so look at the judge first: does it ask for what it \
         reads? {why}"
    ))
}

/// The choices of a run that its closing lines speak of.
#[derive(Debug)]
pub(super) struct Closing {
    /// The command line.
    pub(super) args: Localnet,
    pub(super) mode: Paid,
    /// Epochs within which the truth about a question comes, where it comes later.
    pub(super) truth_within: Option<u64>,
}

impl Closing {
    pub(super) fn new(economy: &Economy, args: &Localnet) -> Self {
        Self { args: args.clone(), mode: economy.mode(), truth_within: economy.truth_within() }
    }

    /// The event, the place to look at, and the command to type next.
    fn lines(&self, account: &Account) -> String {
        let look = match &self.args.dir {
            Some(dir) => self.audit(&journal(dir, account)),
            None => format!(
                "add --dir ./net to keep each question, answer and verdict; then: {}",
                self.audit("./net/validators/honest-a/epoch-*.wj")
            ),
        };
        format!(
            "what happened      {}\nwhere to look      {look}\nwhat to type next  {}",
            self.happened(account),
            next(self, account)
        )
    }

    fn happened(&self, account: &Account) -> String {
        let facts = &account.facts;
        let miners = || account.last.neurons.iter().filter(|row| !row.validates);
        let (paid, all) = (miners().filter(|row| row.earned > 0).count(), miners().count());
        let shared = tao(miners().map(|row| row.earned).sum());
        let mut parts = Vec::new();
        if paid > 0 || (facts.awaiting == 0 && facts.fault().is_none()) {
            parts.push(format!(
                "{paid} of {all} miners gave answers that are paid, and shared {shared} TAO; the others earned nothing"
            ));
        }
        if facts.awaiting > 0 {
            let awaiting = LaterAnswers::in_words(facts.awaiting);
            let nobody = if paid == 0 { "nobody is paid yet: " } else { "" };
            let within = self.truth_within.unwrap_or_default();
            parts.push(format!("{nobody}{awaiting}, known within {within} epochs of the question"));
        }
        if facts.overdue > 0 {
            let overdue = facts.overdue;
            parts.push(format!(
                "{overdue} of them are overdue: asking for their truth failed (RUST_LOG=warn tells how)"
            ));
        }
        parts.extend(facts.void.iter().map(|VoidRounds { cause, rounds, why }| {
            let (all, cause) = (facts.rounds.all, cause.name());
            format!("{rounds} of {all} rounds are void ({cause}), which is no miner's fault: {why}")
        }));
        if let Some((lapsed, why)) = &facts.lapsed {
            parts.push(format!("{lapsed} challenges lapsed, and nobody is judged by them: {why}"));
        }
        parts.extend(malformed(&account.facts.run));
        parts.join("; ")
    }

    /// The audit's command, after the one that starts the judge which it needs: the localnet's has ended.
    fn audit(&self, file: &str) -> String {
        let Some(folder) = &self.args.subnet else { return format!("weighhouse audit {file}") };
        let (judge, python) = (judge_of(folder), self.args.python.display());
        let (is_crate, judge) = (judge.join("Cargo.toml").is_file(), judge.display());
        let start = match is_crate {
            true => format!("cargo run --release --manifest-path {judge}/Cargo.toml"),
            false => format!("{python} -m weighhouse.judge {judge}"),
        };
        format!("{start}{INDENT}and beside it: weighhouse audit {file} --judge {JUDGE_ADDRESS}")
    }
}

fn journal(dir: &Path, account: &Account) -> String {
    let epoch = weighhouse_types::Epoch(account.last.epoch);
    let file = dir.join("validators/honest-a").join(weighhouse_journal::segment_name(epoch));
    file.display().to_string()
}

/// The closing account: all that was earned since genesis.
pub(super) fn account(account: &Account, closing: &Closing) -> String {
    let mut table = Table::new(&["uid", "<persona", "earned (TAO)", "<why"]);
    for (row, reason) in account.last.neurons.iter().zip(&account.reasons) {
        table.row(vec![row.uid.to_string(), row.persona.clone(), tao(row.earned), reason.clone()]);
    }
    let (epochs, mode) = (counted(account.epochs(), "epoch"), closing.mode.name());
    let rounds = counted(account.facts.rounds.all as u64, "round");
    format!(
        "who earned what in {epochs} of {mode}, and why (answers to validator {}, {rounds})\n{}\n\n{}",
        account.validator,
        table.to_text(),
        closing.lines(account)
    )
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
