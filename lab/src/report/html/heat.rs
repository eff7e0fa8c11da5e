//! The attack matrix, one table per policy whose cells are shaded by profit: a heat map that is its own table.

use super::escape::{figure, name};
use super::scrolled;
use crate::attack::MatrixCell;
use crate::report::data::Data;
use crate::report::matrix::{Line, fractions, lines, same};
use crate::report::number::{among, bad, percent, precise, ratio};
use crate::report::verdict::{FRACTION_MAX, RunStanding};

/// Upper bounds of the shades; what is above the last has one of its own. Par is one of them.
const BOUNDS: [f64; 9] = [0.0, 0.25, 0.5, 0.75, 0.95, 1.0, 1.05, 1.25, 2.0];

pub(super) fn section(data: &Data) -> String {
    if data.matrix.is_empty() {
        return String::new();
    }
    let intro = format!(
        "What attacking earns over what the same operators would earn honestly, by the share of bad miners. \
         Up to {}, left of the line, a policy answers for attacks of either kind.",
        percent(Some(FRACTION_MAX))
    );
    let tables: String = data.policies().into_iter().map(|policy| table(data, policy)).collect();
    super::section("attacks", "Attacks", &intro, &format!("{tables}{}", legend()))
}

fn table(data: &Data, policy: &str) -> String {
    let fractions = fractions(&data.matrix);
    let heads: String = fractions
        .iter()
        .map(|fraction| format!("<th scope=\"col\"{}>{}</th>", edge(*fraction), bad(*fraction)))
        .collect();
    let mut bodies = String::new();
    for (detectable, title) in [(true, "Detectable"), (false, "Not detectable by single answers")] {
        let lines = lines(&data.matrix, policy, detectable);
        if !lines.is_empty() {
            let rows: String = lines.iter().map(|line| row(line, &fractions)).collect();
            bodies += &format!(
                "<tbody>\n<tr class=\"group\"><th colspan=\"{}\" scope=\"rowgroup\"><span>{title}</span></th></tr>\n{rows}</tbody>\n",
                fractions.len() + 1
            );
        }
    }
    let policy = name(policy);
    let table = format!(
        "<table class=\"heat\">\n<caption>Policy <bdi>{policy}</bdi></caption>\n\
         <thead><tr><th scope=\"col\">Attack</th>{heads}</tr></thead>\n{bodies}</table>\n"
    );
    scrolled(&format!("Attacks under policy {policy}"), &table)
}

/// Marks the last column that a policy answers for.
fn edge(fraction: f64) -> &'static str {
    if same(fraction, FRACTION_MAX) { " class=\"edge\"" } else { "" }
}

fn row(line: &Line<'_>, fractions: &[f64]) -> String {
    let cells: String = fractions
        .iter()
        .map(|fraction| {
            let found: String = line.at(*fraction).map(cell).collect();
            let found =
                if found.is_empty() { "<span class=\"missing\">–</span>".to_owned() } else { found };
            format!("<td{}>{found}</td>", edge(*fraction))
        })
        .collect();
    format!("<tr><th scope=\"row\"><bdi>{}</bdi></th>{cells}</tr>\n", name(line.attack))
}

fn cell(row: &MatrixCell) -> String {
    let (sign, word) = match row.standing() {
        RunStanding::Pays => ("▲", ", pays"),
        RunStanding::Unclear => ("△", ", too close to call"),
        RunStanding::Loses | RunStanding::Unknown => ("", ""),
    };
    let range = row
        .interval()
        .map(|[least, most]| format!(" ({} to {})", precise(Some(least)), precise(Some(most))))
        .unwrap_or_default();
    let sign = if sign.is_empty() { String::new() } else { format!("<i aria-hidden=\"true\">{sign}</i>") };
    format!(
        "<span class=\"cell h{}\" title=\"{} {}: {} × honest work{}{word}\">{sign}{}</span>",
        shade(row.profit_ratio),
        name(&row.attack),
        among(row.fraction),
        figure(&precise(row.profit_ratio)),
        figure(&range),
        figure(&ratio(row.profit_ratio))
    )
}

/// The class of a ratio's shade.
fn shade(ratio: Option<f64>) -> String {
    let Some(ratio) = ratio.filter(|ratio| ratio.is_finite()) else { return "x".to_owned() };
    // Par itself is not above par.
    BOUNDS.iter().filter(|bound| ratio > **bound || (**bound == 0.0 && ratio == 0.0)).count().to_string()
}

fn legend() -> String {
    let steps: String = (0..=BOUNDS.len()).map(|shade| format!("<span class=\"h{shade}\"></span>")).collect();
    format!(
        "<p class=\"legend\"><span>loses</span><span class=\"ramp\" aria-hidden=\"true\">{steps}</span><span>pays</span>\
         <span>▲ above honest work with 95 % confidence</span><span>△ too close to call</span></p>\n"
    )
}
