mod agreement;

use std::sync::Arc;

use weighhouse_chain::{Chain, Event};
use weighhouse_journal::{Journal, Segment};
use weighhouse_models::Builtin;
use weighhouse_seams::{BoxIo, Dialer, Listener as _, TcpBound, TcpDialer};
use weighhouse_types::{AnswerReceipt, Block, Epoch, Failure, MechId, Reason, Record, Uid, VoidCause};
use weighhouse_wallet::keypair::Keypair;

mod start;
mod task;

use super::*;
use crate::audit::{audit, audit_receipts};
use crate::canary::Canary;
use crate::parts::{Parts, Retention};
use crate::publish::tests::Gate;
use crate::testing::{Behaviour, ManualClock, NETUID, World};

fn journal_file(dir: &std::path::Path, epoch: u64) -> Vec<u8> {
    std::fs::read(dir.join(weighhouse_journal::segment_name(Epoch(epoch)))).expect("the epoch's file")
}

/// Steps the validator and makes blocks up to the end of the first epoch and a little beyond.
async fn run_first_epoch(world: &World, dir: &std::path::Path, restart_each_block: bool) {
    let mut validator = Validator::open(world.parts(dir)).await.expect("opened");
    for _ in 0..14 {
        validator.step().await.expect("a step");
        if restart_each_block {
            drop(validator);
            validator = Validator::open(world.parts(dir)).await.expect("opened again");
        }
        world.ledger.produce_block().await.expect("a block");
    }
}

async fn publications(world: &World) -> usize {
    let head = world.ledger.head().await.expect("a head").number;
    let mut count = 0;
    for block in 1..=head.0 {
        let events = world.ledger.events(Block(block)).await.expect("events");
        count += events.iter().filter(|event| matches!(event, Event::WeightsSet { .. })).count();
    }
    count
}

