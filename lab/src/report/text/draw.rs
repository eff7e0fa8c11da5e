//! Columns, widths and colours of a terminal.

use comfy_table::{CellAlignment, presets};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::report::verdict::RunStanding;

/// Sparkline levels, ascending; the first is for zero.
const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII_BARS: [char; 9] = [' ', '_', '.', ',', '-', '=', '+', '*', '#'];

/// Columns of the narrowest terminal that is written to.
pub(in crate::report) const WIDTH_MIN: usize = 40;
/// Columns of the widest: wider tables can't be read along.
pub(in crate::report) const WIDTH_MAX: usize = 160;

/// Columns after which a cell is cut wherever there is room.
const CELL_MAX: usize = 48;

/// A table's column.
#[derive(Clone, Debug)]
pub(super) struct Column {
    head: String,
    right: bool,
}

impl Column {
    pub(super) fn left(head: &str) -> Self {
        Self { head: head.to_owned(), right: false }
    }

    pub(super) fn right(head: &str) -> Self {
        Self { head: head.to_owned(), right: true }
    }
}

/// Writes lines that fit.
#[derive(Debug)]
pub(super) struct Pen {
    width: usize,
    color: bool,
    unicode: bool,
    out: String,
}

impl Pen {
    pub(super) fn new(width: usize, color: bool, unicode: bool) -> Self {
        Self { width: width.clamp(WIDTH_MIN, WIDTH_MAX), color, unicode, out: String::new() }
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn finish(self) -> String {
        self.out
    }

    pub(super) fn head(&mut self, title: &str) {
        let title = self.clean(if title.is_empty() { "Report" } else { title });
        let title = fitted(&title, self.width);
        let rule = if self.unicode { "═" } else { "=" }.repeat(columns(&title));
        self.raw(&self.painted(&title, "1"));
        self.raw(&rule);
    }

    pub(super) fn section(&mut self, title: &str) {
        let title = fitted(&self.clean(title), self.width);
        self.raw("");
        self.raw(&self.painted(&title, "1"));
    }

    /// One line, cut where the terminal ends.
    pub(super) fn line(&mut self, text: &str) {
        let line = fitted(&self.clean(text), self.width);
        self.raw(line.trim_end());
    }

    /// As many lines as it takes, those after the first indented.
    pub(super) fn wrapped(&mut self, text: &str, indent: usize) {
        let text = self.clean(text);
        let start: String = text.chars().take_while(|character| *character == ' ').collect();
        let mut line = start;
        let mut bare = true;
        for word in text.split_whitespace() {
            for piece in pieces(word, self.width - indent) {
                if !bare && columns(&line) + 1 + columns(&piece) > self.width {
                    self.raw(&line);
                    line = " ".repeat(indent);
                    bare = true;
                }
                if !bare {
                    line.push(' ');
                }
                line.push_str(&piece);
                bare = false;
            }
        }
        self.raw(&line);
    }

    pub(super) fn left_out(&mut self, rows: usize) {
        if rows > 0 {
            self.line(&format!("  {rows} more are left out"));
        }
    }

    /// A line that is known to fit, colours and all.
    pub(super) fn raw(&mut self, line: &str) {
        self.out.push_str(line);
        self.out.push('\n');
    }

    /// Columns as wide as their content; where that is too wide, the widest gives way first, and then the last columns
    /// go to lines of their own.
    pub(super) fn table(&mut self, heads: &[Column], rows: &[Vec<String>]) {
        let rows: Vec<Vec<String>> =
            rows.iter().map(|row| row.iter().map(|cell| self.clean(cell)).collect()).collect();
        let mut widths: Vec<usize> = heads.iter().map(|column| columns(&column.head)).collect();
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = columns(cell).max(*width);
            }
        }
        let heads: Vec<Column> =
            heads.iter().map(|column| Column { head: self.clean(&column.head), ..column.clone() }).collect();
        for group in groups(&mut widths, self.width) {
            let mut table = comfy_table::Table::new();
            table.load_preset(presets::NOTHING);
            table.set_header(group.iter().map(|at| fitted(&heads[*at].head, widths[*at])));
            for row in &rows {
                let cell = |at: &usize| row.get(*at).map_or(String::new(), |cell| fitted(cell, widths[*at]));
                table.add_row(group.iter().map(cell));
            }
            for (column, at) in table.column_iter_mut().zip(&group) {
                column.set_padding((2, 0));
                column.set_cell_alignment(if heads[*at].right {
                    CellAlignment::Right
                } else {
                    CellAlignment::Left
                });
            }
            for (at, line) in table.trim_fmt().lines().enumerate() {
                let line = if at == 0 { self.painted(line, "2") } else { line.to_owned() };
                self.raw(&line);
            }
        }
    }

    /// One bar per value, between nothing and `most`.
    pub(super) fn bars(&self, values: &[Option<f64>], most: f64) -> String {
        let levels = if self.unicode { BARS } else { ASCII_BARS };
        let bar = |value: &Option<f64>| match value.filter(|value| value.is_finite()) {
            // Something is never drawn as nothing.
            Some(value) if value > 0.0 && most > 0.0 => {
                levels[(libm::ceil((value / most).min(1.0) * 8.0) as usize).clamp(1, 8)]
            }
            _ => levels[0],
        };
        values.iter().map(bar).collect()
    }

    pub(super) fn standing(&self, standing: RunStanding) -> &'static str {
        match (standing, self.unicode) {
            (RunStanding::Loses, true) => "✓",
            (RunStanding::Loses, false) => "+",
            (RunStanding::Unclear, _) => "?",
            (RunStanding::Pays, true) => "✗",
            (RunStanding::Pays, false) => "!",
            (RunStanding::Unknown, true) => "–",
            (RunStanding::Unknown, false) => "-",
        }
    }

    /// A shaded background for a cell of the heat map: by colour where there are colours, else by a block before it.
    pub(super) fn shaded(&self, cell: &str, shade: Shade) -> String {
        let (block, plain, code) = match shade {
            Shade::Deep => (' ', ' ', "48;5;110;38;5;16"),
            Shade::Light => ('░', '.', "48;5;153;38;5;16"),
            Shade::Par => ('▒', ':', "48;5;254;38;5;16"),
            Shade::Above => ('▓', '*', "48;5;221;38;5;16"),
            Shade::Far => ('█', '#', "48;5;208;38;5;16"),
            Shade::None => (' ', ' ', "39"),
        };
        let block = if self.color {
            ' '
        } else if self.unicode {
            block
        } else {
            plain
        };
        self.painted(&format!("{block}{cell}"), code)
    }

    pub(super) fn painted(&self, text: &str, code: &str) -> String {
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Nothing that moves the cursor, and in ASCII nothing else than that.
    pub(super) fn clean(&self, text: &str) -> String {
        let visible =
            text.chars().map(|character| if unprintable(character) { '\u{fffd}' } else { character });
        if self.unicode { visible.collect() } else { visible.map(plain).collect() }
    }
}

