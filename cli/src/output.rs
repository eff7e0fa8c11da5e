//! Results go to standard output, talk to standard error. A reader that went away ends the program quietly.

use std::io::{self, IsTerminal, Write};

use comfy_table::{CellAlignment, presets};
use serde::Serialize;

/// Writes a line of the result.
pub(crate) fn line(text: impl std::fmt::Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        // A reader such as `head` that has enough is no failure.
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
    // A file or pipe would keep every state of the line.
    if err.is_terminal() {
        let _ = write!(err, "\r\x1b[2K{text}").and_then(|()| err.flush());
    }
}

/// Writes one JSON object on a line of its own.
pub(crate) fn json(value: &impl Serialize) -> io::Result<()> {
    line(serde_json::to_string(value).map_err(io::Error::other)?)
}

/// A text that takes the place of the one before, where somebody watches; else each stands below the other.
#[derive(Debug)]
pub(crate) struct Screen {
    is_terminal: bool,
    lines: usize,
}

impl Screen {
    pub(crate) fn new() -> Self {
        Self { is_terminal: io::stdout().is_terminal(), lines: 0 }
    }

    pub(crate) fn show(&mut self, text: &str) -> io::Result<()> {
        let text = text.trim_end();
        if !self.is_terminal || self.lines == 0 {
            line(text)?;
        } else {
            // Up to the first of its lines, and the rest of the screen cleared.
            line(format_args!("\x1b[{}A\x1b[J{text}", self.lines))?;
        }
        self.lines = text.lines().count();
        Ok(())
    }
}

/// Rows under headings in aligned columns, without lines between them.
#[derive(Debug)]
pub(crate) struct Table(comfy_table::Table);

impl Table {
    /// A column is right-aligned, as numbers are, unless its heading starts with `<`.
    pub(crate) fn new(headings: &[&str]) -> Self {
        let mut table = comfy_table::Table::new();
        table.load_preset(presets::NOTHING);
        table.set_header(headings.iter().map(|heading| heading.trim_start_matches('<')));
        for (column, heading) in table.column_iter_mut().zip(headings) {
            let left = heading.starts_with('<');
            column.set_padding((2, 0));
            column.set_cell_alignment(if left { CellAlignment::Left } else { CellAlignment::Right });
        }
        Self(table)
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.0.add_row(cells);
    }

    pub(crate) fn print(&self) -> io::Result<()> {
        line(self.to_text())
    }

    /// As [`Table::print`] writes it, for talk.
    pub(crate) fn to_text(&self) -> String {
        self.0.trim_fmt()
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
    fn columns_are_as_wide_as_their_widest_cell_and_lines_end_where_their_text_does() {
        let mut table = Table::new(&["uid", "<persona", "<why"]);
        table.row(vec!["1".to_owned(), "honest".to_owned(), String::new()]);
        table.row(vec!["1024".to_owned(), "写".to_owned(), "silent".to_owned()]);
        let expected = "   uid  persona  why\n     1  honest\n  1024  写       silent";
        assert_eq!(table.to_text(), expected);
    }

    #[test]
    fn amounts_are_cut_not_rounded() {
        assert_eq!(tao(1_999_999_999), "1.9999");
        assert_eq!(tao(0), "0.0000");
        assert_eq!(tao(u64::MAX), "18446744073.7095");
    }
}
