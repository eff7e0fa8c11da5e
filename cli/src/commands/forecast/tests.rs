use std::path::Path;

use super::*;

fn written(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    super::super::write_file(&path, text.as_bytes()).expect("written");
    path
}

#[test]
fn a_file_is_read_by_its_columns_and_a_complaint_names_the_line() {
    let dir = tempfile::tempdir().expect("a folder");
    let read = |text: &str| column(&written(dir.path(), "p.csv", text), "prediction");
    let series = read("era,prediction,id\n7,0.5,b\n7,,a\n").expect("read");
    assert_eq!(series.ids(), ["a", "b"]);
    assert!(series.values()[0].is_nan() && series.values()[1] == 0.5);
    let complaint = |text: &str| read(text).expect_err("refused").to_string();
    assert!(
        complaint("id,prediction\na,0.5\nb,high\n")
            .ends_with("p.csv: line 3: \"high\" in column `prediction` is no number")
    );
    assert!(complaint("id,prediction\na,inf\n").contains("line 2"));
    assert!(complaint("id,prediction\n,0.5\n").ends_with("line 2: no id"));
    assert!(complaint("id,prediction\na,0.5\na,0.6\n").ends_with("id \"a\" stands twice"));
    assert!(complaint("id,guess\na,0.5\n").ends_with("it has no column `prediction`; it has: guess"));
    assert!(complaint("name,prediction\na,0.5\n").contains("no column `id`"));
    let absent = column(&dir.path().join("absent.csv"), "prediction").expect_err("none");
    assert_eq!(absent.exit, Exit::Missing);
}

#[test]
fn features_are_those_of_the_predictions_ids_and_all_of_them() {
    let dir = tempfile::tempdir().expect("a folder");
    let predictions =
        column(&written(dir.path(), "p.csv", "id,prediction\nb,1\na,2\n"), "prediction").expect("read");
    let features = |text: &str| columns(&written(dir.path(), "f.csv", text)).expect("read");
    let kept = neutralizers(&features("id,f0,f1\na,1,2\nb,3,4\nc,5,6\n"), &predictions).expect("features");
    assert_eq!(kept.ids(), predictions.ids());
    assert!(neutralizers(&features("id,f0\na,1\n"), &predictions).is_err());
}
