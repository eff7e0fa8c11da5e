//! Effects of each call, and the names by which it is refused.

use super::super::state::Slot;
use super::super::*;
use super::world::*;
use crate::{Refusal, SetWeights};
use weighhouse_types::Axon;

fn axon(address: &str) -> Axon {
    Axon::new(address.parse().expect("an address"), 1, Block(0))
}

fn register(hotkey: Hotkey, limit: u64) -> Call {
    Call::Register { netuid: NETUID, hotkey, limit: Rao(limit) }
}

fn serve(address: &str) -> Call {
    Call::ServeAxon { netuid: NETUID, axon: axon(address) }
}

#[test]
fn weights_are_stored_upscaled_and_in_the_order_given() {
    let mut state = state();
    let events = apply(&mut state, hotkey(0).0, weights(&[(3, 10), (2, 5), (4, 0)])).expect("set");
    assert_eq!(events, [Event::WeightsSet { netuid: NETUID, mechanism: MechId(0), uid: Uid(0) }]);
    let slot = &state.subnets[&NETUID].neurons[0];
    assert_eq!(slot.weights, [(Uid(3), 65_535), (Uid(2), 32_768), (Uid(4), 0)]);
    assert_eq!(slot.last_update, Block(1));
}

#[test]
fn weights_are_refused_by_the_rules() {
    let mut state = state();
    let Call::SetWeights(valid) = weights(&[(2, 1)]) else { unreachable!("made above") };
    let call = |change: fn(&mut SetWeights)| {
        let mut call = valid.clone();
        change(&mut call);
        Call::SetWeights(call)
    };
    let root = apply(&mut state, hotkey(0).0, call(|call| call.netuid = Netuid(0)));
    assert_eq!(root, Err(Refusal::CanNotSetRootNetworkWeights));
    let missing = apply(&mut state, hotkey(0).0, call(|call| call.netuid = Netuid(9)));
    assert_eq!(missing, Err(Refusal::SubnetNotExists { netuid: Netuid(9) }));
    let stranger = apply(&mut state, [77; 32], call(|_| {}));
    assert_eq!(stranger, Err(Refusal::HotKeyNotRegisteredInSubNet));
    let miner = apply(&mut state, hotkey(2).0, call(|call| call.uids = vec![Uid(3)]));
    assert_eq!(miner, Err(Refusal::NeuronNoValidatorPermit));
    assert!(apply(&mut state, hotkey(0).0, call(|_| {})).is_ok());
    let hasty = apply(&mut state, hotkey(0).0, call(|_| {}));
    assert_eq!(hasty, Err(Refusal::SettingWeightsTooFast { blocks: 1 }));
}

#[test]
fn registration_burns_the_price_and_raises_it() {
    let mut state = state();
    let buyer = coldkey(0).coldkey();
    let events = apply(&mut state, buyer.0, register(Hotkey([50; 32]), 100_000_000)).expect("registered");
    let burned = Rao(100_000_000);
    assert_eq!(
        events,
        [Event::NeuronRegistered { netuid: NETUID, uid: Uid(5), hotkey: Hotkey([50; 32]), burned }]
    );
    assert_eq!(state.accounts[&buyer.0].balance, Rao(50_000_000_000 - 100_000_000));
    assert_eq!(state.burned, burned);
    assert_eq!(state.subnets[&NETUID].registration_price, Rao(126_000_000));
    assert_eq!(state.owners[&Hotkey([50; 32])], buyer);
}

#[test]
fn registration_is_refused_by_name() {
    let mut state = state();
    let buyer = coldkey(0).coldkey().0;
    let new = Hotkey([50; 32]);
    let refused =
        |state: &mut State, signer, hotkey, limit| apply(state, signer, register(hotkey, limit)).err();
    let no_subnet = Call::Register { netuid: Netuid(2), hotkey: new, limit: Rao(u64::MAX) };
    assert_eq!(apply(&mut state, buyer, no_subnet), Err(Refusal::SubnetNotExists { netuid: Netuid(2) }));
    let price = state.subnets[&NETUID].registration_price;
    let over = Refusal::RegistrationPriceLimitExceeded { burn: state_price_after(&state, price) };
    assert_eq!(refused(&mut state, buyer, new, 0), Some(over));
    state.subnet_mut(NETUID).expect("there").rules.registration_allowed = false;
    assert_eq!(refused(&mut state, buyer, new, u64::MAX), Some(Refusal::RegistrationDisabled));
    state.subnet_mut(NETUID).expect("there").rules.registration_allowed = true;
    let there = Refusal::HotKeyAlreadyRegisteredInSubNet { uid: Uid(3) };
    assert_eq!(refused(&mut state, buyer, hotkey(3), u64::MAX), Some(there));
    let poor = refused(&mut state, [88; 32], new, u64::MAX);
    assert!(matches!(poor, Some(Refusal::NotEnoughBalance { .. })), "{poor:?}");
    let foreign = refused(&mut state, buyer, owner_hotkey(), u64::MAX);
    assert_eq!(foreign, Some(Refusal::NonAssociatedColdKey));
    let twice = [register(new, u64::MAX), register(Hotkey([51; 32]), u64::MAX)];
    let mut extrinsics = Vec::new();
    for (nonce, call) in (state.nonce(&buyer)..).zip(twice) {
        extrinsics.push(Extrinsic { nonce, ..unsigned(&state, buyer, call) });
    }
    let outcome = state.apply_block(&extrinsics, &beacon()).expect("balances");
    assert!(outcome.calls[0].is_ok());
    assert_eq!(outcome.calls[1], Err(Refusal::TooManyRegistrationsThisBlock));
}

