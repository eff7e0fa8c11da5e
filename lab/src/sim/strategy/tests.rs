use super::*;

#[test]
fn a_strategy_survives_the_way_through_json_and_toml() {
    for name in ["honest", "twin", "sleeper", "burst", "sybil", "decoy", "silence", "plagiarist"] {
        let strategy = Strategy::persona(name).expect("a preset");
        let json = serde_json::to_string(&strategy).expect("serialises");
        assert_eq!(serde_json::from_str::<Strategy>(&json).expect("parses"), strategy);
        let toml = toml::to_string(&strategy).expect("serialises");
        assert_eq!(toml::from_str::<Strategy>(&toml).expect("parses"), strategy);
        strategy.check().expect("a preset is valid");
    }
}

#[test]
fn keys_left_out_mean_honest_work_and_unknown_ones_are_refused() {
    let strategy: Strategy = toml::from_str("name = \"x\"\nwork = { weak = 3, honest = 1 }").expect("parses");
    assert_eq!(strategy.identities, 1);
    assert_eq!(strategy.work.share("weak"), 0.75);
    assert!(toml::from_str::<Strategy>("effort = 1").is_err());
}

#[test]
fn out_of_range_strategies_are_refused_by_key() {
    let cases = [
        ("identities", Strategy { identities: 65, ..Strategy::default() }),
        ("decoys", Strategy { decoys: 2, ..Strategy::default() }),
        ("late", Strategy { late: f64::NAN, ..Strategy::default() }),
        ("work", Strategy { work: Mix::of(&[("honest", 0.0)]), ..Strategy::default() }),
        ("rest", Strategy { rest: Some(Mix::of(&[("lazy", -1.0)])), ..Strategy::default() }),
    ];
    for (key, strategy) in cases {
        let error = strategy.check().expect_err("out of range").to_string();
        assert!(error.contains(key), "{error}");
    }
}
