//! Files of weights: CSV, JSON or Parquet, told apart by their first bytes.

use std::io::Read;
use std::path::Path;

use weighhouse_history::weights::{PARQUET_MAGIC, read_parquet};
use weighhouse_validator::put::{TABLE_BYTES_MAX, WeightTable, Whose};

use crate::failure::{Context, Exit, Failure};

/// Reads a file, or standard input where its name is `-`.
pub(crate) fn read(path: &Path) -> Result<WeightTable, Failure> {
    let shown =
        if path.as_os_str() == "-" { "standard input".to_owned() } else { path.display().to_string() };
    let bytes = match path.as_os_str() == "-" {
        true => bounded(std::io::stdin().lock()),
        false => bounded(std::fs::File::open(path).exit(Exit::Missing, &shown)?),
    };
    let bytes = bytes.exit(Exit::Missing, &shown)?;
    if !bytes.starts_with(&PARQUET_MAGIC) {
        return WeightTable::parse(&bytes).exit(Exit::Data, &shown);
    }
    let mut rows = Vec::new();
    for (at, (name, weight)) in read_parquet(bytes).exit(Exit::Data, &shown)?.into_iter().enumerate() {
        let whose = Whose::parse(&name).exit(Exit::Data, format!("{shown}: row {}", at + 1))?;
        rows.push((at + 1, whose, weight));
    }
    WeightTable::of(rows, "row").exit(Exit::Data, &shown)
}

/// One byte over the limit, so that a table that is too long is found to be.
fn bounded(from: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(TABLE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_form_is_told_by_its_bytes_and_errors_name_the_file() {
        let dir = tempfile::tempdir().expect("a folder");
        let read = |name: &str, text: &str| {
            let path = dir.path().join(name);
            super::super::write_file(&path, text.as_bytes()).expect("written");
            read(&path)
        };
        assert_eq!(read("weights", "{\"1\": 2}").expect("JSON").rows().len(), 1);
        assert_eq!(read("weights", "1,2\n3,4").expect("CSV").rows().len(), 2);
        let error = read("weights.csv", "1,2\n3,x").expect_err("refused");
        assert!(error.to_string().ends_with("weights.csv: line 2: \"x\" is no number"), "{error}");
        let error = read("weights.parquet", "PAR1, and nothing else").expect_err("refused");
        assert!(error.to_string().contains("weights.parquet"), "{error}");
        assert_eq!(super::read(&dir.path().join("absent")).expect_err("none").exit, Exit::Missing);
    }
}
