use std::path::Path;

use weighhouse_miner::config::Config as MinerConfig;
use weighhouse_validator::config::Config as ValidatorConfig;

use super::*;

const MINER: &str = r#"# our miner
[wallet]
name = "miner" # of the localnet
hotkey = "default"

[chain]
# The old spelling.
endpoint = "http://127.0.0.1:9944"
netuid = 1

[serve]
# Everybody dials this machine.
listen = "127.0.0.1:8100"
external = "127.0.0.1:8100"

[admission]
# Friends.
requests_per_second = 7

[limits]
queue_max = 32 # enough

[[model]]
name = "digits"
kind = "classifier"
backend = "burn"
builtin = "digits-reference"
"#;

const VALIDATOR: &str = r#"[wallet]
name = "validator"
hotkey = "default"
[chain]
endpoints = ["http://127.0.0.1:9944"]
genesis = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
netuid = 1
dial = { "203.0.113.7" = "127.0.0.1" }
[rounds]
per_epoch = 5 # fewer
[journal]
dir = "validator-journal"
"#;

fn target(role: Role, network: &str) -> Target {
    Target {
        role,
        wallet: None,
        hotkey: None,
        address: network.parse().expect("a chain"),
        netuid: Netuid(12),
        listen: None,
        external: None,
        state_dir: None,
        metrics: None,
    }
}

fn keys(changes: &[Change]) -> Vec<&str> {
    changes.iter().map(|change| change.key.as_str()).collect()
}

#[test]
fn a_localnets_miner_goes_to_a_real_network_with_models_limits_and_comments() {
    let (text, changes) = carry(MINER, &target(Role::Miner, "finney")).expect("carried");
    assert_eq!(
        keys(&changes),
        ["chain.endpoint", "chain.network", "chain.netuid", "state.dir", "serve.listen", "serve.external"]
    );
    for kept in [
        "# our miner",
        "# of the localnet",
        "# Friends.",
        "queue_max = 32 # enough",
        "requests_per_second = 7",
    ] {
        assert!(text.contains(kept), "{kept}:\n{text}");
    }
    let config = MinerConfig::parse(&text).expect("valid");
    assert_eq!(config.chain.address, "finney".parse().expect("a chain"));
    assert_eq!((config.chain.netuid, config.chain.outdated.len()), (Netuid(12), 0));
    // A loopback address would be published to nobody.
    assert_eq!((config.serve.listen.to_string().as_str(), config.serve.external), ("0.0.0.0:8100", None));
    assert_eq!(config.state.dir, Path::new("miner-state-finney-12"));
    assert_eq!((config.models.len(), config.limits.queue_max), (1, 32));
    let told: Vec<String> = changes.iter().map(ToString::to_string).collect();
    assert!(told.contains(&"changed   chain.netuid = 12, it was 1".to_owned()), "{told:?}");
    assert!(told.contains(&"left out  serve.external, it was \"127.0.0.1:8100\"".to_owned()), "{told:?}");
    assert!(told.contains(&"added     state.dir = \"miner-state-finney-12\"".to_owned()), "{told:?}");
}

#[test]
fn what_is_given_goes_before_what_is_worked_out() {
    let address = |text: &str| Some(text.parse().expect("an address"));
    let given = Target {
        wallet: Some("cold".to_owned()),
        hotkey: Some("second".to_owned()),
        listen: address("0.0.0.0:9000"),
        external: address("203.0.113.7:9000"),
        state_dir: Some(PathBuf::from("/srv/state")),
        metrics: address("127.0.0.1:9400"),
        ..target(Role::Miner, "http://10.0.0.7:9944")
    };
    let (text, _) = carry(MINER, &given).expect("carried");
    let config = MinerConfig::parse(&text).expect("valid");
    assert_eq!((config.wallet.name.as_str(), config.wallet.hotkey.as_str()), ("cold", "second"));
    assert_eq!(config.chain.address, given.address);
    assert_eq!((Some(config.serve.listen), config.serve.external), (given.listen, given.external));
    assert_eq!((Some(config.state.dir), config.metrics.listen), (given.state_dir, given.metrics));
}

#[test]
fn a_validators_identity_of_the_old_chain_is_left_out() {
    let (text, changes) = carry(VALIDATOR, &target(Role::Validator, "test")).expect("carried");
    assert_eq!(
        keys(&changes),
        ["chain.genesis", "chain.dial", "chain.network", "chain.endpoints", "chain.netuid", "journal.dir"]
    );
    let config = ValidatorConfig::parse(&text).expect("valid");
    assert_eq!((config.chain.genesis, config.rounds.per_epoch), (None, 5));
    assert_eq!(config.journal.dir, Path::new("validator-journal-test-12"));
    assert!(text.contains("per_epoch = 5 # fewer"), "{text}");
}

#[test]
fn a_table_on_one_line_stays_one() {
    let line = "chain = { endpoints = [\"http://127.0.0.1:9944\"], netuid = 1 } # here\n";
    let (text, _) = carry(line, &target(Role::Validator, "finney")).expect("carried");
    assert!(text.starts_with("chain = { netuid = 12, network = \"finney\" } # here\n"), "{text}");
}

#[test]
fn within_ledgers_a_miner_keeps_its_addresses() {
    let (text, changes) = carry(MINER, &target(Role::Miner, "ledger")).expect("carried");
    assert_eq!(keys(&changes), ["chain.endpoint", "chain.network", "chain.netuid", "state.dir"]);
    let config = MinerConfig::parse(&text).expect("valid");
    assert_eq!(config.serve.external.map(|external| external.port()), Some(8100));
}

#[test]
fn addresses_of_private_networks_are_not_dialled_from_outside() {
    for inside in [
        "127.0.0.1",
        "10.1.2.3",
        "192.168.1.1",
        "172.16.0.1",
        "169.254.0.1",
        "0.0.0.0",
        "::1",
        "fd00::1",
        "fe80::1",
        "::ffff:10.0.0.1",
    ] {
        assert!(!is_dialled_from_outside(inside.parse().expect("an address")), "{inside}");
    }
    for outside in ["8.8.4.4", "2001:4860::1"] {
        assert!(is_dialled_from_outside(outside.parse().expect("an address")), "{outside}");
    }
}
