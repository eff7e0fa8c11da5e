//! Distribution of weights over ranks: one panel each on a common scale, and a table of what sums them up.

use super::escape::{figure, name};
use super::{scrolled, section as section_of};
use crate::report::data::{Data, Distribution};
use crate::report::number::{number, percent, precise};
use crate::report::plot::{PlotShape, Scale, thinned};

/// Panels drawn; the table holds all.
const PANELS_MAX: usize = 12;
/// Bars of one panel; more ranks share bars.
const BARS_MAX: usize = 256;
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 160.0;

pub(super) fn section(data: &Data) -> String {
    if data.distributions.is_empty() {
        return String::new();
    }
    let shared: Vec<Vec<f64>> = data.distributions.iter().map(Distribution::shares).collect();
    let scale = Scale::over(shared.iter().flatten().map(|share| Some(*share)));
    let panels: String = data
        .distributions
        .iter()
        .zip(&shared)
        .take(PANELS_MAX)
        .enumerate()
        .map(|(at, (distribution, shares))| panel(at, &distribution.label, shares, &scale))
        .collect();
    let rows: String = data
        .distributions
        .iter()
        .zip(&shared)
        .map(|(distribution, shares)| row(&distribution.label, shares))
        .collect();
    let table = format!(
        "<table>\n<caption>Concentration of weights</caption>\n<thead><tr><th scope=\"col\">Weights</th><th scope=\"col\" class=\"n\">Paid</th>\
         <th scope=\"col\" class=\"n\">Largest</th><th scope=\"col\" class=\"n\">Upper tenth</th><th scope=\"col\" class=\"n\">Gini</th>\
         <th scope=\"col\" class=\"n\">As if shared by</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n"
    );
    let body =
        format!("<div class=\"panels\">\n{panels}</div>\n{}", scrolled("Concentration of weights", &table));
    let mut intro = "Share of all weight by rank, the best first.".to_owned();
    if data.distributions.len() > PANELS_MAX {
        intro += &format!(" The first {PANELS_MAX} of {} are drawn.", data.distributions.len());
    }
    section_of("weights", "Weight distribution", &intro, &body)
}

fn panel(at: usize, label: &str, shares: &[f64], scale: &Scale) -> String {
    let some: Vec<Option<f64>> = shares.iter().map(|share| Some(*share)).collect();
    let heights = thinned(&some, BARS_MAX);
    let width = WIDTH / heights.len().max(1) as f64;
    // Many bars leave no room between them.
    let bar = if heights.len() <= 64 { width * 0.8 } else { width };
    let bars: String = heights
        .iter()
        .enumerate()
        .map(|(rank, share)| {
            let height = HEIGHT * scale.place(share.unwrap_or(0.0));
            format!("M{:.2} {HEIGHT}v{:.2}h{bar:.2}v{height:.2}z", width * rank as f64, -height)
        })
        .collect();
    let grid: String = scale
        .ticks
        .iter()
        .map(|tick| format!("M0 {:.1}H{WIDTH}", HEIGHT * (1.0 - scale.place(*tick))))
        .collect();
    let ticks: String = scale
        .ticks
        .iter()
        .map(|tick| {
            format!(
                "<span style=\"bottom:{:.1}%\">{}</span>",
                100.0 * scale.place(*tick),
                percent(Some(*tick))
            )
        })
        .collect();
    let label = name(label);
    let text = PlotShape::of(shares).map_or("Nobody has any weight.".to_owned(), |shape| {
        format!("{} miners have weight, the largest {}.", shape.paid, percent(Some(shape.largest)))
    });
    format!(
        "<figure class=\"panel\">\n<figcaption><bdi>{label}</bdi></figcaption>\n<div class=\"plot\">\n\
         <div class=\"ys\" aria-hidden=\"true\">{ticks}</div>\n\
         <svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" aria-labelledby=\"weights-name-{at} weights-text-{at}\">\n\
         <title id=\"weights-name-{at}\">Weights by rank: {label}</title>\n<desc id=\"weights-text-{at}\">{text}</desc>\n\
         <path class=\"grid\" d=\"{grid}\"/>\n<path class=\"bars\" d=\"{bars}\"/>\n</svg>\n\
         <div class=\"xs\" aria-hidden=\"true\"><span>rank 1</span><span>{}</span></div>\n</div>\n</figure>\n",
        shares.len()
    )
}

fn row(label: &str, shares: &[f64]) -> String {
    let shape = PlotShape::of(shares);
    let cell = |text: String| format!("<td class=\"n\">{}</td>", figure(&text));
    format!(
        "<tr><th scope=\"row\"><bdi>{}</bdi></th>{}{}{}{}{}</tr>\n",
        name(label),
        cell(format!("{} of {}", shape.map_or(0, |shape| shape.paid), shares.len())),
        cell(percent(shape.map(|shape| shape.largest))),
        cell(percent(shape.map(|shape| shape.tenth))),
        cell(precise(shape.map(|shape| shape.gini))),
        cell(number(shape.map(|shape| shape.effective)))
    )
}
