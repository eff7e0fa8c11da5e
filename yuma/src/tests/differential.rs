//! The engine against the pallet's own steps, bit for bit, over random states and the epochs that follow from them. More of
//! them with `PROPTEST_CASES`.

use proptest::prelude::*;

use super::*;

/// Runs consecutive epochs of one state in one workspace, which has seen other subnets before.
fn check(workspace: &mut Workspace, seed: u64, uids: usize, epochs: usize) {
    let (rules, mut input) = random::epoch_input(seed, uids);
    for number in 0..epochs {
        let expected = plain::epoch(rules, &input);
        let found = workspace.epoch(rules, &input).unwrap();
        assert!(
            found == &expected,
            "seed {seed}, {uids} uids, epoch {number}: {found:#?}, not {expected:#?}"
        );
        input.validator_permit.clone_from(&found.new_permits);
        workspace.swap_bonds(&mut input);
    }
}

fn fewer(times: u32) -> ProptestConfig {
    let cases = ProptestConfig::default();
    ProptestConfig { cases: cases.cases.div_ceil(times), ..cases }
}

proptest! {
    #[test]
    fn the_engine_agrees_with_the_plain_steps_on_small_subnets(seed: u64, sizes in prop::array::uniform16(1_usize..20)) {
        let mut workspace = Workspace::default();
        for (number, uids) in (0..).zip(sizes) {
            check(&mut workspace, seed ^ number, uids, 2);
        }
    }
}

proptest! {
    #![proptest_config(fewer(16))]

    #[test]
    fn the_engine_agrees_with_the_plain_steps_on_large_subnets(seed: u64, sizes in prop::array::uniform2(20_usize..257)) {
        let mut workspace = Workspace::default();
        for (number, uids) in (0..).zip(sizes) {
            check(&mut workspace, seed ^ number, uids, 3);
        }
    }
}
