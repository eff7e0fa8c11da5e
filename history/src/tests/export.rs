use std::fs::{self, File};
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;

use parquet::file::reader::FileReader;
use parquet::file::serialized_reader::SerializedFileReader;
use parquet::record::{Field, Row, RowAccessor};
use weighhouse_journal::{Journal, segment_name};
use weighhouse_seams::DirStorage;
use weighhouse_types::{
    Block, Digest, Epoch, EpochClosed, EpochCounts, Fields, Intent, IntentState, Record, VoidCause, VoidRound,
};

use super::sample::{identity, intent, news, opened, plain, published, request, verdicts, who, write};
use crate::export::export_holding;
use crate::{ExportError, ExportReport, ExportRequest, TableSchema, export};

pub(super) fn run(request: &ExportRequest) -> Result<ExportReport, ExportError> {
    export(request, &mut |_| ControlFlow::Continue(()))
}

fn cell(field: &Field) -> String {
    match field {
        Field::Null => "-".to_owned(),
        Field::Bool(value) => value.to_string(),
        Field::Int(value) => value.to_string(),
        Field::Long(value) => value.to_string(),
        Field::Double(value) => value.to_string(),
        Field::Str(text) => text.clone(),
        Field::TimestampMicros(micros) => micros.to_string(),
        Field::ListInternal(list) => {
            let words = list.elements().iter().map(|element| match element {
                Field::Group(reason) => {
                    format!("{}: {}", reason.get_string(0).unwrap(), reason.get_string(1).unwrap())
                }
                other => panic!("{other:?} is no reason"),
            });
            words.collect::<Vec<_>>().join("; ")
        }
        other => panic!("{other:?} is of no type that the tables have"),
    }
}

/// The named columns of all epochs, a line per row; `epoch` is the folder's.
fn rows(dir: &Path, table: TableSchema, columns: &[&str]) -> Vec<String> {
    let epochs = names(&dir.join(table.name()));
    let rows = epochs.iter().flat_map(|folder| {
        let epoch: u64 = folder.strip_prefix("epoch=").unwrap().parse().unwrap();
        let file = File::open(table.partition(dir, Epoch(epoch))).unwrap();
        let line = |row: Row| {
            let named = |name: &str| row.get_column_iter().find(|(column, _)| *column == name).unwrap().1;
            let cell = |name: &str| if name == "epoch" { epoch.to_string() } else { cell(named(name)) };
            columns.iter().map(|name| cell(name)).collect::<Vec<_>>().join(" | ")
        };
        let reader = SerializedFileReader::new(file).unwrap();
        reader.get_row_iter(None).unwrap().map(|row| line(row.unwrap())).collect::<Vec<_>>()
    });
    rows.collect()
}

fn part(table: TableSchema, dir: &Path, epoch: u64) -> std::path::PathBuf {
    table.partition(dir, Epoch(epoch))
}

/// Names in a folder, hidden ones too.
fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn every_verdict_becomes_a_row_with_its_figures() {
    let dir = tempfile::tempdir().unwrap();
    let request = request(dir.path());
    write(&request.journal, &[(4, plain(4))]);
    let exported = run(&request).unwrap();
    assert_eq!((exported.epochs, exported.judgements, exported.standings, exported.weights), (1, 4, 2, 3));
    let columns = [
        "epoch",
        "round",
        "uid",
        "registered_at",
        "mark_billionths",
        "mark",
        "accepted",
        "answered",
        "latency_us",
        "failure",
        "reasons",
    ];
    let expected = [
        "4 | 0 | 1 | 2 | 1000000000 | 1 | true | true | 1001 | - | accepted: conforms: 64 items",
        "4 | 0 | 2 | 3 | 0 | 0 | false | false | - | deadline exceeded | silent: silent: deadline exceeded",
        "4 | 1 | 1 | 2 | 333333333 | 0.333333333 | true | true | 1001 | - | \
         wrong: deviates: 2 of 64 items outside, item 9 most",
        "4 | 1 | 2 | 3 | -1000000000 | -1 | false | true | 1002 | - | malformed: malformed: item 3: row \u{1b}[31m0",
    ];
    assert_eq!(rows(&request.out, TableSchema::Judgements, &columns), expected);
    let judges =
        rows(&request.out, TableSchema::Judgements, &["netuid", "kind", "judge_version", "asked_in"]);
    assert_eq!(judges[0], "7 | classify | 1 | 4");
    let identities = rows(&request.out, TableSchema::Judgements, &["hotkey", "challenge"]);
    assert_eq!(identities[3], format!("{} | {}", who(2).hotkey, Digest::of(&1_u32.to_le_bytes())));
}

