//! Emission by persona over time: one chart of the largest, and a table with a small chart of each.

use super::escape::{figure, name};
use super::{scrolled, section as section_of};
use crate::report::data::{Data, Series};
use crate::report::number::percent;
use crate::report::plot::{Scale, drawable, mean, most, thinned};

/// Curves that one chart holds and a reader tells apart.
const CURVES_MAX: usize = 8;
/// Points of a drawn curve.
const POINTS_MAX: usize = 240;
/// Points of a curve in the table.
const SPARK_POINTS_MAX: usize = 60;
/// Stripes of the chart that tell their figures when pointed at.
const STRIPES_MAX: usize = 48;
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 300.0;
/// Peaks that differ by more than this factor are not compared in one chart.
const APART: f64 = 4.0;
/// Height of an end label, as a share of the chart's, and of the lower chart's that few curves have.
const LABEL: f64 = 0.065;
const LABEL_FEW: f64 = 0.12;
/// So many curves are few.
const FEW: usize = 4;

pub(super) fn section(data: &Data) -> String {
    if data.curves.is_empty() {
        return String::new();
    }
    let drawn = largest(&data.curves);
    let epochs = data.curves.iter().map(|series| series.values.len()).max().unwrap_or(0);
    let mut intro = "Each persona’s share of what miners earn. Attackers’ curves are dashed".to_owned();
    if drawn.iter().any(|(_, series)| !series.low.is_empty()) {
        intro += "; bands span all seeds";
    }
    intro.push('.');
    if drawn.len() < data.curves.len() {
        intro += &format!(" The {} largest of {} are drawn.", drawn.len(), data.curves.len());
    }
    let charts: String = charts(drawn).iter().map(|chart| chart.draw(epochs)).collect();
    section_of("emission", "Emission over time", &intro, &format!("{charts}{}", table(&data.curves)))
}

/// A chart's title, an identifier, and its curves with the numbers of their colours.
struct Chart<'a> {
    title: &'static str,
    id: &'static str,
    curves: Vec<(usize, &'a Series)>,
}

/// Curves of miners. Where honest miners earn so much that attackers' curves would lie on the axis, either side has a chart of its own.
fn charts(drawn: Vec<(usize, &Series)>) -> Vec<Chart<'_>> {
    let (attackers, honest): (Vec<_>, Vec<_>) = drawn.iter().partition(|(_, series)| series.attacker);
    let peak =
        |of: &[(usize, &Series)]| of.iter().filter_map(|(_, series)| most(&series.values)).reduce(f64::max);
    match (peak(&honest), peak(&attackers)) {
        (Some(high), Some(low)) if high > APART * low => vec![
            Chart { title: "Honest miners", id: "honest", curves: honest },
            Chart { title: "Attackers, on their own scale", id: "attackers", curves: attackers },
        ],
        _ => vec![Chart { title: "", id: "all", curves: drawn }],
    }
}

/// The largest by mean, in the order given and numbered.
fn largest(all: &[Series]) -> Vec<(usize, &Series)> {
    let mut order: Vec<usize> = (0..all.len()).collect();
    let size = |at: usize| mean(&all[at].values).unwrap_or(f64::NEG_INFINITY);
    order.sort_by(|one, other| size(*other).total_cmp(&size(*one)));
    order.truncate(CURVES_MAX);
    // Back to the order given: a curve keeps its colour, whatever it earns.
    order.sort_unstable();
    order.into_iter().map(|at| &all[at]).enumerate().collect()
}

