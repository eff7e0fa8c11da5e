//! Emission, epochs, and where every rao is.

use proptest::prelude::*;
use weighhouse_types::{Axon, Child, Epoch, Hyperparameters};
use weighhouse_yuma::{self as yuma, Rules};

use super::super::*;
use super::world::*;
use crate::rules::emission;

#[test]
fn an_epoch_pays_exactly_what_yuma_says() {
    let mut state = state();
    assert!(apply(&mut state, hotkey(0).0, weights(&[(2, 60), (3, 30), (4, 10)])).is_ok());
    assert!(apply(&mut state, hotkey(1).0, weights(&[(2, 50), (3, 50)])).is_ok());
    empty_blocks(&mut state, 2);
    let before = state.subnets[&NETUID].clone();
    let mut due = before.clone();
    due.pending.add(emission::split(EMISSION));
    let expected = yuma::epoch(Rules::Spec425, &due.epoch_input(Block(5), MechId(0), due.pending.shared()))
        .expect("a valid input");
    let outcome = state.apply_block(&[], &beacon()).expect("balances");

    let after = &state.subnets[&NETUID];
    for uid in 0..usize::from(VALIDATORS + MINERS) {
        let hotkey = before.neurons[uid].hotkey;
        let paid = after.stake(&hotkey).0 - before.stake(&hotkey).0;
        assert_eq!(paid, expected.server_emission[uid] + expected.validator_emission[uid], "uid {uid}");
        let slot = &after.neurons[uid];
        assert_eq!(slot.emission, Rao(paid));
        assert_eq!(slot.incentive, expected.incentive[uid]);
        assert_eq!(slot.dividends, expected.dividends[uid]);
        assert_eq!(slot.consensus, expected.consensus[uid]);
        assert_eq!(slot.validator_trust, expected.validator_trust[uid]);
        assert_eq!(slot.validator_permit, expected.new_permits[uid]);
    }
    let incentive = Rao(expected.server_emission.iter().sum());
    let dividends = Rao(expected.validator_emission.iter().sum());
    let owner = Rao(emission::split(EMISSION).owner.0 * 5);
    assert!(incentive > Rao(0) && dividends > Rao(0));
    assert_eq!(outcome.events, [Event::EpochRun { netuid: NETUID, owner, incentive, dividends }]);
    assert_eq!(after.stake(&owner_hotkey()), owner, "the owner's cut is staked on its hotkey");
    let left = due.pending.shared().0 - incentive.0 - dividends.0;
    assert_eq!(after.pending.shared(), Rao(left), "what rounding leaves joins the next epoch");
    assert!(left < 10, "{left}");
}

#[test]
fn the_miners_and_the_validators_halves_are_equal_and_the_owner_has_18_percent() {
    let mut state = state();
    let set = weights(&[(2, 60), (3, 30), (4, 10)]);
    assert!(apply(&mut state, hotkey(0).0, set.clone()).is_ok());
    assert!(apply(&mut state, hotkey(1).0, set).is_ok());
    empty_blocks(&mut state, 2);
    let outcome = state.apply_block(&[], &beacon()).expect("balances");
    let [Event::EpochRun { owner, incentive, dividends, .. }] = outcome.events[..] else {
        panic!("{outcome:?}")
    };
    let whole = EMISSION.0 * 5;
    let share = |part: Rao| part.0 * 10_000 / whole;
    assert_eq!((share(owner), share(incentive), share(dividends)), (1_799, 4_100, 4_100));
}

#[test]
fn incentive_to_the_owners_hotkeys_is_burned() {
    let mut file = file();
    file.subnets[0].neurons[2].coldkey = owner().coldkey();
    let mut state = State::genesis(&file);
    assert!(apply(&mut state, hotkey(0).0, weights(&[(2, 50), (3, 50)])).is_ok());
    assert!(apply(&mut state, hotkey(1).0, weights(&[(2, 50), (3, 50)])).is_ok());
    empty_blocks(&mut state, 3);
    let subnet = &state.subnets[&NETUID];
    assert_eq!(subnet.stake(&hotkey(2)), Rao(0));
    assert!(subnet.stake(&hotkey(3)) > Rao(0));
    assert_eq!(state.burned, subnet.stake(&hotkey(3)));
}

#[test]
fn emission_that_nobody_earned_waits_for_the_next_epoch() {
    let mut file = file();
    file.subnets[0].neurons.clear();
    let mut state = State::genesis(&file);
    empty_blocks(&mut state, u64::from(TEMPO));
    let subnet = &state.subnets[&NETUID];
    assert_eq!(subnet.schedule.epoch, Epoch(1));
    let parts = emission::split(EMISSION);
    assert_eq!(subnet.pending.shared(), Rao(parts.shared().0 * 5));
    assert_eq!(subnet.stake(&owner_hotkey()), Rao(parts.owner.0 * 5));
}

#[test]
fn epochs_come_every_tempo_and_see_calls_of_earlier_blocks_only() {
    let mut state = state();
    empty_blocks(&mut state, 4);
    assert!(apply(&mut state, hotkey(0).0, weights(&[(2, 1)])).is_ok());
    let subnet = &state.subnets[&NETUID];
    assert_eq!((subnet.schedule.epoch, subnet.schedule.last_epoch_block), (Epoch(1), Block(5)));
    assert_eq!(subnet.neurons[2].incentive, 0, "set in the epoch's own block: too late for it");
    empty_blocks(&mut state, 5);
    let subnet = &state.subnets[&NETUID];
    assert_eq!((subnet.schedule.epoch, subnet.schedule.last_epoch_block), (Epoch(2), Block(10)));
    assert_eq!(subnet.neurons[2].incentive, u16::MAX);
}

