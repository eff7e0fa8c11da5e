//! Kinds of several exchanges, judged together, or with a truth that comes later, on a whole localnet that is killed on the
//! way and audited at the end.

use std::path::Path;
use std::sync::Arc;

use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use weighhouse_journal::{Segment, segment_name};
use weighhouse_tasks::testing::{TestKinds, WITHHELD, task_file};
use weighhouse_types::{Epoch, Record};
use weighhouse_validator::audit::{AuditReport, TakenOver, audit_chain, audit_taken_over, audit_with};

use super::{Reports, earned};
use crate::{Account, Localnet, Options};

const VALIDATORS: [&str; 3] = ["honest-a", "honest-b", "honest-c"];

fn localnet(dir: &Path, kind: &str, epochs: u64) -> Localnet {
    localnet_of(dir, kind, task_file(kind), epochs)
}

fn localnet_of(dir: &Path, kind: &str, task_file: String, epochs: u64) -> Localnet {
    let task = kind.to_owned();
    let options = Options {
        task,
        task_file,
        commit_reveal: false,
        seed: Some(5),
        epochs: Some(epochs),
        rounds: None,
        pretending: Vec::new(),
    };
    Localnet::open(dir, &options, Arc::new(TestKinds)).expect("opened")
}

/// Runs a number of epochs more.
fn run(dir: &Path, kind: &str, epochs: u64) -> Account {
    let runtime = Runtime::new().expect("a runtime");
    let account = runtime.block_on(async {
        localnet(dir, kind, epochs).run(&mut Reports::default(), CancellationToken::new()).await
    });
    account.expect("it runs").expect("an epoch was closed")
}

/// Runs until `moment` has come, and drops everybody where they stand.
fn run_killed(dir: &Path, kind: &str, moment: impl FnOnce() + Send + 'static) {
    kill(localnet(dir, kind, 9), moment);
}

fn kill(net: Localnet, moment: impl FnOnce() + Send + 'static) {
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let mut reports = Reports::default();
        tokio::select! {
            ended = net.run(&mut reports, CancellationToken::new()) => {
                panic!("it ended before it was killed: {ended:?}")
            }
            come = tokio::task::spawn_blocking(moment) => come.expect("the moment comes"),
        }
    });
}

fn audits(dir: &Path, epoch: u64) -> Vec<AuditReport> {
    let files = VALIDATORS.map(|validator| file(dir, validator, epoch));
    files.iter().map(|file| audit_with(file, &TestKinds).expect("auditable")).collect()
}

fn file(dir: &Path, validator: &str, epoch: u64) -> Vec<u8> {
    let path = dir.join("validators").join(validator).join(segment_name(Epoch(epoch)));
    std::fs::read(path).expect("the epoch's file")
}

#[test]
fn a_net_killed_between_commit_and_reveal_goes_on_and_every_verdict_is_reached_again() {
    let dir = tempfile::tempdir().expect("a folder");
    run_killed(dir.path(), "sealed", || WITHHELD.wait());
    let account = run(dir.path(), "sealed", 1);
    for (persona, earns) in [("honest-1", true), ("honest-2", true), ("far", false), ("withholding", false)] {
        assert_eq!(earned(&account, persona) > 0, earns, "{persona}: {account:?}");
    }
    assert_eq!((earned(&account, "changing"), earned(&account, "open")), (0, 0), "{account:?}");
    for audited in audits(dir.path(), 0) {
        assert_eq!((&audited.problems, &audited.not_rederived), (&vec![], &vec![]));
        assert_eq!((audited.matches, audited.verdicts), (Some(true), 3 * 8), "{audited:?}");
    }
}

#[test]
fn sealed_answers_are_opened_and_judged_and_every_verdict_is_reached_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let account = run(dir.path(), "hidden", 1);
    for (persona, earns) in [("honest-1", true), ("honest-2", true), ("far", false)] {
        assert_eq!(earned(&account, persona) > 0, earns, "{persona}: {account:?}");
    }
    for audited in audits(dir.path(), 0) {
        assert_eq!((&audited.problems, &audited.not_rederived), (&vec![], &vec![]));
        assert_eq!(audited.matches, Some(true), "{audited:?}");
    }
}

