use super::*;
use crate::parts::Retention;

const EXAMPLE: &str = include_str!("../../../deploy/validator.toml");

#[test]
fn the_example_file_is_valid() {
    let config = Config::parse(EXAMPLE).expect("the example parses");
    assert_eq!(config.rounds.per_epoch, Rounds::default().per_epoch);
    assert_eq!(config.publish.margin_blocks, Publish::default().margin_blocks);
}

#[test]
fn a_misspelt_key_is_refused_with_the_nearest() {
    let text = EXAMPLE.replace("per_epoch", "per_epok");
    let error = Config::parse(&text).expect_err("unknown key").to_string();
    assert!(error.contains("did you mean `per_epoch`?"), "{error}");
}

#[test]
fn values_that_cannot_work_are_refused() {
    let text = EXAMPLE.replace("per_epoch = 12", "per_epoch = 0");
    assert_eq!(Config::parse(&text).expect_err("zero").to_string(), "rounds.per_epoch must be at least 1");
}

#[test]
fn a_server_for_the_reference_has_an_address() {
    let with = |url: &str| {
        let server = format!("server = {{ url = \"{url}\", model = \"m\" }}\n\n[policy]");
        Config::parse(&EXAMPLE.replacen("[policy]", &server, 1))
    };
    let server = with("http://127.0.0.1:8000/v1").expect("valid").task.server.expect("a server");
    assert_eq!(server.deadline, Duration::from_secs(30));
    for wrong in ["127.0.0.1:8000", "https://h:1", "/v1", ""] {
        let error = with(wrong).expect_err(wrong).to_string();
        assert_eq!(error, "task.server.url must be http://HOST:PORT");
    }
}

#[test]
fn judges_are_reached_on_this_machine_or_over_tls() {
    let with = |judges: &str| {
        Config::parse(&EXAMPLE.replacen("[policy]", &format!("judges = [{judges}]\n\n[policy]"), 1))
    };
    let judges = with("\"unix:/run/judge.sock\", \"https://judge.example:443\"").expect("valid").task.judges;
    assert_eq!(judges.len(), 2);
    let error = with("\"10.0.0.7:7711\"").expect_err("in clear").to_string();
    assert!(error.contains("write https://10.0.0.7:7711"), "{error}");
}

#[test]
fn verdicts_are_served_where_miners_can_dial() {
    let with = |keys: &str| Config::parse(&EXAMPLE.replacen("[verdicts]", &format!("[verdicts]\n{keys}"), 1));
    assert_eq!(Config::parse(EXAMPLE).expect("valid").verdicts.listen, None);
    assert!(with("listen = \"10.0.0.1:8092\"").is_ok());
    assert!(with("listen = \"0.0.0.0:8092\"\nexternal = \"203.0.113.7:8092\"").is_ok());
    for (keys, key) in [
        ("listen = \"0.0.0.0:8092\"", "verdicts.external"),
        ("external = \"203.0.113.7:8092\"", "verdicts.listen"),
        ("listen = \"10.0.0.1:8092\"\nexternal = \"203.0.113.7:0\"", "verdicts.external"),
    ] {
        let error = with(keys).expect_err(keys).to_string();
        assert!(error.starts_with(key), "{error}");
    }
}

#[test]
fn what_is_kept_and_offered_is_at_least_one_epoch() {
    let with = |table: &str, keys: &str| {
        let (from, to) = (format!("[{table}]\n"), format!("[{table}]\n{keys}\n"));
        Config::parse(&EXAMPLE.replacen(&from, &to, 1))
    };
    let kept = |keep_epochs, keep_answers_epochs, free_space_min| Retention {
        keep_epochs,
        keep_answers_epochs,
        free_space_min,
    };
    let config = Config::parse(EXAMPLE).expect("valid");
    assert_eq!(config.bundles.listen, None);
    assert_eq!(config.journal.retention(), kept(None, Some(100), 1_000_000_000));
    let config = with("journal", "keep_epochs = 7\nfree_space_min = \"3 MiB\"").expect("valid");
    assert_eq!(config.journal.retention(), kept(Some(7), Some(100), 3 << 20));
    let bundles = with("bundles", "listen = \"0.0.0.0:8093\"\nkeep_epochs = 3").expect("valid").bundles;
    assert_eq!((bundles.listen.map(|at| at.port()), bundles.keep_epochs), (Some(8093), 3));
    for (table, keys, why) in [
        ("journal", "keep_epochs = 0", "journal.keep_epochs must be at least 1"),
        ("journal", "free_space_min = \"3\"", "such as 500 MB"),
        (
            "bundles",
            "listen = \"0.0.0.0:8093\"\nkeep_epochs = 101",
            "keep_answers_epochs must be at least bundles.keep_epochs",
        ),
        ("bundles", "keep_epochs = 0", "bundles.keep_epochs must be at least 1"),
        ("bundles", "bytes_per_second = \"1 kB\"", "bundles.bytes_per_second must be at least 64 kB"),
    ] {
        let error = with(table, keys).expect_err(keys).to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn the_committed_schema_is_of_these_keys() {
    let committed = include_str!("../../../deploy/schema/validator.json");
    let schema: serde_json::Value = serde_json::from_str(committed).expect("JSON");
    assert_eq!(
        schema,
        Config::schema().to_value(),
        "run `cargo run --release -p xtask --features schemas -- generate`"
    );
}
