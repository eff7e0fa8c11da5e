//! Changes by the owner: the schedule, and the mechanisms.

use super::super::*;
use super::world::*;
use crate::{Refusal, SetWeights};
use weighhouse_types::{Hyperparameters, Mechanisms};

fn by_owner(state: &mut State, call: Call) -> Result<Vec<Event>, Refusal> {
    apply(state, owner().public(), call)
}

fn with(rules: Hyperparameters) -> State {
    let mut file = file();
    file.subnets[0].hyperparameters = rules;
    State::genesis(&file)
}

fn epoch(state: &State) -> u64 {
    state.subnets[&NETUID].schedule.epoch.0
}

#[test]
fn a_new_tempo_starts_the_cycle_anew_and_not_just_before_an_epoch() {
    let mut state = with(Hyperparameters { tempo: 30, ..rules() });
    let set = |tempo| Call::SetTempo { netuid: NETUID, tempo };
    assert_eq!(apply(&mut state, coldkey(0).public(), set(20)), Err(Refusal::NotSubnetOwner));
    let bounds = Refusal::TempoOutOfBounds { minimum: 2, maximum: 50_400 };
    assert_eq!(by_owner(&mut state, set(1)), Err(bounds));
    assert_eq!(by_owner(&mut state, set(20)), Ok(vec![Event::TempoSet { netuid: NETUID, tempo: 20 }]));
    assert_eq!(by_owner(&mut state, set(21)), Err(Refusal::TxRateLimitExceeded { blocks: 1 }));
    empty_blocks(&mut state, 9);
    assert_eq!(state.block, Block(13));
    let blocks = 9;
    let closed = Refusal::AdminActionProhibitedDuringWeightsWindow { blocks };
    assert_eq!(by_owner(&mut state, set(21)), Err(closed));
    let factor = Call::SetActivityCutoffFactor { netuid: NETUID, factor_milli: 2_000 };
    assert!(by_owner(&mut state, factor).is_err());
    empty_blocks(&mut state, 7);
    assert_eq!((state.block, epoch(&state)), (Block(22), 0));
    empty_blocks(&mut state, 1);
    assert_eq!(epoch(&state), 1, "twenty blocks after the tempo was set in block 3");
}

#[test]
fn an_epoch_is_triggered_once_and_not_while_weights_are_hidden() {
    let trigger = || Call::TriggerEpoch { netuid: NETUID };
    let mut state = with(Hyperparameters { tempo: 100, ..rules() });
    assert_eq!(apply(&mut state, coldkey(0).public(), trigger()), Err(Refusal::NotSubnetOwner));
    let fires_at = Block(12);
    assert_eq!(by_owner(&mut state, trigger()), Ok(vec![Event::EpochTriggered { netuid: NETUID, fires_at }]));
    assert_eq!(by_owner(&mut state, trigger()), Err(Refusal::EpochTriggerAlreadyPending { at: fires_at }));
    empty_blocks(&mut state, 8);
    assert_eq!((state.block, epoch(&state)), (Block(11), 0));
    empty_blocks(&mut state, 1);
    assert_eq!((epoch(&state), state.subnets[&NETUID].schedule.last_epoch_block), (1, fires_at));
    empty_blocks(&mut state, 90);
    assert_eq!(by_owner(&mut state, trigger()), Err(Refusal::AutoEpochAlreadyImminent { blocks: 9 }));
    let mut hidden = with(Hyperparameters { commit_reveal_weights_enabled: true, ..rules() });
    assert_eq!(by_owner(&mut hidden, trigger()), Err(Refusal::DynamicTempoBlockedByCommitReveal));
}

#[test]
fn a_validator_is_inactive_after_the_cutoff() {
    let mut state = state();
    let call = |factor_milli| Call::SetActivityCutoffFactor { netuid: NETUID, factor_milli };
    let bounds = Refusal::ActivityCutoffFactorMilliOutOfBounds { minimum: 1_000, maximum: 50_000 };
    assert_eq!(by_owner(&mut state, call(999)), Err(bounds));
    assert!(by_owner(&mut state, call(1_000)).is_ok());
    assert!(apply(&mut state, hotkey(0).0, weights(&[(2, 1)])).is_ok());
    empty_blocks(&mut state, 2);
    let active =
        |state: &State| state.subnets[&NETUID].neurons.iter().map(|slot| slot.active).collect::<Vec<_>>();
    assert_eq!(active(&state)[..2], [true, true]);
    empty_blocks(&mut state, 5);
    assert_eq!(active(&state)[..2], [false, false], "five blocks and more without an update");
}

