//! Statements for people and for machines: money first, then each check's cost, then the reasons.

use std::path::Path;

use serde::Serialize;
use weighhouse_types::{Block, Hotkey, Loss, PayStatement, Uid, tao};

use super::ask::{SERVES_NONE, Told as Answer};
use super::receipts::Receipted;
use crate::failure::Failure;
use crate::output::{self, Table};

/// A statement and its sentence, as JSON.
#[derive(Serialize)]
pub(super) struct Told<'a> {
    sentence: String,
    statement: &'a PayStatement,
}

impl<'a> Told<'a> {
    pub(super) fn of(statement: &'a PayStatement) -> Self {
        Self { sentence: statement.sentence(), statement }
    }
}

/// One validator's word, as JSON: with the bytes and the signature that show it to others.
#[derive(Serialize)]
pub(super) struct ToldBy<'a> {
    validator: Hotkey,
    uid: Uid,
    #[serde(flatten)]
    told: Option<Told<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signed: Option<Signed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipts: Option<Receipted>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why_not: Option<&'a str>,
}

#[derive(Serialize)]
struct Signed {
    statement: String,
    signature: String,
}

impl<'a> ToldBy<'a> {
    pub(super) fn of(answer: &'a Answer, state: &Path) -> Self {
        let Answer { validator, uid, outcome } = answer;
        let receipts = outcome.as_ref().ok().map(|signed| Receipted::of(state, &signed.statement));
        let signed = outcome.as_ref().ok().map(|signed| Signed {
            statement: const_hex::encode(&signed.encoded),
            signature: const_hex::encode(&signed.signature),
        });
        let told = outcome.as_ref().ok().map(|signed| Told::of(&signed.statement));
        let why_not = outcome.as_ref().err().map(String::as_str);
        Self { validator: *validator, uid: *uid, told, signed, receipts, why_not }
    }
}

/// Each one's word, and those in one line that serve none.
pub(super) fn print_all(all: &[Answer], state: &Path) -> Result<(), Failure> {
    let (silent, told): (Vec<_>, Vec<_>) =
        all.iter().partition(|answer| answer.outcome.as_ref().is_err_and(|why| why == SERVES_NONE));
    told.into_iter().try_for_each(|answer| print_told(answer, state))?;
    if !silent.is_empty() {
        let uids: Vec<_> = silent.iter().map(|answer| answer.uid.to_string()).collect();
        output::line(format!("no verdicts are served by uid {}", uids.join(", ")))?;
    }
    Ok(())
}

fn print_told(answer: &Answer, state: &Path) -> Result<(), Failure> {
    let Answer { validator, uid, outcome } = answer;
    match outcome {
        Ok(signed) => {
            output::line(format!("validator {validator}, uid {uid}"))?;
            print(&signed.statement)?;
            output::line(Receipted::of(state, &signed.statement).line())?;
        }
        Err(why) => output::line(format!("validator {validator}, uid {uid}: {why}"))?,
    }
    Ok(output::line("")?)
}

pub(super) fn print(statement: &PayStatement) -> Result<(), Failure> {
    for line in lines(statement) {
        output::line(line)?;
    }
    Ok(())
}

/// The whole text.
pub(super) fn lines(statement: &PayStatement) -> Vec<String> {
    let mut lines = vec![statement.sentence()];
    if !statement.losses.is_empty() {
        lines.push(checks(statement).to_text());
    }
    lines.push(format!("reasons  {}", statement.reasons));
    let weight = statement.weight.map_or_else(|| "none".to_owned(), |weight| weight.to_string());
    let score = statement.score as f64 / 1e9;
    let average = statement.average as f64 / 1e9;
    let carried = match statement.carried {
        Some(carried) => format!(", where {:+.4} was carried in", carried as f64 / 1e9),
        None => String::new(),
    };
    lines.push(format!("weight   {weight} of 65535, from score {score:.4}, average {average:+.4}{carried}"));
    match (&statement.pay, statement.published) {
        (Some(pay), _) => lines.push(format!(
            "chain    paid uid {} {} alpha in all, by every validator's weights, and all miners {}",
            statement.uid,
            tao::format(pay.own),
            tao::format(pay.miners)
        )),
        (None, Some(Block(block))) => {
            lines.push(format!(
                "chain    shows these weights since block {block}; what it pays is yet to come"
            ));
        }
        (None, None) => lines.push("chain    doesn't show these weights yet".to_owned()),
    }
    if statement.omitted > 0 {
        lines.push(format!("         {} more verdicts are left out of --json", statement.omitted));
    }
    lines
}

/// Each check's cost.
pub(crate) fn checks(statement: &PayStatement) -> Table {
    let unit = statement.unit();
    let mut table =
        Table::new(&["<check", "answers", "marks", unit, "paid without it", "<first example", "<means"]);
    for loss in &statement.losses {
        let example = loss.example.as_ref().map(|example| {
            let asked_in = match example.asked_in == statement.epoch {
                true => String::new(),
                false => format!("epoch {}, ", example.asked_in),
            };
            format!("{asked_in}round {}: {}", example.round, example.text)
        });
        let Loss { check, phrase, answers, marks, lost, share_without, .. } = loss;
        table.row(vec![
            check.clone(),
            format!("{answers} of {}", statement.answers),
            format!("{:+.2}", -(*marks as f64) / 1e9),
            statement.part(-*lost),
            statement.amount(*share_without),
            example.unwrap_or_default(),
            phrase.clone(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests;
