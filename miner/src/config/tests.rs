use std::collections::BTreeSet;

use super::*;

const EXAMPLE: &str = include_str!("../../../deploy/miner.toml");
/// Only what has no default.
const MINIMAL: &str = r#"
    wallet = { name = "default", hotkey = "default" }
    chain = { netuid = 1 }
    model = [{ name = "digits", builtin = "digits-reference" }]
"#;

fn with(extra: &str) -> Result<Config, ConfigError> {
    Config::parse(&format!("{MINIMAL}\n{extra}"))
}

/// The dotted paths of every key in a document.
fn keys(value: &toml::Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        toml::Value::Table(table) => {
            for (key, inner) in table {
                let path = format!("{path}.{key}");
                keys(inner, &path, found);
                found.insert(path);
            }
        }
        toml::Value::Array(items) => items.iter().for_each(|item| keys(item, path, found)),
        _ => {}
    }
}

#[test]
fn the_example_file_shows_the_defaults() {
    let example = Config::parse(EXAMPLE).expect("the example is valid");
    let minimal = Config::parse(MINIMAL).expect("the minimum is valid");
    assert_eq!(format!("{example:?}"), format!("{minimal:?}"));
}

#[test]
fn the_example_file_shows_every_key_with_its_comment() {
    let uncommented: String = EXAMPLE
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(key)
                if key.starts_with("[[")
                    || key.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ')) =>
            {
                format!("{key}\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    let shown: toml::Value = toml::from_str(&uncommented).expect("valid with the optional keys");
    let raw: raw::RawMiner = toml::from_str(&uncommented).expect("every key is known");
    let known = toml::Value::try_from(&raw).expect("serializable");
    let (mut in_file, mut in_code) = (BTreeSet::new(), BTreeSet::new());
    keys(&shown, "", &mut in_file);
    keys(&known, "", &mut in_code);
    assert_eq!(in_file, in_code);

    let notify = include_str!("../../../types/src/notify.rs");
    let source =
        [include_str!("raw.rs"), include_str!("limits.rs"), include_str!("model.rs"), notify].concat();
    for key in in_code.iter().filter_map(|path| path.rsplit_once('.').map(|(_, key)| key)) {
        let has_comment = |line: &str, prefix: &str| line.trim_start().starts_with(prefix);
        let lines: Vec<&str> = EXAMPLE.lines().collect();
        let at =
            lines.iter().position(|line| line.trim_start_matches("# ").starts_with(&format!("{key} = ")));
        if let Some(at) = at {
            assert!(has_comment(lines[at - 1], "# "), "{key} has no comment in the example");
        }
        assert!(source.contains(&format!("{key}: ")), "{key} is not a field");
    }
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known_one() {
    let cases = [
        ("[serve]\nlisten_adress = \"0.0.0.0:1\"", "listen_adress", "listen"),
        ("[limits]\nrequest_timout = \"1s\"", "request_timout", "request_timeout"),
        ("[admision]", "admision", "admission"),
    ];
    for (extra, wrong, meant) in cases {
        let error = with(extra).expect_err("refused").to_string();
        let expected = format!("unknown key `{wrong}`, did you mean `{meant}`?");
        assert!(error.starts_with("line ") && error.ends_with(&expected), "{error}");
    }
}

#[test]
fn values_that_make_no_sense_are_refused() {
    let cases = [
        ("[admission]\nburst = 0", "admission.burst"),
        ("[limits]\nconnections_max = 0", "limits.connections_max"),
        ("[limits]\nrequest_timeout = \"0s\"", "limits.request_timeout"),
        ("[limits]\nbatch_items_max = 8", "limits.batch_items_max"),
        ("[text]\nmax_tokens = 0", "text.max_tokens"),
        ("[text]\ntoken_timeout = \"0s\"", "text.token_timeout"),
    ];
    for (extra, expected) in cases {
        assert!(matches!(with(extra), Err(ConfigError::Value { key, .. }) if key == expected), "{extra}");
    }
    assert!(matches!(with("[limits]\nrequest_timeout = 5"), Err(ConfigError::Text(_))));
    assert!(matches!(with("[admission]\nallow = [\"5Nobody\"]"), Err(ConfigError::Text(_))));
}

#[test]
fn a_model_has_one_source_and_one_name() {
    let parse = |models: &str| {
        Config::parse(&format!(
            "wallet = {{ name = 'a', hotkey = 'b' }}\nchain = {{ netuid = 1 }}\nmodel = [{models}]"
        ))
    };
    for models in ["", "{ name = 'm' }", "{ name = 'm', builtin = 'x', weights = 'y' }"] {
        assert!(matches!(parse(models), Err(ConfigError::Value { key: "model", .. })), "{models}");
    }
    let unknown = "{ name = 'm', builtin = 'digits-referense' }";
    assert!(matches!(parse(unknown), Err(ConfigError::Value { key: "model.builtin", .. })));
    let twice = "{ name = 'm', builtin = 'digits-weak' }, { name = 'm', builtin = 'digits-weak' }";
    assert!(matches!(parse(twice), Err(ConfigError::Value { key: "model.name", .. })));
}

#[test]
fn a_model_has_what_its_kind_and_backend_need_and_nothing_else() {
    let parse = |model: &str| {
        Config::parse(&format!(
            "wallet = {{ name = 'a', hotkey = 'b' }}\nchain = {{ netuid = 1 }}\nmodel = [{{ name = 'm', {model} }}]"
        ))
        .map(|config| format!("{:?}", config.models[0].source))
    };
    let read = [
        ("weights = 'w'", "Weights(\"w\")"),
        ("kind = 'text', builtin = 'language-reference'", "Builtin(Reference)"),
        ("kind = 'text', path = 'qwen', device = 'cpu'", "Folder(\"qwen\"), device: Cpu"),
        ("kind = 'text', backend = 'openai', url = 'http://127.0.0.1:8000', model = 'x'", "OpenAiSource"),
        ("kind = 'text', backend = 'oip', url = 'http://[::1]:8001', model = 'ensemble'", "OipSource"),
        ("kind = 'embed', path = 'minilm'", "EmbedderSource { path: \"minilm\""),
        ("kind = 'any', backend = 'oip', url = 'http://h:1', model = 'x'", "PassthroughSource"),
    ];
    for (model, expected) in read {
        let source = parse(model).expect(model);
        assert!(source.contains(expected), "{model}: {source}");
    }
    let refused = [
        ("kind = 'text', backend = 'openai', url = 'http://h:1'", "model"),
        ("kind = 'text', backend = 'openai', url = 'https://h:1', model = 'x'", "model.url"),
        ("kind = 'text', backend = 'openai', url = '/v1', model = 'x'", "model.url"),
        ("kind = 'text', backend = 'oip', url = 'http://h:1', model = 'x', path = 'p'", "model"),
        ("kind = 'text', backend = 'oip', url = 'http://h:1', model = 'x', key_file = 'k'", "model"),
        ("kind = 'text', path = 'p', url = 'http://h:1'", "model"),
        ("kind = 'text', weights = 'w'", "model"),
        ("kind = 'text', builtin = 'poet'", "model.builtin"),
        ("kind = 'any', builtin = 'digits-weak'", "model"),
        ("kind = 'any', backend = 'openai', url = 'http://h:1', model = 'x'", "model"),
        ("kind = 'any', backend = 'oip', url = 'http://h:1'", "model"),
        ("kind = 'any', backend = 'oip', url = 'http://h:1', model = 'x', device = 'cpu'", "model"),
        ("kind = 'embed', builtin = 'language-reference'", "model"),
        ("kind = 'embed', backend = 'openai', url = 'http://h:1', model = 'x'", "model"),
        ("kind = 'poem', builtin = 'digits-weak'", "model.kind"),
    ];
    for (model, expected) in refused {
        let error = parse(model).expect_err(model);
        assert!(matches!(error, ConfigError::Value { key, .. } if key == expected), "{model}: {error}");
    }
}

#[test]
fn the_committed_schema_is_of_these_keys() {
    let committed = include_str!("../../../deploy/schema/miner.json");
    let schema: serde_json::Value = serde_json::from_str(committed).expect("JSON");
    assert_eq!(
        schema,
        Config::schema().to_value(),
        "run `cargo run --release -p xtask --features schemas -- generate`"
    );
}

#[test]
fn each_hotkey_has_a_port_and_a_state_of_its_own_and_the_rest_in_common() {
    let config = with(
        "[serve]\nlisten = '127.0.0.1:8091'\ntls = 'required'\n\
         [[identity]]\nhotkey = 'second'\nlisten = '127.0.0.1:8092'\nexternal = '203.0.113.7:8092'\n\
         [[identity]]\nhotkey = 'default'\nwallet = 'other'\nnetuid = 2\nlisten = '127.0.0.1:0'\n",
    );
    let all = config.expect("valid").identities();
    let names: Vec<_> = all
        .iter()
        .map(|one| (one.wallet.name.as_str(), one.wallet.hotkey.as_str(), one.chain.netuid.0))
        .collect();
    assert_eq!(names, [("default", "default", 1), ("default", "second", 1), ("other", "default", 2)]);
    let dirs: Vec<_> = all.iter().map(|one| one.state.dir.display().to_string()).collect();
    assert_eq!(
        dirs,
        ["miner-state", "miner-state/identities/default/second", "miner-state/identities/other/default"]
    );
    assert!(all.iter().all(|one| one.serve.tls == Tls::Required && one.identities().len() == 1));
    assert_eq!(all[1].serve.external, Some("203.0.113.7:8092".parse().expect("an address")));
    let again = [
        ("hotkey = 'default'\nlisten = '127.0.0.1:1'", "identity.hotkey"),
        ("hotkey = 'b'\nlisten = '0.0.0.0:8091'", "identity.listen"),
    ];
    for (table, key) in again {
        let error = with(&format!("[[identity]]\n{table}")).expect_err("twice").to_string();
        assert!(error.contains(key) && error.contains("twice"), "{error}");
    }
}

#[test]
fn what_a_reload_leaves_alone_is_named() {
    let running = Config::parse(MINIMAL).expect("valid");
    let same = with("[admission]\nburst = 7").expect("valid");
    assert!(running.needs_restart(&same).is_empty());
    let moved = with("[serve]\nlisten = '127.0.0.1:1'\n[limits]\nqueue_max = 7").expect("valid");
    assert_eq!(running.needs_restart(&moved), ["serve", "limits"]);
}