/// Comparison of a cell with honest work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shade {
    Deep,
    Light,
    Par,
    Above,
    Far,
    None,
}

/// True if a character moves the cursor, turns the writing direction, or can't be seen.
pub(in crate::report) fn unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn plain(character: char) -> char {
    match character {
        ' '..='~' => character,
        '–' | '−' => '-',
        '×' => 'x',
        '·' => '.',
        _ => '?',
    }
}

/// Columns that a text takes: two for East Asian characters and pictures, none for combining marks.
pub(super) fn columns(text: &str) -> usize {
    text.width()
}

/// At most `width` columns of it, with a mark where it is cut.
pub(super) fn fitted(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let mark = if text.is_ascii() { '~' } else { '…' };
    let mut cut = String::new();
    // The mark takes a column itself.
    let mut taken = 1;
    for character in text.chars() {
        taken += character.width().unwrap_or(0);
        if taken > width {
            break;
        }
        cut.push(character);
    }
    cut.push(mark);
    cut
}

/// A word in pieces of at most `width` columns.
fn pieces(word: &str, width: usize) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut taken = 0;
    for character in word.chars() {
        if taken + character.width().unwrap_or(0) > width {
            all.push(String::new());
            taken = 0;
        }
        taken += character.width().unwrap_or(0);
        if let Some(last) = all.last_mut() {
            last.push(character);
        }
    }
    all
}

pub(super) fn aligned(text: &str, width: usize, right: bool) -> String {
    let text = fitted(text, width);
    let room = " ".repeat(width - columns(&text));
    if right { room + &text } else { text + &room }
}

/// Order of the columns, the first before each group's others.
fn groups(widths: &mut [usize], width: usize) -> Vec<Vec<usize>> {
    // Each column has a padding of 2 before it; the first one's is taken off here.
    let room = width - 2;
    for taken in widths.iter_mut() {
        *taken = (*taken).min(CELL_MAX);
    }
    if let Some(first) = widths.first_mut() {
        // What a row is about leaves room for at least one other column.
        *first = (*first).min(room / 2 - 1);
        for at in 1..widths.len() {
            widths[at] = widths[at].min(room - widths[0] - 2);
        }
    }
    let mut groups = vec![Vec::new()];
    let mut taken = 0;
    for at in 0..widths.len() {
        if taken > 0 && taken + 2 + widths[at] > room {
            groups.push(vec![0]);
            taken = widths[0];
        }
        taken += widths[at] + if taken > 0 { 2 } else { 0 };
        if let Some(group) = groups.last_mut() {
            group.push(at);
        }
    }
    groups
}
