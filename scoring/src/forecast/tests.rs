use super::*;

fn policy(shape: &str) -> Policy {
    let text = format!(
        "version = 2\n[average]\nkind = \"ema\"\nhalf_life = 1.0\n[newcomer]\nmin_attempts = 24\n[shape]\n{shape}\n"
    );
    Policy::parse(text.as_bytes()).expect("a policy")
}

fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-6, "{found}, expected {expected}");
}

#[test]
fn without_a_policy_weights_are_in_proportion_to_marks() {
    // The best paid has full marks: 1 + 0.5 + 0.25, and 0.75 of ours: 0.75 / 2.5.
    near(forecast(None, 0.75, &[0.4, 0.2, 0.1]).share, 0.3);
    near(forecast(None, 1.0, &[0.4, 0.2, 0.1]).share, 1.0 / 2.75);
}

#[test]
fn nobody_paid_leaves_everything_to_whoever_earns_anything() {
    near(forecast(None, 0.1, &[]).share, 1.0);
    near(forecast(None, 0.1, &[0.0, 0.0]).share, 1.0);
    near(forecast(Some(&policy("kind = \"linear\"")), 0.1, &[0.0]).share, 1.0);
}

#[test]
fn no_marks_are_no_share() {
    for marks in [0.0, -1.0, f64::NAN] {
        near(forecast(None, marks, &[0.5]).share, 0.0);
        near(forecast(None, marks, &[]).share, 0.0);
        near(forecast(Some(&policy("kind = \"softmax\"\ntemperature = 0.1")), marks, &[0.5]).share, 0.0);
    }
}

#[test]
fn a_floor_pays_nothing_below_it_and_says_so() {
    let policy = policy("kind = \"linear\"\nfloor = 0.4");
    let below = forecast(Some(&policy), 0.39, &[1.0]);
    near(below.share, 0.0);
    assert!(below.assumptions.iter().any(|said| said.contains("pays nothing for marks of 0.390")));
    near(forecast(Some(&policy), 0.4, &[1.0]).share, 0.4 / 1.4);
}

#[test]
fn shapes_are_read_backwards_to_the_others_marks() {
    // Weights 1 and 1/4 are scores 1 and 1/2 under a square; 0.8 is worth 0.64: 0.64 / 1.89.
    let power = policy("kind = \"power\"\nexponent = 2.0");
    near(forecast(Some(&power), 0.8, &[0.8, 0.2]).share, 0.64 / 1.89);
    // e^-1 below the best at a temperature of 0.1 is a score of 0.9; full marks are worth as much as the best's.
    let softmax = policy("kind = \"softmax\"\ntemperature = 0.1");
    let others = [1.0, libm::exp(-1.0)];
    near(forecast(Some(&softmax), 1.0, &others).share, 1.0 / (2.0 + libm::exp(-1.0)));
    near(forecast(Some(&softmax), 0.9, &others).share, 1.0 / (libm::exp(1.0) + 2.0));
}

#[test]
fn ranks_place_marks_among_the_others() {
    // Scores 1, 0.5 and 0.25 are places 0, 2 and 3 beside 0.9: 0.5 / (1 + 0.5 + 0.25 + 0.125).
    let rank = policy("kind = \"rank\"\nratio = 0.5");
    near(forecast(Some(&rank), 0.9, &[0.5, 0.25, 0.125]).share, 0.5 / 1.875);
    let all = policy("kind = \"winner_takes_all\"\nhysteresis = 0.05");
    near(forecast(Some(&all), 1.0, &[1.0, 0.0]).share, 0.0);
    near(forecast(Some(&all), 0.5, &[0.0]).share, 1.0);
}

#[test]
fn full_pay_waits_for_verdicts_ramp_and_reveal() {
    let policy = policy("kind = \"linear\"");
    // 24 verdicts at 12 an epoch are two epochs, and one to be paid.
    assert_eq!(epochs_to_full_pay(&policy, 12, 0), 3);
    assert_eq!(epochs_to_full_pay(&policy, 12, 2), 5);
    assert_eq!(epochs_to_full_pay(&policy, 0, 0), 25);
}
