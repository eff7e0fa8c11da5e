//! Tables of labels as crowd-kit has them, `task`, `worker` and `label`, as CSV or JSON lines; every complaint names the file and the line.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use weighhouse_tasks::label::{Vote, Votes};

use crate::failure::{Context as _, Exit, Failure};

/// Rows of a file with these columns.
type Rows<const N: usize> = Vec<[String; N]>;

/// A crowd's labels with the names behind the numbers, in alphabetical order.
#[derive(Debug)]
pub(super) struct Crowd {
    pub(super) items: Vec<String>,
    pub(super) workers: Vec<String>,
    pub(super) classes: Vec<String>,
    pub(super) votes: Votes,
}

impl Crowd {
    /// Reads labels, and the classes of `gold` beside theirs.
    pub(super) fn read(path: &Path, gold: &BTreeMap<String, String>) -> Result<Self, Failure> {
        let rows = rows(path, ["task", "worker", "label"])?;
        let names = |column: usize| rows.iter().map(|row| row[column].clone()).collect::<BTreeSet<_>>();
        let mut classes = names(2);
        classes.extend(gold.values().cloned());
        let [items, workers, classes] =
            [names(0), names(1), classes].map(|names| names.into_iter().collect::<Vec<_>>());
        let vote = |[item, worker, class]: &[String; 3]| Vote {
            item: at(&items, item),
            worker: at(&workers, worker),
            class: at(&classes, class),
        };
        let votes = Votes::new(items.len(), workers.len(), classes.len(), rows.iter().map(vote).collect());
        let votes = votes.exit(Exit::Data, path.display())?;
        Ok(Self { items, workers, classes, votes })
    }

    /// The class that gold names of each item. Gold of items that nobody labelled says nothing here.
    pub(super) fn gold(&self, gold: &BTreeMap<String, String>) -> Vec<Option<usize>> {
        let class = |item: &String| gold.get(item).map(|class| at(&self.classes, class));
        self.items.iter().map(class).collect()
    }
}

/// Classes that are known, by item.
pub(super) fn gold(path: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let mut gold = BTreeMap::new();
    for [item, class] in rows(path, ["task", "label"])? {
        if let Some(other) = gold.insert(item.clone(), class.clone())
            && other != class
        {
            return Err(wrong(path, format!("item {item:?} is both {other:?} and {class:?}")));
        }
    }
    Ok(gold)
}

fn at(names: &[String], name: &String) -> usize {
    names.binary_search(name).expect("the names are those of these rows")
}

fn rows<const N: usize>(path: &Path, columns: [&str; N]) -> Result<Rows<N>, Failure> {
    let path = super::super::expand(path);
    let file = std::fs::File::open(&path).exit(Exit::Missing, path.display())?;
    let mut reader = BufReader::new(file);
    let is_json = reader.fill_buf().exit(Exit::Data, path.display())?.trim_ascii_start().starts_with(b"{");
    let rows = if is_json { json(&path, reader, columns)? } else { csv(&path, reader, columns)? };
    if rows.is_empty() {
        return Err(wrong(&path, "it has no rows".to_owned()));
    }
    Ok(rows)
}

fn csv<const N: usize>(
    path: &Path,
    reader: impl std::io::Read,
    columns: [&str; N],
) -> Result<Rows<N>, Failure> {
    let mut reader = csv::Reader::from_reader(reader);
    let headers = reader.headers().exit(Exit::Data, path.display())?.clone();
    let names: Vec<&str> = headers.iter().map(str::trim).collect();
    let mut places = [0; N];
    for (place, column) in places.iter_mut().zip(columns) {
        let found = names.iter().position(|name| *name == column);
        let none = || wrong(path, format!("it has no column `{column}`; it has: {}", names.join(", ")));
        *place = found.ok_or_else(none)?;
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.exit(Exit::Data, path.display())?;
        let line = record.position().map_or(0, csv::Position::line);
        let row = places.map(|place| record.get(place).unwrap_or_default().trim().to_owned());
        rows.push(whole(path, line, columns, row)?);
    }
    Ok(rows)
}

fn json<const N: usize>(
    path: &Path,
    mut reader: impl std::io::Read,
    columns: [&str; N],
) -> Result<Rows<N>, Failure> {
    let mut text = String::new();
    reader.read_to_string(&mut text).exit(Exit::Data, path.display())?;
    let mut rows = Vec::new();
    for (line, text) in (1..).zip(text.lines()).filter(|(_, text)| !text.trim().is_empty()) {
        let named = || format!("{}: line {line}", path.display());
        let row: serde_json::Value = serde_json::from_str(text).exit(Exit::Data, named())?;
        let cell = |column: &str| match row.get(column) {
            Some(serde_json::Value::String(text)) => text.trim().to_owned(),
            Some(serde_json::Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        };
        rows.push(whole(path, line, columns, columns.map(cell))?);
    }
    Ok(rows)
}

fn whole<const N: usize>(
    path: &Path,
    line: u64,
    columns: [&str; N],
    row: [String; N],
) -> Result<[String; N], Failure> {
    match row.iter().zip(columns).find(|(cell, _)| cell.is_empty()) {
        Some((_, column)) => Err(wrong(path, format!("line {line}: no {column}"))),
        None => Ok(row),
    }
}

fn wrong(path: &Path, what: String) -> Failure {
    Failure::new(Exit::Data, format!("{}: {what}", path.display()))
}
