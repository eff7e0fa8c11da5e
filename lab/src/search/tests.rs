//! The optimiser against functions whose answer is known.

use super::*;
use weighhouse_types::Digest;

/// Goes on for a number of generations and keeps the log.
#[derive(Default)]
pub(super) struct Recorder {
    pub(super) log: String,
    pub(super) generations_left: Option<u64>,
}

impl Watch for Recorder {
    fn go_on(&mut self, _: &LegProgress) -> bool {
        match &mut self.generations_left {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }

    fn line(&mut self, line: &str) {
        self.log.push_str(line);
    }
}

fn sphere(at: &[f64]) -> Vec<f64> {
    vec![at.iter().map(|unit| (unit - 0.3) * (unit - 0.3)).sum()]
}

/// The valley, with [-2, 2] as the box; its lowest point lies at 0.75 in each coordinate.
fn rosenbrock(at: &[f64]) -> Vec<f64> {
    let at: Vec<f64> = at.iter().map(|&unit| fold::linear(unit, -2.0, 2.0)).collect();
    let pairs = at.iter().zip(&at[1..]);
    vec![pairs.map(|(x, y)| 100.0 * (y - x * x) * (y - x * x) + (1.0 - x) * (1.0 - x)).sum()]
}

/// Two figures whose front is f2 = (1 - sqrt(f1))^2 along the first coordinate with the others at 0.5.
fn schaffer(at: &[f64]) -> Vec<f64> {
    let off: f64 = at[1..].iter().map(|unit| (unit - 0.5) * (unit - 0.5)).sum();
    vec![at[0] * at[0] + off, (1.0 - at[0]) * (1.0 - at[0]) + off]
}

/// A front that bulges outwards: f1^2 + f2^2 = 1, of which weighted sums find only the ends.
fn hollow(at: &[f64]) -> Vec<f64> {
    let (sine, cosine) = libm::sincos(at[0] * std::f64::consts::FRAC_PI_2);
    let off: f64 = at[1..].iter().map(|unit| (unit - 0.5) * (unit - 0.5)).sum();
    vec![cosine * (1.0 + off), sine * (1.0 + off)]
}

fn one(dimensions: usize, evaluations: u64) -> Settings {
    Settings::new(11, Goal::Sum(vec![1.0]), dimensions, evaluations)
}

fn found(settings: &Settings, evaluate: &(dyn Fn(&[f64]) -> Vec<f64> + Sync)) -> (SearchResult, String) {
    let mut recorder = Recorder::default();
    let found = search(settings, Digest::of(b"test"), None, evaluate, &mut recorder).unwrap();
    (found, recorder.log)
}

#[test]
fn the_lowest_point_of_a_bowl_is_found() {
    let (found, _) = found(&one(8, 4000), &sphere);
    assert!(found.best[0].values[0] < 1e-9, "{:?}", found.best[0]);
    assert!(found.best[0].at.iter().all(|unit| (unit - 0.3).abs() < 1e-4));
}

#[test]
fn the_end_of_a_curved_valley_is_found() {
    let (found, _) = found(&one(5, 20_000), &rosenbrock);
    assert!(found.best[0].values[0] < 1e-6, "{:?}", found.best[0]);
    assert!(found.best[0].at.iter().all(|unit| (unit - 0.75).abs() < 1e-3));
}

#[test]
fn a_lowest_point_in_a_corner_of_the_box_is_found() {
    let (found, _) = found(&one(6, 4000), &|at: &[f64]| vec![at.iter().sum()]);
    assert!(found.best[0].values[0] < 1e-2, "{:?}", found.best[0]);
}

#[test]
fn every_evaluated_point_lies_in_the_box() {
    let (_, log) = found(&one(3, 500), &|at: &[f64]| {
        assert!(at.iter().all(|unit| (0.0..=1.0).contains(unit)));
        sphere(at)
    });
    assert!(Log::parse(log.as_bytes()).unwrap().evaluations() >= 500);
}

#[test]
fn a_start_in_the_right_one_of_two_basins_wins() {
    // A wide bowl around 0.2, a narrow and deeper one around 0.9.
    let basins = |at: &[f64]| {
        let wide: f64 = at.iter().map(|unit| (unit - 0.2) * (unit - 0.2)).sum();
        let narrow: f64 = at.iter().map(|unit| 400.0 * (unit - 0.9) * (unit - 0.9)).sum::<f64>() - 1.0;
        vec![wide.min(narrow)]
    };
    let starts = vec![vec![0.2; 6], vec![0.895; 6]];
    let (found, _) = found(&Settings { starts, ..one(6, 2000) }, &basins);
    assert!(found.best[0].values[0] < -0.999, "{:?}", found.best[0]);
}

#[test]
fn the_front_of_two_figures_is_found_and_spread() {
    let settings = Settings::new(5, Goal::Front(2), 3, 6000);
    for (evaluate, off_front) in [
        (&schaffer as &(dyn Fn(&[f64]) -> Vec<f64> + Sync), front_gap as fn(&[f64]) -> f64),
        (&hollow, |values: &[f64]| (libm::sqrt(values[0] * values[0] + values[1] * values[1]) - 1.0).abs()),
    ] {
        let (found, _) = found(&settings, evaluate);
        assert!(found.best.is_empty());
        assert!(found.front.len() > 30, "{}", found.front.len());
        let near = found.front.iter().filter(|point| off_front(&point.values) < 0.02).count();
        assert!(near * 10 >= found.front.len() * 9, "{near} of {}", found.front.len());
        for tenth in 1..10 {
            let f1 = f64::from(tenth) / 10.0;
            assert!(found.front.iter().any(|point| (point.values[0] - f1).abs() < 0.08), "gap at {f1}");
        }
        for one in &found.front {
            assert!(found.front.iter().all(|other| !pareto::dominates(&other.values, &one.values)));
        }
    }
}

fn front_gap(values: &[f64]) -> f64 {
    let root = 1.0 - libm::sqrt(values[0]);
    values[1] - root * root
}

#[test]
fn a_search_that_was_interrupted_and_resumed_equals_one_that_was_not() {
    for settings in [one(5, 3000), Settings::new(3, Goal::Front(2), 4, 1500)] {
        let evaluate: &(dyn Fn(&[f64]) -> Vec<f64> + Sync) =
            if matches!(settings.goal, Goal::Sum(_)) { &rosenbrock } else { &schaffer };
        let (whole, whole_log) = found(&settings, evaluate);
        for generations in [0, 1, 7, 60] {
            let mut first = Recorder { generations_left: Some(generations), ..Recorder::default() };
            search(&settings, Digest::of(b"test"), None, evaluate, &mut first).unwrap();
            assert!(first.log.len() < whole_log.len());
            // A crash in the middle of the next line.
            let torn = format!("{}{{\"gener", first.log);
            let log = Log::parse(torn.as_bytes()).unwrap();
            assert_eq!(log.whole_bytes(), first.log.len());
            let mut second = Recorder { log: first.log.clone(), generations_left: None };
            let resumed = search(&settings, Digest::of(b"test"), Some(log), evaluate, &mut second).unwrap();
            assert_eq!(resumed, whole);
            assert_eq!(second.log, whole_log);
        }
    }
}

#[test]
fn what_is_in_the_log_is_not_evaluated_again() {
    let settings = one(4, 1000);
    let (whole, log) = found(&settings, &sphere);
    let log = Log::parse(log.as_bytes()).unwrap();
    let untouched = |_: &[f64]| -> Vec<f64> { panic!("the log has this point") };
    let mut recorder = Recorder::default();
    let again = search(&settings, Digest::of(b"test"), Some(log), &untouched, &mut recorder).unwrap();
    assert_eq!((again, recorder.log.as_str()), (whole, ""));
}

#[test]
fn a_finished_search_can_be_given_more_evaluations() {
    let (_, log) = found(&one(4, 500), &rosenbrock);
    let (whole, _) = found(&one(4, 2000), &rosenbrock);
    let log = Log::parse(log.as_bytes()).unwrap();
    let mut recorder = Recorder::default();
    let longer = search(&one(4, 2000), Digest::of(b"test"), Some(log), &rosenbrock, &mut recorder).unwrap();
    assert_eq!(longer, whole);
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let settings = Settings { starts: vec![vec![0.1; 5], vec![0.6; 5]], ..one(5, 2000) };
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| found(&settings, &rosenbrock))
    };
    let alone = on(1);
    assert_eq!(on(2), alone);
    assert_eq!(on(7), alone);
}