#[test]
fn more_subnets_than_fit_in_a_block_wait_for_the_next() {
    let mut file = file();
    for netuid in 2..=3 {
        let mut subnet = file.subnets[0].clone();
        subnet.netuid = Netuid(netuid);
        subnet.neurons.clear();
        file.subnets.push(subnet);
    }
    let mut state = State::genesis(&file);
    let epochs =
        |state: &State| state.subnets.values().map(|subnet| subnet.schedule.epoch.0).collect::<Vec<_>>();
    empty_blocks(&mut state, 5);
    assert_eq!(epochs(&state), [1, 1, 0]);
    empty_blocks(&mut state, 1);
    assert_eq!(epochs(&state), [1, 1, 1]);
}

#[test]
fn a_sum_that_does_not_balance_stops_the_chain() {
    let mut state = state();
    state.burned.0 += 1;
    assert!(matches!(
        state.apply_block(&[], &beacon()),
        Err(super::super::block::LedgerDefect::Conservation { .. })
    ));
}

/// Keys that own something, and one that doesn't.
fn any_account() -> impl Strategy<Value = Account> + Clone {
    prop_oneof![
        (0..VALIDATORS + MINERS).prop_map(|uid| hotkey(uid).0),
        (0..VALIDATORS + MINERS).prop_map(|uid| coldkey(uid).public()),
        Just(owner().public()),
        Just(owner_hotkey().0),
        Just([66; 32]),
    ]
}

fn any_amount() -> impl Strategy<Value = Rao> {
    prop_oneof![0u64..2_000, 0u64..60_000_000_000, Just(u64::MAX)].prop_map(Rao)
}

fn any_call() -> impl Strategy<Value = Call> {
    let netuid = NETUID;
    let hotkeys = any_account().prop_map(Hotkey);
    let row = proptest::collection::vec((0u16..7, any::<u16>()), 0..5);
    prop_oneof![
        4 => row.prop_map(|row| weights(&row)),
        3 => (hotkeys.clone(), any_amount()).prop_map(move |(hotkey, limit)| Call::Register { netuid, hotkey, limit }),
        2 => (0u8..40).prop_map(move |seed| {
            Call::Register { netuid, hotkey: Hotkey([seed; 32]), limit: Rao(u64::MAX) }
        }),
        3 => (hotkeys.clone(), any_amount())
            .prop_map(move |(hotkey, amount)| Call::AddStake { netuid, hotkey, amount }),
        3 => (hotkeys, any_amount()).prop_map(move |(hotkey, amount)| Call::RemoveStake { netuid, hotkey, amount }),
        3 => (any_account(), any_amount()).prop_map(|(to, amount)| Call::Transfer { to: Coldkey(to), amount }),
        1 => any::<u16>().prop_map(move |port| {
            Call::ServeAxon { netuid, axon: Axon { ip: 1, port, version: 0, block: Block(0) } }
        }),
        2 => (any_account(), any_account(), any::<u64>()).prop_map(move |(parent, child, proportion)| {
            let children = vec![Child { proportion, hotkey: Hotkey(child) }];
            Call::SetChildren { netuid, hotkey: Hotkey(parent), children }
        }),
        1 => (any_account(), 0u16..12_000).prop_map(|(hotkey, take)| Call::SetTake { hotkey: Hotkey(hotkey), take }),
        1 => (0u8..4, any::<bool>()).prop_map(move |(count, even)| {
            let emission_split = (!even).then(|| vec![65_535 / u16::from(count.max(1)); usize::from(count)]);
            Call::SetMechanisms { netuid, mechanisms: Mechanisms { count, emission_split } }
        }),
        1 => (0u16..8).prop_map(move |tempo| Call::SetTempo { netuid, tempo }),
        1 => Just(Call::TriggerEpoch { netuid }),
        2 => (0u8..2, any::<u64>()).prop_map(move |(mechanism, reveal_round)| Call::CommitTimelockedWeights {
            netuid,
            mechanism: MechId(mechanism),
            ciphertext: vec![0; 40],
            reveal_round: reveal_round % 64,
            version: 4,
        }),
        2 => (0u8..2, any::<u8>()).prop_map(move |(mechanism, byte)| Call::CommitWeights {
            netuid,
            mechanism: MechId(mechanism),
            hash: Digest([byte; 32]),
        }),
        1 => any::<(bool, bool, u16)>().prop_map(move |(commit_reveal_weights_enabled, yuma3_enabled, kappa)| {
            let tempo = kappa % 8;
            let hyperparameters =
                Hyperparameters { tempo, commit_reveal_weights_enabled, yuma3_enabled, kappa, ..rules() };
            Call::SetHyperparameters { netuid, hyperparameters: Box::new(hyperparameters) }
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_rao_is_conserved_whatever_is_called(
        blocks in proptest::collection::vec(proptest::collection::vec((any_account(), any_call()), 0..6), 1..40),
    ) {
        let mut state = state();
        for calls in blocks {
            // apply_block refuses a block after which the sums differ.
            let outcome = state.apply_block(&[], &beacon());
            prop_assert!(outcome.is_ok(), "{outcome:?}");
            for (signer, call) in calls {
                let before = state.clone();
                let extrinsic = unsigned(&state, signer, call);
                let refused = state.apply(&extrinsic).is_err();
                prop_assert_eq!(state.check_conservation(), Ok(()));
                let subnet = &state.subnets[&NETUID];
                for ((hotkey, _), stake) in &subnet.nominations {
                    prop_assert!(*stake <= subnet.stake(hotkey));
                }
                if refused {
                    let mut expected = before;
                    expected.accounts.entry(signer).or_default().nonce += 1;
                    prop_assert_eq!(&state, &expected, "a refused call leaves no trace but its nonce");
                }
            }
        }
    }
}
