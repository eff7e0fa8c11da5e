//! The report as one HTML file: styles and drawings within, no script, nothing fetched.
//!
//! Charts are drawn here as SVG that stretches with the page; their labels are text beside the drawing, so that they keep
//! their size on a telephone. Each chart has a table with the same content.

use self::escape::{figure, lines, name};
use super::data::{Data, Goal, Note};
use super::number::{among, precise};
use super::verdict::{RunStanding, RunVerdict};
use crate::attack::MatrixCell;

mod change;
mod curves;
mod escape;
mod heat;
mod ranks;
mod tables;

/// The page may hold its own styles and its own (empty) icon, and nothing else.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

const STYLE: &str = include_str!("html/style.css");

/// The whole page. The same data gives the same bytes.
pub fn html(data: &Data) -> String {
    let title = name(if data.title.is_empty() { "Report" } else { &data.title });
    let sections = [
        heat::section(data),
        explained(&data.explanations),
        curves::section(data),
        ranks::section(data),
        data.comparison.as_ref().map(change::section).unwrap_or_default(),
        tables::figures(data),
        tables::all(data),
        notes(&data.notes),
    ];
    let body = sections.concat();
    let body = if body.is_empty() && data.best_response.is_none() {
        "<p class=\"empty\">Nothing was run, so there is nothing to show.</p>".to_owned()
    } else {
        body
    };
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title} · Weighhouse</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n<main>\n<header>\n<p class=\"eyebrow\">Weighhouse policy report</p>\n<h1>{title}</h1>\n{head}</header>\n\
         {body}</main>\n</body>\n</html>\n",
        head = head(data),
    )
}

/// Summary of the run, before any chart.
fn head(data: &Data) -> String {
    let verdicts = data.verdicts();
    let several = verdicts.len() > 1;
    let mut html: String = verdicts.iter().map(|verdict| judged(data, verdict, several)).collect();
    let mut tiles = String::new();
    if let Some(best) = &data.best_response {
        let met = best.goal.map(|goal| goal.met(best.profit_ratio));
        let goal = best.goal.map(|goal| format!(" · goal {}", goal_text(goal, precise))).unwrap_or_default();
        let below = format!("× honest profit, after {} evaluations{goal}", figure(&count(best.evaluations)));
        tiles += &tile("Best response found", &precise(best.profit_ratio), &below, met);
    }
    let (met, goals) = data.goals();
    if goals > 0 {
        tiles += &tile("Goals met", &format!("{met} of {goals}"), "of the figures below", Some(met == goals));
    }
    if !tiles.is_empty() {
        html += &format!("<div class=\"tiles\">\n{tiles}</div>\n");
    }
    if let Some(best) = data.best_response.as_ref().filter(|best| !best.strategy.trim().is_empty()) {
        html += &format!(
            "<details><summary>The strategy behind the best response</summary>\n<pre>{}</pre>\n</details>\n",
            lines(&best.strategy)
        );
    }
    html
}

fn judged(data: &Data, verdict: &RunVerdict, several: bool) -> String {
    let (class, sign) = match verdict.standing {
        RunStanding::Loses => ("good", "✓"),
        RunStanding::Unclear => ("unclear", "?"),
        RunStanding::Pays => ("bad", "✗"),
        RunStanding::Unknown => ("none", "–"),
    };
    let mut tiles = String::new();
    for (detectable, label) in
        [(true, "Worst attack that answers show"), (false, "Worst that they don't show")]
    {
        tiles += &data.worst(&verdict.policy, detectable).map_or(String::new(), |worst| attack(label, worst));
    }
    let policy = if several || !verdict.policy.is_empty() {
        format!("<p class=\"of\">Policy <bdi>{}</bdi></p>\n", name(&verdict.policy))
    } else {
        String::new()
    };
    format!(
        "<section class=\"verdict {class}\">\n{policy}<p class=\"sentence\"><span class=\"sign\" aria-hidden=\"true\">{sign}</span> \
         {}</p>\n<div class=\"tiles\">\n{tiles}</div>\n</section>\n",
        lines(&verdict.sentence())
    )
}

fn attack(label: &str, row: &MatrixCell) -> String {
    let range = row
        .interval()
        .map(|[least, most]| format!(", 95 % interval {} to {}", precise(Some(least)), precise(Some(most))));
    let below = format!(
        "× honest work: <bdi>{}</bdi> {}{}",
        name(&row.attack),
        among(row.fraction),
        figure(&range.unwrap_or_default())
    );
    let met = match row.standing() {
        RunStanding::Loses => Some(true),
        RunStanding::Pays => Some(false),
        RunStanding::Unclear | RunStanding::Unknown => None,
    };
    tile(label, &precise(row.profit_ratio), &below, met)
}

/// `below` is HTML, the rest is text.
fn tile(label: &str, value: &str, below: &str, met: Option<bool>) -> String {
    let class = met.map_or("", |met| if met { " good" } else { " bad" });
    format!(
        "<div class=\"tile{class}\"><p class=\"label\">{label}</p><p class=\"value\">{}</p><p class=\"below\">{below}</p></div>\n",
        figure(value)
    )
}

fn goal_text(goal: Goal, write: fn(Option<f64>) -> String) -> String {
    match goal {
        Goal::AtMost(most) => format!("≤ {}", write(Some(most))),
        Goal::AtLeast(least) => format!("≥ {}", write(Some(least))),
    }
}

fn count(evaluations: u64) -> String {
    super::number::number(Some(evaluations as f64))
}

fn notes(notes: &[Note]) -> String {
    listed("notes", "To run it again", notes)
}

fn explained(explanations: &[Note]) -> String {
    listed("explained", "What each attack does, and what answers it", explanations)
}

fn listed(id: &str, title: &str, notes: &[Note]) -> String {
    if notes.is_empty() {
        return String::new();
    }
    let rows: String = notes
        .iter()
        .map(|note| format!("<dt>{}</dt><dd>{}</dd>\n", name(&note.name), lines(&note.value)))
        .collect();
    section(id, title, "", &format!("<dl>\n{rows}</dl>\n"))
}

/// `intro` and `body` are HTML.
fn section(id: &str, title: &str, intro: &str, body: &str) -> String {
    let intro = if intro.is_empty() { String::new() } else { format!("<p class=\"intro\">{intro}</p>\n") };
    format!(
        "<section id=\"{id}\" aria-labelledby=\"{id}-title\">\n<h2 id=\"{id}-title\">{title}</h2>\n{intro}{body}</section>\n"
    )
}

/// Wraps content that may be wider than the page in a frame that scrolls by itself.
fn scrolled(label: &str, table: &str) -> String {
    format!("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{label}\">\n{table}</div>\n")
}
