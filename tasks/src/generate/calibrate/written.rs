//! A task file with measured limits in it.

use std::fmt::Write;

use super::Calibrated;
use super::figures::{self, FALSE_ALARM, MISS};
use crate::calibrate::{WriteError, without};
use crate::sequential::{Budget, DrawTerms, Examination, Pretence, Terms};

/// The sections that a calibration writes.
const SECTIONS: [&str; 3] = ["[margins]", "[conformance]", "[budget]"];
/// Rounds of an epoch for which the file says what pretending is worth.
const ROUNDS: [u32; 2] = [3, 12];

/// The file with its limits replaced; all else, comments included, stays as it is. `how` is the command that measured.
///
/// # Errors
/// A file without the sections that a calibration fills.
pub(super) fn rewrite(file: &str, calibrated: &Calibrated, how: &str) -> Result<String, WriteError> {
    let head = without(file, &SECTIONS, &SECTIONS[..2])?;
    Ok(format!("{head}\n\n{}", sections(calibrated, how)))
}

fn sections(calibrated: &Calibrated, how: &str) -> String {
    let limits = &calibrated.limits;
    let honest = &calibrated.honest;
    let mut text = String::new();
    let mut line = |line: std::fmt::Arguments<'_>| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{line}");
    };
    line(format_args!("# Measured by `{how}` over {} completions of", calibrated.challenges));
    line(format_args!("# {} tokens a kind, in units of the logits:", calibrated.tokens));
    line(format_args!(
        "#   {:<20} {:>9} {:>9} {:>9} {:>9} {:>7} {:>9}",
        "", "exact", "mean", "largest", "rejected", "checks", "convicted"
    ));
    for row in &calibrated.table.rows {
        line(format_args!(
            "#   {:<20} {:>9} {:>9} {:>9} {:>9} {:>7} {:>9}",
            row.persona, row.exact, row.mean, row.largest, row.rejected, row.checks, row.convicted
        ));
    }
    line(format_args!(
        "# Larger margins count as `clip` in the mean. No token may be further off than `token_max`, and no"
    ));
    line(format_args!(
        "# claimed log-probability than `log_prob_max`. Each limit is twice the largest figure"
    ));
    line(format_args!(
        "# of half of the honest answers; of the other half {} of {} are beyond: below {:.1e} (95 % confidence).",
        honest.beyond, honest.checks, honest.rate_max
    ));
    line(format_args!("[margins]\nclip = {:?}\ntoken_max = {:?}", limits.clip, limits.token_max));
    line(format_args!("log_prob_max = {:?}\n", limits.log_prob_max));
    line(format_args!(
        "# The largest mean of clipped margins.\n[conformance]\ntolerance = {:?}\n",
        limits.tolerance
    ));
    for comment in [
        "# Whom the judge checks: suspects always, until a sequential test with these error rates is sure, a share of all",
        "# others' answers, and newcomers' always. A newcomer is settled once checks accepted `newcomer_checks` of its answers,",
        "# and where others are settled it isn't paid before. A conviction makes a newcomer. The shares are of tokens whose",
        "# margin is at most the edge, and above the last: of the honest run that is furthest off, at most (95 % confidence),",
        "# and of the cheat that is to be told.",
    ] {
        line(format_args!("{comment}"));
    }
    let budget = budget(calibrated);
    line(format_args!("[budget]\nfalse_alarm = {FALSE_ALARM:?}\nmiss = {MISS:?}"));
    let checks = budget.newcomer_checks().unwrap_or(1);
    line(format_args!("drawn = {:?}\nnewcomer_checks = {checks}", budget.drawn));
    line(format_args!("edges = {:?}", limits.edges));
    line(format_args!("honest = {:?}", limits.honest));
    line(format_args!("cheat = {:?}", limits.cheat));
    text.push_str(&pretending(&budget));
    text
}

fn budget(calibrated: &Calibrated) -> Budget {
    let cheats = calibrated.pretences.clone();
    let DrawTerms { drawn, checks } = DrawTerms::of(&cheats, calibrated.rounds);
    Budget {
        test: figures::test(&calibrated.limits),
        drawn,
        terms: Terms::Checks(checks),
        false_alarm: FALSE_ALARM,
        miss: MISS,
        cheats,
    }
}

/// What pretending is worth, as comments, and what it follows from.
pub(super) fn pretending(budget: &Budget) -> String {
    let mut text = String::from(
        "# What pretending is worth, in units of a settled miner's pay for one answer, whatever share of it an honest answer\n\
         # costs: convictions per drawn answer (lower 95 % bound), what an answer saves, its expected loss and gain; then of\n\
         # every strategy that is honest for up to 40 epochs and pretends for up to 40, over 200 epochs and followed exactly,\n\
         # what the one nearest to honest work gains, what its best stretch of pretending is worth with all that follows, and\n\
         # what always pretending is paid of an honest miner's pay.\n",
    );
    for rounds in ROUNDS {
        // A budget of this calibration has these terms.
        let Ok(examined) = Examination::new(budget, rounds, 0) else { continue };
        text.push_str(&examined.in_comments());
    }
    text.push_str("cheats = [\n");
    for Pretence { name, cost, checks, convicted, refused, rejected } in &budget.cheats {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "  {{ name = {name:?}, cost = {cost:?}, checks = {checks}, convicted = {convicted}, refused = {refused:?}, rejected = {rejected:?} }},"
        );
    }
    text.push_str("]\n");
    text
}