/// The price a call in the next block sees.
fn state_price_after(state: &State, price: Rao) -> Rao {
    match state.block.0 {
        0 => price,
        _ => crate::rules::registration_price::decayed(price, &state.subnets[&NETUID].rules),
    }
}

#[test]
fn a_full_subnet_prunes_and_forgets_the_pruned_neuron() {
    let mut state = state();
    assert!(apply(&mut state, owner().public(), register(owner_hotkey(), u64::MAX)).is_ok());
    assert!(apply(&mut state, hotkey(0).0, weights(&[(2, 1), (3, 2), (4, 3)])).is_ok());
    assert!(apply(&mut state, hotkey(2).0, serve("127.0.0.1:8091")).is_ok());
    empty_blocks(&mut state, 6);
    let pruned = state.subnets[&NETUID].neurons[2].clone();
    assert!(pruned.emission > Rao(0) && pruned.axon.is_some());
    // Lowest emission first: the second validator set no weights and earned nothing.
    let events =
        apply(&mut state, coldkey(0).public(), register(Hotkey([50; 32]), u64::MAX)).expect("registered");
    assert_eq!(events[0], Event::NeuronPruned { netuid: NETUID, uid: Uid(1), hotkey: hotkey(1) });
    let earned = state.subnets[&NETUID].stake(&hotkey(2));
    let next =
        apply(&mut state, coldkey(0).public(), register(Hotkey([51; 32]), u64::MAX)).expect("registered");
    assert_eq!(next[0], Event::NeuronPruned { netuid: NETUID, uid: Uid(2), hotkey: hotkey(2) });
    let subnet = &state.subnets[&NETUID];
    assert_eq!(subnet.neurons[2], Slot::new(Hotkey([51; 32]), state.block));
    assert_eq!(subnet.neurons[0].weights[0], (Uid(2), 0));
    assert_eq!(subnet.stake(&hotkey(2)), earned, "a pruned neuron keeps its stake");
    assert_eq!(subnet.owner_uid(), Some(Uid(5)), "the owner stays");
}

#[test]
fn a_subnet_of_immune_neurons_prunes_the_least_of_them_and_never_the_owner() {
    let mut file = file();
    let subnet = &mut file.subnets[0];
    subnet.hyperparameters.max_allowed_uids = 1;
    subnet.neurons.clear();
    let mut state = State::genesis(&file);
    let owner = owner().public();
    assert!(apply(&mut state, owner, register(owner_hotkey(), u64::MAX)).is_ok());
    let full = apply(&mut state, owner, register(Hotkey([50; 32]), u64::MAX));
    assert_eq!(full, Err(Refusal::NoNeuronIdAvailable));
}

#[test]
fn stake_moves_between_balance_and_hotkey_one_to_one() {
    let mut state = state();
    let me = coldkey(2).public();
    let add = |amount| Call::AddStake { netuid: NETUID, hotkey: hotkey(2), amount: Rao(amount) };
    let remove = |amount| Call::RemoveStake { netuid: NETUID, hotkey: hotkey(2), amount: Rao(amount) };
    assert!(apply(&mut state, me, add(700)).is_ok());
    assert_eq!(state.subnets[&NETUID].stake(&hotkey(2)), Rao(700));
    assert!(apply(&mut state, me, remove(300)).is_ok());
    assert_eq!(state.subnets[&NETUID].stake(&hotkey(2)), Rao(400));
    assert_eq!(state.accounts[&me].balance, Rao(50_000_000_000 - 400));
    let staked = Refusal::NotEnoughStakeToWithdraw { staked: Rao(400) };
    assert_eq!(apply(&mut state, me, remove(401)), Err(staked));
    assert_eq!(apply(&mut state, me, remove(0)), Err(Refusal::AmountTooLow));
    assert_eq!(apply(&mut state, me, add(0)), Err(Refusal::AmountTooLow));
    let missing = Refusal::NotEnoughBalance { missing: Rao(400 + 1) };
    assert_eq!(apply(&mut state, me, add(50_000_000_001)), Err(missing));
    let other = coldkey(3).public();
    let none = Refusal::NotEnoughStakeToWithdraw { staked: Rao(0) };
    assert_eq!(apply(&mut state, other, remove(5)), Err(none), "it is another's");
    assert!(apply(&mut state, me, remove(400)).is_ok());
    assert!(!state.subnets[&NETUID].stakes.contains_key(&hotkey(2)));
}

