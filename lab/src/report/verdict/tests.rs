use super::*;
use crate::report::badge;
use crate::report::fixture::row;

fn verdict(rows: &[MatrixCell]) -> RunVerdict {
    let data = Data { matrix: rows.to_vec(), ..Data::default() };
    data.verdicts().remove(0)
}

#[test]
fn an_attack_that_answers_do_not_show_pays_all_the_same() {
    let found = verdict(&[row("lazy", 0.2, -0.1), row("sybil", 0.2, 9.67), row("relay", 0.1, 2.78)]);
    assert_eq!((found.standing, found.attacks), (RunStanding::Pays, 3));
    assert_eq!(found.paying, ["sybil", "relay"]);
    assert!(!found.holds(LIMIT) && found.holds(10.0));
    let sentence = found.sentence();
    assert!(sentence.starts_with("Attacking pays: sybil earns 9.67"), "{sentence}");
    assert!(sentence.ends_with("2 of 3 attacks pay: sybil, relay."), "{sentence}");
}

#[test]
fn a_limit_is_held_by_the_upper_end_of_the_interval_and_up_to_forty_percent() {
    let found = verdict(&[row("lazy", 0.2, 0.5), row("int4", 0.4, 1.04), row("burst", 0.5, 3.0)]);
    assert_eq!(found.standing, RunStanding::Pays);
    // The fixture's intervals reach 0.02 above the ratio.
    assert!(!found.holds(1.05) && found.holds(1.0601));
    assert_eq!(
        verdict(&[row("lazy", 0.2, 0.9)]).sentence(),
        "None of 1 attacks pays, up to 40 % bad miners."
    );
}

#[test]
fn what_cannot_be_compared_is_no_tick() {
    let unknown = MatrixCell { profit_ratio: None, ci95: None, ..row("sybil", 0.3, 0.0) };
    let found = verdict(&[row("lazy", 0.2, 0.5), unknown.clone()]);
    assert_eq!((found.standing, found.unknown, found.holds(1e9)), (RunStanding::Unknown, 1, false));
    assert_eq!(verdict(&[unknown]).standing, RunStanding::Unknown);
    let beyond = verdict(&[row("lazy", 0.6, 0.5)]);
    assert!(beyond.worst.is_none() && !beyond.holds(LIMIT));
    assert!(beyond.sentence().starts_with("No attack was tried"));
}

#[test]
fn a_badge_is_green_only_where_the_limit_holds() {
    let good = badge(&[verdict(&[row("lazy", 0.2, 0.88)])], LIMIT);
    assert!(good.contains("0.88 × honest pay") && good.contains("#2e7d32"), "{good}");
    let bad = badge(&[verdict(&[row("sybil", 0.2, 9.67)])], LIMIT);
    assert!(bad.contains("9.67 × honest pay") && bad.contains("#c62828"), "{bad}");
    let none = badge(&[], LIMIT);
    assert!(none.contains("unknown") && none.contains("#757575"), "{none}");
}
