//! Child keys, takes, and stake of others.

use super::super::*;
use super::world::*;
use crate::Refusal;
use weighhouse_types::{Child, Hyperparameters};

fn children(of: u8, children: &[(u8, u64)]) -> Call {
    let child = |(uid, proportion): &(u8, u64)| Child { proportion: *proportion, hotkey: hotkey(*uid) };
    Call::SetChildren { netuid: NETUID, hotkey: hotkey(of), children: children.iter().map(child).collect() }
}

fn cooldown() -> u64 {
    20 * u64::from(TEMPO)
}

#[test]
fn a_child_votes_with_its_parents_stake_after_the_cooldown() {
    let mut state = state();
    let half = u64::MAX / 2 + 1;
    let foreign = apply(&mut state, coldkey(1).public(), children(0, &[(2, half)]));
    assert_eq!(foreign, Err(Refusal::NonAssociatedColdKey));
    let events = apply(&mut state, coldkey(0).public(), children(0, &[(2, half)])).expect("scheduled");
    let at = Block(2 + cooldown());
    assert_eq!(events, [Event::SetChildrenScheduled { netuid: NETUID, hotkey: hotkey(0), at }]);
    let again = apply(&mut state, coldkey(0).public(), children(0, &[]));
    assert_eq!(again, Err(Refusal::TxRateLimitExceeded { blocks: 149 }));
    let delegation = state.delegation_of(NETUID, &hotkey(0)).expect("a subnet").expect("registered");
    assert_eq!(delegation.pending.map(|(block, _)| block), Some(at));
    assert_eq!(state.subnets[&NETUID].stake_weight(&hotkey(2)), 0);
    // The cooldown is over in block 102; the epoch after it is 105's.
    empty_blocks(&mut state, cooldown() + 2);
    let subnet = &state.subnets[&NETUID];
    let delegation = state.delegation_of(NETUID, &hotkey(2)).expect("a subnet").expect("registered");
    assert_eq!(delegation.parents, [Child { proportion: half, hotkey: hotkey(0) }]);
    let stake = subnet.stake(&hotkey(0)).0;
    let own = subnet.stake(&hotkey(2)).0;
    assert_eq!(subnet.stake_weight(&hotkey(0)) + subnet.stake_weight(&hotkey(2)), stake + own);
    assert_eq!(subnet.stake_weight(&hotkey(2)), own + stake / 2);
    let back = apply(&mut state, coldkey(2).public(), children(2, &[(0, 1)]));
    assert_eq!(back, Err(Refusal::ChildParentInconsistency));
}

#[test]
fn dividends_of_lent_stake_go_to_the_parent_less_the_childs_take() {
    let paid_to_parent = |take: u16| {
        let mut file = file();
        file.subnets[0].hyperparameters = Hyperparameters { max_allowed_validators: 3, ..rules() };
        let mut state = State::genesis(&file);
        assert!(apply(&mut state, coldkey(0).public(), children(0, &[(2, u64::MAX)])).is_ok());
        let call = Call::SetChildkeyTake { netuid: NETUID, hotkey: hotkey(2), take };
        assert!(apply(&mut state, coldkey(2).public(), call).is_ok());
        empty_blocks(&mut state, cooldown() + 10);
        assert!(state.subnets[&NETUID].neurons[2].validator_permit, "the child speaks for the most stake");
        assert!(apply(&mut state, hotkey(2).0, weights(&[(3, 1)])).is_ok());
        let before = state.subnets[&NETUID].clone();
        empty_blocks(&mut state, u64::from(TEMPO));
        let after = &state.subnets[&NETUID];
        assert!(after.neurons[2].dividends > 0);
        let paid = |uid: u8| after.stake(&hotkey(uid)).0 - before.stake(&hotkey(uid)).0;
        (paid(0), paid(2))
    };
    let (parent, child) = paid_to_parent(0);
    assert!(parent > 0 && child < 10, "{parent} {child}");
    let (parent, child) = paid_to_parent(11_796);
    let permille = child * 1_000 / (parent + child);
    assert!((179..=181).contains(&permille), "18 %, and its own little stake: {parent} {child}");
}

