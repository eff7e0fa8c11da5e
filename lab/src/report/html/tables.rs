//! Figures against their goals, and tables of anything.

use super::escape::{figure, name};
use super::{goal_text, scrolled, section};
use crate::report::data::{Data, Figure, ReportEntry, ReportTable};
use crate::report::number::{number, percent, with_unit};

/// Rows of one table in the page; the JSON holds every one.
const ROWS_MAX: usize = 1000;

pub(super) fn figures(data: &Data) -> String {
    if data.figures.is_empty() {
        return String::new();
    }
    let rows: String = data.figures.iter().take(ROWS_MAX).map(one).collect();
    let table = format!(
        "<table class=\"figures\">\n<caption>Figures and goals</caption>\n<thead><tr><th scope=\"col\">Figure</th><th scope=\"col\" class=\"n\">Value</th>\
         <th scope=\"col\" class=\"n\">Goal</th><th scope=\"col\">Met</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n"
    );
    section("figures", "Figures", "", &scrolled("Figures and goals", &table))
}

fn one(of: &Figure) -> String {
    let (class, met) = match of.met() {
        Some(true) => (" class=\"good\"", "✓ met"),
        Some(false) => (" class=\"bad\"", "✗ missed"),
        None => ("", ""),
    };
    let write = if of.unit == "%" { percent } else { number };
    format!(
        "<tr{class}><th scope=\"row\">{}</th><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"met\">{met}</td></tr>\n",
        name(&of.name),
        figure(&name(&with_unit(of.value, &of.unit))),
        of.goal.map(|goal| figure(&goal_text(goal, write))).unwrap_or_default()
    )
}

pub(super) fn all(data: &Data) -> String {
    let tables: String = data.tables.iter().map(table).collect();
    if tables.is_empty() { tables } else { section("tables", "Behind it", "", &tables) }
}

fn table(of: &ReportTable) -> String {
    let columns = of.columns.len();
    let numeric = |column: usize| {
        of.rows.iter().filter_map(|row| row.get(column)).any(|entry| matches!(entry, ReportEntry::Number(_)))
    };
    let numeric: Vec<bool> = (0..columns).map(numeric).collect();
    let class = |column: usize| if numeric[column] { " class=\"n\"" } else { "" };
    let heads: String = of
        .columns
        .iter()
        .enumerate()
        .map(|(at, head)| format!("<th scope=\"col\"{}>{}</th>", class(at), name(head)))
        .collect();
    let cell = |row: &[ReportEntry], at: usize| {
        let text = match row.get(at) {
            Some(ReportEntry::Number(value)) => figure(&number(*value)),
            Some(ReportEntry::Text(text)) => format!("<bdi>{}</bdi>", name(text)),
            None => figure(&number(None)),
        };
        let tag = if at == 0 { "th" } else { "td" };
        let scope = if at == 0 { " scope=\"row\"" } else { "" };
        format!("<{tag}{scope}{}>{text}</{tag}>", class(at))
    };
    let row = |row: &Vec<ReportEntry>| {
        format!("<tr>{}</tr>\n", (0..columns).map(|at| cell(row, at)).collect::<String>())
    };
    let rows: String = of.rows.iter().take(ROWS_MAX).map(row).collect();
    let title = name(&of.title);
    let left = match of.rows.len().saturating_sub(ROWS_MAX) {
        0 => String::new(),
        left => format!("<p class=\"intro\">{left} more rows are left out.</p>\n"),
    };
    let table = format!(
        "<table>\n<caption>{title}</caption>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n"
    );
    format!("{}{left}", scrolled(&title, &table))
}
