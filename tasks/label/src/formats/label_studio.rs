//! Label Studio's tasks: annotations are answers, one that is ground truth is gold, predictions are the posterior.
//!
//! A skipped task is an annotation that `was_cancelled`; one without a choice is `unsure`. Label Studio knows its own users
//! alone, so a worker's name also stands in the result's `meta`, which it keeps.

use std::path::Path;

use serde_json::{Value, json};

use crate::aggregate::Outcome;
use crate::answer::Answer;
use crate::error::JobError;
use crate::items::{Content, Item};
use crate::job::Job;
use crate::labels::Labels;

use super::config::{CONTROL, object};
use super::{Found, Given, time};

/// Classes below this stand in no prediction.
const LEAST_SCORE: f64 = 0.01;

pub(super) fn write(job: &Job, labels: &Labels, outcomes: &[Outcome]) -> String {
    let mut annotations: Vec<Vec<Value>> = vec![Vec::new(); job.items.list().len()];
    let mut count = 0;
    for (worker, item, answer, label) in labels.answers() {
        count += 1;
        let mut annotation = json!({
            "id": count,
            "worker": worker,
            "was_cancelled": answer == Answer::Skip,
            "ground_truth": false,
            "result": result(job, &job.items.list()[item], answer.class(), Some(worker)),
        });
        if let Some(seconds) = label.lead_time {
            annotation["lead_time"] = json!(seconds);
        }
        if let Some(at) = label.at {
            annotation["created_at"] = json!(time::write(at));
        }
        annotations[item].push(annotation);
    }
    for (item, class) in job.gold.iter().enumerate() {
        if let Some(class) = class {
            count += 1;
            annotations[item].push(json!({
                "id": count,
                "was_cancelled": false,
                "ground_truth": true,
                "result": result(job, &job.items.list()[item], Some(*class), None),
            }));
        }
    }
    let tasks = job.items.list().iter().zip(annotations).zip(outcomes).enumerate();
    let tasks: Vec<Value> = tasks
        .map(|(at, ((item, annotations), outcome))| {
            json!({
                "id": at + 1,
                "data": data(item),
                "annotations": annotations,
                "predictions": predictions(job, item, outcome),
            })
        })
        .collect();
    let mut text = serde_json::to_string_pretty(&tasks).expect("texts and finite numbers");
    text.push('\n');
    text
}

fn data(item: &Item) -> Value {
    match &item.content {
        Content::Text(text) => json!({"item": item.digest, "name": item.names[0], "text": text}),
        Content::Image(_) => json!({
            "item": item.digest,
            "name": item.names[0],
            "image": format!("/data/local-files/?d={}", item.file().unwrap_or_default()),
        }),
    }
}

fn result(job: &Job, item: &Item, class: Option<usize>, worker: Option<&str>) -> Value {
    let Some(class) = class else { return json!([]) };
    let mut choice = json!({
        "from_name": CONTROL,
        "to_name": object(item),
        "type": "choices",
        "value": {"choices": [job.file.classes[class]]},
    });
    if let Some(worker) = worker {
        choice["meta"] = json!({"worker": worker});
    }
    json!([choice])
}

/// The classes that may be meant, the likeliest first.
fn predictions(job: &Job, item: &Item, outcome: &Outcome) -> Vec<Value> {
    let mut classes: Vec<usize> = (0..outcome.posterior.len()).collect();
    if outcome.label().is_none() {
        return Vec::new();
    }
    classes.sort_by(|a, b| outcome.posterior[*b].total_cmp(&outcome.posterior[*a]).then(a.cmp(b)));
    let likely = classes.into_iter().filter(|class| outcome.posterior[*class] >= LEAST_SCORE);
    let predictions = likely.map(|class| {
        json!({
            "model_version": format!("weighhouse {}", job.file.method.version()),
            "score": outcome.posterior[class],
            "result": result(job, item, Some(class), None),
        })
    });
    predictions.collect()
}

pub(super) fn read(job: &Job, path: &Path, bytes: &[u8]) -> Result<Found, JobError> {
    let tasks: Vec<Value> = serde_json::from_slice(bytes)
        .map_err(|error| JobError::wrong(path, format!("these are no tasks of Label Studio: {error}")))?;
    let mut found = Found::default();
    for (at, task) in tasks.iter().enumerate() {
        let wrong = |why: String| JobError::wrong(path, format!("task {}: {why}", at + 1));
        let item = find(job, task).ok_or_else(|| wrong("it is no item of the job".to_owned()))?;
        let list = |key: &str| task[key].as_array().map(Vec::as_slice).unwrap_or_default();
        found.predictions += list("predictions").len();
        for annotation in list("annotations") {
            let answer = answer(job, annotation).map_err(wrong)?;
            if annotation["ground_truth"] == true {
                let class =
                    answer.class().ok_or_else(|| wrong("ground truth without a choice".to_owned()))?;
                found.gold.push((item, class));
                continue;
            }
            found.given.push(Given {
                item,
                worker: worker(annotation).ok_or_else(|| wrong("an annotation of nobody".to_owned()))?,
                answer,
                lead_time: annotation["lead_time"].as_f64().filter(|seconds| *seconds >= 0.0),
                at: annotation["created_at"].as_str().and_then(time::read),
            });
        }
    }
    Ok(found)
}

/// A task's item: by our digest of it, its text, or a name.
fn find(job: &Job, task: &Value) -> Option<usize> {
    let data = &task["data"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let named = [&data["item"], &data["name"], &data["id"]].into_iter().filter_map(text);
    let mut named = named.chain(task["id"].as_u64().map(|id| id.to_string())).peekable();
    let by_content = || {
        let texts = data.as_object()?.values().filter_map(Value::as_str);
        texts
            .map(|text| weighhouse_types::Digest::of(text.as_bytes()))
            .find_map(|digest| job.items.at(&digest))
    };
    let by_file = || job.items.find(data["image"].as_str()?.rsplit(['/', '=']).next()?);
    data["item"]
        .as_str()
        .and_then(|item| job.items.find(item))
        .or_else(by_content)
        .or_else(by_file)
        .or_else(|| named.find_map(|name| job.items.find(&name)))
}

fn answer(job: &Job, annotation: &Value) -> Result<Answer, String> {
    if annotation["was_cancelled"] == true {
        return Ok(Answer::Skip);
    }
    let results = annotation["result"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut choices = results.iter().filter(|result| result["type"] == "choices");
    let Some(choice) = choices.next() else { return Ok(Answer::Unsure) };
    let chosen = choice["value"]["choices"].as_array().map(Vec::as_slice).unwrap_or_default();
    match (chosen, choices.next()) {
        ([], None) => Ok(Answer::Unsure),
        ([one], None) => {
            let word = one.as_str().unwrap_or_default();
            let class = job.file.classes.iter().position(|class| class == word);
            class.map(Answer::Class).ok_or_else(|| format!("{word:?} is no class of the job"))
        }
        _ => Err("an annotation with more than one choice".to_owned()),
    }
}

/// Who annotated: the name that we wrote, else Label Studio's user.
fn worker(annotation: &Value) -> Option<String> {
    let ours = [&annotation["worker"], &annotation["result"][0]["meta"]["worker"]];
    let by = &annotation["completed_by"];
    let user = [&by["email"], by].into_iter();
    let named = ours.into_iter().chain(user).find_map(|name| name.as_str().map(str::to_owned));
    let number = by.as_u64().or_else(|| by["id"].as_u64());
    named.or_else(|| number.map(|id| format!("user-{id}")))
}
