//! CSV files of values by id; every complaint names the file and the row.

use std::path::Path;

use weighhouse_tasks::forecast::Series;

use crate::failure::{Context as _, Exit, Failure};

const ID: &str = "id";

/// The named column by id.
pub(super) fn column(path: &Path, name: &str) -> Result<Series, Failure> {
    let (names, mut series) = read(path)?;
    match names.iter().position(|known| known == name) {
        Some(at) => Ok(series.swap_remove(at)),
        None => Err(wrong(path, format!("it has no column `{name}`; it has: {}", names.join(", ")))),
    }
}

/// Every column but the ids.
pub(super) fn columns(path: &Path) -> Result<Vec<Series>, Failure> {
    read(path).map(|(_, series)| series)
}

fn read(path: &Path) -> Result<(Vec<String>, Vec<Series>), Failure> {
    let path = super::super::expand(path);
    let file = std::fs::File::open(&path).exit(Exit::Missing, path.display())?;
    let mut reader = csv::Reader::from_reader(std::io::BufReader::new(file));
    let headers = reader.headers().exit(Exit::Data, path.display())?.clone();
    let names: Vec<String> = headers.iter().map(|name| name.trim().to_owned()).collect();
    let Some(id_at) = names.iter().position(|name| name == ID) else {
        return Err(wrong(&path, format!("it has no column `{ID}`; it has: {}", names.join(", "))));
    };
    let value_at: Vec<usize> = (0..names.len()).filter(|at| *at != id_at).collect();
    let mut rows: Vec<Vec<(String, f64)>> = value_at.iter().map(|_| Vec::new()).collect();
    for record in reader.records() {
        let record = record.exit(Exit::Data, path.display())?;
        let line = record.position().map_or(0, csv::Position::line);
        let id = record.get(id_at).unwrap_or_default().trim();
        if id.is_empty() {
            return Err(wrong(&path, format!("line {line}: no id")));
        }
        for (rows, at) in rows.iter_mut().zip(&value_at) {
            let text = record.get(*at).unwrap_or_default().trim();
            let value = number(text).ok_or_else(|| {
                wrong(&path, format!("line {line}: {text:?} in column `{}` is no number", names[*at]))
            })?;
            rows.push((id.to_owned(), value));
        }
    }
    let series = rows.into_iter().map(Series::new).collect::<Result<Vec<_>, _>>();
    let names = value_at.into_iter().map(|at| names[at].clone()).collect();
    Ok((names, series.exit(Exit::Data, path.display())?))
}

/// An empty cell and `nan` are a value that is missing; infinities are none.
fn number(text: &str) -> Option<f64> {
    if text.is_empty() || text.eq_ignore_ascii_case("nan") {
        return Some(f64::NAN);
    }
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

fn wrong(path: &Path, what: String) -> Failure {
    Failure::new(Exit::Data, format!("{}: {what}", path.display()))
}
