use super::*;
use crate::fixture::{context, judged, kept, records, standing};

#[test]
fn a_path_shows_every_figure_from_verdict_to_weight() {
    let mut context = context(2);
    context.policy =
        b"version = 2\n[average]\nhalf_life = 1.0\n[shape]\nkind = \"rank\"\nratio = 0.5\n".to_vec();
    context.carried = vec![standing(1, 200_000_000, 6)];
    let verdicts = [judged(1, 0, 500_000_000), judged(1, 1, 700_000_000), judged(2, 0, 900_000_000)];
    let path = path(&records(&context, &verdicts), Uid(1)).expect("it was judged");
    assert_eq!(
        (path.epoch_mean, path.carried, path.rated.average),
        (600_000_000, Some(200_000_000), 400_000_000)
    );
    assert_eq!((path.attempts, path.verdicts.len(), path.place), (6, 2, Some(1)));
    assert_eq!((path.share * 3.0).round(), 1.0);
    assert_eq!(path.weight, Some(32_768));
}

#[test]
fn a_miner_that_nobody_knows_has_no_path() {
    let context = context(1);
    let unknown = PathError::Unknown { epoch: context.epoch, uid: Uid(1), awaiting: 0, void: 0 };
    assert_eq!(path(&records(&context, &[]), Uid(1)), Err(unknown));
}

#[test]
fn answers_that_await_their_truth_are_on_the_path_or_the_reason_for_none() {
    let mut records = records(&context(2), &[judged(2, 0, 500_000_000)]);
    for (round, uid) in [(1, 1), (2, 1), (3, 2)] {
        records.extend(kept(round, uid));
    }
    let told = path(&records, Uid(1)).expect_err("no verdict").to_string();
    assert_eq!(told, "epoch 7 has no verdict on uid 1 yet: 2 answers await their truth");
    assert_eq!(path(&records, Uid(2)).expect("it was judged").awaiting, 1);
}