#[test]
fn sealed_answers_are_revealed_only_once_their_commitments_stand_on_the_chain() {
    let dir = tempfile::tempdir().expect("a folder");
    let task = format!("{}commit_blocks = 3\n", task_file("hidden"));
    let net = || localnet_of(dir.path(), "hidden", task.clone(), 1);
    // Killed while it waits for the commitments: they are on record, and nothing was revealed yet.
    let path = dir.path().join("validators/honest-a").join(segment_name(Epoch(0)));
    kill(net(), move || {
        let waits = |file: &[u8]| {
            let records = Segment::read(file).map(Segment::into_records).unwrap_or_default();
            records
                .iter()
                .any(|record| matches!(record, Record::FollowUp(asked) if asked.fields.commit_by().is_some()))
        };
        while !std::fs::read(&path).is_ok_and(|file| waits(&file)) {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    });
    let runtime = Runtime::new().expect("a runtime");
    let account =
        runtime.block_on(async { net().run(&mut Reports::default(), CancellationToken::new()).await });
    let account = account.expect("it runs").expect("an epoch was closed");
    for (persona, earns) in [("honest-1", true), ("honest-2", true), ("far", false)] {
        assert_eq!(earned(&account, persona) > 0, earns, "{persona}: {account:?}");
    }
    let file = file(dir.path(), "honest-a", 0);
    let audited = audit_with(&file, &TestKinds).expect("auditable");
    assert_eq!((&audited.problems, &audited.not_rederived), (&vec![], &vec![]));
    let (chain, _) = net().chain();
    let found = runtime.block_on(audit_chain(&file, &*chain)).expect("readable");
    assert_eq!(found.problems, Vec::<String>::new());
    assert!(found.confirmed.iter().any(|what| what.contains("roots of miners' commitments")), "{found:?}");

    let segment = Segment::read(&file).expect("a whole segment");
    let stood = segment.records().iter().filter(|record| match record {
        Record::Judged(judged) => judged.fields.chain_root().is_some_and(|root| root.root.is_some()),
        _ => false,
    });
    assert!(stood.count() >= 3 * 3, "three reveal in each of three rounds");
}

#[test]
fn later_truths_of_a_net_that_is_restarted_each_epoch_are_judged_two_epochs_later() {
    let dir = tempfile::tempdir().expect("a folder");
    for _ in 0..2 {
        let account = run(dir.path(), "later", 1);
        assert_eq!(earned(&account, "honest-1"), 0, "nobody knows the truth yet: {account:?}");
    }
    let account = run(dir.path(), "later", 2);
    assert!(earned(&account, "honest-1") > 0 && earned(&account, "honest-2") > 0, "{account:?}");
    assert_eq!(earned(&account, "wrong"), 0, "{account:?}");
    for epoch in 0..4 {
        for audited in audits(dir.path(), epoch) {
            assert_eq!((&audited.problems, &audited.not_rederived), (&vec![], &vec![]), "epoch {epoch}");
            assert_eq!(audited.matches, (epoch >= 2).then_some(true), "epoch {epoch}: {audited:?}");
            assert_eq!((audited.awaiting > 0, audited.resolved > 0), (true, epoch >= 2), "{audited:?}");
        }
    }
    let files: Vec<_> = (0..4).map(|epoch| file(dir.path(), "honest-a", epoch)).collect();
    for (before, after) in files.iter().zip(&files[1..]) {
        let TakenOver { fork, problems, changed, .. } = audit_taken_over(before, after).expect("readable");
        assert_eq!((fork, problems), (None, vec![]));
        // Weights count from some epoch on.
        assert!(changed.iter().all(|what| what.contains("validators can witness it")), "{changed:?}");
    }
}
