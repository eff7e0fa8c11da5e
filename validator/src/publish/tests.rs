//! Publications under each regime, by whole validators on the ledger, killed at every block.

mod world;

use std::path::Path;
use std::sync::Arc;

use weighhouse_chain::{Chain, Event};
use weighhouse_journal::Segment;
use weighhouse_seams::Entropy;
use weighhouse_types::{Block, Epoch, IntentState, MechId, Record, Uid};

pub(crate) use self::world::{Gate, owner_sets};
use crate::role::Validator;
use crate::testing::{Behaviour, NETUID, World};

const HIDDEN: [&str; 4] = ["intent", "sealed", "committing", "committed"];

pub(crate) fn word(state: &IntentState) -> &'static str {
    match state {
        IntentState::Signed { .. } => "signed",
        IntentState::Included { .. } => "included",
        IntentState::Published { .. } => "published",
        IntentState::Expired => "expired",
        IntentState::Failed { .. } => "failed",
        IntentState::Sealed { .. } => "sealed",
        IntentState::Committing { .. } => "committing",
        IntentState::Committed { .. } => "committed",
        IntentState::Revealing { .. } => "revealing",
        IntentState::Revealed { .. } => "revealed",
        IntentState::Missed { .. } => "missed",
    }
}

/// What the journal says of each epoch's weights, and the block of the last news.
fn stories(dir: &Path, epochs: u64) -> Vec<Vec<&'static str>> {
    let mut stories = vec![Vec::new(); usize::try_from(epochs).expect("few")];
    for epoch in 0..epochs {
        let file = std::fs::read(dir.join(weighhouse_journal::segment_name(Epoch(epoch)))).expect("its file");
        for record in Segment::read(&file).expect("a whole segment").records() {
            let (of, word) = match record {
                Record::Intent(intent) => (intent.epoch, "intent"),
                Record::IntentUpdate(update) => (update.epoch, word(&update.state)),
                _ => continue,
            };
            stories[usize::try_from(of.0).expect("few")].push(word);
        }
    }
    stories
}

/// Steps a validator through blocks; where it restarts, each life has randomness of its own.
async fn run(world: &World, chain: &Arc<dyn Chain>, dir: &Path, blocks: u8, restarts: bool) {
    let open = async |life: u8| {
        let mut parts = world.parts(dir);
        parts.chain = chain.clone();
        parts.entropy = Entropy::seeded([life; 32]);
        Validator::open(parts).await.expect("opened")
    };
    let mut validator = open(0).await;
    for block in 0..blocks {
        validator.step().await.expect("a step");
        if restarts {
            drop(validator);
            validator = open(block + 1).await;
        }
        world.ledger.produce_block().await.expect("a block");
    }
}

async fn count(world: &World, is: impl Fn(&Event) -> bool) -> usize {
    let head = world.ledger.head().await.expect("a head").number;
    let mut count = 0;
    for block in 1..=head.0 {
        count += world.ledger.events(Block(block)).await.expect("events").iter().filter(|e| is(e)).count();
    }
    count
}

async fn shown(world: &World) -> Vec<(Uid, u16)> {
    world.ledger.weights(NETUID, MechId(0), Uid(0)).await.expect("weights")
}

