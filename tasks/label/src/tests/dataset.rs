use std::collections::BTreeMap;

use super::*;
use crate::{build, verify};

const NO: Answer = Answer::Class(0);
const YES: Answer = Answer::Class(1);

fn built(name: &str) -> (TempDir, Job) {
    let (dir, mut job) = job();
    label(&job, "ann", &[("r1", YES), ("r2", NO), ("r3", YES), ("r4", Answer::Skip), ("r6", Answer::Unsure)]);
    label(&job, "ben", &[("r1", YES), ("r2", YES), ("r3", YES), ("r4", NO)]);
    label(&job, "cid", &[("r1", NO), ("r2", NO)]);
    job.add_gold(&[(3, 0)]).expect("gold");
    let built = build(&job, &dir.path().join(name)).expect("built");
    assert_eq!((built.items, built.labelled, built.labels, built.workers), (5, 4, 11, 3));
    (dir, job)
}

fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for name in files::names(dir).expect("listed") {
        let path = dir.join(&name);
        if path.is_dir() {
            all.extend(contents(&path).into_iter().map(|(file, bytes)| (format!("{name}/{file}"), bytes)));
        } else {
            all.insert(name, files::read(&path, 1 << 20).expect("read"));
        }
    }
    all
}

#[test]
fn the_same_labels_give_the_same_bytes_and_verify_elsewhere() {
    let (dir, job) = built("one");
    build(&job, &dir.path().join("two")).expect("built");
    let (one, two) = (contents(&dir.path().join("one")), contents(&dir.path().join("two")));
    assert_eq!(one, two);
    let names: Vec<&str> = one.keys().map(String::as_str).collect();
    let expected = [
        "datasheet.md",
        "gold.csv",
        "guidelines.md",
        "items.jsonl",
        "items.parquet",
        "job.toml",
        "labels/ann.jsonl",
        "labels/ben.jsonl",
        "labels/cid.jsonl",
        "manifest.json",
    ];
    assert_eq!(names, expected);
    drop(std::fs::remove_dir_all(&job.dir));
    let verified = verify(&dir.path().join("one")).expect("a data set");
    assert_eq!(verified.differences, []);
    assert_eq!((verified.items, verified.labels, verified.workers), (5, 11, 3));
    // Another job's folder can't take its place.
    assert!(build(&job, &dir.path().join("two")).is_err(), "the folder isn't empty");
}

#[test]
fn any_flipped_byte_of_any_file_is_noticed() {
    let (dir, _job) = built("set");
    let set = dir.path().join("set");
    let mut flips = 0;
    for (name, bytes) in contents(&set) {
        // Each of a file's parts is longer than a step.
        for at in (0..bytes.len()).step_by(5) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            // Not through `files::write`, which waits for the disk each time.
            put(&set.join(&name), &flipped);
            let verified = verify(&set).expect("a data set");
            assert_ne!(verified.differences, [], "byte {at} of {name}");
            flips += 1;
        }
        put(&set.join(&name), &bytes);
    }
    assert!(flips > 1_000, "{flips}");
    assert_eq!(verify(&set).expect("a data set").differences, []);
}

fn put(path: &Path, bytes: &[u8]) {
    use std::io::Write as _;
    std::fs::File::create(path).and_then(|mut file| file.write_all(bytes)).expect("written");
}

fn told(set: &Path) -> Vec<(String, Option<weighhouse_types::Digest>, String)> {
    let verified = verify(set).expect("a data set");
    verified.differences.into_iter().map(|other| (other.file, other.item, other.what)).collect()
}