impl Chart<'_> {
    fn draw(&self, epochs: usize) -> String {
        let all = self.curves.iter().map(|(_, series)| series);
        let all = all.flat_map(|series| series.values.iter().chain(&series.low).chain(&series.high));
        let scale = Scale::over(all.copied());
        let y = |value: f64| HEIGHT * (1.0 - scale.place(value));
        let grid: String = scale.ticks.iter().map(|tick| format!("M0 {:.1}H{WIDTH}", y(*tick))).collect();
        let bands: String = self.curves.iter().map(|(at, series)| band(series, epochs, *at, &y)).collect();
        let curve = |(at, series): &(usize, &Series)| {
            let class = if series.attacker { " attacker" } else { "" };
            let points = placed(&series.values, epochs, POINTS_MAX, WIDTH, &y);
            format!("<path class=\"curve s{at}{class}\" d=\"{}\"/>\n", path(&points))
        };
        let curves: String = self.curves.iter().map(curve).collect();
        let tick = |tick: &f64| {
            let text = figure(&percent(Some(*tick)));
            format!("<span style=\"bottom:{:.1}%\">{text}</span>", 100.0 * scale.place(*tick))
        };
        let ticks: String = scale.ticks.iter().map(tick).collect();
        let names: Vec<_> = self.curves.iter().map(|(_, series)| name(&series.name)).collect();
        let (title, id) = (self.title, self.id);
        let caption =
            if title.is_empty() { String::new() } else { format!("<figcaption>{title}</figcaption>\n") };
        let few = if self.curves.len() <= FEW { " few" } else { "" };
        format!(
            "<figure class=\"chart{few}\">\n{caption}<div class=\"plot\">\n<div class=\"ys\" aria-hidden=\"true\">{ticks}</div>\n\
             <svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" \
             aria-labelledby=\"emission-name-{id} emission-text-{id}\">\n\
             <title id=\"emission-name-{id}\">Emission over {epochs} epochs</title>\n\
             <desc id=\"emission-text-{id}\">Curves of {}. The table below holds their figures.</desc>\n\
             <path class=\"grid\" d=\"{grid}\"/>\n{bands}{curves}{}</svg>\n<div class=\"ends\">{}</div>\n{}</div>\n</figure>\n",
            names.join(", "),
            stripes(&self.curves, epochs),
            ends(&self.curves, &scale, if self.curves.len() <= FEW { LABEL_FEW } else { LABEL }),
            epoch_axis(epochs),
        )
    }
}

fn epoch_axis(epochs: usize) -> String {
    let last = epochs.saturating_sub(1);
    let middle = if last > 1 { format!("<span>{}</span>", last / 2) } else { String::new() };
    let end = if last > 0 { format!("<span>{last}</span>") } else { String::new() };
    format!("<div class=\"xs\" aria-hidden=\"true\"><span>epoch 0</span>{middle}{end}</div>\n")
}

/// The points of a curve within `width`; `None` is a gap.
fn placed(
    values: &[Option<f64>],
    epochs: usize,
    most: usize,
    width: f64,
    y: &dyn Fn(f64) -> f64,
) -> Vec<Option<(f64, f64)>> {
    let values_thinned = thinned(values, most);
    let count = values_thinned.len() as f64;
    // A curve that ends early ends early in the chart too.
    let reach = values.len() as f64 / epochs.max(1) as f64;
    let x = |at: usize| if count < 2.0 { width / 2.0 } else { width * reach * at as f64 / (count - 1.0) };
    let point = |(at, value): (usize, &Option<f64>)| drawable(*value).map(|value| (x(at), y(value)));
    values_thinned.iter().enumerate().map(point).collect()
}

fn path(points: &[Option<(f64, f64)>]) -> String {
    let mut path = String::new();
    let mut pen = 'M';
    for point in points {
        match point {
            Some((x, y)) => {
                path += &format!("{pen}{x:.1} {y:.1}");
                // A point between two gaps is a line of no length, which round ends make a dot.
                if pen == 'M' {
                    path += "h0";
                }
                pen = 'L';
            }
            None => pen = 'M',
        }
    }
    path
}

fn band(series: &Series, epochs: usize, at: usize, y: &dyn Fn(f64) -> f64) -> String {
    let low = placed(&series.low, epochs, POINTS_MAX, WIDTH, y);
    let high = placed(&series.high, epochs, POINTS_MAX, WIDTH, y);
    let there = low.iter().chain(&high).flatten();
    let corners: Vec<_> = high.iter().flatten().chain(low.iter().rev().flatten()).collect();
    // Two points above and two below are the least that enclose an area.
    if there.count() < 4 || low.len() != high.len() {
        return String::new();
    }
    let points: Vec<String> = corners.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
    format!("<path class=\"band s{at}\" d=\"M{}Z\"/>\n", points.join("L"))
}