fn reasons(file: &[u8], uid: u16) -> Vec<Reason> {
    let segment = Segment::read(file).expect("a whole segment");
    let judged = segment.records().iter().filter_map(|record| match record {
        Record::Judged(judged) if judged.uid == Uid(uid) => Some(judged.judgement.reasons.clone()),
        _ => None,
    });
    judged.flatten().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_misbehaviour_costs_that_miner_only() {
    use Behaviour::{Forger, Garbage, Gone, HangsUp, Honest, Oversized, Refuses, Silent, Unsigned};
    let world =
        World::new(&[Honest, Forger, Unsigned, Garbage, Oversized, Silent, HangsUp, Refuses, Gone, Honest])
            .await;
    let dir = tempfile::tempdir().expect("a folder");
    run_first_epoch(&world, dir.path(), false).await;

    let file = journal_file(dir.path(), 0);
    let first = |uid| reasons(&file, uid).into_iter().next().expect("judged");
    let silent = |failure| Reason::Silent { failure };
    assert!(matches!(first(1), Reason::Conforms { .. }), "{:?}", first(1));
    assert_eq!(first(2), silent(Failure::BadSignature));
    assert_eq!(first(3), silent(Failure::BadSignature));
    assert_eq!(first(4), silent(Failure::Undecodable));
    assert_eq!(first(5), silent(Failure::Oversized));
    assert_eq!(first(6), silent(Failure::DeadlineExceeded));
    assert_eq!(first(7), silent(Failure::Unreachable));
    assert_eq!(first(8), silent(Failure::Status { code: 8 }));
    assert_eq!(first(9), silent(Failure::Unreachable));
    assert!(matches!(first(10), Reason::Conforms { .. }));
    let stored = world.ledger.weights(NETUID, MechId(0), Uid(0)).await.expect("weights");
    assert_eq!(stored, [(Uid(1), u16::MAX), (Uid(10), u16::MAX)]);
    assert_eq!(publications(&world).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_restarted_at_every_block_publishes_the_same_vector_once() {
    let behaviours = [Behaviour::Honest, Behaviour::Gone, Behaviour::Honest];
    let mut files = Vec::new();
    for restart in [false, true] {
        let world = World::new(&behaviours).await;
        let dir = tempfile::tempdir().expect("a folder");
        run_first_epoch(&world, dir.path(), restart).await;
        assert_eq!(publications(&world).await, 1);
        files.push(journal_file(dir.path(), 0));
    }
    let audited: Vec<_> = files.iter().map(|file| audit(file).expect("auditable")).collect();
    for audited in &audited {
        assert_eq!(audited.problems, Vec::<String>::new());
        assert_eq!((audited.matches, audited.published_at.is_some()), (Some(true), true));
        assert_eq!((audited.challenges, audited.verdicts, audited.answers), (9, 9, 6));
    }
    assert_eq!(audited[0].vector, audited[1].vector);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_intent_is_journalled_before_it_is_signed_and_signed_before_it_is_included() {
    let world = World::new(&[Behaviour::Honest]).await;
    let dir = tempfile::tempdir().expect("a folder");
    run_first_epoch(&world, dir.path(), false).await;
    let segment = Segment::read(&journal_file(dir.path(), 0)).expect("a whole segment");
    let story: Vec<_> = segment
        .records()
        .iter()
        .filter_map(|record| match record {
            Record::Intent(_) => Some("intent"),
            Record::IntentUpdate(update) => Some(crate::publish::tests::word(&update.state)),
            _ => None,
        })
        .collect();
    assert_eq!(story, ["intent", "signed", "included", "published"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_flipped_byte_in_the_epochs_file_is_found() {
    let world = World::new(&[Behaviour::Honest]).await;
    let dir = tempfile::tempdir().expect("a folder");
    run_first_epoch(&world, dir.path(), false).await;
    let file = journal_file(dir.path(), 0);
    for position in (0..file.len()).step_by(file.len() / 97 + 1) {
        let mut damaged = file.clone();
        damaged[position] ^= 1;
        let sound = audit(&damaged).is_ok_and(|audited| audited.problems.is_empty());
        assert!(!sound, "byte {position} of {}", file.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unregistered_hotkey_is_told_so() {
    let world = World::new(&[]).await;
    let dir = tempfile::tempdir().expect("a folder");
    let mut parts = world.parts(dir.path());
    parts.keypair = Arc::new(Keypair::from_uri("//Stranger").expect("a key"));
    let error = Validator::open(parts).await.expect_err("not registered");
    assert!(matches!(error, ValidatorError::NotRegistered { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_an_epochs_file_and_its_context_loses_no_standing() {
    let world = World::new(&[Behaviour::Honest]).await;
    let dir = tempfile::tempdir().expect("a folder");
    run_first_epoch(&world, dir.path(), false).await;
    // What the crash leaves: the second epoch's file with its header and nothing else.
    let identity = {
        let file = journal_file(dir.path(), 1);
        Segment::read(&file).expect("a whole segment").header().identity
    };
    std::fs::remove_file(dir.path().join(weighhouse_journal::segment_name(Epoch(1)))).expect("removed");
    let parts = world.parts(dir.path());
    Journal::open(parts.storage.clone(), identity).expect("opened").begin_epoch(Epoch(1)).expect("begun");
    drop(parts);

    let mut validator = Validator::open(world.parts(dir.path())).await.expect("opened");
    validator.step().await.expect("a step");
    let segment = Segment::read(&journal_file(dir.path(), 1)).expect("a whole segment");
    let carried = segment.records().iter().find_map(|record| match record {
        Record::EpochOpened(context) => Some(context.carried.clone()),
        _ => None,
    });
    assert_eq!(carried.expect("a context").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_changes_within_an_epoch_asks_nothing_more_in_it() {
    let world = World::new(&[Behaviour::Honest]).await;
    let dir = tempfile::tempdir().expect("a folder");
    let mut validator = Validator::open(world.parts(dir.path())).await.expect("opened");
    validator.step().await.expect("a step");
    drop(validator);
    let mut parts = world.parts(dir.path());
    parts.task_file.extend(b"\n# another task, as its digest says\n");
    parts.task = Arc::new(
        weighhouse_tasks::Task::load(&parts.task_file, &Builtin::Reference.bytes()).expect("a sound task"),
    );
    let mut validator = Validator::open(parts).await.expect("opened again");
    for _ in 0..14 {
        validator.step().await.expect("a step");
        world.ledger.produce_block().await.expect("a block");
    }
    let challenges = |epoch| {
        let audited = audit(&journal_file(dir.path(), epoch));
        let audited = audited.expect("auditable");
        assert_eq!(audited.problems, Vec::<String>::new());
        audited.challenges
    };
    assert_eq!((challenges(0), challenges(1)), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_that_nobody_is_heard_in_charges_nobody() {
    let world = World::new(&[Behaviour::Gone, Behaviour::Silent, Behaviour::HangsUp]).await;
    let dir = tempfile::tempdir().expect("a folder");
    run_first_epoch(&world, dir.path(), false).await;
    let file = journal_file(dir.path(), 0);
    let segment = Segment::read(&file).expect("a whole segment");
    let is_judged = |record: &Record| matches!(record, Record::Judged(_));
    assert!(!segment.records().iter().any(is_judged));
    let void = segment.records().iter().filter_map(|record| match record {
        Record::VoidRound(void) => Some((void.round, void.cause)),
        _ => None,
    });
    let void: Vec<_> = void.collect();
    assert_eq!(void, [0, 1, 2].map(|round| (round, VoidCause::Network)));
    let audited = audit(&file).expect("auditable");
    assert_eq!((audited.problems, audited.vector), (Vec::new(), None));
}

/// Dials our own canary where it is, and the others behind their pipes.
#[derive(Debug)]
struct Beside {
    canary: std::net::SocketAddr,
    others: Arc<dyn Dialer>,
}

#[async_trait::async_trait]
impl Dialer for Beside {
    async fn dial(&self, to: std::net::SocketAddr) -> std::io::Result<BoxIo> {
        if to == self.canary { TcpDialer.dial(to).await } else { self.others.dial(to).await }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_in_which_our_own_canary_fails_charges_nobody() {
    let world = World::new(&[Behaviour::Honest, Behaviour::Silent]).await;
    let dir = tempfile::tempdir().expect("a folder");
    let listener = TcpBound::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
    let canary = listener.local_addr();
    let mut parts = world.parts(dir.path());
    // The canary's answer takes as long as this machine lets it.
    parts.rounds.deadline = Duration::from_secs(3);
    let (ours, server) = Canary::new(Box::new(listener), &mut parts.entropy).expect("a key");
    parts.canary = Some(ours);
    parts.dialer = Arc::new(Beside { canary, others: parts.dialer.clone() });
    let (mut serving, stop) = (tokio::task::JoinSet::new(), CancellationToken::new());
    serving.spawn(server.run(parts.clock.clone(), stop.clone()));
    let mut validator = Validator::open(parts).await.expect("opened");
    let mut judged = 0;
    for _ in 0..14 {
        validator.step().await.expect("a step");
        if judged == 0 && !stop.is_cancelled() {
            judged = validator.open.as_ref().map_or(0, |open| open.judged().count());
            assert!(judged > 0 && !validator.canary_failed, "the first round is judged");
            stop.cancel();
            while serving.join_next().await.is_some() {}
        }
        world.ledger.produce_block().await.expect("a block");
    }
    assert!(validator.canary_failed);
    let file = journal_file(dir.path(), 0);
    let segment = Segment::read(&file).expect("a whole segment");
    let verdicts = segment.records().iter().filter(|record| matches!(record, Record::Judged(_))).count();
    assert_eq!(verdicts, judged, "nobody is charged for the others");
    let void = segment.records().iter().filter_map(|record| match record {
        Record::VoidRound(void) => Some((void.round, void.cause)),
        _ => None,
    });
    let void: Vec<_> = void.collect();
    assert!(!void.is_empty() && void.iter().all(|(_, cause)| *cause == VoidCause::Canary), "{void:?}");
    let audited = audit(&file).expect("auditable");
    assert_eq!((audited.problems, audited.vector), (Vec::new(), None), "more than a fifth is void");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_off_costs_nobody_a_mark() {
    for off in [-3600, -5, 5, 3600] {
        let world = World::new(&[Behaviour::Keeps(off), Behaviour::Keeps(off), Behaviour::Gone]).await;
        let dir = tempfile::tempdir().expect("a folder");
        let mut validator = Validator::open(world.parts(dir.path())).await.expect("opened");
        validator.step().await.expect("a step");
        assert!(validator.clock_is_off, "{off}");
        for _ in 0..13 {
            world.ledger.produce_block().await.expect("a block");
            validator.step().await.expect("a step");
        }
        let file = journal_file(dir.path(), 0);
        for uid in [1, 2] {
            let conforms = |reason: &Reason| matches!(reason, Reason::Conforms { .. });
            assert!(reasons(&file, uid).iter().all(conforms), "{off}: {:?}", reasons(&file, uid));
        }
        let stored = world.ledger.weights(NETUID, MechId(0), Uid(0)).await.expect("weights");
        assert_eq!(stored, [(Uid(1), u16::MAX), (Uid(2), u16::MAX)], "{off}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_miner_can_show_that_an_answer_was_received_whatever_the_record_says() {
    let world = World::new(&[Behaviour::Honest, Behaviour::Honest, Behaviour::Gone]).await;
    let dir = tempfile::tempdir().expect("a folder");
    let mut validator = Validator::open(world.parts(dir.path())).await.expect("opened");
    for _ in 0..14 {
        validator.step().await.expect("a step");
        world.ledger.produce_block().await.expect("a block");
    }
    assert_eq!(validator.deliveries.sent().await, 0, "everybody was told");
    let held = world.acknowledged.lock().expect("alive").clone();
    let file = journal_file(dir.path(), 0);
    assert_eq!(audit_receipts(&file, &held).expect("auditable"), (6, Vec::new()));

    // The keeper rewrites a miner as silent, and signs its round anew.
    let segment = Segment::read(&file).expect("a whole segment");
    let (header, mut records) = (*segment.header(), segment.into_records());
    let Some(Record::EpochOpened(context)) = records.first().cloned() else { panic!("a context") };
    let mut silenced = None;
    for record in &mut records {
        if let Record::Judged(judged) = record
            && silenced.is_none_or(|who| who == judged.who)
            && judged.exchange.is_some()
        {
            silenced = Some(judged.who);
            judged.exchange = None;
            judged.judgement = weighhouse_tasks::silent(Failure::Unreachable);
        }
    }
    for at in 0..records.len() {
        let Record::RoundReceipts(old) = &records[at] else { continue };
        let (round, unix_us) = (old.round, old.unix_us);
        let keypair = crate::testing::validator();
        let signed = crate::receipts::signed(&keypair, &context, round, unix_us, &records[..at]);
        records[at] = signed.expect("the other's answer").record;
    }
    let forged = weighhouse_journal::sealed(header, &records);
    let signatures = audit(&forged).expect("auditable").problems;
    assert!(!signatures.iter().any(|problem| problem.contains("signature")), "{signatures:?}");
    let (compared, proven) = audit_receipts(&forged, &held).expect("auditable");
    assert_eq!((compared, proven.len()), (6, 3));
    assert!(proven.iter().all(|problem| problem.contains("its record leaves it out")), "{proven:?}");

    // Without the signature anew, the record contradicts itself.
    let round = AnswerReceipt::of_round(&records, Epoch(0), 0);
    assert_eq!(round.len(), 1);
    records.retain(|record| !matches!(record, Record::RoundReceipts(_)));
    let unsigned = audit(&weighhouse_journal::sealed(header, &records)).expect("auditable").problems;
    assert!(unsigned.iter().any(|problem| problem.contains("has signed for 0 of 1")), "{unsigned:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn old_epochs_are_removed_once_nothing_needs_them_and_the_validator_goes_on() {
    let world = World::new(&[Behaviour::Honest]).await;
    let dir = tempfile::tempdir().expect("a folder");
    let parts = || Parts {
        retention: Retention { keep_epochs: Some(1), free_space_min: u64::MAX, ..Retention::default() },
        ..world.parts(dir.path())
    };
    let mut validator = Validator::open(parts()).await.expect("opened");
    for block in 0..14 * 4 {
        validator.step().await.expect("a step");
        assert!(validator.disk_is_short);
        if block % 20 == 19 {
            drop(validator);
            validator = Validator::open(parts()).await.expect("opened again");
        }
        world.ledger.produce_block().await.expect("a block");
    }
    let kept = weighhouse_journal::segments(dir.path()).expect("listed");
    let [(before, _), (open, _)] = kept.as_slice() else { panic!("{kept:?}") };
    assert!(before.0 >= 2 && open.0 == before.0 + 1, "{kept:?}");
    let audited = audit(&journal_file(dir.path(), before.0)).expect("auditable");
    assert_eq!((audited.problems, audited.matches), (Vec::new(), Some(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn old_answers_are_removed_and_all_that_was_signed_for_still_holds() {
    let world = World::new(&[Behaviour::Honest, Behaviour::Garbage]).await;
    let dir = tempfile::tempdir().expect("a folder");
    let retention = Retention { keep_answers_epochs: Some(1), ..Retention::default() };
    let parts = || Parts { retention, ..world.parts(dir.path()) };
    let mut validator = Validator::open(parts()).await.expect("opened");
    let mut whole = Vec::new();
    for block in 0..14 * 4 {
        validator.step().await.expect("a step");
        if block % 20 == 19 {
            drop(validator);
            validator = Validator::open(parts()).await.expect("opened again");
        }
        if validator.open.as_ref().is_some_and(|open| open.context().epoch == Epoch(1)) {
            whole = journal_file(dir.path(), 0);
        }
        world.ledger.produce_block().await.expect("a block");
    }
    let left = journal_file(dir.path(), 0);
    assert!(left.len() * 2 < whole.len(), "{} of {}", left.len(), whole.len());
    let (before, after) = (audit(&whole).expect("auditable"), audit(&left).expect("auditable"));
    assert_eq!((&before.problems, &after.problems), (&Vec::new(), &Vec::new()));
    assert_eq!((before.root, &before.vector), (after.root, &after.vector));
    assert_eq!((before.matches, after.matches), (Some(true), Some(true)));
    assert_eq!((before.answers, before.challenges), (after.answers, after.challenges));
    assert!(before.verdicts > 0 && before.not_rederived.is_empty());
    assert!(after.removed > 0 && after.verdicts == before.verdicts - before.answers, "{after:?}");
    assert!(
        after.not_rederived.iter().any(|what| what.contains("were removed")),
        "{:?}",
        after.not_rederived
    );
    let newest = weighhouse_journal::segments(dir.path()).expect("listed").len() as u64 - 1;
    for kept in [newest - 1, newest] {
        assert_eq!(audit(&journal_file(dir.path(), kept)).expect("auditable").removed, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_keeps_to_the_rounds_that_it_was_opened_with() {
    for rounds in [1, 6] {
        let world = World::new(&[Behaviour::Honest]).await;
        let dir = tempfile::tempdir().expect("a folder");
        let parts = |per_epoch: u32| {
            let parts = world.parts(dir.path());
            Parts { rounds: crate::config::Rounds { per_epoch, ..parts.rounds }, ..parts }
        };
        let mut validator = Validator::open(parts(3)).await.expect("opened");
        for block in 0..14 * 2 {
            validator.step().await.expect("a step");
            if block == 5 {
                drop(validator);
                validator = Validator::open(parts(rounds)).await.expect("opened with another number");
            }
            world.ledger.produce_block().await.expect("a block");
        }
        let opened = |epoch| {
            let segment = Segment::read(&journal_file(dir.path(), epoch)).expect("a whole segment");
            let opened = segment.into_records().into_iter().find_map(|record| match record {
                Record::EpochOpened(context) => context.fields.rounds(),
                _ => None,
            });
            opened.expect("an opening")
        };
        assert_eq!((opened(0), opened(1)), (3, rounds));
        let audited = audit(&journal_file(dir.path(), 0)).expect("auditable");
        assert_eq!((audited.problems, audited.matches), (Vec::new(), Some(true)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_in_a_file_that_is_not_here_is_missing_and_no_fault() {
    let world = World::new(&[Behaviour::Honest]).await;
    let dir = tempfile::tempdir().expect("a folder");
    let mut validator = Validator::open(world.parts(dir.path())).await.expect("opened");
    for _ in 0..14 * 3 {
        validator.step().await.expect("a step");
        world.ledger.produce_block().await.expect("a block");
    }
    let compared = |one, other| {
        let (one, other) = (journal_file(dir.path(), one), journal_file(dir.path(), other));
        crate::audit::audit_taken_over(&one, &other).expect("compared")
    };
    let next = compared(0, 1);
    assert_eq!((next.missing, next.problems), (Vec::<String>::new(), Vec::new()));
    let gap = compared(0, 2);
    assert_eq!(gap.problems, Vec::<String>::new());
    assert!(gap.missing.iter().any(|what| what.contains("are in no file here")), "{:?}", gap.missing);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_was_put_back_is_told_waited_for_and_gone_on_with() {
    let dir = tempfile::tempdir().expect("a folder");
    let before = World::new(&[Behaviour::Honest]).await;
    let mut validator = Validator::open(before.parts(dir.path())).await.expect("opened");
    for _ in 0..18 {
        validator.step().await.expect("a step");
        before.ledger.produce_block().await.expect("a block");
    }
    drop(validator);
    // The same chain from its beginning: its second epoch was opened on blocks that are no more.
    let world = World::new(&[Behaviour::Honest]).await;
    let mut validator = Validator::open(world.parts(dir.path())).await.expect("opened");
    validator.step().await.expect("a step");
    assert_eq!(validator.chain_trouble, Some(ChainTrouble::Behind));
    for block in 1..24 {
        validator.step().await.expect("a step");
        let asked = validator.open.as_ref().map(|open| open.context().epoch);
        assert_eq!((asked, validator.chain_trouble), (Some(Epoch(1)), Some(ChainTrouble::Behind)), "{block}");
        world.ledger.produce_block().await.expect("a block");
    }
    assert_eq!(publications(&world).await, 0);
    for _ in 24..40 {
        validator.step().await.expect("a step");
        world.ledger.produce_block().await.expect("a block");
    }
    assert_eq!((validator.chain_trouble, publications(&world).await), (None, 1));
    let file = journal_file(dir.path(), 2);
    assert_eq!(audit(&file).expect("auditable").problems, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_whose_beginning_nobody_keeps_is_left_out_and_the_next_one_opened() {
    let world = World::new(&[Behaviour::Honest]).await;
    let dir = tempfile::tempdir().expect("a folder");
    let mut parts = world.parts(dir.path());
    parts.chain = Arc::new(Gate::pruned(&world.ledger, Block(1)));
    let mut validator = Validator::open(parts).await.expect("opened");
    for _ in 0..10 {
        validator.step().await.expect("a step");
        assert_eq!(validator.chain_trouble, Some(ChainTrouble::Pruned));
        world.ledger.produce_block().await.expect("a block");
    }
    for _ in 0..16 {
        validator.step().await.expect("a step");
        world.ledger.produce_block().await.expect("a block");
    }
    assert_eq!((validator.chain_trouble, publications(&world).await), (None, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_is_silent_is_told_and_told_when_it_is_not() {
    let world = World::new(&[Behaviour::Honest]).await;
    let dir = tempfile::tempdir().expect("a folder");
    let mut parts = world.parts(dir.path());
    let clock = ManualClock::new();
    parts.chain = Arc::new(Gate::timed(&world.ledger, Duration::from_secs(12)));
    parts.clock = clock.clone();
    let mut validator = Validator::open(parts).await.expect("opened");
    let head = world.ledger.head().await.expect("a head").number;
    {
        let mut waiting = std::pin::pin!(validator.await_block(head));
        for _ in 0..3 {
            tokio::select! {
                biased;
                () = &mut waiting => panic!("there was no block"),
                () = tokio::task::yield_now() => {}
            }
            clock.advance(Duration::from_secs(61));
        }
        tokio::select! {
            biased;
            () = &mut waiting => panic!("there was no block"),
            () = tokio::task::yield_now() => {}
        }
        world.ledger.produce_block().await.expect("a block");
        waiting.await;
    }
    assert_eq!(validator.chain_trouble, Some(ChainTrouble::Silent));
    validator.chain_is_good(head);
    assert_eq!(validator.chain_trouble, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_fails_each_step_for_a_minute_is_told() {
    let world = World::new(&[]).await;
    let dir = tempfile::tempdir().expect("a folder");
    let mut parts = world.parts(dir.path());
    let clock = ManualClock::new();
    parts.clock = clock.clone();
    let mut validator = Validator::open(parts).await.expect("opened");
    let error = ChainError::Unreachable { endpoint: "http://there".to_owned(), why: "refused".to_owned() };
    let error = ValidatorError::from(error);
    for seconds in [0, 30, 29] {
        clock.advance(Duration::from_secs(seconds));
        validator.step_failed(&error);
        assert_eq!(validator.chain_trouble, None);
    }
    clock.advance(Duration::from_secs(1));
    validator.step_failed(&error);
    assert_eq!(validator.chain_trouble, Some(ChainTrouble::Silent));
}

#[tokio::test(flavor = "multi_thread")]
async fn final_blocks_that_change_are_waited_out_for_a_while_alone() {
    let world = World::new(&[]).await;
    let dir = tempfile::tempdir().expect("a folder");
    let mut parts = world.parts(dir.path());
    let clock = ManualClock::new();
    parts.clock = clock.clone();
    let mut validator = Validator::open(parts).await.expect("opened");
    let digest = weighhouse_types::Digest::of;
    let broken = ChainError::FinalityBroken { block: Block(7), was: digest(b"one"), is: digest(b"other") };
    assert!(!validator.finality_is_broken(&broken));
    clock.advance(trouble::FINALITY_PATIENCE - Duration::from_secs(1));
    assert!(!validator.finality_is_broken(&broken));
    assert_eq!(validator.chain_trouble, Some(ChainTrouble::Finality));
    clock.advance(Duration::from_secs(1));
    assert!(validator.finality_is_broken(&broken));
}

#[tokio::test(flavor = "multi_thread")]
async fn weights_of_another_process_with_our_hotkey_are_told() {
    let world = World::new(&[Behaviour::Honest]).await;
    let (dir, other) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let mut validator = Validator::open(world.parts(dir.path())).await.expect("opened");
    let mut second = Validator::open(world.parts(other.path())).await.expect("opened");
    for _ in 0..14 {
        validator.step().await.expect("a step");
        world.ledger.produce_block().await.expect("a block");
    }
    assert!(validator.updates.is_clean());
    for _ in 0..12 {
        second.step().await.expect("a step");
        world.ledger.produce_block().await.expect("a block");
    }
    validator.step().await.expect("a step");
    assert_eq!(publications(&world).await, 2);
    assert!(!validator.updates.is_clean());
}