#[test]
fn the_item_that_differs_is_named() {
    let (dir, job) = built("set");
    let set = dir.path().join("set");
    let all = contents(&set);
    let text = |name: &str| String::from_utf8(all[name].clone()).expect("text");
    let digest = |name: &str| job.items.list()[job.items.find(name).expect("an item")].digest;

    let manifest = text("manifest.json");
    let entry = manifest.lines().find(|line| line.contains(&digest("r3").to_string())).expect("an entry");
    put(
        &set.join("manifest.json"),
        manifest.replace(entry, &entry.replace("positive", "negative")).as_bytes(),
    );
    let differences = told(&set);
    assert!(
        differences.iter().any(|(file, item, what)| file == "manifest.json"
            && *item == Some(digest("r3"))
            && what == "its label is stated as \"negative\"; \"positive\" follows from the labels"),
        "{differences:?}"
    );
    put(&set.join("manifest.json"), manifest.as_bytes());

    let lines = text("labels/ben.jsonl");
    let second = lines.lines().nth(1).expect("a label");
    let changed = lines.replace(second, &second.replace("positive", "negative"));
    put(&set.join("labels/ben.jsonl"), changed.as_bytes());
    let differences = told(&set);
    let named =
        |item| differences.iter().any(|(file, of, _)| file == "labels/ben.jsonl" && *of == Some(item));
    assert!(named(digest("r2")) && !named(digest("r1")), "{differences:?}");
    put(&set.join("labels/ben.jsonl"), lines.as_bytes());

    put(&set.join("items.jsonl"), text("items.jsonl").replace("fine, really", "fine, rea11y").as_bytes());
    let differences = told(&set);
    assert!(differences.iter().any(|(_, item, _)| *item == Some(digest("r3"))), "{differences:?}");
    put(&set.join("items.jsonl"), text("items.jsonl").as_bytes());

    // The table of other labels, made by the same software.
    label(&job, "dan", &[("r2", YES), ("r1", NO)]);
    build(&job, &dir.path().join("other")).expect("built");
    put(&set.join("items.parquet"), &contents(&dir.path().join("other"))["items.parquet"]);
    let differences = told(&set);
    let of_table: Vec<_> =
        differences.iter().filter(|(file, item, _)| file == "items.parquet" && item.is_some()).collect();
    assert!(
        of_table
            .iter()
            .any(|(_, item, what)| *item == Some(digest("r2")) && what.starts_with("its votes is 4"))
    );
    assert!(of_table.iter().all(|(_, item, _)| *item != Some(digest("r4"))), "{of_table:?}");
    put(&set.join("items.parquet"), &all["items.parquet"]);

    put(&set.join("notes.txt"), b"more");
    assert_eq!(told(&set), [("notes.txt".to_owned(), None, "the manifest doesn't list it".to_owned())]);
    std::fs::remove_file(set.join("notes.txt")).expect("removed");
    std::fs::remove_file(set.join("datasheet.md")).expect("removed");
    assert!(told(&set).iter().any(|(file, _, what)| file == "datasheet.md" && what == "it is missing"));
}

#[test]
fn the_datasheet_says_what_who_how_and_what_to_review() {
    let (dir, _job) = built("set");
    let sheet = files::read_text(&dir.path().join("set/datasheet.md"), 1 << 20).expect("read");
    for expected in [
        "# reviews\n",
        "5 items (6 rows), 4 of them with a label.",
        "| ann | 3 | 1 | 1 | 1.5 s | 0 of 0 | 0.600 |",
        "| ben | 4 | 0 | 0 | 1.5 s | 1 of 1 | 0.400 |",
        "Labelled from 2023-11-14T22:13:20.000Z",
        "> Say whether the writer is **pleased**.",
        "| Krippendorff's alpha | ",
    ] {
        assert!(sheet.contains(expected), "no {expected} in {sheet}");
    }
    let list: Vec<&str> = sheet.split("## To review").nth(1).expect("a list").lines().skip(6).collect();
    assert!(list[0].contains("| r6 | - | 0.5000 | 0/0 | 1 |"), "{list:?}");
}

#[test]
fn images_are_files_of_the_data_set_and_each_is_checked() {
    let dir = tempfile::tempdir().expect("a folder");
    let source = dir.path().join("images");
    std::fs::create_dir(&source).expect("made");
    for (name, byte) in [("a.png", 1), ("b.png", 2)] {
        put(&source.join(name), &[0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, byte]);
    }
    let job = init(&dir.path().join("job"), &source).run().expect("a job");
    label(&job, "ann", &[("a.png", YES), ("b.png", NO)]);
    let set = dir.path().join("set");
    build(&job, &set).expect("built");
    assert_eq!(told(&set), []);
    let image = &job.items.list()[1];
    put(&set.join(image.file().expect("a file")), &[0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 1]);
    assert!(told(&set).iter().any(|(_, item, _)| *item == Some(image.digest)));
}
