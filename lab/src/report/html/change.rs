//! Two policies compared: who gains, who loses, by how much. The table's last column is the chart.

use super::escape::{figure, name};
use super::{scrolled, section as section_of};
use crate::report::data::{Change, Comparison};
use crate::report::number::{percent, points};
use crate::report::plot::Scale;

/// Miners shown at once; the others wait behind a click.
const SHOWN: usize = 20;
/// Miners in the page at all; the JSON holds every one.
const ROWS_MAX: usize = 1000;
const WIDTH: f64 = 200.0;

pub(super) fn section(comparison: &Comparison) -> String {
    let (before, after) = (name(&comparison.before), name(&comparison.after));
    let (gain, lose) = comparison.sides();
    let intro = format!(
        "From <bdi><b>{before}</b></bdi> to <bdi><b>{after}</b></bdi>: {} of all weight changes hands, {gain} gain and {lose} lose. \
         The tick is before, the bar’s other end after.",
        percent(Some(comparison.moved()))
    );
    let changes = comparison.by_size();
    let scale = Scale::over(comparison.changes.iter().flat_map(|change| [change.before, change.after]));
    let (first, rest) = changes.split_at(changes.len().min(SHOWN));
    let rest = &rest[..rest.len().min(ROWS_MAX - SHOWN)];
    let mut body = scrolled("Changes by miner, the largest", &table(first, &scale, "Largest changes"));
    if !rest.is_empty() {
        let title = format!("{} more miners", rest.len());
        body += &format!(
            "<details><summary>{title}</summary>\n{}</details>\n",
            scrolled("Changes by miner, the others", &table(rest, &scale, &title))
        );
    }
    let left = changes.len() - first.len() - rest.len();
    if left > 0 {
        body += &format!("<p class=\"intro\">{left} miners with smaller changes are left out.</p>\n");
    }
    section_of("comparison", "Before and after", &intro, &body)
}

fn table(changes: &[&Change], scale: &Scale, caption: &str) -> String {
    let rows: String = changes.iter().map(|change| row(change, scale)).collect();
    format!(
        "<table class=\"changes\">\n<caption>{caption}</caption>\n<thead><tr><th scope=\"col\">Miner</th><th scope=\"col\" class=\"n\">Before</th>\
         <th scope=\"col\" class=\"n\">After</th><th scope=\"col\" class=\"n\">Change, points</th><th scope=\"col\">0 to {}</th></tr></thead>\n\
         <tbody>\n{rows}</tbody>\n</table>\n",
        percent(Some(scale.most))
    )
}

fn row(change: &Change, scale: &Scale) -> String {
    let gain = change.gain();
    let (class, sign) = match gain {
        gain if gain > 0.0 => ("gain", "▲ "),
        gain if gain < 0.0 => ("loss", "▼ "),
        _ => ("level", ""),
    };
    // A miner without a share is drawn as if it had none of the weight.
    let x = |share: Option<f64>| WIDTH * scale.place(share.filter(|share| share.is_finite()).unwrap_or(0.0));
    let (from, to) = (x(change.before), x(change.after));
    format!(
        "<tr class=\"{class}\"><th scope=\"row\"><bdi>{}</bdi></th><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{sign}{}</td>\
         <td><svg class=\"move\" viewBox=\"0 0 {WIDTH} 14\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><path class=\"axis\" d=\"M0 7H{WIDTH}\"/>\
         <path class=\"bar\" d=\"M{from:.1} 4H{to:.1}V10H{from:.1}Z\"/><path class=\"tick\" d=\"M{from:.1} 1V13\"/></svg></td></tr>\n",
        name(&change.miner),
        percent(change.before),
        percent(change.after),
        figure(&points(gain))
    )
}
