//! Figures of `numerai-tools` 0.7.2 and of Numerai's payout formula: from the folder that `WEIGHHOUSE_VECTORS` names where it holds the file,
//! else the project's own copy.

mod tournament;

use serde_json::Value;

use super::linear::Neutralizers;
use super::normal::quantile;
use super::series::{gaussian, power, ranks};
use super::*;

const TOLERANCE: f64 = 1e-12;

fn figures(file: &str, own: &str) -> Value {
    let folder = std::env::var_os("WEIGHHOUSE_VECTORS").map(std::path::PathBuf::from);
    let named = folder.map(|folder| folder.join("numerai").join(file)).filter(|path| path.exists());
    let text = named.map_or_else(
        || own.to_owned(),
        |path| std::fs::read_to_string(path).expect("a readable file of figures"),
    );
    serde_json::from_str(&text).expect("figures")
}

macro_rules! figures {
    ($file:literal) => {
        figures($file, include_str!(concat!("../../testdata/numerai/", $file)))
    };
}

fn cases(figures: &Value) -> &[Value] {
    figures["cases"].as_array().expect("cases")
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("numbers").iter().map(|value| value.as_f64().unwrap_or(f64::NAN)).collect()
}

fn series(ids: &Value, values: &Value) -> Series {
    let ids = ids.as_array().expect("ids").iter().map(|id| id.as_str().expect("an id").to_owned());
    Series::new(ids.zip(numbers(values))).expect("ids of their own")
}

fn neutralizers(inputs: &Value) -> Option<Neutralizers> {
    let columns = inputs["neutralizers"].as_object()?;
    let columns: Vec<_> = columns.values().map(|column| series(&inputs["ids"], column)).collect();
    Some(Neutralizers::new(&columns).expect("columns over the same ids"))
}

/// No score, and `null`: a constant.
fn same(what: &str, found: Result<f64, ScoreError>, expected: &Value) {
    match (found, expected.as_f64()) {
        (Ok(found), Some(expected)) => {
            assert!((found - expected).abs() <= TOLERANCE, "{what}: {found} for {expected}");
        }
        (Err(ScoreError::Constant), None) => {}
        (found, _) => panic!("{what}: {found:?} for {expected}"),
    }
}

fn all_same(what: &str, found: &[f64], expected: &Value) {
    let expected = numbers(expected);
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= TOLERANCE, "{what}: {found} for {expected}");
    }
}

#[test]
fn scores_are_those_of_the_reference() {
    let figures = figures!("scoring.json");
    for case in cases(&figures) {
        let inputs = &case["inputs"];
        let target = series(&inputs["ids"], &inputs["target"]);
        let top_bottom = inputs["top_bottom"].as_u64().map(|count| count as usize);
        let raises_target = inputs["target_pow15"].as_bool().unwrap_or(true);
        let terms = CorrTerms { top_bottom, raises_target, ..CorrTerms::default() };
        let meta = inputs.get("meta_model").map(|meta| series(&inputs["ids"], meta));
        let neutralizers = neutralizers(inputs);
        for (name, values) in inputs["predictions"].as_object().expect("predictions") {
            let one = series(&inputs["ids"], values);
            for (score, expected) in case["expected"].as_object().expect("expected") {
                let Some(expected) = expected.get(name) else { continue };
                let what = format!("{} of {name} in {}", score, case["name"]);
                let count = one.len() as f64;
                let by = || neutralizers.as_ref().expect("neutralizers");
                let meta = || meta.as_ref().expect("a meta-model");
                match score.as_str() {
                    "numerai_corr" => same(&what, corr(&one, &target, &terms), expected),
                    "tie_kept_rank" => {
                        let shares: Vec<_> =
                            ranks(one.values()).into_iter().map(|rank| (rank - 0.5) / count).collect();
                        all_same(&what, &shares, expected);
                    }
                    "gaussian" => all_same(&what, &gaussian(one.values()), expected),
                    "pow15_sign_preserving" => {
                        all_same(&what, &power(&gaussian(one.values())).expect("raised"), expected);
                    }
                    "correlation_contribution_mmc" => {
                        same(&what, contribution(&one, meta(), &target, top_bottom), expected);
                    }
                    "orthogonalized" => {
                        let own = gaussian(one.values());
                        let beyond = scores::beyond(&own, &gaussian(meta().values())).expect("a meta-model");
                        all_same(&what, &beyond, expected);
                    }
                    "feature_neutral_corr" => {
                        same(&what, feature_neutral_corr(&one, by(), &target, None), expected);
                    }
                    "neutralize_gaussian" | "neutralize_gaussian_p0.5" => {
                        let part = if score.ends_with("p0.5") { 0.5 } else { 1.0 };
                        let neutral = by().neutralized(&gaussian(one.values()), part).expect("neutral");
                        all_same(&what, &neutral, expected);
                    }
                    "neutral_correlation" => same(&what, neutral_corr(&one, by(), &target, None), expected),
                    "neutral_contribution" => {
                        same(&what, neutral_contribution(&one, meta(), by(), &target, None), expected);
                    }
                    _ => {}
                }
            }
        }
    }
}

