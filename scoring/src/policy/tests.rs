use super::*;

const VERSION_1: &str = include_str!("../../testdata/policy_v1.toml");

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

fn version_1_with(key: &str, value: &str) -> Result<Policy, PolicyError> {
    let text: Vec<String> =
        VERSION_1
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
fn a_file_of_version_1_means_what_it_always_meant() {
    let policy = Policy::parse(VERSION_1.as_bytes()).expect("valid");
    assert_eq!(policy.shape(), Shape::Linear);
    let memory = Fraction::from_billionths(200_000_000).expect("a share");
    assert_eq!(policy.averaging(), Averaging::Ema { rise: memory, fall: memory });
    assert_eq!(policy.floor().billionths(), 400_000_000);
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known_one() {
    for (key, nearest) in
        [("memry", "memory"), ("min_coverge", "min_coverage"), ("max_score_age", "max_score_age_epochs")]
    {
        let text = format!("{key} = 1\n{VERSION_1}");
        let message = Policy::parse(text.as_bytes()).expect_err(key).to_string();
        assert_eq!(message, format!("policy: line 1: unknown key `{key}`, did you mean `{nearest}`?"));
    }
}

#[test]
fn every_key_is_required() {
    for key in KEYS {
        let text: Vec<&str> =
            VERSION_1.lines().filter(|line| !line.starts_with(&format!("{key} ="))).collect();
        let message = Policy::parse(text.join("\n").as_bytes()).expect_err(key).to_string();
        assert!(message.contains(&format!("missing field `{key}`")), "{message}");
    }
}

fn memory_of(policy: &Policy) -> u64 {
    match policy.averaging() {
        Averaging::Ema { rise, .. } => rise.billionths(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn fractions_are_read_as_they_are_written() {
    let memory = |value| version_1_with("memory", value).map(|policy| memory_of(&policy));
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
    assert_eq!(version_1_with("min_coverage", "1.0").map(|policy| policy.min_coverage()), Ok(Fraction::ONE));
    assert!(version_1_with("min_coverage", "1.000000001").is_err());
}

#[test]
fn errors_name_the_key_and_the_cause() {
    let message = |key, value| version_1_with(key, value).expect_err(key).to_string();
    assert_eq!(message("version", "3"), "policy version 3, this software reads versions 1 and 2");
    assert_eq!(message("shape", "\"cliff\""), "policy key `shape` is \"cliff\", it must be \"linear\"");
    for (key, value) in [("memory", "\"0.2\""), ("min_attempts", "-1"), ("min_miners", "65536")] {
        let line = 1 + VERSION_1.lines().position(|line| line.starts_with(&format!("{key} ="))).expect(key);
        let message = message(key, value);
        assert!(message.starts_with(&format!("policy: line {line}: {key}: invalid ")), "{message}");
    }
    let newer = b"version = 3\nother = 1\n";
    assert_eq!(Policy::parse(newer), Err(PolicyError::Version { found: 3 }));
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

#[test]
fn the_default_policy_is_valid() {
    let policy = Policy::default_policy();
    assert_eq!(policy.version(), 2);
    assert_eq!(policy.shape(), Shape::Linear);
    assert_eq!(memory_of(&policy), 200_000_000);
}

fn file(text: &str) -> Result<Policy, PolicyError> {
    Policy::parse(format!("version = 2\n{text}").as_bytes())
}

#[test]
fn a_file_of_version_2_may_leave_everything_out() {
    let policy = file("").expect("valid");
    assert_eq!(policy, Policy::from_file(&File::default()).expect("valid"));
    assert_eq!((policy.cap(), policy.floor(), policy.burn()), (Fraction::ONE, Fraction::ZERO, None));
}

#[test]
fn every_wrong_value_of_version_2_is_named() {
    let alice = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
    let cases = [
        ("[metrics]\nmark = 0.5", "metrics.mark"),
        ("[average]\nepochs = 0", "average.epochs"),
        ("[average]\nepochs = 65", "average.epochs"),
        ("[average]\nhalf_life = -1.0", "average.half_life"),
        ("[average]\nhalf_life = nan", "average.half_life"),
        ("[average]\nfall_half_life = 1001.0", "average.fall_half_life"),
        ("[average]\ntrim = 0.5", "average.trim"),
        ("[significance]\nstandard_errors = 0.0001", "significance.standard_errors"),
        ("[significance]\nstandard_errors = 11", "significance.standard_errors"),
        ("[shape]\nfloor = 1.1", "shape.floor"),
        ("[shape]\nkind = \"power\"\nexponent = 0.0", "shape.exponent"),
        ("[shape]\nkind = \"softmax\"\ntemperature = 0.0", "shape.temperature"),
        ("[shape]\nkind = \"rank\"\nratio = 1.5", "shape.ratio"),
        ("[shape]\nkind = \"top_k\"\nkeep = 0", "shape.keep"),
        ("[shape]\nhysteresis = 2.0", "shape.hysteresis"),
        ("[caps]\nshare = 0.0", "caps.share"),
        ("[burn]\nshare = 0.1", "burn.share"),
        ("[burn]\nshare = 1.0", "burn.share"),
        ("[burn]\nshare = 0.1\nhotkey = \"5Grw\"", "burn.hotkey"),
        ("[cluster]\npay = \"split\"\nagreement = 0.0", "cluster.agreement"),
        ("[guards]\nmin_samples = 0", "guards.min_samples"),
        ("[guards]\nmin_coverage = 2.0", "guards.min_coverage"),
        ("[audit]\nrounds = 1001", "audit.rounds"),
        ("[audit]\nspot_share = 1.01", "audit.spot_share"),
        ("[audit]\nwitness_share = 0.4", "audit.witness_share"),
        ("[audit]\nwitness_share = 1.0", "audit.witness_share"),
    ];
    for (text, key) in cases {
        let message = file(text).expect_err(text).to_string();
        assert!(message.starts_with(&format!("policy key `{key}` is ")), "{message}");
    }
    let burning = file(&format!("[burn]\nshare = 0.25\nhotkey = \"{alice}\"")).expect("valid");
    assert_eq!(
        burning.burn().map(|(share, hotkey)| (share.billionths(), hotkey.to_string())),
        Some((250_000_000, alice.to_owned()))
    );
    let unknown = file("[shape]\nfloot = 0.1").expect_err("unknown").to_string();
    assert_eq!(unknown, "policy: line 3: unknown key `floot`, did you mean `floor`?");
}

#[test]
fn a_half_life_halves() {
    for (half_life, billionths) in [("1", 500_000_000), ("2", 707_106_781), ("0.5", 250_000_000)] {
        let policy = file(&format!("[average]\nhalf_life = {half_life}")).expect("valid");
        assert_eq!(memory_of(&policy), billionths);
    }
}

#[test]
fn the_schema_names_every_section_and_is_closed() {
    let schema = schema();
    assert_eq!(schema["additionalProperties"], false);
    let file = serde_json::to_value(File::default()).expect("serialises");
    for key in file.as_object().expect("a table").keys() {
        assert!(schema["properties"].get(key).is_some(), "{key}");
    }
}

#[test]
fn expressions_are_arithmetic_and_nothing_else() {
    let facts =
        Facts { score: 0.5, average: 0.5, error: 0.1, answered: 1.0, capacity: 0.25, attempts: 12, age: 3 };
    for (source, billionths) in [
        ("score", 500_000_000),
        ("min(score, capacity) + 0.125", 375_000_000),
        ("age < 2 ? 0.0 : max(average - 3.0 * error, 0.0)", 200_000_000),
        ("attempts >= 12 && !(age == 0) ? 1 : 0", 1_000_000_000),
        ("sqrt(capacity) * abs(-1.0) * double(attempts) / 12.0", 500_000_000),
        ("-5.0", -1_000_000_000),
    ] {
        let expression = Expression::compile(source).expect(source);
        assert_eq!(expression.value(&facts), Ok(billionths), "{source}");
    }
    for source in [
        "[1, 2].map(x, x)[0]",
        "[0.5].exists(x, x > 0.1) ? 1.0 : 0.0",
        "{'a': 1}.a",
        "\"a\".matches(\"(a+)+\") ? 1.0 : 0.0",
        "size(\"a\")",
        "uid",
        "score.field",
        "has(score.x) ? 1.0 : 0.0",
        "min(1.0)",
        "timestamp(\"2026-01-01T00:00:00Z\")",
    ] {
        assert!(
            matches!(Expression::compile(source), Err(ExpressionError::Forbidden { .. })),
            "{source}: {:?}",
            Expression::compile(source)
        );
    }
    for source in ["", "score +", "score score"] {
        assert!(matches!(Expression::compile(source), Err(ExpressionError::Syntax { .. })), "{source}");
    }
    for source in ["score + age", "true", "1 / 0", "0.0 / 0.0"] {
        assert!(matches!(Expression::compile(source), Err(ExpressionError::Evaluation { .. })), "{source}");
    }
}

#[test]
fn hostile_expressions_are_refused_without_harm() {
    let long = "score + ".repeat(200);
    assert_eq!(Expression::compile(&long), Err(ExpressionError::TooLong { bytes: 1600 }));
    let wide = format!("score{}", "+age".repeat(250));
    assert_eq!(Expression::compile(&wide), Err(ExpressionError::TooManyNodes));
    for open in ["(", "-", "!", "[", "{", "min("] {
        let nested = open.repeat(1000 / open.len());
        assert!(Expression::compile(&nested).is_err());
        // A thousand minus signs cancel; what matters is that nothing overflows.
        let _ = Expression::compile(&format!("{nested}score"));
    }
    assert!(Expression::compile(&format!("{}score{}", "(".repeat(500), ")".repeat(500))).is_err());
    assert!(Expression::compile(&"true ? ".repeat(140)).is_err());
}
