//! Results go to standard output, talk to standard error. A reader that went away ends the program quietly.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

/// Writes a line of the result.
pub(crate) fn line(text: impl std::fmt::Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        other => other,
    }
}

/// Says on standard error why the program ends.
pub(crate) fn complain(failure: &crate::failure::Failure) {
    // Nothing is left to do where even this can't be written.
    let _ = writeln!(io::stderr().lock(), "error: {failure}");
}

/// Talk for a person: standard error, so that results can be piped.
pub(crate) fn note(text: impl std::fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// One line of progress that the next one replaces; an empty one clears it. Only where somebody watches.
pub(crate) fn live(text: impl std::fmt::Display) {
    let mut err = io::stderr().lock();
    if err.is_terminal() {
        let _ = write!(err, "\r\x1b[2K{text}").and_then(|()| err.flush());
    }
}

/// Writes one JSON object on a line of its own.
pub(crate) fn json(value: &impl Serialize) -> io::Result<()> {
    line(serde_json::to_string(value).map_err(io::Error::other)?)
}

/// Rows under headings, columns padded to their widest cell; the first column of a row is left-aligned where `left`
/// says so, numbers are right-aligned.
#[derive(Debug)]
pub(crate) struct Table {
    headings: Vec<&'static str>,
    left: Vec<bool>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A heading that starts with `<` is left-aligned.
    pub(crate) fn new(headings: &[&'static str]) -> Self {
        let left = headings.iter().map(|heading| heading.starts_with('<')).collect();
        let headings = headings.iter().map(|heading| heading.trim_start_matches('<')).collect();
        Self { headings, left, rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    pub(crate) fn print(&self) -> io::Result<()> {
        self.lines().into_iter().try_for_each(line)
    }

    /// As [`Table::print`] writes it, for talk.
    pub(crate) fn to_text(&self) -> String {
        self.lines().join("\n")
    }

    fn lines(&self) -> Vec<String> {
        let widths: Vec<usize> = (0..self.headings.len())
            .map(|column| {
                let cells =
                    self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
                cells.chain([self.headings[column].len()]).max().unwrap_or(0)
            })
            .collect();
        let format = |cells: &mut dyn Iterator<Item = &str>| {
            let mut text = String::new();
            for ((cell, width), left) in cells.zip(&widths).zip(&self.left) {
                let padded = if *left { format!("{cell:<width$}") } else { format!("{cell:>width$}") };
                text.push_str("  ");
                text.push_str(&padded);
            }
            text.trim_end().to_owned()
        };
        let headings = format(&mut self.headings.iter().copied());
        let rows = self.rows.iter().map(|row| format(&mut row.iter().map(String::as_str)));
        [headings].into_iter().chain(rows).collect()
    }
}

/// An amount in TAO with four decimals, exact to the rao before rounding down.
pub(crate) fn tao(rao: u64) -> String {
    format!("{}.{:04}", rao / 1_000_000_000, rao % 1_000_000_000 / 100_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_cut_not_rounded() {
        assert_eq!(tao(1_999_999_999), "1.9999");
        assert_eq!(tao(0), "0.0000");
        assert_eq!(tao(u64::MAX), "18446744073.7095");
    }
}