fn told(story: &[&'static str], last: &[&'static str]) -> bool {
    story == [&HIDDEN, last].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn timelocked_weights_are_opened_by_the_chain() {
    for restarts in [false, true] {
        let world = World::new(&[Behaviour::Honest, Behaviour::Gone]).await;
        owner_sets(&world, |rules| rules.commit_reveal_weights_enabled = true).await;
        let dir = tempfile::tempdir().expect("a folder");
        let chain: Arc<dyn Chain> = Arc::new(world.ledger.clone());
        run(&world, &chain, dir.path(), 40, restarts).await;
        let stories = stories(dir.path(), 4);
        for story in &stories[..3] {
            assert!(told(story, &["published"]), "restarts {restarts}: {stories:?}");
        }
        let committed =
            count(&world, |event| matches!(event, Event::TimelockedWeightsCommitted { .. })).await;
        assert_eq!(committed, 3);
        assert_eq!(count(&world, |event| matches!(event, Event::TimelockedWeightsRevealed { .. })).await, 3);
        assert_eq!(shown(&world).await, [(Uid(1), u16::MAX)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hashed_weights_are_revealed_with_the_salt_from_before_the_restart() {
    for restarts in [false, true] {
        let world = World::new(&[Behaviour::Honest]).await;
        owner_sets(&world, |rules| {
            rules.commit_reveal_weights_enabled = true;
            rules.reveal_period_epochs = 2;
        })
        .await;
        let dir = tempfile::tempdir().expect("a folder");
        let chain: Arc<dyn Chain> = Arc::new(Gate::without_beacon(&world.ledger));
        run(&world, &chain, dir.path(), 40, restarts).await;
        let stories = stories(dir.path(), 4);
        assert!(told(&stories[0], &["revealing", "revealed", "published"]), "{restarts}: {stories:?}");
        assert!(told(&stories[1], &["revealing", "revealed", "published"]), "{restarts}: {stories:?}");
        assert!(told(&stories[2], &[]), "{restarts}: {stories:?}");
        assert_eq!(count(&world, |event| matches!(event, Event::WeightsRevealed { .. })).await, 2);
        assert_eq!(shown(&world).await, [(Uid(1), u16::MAX)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reveal_that_never_came_is_found_in_the_epoch_after() {
    let world = World::new(&[Behaviour::Honest]).await;
    owner_sets(&world, |rules| rules.commit_reveal_weights_enabled = true).await;
    let dir = tempfile::tempdir().expect("a folder");
    let chain: Arc<dyn Chain> = Arc::new(Gate::without_reveals(&world.ledger));
    run(&world, &chain, dir.path(), 26, false).await;
    let stories = stories(dir.path(), 3);
    let is_told =
        stories[0].starts_with(&HIDDEN) && stories[0].ends_with(&["revealing", "committed", "missed"]);
    assert!(is_told, "{stories:?}");
    assert!(stories[1].starts_with(&HIDDEN), "the next epoch goes on: {stories:?}");
    assert_eq!(shown(&world).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn weights_that_the_chain_drops_unseen_are_reported() {
    let world = World::new(&[Behaviour::Honest, Behaviour::Gone]).await;
    owner_sets(&world, |rules| rules.commit_reveal_weights_enabled = true).await;
    let dir = tempfile::tempdir().expect("a folder");
    let chain: Arc<dyn Chain> = Arc::new(world.ledger.clone());
    run(&world, &chain, dir.path(), 8, false).await;
    // What was committed is too short by now.
    owner_sets(&world, |rules| rules.min_allowed_weights = 3).await;
    run(&world, &chain, dir.path(), 3, false).await;
    let stories = stories(dir.path(), 2);
    assert!(told(&stories[0], &["missed"]), "{stories:?}");
    assert_eq!(shown(&world).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_was_dropped_is_not_published_by_the_same_weights_of_an_earlier_epoch() {
    let world = World::new(&[Behaviour::Honest, Behaviour::Gone]).await;
    owner_sets(&world, |rules| rules.commit_reveal_weights_enabled = true).await;
    let dir = tempfile::tempdir().expect("a folder");
    let chain: Arc<dyn Chain> = Arc::new(world.ledger.clone());
    run(&world, &chain, dir.path(), 20, false).await;
    // What was committed to in the second epoch is too short by now; the first one's weights stay.
    owner_sets(&world, |rules| rules.min_allowed_weights = 3).await;
    run(&world, &chain, dir.path(), 3, false).await;
    let stories = stories(dir.path(), 3);
    assert!(told(&stories[0], &["published"]), "{stories:?}");
    assert!(told(&stories[1], &["missed"]), "{stories:?}");
    assert_eq!(shown(&world).await, [(Uid(1), u16::MAX)]);
    assert_eq!(count(&world, |event| matches!(event, Event::TimelockedWeightsRevealed { .. })).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_tells_no_events_has_nothing_called_published() {
    let world = World::new(&[Behaviour::Honest]).await;
    owner_sets(&world, |rules| rules.commit_reveal_weights_enabled = true).await;
    let dir = tempfile::tempdir().expect("a folder");
    let chain: Arc<dyn Chain> = Arc::new(Gate::without_events(&world.ledger));
    run(&world, &chain, dir.path(), 14, false).await;
    assert!(told(&stories(dir.path(), 1)[0], &["missed"]));
    assert_eq!(shown(&world).await, [(Uid(1), u16::MAX)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_whose_outcome_is_kept_no_more_are_settled_by_what_the_chain_shows() {
    let world = World::new(&[Behaviour::Honest]).await;
    let dir = tempfile::tempdir().expect("a folder");
    let chain: Arc<dyn Chain> = Arc::new(Gate::forgetting(&world.ledger));
    run(&world, &chain, dir.path(), 14, false).await;
    assert_eq!(stories(dir.path(), 1)[0], ["intent", "signed", "included", "published"]);

    let world = World::new(&[Behaviour::Honest]).await;
    owner_sets(&world, |rules| rules.commit_reveal_weights_enabled = true).await;
    let dir = tempfile::tempdir().expect("a folder");
    let chain: Arc<dyn Chain> = Arc::new(Gate::forgetting(&world.ledger));
    run(&world, &chain, dir.path(), 26, false).await;
    let stories = stories(dir.path(), 2);
    assert!(told(&stories[0], &["revealing", "revealed", "published"]), "{stories:?}");
    assert_eq!(shown(&world).await, [(Uid(1), u16::MAX)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_change_in_mid_epoch_are_met_by_an_intent_that_supersedes_the_first() {
    let world = World::new(&[Behaviour::Honest, Behaviour::Gone]).await;
    let dir = tempfile::tempdir().expect("a folder");
    let chain: Arc<dyn Chain> = Arc::new(world.ledger.clone());
    run(&world, &chain, dir.path(), 3, false).await;
    owner_sets(&world, |rules| rules.weights_version_key = 9).await;
    run(&world, &chain, dir.path(), 10, false).await;
    owner_sets(&world, |rules| rules.min_allowed_weights = 3).await;
    run(&world, &chain, dir.path(), 12, true).await;
    let stories = stories(dir.path(), 2);
    for story in &stories {
        assert_eq!(*story, ["intent", "intent", "signed", "included", "published"], "{stories:?}");
    }
    assert_eq!(shown(&world).await, [(Uid(0), 0), (Uid(1), u16::MAX), (Uid(2), 0)]);
    let file = std::fs::read(dir.path().join(weighhouse_journal::segment_name(Epoch(0)))).expect("its file");
    let segment = Segment::read(&file).expect("a whole segment");
    let intents: Vec<_> = segment
        .records()
        .iter()
        .filter_map(|record| match record {
            Record::Intent(intent) => Some(intent),
            _ => None,
        })
        .collect();
    let (superseded, why) = intents[1].supersedes.as_ref().expect("named");
    assert_eq!((*superseded, intents[1].version_key), (intents[0].id, 9));
    assert!(why.contains("IncorrectWeightVersionKey"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_changed_since_the_seal_was_made_are_met_before_the_commit_is_signed() {
    let world = World::new(&[Behaviour::Honest]).await;
    owner_sets(&world, |rules| rules.commit_reveal_weights_enabled = true).await;
    let dir = tempfile::tempdir().expect("a folder");
    let mut parts = world.parts(dir.path());
    parts.chain = Arc::new(Gate::rekeying(&world.ledger));
    let mut validator = Validator::open(parts).await.expect("opened");
    let mut failed = 0;
    for _ in 0..20 {
        failed += usize::from(validator.step().await.is_err());
        world.ledger.produce_block().await.expect("a block");
    }
    assert_eq!(failed, 1);
    let stories = stories(dir.path(), 2);
    let expected =
        ["intent", "sealed", "expired", "intent", "sealed", "committing", "committed", "published"];
    assert_eq!(stories[0], expected, "{stories:?}");
    assert_eq!(shown(&world).await, [(Uid(1), u16::MAX)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_that_ends_in_refusals_says_so() {
    let world = World::new(&[Behaviour::Honest]).await;
    let dir = tempfile::tempdir().expect("a folder");
    let chain: Arc<dyn Chain> = Arc::new(world.ledger.clone());
    run(&world, &chain, dir.path(), 3, false).await;
    owner_sets(&world, |rules| rules.weights_set_rate_limit = 1_000).await;
    // The first weights have none before them to wait for.
    run(&world, &chain, dir.path(), 24, false).await;
    let stories = stories(dir.path(), 2);
    assert_eq!(stories[1], ["intent", "failed"], "{stories:?}");
    let why = (1..3).find_map(|epoch| {
        let file = std::fs::read(dir.path().join(weighhouse_journal::segment_name(Epoch(epoch)))).ok()?;
        Segment::read(&file).expect("whole").records().iter().find_map(|record| match record {
            Record::IntentUpdate(update) => match &update.state {
                IntentState::Failed { why } => Some(why.clone()),
                _ => None,
            },
            _ => None,
        })
    });
    let why = why.expect("on record");
    assert!(why.contains("SettingWeightsTooFast"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_regime_that_changes_on_the_way_costs_no_epoch() {
    let world = World::new(&[Behaviour::Honest]).await;
    let dir = tempfile::tempdir().expect("a folder");
    let switched = Gate::switching(&world.ledger);
    let chain: Arc<dyn Chain> = Arc::new(switched);
    run(&world, &chain, dir.path(), 26, true).await;
    let stories = stories(dir.path(), 2);
    let expected = ["intent", "signed", "expired", "sealed", "committing", "committed", "published"];
    assert_eq!(stories[0], expected, "{stories:?}");
    assert_eq!(shown(&world).await, [(Uid(1), u16::MAX)]);
}