#[test]
fn signals_are_scored_as_portfolios() {
    let figures = figures!("scoring.json");
    let staked: Vec<_> =
        cases(&figures).iter().filter(|case| case["inputs"].get("stakes").is_some()).collect();
    assert!(!staked.is_empty());
    for case in staked {
        let inputs = &case["inputs"];
        let target = series(&inputs["ids"], &inputs["target"]);
        let sample_weights = series(&inputs["ids"], &inputs["sample_weights"]);
        let portfolio =
            Portfolio { neutralizers: neutralizers(inputs).expect("neutralizers"), sample_weights };
        let names: Vec<&String> = inputs["stakes"].as_object().expect("stakes").keys().collect();
        let stake = |name: &str| inputs["stakes"][name].as_f64().unwrap_or(f64::NAN);
        let signals: Vec<(Series, f64)> = names
            .iter()
            .map(|name| (series(&inputs["ids"], &inputs["predictions"][name.as_str()]), stake(name)))
            .collect();
        let expected = &case["expected"];
        let gradients = meta_portfolio_contribution(&signals, &portfolio, &target).expect("gradients");
        for ((name, (signal, _)), gradient) in names.iter().zip(&signals).zip(gradients) {
            same("alpha", alpha(signal, &portfolio, &target), &expected["alpha"][name.as_str()]);
            same("mpc", Ok(gradient), &expected["meta_portfolio_contribution"][name.as_str()]);
            if let Some(weights) = expected["neutralized_weights_centered_normalized"].get(name.as_str()) {
                let centred = series::less_mean(portfolio.weights(signal).expect("weights").values());
                let size = centred.iter().fold(0.0, |sum, weight| sum + weight.abs());
                let found: Vec<_> = centred.iter().map(|weight| weight / size).collect();
                all_same("weights", &found, weights);
            }
        }
        if let Some(raw) = expected.get("stake_weight_raw") {
            all_same("the meta-model", stake_weighted(&signals).expect("stakes").values(), raw);
        }
        if let Some(of_ranked) = expected.get("stake_weight_of_ranked") {
            let ranked: Vec<_> = signals
                .iter()
                .map(|(signal, stake)| {
                    let count = signal.len() as f64;
                    let shares = ranks(signal.values()).into_iter().map(|rank| (rank - 0.5) / count);
                    (signal.with(shares.collect()), *stake)
                })
                .collect();
            all_same("the meta-model of ranks", stake_weighted(&ranked).expect("stakes").values(), of_ranked);
        }
    }
}

#[test]
fn too_few_ids_in_common_are_refused_and_the_boundary_is_not() {
    let figures = figures!("index_filtering.json");
    for case in cases(&figures) {
        let inputs = &case["inputs"];
        let predictions = series(&inputs["pred_ids"], &inputs["pred"]);
        let target = series(&inputs["target_ids"], &inputs["target"]);
        let dropped_most = inputs["max_filtered_index_ratio"].as_f64().expect("a ratio");
        let found = corr(&predictions, &target, &CorrTerms { dropped_most, ..CorrTerms::default() });
        match case["expected"].get("numerai_corr") {
            Some(expected) => same(&case["name"].to_string(), found, expected),
            None => assert!(matches!(found, Err(ScoreError::Overlap { .. })), "{}: {found:?}", case["name"]),
        }
    }
}

#[test]
fn churn_and_its_penalty_are_those_of_the_reference() {
    let figures = figures!("churn.json");
    for case in cases(&figures) {
        let (inputs, expected) = (&case["inputs"], case["expected"].as_object().expect("expected"));
        if let Some(retained) = expected.get("retained") {
            let term = |name: &str| inputs[name].as_f64().expect("a term");
            let penalty = ChurnPenalty { threshold: term("threshold"), scale: term("scaling_factor") };
            let kept: Vec<_> = numbers(&inputs["neutral_churn"])
                .iter()
                .map(|churn| penalty.kept(*churn).expect("in range"))
                .collect();
            all_same("retained", &kept, retained);
            continue;
        }
        let [one, other] = ["s1", "s2"].map(|name| series(&inputs["ids"], &inputs[name]));
        let negated = one.with(one.values().iter().map(|value| -value).collect());
        for (name, expected) in expected {
            let found = match name.as_str() {
                "churn" => churn(&one, &other),
                "churn_self" => churn(&one, &one),
                "churn_negated" => churn(&one, &negated),
                "turnover_abs_half" => turnover(&one.normalized(), &other.normalized()),
                name => {
                    let count = name.strip_prefix("churn_top_bottom_").and_then(|count| count.parse().ok());
                    churn_top_bottom(&one, &other, count.unwrap_or_else(|| panic!("{name}")))
                }
            };
            same(name, found, expected);
        }
    }
}

