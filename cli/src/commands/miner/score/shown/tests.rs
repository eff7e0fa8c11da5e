use weighhouse_types::{Digest, Epoch};

use super::*;

fn judged(billionths: i64, latency_us: Option<u64>) -> JudgedAnswer {
    JudgedAnswer {
        asked_in: Epoch(0),
        round: 0,
        challenge: Digest::default(),
        mark: Mark::from_billionths(billionths).expect("a mark"),
        checked: true,
        reasons: Vec::new(),
        latency_us,
    }
}

fn loss(check: &str, answers: u32) -> Loss {
    let (check, phrase) = (check.to_owned(), String::new());
    Loss { check, phrase, answers, marks: 0, lost: 0, share_without: 0, example: None }
}

#[test]
fn the_verdict_is_one_line() {
    assert_eq!(verdict(1.0, 50, &[], Mark::MAX), "would earn full marks: 50 of 50 answers accepted");
    let half = Mark::from_billionths(500_000_000).expect("a mark");
    assert_eq!(
        verdict(0.5, 50, &[], half),
        "would earn 0.50 of full marks: every answer accepted, for +0.5000 on average"
    );
    assert_eq!(
        verdict(0.62, 50, &[loss("deadline_exceeded", 2), loss("deviates", 17)], Mark::MAX),
        "would earn 0.62 of full marks: 17 of 50 answers `deviates`, 2 of 50 answers `deadline_exceeded`"
    );
    assert!(verdict(-0.4, 1, &[loss("wrong", 1)], Mark::MAX).starts_with("would earn 0.00 "));
}

#[test]
fn latencies_are_of_the_answers_that_came() {
    let all: Vec<_> = (1..=10).map(|ms| judged(0, Some(ms * 1_000))).chain([judged(0, None)]).collect();
    let expected = Latencies { median: 5.0, p90: 9.0, longest: 10.0 };
    assert_eq!(Latencies::of(&all), Some(expected));
    assert_eq!(Latencies::of(&[judged(0, None)]), None);
}