#[test]
fn an_epoch_tells_what_it_was_opened_with_and_what_became_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let request = request(dir.path());
    write(&request.journal, &[(4, plain(4))]);
    run(&request).unwrap();
    let columns =
        ["epoch", "netuid", "block", "tempo", "miners", "judgements", "decision", "decided_at", "why"];
    // Uid 1 has an axon, uid 2 was judged, uid 3 neither, uid 0 is the validator.
    assert_eq!(
        rows(&request.out, TableSchema::Epochs, &columns),
        ["4 | 7 | 104 | 20 | 2 | 4 | published | 114 | -"]
    );
    let columns = ["validator", "policy_sha256", "task_sha256", "software"];
    let expected = format!(
        "{} | {} | {} | weighhouse 0.1.0",
        identity(b"validator").validator,
        Digest::of(b"version = 1\n"),
        Digest::of(b"kind = \"classify\"\n")
    );
    assert_eq!(rows(&request.out, TableSchema::Epochs, &columns), [expected]);
    let columns = ["epoch", "uid", "registered_at", "average_billionths", "average", "attempts", "judged_in"];
    // The second hotkey has registered anew since, so its old standing has no uid.
    let expected = ["4 | 1 | 2 | 250000000 | 0.25 | 12 | 1", "4 | - | 1 | -1 | -0.000000001 | 12 | 1"];
    assert_eq!(rows(&request.out, TableSchema::Standings, &columns), expected);
    let columns = ["epoch", "uid", "weight", "share", "state", "superseded"];
    let expected = [
        "4 | 1 | 3 | 0.75 | published | false",
        "4 | 2 | 0 | 0 | published | false",
        "4 | 9 | 1 | 0.25 | published | false",
    ];
    assert_eq!(rows(&request.out, TableSchema::Weights, &columns), expected);
    let hotkeys = rows(&request.out, TableSchema::Weights, &["hotkey", "intent"]);
    assert_eq!(hotkeys[0], format!("{} | {}", who(1).hotkey, intent(4, 3).id));
    assert_eq!(hotkeys[2], format!("- | {}", intent(4, 3).id));
}

#[test]
fn news_in_a_later_epochs_file_settles_an_earlier_vector() {
    let dir = tempfile::tempdir().unwrap();
    let request = request(dir.path());
    let first = intent(4, 3);
    let late = [vec![opened(6), news(&first, published(131))], vec![Record::Intent(intent(6, 1))]].concat();
    write(
        &request.journal,
        &[
            (4, vec![opened(4), Record::Intent(first.clone())]),
            (5, vec![opened(5), Record::Abstained { epoch: Epoch(5), why: "nobody was judged".to_owned() }]),
            (6, late),
            (7, vec![]),
        ],
    );
    let columns = ["epoch", "block", "decision", "decided_at", "why"];
    let expected = [
        "4 | 104 | published | 131 | -",
        "5 | 105 | abstained | - | nobody was judged",
        "6 | 106 | intended | - | -",
        "7 | - | open | - | -",
    ];
    let exported = run(&request).unwrap();
    assert_eq!(rows(&request.out, TableSchema::Epochs, &columns), expected);
    assert_eq!(exported.unsettled, 1);
    // The range ends before the news, and still knows it.
    let only = ExportRequest { to: Some(Epoch(4)), out: dir.path().join("only"), ..request };
    assert_eq!(run(&only).unwrap().judgements, 0);
    assert_eq!(rows(&only.out, TableSchema::Epochs, &columns), expected[..1]);
}

#[test]
fn a_replaced_vector_is_marked_and_the_last_decides() {
    let dir = tempfile::tempdir().unwrap();
    let request = request(dir.path());
    let (first, why) = (intent(4, 3), "one more answer".to_owned());
    let second = Intent { supersedes: Some((first.id, why)), ..intent(4, 7) };
    let failed = IntentState::Failed { why: "the epoch ended first".to_owned() };
    let records = vec![
        opened(4),
        Record::Intent(first.clone()),
        news(&first, published(110)),
        Record::Intent(second.clone()),
        news(&second, IntentState::Included { block: Block(112) }),
        news(&second, failed),
    ];
    write(&request.journal, &[(4, records)]);
    run(&request).unwrap();
    let columns = ["decision", "decided_at", "why"];
    assert_eq!(rows(&request.out, TableSchema::Epochs, &columns), ["failed | - | the epoch ended first"]);
    let states = rows(&request.out, TableSchema::Weights, &["weight", "state", "superseded"]);
    assert_eq!((states[0].as_str(), states[3].as_str()), ("3 | published | true", "7 | failed | false"));
}

