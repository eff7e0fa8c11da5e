//! Commit-reveal: what waits, when it is revealed, and what it then does.

use super::super::*;
use super::world::*;
use crate::rules::reveal;
use crate::timelock::{WeightsPayload, seal_weights};
use crate::{Refusal, Reveal, SetWeights};
use weighhouse_types::{CommitContent, Hyperparameters};

fn hidden_rules() -> Hyperparameters {
    Hyperparameters { commit_reveal_weights_enabled: true, ..rules() }
}

/// As the others' world, with commit-reveal on.
fn hidden() -> State {
    let mut file = file();
    file.subnets[0].hyperparameters = hidden_rules();
    State::genesis(&file)
}

fn row(values: &[(u16, u16)]) -> SetWeights {
    let Call::SetWeights(row) = weights(values) else { unreachable!("made above") };
    row
}

fn hash(uid: u8, row: &SetWeights, salt: &[u16]) -> Digest {
    let index = reveal::storage_index(row.netuid, row.mechanism);
    reveal::commit_hash(&hotkey(uid), index, &row.uids, &row.values, salt, row.version_key)
}

fn commit(uid: u8, row: &SetWeights, salt: &[u16]) -> Call {
    Call::CommitWeights { netuid: NETUID, mechanism: row.mechanism, hash: hash(uid, row, salt) }
}

fn reveal(row: &SetWeights, salt: &[u16]) -> Call {
    Call::RevealWeights { weights: row.clone(), salt: salt.to_vec() }
}

fn sealed(uid: u8, row: &SetWeights, reveal_round: u64) -> Call {
    let payload = WeightsPayload {
        hotkey: hotkey(uid).0.to_vec(),
        uids: row.uids.clone(),
        values: row.values.clone(),
        version_key: row.version_key,
    };
    let key = beacon().public_key();
    let ciphertext = seal_weights(&key, reveal_round, &payload, &mut entropy()).expect("seals");
    let mechanism = row.mechanism;
    Call::CommitTimelockedWeights { netuid: NETUID, mechanism, ciphertext, reveal_round, version: 4 }
}

fn stored(state: &State, uid: u8) -> Vec<(Uid, u16)> {
    state.subnets[&NETUID].neurons[usize::from(uid)].weights.clone()
}

fn waiting(state: &State, uid: u8) -> usize {
    state.waiting_commits(NETUID, MechId(0), &hotkey(uid)).expect("a subnet").len()
}

#[test]
fn plain_weights_are_refused_while_commit_reveal_is_on_and_commits_while_it_is_off() {
    let mut state = hidden();
    assert_eq!(apply(&mut state, hotkey(0).0, weights(&[(2, 1)])), Err(Refusal::CommitRevealEnabled));
    let mut open = super::world::state();
    for call in
        [commit(0, &row(&[(2, 1)]), &[1]), reveal(&row(&[(2, 1)]), &[1]), sealed(0, &row(&[(2, 1)]), 9)]
    {
        assert_eq!(apply(&mut open, hotkey(0).0, call), Err(Refusal::CommitRevealDisabled));
    }
}

#[test]
fn hashed_weights_are_revealed_in_exactly_the_epoch_after() {
    let (mut state, row, salt) = (hidden(), row(&[(2, 4), (3, 2)]), [7, 8]);
    let me = hotkey(0).0;
    assert!(apply(&mut state, me, commit(0, &row, &salt)).is_ok());
    assert_eq!(state.subnets[&NETUID].neurons[0].last_update, Block(1), "the commit is the update");
    let early = Refusal::RevealTooEarly { epoch: 1, now: 0 };
    assert_eq!(apply(&mut state, me, reveal(&row, &salt)), Err(early));
    empty_blocks(&mut state, 3);
    let other = reveal(&row, &[9]);
    let Err(Refusal::InvalidRevealCommitHashNotMatch { .. }) = apply(&mut state, me, other) else {
        panic!("another salt")
    };
    assert_eq!(apply(&mut state, hotkey(1).0, reveal(&row, &salt)), Err(Refusal::NoWeightsCommitFound));
    let mut late = state.clone();
    let events = apply(&mut state, me, reveal(&row, &salt)).expect("in time");
    let set = Event::WeightsSet { netuid: NETUID, mechanism: MechId(0), uid: Uid(0) };
    let hash = hash(0, &row, &salt);
    let revealed = Event::WeightsRevealed { netuid: NETUID, mechanism: MechId(0), hotkey: hotkey(0), hash };
    assert_eq!(events, [set, revealed]);
    assert_eq!(stored(&state, 0), [(Uid(2), 65_535), (Uid(3), 32_768)]);
    assert_eq!(state.subnets[&NETUID].neurons[0].last_update, Block(1), "the reveal is none");
    assert_eq!(apply(&mut state, me, reveal(&row, &salt)), Err(Refusal::NoWeightsCommitFound));
    empty_blocks(&mut late, u64::from(TEMPO));
    assert_eq!(waiting(&late, 0), 0);
    assert_eq!(apply(&mut late, me, reveal(&row, &salt)), Err(Refusal::ExpiredWeightCommit));
}

