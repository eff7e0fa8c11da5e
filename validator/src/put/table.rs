//! Weights as people and programs write them: CSV or JSON of uids or hotkeys, read strictly.
//!
//! CSV has two columns, with or without a heading (`uid,weight` or `hotkey,weight`). JSON is an object of weights by uid or hotkey, a list of
//! pairs, or a list of objects with `uid` or `hotkey` and `weight`.

mod json;

use std::collections::BTreeMap;
use std::fmt;

use weighhouse_types::{Hotkey, Metagraph, Uid};

/// The most bytes of a table.
pub const TABLE_BYTES_MAX: usize = 4 << 20;
/// The most rows: the most uids that a subnet has, each named once.
const ROWS_MAX: usize = 4_096;

/// Whose weight it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whose {
    Uid(Uid),
    Hotkey(Hotkey),
}

impl Whose {
    /// # Errors
    /// What is neither.
    pub fn parse(text: &str) -> Result<Self, String> {
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text
                .parse()
                .map(|uid| Self::Uid(Uid(uid)))
                .map_err(|_| format!("{text} is no uid: those end at 65535"));
        }
        text.parse()
            .map(Self::Hotkey)
            .map_err(|_| format!("{text:?} is neither a uid nor a hotkey's address (5...)"))
    }
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uid(uid) => write!(f, "uid {uid}"),
            Self::Hotkey(hotkey) => write!(f, "hotkey {hotkey}"),
        }
    }
}

/// One weight, and where it stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WeightRow {
    /// The line of a CSV file, or the place in a list, from 1.
    pub at: usize,
    pub whose: Whose,
    /// Finite and not negative.
    pub weight: f64,
}

/// Relative weights, each of somebody else, at least one above zero.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightTable {
    rows: Vec<WeightRow>,
    /// What the rows' numbers count: lines, or entries of a list.
    place: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    #[error("{place} {at}: {why}")]
    Row { place: &'static str, at: usize, why: String },
    #[error("no JSON of weights: {0}")]
    Json(String),
    #[error("it is no text")]
    NotText,
    #[error("it is longer than {TABLE_BYTES_MAX} bytes")]
    TooLong,
    #[error("it has more rows than the {ROWS_MAX} that a subnet can have")]
    TooMany,
    #[error("it has no weights")]
    Empty,
    #[error("every weight is zero")]
    AllZero,
}

impl WeightTable {
    /// Reads either form: JSON begins with a bracket.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn parse(bytes: &[u8]) -> Result<Self, TableError> {
        if bytes.len() > TABLE_BYTES_MAX {
            return Err(TableError::TooLong);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| TableError::NotText)?;
        let text = text.trim_start_matches('\u{feff}');
        if text.trim_start().starts_with(['{', '[']) {
            return Self::of(json::rows(text).map_err(|error| TableError::Json(error.to_string()))?, "entry");
        }
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let mut rows = Vec::new();
        for (at, line) in lines {
            let at = at + 1;
            if rows.is_empty() && is_heading(line) {
                continue;
            }
            rows.push(
                cells(line).map(|(whose, weight)| (at, whose, weight)).map_err(|why| line_error(at, why))?,
            );
            if rows.len() > ROWS_MAX {
                return Err(TableError::TooMany);
            }
        }
        Self::of(rows, "line")
    }

    /// Checks rows that were read from anywhere; `place` is what the numbers count.
    ///
    /// # Errors
    /// As [`WeightTable::parse`].
    pub fn of(rows: Vec<(usize, Whose, f64)>, place: &'static str) -> Result<Self, TableError> {
        if rows.len() > ROWS_MAX {
            return Err(TableError::TooMany);
        }
        let mut seen = BTreeMap::new();
        for (at, whose, weight) in &rows {
            let refuse = |why: String| Err(TableError::Row { place, at: *at, why });
            if !weight.is_finite() {
                return refuse(format!("the weight of {whose} is no finite number"));
            }
            if *weight < 0.0 {
                return refuse(format!("the weight of {whose} is negative"));
            }
            if let Some(first) = seen.insert(*whose, *at) {
                return refuse(format!("{whose} has a weight already, at {place} {first}"));
            }
        }
        if rows.is_empty() {
            return Err(TableError::Empty);
        }
        if rows.iter().all(|(_, _, weight)| *weight == 0.0) {
            return Err(TableError::AllZero);
        }
        let rows = rows.into_iter().map(|(at, whose, weight)| WeightRow { at, whose, weight }).collect();
        Ok(Self { rows, place })
    }

    pub fn rows(&self) -> &[WeightRow] {
        &self.rows
    }

    /// The weights by uid, as the subnet has them now.
    ///
    /// # Errors
    /// Somebody who isn't registered, or who is named by uid and by hotkey.
    pub fn resolve(&self, metagraph: &Metagraph) -> Result<Vec<(Uid, f64)>, TableError> {
        let mut seen = BTreeMap::new();
        let mut weights = Vec::with_capacity(self.rows.len());
        let place = self.place;
        for WeightRow { at, whose, weight } in &self.rows {
            let refuse = |why| TableError::Row { place, at: *at, why };
            let uid = match whose {
                Whose::Uid(uid) => metagraph.neuron(*uid).map(|neuron| neuron.uid),
                Whose::Hotkey(hotkey) => metagraph.by_hotkey(hotkey).map(|neuron| neuron.uid),
            };
            let subnet = metagraph.netuid;
            let uid = uid.ok_or_else(|| refuse(format!("{whose} is not registered in subnet {subnet}")))?;
            if let Some(first) = seen.insert(uid, at) {
                return Err(refuse(format!(
                    "{whose} is uid {uid}, which has a weight already, at {place} {first}"
                )));
            }
            weights.push((uid, *weight));
        }
        Ok(weights)
    }
}

fn line_error(at: usize, why: String) -> TableError {
    TableError::Row { place: "line", at, why }
}

/// A first line of names.
fn is_heading(line: &str) -> bool {
    let names: Vec<String> = line.split(',').map(|cell| cell.trim().to_ascii_lowercase()).collect();
    matches!(names.iter().map(String::as_str).collect::<Vec<_>>()[..], ["uid" | "hotkey", "weight"])
}

fn cells(line: &str) -> Result<(Whose, f64), String> {
    let cells: Vec<&str> = line.split(',').map(str::trim).collect();
    let [whose, weight] = cells[..] else {
        return Err(format!("{} columns where two are read: uid or hotkey, and weight", cells.len()));
    };
    let weight = weight.parse().map_err(|_| format!("{weight:?} is no number"))?;
    Ok((Whose::parse(whose)?, weight))
}

#[cfg(test)]
mod tests;
