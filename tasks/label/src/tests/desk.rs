use std::collections::BTreeSet;

use super::*;
use crate::{Desk, newest};

const YES: Answer = Answer::Class(1);

#[test]
fn an_item_is_given_out_until_it_is_sure_or_has_all_its_votes() {
    let (_dir, job) = job();
    let name = |item: usize| job.items.list()[item].names[0].as_str();
    let open = || Desk::new(&job, &Labels::open(&job).expect("labels")).open();
    assert_eq!(open(), 5);
    // Three that agree are 64 to 1, two are 16 to 1.
    label(&job, "ann", &[("r1", YES), ("r2", YES)]);
    label(&job, "ben", &[("r1", YES), ("r2", Answer::Class(0))]);
    assert_eq!(open(), 5);
    label(&job, "cid", &[("r1", YES)]);
    assert_eq!(open(), 4);
    label(&job, "cid", &[("r2", YES)]);
    assert_eq!(open(), 3, "all its votes, though nobody is sure");
    label(&job, "cid", &[("r2", Answer::Undo)]);
    let labels = Labels::open(&job).expect("labels");
    let desk = Desk::new(&job, &labels);
    assert_eq!(desk.open(), 4);
    let next = desk.next(&job, &labels, "ann").expect("an item");
    assert!(["r3", "r4", "r6"].contains(&name(next)), "fewest votes first, and not what ann had");
    label(&job, "dan", &[("r3", Answer::Skip), ("r4", Answer::Unsure), ("r6", YES)]);
    let labels = Labels::open(&job).expect("labels");
    let next = Desk::new(&job, &labels).next(&job, &labels, "dan").map(name);
    assert_eq!(next, Some("r2"), "what was skipped or unsure isn't given to the same worker again");
    assert_eq!(newest(&labels, "dan"), job.items.find("r6").map(|item| (item, YES)));
}

#[test]
fn hidden_gold_comes_at_its_rate_once_to_each_and_weighs_votes() {
    let dir = tempfile::tempdir().expect("a folder");
    let (mut table, mut gold) = ("id,text\n".to_owned(), "item,label\n".to_owned());
    for at in 0..400 {
        table.push_str(&format!("r{at},text {at}\n"));
        if at < 102 {
            gold.push_str(&format!("r{at},{}\n", if at % 2 == 0 { "negative" } else { "positive" }));
        }
    }
    files::write(&dir.path().join("t.csv"), table.as_bytes()).expect("written");
    files::write(&dir.path().join("g.csv"), gold.as_bytes()).expect("written");
    let from = Init {
        gold: Some(dir.path().join("g.csv")),
        overlap: 5,
        ..init(&dir.path().join("job"), &dir.path().join("t.csv"))
    };
    let job = from.run().expect("a job");
    assert_eq!((job.examples.len(), job.hidden_gold().count()), (2, 100));
    let mut labels = Labels::open(&job).expect("labels");
    let mut worker = Worker::open(&job, &mut labels, "ann", Entropy::seeded([3; 32])).expect("free");
    let mut given = BTreeSet::new();
    let mut gold = 0;
    for _ in 0..200 {
        labels.refresh(&job.items).expect("labels");
        let item = Desk::new(&job, &labels).next(&job, &labels, "ann").expect("an item");
        assert!(given.insert(item) && !job.examples.contains(&item));
        gold += usize::from(job.gold[item].is_some());
        let answer = Answer::Class(job.gold[item].unwrap_or(0));
        worker.add(&job, &[NewLabel { item, answer, lead_time: None, at: None }]).expect("added");
    }
    // A fifth of 200, within four standard deviations.
    assert!((18..=62).contains(&gold), "{gold}");
    labels.refresh(&job.items).expect("labels");
    let shown = crate::rule::gold_record(&job, &labels);
    assert_eq!(shown, [(gold, gold)]);
    let accuracy = crate::rule::accuracy(0.8, gold, gold);
    assert!(accuracy > 0.93, "{accuracy}");
    // One vote of a worker who was always right is nearly enough.
    let desk = Desk::new(&job, &labels);
    let expected = 400 - 102 - if accuracy >= 0.95 { 200 - gold } else { 0 };
    assert_eq!(desk.open(), expected);
}
