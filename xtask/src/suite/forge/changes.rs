//! The fields in which two records differ, by name.

use serde_json::Value;
use weighhouse_types::Record;

/// Fields that are the keeper's word, as docs/audit.md lists them: what the chain alone can show, and the validator's own clock.
pub(super) const KEEPERS_WORD: &[&str] = &[
    "block_seen.",
    "check_draw.beacon.",
    "epoch_closed.block",
    "epoch_opened.state.",
    "intent_update.epoch",
    "intent_update.state.",
    "judged.exchange.latency_us",
];

/// The first field in which they differ, such as `judged.exchange.latency_us`; positions in lists are left out.
pub(super) fn changed(record: &Record, other: &Record) -> anyhow::Result<String> {
    let (one, other) = (value(record)?, value(other)?);
    let mut path = one["record"].as_str().unwrap_or("a record").to_owned();
    differ(&one, &other, &mut path);
    Ok(path)
}

/// By its text, which holds numbers of any size.
fn value(record: &Record) -> serde_json::Result<Value> {
    serde_json::from_str(&serde_json::to_string(record)?)
}

/// True if they differ; `path` then leads to where.
fn differ(one: &Value, other: &Value, path: &mut String) -> bool {
    let length = path.len();
    match (one, other) {
        (Value::Object(ones), Value::Object(others)) => {
            for (name, one) in ones {
                path.push('.');
                path.push_str(name);
                if others.get(name).is_none_or(|other| differ(one, other, path)) {
                    return true;
                }
                path.truncate(length);
            }
            ones.len() != others.len()
        }
        (Value::Array(ones), Value::Array(others)) if ones.len() == others.len() => {
            path.push_str("[]");
            if ones.iter().zip(others).any(|(one, other)| differ(one, other, path)) {
                return true;
            }
            path.truncate(length);
            false
        }
        _ => one != other,
    }
}
