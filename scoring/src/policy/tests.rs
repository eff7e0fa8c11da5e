use super::*;

const KEYS: [&str; 8] = [
    "version",
    "shape",
    "memory",
    "min_mark",
    "min_attempts",
    "min_coverage",
    "min_miners",
    "max_score_age_epochs",
];

fn default_with(key: &str, value: &str) -> Result<Policy, PolicyError> {
    let text: Vec<String> =
        DEFAULT_POLICY
            .lines()
            .map(|line| {
                if line.starts_with(&format!("{key} =")) {
                    format!("{key} = {value}")
                } else {
                    line.to_owned()
                }
            })
            .collect();
    let text = text.join("\n");
    assert!(text.contains(&format!("{key} = {value}")), "no key {key} to replace");
    Policy::parse(text.as_bytes())
}

#[test]
fn the_default_policy_is_valid_and_explains_every_key() {
    let policy = Policy::parse(DEFAULT_POLICY.as_bytes()).expect("valid");
    assert_eq!(policy.shape(), Shape::Linear);
    assert_eq!(policy.memory().billionths(), 200_000_000);
    assert_eq!(policy.min_mark().billionths(), 400_000_000);
    for key in KEYS {
        let at = DEFAULT_POLICY.lines().position(|line| line.starts_with(&format!("{key} ="))).expect(key);
        assert!(DEFAULT_POLICY.lines().nth(at - 1).is_some_and(|line| line.starts_with("# ")), "{key}");
    }
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known_one() {
    for (key, nearest) in
        [("memry", "memory"), ("min_coverge", "min_coverage"), ("max_score_age", "max_score_age_epochs")]
    {
        let text = format!("{key} = 1\n{DEFAULT_POLICY}");
        let message = Policy::parse(text.as_bytes()).expect_err(key).to_string();
        assert_eq!(message, format!("policy: line 1: unknown key `{key}`, did you mean `{nearest}`?"));
    }
}

#[test]
fn every_key_is_required() {
    for key in KEYS {
        let text: Vec<&str> =
            DEFAULT_POLICY.lines().filter(|line| !line.starts_with(&format!("{key} ="))).collect();
        let message = Policy::parse(text.join("\n").as_bytes()).expect_err(key).to_string();
        assert!(message.contains(&format!("missing field `{key}`")), "{message}");
    }
}

#[test]
fn fractions_are_read_as_they_are_written() {
    let memory = |value| default_with("memory", value).map(|policy| policy.memory().billionths());
    for (written, billionths) in [
        ("0", 0),
        ("0.0", 0),
        ("0.1", 100_000_000),
        ("0.123456789", 123_456_789),
        ("0.999_999_999", 999_999_999),
    ] {
        assert_eq!(memory(written), Ok(billionths), "{written}");
    }
    for refused in ["1", "1.0", "-0.1", "-0.0", "0.1234567891", "1e-10", "nan", "inf", "2", "1e300"] {
        assert!(matches!(memory(refused), Err(PolicyError::Value { key: "memory", .. })), "{refused}");
    }
    assert_eq!(default_with("min_coverage", "1.0").map(|policy| policy.min_coverage()), Ok(Fraction::ONE));
    assert!(default_with("min_coverage", "1.000000001").is_err());
}

#[test]
fn errors_name_the_key_and_the_cause() {
    let message = |key, value| default_with(key, value).expect_err(key).to_string();
    assert_eq!(message("version", "2"), "policy version 2, this software reads version 1");
    assert_eq!(message("shape", "\"cliff\""), "policy key `shape` is \"cliff\", it must be \"linear\"");
    for (key, value) in [("memory", "\"0.2\""), ("min_attempts", "-1"), ("min_miners", "65536")] {
        let line =
            1 + DEFAULT_POLICY.lines().position(|line| line.starts_with(&format!("{key} ="))).expect(key);
        let message = message(key, value);
        assert!(message.starts_with(&format!("policy: line {line}: invalid ")), "{message}");
    }
    let newer = b"version = 2\nother = 1\n";
    assert_eq!(Policy::parse(newer), Err(PolicyError::Version { found: 2 }));
    assert_eq!(Policy::parse(&[0xff]), Err(PolicyError::NotText));
    let broken = Policy::parse(b"version = 1\nshape =").expect_err("broken").to_string();
    assert!(broken.starts_with("policy: line 2: "), "{broken}");
    let long = vec![b'#'; MAX_POLICY_BYTES + 1];
    assert_eq!(Policy::parse(&long), Err(PolicyError::TooLong { bytes: MAX_POLICY_BYTES + 1 }));
}

#[test]
fn fractions_show_as_decimals() {
    for text in ["0", "1", "0.05", "0.123456789"] {
        assert_eq!(Fraction::parse(text).map(|fraction| fraction.to_string()).as_deref(), Some(text));
    }
}
