//! Heat map, curves, distributions and changes as characters.

use super::draw::{Column, Pen, Shade, aligned, columns};
use crate::report::data::{Change, Data, Distribution, Series};
use crate::report::matrix::{Line, fractions, lines};
use crate::report::number::{bad, number, percent, points, precise, ratio};
use crate::report::plot::{PlotShape, mean, most, thinned};
use crate::report::verdict::RunStanding;

/// Columns of a heat map's cell: its shade, the ratio, a mark.
const CELL: usize = 7;
const DIGITS: usize = 5;
/// Columns of a name in a heat map.
const NAME_MAX: usize = 22;
/// Columns of a sparkline.
const SPARK_MAX: usize = 48;
const SPARK_MIN: usize = 12;
/// Miners of a comparison.
const CHANGES_MAX: usize = 40;
/// Personas, distributions.
const LINES_MAX: usize = 200;

pub(super) fn heat(pen: &mut Pen, data: &Data) {
    let fractions = fractions(&data.matrix);
    for policy in data.policies() {
        pen.section(&format!("Profit over that of honest work, policy {policy}"));
        let groups = [(true, "detectable"), (false, "not detectable by single answers")]
            .map(|(detectable, title)| (title, lines(&data.matrix, policy, detectable)));
        let names = groups.iter().flat_map(|(_, lines)| lines).map(|line| columns(&pen.clean(line.attack)));
        let room = names.max().unwrap_or(0).clamp("bad miners".len(), NAME_MAX);
        let across = (pen.width() - 4 - room) / CELL;
        for some in fractions.chunks(across.max(1)) {
            let heads: String =
                some.iter().map(|fraction| aligned(&bad(*fraction), CELL - 1, true) + " ").collect();
            let head = format!("  {}{heads}", aligned("bad miners", room, false));
            pen.raw(&pen.painted(pen.clean(&head).trim_end(), "2"));
            for (title, lines) in &groups {
                if !lines.is_empty() {
                    pen.line(&format!("  {title}"));
                }
                for line in lines {
                    row(pen, line, some, room);
                }
            }
        }
    }
    if !data.matrix.is_empty() {
        let marks = [Shade::Deep, Shade::Light, Shade::Par, Shade::Above, Shade::Far]
            .map(|shade| pen.shaded(" ", shade));
        let [deep, light, par, above, far] = marks;
        pen.raw(&format!("  {deep}<0.5 {light}<0.95 {par}near 1 {above}>1.05 {far}>1.25"));
        pen.line("  ! above 1 with 95 % confidence");
    }
}

fn row(pen: &mut Pen, line: &Line<'_>, fractions: &[f64], room: usize) {
    let mut text = format!("  {}", aligned(&pen.clean(line.attack), room, false));
    for fraction in fractions {
        // Of several rows about the same cell the first is shown.
        let cell = line.at(*fraction).next();
        let value = cell.and_then(|row| row.profit_ratio);
        let pays = cell.is_some_and(|row| row.standing() == RunStanding::Pays);
        let digits = pen.clean(&ratio(value));
        let digits = aligned(&digits, DIGITS, true) + if pays { "!" } else { " " };
        text += &pen.shaded(&digits, shade(value));
    }
    pen.raw(text.trim_end());
}

fn shade(ratio: Option<f64>) -> Shade {
    match ratio.filter(|ratio| ratio.is_finite()) {
        None => Shade::None,
        Some(ratio) if ratio < 0.5 => Shade::Deep,
        Some(ratio) if ratio < 0.95 => Shade::Light,
        Some(ratio) if ratio <= 1.05 => Shade::Par,
        Some(ratio) if ratio <= 1.25 => Shade::Above,
        Some(_) => Shade::Far,
    }
}

