use weighhouse_types::MechId;

use super::*;
use crate::vectors;

const FILE: &str = "yuma/schedule_weights_mechanism_vectors.json";

#[derive(Clone)]
struct Case {
    neurons: u16,
    owner: Option<Uid>,
    caller: Option<Caller>,
    rules: Hyperparameters,
    call: SetWeights,
}

impl Case {
    fn check(&self, block: u64) -> Result<(), Refusal> {
        let view = WeightsView {
            block: Block(block),
            neurons: self.neurons,
            mechanisms: 1,
            owner: self.owner,
            caller: self.caller,
            hyperparameters: &self.rules,
        };
        check_set_weights(&view, &self.call)
    }
}

fn uids(numbers: &[u16]) -> Vec<Uid> {
    numbers.iter().copied().map(Uid).collect()
}

fn caller(uid: u16) -> Caller {
    Caller { uid: Uid(uid), stake: Rao(100), validator_permit: true, last_update: Block(0) }
}

/// Uid 0 of five neurons sets weights on all, as it may.
fn valid() -> Case {
    Case {
        neurons: 5,
        owner: None,
        caller: Some(caller(0)),
        rules: Hyperparameters { min_allowed_weights: 4, ..Hyperparameters::default() },
        call: SetWeights {
            netuid: Netuid(1),
            mechanism: MechId(0),
            uids: uids(&[0, 1, 2, 3]),
            values: vec![1, 1, 1, 1],
            version_key: 0,
        },
    }
}

#[test]
fn each_check_refuses_by_its_own_name_and_in_the_chains_order() {
    let mut case = valid();
    case.caller = None;
    case.rules = Hyperparameters {
        commit_reveal_weights_enabled: true,
        stake_threshold: Rao(100),
        weights_version_key: 7,
        weights_set_rate_limit: 20,
        min_allowed_weights: 4,
        max_weights_limit: 20_000,
        ..Hyperparameters::default()
    };
    case.call = SetWeights {
        netuid: Netuid(0),
        mechanism: MechId(1),
        uids: uids(&[1, 1, 9, 9, 9, 9]),
        values: vec![1; 5],
        version_key: 6,
    };
    // Everything is wrong at first; each step mends what the refusal names, and only that.
    type Mend = fn(&mut Case);
    let steps: [(Refusal, Mend); 14] = [
        (Refusal::CommitRevealEnabled, |case| case.rules.commit_reveal_weights_enabled = false),
        (Refusal::CanNotSetRootNetworkWeights, |case| case.call.netuid = Netuid(1)),
        (Refusal::WeightVecNotEqualSize { uids: 6, values: 5 }, |case| case.call.values = vec![1; 6]),
        (Refusal::MechanismDoesNotExist { mechanism: 1 }, |case| case.call.mechanism = MechId(0)),
        (Refusal::UidsLengthExceedUidsInSubNet { uids: 6, neurons: 5 }, |case| {
            case.call.uids = uids(&[1, 1, 9]);
            case.call.values = vec![1; 3];
        }),
        (Refusal::HotKeyNotRegisteredInSubNet, |case| {
            let poor =
                Caller { stake: Rao(60), validator_permit: false, last_update: Block(95), ..caller(0) };
            case.caller = Some(poor);
        }),
        (Refusal::NotEnoughStakeToSetWeights { missing: Rao(40) }, |case| {
            case.caller.as_mut().expect("set").stake = Rao(100);
        }),
        (Refusal::IncorrectWeightVersionKey { required: 7 }, |case| case.call.version_key = 7),
        (Refusal::SettingWeightsTooFast { blocks: 15 }, |case| {
            case.caller.as_mut().expect("set").last_update = Block(80);
        }),
        (Refusal::NeuronNoValidatorPermit, |case| case.caller.as_mut().expect("set").validator_permit = true),
        (Refusal::DuplicateUids { uid: Uid(1) }, |case| case.call.uids = uids(&[1, 2, 9])),
        (Refusal::UidVecContainInvalidOne { uid: Uid(9) }, |case| case.call.uids = uids(&[1, 2, 3])),
        (Refusal::WeightVecLengthIsLow { length: 3, minimum: 4 }, |case| {
            case.call.uids = uids(&[1, 2, 3, 4]);
            case.call.values = vec![60_000, 1, 1, 1];
        }),
        (Refusal::MaxWeightExceeded, |case| case.call.values = vec![60_000; 4]),
    ];
    for (refusal, mend) in steps {
        assert_eq!(case.check(100), Err(refusal));
        mend(&mut case);
    }
    assert_eq!(case.check(100), Ok(()));
}

