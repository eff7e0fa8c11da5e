use weighhouse_types::{Coldkey, Epoch, Hotkey, Hyperparameters, sample};

use super::*;

const HOTKEY: Hotkey = Hotkey([77; 32]);

/// A validator with half of the epoch's pay, and miners with these incentives (of 65,535) and pay.
fn state(miners: &[(u16, u64)], validator_pay: u64) -> SubnetState {
    let validator = Neuron {
        dividends: if validator_pay > 0 { u16::MAX } else { 0 },
        emission: Rao(validator_pay),
        ..sample::neuron(0)
    };
    let miner = |(uid, (incentive, pay)): (u16, &(u16, u64))| Neuron {
        incentive: *incentive,
        emission: Rao(*pay),
        coldkey: Coldkey([uid as u8; 32]),
        ..sample::neuron(uid)
    };
    let neurons = std::iter::once(validator).chain((1..).zip(miners).map(miner)).collect();
    let mut state = sample::subnet(Epoch(9), Block(1_000), neurons);
    state.metagraph.owner = None;
    state.schedule.tempo = 100;
    state.hyperparameters = Hyperparameters {
        tempo: 100,
        immunity_period: 500,
        min_non_immune_uids: 1,
        max_allowed_uids: 8,
        ..Hyperparameters::default()
    };
    state
}

fn terms(share: f64) -> Terms {
    Terms {
        share,
        price: Rao(1_000_000_000),
        alpha_price: Some(Rao(250_000_000)),
        block_time: Some(Duration::from_secs(12)),
        wait_epochs: 3,
    }
}

#[test]
fn a_share_of_the_last_epochs_pay_earns_the_price_back() {
    // Miners were paid 4 alpha of 8: 3 and 1.
    let state = state(&[(49_151, 3_000_000_000), (16_384, 1_000_000_000)], 4_000_000_000);
    let competition = Competition::new(&state, Some(&HOTKEY), None);
    assert_eq!((competition.place, competition.incentives.len()), (Place::Free, 2));
    let found = earnings(&competition, &terms(0.25));
    // A quarter of 4 alpha; the others keep 0.75 and 0.25 of the rest: 0.5625 is ahead, 0.1875 isn't.
    assert_eq!(found.epoch_alpha_rao, Rao(1_000_000_000));
    assert_eq!((found.rank, found.miners), (2, 3));
    // 7.2 epochs of 100 blocks of 12 s a day are 72.
    assert_eq!(found.day_alpha_rao, Some(Rao(72_000_000_000)));
    // 0.25 TAO an epoch earn 1 TAO in four, after a wait of three.
    assert_eq!((found.break_even_epochs, found.break_even_days), (Some(7), Some(7.0 / 72.0)));
    assert_eq!((found.immunity_blocks, found.immunity_epochs), (500, 5));
    // The miner of 1 alpha was there first, and ties with it; no uid is needed, so nobody goes.
    assert_eq!((found.pruned_before, found.pruned_after_immunity), (1, false));
}

#[test]
fn an_empty_subnet_pays_whoever_comes_and_says_that_nothing_was_paid() {
    let state = state(&[], 0);
    let competition = Competition::new(&state, None, None);
    assert_eq!((competition.place, competition.incentives.as_slice()), (Place::Free, &[][..]));
    let found = earnings(&competition, &terms(1.0));
    assert_eq!((found.rank, found.miners, found.incentive), (1, 1, 1.0));
    assert_eq!((found.epoch_alpha_rao, found.break_even_epochs), (Rao(0), None));
    assert!(found.assumptions.iter().any(|said| said.starts_with("nothing was paid")), "{found:?}");
}

#[test]
fn in_a_full_subnet_the_least_paid_makes_room_and_its_share_is_nobodys() {
    let mut state = state(&[(32_768, 500), (21_845, 300), (10_922, 200)], 1_000);
    state.hyperparameters.max_allowed_uids = 4;
    let competition = Competition::new(&state, Some(&HOTKEY), None);
    assert_eq!(competition.place, Place::Replaces { uid: Uid(3) });
    assert_eq!(competition.incentives.len(), 2);
    // 500 or less is the others' least pay: half of 1,000 isn't the least.
    let well = earnings(&competition, &terms(0.5));
    assert_eq!((well.epoch_alpha_rao, well.pruned_before, well.pruned_after_immunity), (Rao(500), 2, false));
    let badly = earnings(&competition, &terms(0.1));
    assert_eq!(
        (badly.epoch_alpha_rao, badly.pruned_before, badly.pruned_after_immunity),
        (Rao(100), 0, true)
    );
}

#[test]
fn nobody_makes_room_where_all_are_the_owners_or_registration_is_closed() {
    let mut state = state(&[], 0);
    state.hyperparameters.max_allowed_uids = 1;
    state.metagraph.owner = Some(Uid(0));
    assert_eq!(Competition::new(&state, None, None).place, Place::None);
    state.hyperparameters.registration_allowed = false;
    assert_eq!(Competition::new(&state, None, None).place, Place::Closed);
}

#[test]
fn no_marks_earn_nothing_and_never_break_even() {
    let state = state(&[(65_535, 1_000)], 1_000);
    let found = earnings(&Competition::new(&state, Some(&HOTKEY), None), &terms(0.0));
    assert_eq!((found.epoch_alpha_rao, found.rank, found.break_even_epochs), (Rao(0), 2, None));
}

#[test]
fn a_registered_miner_is_not_its_own_rival_and_its_immunity_runs() {
    let mut state = state(&[(43_690, 400), (21_845, 200)], 600);
    state.metagraph.neurons[2].registered_at = Block(700);
    let hotkey = state.metagraph.neurons[2].hotkey;
    let competition = Competition::new(&state, Some(&hotkey), None);
    assert_eq!((competition.place, competition.incentives.len()), (Place::Registered { uid: Uid(2) }, 1));
    let found = earnings(&competition, &terms(0.5));
    assert_eq!((found.miners, found.immunity_blocks), (2, 200));
}

#[test]
fn what_the_owners_hotkeys_get_is_no_miners() {
    let mut state = state(&[(32_768, 500), (32_767, 500)], 1_000);
    state.metagraph.owner = Some(Uid(1));
    let competition = Competition::new(&state, Some(&HOTKEY), None);
    assert!((competition.set_apart - 0.5).abs() < 1e-4, "{}", competition.set_apart);
    // Half of the half that isn't the owner's, of 1,000.
    let found = earnings(&competition, &terms(0.5));
    assert_eq!((found.epoch_alpha_rao, found.miners), (Rao(249), 2));
    let burn = state.metagraph.neurons[2].hotkey;
    assert!((Competition::new(&state, Some(&HOTKEY), Some(&burn)).set_apart - 1.0).abs() < 1e-9);
}

#[test]
fn without_a_price_alpha_counts_as_tao_and_that_is_said() {
    let state = state(&[(65_535, 1_000_000_000)], 1_000_000_000);
    let without = Terms { alpha_price: None, block_time: None, ..terms(0.5) };
    let found = earnings(&Competition::new(&state, Some(&HOTKEY), None), &without);
    // 0.5 alpha an epoch earn 1 in two, after three.
    assert_eq!((found.break_even_epochs, found.break_even_days, found.day_alpha_rao), (Some(5), None, None));
    assert!(found.assumptions.iter().any(|said| said.contains("1 alpha is counted as 1 TAO")));
}