fn mechanisms(count: u8, split: Option<&[u16]>) -> Mechanisms {
    Mechanisms { count, emission_split: split.map(<[u16]>::to_vec) }
}

fn on(mechanism: u8, values: &[(u16, u16)]) -> Call {
    let Call::SetWeights(row) = weights(values) else { unreachable!("made above") };
    Call::SetWeights(SetWeights { mechanism: MechId(mechanism), ..row })
}

fn set(state: &mut State, mechanisms: Mechanisms) -> Result<Vec<Event>, Refusal> {
    by_owner(state, Call::SetMechanisms { netuid: NETUID, mechanisms })
}

#[test]
fn each_mechanism_pays_its_part_by_its_own_weights() {
    let mut state = state();
    let none = Refusal::MechanismDoesNotExist { mechanism: 1 };
    assert_eq!(apply(&mut state, hotkey(0).0, on(1, &[(2, 1)])), Err(none));
    assert!(set(&mut state, mechanisms(2, Some(&[16_384, 49_151]))).is_ok());
    assert_eq!(state.block, Block(2));
    empty_blocks(&mut state, 3);
    assert!(apply(&mut state, hotkey(0).0, on(0, &[(2, 1)])).is_ok());
    assert!(apply(&mut state, hotkey(0).0, on(1, &[(3, 1)])).is_ok(), "limited in rate apart");
    assert!(apply(&mut state, hotkey(1).0, on(0, &[(2, 1)])).is_ok());
    assert!(apply(&mut state, hotkey(1).0, on(1, &[(3, 1)])).is_ok());
    let before = state.subnets[&NETUID].clone();
    let outcome = state.apply_block(&[], &beacon()).expect("balances");
    assert!(matches!(outcome.events[..], [Event::EpochRun { .. }]), "{outcome:?}");
    let after = &state.subnets[&NETUID];
    let paid = |uid: u8| after.stake(&hotkey(uid)).0 - before.stake(&hotkey(uid)).0;
    assert!(paid(2) > 0 && paid(3).abs_diff(3 * paid(2)) < 1_000_000, "{} {}", paid(2), paid(3));
    let [main, further] = [0, 1].map(|mechanism| after.mechanism_rows(MechId(mechanism)).expect("there"));
    assert_eq!((main.incentive[2], main.incentive[3]), (65_535, 0));
    assert_eq!((further.incentive[2], further.incentive[3]), (0, 65_535));
    let bonds = after.bonds(MechId(1), Uid(0)).expect("there");
    assert!(matches!(bonds[..], [(Uid(3), 1..)]), "{bonds:?}");
    assert!(set(&mut state, mechanisms(1, None)).is_ok());
    assert_eq!(state.subnets[&NETUID].mechanism_rows(MechId(1)), None);
}

#[test]
fn a_new_neuron_begins_in_every_mechanism() {
    let mut state = state();
    assert!(set(&mut state, mechanisms(2, None)).is_ok());
    let hotkey = Hotkey([50; 32]);
    let register = Call::Register { netuid: NETUID, hotkey, limit: Rao(u64::MAX) };
    assert!(apply(&mut state, coldkey(0).public(), register).is_ok());
    let subnet = &state.subnets[&NETUID];
    assert_eq!(subnet.last_update(MechId(1), Uid(5)), Some(Block(2)));
    let wide = Hyperparameters { max_allowed_uids: 129, ..rules() };
    let call = Call::SetHyperparameters { netuid: NETUID, hyperparameters: Box::new(wide) };
    assert_eq!(by_owner(&mut state, call), Err(Refusal::TooManyUidsPerMechanism { maximum: 256 }));
}
