use super::*;

const EXAMPLE: &str = r#"
name = "example"
block_time = "250ms"

[[accounts]]
coldkey = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
balance_tao = 1000

[[subnets]]
netuid = 1
owner_coldkey = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
owner_hotkey = "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty"
emission_per_block_tao = 1

[subnets.hyperparameters]
tempo = 20

[[subnets.neurons]]
hotkey = "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty"
coldkey = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
stake_tao = 0.000000005
validator_permit = true
"#;

fn refused(text: &str) -> String {
    Genesis::parse(text).expect_err("refused").to_string()
}

#[test]
fn a_genesis_is_read_and_written_back() {
    let genesis = Genesis::parse(EXAMPLE).expect("valid");
    assert_eq!(genesis.file().block_time, BlockTime::Every { millis: 250 });
    assert_eq!(genesis.file().subnets[0].registration_price, Rao(100_000_000));
    let written = toml::to_string(genesis.file()).expect("serialises");
    assert_eq!(Genesis::parse(&written), Ok(genesis));
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known_one() {
    let text = EXAMPLE.replace("tempo =", "tmpo =");
    assert_eq!(refused(&text), "line 16: unknown key `tmpo`, did you mean `tempo`?");
    let text = EXAMPLE.replace("block_time", "blocktime");
    assert_eq!(refused(&text), "line 3: unknown key `blocktime`, did you mean `block_time`?");
}

#[test]
fn every_part_of_a_genesis_is_in_its_hash() {
    let hash = |text: &str| Genesis::parse(text).expect("valid").hash();
    let changes = [
        ("example", "other"),
        ("250ms", "12s"),
        ("250ms", "on-demand"),
        ("balance_tao = 1000", "balance_tao = 7"),
        ("block_tao = 1", "block_tao = 2"),
        ("tempo = 20", "tempo = 21"),
        ("0.000000005", "0.000000006"),
        ("permit = true", "permit = false"),
    ];
    for (from, to) in changes {
        assert_ne!(hash(EXAMPLE), hash(&EXAMPLE.replacen(from, to, 1)), "{from} -> {to}");
    }
}

#[test]
fn a_genesis_that_could_not_run_is_refused() {
    let cases = [
        ("name = \"example\"", "name = \"\"", "name has 0 bytes"),
        ("250ms", "1ms", "block_time is 1 ms"),
        ("250ms", "soon", "block_time is \"soon\""),
        ("netuid = 1", "netuid = 0", "root"),
        ("tempo = 20", "tempo = 1", "tempo is 1"),
        ("0.000000005", "9223372036", "more than"),
        ("block_tao = 1", "block_tao = 1000.000000001", "emission_per_block_tao"),
        ("[subnets.hyp", "registration_price_tao = 0.000000001\n[subnets.hyp", "registration_price"),
        ("coldkey = \"5Grw", "coldkey = \"5Grx", "line 6"),
    ];
    for (from, to, expected) in cases {
        let message = refused(&EXAMPLE.replacen(from, to, 1));
        assert!(message.contains(expected), "{from} -> {to}: {message}");
    }
}

#[test]
fn a_hotkey_has_one_coldkey() {
    let other = "5DAAnrj7VHTznn2AWBemMuyBwZWs6FNFjdyVXUeYum3PTXFy";
    let text = EXAMPLE.replace(
        "owner_coldkey = \"5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY\"",
        &format!("owner_coldkey = \"{other}\""),
    );
    assert!(refused(&text).contains("two coldkeys"));
}

#[test]
fn a_file_that_counts_rao_is_the_same_chain() {
    let old = EXAMPLE
        .replace("balance_tao = 1000", "balance = 1000000000000")
        .replace("emission_per_block_tao = 1", "emission_per_block = 1000000000")
        .replace("stake_tao = 0.000000005", "stake = 5");
    assert_eq!(Genesis::parse(&old).expect("read").hash(), Genesis::parse(EXAMPLE).expect("read").hash());
    assert!(refused(&EXAMPLE.replace("balance_tao = 1000", "balance = -1")).contains("balance"));
}

#[test]
fn the_committed_schema_is_of_these_keys() {
    let committed = include_str!("../../../../deploy/schema/genesis.json");
    let schema: serde_json::Value = serde_json::from_str(committed).expect("JSON");
    assert_eq!(
        schema,
        Genesis::schema().to_value(),
        "run `cargo run --release -p xtask --features schemas -- generate`"
    );
}