#[test]
fn commits_are_limited_in_rate_and_in_number() {
    let mut file = file();
    file.subnets[0].hyperparameters = Hyperparameters { tempo: 100, ..hidden_rules() };
    let mut state = State::genesis(&file);
    let me = hotkey(0).0;
    for salt in 0..10 {
        assert!(apply(&mut state, me, commit(0, &row(&[(2, 1)]), &[salt])).is_ok(), "{salt}");
        let hasty = apply(&mut state, me, commit(0, &row(&[(2, 1)]), &[99]));
        assert_eq!(hasty, Err(Refusal::CommittingWeightsTooFast { blocks: 1 }));
    }
    assert_eq!(waiting(&state, 0), 10);
    let many = apply(&mut state, me, commit(0, &row(&[(2, 1)]), &[10]));
    assert_eq!(many, Err(Refusal::TooManyUnrevealedCommits { maximum: 10 }));
    assert!(apply(&mut state, me, sealed(0, &row(&[(2, 1)]), 1_000)).is_ok(), "counted apart");
}

#[test]
fn a_batch_is_revealed_as_a_whole_or_not_at_all() {
    let mut state = hidden();
    let me = hotkey(0).0;
    let rows = [row(&[(2, 1)]), row(&[(3, 1)])];
    for (salt, row) in (1..).zip(&rows) {
        assert!(apply(&mut state, me, commit(0, row, &[salt])).is_ok());
        empty_blocks(&mut state, 1);
    }
    empty_blocks(&mut state, 1);
    let reveals = |salts: [u16; 2]| {
        let one = |(row, salt): (&SetWeights, u16)| Reveal {
            uids: row.uids.clone(),
            values: row.values.clone(),
            salt: vec![salt],
            version_key: 0,
        };
        let reveals = rows.iter().zip(salts).map(one).collect();
        Call::BatchRevealWeights { netuid: NETUID, reveals }
    };
    let wrong = apply(&mut state, me, reveals([1, 9]));
    assert!(matches!(wrong, Err(Refusal::InvalidRevealCommitHashNotMatch { .. })), "{wrong:?}");
    assert_eq!((stored(&state, 0).len(), waiting(&state, 0)), (0, 2));
    assert!(apply(&mut state, me, reveals([1, 2])).is_ok());
    assert_eq!((stored(&state, 0), waiting(&state, 0)), (vec![(Uid(3), 65_535)], 0));
}

#[test]
fn timelocked_weights_open_by_themselves_when_their_round_has_come() {
    let mut state = hidden();
    assert!(apply(&mut state, hotkey(0).0, sealed(0, &row(&[(2, 4), (3, 2)]), 5)).is_ok());
    assert!(apply(&mut state, hotkey(1).0, sealed(1, &row(&[(4, 1)]), 7)).is_ok());
    let commits = state.waiting_commits(NETUID, MechId(0), &hotkey(1)).expect("a subnet");
    assert!(matches!(commits[0].content, CommitContent::Timelocked { reveal_round: 7, .. }));
    empty_blocks(&mut state, 2);
    assert_eq!(state.block, Block(4));
    assert!(stored(&state, 0).is_empty());
    let outcome = state.apply_block(&[], &beacon()).expect("balances");
    let revealed =
        Event::TimelockedWeightsRevealed { netuid: NETUID, mechanism: MechId(0), hotkey: hotkey(0) };
    assert!(
        outcome.events.contains(&revealed),
        "in the epoch's own block, before it is computed: {outcome:?}"
    );
    assert_eq!(stored(&state, 0), [(Uid(2), 65_535), (Uid(3), 32_768)]);
    empty_blocks(&mut state, 1);
    assert!(stored(&state, 1).is_empty(), "its round is to come: it waits within the epoch");
    empty_blocks(&mut state, 1);
    assert_eq!(stored(&state, 1), [(Uid(4), 65_535)]);
    assert_eq!(waiting(&state, 1), 0);
}