#[test]
fn payouts_are_clipped_scaled_and_burned_by_the_formula() {
    let figures = figures!("payouts.json");
    for case in cases(&figures) {
        let (inputs, expected) = (&case["inputs"], &case["expected"]);
        let term = |names: [&str; 2]| {
            names.iter().find_map(|name| inputs[*name].as_f64()).unwrap_or_else(|| panic!("{names:?}"))
        };
        let terms = PayoutTerms {
            corr_multiplier: term(["corr_multiplier", "alpha_multiplier"]),
            contribution_multiplier: term(["mmc_multiplier", "mpc_multiplier"]),
            stake_threshold: term(["stake_threshold"; 2]),
            total_at_risk: term(["total_at_risk"; 2]),
            clip: term(["clip"; 2]),
        };
        let (corr, beyond) = (term(["corr20", "alpha"]), term(["mmc20", "mpc"]));
        let found = payout(&terms, corr, beyond, term(["stake"; 2])).expect("a payout");
        for (name, found) in [
            ("score", found.score),
            ("payout_factor", found.payout_factor),
            ("raw", found.raw),
            ("clipped", found.clipped),
            ("payout", found.payout),
        ] {
            same(&format!("{name} of {}", case["name"]), Ok(found), &expected[name]);
        }
    }
}

#[test]
fn a_pair_of_mirrors_gains_by_clipping_first_and_not_by_its_stake() {
    let figures = figures!("twin_attack.json");
    let rounds: Vec<Vec<f64>> = figures["rounds"].as_array().expect("rounds").iter().map(numbers).collect();
    let expected = &figures["expected"];
    let positive = |value: f64| if value > 0.0 { value } else { 0.0 };
    let pairs: Vec<f64> = rounds.iter().map(|round| round[0] + round[1]).collect();
    let largest = pairs.iter().fold(0.0, |largest: f64, pair| largest.max(pair.abs()));
    same("the largest pair", Ok(largest), &expected["max_abs_pair_sum"]);
    same("stakes", Ok(series::sum(&pairs)), &expected["sum_stake_payout_per_unit"]);
    let clipped: Vec<f64> = rounds.iter().map(|round| positive(round[0]) + positive(round[1])).collect();
    same("clipped each round", Ok(series::sum(&clipped)), &expected["sum_of_per_round_max0"]);
    let averaged: Vec<f64> = [0, 1]
        .iter()
        .map(|twin| positive(series::mean(&rounds.iter().map(|round| round[*twin]).collect::<Vec<_>>())))
        .collect();
    let gained = series::sum(&averaged) * rounds.len() as f64;
    let (of_means, of_rounds) = (gained, series::sum(&clipped));
    assert!(of_means < of_rounds / 5.0, "{of_means} of {of_rounds}");
}

#[test]
fn quantiles_are_symmetric_and_known_where_tables_have_them() {
    for (share, expected) in [
        (0.5, 0.0),
        (0.975, 1.959_963_984_540_054),
        (0.999, 3.090_232_306_167_813_5),
        (1e-10, -6.361_340_902_404_056),
        (1e-20, -9.262_340_089_798_408),
    ] {
        let found = quantile(share);
        assert!((found - expected).abs() < 1e-13 * (1.0 + expected.abs()), "{share}: {found}");
    }
    assert_eq!(quantile(0.3), -quantile(0.7));
    assert_eq!((quantile(0.0), quantile(1.0)), (f64::NEG_INFINITY, f64::INFINITY));
}

#[test]
fn what_is_no_ranking_or_stands_twice_is_refused() {
    let rows = |values: &[f64]| {
        let ids = (0..values.len()).map(|at| format!("id{at}"));
        Series::new(ids.zip(values.iter().copied())).expect("ids of their own")
    };
    let target = rows(&[0.0, 0.25, 0.5, 0.75, 1.0]);
    let flat = rows(&[0.5; 5]);
    assert_eq!(corr(&flat, &target, &CorrTerms::default()), Err(ScoreError::Constant));
    let outlier = rows(&[0.0, 0.0, 0.0, 1.0, 1e9]);
    assert!(corr(&target, &outlier, &CorrTerms::default()).is_ok(), "one outlier alone stays alike");
    let twice = Series::new([("a".to_owned(), 1.0), ("a".to_owned(), 2.0)]);
    assert_eq!(twice, Err(ScoreError::Duplicate { id: "a".to_owned() }));
    let copy = contribution(&target, &target, &target, None).expect("a score");
    assert!(copy.abs() < 1e-15, "{copy}");
}

#[test]
fn payouts_in_rao_lose_no_part_and_round_towards_zero() {
    let clipped = |clipped| Payout { score: 0.0, payout_factor: 1.0, raw: clipped, clipped, payout: 0.0 };
    assert_eq!(payout_rao(&clipped(0.05), 1_000_000_000), 50_000_000);
    assert_eq!(payout_rao(&clipped(-0.05), 1_000_000_000), -50_000_000);
    assert_eq!((payout_rao(&clipped(0.05), 19), payout_rao(&clipped(-0.05), 19)), (0, 0));
    assert_eq!(payout_rao(&clipped(0.05), u64::MAX), (u64::MAX / 20) as i64);
}
