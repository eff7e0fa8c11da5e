use std::num::NonZeroU32;

use weighhouse_types::Netuid;
use weighhouse_wallet::http::GrpcCode;

use super::*;
use crate::testing::{TestClock, neuron};

const VALIDATOR: Hotkey = Hotkey([1; 32]);
const POOR: Hotkey = Hotkey([2; 32]);
const MINER: Hotkey = Hotkey([3; 32]);
const FRIEND: Hotkey = Hotkey([4; 32]);
const STRANGER: Hotkey = Hotkey([5; 32]);

fn rules(permit_required: bool, stake_min: u64) -> config::Admission {
    config::Admission {
        permit_required,
        stake_min: Rao::from_tao(stake_min),
        requests_per_second: NonZeroU32::new(2).expect("not 0"),
        burst: NonZeroU32::new(3).expect("not 0"),
        allow: [FRIEND].into(),
    }
}

fn gate(permit_required: bool, stake_min: u64) -> (Gate, Arc<TestClock>, watch::Sender<Arc<Roster>>) {
    let (_, rules) = watch::channel(Arc::new(rules(permit_required, stake_min)));
    gate_of(rules)
}

fn gate_of(
    rules: watch::Receiver<Arc<config::Admission>>,
) -> (Gate, Arc<TestClock>, watch::Sender<Arc<Roster>>) {
    let metagraph = Metagraph {
        netuid: Netuid(1),
        block: Block(7),
        owner: None,
        neurons: vec![neuron(0, VALIDATOR, 100, true), neuron(1, POOR, 1, true), neuron(2, MINER, 50, false)],
    };
    let (sender, receiver) = watch::channel(Arc::new(Roster::from(&metagraph)));
    let clock = TestClock::new();
    let places = Places::new(PlaceLimits {
        proven: 12,
        unproven: 100,
        unproven_per_network: 100,
        unproven_bytes: 100,
    });
    let callers = Callers::new(clock.clone());
    (Gate::new(rules, receiver, places, callers, clock.clone()), clock, sender)
}

fn standing(gate: &Gate, hotkey: &Hotkey) -> Result<(), GrpcCode> {
    gate.admit(hotkey).map_err(|refusal| refusal.code())
}

fn charge(gate: &Gate, hotkey: &Hotkey) -> Result<(), GrpcCode> {
    gate.charge(hotkey, &Extensions::new()).map_err(|refusal| refusal.code())
}

#[test]
fn standing_follows_permit_stake_and_the_allow_list() {
    let (strict, ..) = gate(true, 10);
    assert_eq!(standing(&strict, &VALIDATOR), Ok(()));
    assert_eq!(standing(&strict, &POOR), Err(GrpcCode::PermissionDenied));
    assert_eq!(standing(&strict, &MINER), Err(GrpcCode::PermissionDenied));
    assert_eq!(standing(&strict, &FRIEND), Ok(()));
    assert_eq!(standing(&strict, &STRANGER), Err(GrpcCode::PermissionDenied));
    let (lenient, ..) = gate(false, 0);
    assert_eq!(standing(&lenient, &MINER), Ok(()));
    assert_eq!(standing(&lenient, &STRANGER), Err(GrpcCode::PermissionDenied));
}

#[test]
fn a_quota_is_one_hotkeys_and_fills_again() {
    let (gate, clock, _roster) = gate(true, 0);
    assert!((0..3).all(|_| charge(&gate, &VALIDATOR).is_ok()));
    assert_eq!(charge(&gate, &VALIDATOR), Err(GrpcCode::ResourceExhausted));
    assert_eq!(charge(&gate, &POOR), Ok(()));
    clock.advance(Duration::from_millis(500));
    assert_eq!(charge(&gate, &VALIDATOR), Ok(()));
    assert_eq!(charge(&gate, &VALIDATOR), Err(GrpcCode::ResourceExhausted));
}

#[test]
fn what_the_operator_changes_counts_from_then_on_and_gives_nobody_a_quota_back() {
    let (sender, receiver) = watch::channel(Arc::new(rules(true, 0)));
    let (gate, ..) = gate_of(receiver);
    assert!((0..3).all(|_| charge(&gate, &VALIDATOR).is_ok()));
    sender.send_replace(Arc::new(rules(true, 10)));
    assert_eq!(charge(&gate, &POOR), Err(GrpcCode::PermissionDenied));
    assert_eq!(charge(&gate, &VALIDATOR), Err(GrpcCode::ResourceExhausted), "used up before");
    let burst = NonZeroU32::new(4).expect("not 0");
    sender.send_replace(Arc::new(config::Admission { burst, ..rules(true, 10) }));
    assert!((0..4).all(|_| charge(&gate, &VALIDATOR).is_ok()), "another quota");
}

#[test]
fn strangers_take_no_memory_and_idle_hotkeys_are_forgotten() {
    let (gate, clock, _roster) = gate(true, 0);
    for byte in 10..200 {
        assert_eq!(charge(&gate, &Hotkey([byte; 32])), Err(GrpcCode::PermissionDenied));
    }
    assert_eq!(gate.rules().quotas.len(), 0);
    assert_eq!(charge(&gate, &VALIDATOR), Ok(()));
    assert_eq!(gate.rules().quotas.len(), 1);
    clock.advance(Duration::from_secs(60));
    gate.forget_idle();
    assert_eq!(gate.rules().quotas.len(), 0);
}

#[test]
fn a_new_roster_counts_from_then_on() {
    let (gate, _clock, roster) = gate(true, 0);
    assert_eq!(charge(&gate, &VALIDATOR), Ok(()));
    roster.send_replace(Arc::new(Roster::default()));
    assert_eq!(charge(&gate, &VALIDATOR), Err(GrpcCode::PermissionDenied));
}

#[test]
fn half_of_the_places_are_divided_by_stake_among_those_who_may_ask() {
    let (gate, ..) = gate(true, 0);
    // 100 and 1 TAO of stake; the third has no permit.
    assert_eq!((gate.own_places(&VALIDATOR), gate.own_places(&POOR)), (4, 1));
    assert_eq!(gate.own_places(&FRIEND), 1, "the operator's own list has no stake");
}

#[test]
fn refusals_in_a_validators_name_are_told_and_no_strangers() {
    let (gate, clock, _roster) = gate(true, 10);
    let claims = |hotkey| Claims { hotkey, receiver: None, nonce: clock.now().0, signature: [0; 64] };
    let late = || Refusal::Auth(AuthError::Stale(Duration::from_secs(63)));
    let now = clock.now().saturating_add(Duration::from_secs(63));
    for (hotkey, told) in [(VALIDATOR, true), (POOR, true), (FRIEND, true), (MINER, false), (STRANGER, false)]
    {
        gate.refused(&claims(hotkey), false, &late(), now);
        assert_eq!(gate.callers.has_told(&hotkey, false, "stale"), told, "{hotkey}");
    }
    let advice = advice(&claims(VALIDATOR), &late(), now);
    assert!(advice.contains("-63.0 s apart") && advice.contains("NTP"), "{advice}");
    assert!(!gate.callers.has_told(&VALIDATOR, false, "signature"), "each reason by itself");
    assert!(
        !gate.callers.has_told(&VALIDATOR, true, "stale"),
        "what anybody can send hides nothing that is proven"
    );
    assert_eq!(gate.callers.take().refused, 3);
}
