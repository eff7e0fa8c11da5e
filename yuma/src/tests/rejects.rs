//! Input that no chain state can hold is refused by type, odd states are computed, and nothing panics.

use proptest::prelude::*;

use super::*;

#[test]
fn yuma_refuses_inconsistent_inputs() {
    let refused = |change: fn(&mut EpochInput)| {
        let mut input = quiet(3);
        change(&mut input);
        epoch(Rules::Spec425, &input).unwrap_err()
    };
    assert_eq!(
        refused(|input| input.last_update.truncate(2)),
        InputError::Length { field: "last_update", found: 2, expected: 3 }
    );
    assert_eq!(
        refused(|input| input.earliest_commit_block.push(None)),
        InputError::Length { field: "earliest_commit_block", found: 4, expected: 3 }
    );
    assert_eq!(
        refused(|input| input.weights[1] = vec![(0, 1), (3, 1)]),
        InputError::UidOutOfRange { field: "weights", row: 1, uid: 3, uids: 3 }
    );
    assert_eq!(
        refused(|input| input.bonds[2] = vec![(1, 5), (0, 5), (1, 6)]),
        InputError::DuplicateUid { field: "bonds", row: 2, uid: 1 }
    );
    assert_eq!(refused(|input| input.owner_uid = Some(3)), InputError::OwnerOutOfRange { uid: 3, uids: 3 });
    assert_eq!(
        epoch(Rules::Spec425, &quiet(UIDS_MAX + 1)).unwrap_err(),
        InputError::TooManyUids { found: UIDS_MAX + 1, limit: UIDS_MAX }
    );
}

#[test]
fn yuma_of_an_empty_subnet_is_empty() {
    assert_eq!(epoch(Rules::Spec425, &quiet(0)).unwrap().combined_emission, Vec::<u64>::new());
}

#[test]
fn yuma_425_exempts_the_owner_where_377_does_not() {
    let mut input = quiet(3);
    input.stake = vec![10, 100, 0];
    input.hyperparameters.stake_threshold = 50;
    input.owner_uid = Some(0);
    input.validator_permit = vec![false, true, false];
    input.weights[0] = vec![(0, u16::MAX)];
    let old = epoch(Rules::Spec377, &input).unwrap();
    assert_eq!((old.stake_weight[0], &old.new_permits[..]), (0, &[false, true, false][..]));
    assert_eq!(old.validator_emission, vec![0, 1_000_000_000, 0]);
    let new = epoch(Rules::Spec425, &input).unwrap();
    assert_eq!((new.stake_weight[0], &new.new_permits[..]), (5957, &[true, true, false][..]));
    // The owner's self-weight counts, but a tenth of the stake is no majority.
    assert_eq!(new.validator_trust[0], 0);
}

#[test]
fn yuma3_with_liquid_alpha_erases_an_omitted_bond_and_decays_a_zero_weight() {
    let mut input = quiet(4);
    input.stake = vec![1_000_000_000, 0, 0, 0];
    input.hyperparameters.yuma3 = true;
    input.hyperparameters.liquid_alpha = true;
    input.bonds[0] = vec![(1, 60_000), (2, 60_000), (3, 60_000)];
    input.weights[0] = vec![(1, 65_535), (2, 0)];
    let bonds = epoch(Rules::Spec425, &input).unwrap().new_bonds;
    let uids: Vec<u16> = bonds[0].iter().map(|&(uid, _)| uid).collect();
    assert_eq!(uids, [1, 2]);
    assert!((1..60_000).contains(&bonds[0][1].1));
    input.hyperparameters.liquid_alpha = false;
    assert_eq!(epoch(Rules::Spec425, &input).unwrap().new_bonds[0].len(), 3);
}

#[test]
fn yuma3_liquid_alpha_overlooks_entries_behind_a_larger_uid_as_the_chain_does() {
    let mut input = quiet(4);
    input.stake = vec![1_000_000_000, 3_000_000_000, 0, 0];
    input.hyperparameters.yuma3 = true;
    input.hyperparameters.liquid_alpha = true;
    input.hyperparameters.bonds_penalty = 0;
    input.weights[1] = vec![(3, 65_535)];
    let bonds_of = |input: &EpochInput| {
        let mut row = epoch(Rules::Spec425, input).unwrap().new_bonds[0].clone();
        row.sort_unstable();
        row
    };
    input.weights[0] = vec![(2, 65_535), (3, 6_553)];
    let sorted = bonds_of(&input);
    input.weights[0] = vec![(3, 6_553), (2, 65_535)];
    let unsorted = bonds_of(&input);
    assert_eq!(unsorted[1], sorted[1]);
    // Far above consensus the bond would rise fast; overlooked, its alpha is that of a weight of 0.
    assert!(unsorted[0] < sorted[0], "{unsorted:?} {sorted:?}");
}

