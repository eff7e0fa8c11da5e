//! `gold.csv`: items whose class the customer knows.

use std::path::Path;

use crate::error::JobError;
use crate::items::Items;

/// Reads a table `item,label`; an item goes by a name or its digest.
pub(super) fn read(
    path: &Path,
    bytes: &[u8],
    items: &Items,
    classes: &[String],
) -> Result<Vec<Option<usize>>, JobError> {
    let mut reader = csv::Reader::from_reader(bytes);
    let wrong = |error: csv::Error| JobError::wrong(path, error.to_string());
    let headers = reader.headers().map_err(wrong)?.clone();
    let column = |names: [&str; 2]| {
        let at = headers.iter().position(|name| names.contains(&name.trim()));
        at.ok_or_else(|| {
            JobError::wrong(path, format!("gold has the columns item and label; `{}` is missing", names[0]))
        })
    };
    let (item_at, label_at) = (column(["item", "task"])?, column(["label", "class"])?);
    let mut gold = vec![None; items.list().len()];
    for record in reader.records() {
        let record = record.map_err(wrong)?;
        let line = record.position().map_or(0, |at| usize::try_from(at.line()).unwrap_or(usize::MAX));
        let cell = |at: usize| record.get(at).unwrap_or_default().trim();
        let item = items.find(cell(item_at));
        let item = item.ok_or_else(|| {
            JobError::line(path, line, format!("{:?} is no item of the job", cell(item_at)))
        })?;
        let class = classes.iter().position(|class| class == cell(label_at));
        let class = class.ok_or_else(|| {
            JobError::line(path, line, format!("{:?} is no class of the job", cell(label_at)))
        })?;
        if gold[item].is_some_and(|before| before != class) {
            return Err(JobError::line(path, line, format!("{:?} has two classes", cell(item_at))));
        }
        gold[item] = Some(class);
    }
    Ok(gold)
}

/// The table of all gold by digest, in the items' order; empty without any.
pub(super) fn write(gold: &[Option<usize>], items: &Items, classes: &[String]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let known: Vec<_> =
        gold.iter().zip(items.list()).filter_map(|(class, item)| Some((item, (*class)?))).collect();
    if known.is_empty() {
        return String::new();
    }
    let rows = known.into_iter().map(|(item, class)| [item.digest.to_string(), classes[class].clone()]);
    for row in std::iter::once(["item".to_owned(), "label".to_owned()]).chain(rows) {
        writer.write_record(&row).expect("memory takes it");
    }
    String::from_utf8(writer.into_inner().expect("memory takes it")).expect("rows of text")
}
