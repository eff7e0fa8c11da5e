use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use arrow::array::RecordBatch;
use weighhouse_types::Epoch;

use super::export::run;
use super::sample::{plain, request, who, write};
use crate::{ExportRequest, Format, QueryError, QueryLimits, SQL_BYTES_MAX, Table, query, render};

/// Far beyond what these queries take, so that only a query that never ends meets it.
const LIMITS: QueryLimits =
    QueryLimits { memory_bytes: 64 << 20, answer_bytes: 1 << 20, deadline: Duration::from_secs(600) };

/// The tables of epochs 4 and 5.
fn tables(dir: &Path) -> PathBuf {
    let request = request(dir);
    write(&request.journal, &[(4, plain(4)), (5, plain(5))]);
    run(&request).unwrap();
    request.out
}

fn ask(dir: &Path, sql: &str, limits: QueryLimits) -> Result<Vec<RecordBatch>, QueryError> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    let answered = runtime.block_on(query(dir, sql, limits));
    runtime.shutdown_background();
    answered
}

fn text(dir: &Path, sql: &str, format: Format) -> String {
    render(&ask(dir, sql, LIMITS).unwrap(), format).unwrap()
}

#[test]
fn a_journal_is_asked_in_sql() {
    let dir = tempfile::tempdir().unwrap();
    let out = tables(dir.path());
    let sql = "SELECT uid, count(*) AS verdicts, sum(mark_billionths) AS billionths, round(avg(mark), 3) AS mark \
               FROM judgements WHERE epoch >= 4 GROUP BY uid ORDER BY uid";
    let expected = "  uid  verdicts   billionths   mark
    1         4   2666666666  0.667
    2         4  -2000000000   -0.5
";
    assert_eq!(text(&out, sql, Format::Table), expected);
}

#[test]
fn the_four_tables_join() {
    let dir = tempfile::tempdir().unwrap();
    let out = tables(dir.path());
    let sql = "SELECT e.epoch, e.decision, w.hotkey, w.share, s.average, count(j.uid) AS verdicts \
               FROM epochs e JOIN weights w ON w.epoch = e.epoch AND NOT w.superseded \
               JOIN standings s ON s.epoch = e.epoch AND s.hotkey = w.hotkey \
               JOIN judgements j ON j.epoch = e.epoch AND j.hotkey = w.hotkey \
               WHERE w.uid = 1 GROUP BY e.epoch, e.decision, w.hotkey, w.share, s.average ORDER BY e.epoch";
    let hotkey = who(1).hotkey;
    let expected = format!(
        "epoch,decision,hotkey,share,average,verdicts\n4,published,{hotkey},0.75,0.25,2\n\
         5,published,{hotkey},0.75,0.25,2\n"
    );
    assert_eq!(text(&out, sql, Format::Csv), expected);
}

#[test]
fn nulls_and_an_empty_answer_keep_their_columns() {
    let dir = tempfile::tempdir().unwrap();
    let out = tables(dir.path());
    let sql = "SELECT round, latency_us, failure FROM judgements WHERE epoch = 4 AND uid = 2 ORDER BY round";
    let expected = "{\"round\":0,\"latency_us\":null,\"failure\":\"deadline exceeded\"}\n\
                    {\"round\":1,\"latency_us\":1002,\"failure\":null}\n";
    assert_eq!(text(&out, sql, Format::JsonLines), expected);
    assert_eq!(text(&out, sql, Format::Csv), "round,latency_us,failure\n0,,deadline exceeded\n1,1002,\n");
    let none = "SELECT epoch, decision FROM epochs WHERE epoch > 99";
    assert_eq!(text(&out, none, Format::Table), "  epoch  decision\n");
    assert_eq!(text(&out, none, Format::Csv), "epoch,decision\n");
    assert_eq!(text(&out, none, Format::JsonLines), "");
}

#[test]
fn what_a_miner_sent_does_not_reach_the_terminal_raw() {
    let dir = tempfile::tempdir().unwrap();
    let out = tables(dir.path());
    let sql = "SELECT reasons FROM judgements WHERE reasons LIKE 'malformed%' LIMIT 1";
    assert_eq!(text(&out, sql, Format::Table), "  reasons\n  malformed: item 3: row \\u{1b}[31m0\n");
}

#[test]
fn columns_are_listed_when_asked() {
    let dir = tempfile::tempdir().unwrap();
    let out = tables(dir.path());
    let columns = text(&out, "DESCRIBE weights", Format::Csv);
    assert!(columns.contains("superseded,Boolean,NO"), "{columns}");
    let error = ask(&out, "SELECT nothing FROM epochs", LIMITS).unwrap_err();
    assert!(matches!(&error, QueryError::Sql(text) if text.contains("nothing")), "{error}");
}