/// Invisible until pointed at; each names its epoch and figures.
fn stripes(drawn: &[(usize, &Series)], epochs: usize) -> String {
    let count = epochs.min(STRIPES_MAX);
    let stripe = |at: usize| {
        let (from, to) = (at * epochs / count, (at + 1) * epochs / count);
        let when =
            if to - from == 1 { format!("Epoch {from}") } else { format!("Epochs {from} to {}", to - 1) };
        let figures: String = drawn
            .iter()
            .map(|(_, series)| {
                // A series may end before the others.
                let held = &series.values[from.min(series.values.len())..to.min(series.values.len())];
                format!("\n{}: {}", name(&series.name), figure(&percent(mean(held))))
            })
            .collect();
        format!(
            "<rect x=\"{:.1}\" width=\"{:.1}\" height=\"{HEIGHT}\"><title>{when}{figures}</title></rect>\n",
            WIDTH * at as f64 / count as f64,
            WIDTH / count as f64
        )
    };
    format!(
        "<g class=\"stripes\" aria-hidden=\"true\">\n{}</g>\n",
        (0..count).map(stripe).collect::<String>()
    )
}

/// Names at the curves' ends, moved apart where they would overlap.
fn ends(drawn: &[(usize, &Series)], scale: &Scale, label: f64) -> String {
    let last = |series: &Series| series.values.iter().rev().find_map(|value| drawable(*value));
    let top = |series: &Series| 1.0 - scale.place(last(series).unwrap_or(0.0));
    let mut labels: Vec<(f64, usize, &Series)> =
        drawn.iter().map(|(at, series)| (top(series), *at, *series)).collect();
    labels.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
    // Moved down from the top first, then up again from the bottom edge.
    let mut free = label / 2.0;
    for (top, ..) in &mut labels {
        *top = top.max(free);
        free = *top + label;
    }
    let mut most = 1.0 - label / 2.0;
    for (top, ..) in labels.iter_mut().rev() {
        *top = top.min(most);
        most = *top - label;
    }
    let end = |(top, at, series): &(f64, usize, &Series)| {
        let class = if series.attacker { " attacker" } else { "" };
        let (name, share) = (name(&series.name), figure(&percent(last(series))));
        format!(
            "<span style=\"top:{:.1}%\"><i class=\"key s{at}{class}\"></i><bdi title=\"{name}\">{name}</bdi> <b>{share}</b></span>",
            100.0 * top
        )
    };
    labels.iter().map(end).collect()
}

fn table(all: &[Series]) -> String {
    let rows: String = all.iter().map(row).collect();
    scrolled(
        "Emission by persona",
        &format!(
            "<table>\n<caption>Share of miners’ emission</caption>\n<thead><tr><th scope=\"col\">Persona</th><th scope=\"col\">Conduct</th>\
             <th scope=\"col\">Over time</th><th scope=\"col\" class=\"n\">First</th><th scope=\"col\" class=\"n\">Mean</th>\
             <th scope=\"col\" class=\"n\">Most</th><th scope=\"col\" class=\"n\">Last</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n"
        ),
    )
}

fn row(series: &Series) -> String {
    let share = |value| format!("<td class=\"n\">{}</td>", figure(&percent(value)));
    let scale = Scale::over(series.values.iter().copied());
    let y = |value: f64| 19.0 - 18.0 * scale.place(value);
    let points = placed(&series.values, series.values.len(), SPARK_POINTS_MAX, 100.0, &y);
    let (conduct, class) = if series.attacker { ("attacks", " attacker") } else { ("honest", "") };
    format!(
        "<tr><th scope=\"row\"><bdi>{}</bdi></th><td>{conduct}</td><td><svg class=\"spark{class}\" viewBox=\"0 0 100 20\" \
         preserveAspectRatio=\"none\" aria-hidden=\"true\"><path d=\"{}\"/></svg></td>{}{}{}{}</tr>\n",
        name(&series.name),
        path(&points),
        share(series.values.first().copied().flatten()),
        share(mean(&series.values)),
        share(most(&series.values)),
        share(series.values.last().copied().flatten())
    )
}
