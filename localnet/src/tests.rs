mod kinds;

use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use weighhouse_models::Builtin;
use weighhouse_tasks::{DIGITS_CONFORMANCE, TaskLoader};
use weighhouse_types::{Block, Epoch};

use super::*;

/// An observer that keeps the reports.
#[derive(Default)]
struct Reports(Vec<EpochReport>);

impl Observer for Reports {
    fn block(&mut self, _: Epoch, _: Block, _: Block) {}

    fn epoch_closed(&mut self, report: &EpochReport) -> io::Result<()> {
        self.0.push(report.clone());
        Ok(())
    }
}

fn options(seed: u64, epochs: u64) -> Options {
    let (task, task_file) = (DIGITS.to_owned(), DIGITS_CONFORMANCE.to_owned());
    Options {
        task,
        task_file,
        commit_reveal: false,
        seed: Some(seed),
        epochs: Some(epochs),
        rounds: None,
        pretending: Vec::new(),
    }
}

/// The built-in weights.
fn references() -> Arc<dyn TaskLoader> {
    Arc::new(Builtin::Reference.bytes())
}

async fn run(dir: &Path, options: &Options) -> (Vec<EpochReport>, Account) {
    let localnet = Localnet::open(dir, options, references()).expect("opened");
    let mut reports = Reports::default();
    let account = localnet.run(&mut reports, CancellationToken::new()).await.expect("it runs");
    (reports.0, account.expect("an epoch was closed"))
}

fn earned(account: &Account, persona: &str) -> u64 {
    let rows = &account.last.neurons;
    rows.iter().find(|row| row.persona == persona).expect("a participant").earned
}

#[tokio::test(flavor = "multi_thread")]
async fn honest_miners_earn_and_cheats_do_not() {
    let dir = tempfile::tempdir().expect("a folder");
    let (reports, account) = run(dir.path(), &options(7, 2)).await;
    assert_eq!(reports.iter().map(|report| report.epoch).collect::<Vec<_>>(), [0, 1]);
    for honest in ["honest-1", "honest-2", "honest-3", "honest-4"] {
        assert!(earned(&account, honest) > 0, "{account:?}");
    }
    for cheat in ["lazy", "nan", "weak"] {
        assert_eq!(earned(&account, cheat), 0, "{cheat}: {account:?}");
    }
    assert_eq!(account.reasons.len(), account.last.neurons.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_state_goes_on_where_it_was_and_gives_what_one_run_gives() {
    let whole = tempfile::tempdir().expect("a folder");
    let (expected, _) = run(whole.path(), &options(11, 2)).await;
    let kept = tempfile::tempdir().expect("a folder");
    let (first, _) = run(kept.path(), &options(11, 1)).await;
    let (second, account) = run(kept.path(), &Options { seed: None, ..options(0, 1) }).await;
    assert_eq!([first, second].concat(), expected);
    assert_eq!((account.seed, account.epochs()), (11, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_was_made_otherwise_is_refused_with_how_it_was_made() {
    let dir = tempfile::tempdir().expect("a folder");
    let open = |options: &Options| Localnet::open(dir.path(), options, references()).map(drop);
    open(&options(7, 1)).expect("a new state");
    let error = open(&options(8, 1)).expect_err("another seed").to_string();
    assert!(error.contains("made with --seed 7 --mode conformance --task digits;"), "{error}");
    let hidden = Options { commit_reveal: true, ..options(7, 1) };
    assert!(matches!(open(&hidden), Err(LocalnetError::OtherState { .. })));
    let state = std::fs::OpenOptions::new().write(true).open(dir.path().join("localnet.json"));
    state.and_then(|file| file.set_len(1)).expect("cut short");
    assert!(matches!(open(&options(7, 1)), Err(LocalnetError::DamagedState { .. })));
}

/// Two runs over one folder, with an audit of each validator's epochs.
#[tokio::test(flavor = "multi_thread")]
async fn validators_witness_each_other_s_logs_also_after_a_restart() {
    let dir = tempfile::tempdir().expect("a folder");
    run(dir.path(), &options(13, 1)).await;
    run(dir.path(), &Options { seed: None, ..options(0, 2) }).await;
    for validator in ["honest-a", "honest-b", "honest-c"] {
        let file = |epoch| {
            let name = weighhouse_journal::segment_name(Epoch(epoch));
            std::fs::read(dir.path().join("validators").join(validator).join(name)).expect("an epoch's file")
        };
        let mut before = 0;
        for epoch in 0..3 {
            let audited = weighhouse_validator::audit::audit(&file(epoch)).expect("auditable");
            assert_eq!(audited.problems, Vec::<String>::new(), "{validator}, epoch {epoch}");
            let log = audited.log.expect("a log");
            assert_eq!(log.unwitnessed(log.wanted), None);
            // Nobody's weights had counted before the first epoch's did.
            assert_eq!(log.wanted > 0, epoch > 0, "{log:?}");
            let size = log.checkpoint.expect("a checkpoint").size;
            assert!(size > before, "the log grows");
            before = size;
            if epoch > 0 {
                let found = weighhouse_validator::audit::audit_taken_over(&file(epoch - 1), &file(epoch));
                let found = found.expect("two files");
                let new =
                    "by its opening 3 validators can witness it that couldn't before, and 0 can't any more";
                let changed = if epoch == 1 { vec![new.to_owned()] } else { vec![] };
                assert_eq!((found.problems, found.changed, found.fork), (vec![], changed, None));
            }
        }
    }
}