#[test]
fn a_wrong_log_is_refused_with_its_reason() {
    assert_eq!(Log::parse(b"").unwrap_err(), LogError::NoLog);
    assert_eq!(Log::parse(b"{\"log\":\"weighhouse search\"").unwrap_err(), LogError::NoLog);
    assert_eq!(Log::parse(b"\xff\xfe\n").unwrap_err(), LogError::NoLog);
    let (_, log) = found(&one(3, 100), &sphere);
    let newer = log.replacen("\"version\":1", "\"version\":2", 1);
    assert_eq!(Log::parse(newer.as_bytes()).unwrap_err(), LogError::Version { found: 2 });
    let mut lines: Vec<&str> = log.lines().collect();
    lines.swap(2, 3);
    let swapped = lines.join("\n") + "\n";
    assert!(matches!(Log::parse(swapped.as_bytes()), Err(LogError::Line { line: 3, .. })));
    let broken = log.replacen("\"values\"", "\"value\"", 1);
    assert!(matches!(Log::parse(broken.as_bytes()), Err(LogError::Line { line: 2, .. })));
}

#[test]
fn a_log_of_another_problem_seed_or_setting_is_refused() {
    let settings = one(3, 200);
    let (_, log) = found(&settings, &sphere);
    let log = Log::parse(log.as_bytes()).unwrap();
    let refused = |settings: &Settings, problem: &[u8]| {
        let mut recorder = Recorder::default();
        let result = search(settings, Digest::of(problem), Some(log.clone()), &sphere, &mut recorder);
        assert!(matches!(result, Err(SearchError::Log(LogError::Foreign { .. }))), "{result:?}");
    };
    refused(&settings, b"another");
    refused(&Settings { seed: 12, ..settings.clone() }, b"test");
    refused(&Settings { step: 0.2, ..settings.clone() }, b"test");
    refused(&Settings { starts: vec![vec![0.4; 3]], ..settings.clone() }, b"test");
    refused(&Settings { goal: Goal::Sum(vec![2.0]), ..settings.clone() }, b"test");
}