#[test]
fn news_beyond_the_epochs_held_is_refused_not_lost() {
    let dir = tempfile::tempdir().unwrap();
    let request = request(dir.path());
    let first = intent(1, 3);
    let last = [vec![news(&first, published(150))], plain(4)].concat();
    let forgotten = vec![opened(1), Record::Intent(first)];
    write(&request.journal, &[(1, forgotten), (2, plain(2)), (3, plain(3)), (4, last)]);
    assert_eq!(export_holding(&request, 3, &mut |_| ControlFlow::Continue(())).unwrap().unsettled, 0);
    let request = ExportRequest { out: dir.path().join("few"), ..request };
    let refused = export_holding(&request, 2, &mut |_| ControlFlow::Continue(())).unwrap_err();
    assert!(
        matches!(refused, ExportError::LateNews { of: Epoch(1), told_in: Epoch(4) }),
        "expected late news, got {refused}"
    );
    assert_eq!(names(&request.out), Vec::<String>::new());
}

#[test]
fn the_same_journal_gives_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let request = request(dir.path());
    write(&request.journal, &[(4, plain(4)), (5, plain(5))]);
    let again = ExportRequest { out: dir.path().join("again"), ..request.clone() };
    assert_eq!(run(&request).unwrap(), run(&again).unwrap());
    for table in TableSchema::ALL {
        let (one, other) = (fs::read(part(table, &request.out, 4)), fs::read(part(table, &again.out, 4)));
        assert_eq!(one.unwrap(), other.unwrap());
    }
    let part = ExportRequest { from: Some(Epoch(5)), out: dir.path().join("part"), ..request.clone() };
    let (whole, part) = (run(&ExportRequest { overwrite: true, ..request }).unwrap(), run(&part).unwrap());
    assert_ne!(whole.export, part.export);
}

#[test]
fn a_table_that_exists_is_replaced_only_when_told() {
    let dir = tempfile::tempdir().unwrap();
    let request = request(dir.path());
    write(&request.journal, &[(4, plain(4))]);
    run(&request).unwrap();
    let before = fs::read(part(TableSchema::Weights, &request.out, 4)).unwrap();
    fs::remove_file(part(TableSchema::Epochs, &request.out, 4)).unwrap();
    let refused = run(&request).unwrap_err();
    let there = part(TableSchema::Judgements, &request.out, 4);
    assert!(matches!(&refused, ExportError::Exists { file } if *file == there), "{refused}");
    assert_eq!(fs::read(part(TableSchema::Weights, &request.out, 4)).unwrap(), before);
    write(&request.journal, &[(5, plain(5))]);
    let told = ExportRequest { overwrite: true, ..request };
    assert_eq!(run(&told).unwrap().epochs, 2);
    assert_eq!(names(&told.out), ["epochs", "judgements", "standings", "weights"]);
}

#[test]
fn an_export_of_further_epochs_adds_to_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let request = request(dir.path());
    write(&request.journal, &[(4, plain(4))]);
    run(&request).unwrap();
    write(&request.journal, &[(5, plain(5))]);
    let added = run(&ExportRequest { from: Some(Epoch(5)), ..request.clone() }).unwrap();
    assert_eq!(added.epochs, 1);
    assert_eq!(rows(&request.out, TableSchema::Epochs, &["epoch", "block"]), ["4 | 104", "5 | 105"]);
}

#[test]
fn blocks_that_were_seen_have_their_time_beside_them() {
    let dir = tempfile::tempdir().unwrap();
    let request = request(dir.path());
    let first = intent(4, 3);
    let seen = |block, unix_us| Record::BlockSeen { block: Block(block), unix_us };
    let closed = Record::EpochClosed(EpochClosed {
        epoch: Epoch(4),
        block: Block(110),
        counts: EpochCounts::default(),
        receipts: Digest::of(b"receipts"),
        fields: Fields::default(),
    });
    let void = Record::VoidRound(VoidRound::new(Epoch(4), 1, VoidCause::Reference, "away"));
    let records = vec![opened(4), seen(104, 7), void, Record::Intent(first.clone()), closed, seen(110, 8)];
    let later = vec![opened(5), news(&first, published(131)), seen(131, 9)];
    write(&request.journal, &[(4, records), (5, later)]);
    run(&request).unwrap();
    let columns = [
        "block_time",
        "closed_at",
        "closed_time",
        "void_rounds",
        "decided_at",
        "decided_time",
        "record_version",
    ];
    let expected = ["7 | 110 | 8 | 1 | 131 | 9 | 2", "- | - | - | 0 | - | - | 2"];
    assert_eq!(rows(&request.out, TableSchema::Epochs, &columns), expected);
}

