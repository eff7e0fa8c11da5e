//! A task file with measured limits in it.

use std::fmt::Write;

use super::Calibrated;
use super::figures::{FALSE_ALARM, MISS};
use crate::calibrate::{WriteError, without};

/// The sections that a calibration writes.
const SECTIONS: [&str; 3] = ["[margins]", "[conformance]", "[budget]"];
/// Defaults of a budget that the file is silent about.
const DRAWN: f64 = 0.06;
const SETTLED_AFTER: u64 = 8;

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
    line(format_args!(
        "# Whom the judge checks: newcomers and suspects always, until a sequential test with these error rates"
    ));
    line(format_args!(
        "# is sure, and a share of all others' answers. A miner with so many verdicts in earlier epochs and a"
    ));
    line(format_args!(
        "# good average of them is no newcomer. The shares are of tokens whose margin is at most the edge, and"
    ));
    line(format_args!(
        "# above the last: of the honest run that is furthest off, and of the cheat that is to be told."
    ));
    line(format_args!("[budget]\nfalse_alarm = {FALSE_ALARM:?}\nmiss = {MISS:?}"));
    line(format_args!("drawn = {DRAWN:?}\nsettled_after = {SETTLED_AFTER}"));
    line(format_args!("edges = {:?}", limits.edges));
    line(format_args!("honest = {:?}", limits.honest));
    line(format_args!("cheat = {:?}", limits.cheat));
    text
}
