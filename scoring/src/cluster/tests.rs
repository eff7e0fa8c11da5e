use weighhouse_types::Epoch;

use super::*;
use crate::fixture::who;

fn round(round: u32, compared: &[u16], groups: &[&[u16]]) -> Likeness {
    let names = |uids: &[u16]| uids.iter().map(|uid| who(*uid)).collect::<Vec<_>>();
    let groups = groups.iter().map(|group| names(group)).collect();
    Likeness { epoch: Epoch(7), round, compared: names(compared), groups }
}

fn numbers(rounds: &[Likeness], agreement: &str) -> Vec<(u16, u32)> {
    let rounds: Vec<&Likeness> = rounds.iter().collect();
    let clusters = clusters(&rounds, Fraction::parse(agreement).expect("a share"));
    clusters.into_iter().map(|(who, number)| (u16::from(who.hotkey.0[0]), number)).collect()
}

#[test]
fn pairs_that_are_alike_often_enough_are_joined_and_joining_is_transitive() {
    let rounds = [
        round(0, &[1, 2, 3, 4, 5], &[&[1, 2], &[4, 5]]),
        round(1, &[1, 2, 3, 4, 5], &[&[1, 2], &[2, 3], &[4, 5]]),
        round(2, &[1, 2, 3, 5], &[&[1, 2], &[2, 3]]),
    ];
    assert_eq!(numbers(&rounds, "1"), [(1, 0), (2, 0), (4, 1), (5, 1)]);
    assert_eq!(numbers(&rounds, "0.6"), [(1, 0), (2, 0), (3, 0), (4, 1), (5, 1)]);
}

#[test]
fn rounds_that_compared_only_one_of_two_do_not_count() {
    let rounds = [round(0, &[1, 2], &[&[1, 2]]), round(1, &[1], &[]), round(2, &[2], &[])];
    assert_eq!(numbers(&rounds, "1"), [(1, 0), (2, 0)]);
    assert_eq!(numbers(&[round(0, &[1, 2], &[])], "0.1"), []);
}
