//! The report in a terminal: aligned tables, sparklines, a heat map of shaded cells.
//!
//! No line is wider than asked for, unless that is less than [`WIDTH_MIN`](draw::WIDTH_MIN). Control characters of users' names are never
//! written: they could rewrite the screen.

use self::draw::{Column, Pen, fitted};
use super::data::{Data, Goal, ReportEntry, ReportTable};
use super::number::{among, number, percent, precise, with_unit};
use super::verdict::{RunStanding, RunVerdict};
use crate::attack::MatrixCell;

mod charts;
mod draw;

pub(super) use draw::unprintable;

/// Rows of one table in the terminal; the JSON holds every one.
const ROWS_MAX: usize = 200;

/// The report in lines of at most `width` columns, with colours if asked.
pub fn text(data: &Data, width: usize, color: bool) -> String {
    write(data, Pen::new(width, color, true))
}

/// The same in ASCII, without colours.
pub fn ascii(data: &Data, width: usize) -> String {
    write(data, Pen::new(width, false, false))
}

fn write(data: &Data, mut pen: Pen) -> String {
    pen.head(&data.title);
    for verdict in data.verdicts() {
        judged(&mut pen, data, &verdict);
    }
    if let Some(best) = &data.best_response {
        let goal = best.goal.map(|goal| format!(", goal {}", goal_text(goal, precise))).unwrap_or_default();
        let found = precise(best.profit_ratio);
        let after = number(Some(best.evaluations as f64));
        pen.wrapped(&format!("  best response: {found} × honest profit after {after} evaluations{goal}"), 4);
    }
    let (met, goals) = data.goals();
    if goals > 0 {
        pen.line(&format!("  goals met: {met} of {goals}"));
    }
    if *data == (Data { title: data.title.clone(), ..Data::default() }) {
        pen.line("Nothing was run, so there is nothing to show.");
    }
    charts::heat(&mut pen, data);
    explained(&mut pen, data);
    charts::curves(&mut pen, data);
    charts::distributions(&mut pen, data);
    charts::comparison(&mut pen, data);
    figures(&mut pen, data);
    for of in &data.tables {
        table(&mut pen, of);
    }
    notes(&mut pen, data);
    pen.finish()
}

fn judged(pen: &mut Pen, data: &Data, verdict: &RunVerdict) {
    let sign = pen.standing(verdict.standing);
    pen.wrapped(&format!("{sign} {}: {}", verdict.policy, verdict.sentence()), 2);
    let mut attack = |label: &str, row: &MatrixCell| {
        let interval = row
            .interval()
            .map(|[least, most]| format!(" ({} to {})", precise(Some(least)), precise(Some(most))));
        let ratio = precise(row.profit_ratio);
        let among = among(row.fraction);
        let interval = interval.unwrap_or_default();
        pen.wrapped(&format!("  {label}: {ratio} × honest work{interval}, {} {among}", row.attack), 4);
    };
    for (detectable, label) in
        [(true, "worst attack that answers show"), (false, "worst that they don't show")]
    {
        data.worst(&verdict.policy, detectable).into_iter().for_each(|row| attack(label, row));
    }
}

/// The attacks that pay, in words; the page has all of them.
fn explained(pen: &mut Pen, data: &Data) {
    let paying: Vec<String> = data.verdicts().into_iter().flat_map(|verdict| verdict.paying).collect();
    let told = data.explanations.iter().filter(|note| paying.contains(&note.name));
    for (at, note) in told.enumerate() {
        if at == 0 {
            pen.section("What pays, and what answers it");
        }
        pen.wrapped(&format!("  {}: {}", note.name, note.value), 4);
    }
}

fn goal_text(goal: Goal, write: fn(Option<f64>) -> String) -> String {
    match goal {
        Goal::AtMost(most) => format!("at most {}", write(Some(most))),
        Goal::AtLeast(least) => format!("at least {}", write(Some(least))),
    }
}

fn figures(pen: &mut Pen, data: &Data) {
    if data.figures.is_empty() {
        return;
    }
    pen.section("Figures");
    let rows = data.figures.iter().take(ROWS_MAX).map(|figure| {
        let write = if figure.unit == "%" { percent } else { number };
        let goal = figure.goal.map(|goal| goal_text(goal, write)).unwrap_or_default();
        let met = match figure.met() {
            Some(true) => pen.standing(RunStanding::Loses).to_owned() + " met",
            Some(false) => pen.standing(RunStanding::Pays).to_owned() + " missed",
            None => String::new(),
        };
        vec![figure.name.clone(), with_unit(figure.value, &figure.unit), goal, met]
    });
    let rows: Vec<_> = rows.collect();
    let columns = [Column::left("figure"), Column::right("value"), Column::right("goal"), Column::left("")];
    pen.table(&columns, &rows);
}

fn table(pen: &mut Pen, of: &ReportTable) {
    pen.section(&of.title);
    let column = |(at, head): (usize, &String)| {
        let numeric = of.rows.iter().any(|row| matches!(row.get(at), Some(ReportEntry::Number(_))));
        if numeric { Column::right(head) } else { Column::left(head) }
    };
    let columns: Vec<_> = of.columns.iter().enumerate().map(column).collect();
    let entry = |entry: Option<&ReportEntry>| match entry {
        Some(ReportEntry::Text(text)) => text.clone(),
        Some(ReportEntry::Number(value)) => number(*value),
        None => number(None),
    };
    let row = |row: &Vec<ReportEntry>| (0..columns.len()).map(|at| entry(row.get(at))).collect();
    let rows: Vec<Vec<String>> = of.rows.iter().take(ROWS_MAX).map(row).collect();
    pen.table(&columns, &rows);
    pen.left_out(of.rows.len().saturating_sub(ROWS_MAX));
}

fn notes(pen: &mut Pen, data: &Data) {
    let strategy = data.best_response.as_ref().map_or("", |best| best.strategy.trim());
    if !strategy.is_empty() {
        pen.section("The strategy behind the best response");
        for line in strategy.lines().take(ROWS_MAX) {
            pen.wrapped(&format!("  {line}"), 4);
        }
    }
    if data.notes.is_empty() {
        return;
    }
    pen.section("To run it again");
    for note in data.notes.iter().take(ROWS_MAX) {
        let value = note.value.lines().map(str::trim).collect::<Vec<_>>().join("; ");
        pen.wrapped(&format!("  {}: {value}", fitted(&note.name, pen.width() / 2)), 4);
    }
}