/// Any list of entries; `distinct` makes it a row that passes validation.
fn rows(uids: usize) -> impl Strategy<Value = Vec<Vec<(u16, u16)>>> {
    let value = prop_oneof![Just(0), Just(1), Just(u16::MAX), any::<u16>()];
    let row = prop::collection::vec((0..uids as u16, value), 0..=uids).prop_map(|mut row| {
        let mut seen = std::collections::BTreeSet::new();
        row.retain(|&(uid, _)| seen.insert(uid));
        row
    });
    prop::collection::vec(row, uids)
}

fn extreme() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(u64::MAX), 0..10_u64, any::<u64>()]
}

fn hyperparameters() -> impl Strategy<Value = Hyperparameters> {
    let proportions = (any::<u16>(), any::<u16>(), any::<u16>(), any::<u16>(), any::<i16>(), 0..12_u16);
    let amounts = (extreme(), extreme(), extreme());
    (proportions, amounts, any::<[bool; 3]>()).prop_map(|(proportions, amounts, flags)| Hyperparameters {
        kappa: proportions.0,
        bonds_penalty: proportions.1,
        bonds_moving_average: amounts.0,
        alpha_low: proportions.2,
        alpha_high: proportions.3,
        alpha_sigmoid_steepness: proportions.4,
        max_allowed_validators: proportions.5,
        activity_cutoff: amounts.1,
        stake_threshold: amounts.2,
        liquid_alpha: flags[0],
        yuma3: flags[1],
        commit_reveal: flags[2],
    })
}

fn inputs() -> impl Strategy<Value = EpochInput> {
    (1..9_usize).prop_flat_map(|uids| {
        let per_uid = || prop::collection::vec(extreme(), uids);
        (
            (extreme(), per_uid(), per_uid(), per_uid(), extreme(), extreme()),
            prop::collection::vec(any::<bool>(), uids),
            (rows(uids), rows(uids)),
            prop::collection::vec(prop::option::of(extreme()), uids),
            prop::option::of(0..uids as u16),
            hyperparameters(),
        )
            .prop_map(|(blocks, permits, (weights, bonds), commits, owner_uid, hyperparameters)| {
                EpochInput {
                    block: blocks.0,
                    stake: blocks.1,
                    last_update: blocks.2,
                    block_at_registration: blocks.3,
                    last_step_boundary_block: blocks.4,
                    emission_rao: blocks.5,
                    validator_permit: permits,
                    weights,
                    bonds,
                    earliest_commit_block: commits,
                    owner_uid,
                    hyperparameters,
                }
            })
    })
}

proptest! {
    #[test]
    fn yuma_never_panics_on_the_most_extreme_state(input in inputs()) {
        for rules in [Rules::Spec377, Rules::Spec425] {
            prop_assert!(epoch(rules, &input).is_ok());
        }
    }

    #[test]
    fn yuma_never_pays_out_more_than_the_emission(input in inputs(), kept in 0..=1_000_000_u64) {
        let mut input = input;
        input.stake.iter_mut().for_each(|rao| *rao %= 21_000_000_000_000_000);
        input.hyperparameters.bonds_moving_average = kept;
        for rules in [Rules::Spec377, Rules::Spec425] {
            let output = epoch(rules, &input).unwrap();
            let paid = output.server_emission.iter().chain(&output.validator_emission);
            prop_assert!(paid.map(|&rao| u128::from(rao)).sum::<u128>() <= u128::from(input.emission_rao));
        }
    }

    #[test]
    fn yuma_refuses_broken_inputs_without_a_panic(input in inputs(), cut in 0..6, uid in any::<u16>()) {
        let mut input = input;
        match cut {
            0 => input.stake.push(1),
            1 => input.bonds[0].push((uid, 1)),
            2 => input.weights[0].extend([(uid, 1), (uid, 2)]),
            3 => input.owner_uid = Some(uid),
            4 => { input.validator_permit.pop(); }
            _ => input.block_at_registration.clear(),
        }
        let uids = input.stake.len();
        let refused = epoch(Rules::Spec425, &input).is_err();
        prop_assert!(refused || matches!(cut, 1 | 3) && usize::from(uid) < uids);
    }
}
