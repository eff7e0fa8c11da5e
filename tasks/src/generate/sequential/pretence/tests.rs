use super::strategies::EPOCHS;
use super::*;

fn pretence(name: &str, cost: f64, checks: u32, convicted: u32) -> Pretence {
    Pretence { name: name.to_owned(), cost, checks, convicted, refused: 0.0, rejected: 0.0 }
}

fn stakes(rounds: u32, newcomer_checks: u32) -> Stakes {
    Stakes { drawn: 0.06, rounds, wait: newcomer_checks.div_ceil(rounds) }
}

fn garbage() -> Pretence {
    pretence("garbage", 0.0, 500, 500)
}

/// Answers that cost half, and that their form always gives away.
fn truncated() -> Pretence {
    Pretence { refused: 1.0, ..pretence("truncated", 0.5, 0, 0) }
}

#[test]
fn a_newcomer_is_checked_until_no_way_of_pretending_pays() {
    // 2 x (1 - 0.06 x 0.994) / (0.06 x 0.994) = 31.5.
    assert_eq!(garbage().newcomer_checks(0.06), Some(32));
    assert_eq!(pretence("int4", 0.25, 500, 450).newcomer_checks(0.06), Some(28));
    assert_eq!(truncated().newcomer_checks(0.06), Some(1));
    assert_eq!(pretence("int8", 0.5, 500, 0).newcomer_checks(0.06), None);
    for (checks, verdict) in [(32, PretenceVerdict::Loses), (31, PretenceVerdict::Pays)] {
        assert_eq!(garbage().figures(&stakes(1, checks)).verdict, verdict, "{checks}");
    }
    let verdict = |pretence: Pretence| pretence.figures(&stakes(3, 33)).verdict;
    assert_eq!(verdict(pretence("int8", 0.5, 500, 0)), PretenceVerdict::Conforms);
    assert_eq!(verdict(pretence("subtle", 0.5, 500, 5)), PretenceVerdict::Pays);
    let rejected = Pretence { rejected: 1.0, ..pretence("rejected and never convicted", 0.0, 500, 0) };
    assert_eq!(verdict(rejected), PretenceVerdict::Pays);
    assert_eq!(verdict(pretence("never measured", 0.0, 0, 0)), PretenceVerdict::Pays);
    assert_eq!(verdict(pretence("relayed", 1.0, 0, 0)), PretenceVerdict::Loses);
    assert_eq!(verdict(truncated()), PretenceVerdict::Loses);
}

#[test]
fn few_rounds_draw_more_so_that_newcomers_are_paid_before_their_immunity_ends() {
    let cheats = [garbage(), pretence("int4", 0.25, 500, 450), truncated(), pretence("int8", 0.5, 500, 0)];
    let terms = |rounds| DrawTerms::of(&cheats, rounds);
    assert_eq!(terms(12), DrawTerms { drawn: 0.02, checks: 99 });
    assert_eq!(terms(360), terms(12));
    assert_eq!(terms(3), DrawTerms { drawn: 0.07, checks: 27 });
    for rounds in [1, 2, 3, 4, 6, 12, 100] {
        let DrawTerms { drawn, checks } = terms(rounds);
        assert!(checks <= u64::from(10 * rounds), "{rounds}: {checks}");
        assert_eq!(Some(checks), garbage().newcomer_checks(drawn), "{rounds}");
    }
    let hopeless = DrawTerms::of(&[pretence("seldom told", 0.0, 500, 20)], 1);
    assert_eq!((hopeless.drawn, hopeless.checks > 10), (1.0, true));
}

#[test]
fn no_strategy_earns_more_than_honest_work() {
    for rounds in [3, 12] {
        for pretence in [garbage(), pretence("int4", 0.25, 500, 450), truncated()] {
            let strategies = Strategies::new(&pretence, stakes(rounds, 32));
            let worths = strategies.all(40);
            assert_eq!(worths.len(), 40 * 40);
            assert!(worths.iter().all(|worth| worth.gain < 0.0 && worth.stretch < 0.0), "{:?}", worths[0]);
            assert!(worths.is_sorted_by(|one, other| one.gain >= other.gain));
            assert_eq!(strategies.best(), 0.0, "{} at {rounds} rounds", pretence.name);
            let always = strategies.always_paid();
            assert!(pretence.refused > 0.0 || always < 1e-3, "{} is paid {always}", pretence.name);
        }
    }
}

#[test]
fn a_wait_that_is_too_short_is_found_by_the_chain_too() {
    let garbage = garbage();
    let strategies = Strategies::new(&garbage, stakes(3, 3));
    assert!(strategies.all(40)[0].gain > 0.0 && strategies.best() > 0.0);
    // A stretch against its sum: paid 3 with 0.8321, found otherwise, and then 3 unpaid.
    let worth = strategies.worth(Strategy { honest: 5, pretending: 1, regains: true });
    let escapes = libm::pow(1.0 - 0.06 * garbage.detection(), 3.0);
    let expected = escapes * 3.0 - (1.0 - escapes) * 3.0;
    assert!((worth.stretch - expected).abs() < 1e-9, "{} {expected}", worth.stretch);
    let spread = 6.0 * libm::sqrt(escapes * (1.0 - escapes));
    assert!((worth.spread - spread).abs() < 1e-9, "{} {spread}", worth.spread);
}

#[test]
fn what_the_chain_says_is_what_chance_shows() {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};
    let (garbage, stakes) = (garbage(), stakes(3, 32));
    let caught = stakes.drawn * garbage.detection();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut happens = |chance: f64| f64::from(rng.next_u32()) / 4_294_967_296.0 < chance;
    let (runs, rounds) = (4_000, 3.0);
    let mut gain = 0.0;
    for _ in 0..runs {
        let (mut wait, mut at) = (stakes.wait, 0);
        for _ in 0..EPOCHS {
            if wait > 0 {
                gain -= rounds;
                (wait, at) = (wait - 1, 0);
                continue;
            }
            if at >= 5 {
                let found = (0..3).filter(|_| happens(caught)).count() > 0;
                gain += if found { 0.0 } else { rounds };
                wait = if found { stakes.wait } else { 0 };
            }
            at = (at + 1) % 7;
        }
        gain -= f64::from(wait) * rounds;
    }
    let seen = gain / f64::from(runs) + stakes.loss();
    let exact =
        Strategies::new(&garbage, stakes).worth(Strategy { honest: 5, pretending: 2, regains: true }).gain;
    assert!((seen - exact).abs() < 0.03 * exact.abs(), "{seen} {exact}");
}