#[test]
fn takes_are_bounded_and_raised_rarely() {
    let mut state = state();
    let me = coldkey(0).public();
    let childkey = |take| Call::SetChildkeyTake { netuid: NETUID, hotkey: hotkey(0), take };
    let delegate = |take| Call::SetTake { hotkey: hotkey(0), take };
    let too_high = apply(&mut state, me, childkey(11_797));
    assert_eq!(too_high, Err(Refusal::InvalidChildkeyTake { maximum: 11_796 }));
    assert!(apply(&mut state, me, childkey(10)).is_ok());
    let hasty = apply(&mut state, me, childkey(11));
    assert_eq!(hasty, Err(Refusal::TxChildkeyTakeRateLimitExceeded { blocks: 215_999 }));
    assert!(apply(&mut state, me, childkey(9)).is_ok());
    assert_eq!(
        apply(&mut state, me, delegate(11_797)),
        Err(Refusal::DelegateTakeTooHigh { maximum: 11_796 })
    );
    assert_eq!(apply(&mut state, me, delegate(11_796)), Err(Refusal::DelegateTakeTooLow));
    assert!(apply(&mut state, me, delegate(100)).is_ok());
    let hasty = apply(&mut state, me, delegate(101));
    assert_eq!(hasty, Err(Refusal::DelegateTxRateLimitExceeded { blocks: 215_999 }));
    let delegation = state.delegation_of(NETUID, &hotkey(0)).expect("a subnet").expect("registered");
    assert_eq!((delegation.take, delegation.childkey_take), (100, 9));
}

#[test]
fn who_stakes_on_anothers_hotkey_earns_with_it_and_takes_back_its_own() {
    let mut state = state();
    let other = coldkey(3);
    let stake = |amount| Call::AddStake { netuid: NETUID, hotkey: hotkey(0), amount: Rao(amount) };
    let unstake = |amount| Call::RemoveStake { netuid: NETUID, hotkey: hotkey(0), amount: Rao(amount) };
    let nobodys = Call::AddStake { netuid: NETUID, hotkey: Hotkey([9; 32]), amount: Rao(1) };
    assert_eq!(apply(&mut state, other.public(), nobodys), Err(Refusal::HotKeyAccountNotExists));
    assert!(apply(&mut state, other.public(), stake(40_000_000_000)).is_ok());
    assert!(apply(&mut state, hotkey(0).0, weights(&[(2, 1)])).is_ok());
    empty_blocks(&mut state, 2);
    let subnet = &state.subnets[&NETUID];
    let now = subnet.nominations[&(hotkey(0), other.coldkey())].0;
    let before = 1_000_000_000_000 + 40_000_000_000;
    let earned = subnet.stake(&hotkey(0)).0 - before;
    let expected = u128::from(earned) * 82 / 100 * 40 / 1_040;
    assert!(u128::from(now - 40_000_000_000).abs_diff(expected) < expected / 1_000, "{now} {expected}");
    let too_much = apply(&mut state, other.public(), unstake(now + 1));
    assert_eq!(too_much, Err(Refusal::NotEnoughStakeToWithdraw { staked: Rao(now) }));
    let all = state.subnets[&NETUID].stake(&hotkey(0)).0;
    let own = Refusal::NotEnoughStakeToWithdraw { staked: Rao(all - now) };
    assert_eq!(apply(&mut state, coldkey(0).public(), unstake(all)), Err(own));
    assert!(apply(&mut state, other.public(), unstake(now)).is_ok());
    assert!(state.subnets[&NETUID].nominations.is_empty());
}

#[test]
fn what_a_neuron_publishes_is_read_back() {
    let mut state = state();
    let call = |bytes| Call::SetCommitment { netuid: NETUID, data: vec![7; bytes] };
    let over = Refusal::SpaceLimitExceeded { bytes: 129, maximum: 128 };
    assert_eq!(apply(&mut state, hotkey(2).0, call(129)), Err(over));
    assert_eq!(apply(&mut state, [77; 32], call(1)), Err(Refusal::HotKeyNotRegisteredInSubNet));
    assert!(apply(&mut state, hotkey(2).0, call(128)).is_ok());
    assert_eq!(state.subnets[&NETUID].commitments[&hotkey(2)].block, Block(3));
    let endpoint = weighhouse_types::Axon::new("10.0.0.1:9100".parse().expect("an address"), 1, Block(0));
    let serve = Call::ServePrometheus { netuid: NETUID, endpoint };
    assert!(apply(&mut state, hotkey(2).0, serve.clone()).is_ok());
    let hasty = apply(&mut state, hotkey(2).0, serve);
    assert_eq!(hasty, Err(Refusal::ServingRateLimitExceeded { blocks: 2 }));
}
