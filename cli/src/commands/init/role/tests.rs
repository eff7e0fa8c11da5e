use super::*;

fn args(network: &str) -> RoleFile {
    RoleFile {
        wallet: Some("we \"quote\"".to_owned()),
        hotkey: Some("h".to_owned()),
        network: Some(network.parse().expect("a chain")),
        netuid: Some(Netuid(7)),
        from: None,
        state_dir: Some(PathBuf::from("elsewhere")),
        metrics: Some("127.0.0.1:9300".parse().expect("an address")),
        out: None,
        steps: false,
        json: false,
    }
}

#[test]
fn a_written_file_says_what_was_asked_for() {
    for network in ["finney", "http://10.0.0.1:9944", "wss://a,wss://b"] {
        let args = args(network);
        let address = |text: &str| Some(text.parse().expect("an address"));
        let target = args.target(Role::Miner, address("0.0.0.0:8100"), address("203.0.113.7:8100"));
        let miner = MinerConfig::parse(&filled(MINER, &target)).expect("valid");
        assert_eq!((Some(&miner.wallet.name), miner.chain.netuid), (args.wallet.as_ref(), Netuid(7)));
        assert_eq!(Some(&miner.chain.address), args.network.as_ref());
        assert_eq!((Some(miner.serve.listen), miner.serve.external), (target.listen, target.external));
        assert_eq!((Some(&miner.state.dir), miner.metrics.listen), (args.state_dir.as_ref(), args.metrics));
        let validator = ValidatorConfig::parse(&filled(VALIDATOR, &target)).expect("valid");
        assert_eq!(validator.wallet.hotkey, "h");
        assert_eq!(Some(&validator.chain.address), args.network.as_ref());
        assert_eq!(
            (Some(&validator.journal.dir), validator.metrics.listen),
            (args.state_dir.as_ref(), args.metrics)
        );
    }
}

#[test]
fn a_file_that_nothing_was_said_of_is_the_example() {
    let nothing = RoleFile {
        wallet: None,
        hotkey: None,
        network: None,
        netuid: None,
        state_dir: None,
        metrics: None,
        ..args("finney")
    };
    let example = |text: &str| -> Vec<String> {
        text.lines().filter(|line| !line.starts_with("#:schema")).map(str::to_owned).collect()
    };
    let text = filled(MINER, &nothing.target(Role::Miner, None, None));
    assert_eq!(text.lines().collect::<Vec<_>>(), example(MINER));
    let text = filled(VALIDATOR, &nothing.target(Role::Validator, None, None));
    let validator = ValidatorConfig::parse(&text).expect("valid");
    assert_eq!(validator.journal.dir, Path::new("validator-journal"));
    assert_eq!(validator.metrics.listen.map(|listen| listen.port()), Some(9102));
}

#[test]
fn a_file_that_is_there_is_left_alone_and_can_be_asked_for_its_steps() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("miner.toml");
    let args = args("finney");
    let target = args.target(Role::Miner, None, None);
    let parse = |text: &str| MinerConfig::parse(text);
    write(&args, &path, &target, MINER, parse).expect("written");
    let again = write(&args, &path, &target, MINER, parse).map(|_| ()).expect_err("there").to_string();
    assert!(again.contains("exists already"), "{again}");
    let looking = RoleFile { steps: true, ..self::args("finney") };
    let (config, changed) = write(&looking, &path, &target, MINER, parse).expect("read");
    assert_eq!((config.chain.netuid, changed), (Netuid(7), Vec::new()));
    let from = RoleFile { from: Some(dir.path().join("none.toml")), ..self::args("finney") };
    let other = dir.path().join("other.toml");
    assert!(write(&from, &other, &target, MINER, parse).is_err() && !other.exists());
}
