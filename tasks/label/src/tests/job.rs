use super::*;
use crate::{Content, JobError};

#[test]
fn the_same_text_twice_is_one_item_with_two_names() {
    let (_dir, job) = job();
    assert_eq!((job.items.list().len(), job.items.find("r1")), (5, job.items.find("r5")));
    assert_eq!(job.items.list()[2].content, Content::Text("fine, really".to_owned()));
    let again = Job::open(&job.dir).expect("opened");
    assert_eq!((again.digest, again.file), (job.digest, job.file));
}

#[test]
fn folders_and_tables_of_every_form_become_items_and_others_are_refused_by_name() {
    let dir = tempfile::tempdir().expect("a folder");
    let put = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        files::write(&path, bytes).expect("written");
        path
    };
    let png = [&[0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a][..], b"rest"].concat();
    put("texts/a.txt", b"one");
    put("texts/b.md", b"two");
    let read = init(&dir.path().join("j0"), &dir.path().join("texts")).run().expect("a job");
    assert_eq!((read.items.find("a.txt"), read.items.find("b.md")), (Some(0), Some(1)));
    put("images/b.png", &png);
    let read = init(&dir.path().join("j1"), &dir.path().join("images")).run().expect("a job");
    let image = &read.items.list()[0];
    assert_eq!(image.file().map(|file| file.ends_with(".png")), Some(true));
    image.check(&read.dir).expect("whole");
    files::write(&read.dir.join(image.file().expect("a file")), b"other").expect("written");
    assert!(matches!(image.check(&read.dir), Err(JobError::Item { item, .. }) if item == image.digest));

    let rows = put("t.jsonl", b"{\"id\":7,\"text\":\"one\"}\n{\"id\":\"x\",\"text\":\"two\"}\n");
    let read = init(&dir.path().join("j2"), &rows).run().expect("a job");
    assert_eq!((read.items.find("7"), read.items.find("x")), (Some(0), Some(1)));
    let tasks = put("t.json", br#"[{"id":1,"data":{"text":"one","id":"a"}},{"id":2,"data":{"text":"two"}}]"#);
    let read = init(&dir.path().join("j3"), &tasks).run().expect("a job");
    assert_eq!((read.items.find("a"), read.items.find("2")), (Some(0), Some(1)));

    put("other/a.pdf", b"%PDF");
    put("fake/a.png", b"no image");
    put("mixed/a.txt", b"one");
    put("mixed/b.png", &png);
    let refusals = [
        (dir.path().join("mixed"), "there are both texts and images in it"),
        (dir.path().join("other"), "a.pdf: items are .txt, .md, .png or .jpg files"),
        (dir.path().join("fake"), "a.png: it is neither PNG nor JPEG"),
        (put("t.xlsx", b"x"), "not .xlsx"),
        (put("t.csv", b"id,body\n1,one\n"), "no column `text` of texts; it has: id, body"),
        (put("e.csv", b"id,text\n"), "there are no items in it"),
    ];
    for (source, why) in refusals {
        let error = init(&dir.path().join("j4"), &source).run().expect_err(why).to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn settings_that_cannot_be_are_refused() {
    let (dir, _job) = job();
    let fresh = || init(&dir.path().join("other"), &dir.path().join("texts.csv"));
    let cases: [(Init, &str); 8] = [
        (Init { classes: vec!["a".into(), "skip".into()], ..fresh() }, "an answer of its own"),
        (Init { classes: vec!["a".into(), "a".into()], ..fresh() }, "stands twice"),
        (Init { classes: vec!["a".into()], ..fresh() }, "2 to 1000 classes"),
        (Init { overlap: 0, ..fresh() }, "overlap"),
        (Init { sure: 0.5, ..fresh() }, "sure lies above chance"),
        (Init { worker_accuracy: 1.0, ..fresh() }, "worker_accuracy"),
        (Init { gold_rate: 0.9, ..fresh() }, "gold_rate"),
        (Init { examples: vec![("positive".into(), "r9".into())], ..fresh() }, "is no item"),
    ];
    for (init, why) in cases {
        let error = init.run().expect_err(why).to_string();
        assert!(error.contains(why), "{error}");
    }
    let error = init(&dir.path().join("job"), &dir.path().join("texts.csv")).run().expect_err("not empty");
    assert!(error.to_string().contains("there are files in it already"));
}

#[test]
fn the_first_gold_of_a_class_is_its_example_and_not_hidden() {
    let (dir, _job) = job();
    let gold = dir.path().join("gold.csv");
    files::write(&gold, b"item,label\nr1,positive\nr3,positive\nr2,negative\n").expect("written");
    let with = |name: &str, gold: &Path| {
        Init { gold: Some(gold.to_owned()), ..init(&dir.path().join(name), &dir.path().join("texts.csv")) }
            .run()
    };
    let job = with("gold", &gold).expect("a job");
    assert_eq!(job.hidden_gold().collect::<Vec<_>>(), [(2, 1)]);
    assert_eq!(job.gold.iter().flatten().count(), 3);
    let wrong = dir.path().join("wrong.csv");
    files::write(&wrong, b"item,label\nr1,great\n").expect("written");
    let error = with("wrong", &wrong).expect_err("no class").to_string();
    assert!(error.ends_with("line 2: \"great\" is no class of the job"), "{error}");
}

#[test]
fn the_last_answer_holds_and_undo_takes_it_back() {
    let (_dir, job) = job();
    let (no, yes) = (Answer::Class(0), Answer::Class(1));
    label(
        &job,
        "ann lee",
        &[("r1", no), ("r2", no), ("r1", yes), ("r2", Answer::Undo), ("r3", Answer::Skip)],
    );
    label(&job, "ann lee", &[("r4", Answer::Unsure)]);
    let labels = Labels::open(&job).expect("labels");
    let held: Vec<_> = labels.answers().map(|(worker, item, answer, _)| (worker, item, answer)).collect();
    assert_eq!(held, [("ann lee", 0, yes), ("ann lee", 2, Answer::Skip), ("ann lee", 3, Answer::Unsure)]);
}

#[test]
fn a_label_that_was_changed_moved_or_taken_away_is_told_by_its_receipt() {
    let (_dir, job) = job();
    label(&job, "ann", &[("r1", Answer::Class(1)), ("r2", Answer::Class(0)), ("r3", Answer::Class(1))]);
    let path = job.dir.join("labels/ann.jsonl");
    let whole = files::read_text(&path, 1 << 20).expect("read");
    let lines: Vec<&str> = whole.lines().collect();
    let text = |lines: &[&str]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    let changed = lines[1].replace("negative", "positive");
    let cases = [
        (text(&[lines[0], &changed, lines[2]]), 2),
        (text(&[lines[0], lines[2]]), 2),
        (text(&[lines[1], lines[0], lines[2]]), 1),
    ];
    for (wrong, at) in cases {
        files::write(&path, wrong.as_bytes()).expect("written");
        match Labels::open(&job) {
            Err(JobError::Receipt { line, worker, .. }) => assert_eq!((line, worker.as_str()), (at, "ann")),
            other => panic!("{other:?}"),
        }
    }
    files::write(&job.dir.join("labels/ben.jsonl"), whole.as_bytes()).expect("written");
    files::write(&path, whole.as_bytes()).expect("written");
    assert!(matches!(Labels::open(&job), Err(JobError::Receipt { line: 1, .. })));
}

#[test]
fn a_half_written_label_is_dropped_and_one_process_labels_as_a_worker() {
    let (_dir, job) = job();
    label(&job, "ann", &[("r1", Answer::Class(1))]);
    let path = job.dir.join("labels/ann.jsonl");
    let whole = files::read(&path, 1 << 20).expect("read");
    files::write(&path, &[&whole[..], b"{\"item\":"].concat()).expect("written");
    assert_eq!(Labels::open(&job).expect("labels").answers().count(), 1);
    label(&job, "ann", &[("r2", Answer::Class(0))]);
    let mut labels = Labels::open(&job).expect("labels");
    assert_eq!(labels.answers().count(), 2);
    let _held = Worker::open(&job, &mut labels, "ann", Entropy::system()).expect("free");
    let second = Worker::open(&job, &mut labels, "ann", Entropy::system()).expect_err("held");
    assert!(matches!(second, JobError::Busy { .. }));
    assert!(Worker::open(&job, &mut labels, " ann", Entropy::system()).is_err());
}