#[test]
fn only_questions_are_answered() {
    let dir = tempfile::tempdir().unwrap();
    let out = tables(dir.path());
    let target = dir.path().join("copied.parquet");
    let shown = target.display();
    let refused = [
        "CREATE TABLE mine AS SELECT 1".to_owned(),
        "CREATE VIEW mine AS SELECT 1".to_owned(),
        format!("CREATE EXTERNAL TABLE mine STORED AS PARQUET LOCATION '{shown}'"),
        "DROP TABLE epochs".to_owned(),
        "INSERT INTO epochs SELECT * FROM epochs".to_owned(),
        format!("COPY epochs TO '{shown}' STORED AS PARQUET"),
        format!("EXPLAIN ANALYZE COPY epochs TO '{shown}' STORED AS PARQUET"),
        "SET datafusion.execution.batch_size = 1".to_owned(),
    ];
    for sql in refused {
        let error = ask(&out, &sql, LIMITS).unwrap_err();
        assert!(matches!(error, QueryError::NotAQuestion { .. }), "{sql}: {error}");
    }
    let file = Table::Epochs.path(&out);
    for sql in ["SELECT 1; SELECT 2".to_owned(), format!("SELECT * FROM '{}'", file.display())] {
        let error = ask(&out, &sql, LIMITS).unwrap_err();
        assert!(matches!(error, QueryError::Sql(_)), "{sql}: {error}");
    }
    assert!(!target.exists());
    assert_eq!(text(&out, "SELECT count(*) AS epochs FROM epochs", Format::Csv), "epochs\n2\n");
}

#[test]
fn a_query_that_never_ends_meets_its_deadline() {
    let dir = tempfile::tempdir().unwrap();
    let out = tables(dir.path());
    let sql =
        "SELECT sum(a.value * b.value) FROM generate_series(1, 100000000) a, generate_series(1, 100000000) b";
    let short = QueryLimits { deadline: Duration::from_millis(50), memory_bytes: 8 << 30, ..LIMITS };
    let error = ask(&out, sql, short).unwrap_err();
    assert!(matches!(error, QueryError::Deadline { .. }), "{error}");
}

#[test]
fn memory_and_answer_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let out = tables(dir.path());
    let little = QueryLimits { memory_bytes: 1 << 20, ..LIMITS };
    let sorted = "SELECT value FROM generate_series(1, 3000000) ORDER BY -value";
    let error = ask(&out, sorted, little).unwrap_err();
    assert!(matches!(error, QueryError::Memory { .. }), "{error}");
    let error = ask(&out, "SELECT * FROM generate_series(1, 3000000)", LIMITS).unwrap_err();
    assert!(matches!(error, QueryError::Answer { limit } if limit == LIMITS.answer_bytes), "{error}");
}

#[test]
fn long_and_deep_queries_end_in_an_answer_or_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let out = tables(dir.path());
    let long = format!("SELECT '{}'", "x".repeat(SQL_BYTES_MAX));
    assert!(matches!(ask(&out, &long, LIMITS), Err(QueryError::TooLong { .. })));
    let wide = format!("SELECT {} AS sum FROM epochs LIMIT 1", vec!["epoch"; 1000].join("+"));
    assert_eq!(text(&out, &wide, Format::Csv).lines().count(), 2);
    let widest = format!("SELECT {} FROM epochs", vec!["0"; SQL_BYTES_MAX / 2 - 16].join("+"));
    drop(ask(&out, &widest, QueryLimits { deadline: Duration::from_secs(2), ..LIMITS }));
    let deep = format!("SELECT {}1{}", "(".repeat(5000), ")".repeat(5000));
    assert!(matches!(ask(&out, &deep, LIMITS), Err(QueryError::Sql(_))));
}

#[test]
fn tables_that_are_missing_foreign_or_of_two_exports_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let out = tables(dir.path());
    let sql = "SELECT 1";
    let mixed = ExportRequest {
        journal: dir.path().join("journal"),
        out: dir.path().join("part"),
        from: Some(Epoch(5)),
        to: None,
        overwrite: false,
    };
    run(&mixed).unwrap();
    let weights = Table::Weights.path(&out);
    fs::copy(Table::Weights.path(&mixed.out), &weights).unwrap();
    assert!(matches!(ask(&out, sql, LIMITS), Err(QueryError::Mixed { file }) if file == weights));
    fs::copy(Table::Epochs.path(&out), &weights).unwrap();
    assert!(matches!(ask(&out, sql, LIMITS), Err(QueryError::Foreign { table: "weights", .. })));
    fs::copy(dir.path().join("journal/LOCK"), &weights).unwrap();
    assert!(matches!(ask(&out, sql, LIMITS), Err(QueryError::Unreadable { .. })));
    fs::remove_file(&weights).unwrap();
    assert!(matches!(ask(&out, sql, LIMITS), Err(QueryError::Missing { file }) if file == weights));
}

#[test]
fn no_character_of_a_path_is_a_pattern() {
    let dir = tempfile::tempdir().unwrap();
    let odd = dir.path().join("a b*[c]?%41#é");
    let out = tables(&odd);
    assert_eq!(text(&out, "SELECT count(*) AS epochs FROM epochs", Format::Csv), "epochs\n2\n");
}