pub(super) fn curves(pen: &mut Pen, data: &Data) {
    if data.curves.is_empty() {
        return;
    }
    pen.section("Share of miners' emission over time");
    let room = spark_room(pen);
    let row = |series: &Series| {
        vec![
            series.name.clone(),
            if series.attacker { "attacks" } else { "honest" }.to_owned(),
            // Each on its own scale, which the column of the largest tells: attackers are few beside honest miners.
            pen.bars(&thinned(&series.values, room), most(&series.values).unwrap_or(0.0)),
            percent(series.values.first().copied().flatten()),
            percent(mean(&series.values)),
            percent(most(&series.values)),
            percent(series.values.last().copied().flatten()),
        ]
    };
    let rows: Vec<_> = data.curves.iter().take(LINES_MAX).map(row).collect();
    sparked(
        pen,
        &["persona", "conduct", "over time", "first", "mean", "most", "last"],
        &rows,
        data.curves.len(),
    );
}

pub(super) fn distributions(pen: &mut Pen, data: &Data) {
    if data.distributions.is_empty() {
        return;
    }
    pen.section("Weights by rank");
    let room = spark_room(pen);
    let shared: Vec<Vec<f64>> = data.distributions.iter().map(Distribution::shares).collect();
    let tallest = shared.iter().filter_map(|shares| shares.first().copied()).reduce(f64::max).unwrap_or(0.0);
    let row = |(distribution, shares): (&Distribution, &Vec<f64>)| {
        let some: Vec<Option<f64>> = shares.iter().map(|share| Some(*share)).collect();
        let shape = PlotShape::of(shares);
        vec![
            distribution.label.clone(),
            format!("{} of {}", shape.map_or(0, |shape| shape.paid), shares.len()),
            pen.bars(&thinned(&some, room), tallest),
            percent(shape.map(|shape| shape.largest)),
            percent(shape.map(|shape| shape.tenth)),
            precise(shape.map(|shape| shape.gini)),
            number(shape.map(|shape| shape.effective)),
        ]
    };
    let rows: Vec<_> = data.distributions.iter().zip(&shared).take(LINES_MAX).map(row).collect();
    let heads = ["weights", "paid", "by rank", "largest", "top tenth", "Gini", "as if by"];
    sparked(pen, &heads, &rows, data.distributions.len());
}

/// A table whose third column is a sparkline.
fn sparked(pen: &mut Pen, heads: &[&str], rows: &[Vec<String>], all: usize) {
    let column = |(at, head): (usize, &&str)| if at < 3 { Column::left(head) } else { Column::right(head) };
    let heads: Vec<_> = heads.iter().enumerate().map(column).collect();
    let kept = rows.len();
    pen.table(&heads, rows);
    pen.left_out(all - kept);
}

fn spark_room(pen: &Pen) -> usize {
    (pen.width() / 3).clamp(SPARK_MIN, SPARK_MAX)
}

pub(super) fn comparison(pen: &mut Pen, data: &Data) {
    let Some(comparison) = &data.comparison else { return };
    pen.section(&format!("From {} to {}", comparison.before, comparison.after));
    let (gain, lose) = comparison.sides();
    let moved = percent(Some(comparison.moved()));
    pen.wrapped(&format!("  {moved} of all weight changes hands, {gain} gain and {lose} lose"), 2);
    let changes = comparison.by_size();
    let widest = changes.first().map_or(0.0, |change| change.gain().abs());
    let room = (pen.width() / 6).min(20);
    let row = |change: &&Change| {
        let gain = change.gain();
        let length = if widest > 0.0 { libm::round(gain.abs() / widest * room as f64) as usize } else { 0 };
        let bar = if gain > 0.0 { "+" } else { "-" }.repeat(length);
        vec![change.miner.clone(), percent(change.before), percent(change.after), points(gain), bar]
    };
    let rows: Vec<_> = changes.iter().take(CHANGES_MAX).map(row).collect();
    let heads = ["before", "after", "points"].map(Column::right);
    let heads = [&[Column::left("miner")][..], &heads, &[Column::left("")]].concat();
    pen.table(&heads, &rows);
    pen.left_out(changes.len() - rows.len());
}
