use super::*;
use crate::timelock::quicknet;
use crate::vectors;

const VECTORS: &str = "yuma/schedule_weights_mechanism_vectors.json";

fn numbers(value: &serde_json::Value) -> Vec<u16> {
    serde_json::from_value(value.clone()).expect("numbers")
}

#[test]
fn a_commits_hash_is_the_chains() {
    let vectors = vectors::load(VECTORS);
    let cases = vectors["commit_hash"].as_array().expect("cases");
    for case in cases {
        let preimage =
            const_hex::decode(case["preimage_hex"].as_str().expect("hexadecimal digits")).expect("hex");
        let hotkey = Hotkey(preimage[..32].try_into().expect("32 bytes"));
        let index = u16::from_le_bytes([preimage[32], preimage[33]]);
        let uids: Vec<Uid> = numbers(&case["uids"]).into_iter().map(Uid).collect();
        let (values, salt) = (numbers(&case["values"]), numbers(&case["salt"]));
        let version_key = case["version_key"].as_u64().expect("a version key");
        let hash = commit_hash(&hotkey, index, &uids, &values, &salt, version_key);
        assert_eq!(Some(hash.to_string().as_str()), case["blake2_256"].as_str(), "{case}");
    }
    assert_eq!(cases.len(), 3);
}

#[test]
fn storage_indices_are_the_chains() {
    let vectors = vectors::load(VECTORS);
    for example in vectors["mechanism_storage_index"]["examples"].as_array().expect("examples") {
        let [netuid, mechanism, index] = numbers(example)[..] else { panic!("{example}") };
        let mechanism = MechId(u8::try_from(mechanism).expect("small"));
        assert_eq!(storage_index(Netuid(netuid), mechanism), index);
    }
}

/// As recorded: block, last epoch block, pending epoch, epoch, tempo, blocks since the last step.
fn schedule(state: &[u64]) -> (Block, Schedule) {
    let [block, last, pending, epoch, tempo, since] = state[..] else { panic!("{state:?}") };
    let schedule = Schedule {
        epoch: Epoch(epoch),
        last_epoch_block: Block(last),
        tempo: u16::try_from(tempo).expect("u16"),
        pending_epoch_at: (pending > 0).then_some(Block(pending)),
        blocks_since_last_step: since,
    };
    (Block(block), schedule)
}

/// A thousand epochs of tempo changes and triggered epochs, asked of Bittensor's own library.
#[test]
fn reveal_rounds_are_bittensors_own() {
    let golden = vectors::load("bittensor/reveal_rounds.json");
    let cases = golden["cases"].as_array().expect("cases");
    let rounds = quicknet::rounds(12_000);
    let mut clocked = 0;
    for case in cases {
        let state: Vec<u64> = serde_json::from_value(case["state"].clone()).expect("a state");
        let (head, schedule) = schedule(&state);
        let period = case["reveal_period"].as_u64().expect("a period");
        let first = first_reveal_block(&schedule, head, period).expect("the subnet runs");
        assert_eq!(Some(first.0 - head.0 + PULSE_DELAY_BLOCKS), case["blocks"].as_u64(), "{case}");
        let Some(clock) = case.get("clock") else { continue };
        let at = |time: &str| {
            let now = UnixNanos(clock[time].as_u64().expect("a time"));
            reveal_round(&rounds, now, head, first)
        };
        let round = clock["round"].as_u64().expect("a round");
        assert!((at("before_ns")..=at("after_ns")).contains(&round), "{case}");
        clocked += usize::from(at("before_ns") == at("after_ns"));
    }
    assert_eq!(cases.len(), 1_000);
    assert!(clocked > 80, "the two times mostly agree on a round: {clocked}");
}

#[test]
fn a_subnet_that_does_not_run_reveals_nothing() {
    let (head, schedule) = schedule(&[100, 90, 0, 3, 0, 10]);
    assert_eq!(first_reveal_block(&schedule, head, 1), None);
}

#[test]
fn a_chain_whose_rounds_are_blocks_opens_in_the_first_block_of_the_reveal() {
    let (head, schedule) = schedule(&[100, 95, 0, 3, 10, 5]);
    let first = first_reveal_block(&schedule, head, 1).expect("it runs");
    assert_eq!(first, Block(105));
    assert_eq!(reveal_round(&Rounds::Blocks, UnixNanos::default(), head, first), 105);
    // The commit would be in the epoch's own block, which counts for the next epoch already.
    assert_eq!(first_reveal_block(&schedule, Block(104), 1), Some(Block(115)));
}
