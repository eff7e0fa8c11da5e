//! What deploy/ says of metrics is held to the code that has them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use serde_json::Value;

const RULES: &str = include_str!("../../../../deploy/prometheus/rules.yml");
const RULES_TEST: &str = include_str!("../../../../deploy/prometheus/rules_test.yml");
const DASHBOARD: &str = include_str!("../../../../deploy/grafana/weighhouse.json");
/// What Prometheus itself says of a target.
const OF_PROMETHEUS: [&str; 1] = ["up"];
const OPERATORS: [&str; 5] = ["and", "or", "unless", "by", "on"];

/// Takes note of every name that is described, and whether it is a histogram.
#[derive(Default)]
struct Described(Mutex<BTreeMap<String, bool>>);

impl Described {
    fn note(&self, name: &KeyName, is_histogram: bool) {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.insert(name.as_str().to_owned(), is_histogram);
    }
}

impl Recorder for Described {
    fn describe_counter(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        self.note(&name, false);
    }

    fn describe_gauge(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        self.note(&name, false);
    }

    fn describe_histogram(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        self.note(&name, true);
    }

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

/// Every series that a role can have, by its name.
fn series() -> BTreeSet<String> {
    let described = Described::default();
    metrics::with_local_recorder(&described, || {
        super::describe();
        crate::commands::chain::describe_metrics();
        weighhouse_miner::metrics::describe();
        weighhouse_validator::metrics::describe();
        weighhouse_gateway::metrics::describe();
    });
    let mut names: BTreeSet<String> = OF_PROMETHEUS.map(str::to_owned).into();
    for (name, is_histogram) in described.0.into_inner().expect("nobody panicked") {
        if is_histogram {
            names.extend([format!("{name}_sum"), format!("{name}_count")]);
        }
        names.insert(name);
    }
    names
}

/// The metrics that an expression of PromQL names: words that are no label, function or operator.
fn metrics_of(expression: &str) -> Vec<String> {
    let (mut plain, mut within) = (String::new(), Vec::new());
    for char in expression.chars() {
        match char {
            '"' if within.last() == Some(&'"') => drop(within.pop()),
            _ if within.last() == Some(&'"') => {}
            '"' | '{' | '[' => within.push(char),
            '}' | ']' => drop(within.pop()),
            _ if within.is_empty() => plain.push(char),
            _ => {}
        }
    }
    let is_word = |char: char| char.is_ascii_alphanumeric() || char == '_' || char == ':';
    let (mut found, mut rest) = (Vec::new(), plain.as_str());
    while let Some(start) = rest.find(is_word) {
        let word = &rest[start..];
        let (word, behind) = word.split_at(word.find(|char| !is_word(char)).unwrap_or(word.len()));
        rest = behind;
        let opens = behind.trim_start().strip_prefix('(');
        match opens {
            // Labels stand in its brackets.
            Some(labels) if ["by", "on"].contains(&word) => {
                rest = labels.split_once(')').map_or("", |(_, rest)| rest);
            }
            Some(_) => {}
            // An aggregation.
            None if behind.trim_start().starts_with("by ") => {}
            None if OPERATORS.contains(&word) || word.starts_with(|char: char| char.is_ascii_digit()) => {}
            None => found.push(word.to_owned()),
        }
    }
    found
}

/// The values of a key of the rules, which stand on lines of their own.
fn values<'a>(text: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines().filter_map(move |line| line.trim().trim_start_matches("- ").strip_prefix(key))
}

/// The expressions anywhere within a dashboard.
fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| expressions(item, found)),
        Value::Object(fields) => {
            found.extend(fields.get("expr").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|field| expressions(field, found));
        }
        _ => {}
    }
}

fn unknown<'a>(expressions: impl Iterator<Item = &'a str>) -> Vec<String> {
    let known = series();
    let named = expressions.flat_map(|expression| {
        let named = metrics_of(expression);
        assert!(!named.is_empty(), "no metric is found in {expression:?}");
        named
    });
    named.filter(|name| !known.contains(name)).collect()
}

#[test]
fn every_metric_of_the_rules_and_the_dashboard_exists() {
    assert_eq!(unknown(values(RULES, "expr: ")), Vec::<String>::new());
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("JSON");
    let mut shown = Vec::new();
    expressions(&dashboard, &mut shown);
    assert!(shown.len() > 40, "{} expressions", shown.len());
    assert_eq!(unknown(shown.iter().map(String::as_str)), Vec::<String>::new());
}

#[test]
fn a_metric_that_nobody_has_is_found_out() {
    let expression = r#"sum by (job) (rate(weighhouse_miner_requests_total{code="invented_a"}[5m])) / on (job)
        weighhouse_miner_invented_total > 2 unless process_open_fds"#;
    assert_eq!(
        metrics_of(expression),
        ["weighhouse_miner_requests_total", "weighhouse_miner_invented_total", "process_open_fds"]
    );
    assert_eq!(unknown([expression].into_iter()), ["weighhouse_miner_invented_total"]);
}

#[test]
fn every_alert_says_what_to_do_and_has_a_test() {
    let mut alerts = 0;
    for rule in RULES.split("- alert: ").skip(1) {
        let (alert, body) = rule.split_once('\n').expect("a rule has lines");
        for key in ["expr: ", "labels: { severity: ", "summary: ", "description: ", "doc: "] {
            assert_eq!(values(body, key).count(), 1, "{alert}: {key}");
        }
        let fires = format!("alertname=\"{alert}\"");
        assert!(RULES_TEST.contains(&fires), "{alert} fires in no test");
        alerts += 1;
    }
    assert!(alerts > 20, "{alerts} alerts");
}

#[test]
fn every_alert_leads_to_a_heading() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    for doc in values(RULES, "doc: ") {
        let (page, heading) = doc.split_once('#').unwrap_or((doc, ""));
        let text = std::fs::read_to_string(root.join(page)).unwrap_or_else(|error| panic!("{doc}: {error}"));
        let slug = |line: &str| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        let found = text.lines().any(|line| line.starts_with('#') && slug(line) == heading);
        assert!(heading.is_empty() || found, "{doc}: there is no such heading");
    }
}