#[test]
fn a_failed_export_leaves_the_folder_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let request = request(dir.path());
    write(&request.journal, &[(4, plain(4)), (5, plain(5)), (6, plain(6))]);
    run(&request).unwrap();
    let before = fs::read(part(TableSchema::Epochs, &request.out, 4)).unwrap();
    let damaged = request.journal.join(segment_name(Epoch(5)));
    let mut bytes = fs::read(&damaged).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let mut file = fs::OpenOptions::new().write(true).open(&damaged).unwrap();
    file.write_all(&bytes).unwrap();
    let request = ExportRequest { overwrite: true, ..request };
    let refused = run(&request).unwrap_err();
    assert!(matches!(&refused, ExportError::Damaged { file, .. } if *file == damaged), "{refused}");
    assert_eq!(fs::read(part(TableSchema::Epochs, &request.out, 4)).unwrap(), before);
    assert_eq!(names(&request.out).len(), 4);
    // What is not asked for is not read.
    let rest = ExportRequest { from: Some(Epoch(6)), ..request };
    assert_eq!(run(&rest).unwrap().epochs, 1);
}

#[test]
fn a_commit_in_progress_is_left_out_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let request = request(dir.path());
    write(&request.journal, &[(4, plain(4)), (5, vec![opened(5)])]);
    let last = request.journal.join(segment_name(Epoch(5)));
    let whole = fs::metadata(&last).unwrap().len();
    write(&request.journal, &[(5, verdicts(5))]);
    let grown = fs::metadata(&last).unwrap().len();
    fs::OpenOptions::new().write(true).open(&last).unwrap().set_len(grown - 10).unwrap();
    let exported = run(&request).unwrap();
    assert_eq!((exported.epochs, exported.judgements), (2, 4));
    assert_eq!(exported.unfinished_bytes, grown - 10 - whole);
    assert_eq!(fs::metadata(&last).unwrap().len(), grown - 10, "the journal is only read");
    // Before the last file nothing explains it but damage.
    write_other(&request.journal, 6);
    assert!(matches!(run(&ExportRequest { overwrite: true, ..request }), Err(ExportError::Damaged { .. })));
}

/// Begins another epoch without opening the ones before, as its header only.
fn write_other(dir: &Path, epoch: u64) {
    let elsewhere = tempfile::tempdir().unwrap();
    write(elsewhere.path(), &[(epoch, vec![])]);
    let name = segment_name(Epoch(epoch));
    fs::copy(elsewhere.path().join(&name), dir.join(&name)).unwrap();
}

#[test]
fn a_journal_of_two_validators_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let request = request(dir.path());
    write(&request.journal, &[(4, plain(4))]);
    let elsewhere = dir.path().join("elsewhere");
    let storage = DirStorage::open(&elsewhere).unwrap();
    let mut journal = Journal::open(std::sync::Arc::new(storage), identity(b"another")).unwrap();
    journal.begin_epoch(Epoch(5)).unwrap();
    let name = segment_name(Epoch(5));
    fs::copy(elsewhere.join(&name), request.journal.join(&name)).unwrap();
    let refused = run(&request).unwrap_err();
    assert!(matches!(refused, ExportError::OtherOwner { .. }), "{refused}");
}

#[test]
fn a_folder_without_a_journal_and_a_range_without_epochs_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let request = request(dir.path());
    let missing = run(&request).unwrap_err();
    assert!(matches!(missing, ExportError::Io { doing: "list the journal's folder", .. }), "{missing}");
    fs::create_dir(&request.journal).unwrap();
    assert!(matches!(run(&request), Err(ExportError::NoJournal { .. })));
    write(&request.journal, &[(4, plain(4))]);
    let later = ExportRequest { from: Some(Epoch(5)), ..request.clone() };
    assert!(matches!(run(&later), Err(ExportError::NoEpoch { last: Epoch(4), .. })));
    assert!(!request.out.exists());
}

#[test]
fn two_exports_into_one_folder_do_not_mix() {
    let dir = tempfile::tempdir().unwrap();
    let request = request(dir.path());
    write(&request.journal, &[(4, plain(4))]);
    let mut inner = None;
    let outer = export(&request, &mut |_| {
        inner = Some(run(&request));
        ControlFlow::Continue(())
    });
    assert!(matches!(inner, Some(Err(ExportError::Busy { .. }))), "{inner:?}");
    assert_eq!(outer.unwrap().epochs, 1);
}

#[test]
fn progress_counts_up_to_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let request = request(dir.path());
    write(&request.journal, &[(4, plain(4)), (5, plain(5))]);
    let mut seen = Vec::new();
    let exported = export(&request, &mut |at| {
        seen.push((at.epoch.0, at.done, at.epochs, at.judgements));
        ControlFlow::Continue(())
    });
    assert_eq!(exported.unwrap().judgements, 8);
    assert_eq!(seen, [(4, 1, 2, 4), (5, 2, 2, 8)]);
}

#[test]
fn an_export_that_is_stopped_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let request = request(dir.path());
    write(&request.journal, &[(4, plain(4)), (5, plain(5))]);
    let stopped = export(&request, &mut |_| ControlFlow::Break(())).unwrap_err();
    assert!(matches!(stopped, ExportError::Stopped { after: Epoch(4) }), "{stopped}");
    assert_eq!(names(&request.out), Vec::<String>::new());
}