#[test]
fn transfers_move_money_and_make_no_dust() {
    let mut state = state();
    let (from, to) = (coldkey(0).public(), Coldkey([60; 32]));
    let transfer = |amount| Call::Transfer { to, amount: Rao(amount) };
    let minimum = super::super::staking::EXISTENTIAL_DEPOSIT;
    let dust = apply(&mut state, from, transfer(minimum.0 - 1));
    assert_eq!(dust, Err(Refusal::ExistentialDeposit { minimum }));
    assert!(apply(&mut state, from, transfer(minimum.0)).is_ok());
    assert!(apply(&mut state, from, transfer(1)).is_ok());
    assert_eq!(state.accounts[&to.0].balance, Rao(minimum.0 + 1));
    let own = Call::Transfer { to: Coldkey(from), amount: Rao(5) };
    assert!(apply(&mut state, from, own).is_ok());
    assert_eq!(state.accounts[&from].balance, Rao(50_000_000_000 - minimum.0 - 1));
    assert!(matches!(
        apply(&mut state, to.0, Call::Transfer { to, amount: Rao(u64::MAX) }),
        Err(Refusal::NotEnoughBalance { .. })
    ));
}

#[test]
fn axons_are_checked_and_rate_limited() {
    let mut state = state();
    let miner = hotkey(2).0;
    assert_eq!(apply(&mut state, [77; 32], serve("10.0.0.1:1")), Err(Refusal::HotKeyNotRegisteredInSubNet));
    assert_eq!(apply(&mut state, miner, serve("0.0.0.0:1")), Err(Refusal::InvalidIpAddress));
    assert_eq!(apply(&mut state, miner, serve("255.255.255.255:1")), Err(Refusal::InvalidIpAddress));
    assert_eq!(apply(&mut state, miner, serve("224.0.0.1:1")), Err(Refusal::InvalidIpAddress));
    assert_eq!(apply(&mut state, miner, serve("10.0.0.1:0")), Err(Refusal::InvalidPort));
    assert!(apply(&mut state, miner, serve("127.0.0.1:8091")).is_ok());
    let at = state.block;
    assert_eq!(state.subnets[&NETUID].neurons[2].axon, Some(Axon { block: at, ..axon("127.0.0.1:8091") }));
    let hasty = apply(&mut state, miner, serve("127.0.0.1:8092"));
    assert_eq!(hasty, Err(Refusal::ServingRateLimitExceeded { blocks: 2 }));
    empty_blocks(&mut state, 1);
    assert!(apply(&mut state, miner, serve("127.0.0.1:8092")).is_ok());
}

#[test]
fn certificates_come_with_an_axon_and_hold_one_to_64_bytes() {
    let mut state = state();
    let serve = |length: usize| Call::ServeAxonTls {
        netuid: NETUID,
        axon: axon("10.0.0.1:8091"),
        certificate: Certificate { algorithm: 1, public_key: vec![5; length] },
    };
    for length in [0, 65] {
        assert_eq!(apply(&mut state, hotkey(2).0, serve(length)), Err(Refusal::InvalidCertificate));
    }
    assert_eq!(state.certificate(NETUID, &hotkey(2)).expect("a subnet"), None);
    assert!(apply(&mut state, hotkey(2).0, serve(64)).is_ok());
    let expected = Certificate { algorithm: 1, public_key: vec![5; 64] };
    assert_eq!(state.certificate(NETUID, &hotkey(2)).expect("a subnet"), Some(expected));
}

#[test]
fn only_the_owner_sets_hyperparameters_and_a_new_tempo_starts_the_cycle_anew() {
    let mut state = state();
    let set = |tempo| {
        let hyperparameters = Box::new(weighhouse_types::Hyperparameters { tempo, ..rules() });
        Call::SetHyperparameters { netuid: NETUID, hyperparameters }
    };
    assert_eq!(apply(&mut state, coldkey(0).public(), set(9)), Err(Refusal::NotSubnetOwner));
    let invalid = apply(&mut state, owner().public(), set(1));
    assert!(matches!(invalid, Err(Refusal::InvalidHyperparameter { name, .. }) if name == "tempo"));
    assert!(apply(&mut state, owner().public(), set(9)).is_ok());
    let schedule = state.subnets[&NETUID].schedule;
    assert_eq!((schedule.tempo, schedule.last_epoch_block), (9, Block(3)));
    assert!(apply(&mut state, owner().public(), set(9)).is_ok());
    assert_eq!(
        state.subnets[&NETUID].schedule.last_epoch_block,
        Block(3),
        "the same tempo changes no schedule"
    );
    assert_eq!(
        state
            .view(NETUID, Head { number: state.block, hash: Digest::default() })
            .expect("there")
            .schedule
            .next_epoch_block(),
        Some(Block(12))
    );
}
