//! Weights of other software on the ledger, killed at every block.

use std::path::Path;
use std::sync::Arc;

use weighhouse_chain::Event;
use weighhouse_seams::DirStorage;

use super::*;
use crate::audit::audit;
use crate::error::ValidatorError;
use crate::publish::tests::owner_sets;
use crate::role::Validator;
use crate::testing::{Behaviour, NETUID, World, validator};

fn parts(world: &World, keypair: Keypair, dir: &Path) -> PutParts {
    PutParts {
        netuid: NETUID,
        mechanism: MechId(0),
        keypair: Arc::new(keypair),
        chain: Arc::new(world.ledger.clone()),
        clock: Arc::new(weighhouse_seams::SystemClock::new()),
        entropy: Entropy::seeded([3; 32]),
        storage: Arc::new(DirStorage::open(dir).expect("a folder of our own")),
    }
}

async fn open(world: &World, dir: &Path) -> Put {
    Put::open(parts(world, validator(), dir)).await.expect("opened")
}

async fn world() -> World {
    World::new(&[Behaviour::Gone, Behaviour::Gone]).await
}

/// Follows until the newest publication has come to its end.
async fn follow(world: &World, dir: &Path, mut put: Put, restarts: bool) -> IntentState {
    for _ in 0..40 {
        put.step().await.expect("a step");
        let newest = put.publications().last().cloned().expect("an intent");
        if let Some(state) = newest.state.filter(IntentState::is_final) {
            return state;
        }
        if restarts {
            drop(put);
            put = open(world, dir).await;
        }
        world.ledger.produce_block().await.expect("a block");
    }
    panic!("no end after 40 blocks")
}

async fn shown(world: &World) -> Vec<(Uid, u16)> {
    world.ledger.weights(NETUID, MechId(0), Uid(0)).await.expect("weights")
}

async fn count(world: &World, is: impl Fn(&Event) -> bool) -> usize {
    let head = world.ledger.head().await.expect("a head").number;
    let mut count = 0;
    for block in 1..=head.0 {
        count += world.ledger.events(Block(block)).await.expect("events").iter().filter(|e| is(e)).count();
    }
    count
}

fn file(dir: &Path, epoch: Epoch) -> Vec<u8> {
    std::fs::read(dir.join(weighhouse_journal::segment_name(epoch))).expect("its file")
}

#[tokio::test(flavor = "multi_thread")]
async fn weights_are_published_once_whenever_the_process_dies_and_however_the_chain_takes_them() {
    for (hidden, restarts) in [(false, false), (false, true), (true, false), (true, true)] {
        let world = world().await;
        if hidden {
            owner_sets(&world, |rules| rules.commit_reveal_weights_enabled = true).await;
        }
        let dir = tempfile::tempdir().expect("a folder");
        let mut put = open(&world, dir.path()).await;
        let epoch = put.intend(&[(Uid(2), 3.0), (Uid(1), 1.0)]).await.expect("intended");
        let state = follow(&world, dir.path(), put, restarts).await;
        assert!(matches!(state, IntentState::Published { .. }), "{hidden} {restarts}: {state:?}");
        assert_eq!(shown(&world).await, [(Uid(1), 21_845), (Uid(2), u16::MAX)]);
        let set = count(&world, |event| matches!(event, Event::WeightsSet { .. })).await;
        let committed =
            count(&world, |event| matches!(event, Event::TimelockedWeightsCommitted { .. })).await;
        // The reveal sets them too.
        assert_eq!((set, committed), (1, usize::from(hidden)));
        let audited = audit(&file(dir.path(), epoch)).expect("auditable");
        assert_eq!(audited.problems, Vec::<String>::new());
        assert!(audited.scored_elsewhere && audited.vector.is_none() && audited.not_rederived.is_empty());
        assert_eq!(audited.intended.expect("a vector").get(Uid(2)), u16::MAX);
        assert!(audited.published_at.is_some(), "it is the newest file, so that the news stand in it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_has_one_vector_and_the_same_weights_again_are_no_second() {
    let world = world().await;
    let dir = tempfile::tempdir().expect("a folder");
    let mut put = open(&world, dir.path()).await;
    let weights = [(Uid(1), 1.0)];
    put.intend(&weights).await.expect("intended");
    put.intend(&weights).await.expect("the same");
    let other = put.intend(&[(Uid(2), 1.0)]).await.expect_err("another");
    assert!(matches!(other, PutError::UnderWay { .. }), "{other}");
    follow(&world, dir.path(), put, false).await;
    let mut put = open(&world, dir.path()).await;
    put.intend(&weights).await.expect("the same, published already");
    let other = put.intend(&[(Uid(2), 1.0)]).await.expect_err("another");
    assert!(matches!(other, PutError::Published { .. }), "{other}");
    assert_eq!(count(&world, |event| matches!(event, Event::WeightsSet { .. })).await, 1);
    let epoch = world.ledger.subnet(NETUID).await.expect("a subnet").schedule.epoch;
    while world.ledger.subnet(NETUID).await.expect("a subnet").schedule.epoch == epoch {
        world.ledger.produce_block().await.expect("a block");
    }
    put.intend(&[(Uid(2), 1.0)]).await.expect("the next epoch's");
    follow(&world, dir.path(), put, false).await;
    assert_eq!(shown(&world).await, [(Uid(2), u16::MAX)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_chain_would_refuse_is_refused_before_anything_is_journalled() {
    let world = world().await;
    let dir = tempfile::tempdir().expect("a folder");
    let miner = Keypair::from_uri("//miner0").expect("a key");
    let mut put = Put::open(parts(&world, miner, dir.path())).await.expect("registered");
    let error = put.intend(&[(Uid(2), 1.0)]).await.expect_err("no permit");
    assert!(matches!(error, PutError::Refused(Refusal::NeuronNoValidatorPermit)), "{error}");
    let mut put = {
        drop(put);
        open(&world, dir.path()).await
    };
    let error = put.intend(&[(Uid(1), f64::NAN)]).await.expect_err("no number");
    assert!(matches!(error, PutError::Weights(_)), "{error}");
    assert!(matches!(put.intend(&[(Uid(9), 1.0)]).await, Err(PutError::Weights(_))));
    drop(put);
    let stranger = Keypair::from_uri("//Stranger").expect("a key");
    let error = Put::open(parts(&world, stranger, dir.path())).await.expect_err("not registered");
    assert!(matches!(error, PutError::NotRegistered { .. }), "{error}");
    assert_eq!(std::fs::read_dir(dir.path()).expect("listed").count(), 1, "the lock alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_judging_validators_folder_and_this_ones_are_never_taken_for_each_other() {
    let world = World::new(&[Behaviour::Honest]).await;
    let (judging, given) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let mut role = Validator::open(world.parts(judging.path())).await.expect("opened");
    role.step().await.expect("a step");
    drop(role);
    let error = Put::open(parts(&world, validator(), judging.path())).await.expect_err("it judges");
    assert!(matches!(error, PutError::Judges { .. }), "{error}");
    let mut put = open(&world, given.path()).await;
    put.intend(&[(Uid(1), 1.0)]).await.expect("intended");
    drop(put);
    let error = Validator::open(world.parts(given.path())).await.expect_err("it is given its weights");
    assert!(matches!(error, ValidatorError::ScoredElsewhere { .. }), "{error}");
}
