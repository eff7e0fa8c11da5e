mod product;

use std::path::{Path, PathBuf};

use clap::Parser as _;
use tokio_util::sync::CancellationToken;

use super::votes::{Crowd, gold};
use crate::failure::Exit;
use crate::tree::{Cli, Command};

fn written(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    super::super::write_file(&path, text.as_bytes()).expect("written");
    path
}

fn run(arguments: &[&str]) -> Result<(), crate::failure::Failure> {
    let line = ["weighhouse", "label"].iter().chain(arguments);
    match Cli::try_parse_from(line).expect("a command").command {
        Command::Label(command) => {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(super::run(command, CancellationToken::new()))
        }
        other => panic!("{other:?}"),
    }
}

const LABELS: &str = "task,worker,label\n1,ann,cat\n1,bob,cat\n1,cy,dog\n2,ann,dog\n2,bob,dog\n2,cy,dog\n";

#[test]
fn the_same_labels_are_read_from_csv_and_from_json_lines() {
    let dir = tempfile::tempdir().expect("a folder");
    let csv = Crowd::read(&written(dir.path(), "l.csv", LABELS), &Default::default()).expect("read");
    assert_eq!(
        (csv.items, csv.workers, csv.classes.clone()),
        (
            vec!["1".to_owned(), "2".to_owned()],
            vec!["ann".to_owned(), "bob".to_owned(), "cy".to_owned()],
            vec!["cat".to_owned(), "dog".to_owned()]
        )
    );
    let lines: String = LABELS
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            format!("{{\"task\": {}, \"worker\": \"{}\", \"label\": \"{}\"}}\n", cells[0], cells[1], cells[2])
        })
        .collect();
    let json = Crowd::read(&written(dir.path(), "l.jsonl", &lines), &Default::default()).expect("read");
    assert_eq!(json.votes, csv.votes);
}

#[test]
fn a_complaint_names_the_file_and_the_line() {
    let dir = tempfile::tempdir().expect("a folder");
    let complaint = |text: &str| {
        let path = written(dir.path(), "l.csv", text);
        Crowd::read(&path, &Default::default()).expect_err("refused").to_string()
    };
    assert!(complaint("task,worker\n1,ann\n").ends_with("it has no column `label`; it has: task, worker"));
    assert!(complaint("task,worker,label\n1,ann,cat\n1,,dog\n").ends_with("line 3: no worker"));
    assert!(complaint("{\"task\": 1, \"worker\": \"ann\"}\n").ends_with("line 1: no label"));
    assert!(complaint("task,worker,label\n").ends_with("it has no rows"));
    assert!(complaint("task,worker,label\n1,ann,cat\n").contains("at least two"));
    let twice = written(dir.path(), "g.csv", "task,label\n1,cat\n1,dog\n");
    assert!(gold(&twice).expect_err("refused").to_string().contains("both \"cat\" and \"dog\""));
}

#[test]
fn aggregated_classes_are_written_with_their_probabilities_and_gold_keeps_its_class() {
    let dir = tempfile::tempdir().expect("a folder");
    let labels = written(dir.path(), "labels.csv", LABELS);
    let known = written(dir.path(), "gold.csv", "task,label\n1,dog\n");
    let out = dir.path().join("out.csv");
    let text = |path: &Path| path.to_str().expect("a path").to_owned();
    let (labels, known, out_name) = (text(&labels), text(&known), text(&out));
    run(&["aggregate", &labels, "--method", "mv", "--out", &out_name]).expect("aggregated");
    let rows = std::fs::read_to_string(&out).expect("written");
    assert!(rows.starts_with("task,label,probability_cat,probability_dog\n1,cat,0.66666"), "{rows}");
    run(&["aggregate", &labels, "--gold", &known, "--out", &out_name]).expect("aggregated");
    let rows = std::fs::read_to_string(&out).expect("written");
    assert!(rows.contains("\n1,dog,"), "{rows}");
    for method in ["one-coin", "wawa", "zbs", "mace", "glad"] {
        run(&["aggregate", &labels, "--method", method, "--json"]).expect(method);
    }
    let without = run(&["aggregate", &labels, "--method", "gold"]).expect_err("no gold");
    assert!(without.to_string().contains("--gold FILE"), "{without}");
    let absent = run(&["aggregate", "absent.csv"]).expect_err("none");
    assert_eq!(absent.exit, Exit::Missing);
}

#[test]
fn a_drawn_crowd_is_accounted_for_and_nonsense_is_refused() {
    run(&["simulate", "--seeds", "2", "--items", "200", "--json"]).expect("drawn");
    run(&["simulate", "--seeds", "1", "--bad", "clique:10", "--classes", "4"]).expect("drawn");
    for (arguments, what) in [
        (vec!["simulate", "--bad", "lazy:3"], "no sort \"lazy\""),
        (vec!["simulate", "--bad", "random:many"], "write it as"),
        (vec!["simulate", "--overlap", "99"], "--overlap"),
        (vec!["simulate", "--seeds", "0"], "--seeds"),
    ] {
        let refused = run(&arguments).expect_err(what).to_string();
        assert!(refused.contains(what), "{refused}");
    }
}