#[test]
fn a_log_with_points_that_were_never_asked_for_is_refused() {
    let settings = one(3, 200);
    let (_, log) = found(&settings, &sphere);
    for (generation, line) in log.lines().enumerate().skip(1).take(2) {
        let mut value: serde_json::Value = serde_json::from_str(line).unwrap();
        value["points"][0]["at"][0] = serde_json::json!(0.123_456);
        let forged = log.replacen(line, &value.to_string(), 1);
        let forged = Log::parse(forged.as_bytes()).unwrap();
        let mut recorder = Recorder::default();
        let result = search(&settings, Digest::of(b"test"), Some(forged), &sphere, &mut recorder);
        let wanted = LogError::Diverged { generation: generation as u64 - 1 };
        assert_eq!(result.unwrap_err(), SearchError::Log(wanted));
    }
}

#[test]
fn figures_that_are_no_numbers_are_the_worst_ones_and_stop_nothing() {
    let half = |at: &[f64]| if at[0] > 0.5 { vec![f64::NAN] } else { sphere(at) };
    let (found, log) = found(&one(3, 1000), &half);
    assert!(found.best[0].values[0] < 1e-6);
    assert!(Log::parse(log.as_bytes()).is_ok());
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    let refused = |settings: Settings, wanted: &str| {
        let mut recorder = Recorder::default();
        let result = search(&settings, Digest::of(b"test"), None, &sphere, &mut recorder);
        assert!(matches!(result, Err(SearchError::Range { key, .. }) if key == wanted), "{result:?}");
    };
    refused(one(0, 10), "number of parameters");
    refused(one(DIMENSIONS_MAX + 1, 10), "number of parameters");
    refused(one(3, EVALUATIONS_MAX + 1), "number of evaluations");
    refused(Settings { starts: vec![vec![0.5; 2]], ..one(3, 10) }, "start's length");
    refused(Settings { step: f64::NAN, ..one(3, 10) }, "step");
}

#[test]
fn the_fold_is_exact_at_the_ends_and_continuous() {
    for (value, wanted) in
        [(0.0, 0.0), (1.0, 1.0), (1.25, 0.75), (-0.25, 0.25), (2.0, 0.0), (-1.0, 1.0), (3.5, 0.5)]
    {
        assert_eq!(fold::fold(value), wanted, "{value}");
    }
    assert_eq!(fold::fold(f64::INFINITY), 0.5);
    assert_eq!((fold::step(1.0, 3), fold::step(0.0, 3), fold::step(0.34, 3)), (2, 0, 1));
    for (low, high) in [(0.1, 10.0), (2.0, 3.0)] {
        for unit in [0.0, 0.2, 0.9, 1.0] {
            assert!((fold::unlinear(fold::linear(unit, low, high), low, high) - unit).abs() < 1e-12);
            let value = fold::logarithmic(unit, low, high);
            assert!((fold::unlogarithmic(value, low, high) - unit).abs() < 1e-12);
        }
    }
}