#[test]
fn the_owner_needs_neither_stake_nor_permit() {
    let mut case = valid();
    case.rules.stake_threshold = Rao(1_000);
    case.caller = Some(Caller { stake: Rao(0), validator_permit: false, ..caller(0) });
    assert!(matches!(case.check(1), Err(Refusal::NotEnoughStakeToSetWeights { .. })));
    case.owner = Some(Uid(0));
    assert_eq!(case.check(1), Ok(()));
}

#[test]
fn a_single_weight_on_oneself_needs_no_permit_no_length_and_no_limit() {
    let mut case = valid();
    case.rules.max_weights_limit = 1;
    case.caller = Some(Caller { validator_permit: false, ..caller(2) });
    (case.call.uids, case.call.values) = (uids(&[2]), vec![7]);
    assert_eq!(case.check(1), Ok(()));
    case.call.uids = uids(&[3]);
    assert_eq!(case.check(1), Err(Refusal::NeuronNoValidatorPermit));
}

#[test]
fn a_version_key_is_asked_for_only_where_the_subnet_has_one() {
    let mut case = valid();
    for (network, given, fine) in [(0, 0, true), (5, 4, false), (5, 5, true), (5, 6, true)] {
        (case.rules.weights_version_key, case.call.version_key) = (network, given);
        assert_eq!(case.check(1).is_ok(), fine, "{network} {given}");
    }
}

#[test]
fn the_rate_limit_is_the_chains() {
    let vectors = vectors::load(FILE);
    let vector = &vectors["weights_rate_limit"];
    let limit = vector["rate_limit"].as_u64().expect("a number");
    let expected: Vec<u64> = serde_json::from_value(vector["ok_blocks"].clone()).expect("blocks");
    let mut last = Block(0);
    let mut passed = Vec::new();
    for block in 1..100 {
        if blocks_to_wait(last, Block(block), limit) == 0 {
            last = Block(block);
            passed.push(block);
        }
    }
    assert_eq!(passed, expected);
}

#[test]
fn lengths_are_the_chains() {
    let vectors = vectors::load(FILE);
    let number = |case: &serde_json::Value, key: &str| case[key].as_u64().expect("a number");
    for case in vectors["check_length"].as_array().expect("cases") {
        let length = usize::try_from(number(case, "len")).expect("small");
        let neurons = u16::try_from(number(case, "n")).expect("small");
        let minimum = u16::try_from(number(case, "min_allowed")).expect("small");
        assert_eq!(check_length(length, neurons, minimum).is_ok(), case["expected"] == true, "{case}");
    }
}

#[test]
fn self_weights_are_the_chains() {
    let vectors = vectors::load(FILE);
    for case in vectors["is_self_weight"].as_array().expect("cases") {
        let own: u16 = serde_json::from_value(case["uid"].clone()).expect("a uid");
        let given: Vec<Uid> = serde_json::from_value(case["uids"].clone()).expect("uids");
        let weights: Option<Vec<u16>> = serde_json::from_value(case["weights"].clone()).expect("weights");
        let weights = weights.unwrap_or_else(|| vec![0; given.len()]);
        assert_eq!(is_self_weight(Uid(own), &given, &weights), case["expected"] == true, "{case}");
    }
}

#[test]
fn the_full_limit_lets_everything_pass() {
    let vectors = vectors::load(FILE);
    let cases = vectors["max_weight_limit"].as_array().expect("cases");
    let limit: u16 = serde_json::from_value(cases[0]["expected"].clone()).expect("a limit");
    let mut case = valid();
    case.rules.max_weights_limit = limit;
    for given in cases.iter().filter_map(|case| case.get("weights")) {
        case.call.values = serde_json::from_value(given.clone()).expect("weights");
        case.call.uids = uids(&[0, 1, 2])[..case.call.values.len()].to_vec();
        case.rules.min_allowed_weights = 1;
        assert_eq!(case.check(1), Ok(()), "{given}");
    }
    (case.call.uids, case.call.values) = (uids(&[1]), vec![65_535]);
    assert_eq!(case.check(1), Ok(()));
}
