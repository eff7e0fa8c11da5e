use super::*;

fn policy(text: &str) -> Policy {
    Policy::parse(format!("version = 2\n{text}").as_bytes()).expect("a valid policy")
}

fn tally(marks: &[f64]) -> Tally {
    let mut tally = Tally::default();
    marks.iter().for_each(|mark| tally.add_value((mark * 1e9).round() as i64, true));
    tally
}

fn folded(policy: &Policy, epochs: &[&[f64]]) -> Track {
    let mut track = Track::default();
    for (epoch, marks) in (1..).zip(epochs) {
        track.fold(policy, epoch, &tally(marks));
    }
    track
}

#[test]
fn an_exponential_average_rises_and_falls_at_its_own_pace() {
    let policy = policy("[average]\nhalf_life = 1.0\nfall_half_life = 0.0");
    assert_eq!(folded(&policy, &[&[0.0], &[1.0]]).average, 500_000_000);
    assert_eq!(folded(&policy, &[&[1.0], &[0.0]]).average, 0);
}

#[test]
fn a_window_weighs_verdicts_and_forgets_what_left_it() {
    let policy = policy("[average]\nkind = \"window\"\nepochs = 2");
    assert_eq!(folded(&policy, &[&[-1.0], &[0.5, 0.5, 0.5], &[0.1]]).average, 400_000_000);
}

#[test]
fn a_median_of_means_shrugs_off_one_wild_epoch() {
    let policy = policy("[average]\nkind = \"median_of_means\"\nepochs = 3");
    assert_eq!(folded(&policy, &[&[0.2], &[1.0], &[0.3]]).average, 300_000_000);
    assert_eq!(folded(&policy, &[&[0.2], &[0.4]]).average, 300_000_000);
}

#[test]
fn a_trimmed_mean_drops_both_ends() {
    let policy = policy("[average]\nkind = \"trimmed\"\nepochs = 5\ntrim = 0.2");
    assert_eq!(folded(&policy, &[&[-1.0], &[0.1], &[0.2], &[0.3], &[1.0]]).average, 200_000_000);
}

#[test]
fn the_standard_error_shrinks_with_verdicts_and_is_a_coins_for_one() {
    let ema = policy("");
    // Sample variance of (0.5, -0.5) is 0.5; over two verdicts 0.25; its root 0.5.
    assert_eq!(folded(&ema, &[&[0.5, -0.5]]).error(), 500_000_000);
    assert_eq!(folded(&ema, &[&[0.6]]).error(), 800_000_000);
    assert_eq!(folded(&ema, &[&[1.0, 1.0, 1.0]]).error(), 0);
    let many: Vec<f64> = (0..200).map(|at| if at % 2 == 0 { 0.5 } else { -0.5 }).collect();
    let error = folded(&ema, &[&many]).error();
    assert!((35_000_000..36_000_000).contains(&error), "{error}");
    let halves = policy("[average]\nhalf_life = 1.0");
    let error = folded(&halves, &[&[0.5, -0.5], &[0.5, -0.5]]).error();
    assert!((353_000_000..354_000_000).contains(&error), "{error}");
}

#[test]
fn late_answers_are_silence_and_capacity_counts_in_proportion() {
    let policy = policy("[deadline]\nmilliseconds = 10\ncapacity = 4");
    let mut tally = Tally::default();
    for latency in [Some(10_000), Some(10_001), None, Some(1)] {
        tally.add(&policy, 1_000_000_000, latency);
    }
    assert_eq!((tally.in_time, tally.mean()), (2, 500_000_000));
    let mut track = Track::default();
    track.fold(&policy, 1, &tally);
    assert_eq!((track.average, track.capacity, track.answered), (250_000_000, 500_000_000, 500_000_000));
}

#[test]
fn answering_in_time_may_be_worth_a_share_of_its_own() {
    let policy = policy("[metrics]\nmark = 0.75\nanswered = 0.25");
    let mut tally = Tally::default();
    tally.add(&policy, -1_000_000_000, Some(1));
    assert_eq!(tally.sum, -500_000_000);
    tally.add(&policy, 0, None);
    assert_eq!(tally.sum, -500_000_000);
}

#[test]
fn an_epoch_without_verdicts_changes_nothing_and_old_averages_start_over() {
    let policy = policy("[average]\nhalf_life = 1.0\n[guards]\nmax_age_epochs = 2");
    let mut track = folded(&policy, &[&[0.8]]);
    let before = track.clone();
    track.fold(&policy, 2, &Tally::default());
    assert_eq!(track, before);
    track.fold(&policy, 4, &tally(&[0.2]));
    assert_eq!((track.average, track.attempts, track.since), (200_000_000, 1, 4));
}

#[test]
fn twins_leak_when_each_round_is_clipped_but_not_when_signs_are_averaged_first() {
    let policy = policy("[average]\nhalf_life = 5.0\n[significance]\nstandard_errors = 2.0");
    let noise: Vec<f64> =
        (0..60_u64).map(|at| ((at * 2_654_435_761 % 1000) as f64 - 499.5) / 600.0).collect();
    let clipped: f64 = noise.iter().map(|mark| mark.max(0.0) + (-mark).max(0.0)).sum();
    let paid = |sign: f64| {
        let mut track = Track::default();
        let mut paid = 0.0;
        for (epoch, round) in (1..).zip(noise.chunks(6)) {
            let marks: Vec<f64> = round.iter().map(|mark| sign * mark).collect();
            track.fold(&policy, epoch, &tally(&marks));
            paid += policy.rate(&track, epoch).0.to_f64();
        }
        paid
    };
    assert!(clipped > 10.0, "{clipped}");
    assert!(paid(1.0) + paid(-1.0) < 0.05, "{} {}", paid(1.0), paid(-1.0));
}