#[test]
fn what_cannot_be_opened_or_is_refused_is_dropped_and_what_comes_too_late_expires() {
    let mut state = hidden();
    let foreign = sealed(1, &row(&[(2, 1)]), 5);
    assert!(apply(&mut state, hotkey(0).0, foreign).is_ok(), "nobody can see whose it is yet");
    assert!(apply(&mut state, hotkey(1).0, sealed(1, &row(&[(9, 1)]), 5)).is_ok());
    empty_blocks(&mut state, 3);
    assert_eq!((stored(&state, 0).len(), waiting(&state, 0)), (0, 0));
    assert_eq!((stored(&state, 1).len(), waiting(&state, 1)), (0, 0));
    assert!(apply(&mut state, hotkey(0).0, sealed(0, &row(&[(2, 1)]), 15)).is_ok());
    empty_blocks(&mut state, 10);
    assert_eq!((stored(&state, 0).len(), waiting(&state, 0)), (0, 0), "its epoch was over before its round");
}

#[test]
fn a_timelocked_commit_is_refused_by_name() {
    let mut state = hidden();
    empty_blocks(&mut state, 9);
    let with = |change: fn(&mut u64, &mut u16, &mut Vec<u8>)| {
        let (mut reveal_round, mut version, mut ciphertext) = (20, 4, vec![1]);
        change(&mut reveal_round, &mut version, &mut ciphertext);
        let mechanism = MechId(0);
        Call::CommitTimelockedWeights { netuid: NETUID, mechanism, ciphertext, reveal_round, version }
    };
    let cases = [
        (with(|round, _, _| *round = 9), Refusal::InvalidRevealRound { round: 9, last: 10 }),
        (with(|_, version, _| *version = 3), Refusal::IncorrectCommitRevealVersion { required: 4 }),
        (
            with(|_, _, bytes| *bytes = vec![0; 5_001]),
            Refusal::CommitTooLarge { bytes: 5_001, maximum: 5_000 },
        ),
    ];
    for (call, refusal) in cases {
        let mut state = state.clone();
        assert_eq!(apply(&mut state, hotkey(0).0, call), Err(refusal));
    }
    let stranger = apply(&mut state, [77; 32], with(|_, _, _| {}));
    assert_eq!(stranger, Err(Refusal::HotKeyNotRegisteredInSubNet));
}

/// Weights committed to before a neuron came can't have meant it.
#[test]
fn weights_on_a_neuron_that_came_after_the_commit_are_masked() {
    let mut state = hidden();
    for uid in 0..VALIDATORS {
        assert!(apply(&mut state, hotkey(uid).0, commit(uid, &row(&[(2, 1), (3, 1)]), &[1])).is_ok());
    }
    empty_blocks(&mut state, 1);
    let subnet = state.subnets.get_mut(&NETUID).expect("there");
    subnet.neurons[3].registered_at = Block(3);
    for uid in 0..usize::from(VALIDATORS) {
        subnet.neurons[uid].weights = vec![(Uid(2), 65_535), (Uid(3), 65_535)];
        subnet.neurons[uid].last_update = Block(4);
    }
    empty_blocks(&mut state, 2);
    let neurons = &state.subnets[&NETUID].neurons;
    assert_eq!((neurons[2].incentive, neurons[3].incentive), (65_535, 0));
}

/// Every commit of a validator that asks the rules for its round is opened in its epoch, whatever its owner does between
/// commits.
#[test]
fn no_reveal_is_missed_over_a_thousand_epochs() {
    let mut file = file();
    file.subnets[0].hyperparameters = Hyperparameters { reveal_period_epochs: 2, ..hidden_rules() };
    let mut state = State::genesis(&file);
    let (mut revealed, mut commits) = (0, 0);
    let mut draw = 1u64;
    while state.subnets[&NETUID].schedule.epoch.0 < 1_000 {
        draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let subnet = &state.subnets[&NETUID];
        let quiet = waiting(&state, 0) == 0;
        if quiet && draw >> 62 == 0 {
            let tempo = 4 + u16::try_from((draw >> 40) % 9).expect("small");
            let _ = apply(&mut state, owner().public(), Call::SetTempo { netuid: NETUID, tempo });
        } else if quiet {
            let first = reveal::first_reveal_block(&subnet.schedule, state.block, 2).expect("it runs");
            let signer = hotkey(0).0;
            commits += usize::from(apply(&mut state, signer, sealed(0, &row(&[(2, 1)]), first.0)).is_ok());
        }
        let outcome = state.apply_block(&[], &beacon()).expect("balances");
        let opened = |event: &&Event| matches!(event, Event::TimelockedWeightsRevealed { .. });
        revealed += outcome.events.iter().filter(opened).count();
    }
    assert!(commits > 200, "{commits}");
    assert!(revealed == commits || revealed + 1 == commits, "{revealed} of {commits}");
}
