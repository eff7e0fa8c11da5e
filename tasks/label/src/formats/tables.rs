//! Tables of answers: ours with all that is known, and crowd-kit's.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::answer::Answer;
use crate::error::JobError;
use crate::job::Job;
use crate::labels::Labels;

use super::{Found, Given};

pub(super) fn csv(job: &Job, labels: &Labels) -> String {
    let rows = labels.answers().map(|(worker, item, answer, label)| {
        let item = &job.items.list()[item];
        vec![
            item.digest.to_string(),
            item.names[0].clone(),
            worker.to_owned(),
            answer.word(&job.file.classes).to_owned(),
            label.lead_time.map(|seconds| seconds.to_string()).unwrap_or_default(),
            label.at.map(|at| at.to_string()).unwrap_or_default(),
        ]
    });
    table(&["item", "name", "worker", "label", "lead_time", "at"], rows)
}

pub(super) fn crowd_kit(job: &Job, labels: &Labels) -> String {
    let votes = labels.answers().filter(|(_, _, answer, _)| answer.class().is_some());
    let rows = votes.map(|(worker, item, answer, _)| {
        let task = job.items.list()[item].names[0].clone();
        vec![task, worker.to_owned(), answer.word(&job.file.classes).to_owned()]
    });
    table(&["task", "worker", "label"], rows)
}

fn table(headings: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(headings).expect("memory takes it");
    for row in rows {
        writer.write_record(&row).expect("memory takes it");
    }
    String::from_utf8(writer.into_inner().expect("memory takes it")).expect("cells are texts")
}

pub(super) fn jsonl(job: &Job, labels: &Labels) -> String {
    let lines = labels.answers().map(|(worker, item, answer, label)| {
        let item = &job.items.list()[item];
        let mut row = json!({
            "item": item.digest, "name": item.names[0], "worker": worker, "label": answer.word(&job.file.classes),
        });
        if let Some(seconds) = label.lead_time {
            row["lead_time"] = json!(seconds);
        }
        if let Some(at) = label.at {
            row["at"] = json!(at);
        }
        format!("{row}\n")
    });
    lines.collect()
}

pub(super) fn read_csv(job: &Job, path: &Path, bytes: &[u8]) -> Result<Found, JobError> {
    let mut reader = csv::Reader::from_reader(bytes);
    let wrong = |error: csv::Error| JobError::wrong(path, error.to_string());
    let headers: Vec<String> =
        reader.headers().map_err(wrong)?.iter().map(|name| name.trim().to_owned()).collect();
    let mut found = Found::default();
    for record in reader.records() {
        let record = record.map_err(wrong)?;
        let line = record.position().map_or(0, |at| usize::try_from(at.line()).unwrap_or(usize::MAX));
        let cell = |name: &str| {
            let at = headers.iter().position(|known| known == name)?;
            record.get(at).map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned)
        };
        found.given.push(given(job, &cell).map_err(|why| JobError::line(path, line, why))?);
    }
    Ok(found)
}

pub(super) fn read_jsonl(job: &Job, path: &Path, text: &str) -> Result<Found, JobError> {
    let mut found = Found::default();
    for (line, text) in text.lines().enumerate() {
        let row: Map<String, Value> =
            serde_json::from_str(text).map_err(|error| JobError::line(path, line + 1, error))?;
        let cell = |name: &str| match row.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        found.given.push(given(job, &cell).map_err(|why| JobError::line(path, line + 1, why))?);
    }
    Ok(found)
}

fn given(job: &Job, cell: &dyn Fn(&str) -> Option<String>) -> Result<Given, String> {
    let first = |names: &[&str]| {
        let found = names.iter().find_map(|name| cell(name));
        found.ok_or_else(|| format!("nothing in the column `{}`", names.join("` or `")))
    };
    let name = first(&["item", "task", "name"])?;
    let item = job.items.find(&name).ok_or_else(|| format!("{name:?} is no item of the job"))?;
    let worker = first(&["worker"])?;
    let word = first(&["label"])?;
    let answer = Answer::read(&word, &job.file.classes).filter(|answer| *answer != Answer::Undo);
    let answer = answer.ok_or_else(|| format!("{word:?} is no class of the job"))?;
    let lead_time = cell("lead_time").map(|text| {
        let seconds = text.parse().ok().filter(|seconds: &f64| seconds.is_finite() && *seconds >= 0.0);
        seconds.ok_or_else(|| format!("a lead time of {text:?}"))
    });
    let at = cell("at").map(|text| text.parse().map_err(|_| format!("{text:?} are no milliseconds")));
    Ok(Given { item, worker, answer, lead_time: lead_time.transpose()?, at: at.transpose()? })
}
