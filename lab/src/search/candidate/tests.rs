use super::*;
use crate::sim::fixture::read;

fn ranged(key: &str, low: f64, high: f64) -> Parameter {
    Parameter {
        key: key.to_owned(),
        low: Some(low),
        high: Some(high),
        logarithmic: false,
        integer: false,
        decimals: None,
        choices: Vec::new(),
    }
}

fn chosen(key: &str, choices: &[&str]) -> Parameter {
    let choices = choices.iter().map(|choice| toml::Value::String((*choice).to_owned())).collect();
    Parameter { low: None, high: None, choices, ..ranged(key, 0.0, 1.0) }
}

fn refused(parameter: Parameter, message: &str) {
    let error = Candidates::new(&PolicyFile::shipped(), &[parameter]).unwrap_err().to_string();
    assert!(error.contains(message), "{error}");
}

#[test]
fn values_of_every_kind_come_out_in_the_policy() {
    let parameters = [
        ranged("average.half_life", 0.0, 4.0),
        Parameter { integer: true, ..ranged("newcomer.min_attempts", 1.0, 10.0) },
        chosen("shape.kind", &["linear", "power"]),
        Parameter { logarithmic: true, ..ranged("shape.exponent", 0.5, 8.0) },
        ranged("average.fall_half_life", 0.0, 1.0),
    ];
    let candidates = Candidates::new(&PolicyFile::shipped(), &parameters).unwrap();
    let policy = candidates.policy(&[0.25, 0.99, 0.7, 0.5, 0.1]).unwrap();
    let text = policy.text();
    let file: File = config::parse(text).unwrap();
    assert_eq!(file.average.half_life, 1.0);
    assert_eq!(file.newcomer.min_attempts, 10);
    assert_eq!(file.shape.kind, weighhouse_scoring::policy::ShapeKind::Power);
    assert_eq!(file.shape.exponent, 2.0);
    assert_eq!(file.average.fall_half_life, Some(0.1));
    // What no parameter names stays as it was.
    assert_eq!(file.shape.floor, 0.4);
}

#[test]
fn the_start_is_the_base() {
    let parameters = [
        Parameter { decimals: Some(9), ..ranged("average.half_life", 0.0, 4.0) },
        Parameter { integer: true, ..ranged("newcomer.min_attempts", 1.0, 10.0) },
        chosen("shape.kind", &["power", "linear", "softmax"]),
        ranged("shape.floor", 0.1, 0.9),
    ];
    let candidates = Candidates::new(&PolicyFile::shipped(), &parameters).unwrap();
    let [start, base] = [candidates.policy(&candidates.start()).unwrap(), candidates.base().unwrap()]
        .map(|file| Policy::clone(file.policy()));
    assert_eq!(start, base);
    assert_eq!(base, Policy::default_policy());
}

#[test]
fn values_that_make_no_policy_together_make_no_candidate() {
    // The shares of a metric must sum to 1: only one end of the range does.
    let candidates = Candidates::new(&PolicyFile::shipped(), &[ranged("metrics.mark", 0.5, 1.0)]).unwrap();
    assert!(candidates.policy(&[1.0]).is_some());
    assert_eq!(candidates.policy(&[0.5]), None);
}

#[test]
fn parameters_that_policies_do_not_have_or_take_are_refused_with_the_reason() {
    refused(ranged("shape.flor", 0.0, 1.0), "did you mean `floor`");
    refused(ranged("shapes.floor", 0.0, 1.0), "no section `shapes`");
    refused(ranged("shape.floor", 2.0, 3.0), "shape.floor");
    refused(ranged("newcomer.min_attempts", 1.0, 3.0), "invalid type");
    refused(chosen("shape.kind", &["linear", "round"]), "round");
    refused(ranged("shape.floor", 1.0, 0.0), "no range");
    refused(ranged("shape.floor", f64::NAN, 1.0), "no range");
    refused(Parameter { logarithmic: true, ..ranged("shape.floor", 0.0, 1.0) }, "above 0");
    refused(Parameter { decimals: Some(10), ..ranged("shape.floor", 0.0, 1.0) }, "at most 9");
    refused(Parameter { integer: true, ..ranged("newcomer.min_attempts", 1.5, 3.0) }, "whole");
    refused(Parameter { low: None, ..ranged("shape.floor", 0.0, 1.0) }, "needs `low`");
    refused(Parameter { low: Some(0.1), ..chosen("shape.kind", &["linear"]) }, "both");
    let twice = [ranged("shape.floor", 0.0, 1.0), ranged("shape.floor", 0.0, 0.5)];
    let error = Candidates::new(&PolicyFile::shipped(), &twice).unwrap_err();
    assert!(matches!(error, CandidateError::Parameter { .. }), "{error}");
    let error =
        Candidates::new(&read(include_str!("../../../../scoring/testdata/policy_v1.toml")), &[]).unwrap_err();
    assert!(matches!(error, CandidateError::OldBase), "{error}");
}
