//! Figures of crowd-kit 1.4.2 and of published payments: from the folder that `WEIGHHOUSE_VECTORS` names where it holds the file, else the
//! project's own copy.

mod economy;

use std::collections::BTreeSet;

use ndarray::Array2;
use serde_json::{Map, Value};

use super::*;

fn figures(file: &str, own: &str) -> Value {
    let folder = std::env::var_os("WEIGHHOUSE_VECTORS").map(std::path::PathBuf::from);
    let named = folder.map(|folder| folder.join("crowd").join(file)).filter(|path| path.exists());
    let text = named.map_or_else(
        || own.to_owned(),
        |path| std::fs::read_to_string(path).expect("a readable file of figures"),
    );
    serde_json::from_str(&text).expect("figures")
}

macro_rules! figures {
    ($file:literal) => {
        figures($file, include_str!(concat!("../../testdata/crowd/", $file)))
    };
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a name")
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn map(value: &Value) -> &Map<String, Value> {
    value.as_object().expect("a map")
}

/// A case's labels with names in alphabetical order, as crowd-kit's tables are.
struct Crowd {
    items: Vec<String>,
    workers: Vec<String>,
    classes: Vec<String>,
    /// Names in the order in which they first stand in the table.
    first_seen: [Vec<String>; 2],
    votes: Votes,
}

fn at(names: &[String], name: &str) -> usize {
    names.iter().position(|other| other == name).unwrap_or_else(|| panic!("{name} in {names:?}"))
}

impl Crowd {
    fn read(case: &Value) -> Self {
        let rows = list(&case["inputs"]["rows"]);
        let sorted = |column: usize| -> Vec<String> {
            let names: BTreeSet<_> = rows.iter().map(|row| text(&row[column]).to_owned()).collect();
            names.into_iter().collect()
        };
        let in_order = |column: usize| {
            let mut names: Vec<String> = Vec::new();
            for row in rows {
                if !names.iter().any(|name| name == text(&row[column])) {
                    names.push(text(&row[column]).to_owned());
                }
            }
            names
        };
        let (items, workers, classes) = (sorted(0), sorted(1), sorted(2));
        let vote = |row: &Value| Vote {
            item: at(&items, text(&row[0])),
            worker: at(&workers, text(&row[1])),
            class: at(&classes, text(&row[2])),
        };
        let votes = Votes::new(items.len(), workers.len(), classes.len(), rows.iter().map(vote).collect());
        let first_seen = [in_order(1), in_order(2)];
        Self { votes: votes.expect("a crowd"), items, workers, classes, first_seen }
    }

    fn gold(&self, gold: &Value) -> Vec<Option<usize>> {
        let class = |item: &String| Some(at(&self.classes, text(map(gold).get(item)?)));
        self.items.iter().map(class).collect()
    }

    fn same_posterior(&self, what: &str, found: &Array2<f64>, expected: &Value, tolerance: f64) {
        let labels = map(&expected["labels"]);
        assert_eq!(labels.len(), self.items.len(), "{what}");
        for (item, class) in self.items.iter().zip(most_likely(found)) {
            assert_eq!(text(&labels[item]), self.classes[class], "{what}: {item}");
        }
        let Some(shares) = expected.get("probas") else { return };
        for (row, item) in self.items.iter().enumerate() {
            for (column, class) in self.classes.iter().enumerate() {
                let (found, expected) = (found[(row, column)], number(&shares[item][class]));
                assert!(
                    (found - expected).abs() <= tolerance,
                    "{what}: {item} {class}: {found} for {expected}"
                );
            }
        }
    }

    fn same_of(&self, what: &str, names: &[String], found: &[f64], expected: &Value, tolerance: f64) {
        for (name, found) in names.iter().zip(found) {
            let expected = number(&expected[name]);
            assert!((found - expected).abs() <= tolerance, "{what}: {name}: {found} for {expected}");
        }
    }
}

fn cases(check: impl Fn(&str, &Crowd, &str, &Value, &Value)) {
    let figures = figures!("aggregation.json");
    for case in list(&figures["cases"]) {
        let crowd = Crowd::read(case);
        for (method, expected) in map(&case["expected"]) {
            check(&format!("{} {method}", text(&case["name"])), &crowd, method, expected, &case["truth"]);
        }
    }
}

/// The number in a method's name: of iterations, or of gold items.
fn number_in(method: &str, before: &str) -> usize {
    let rest = method.split_once(before).map_or("", |(_, rest)| rest);
    rest.split('_').next().and_then(|digits| digits.parse().ok()).expect("a number in the method's name")
}

fn iterations(method: &str) -> Iterations {
    let max = number_in(method, "n_iter_");
    // Few iterations were run to the end, many until nothing more is gained.
    Iterations { max, tolerance: (max >= 100).then_some(TOLERANCE) }
}

#[test]
fn votes_by_number_and_weight_are_those_of_the_reference() {
    cases(|what, crowd, method, expected, truth| {
        let Weighted { posterior, skills } = match method {
            "MajorityVote" => {
                let posterior = majority(&crowd.votes);
                let labels = most_likely(&posterior);
                let skills = agreement(&crowd.votes, |item| Some(labels[item]));
                Weighted {
                    posterior,
                    skills: skills.into_iter().map(|skill| skill.expect("a label")).collect(),
                }
            }
            "Wawa" => wawa(&crowd.votes),
            _ if method.starts_with("ZeroBasedSkill") => {
                zero_based_skill(&crowd.votes, number_in(method, "n_iter_"))
            }
            _ if method.starts_with("GoldMajorityVote") => {
                let mut gold = crowd.gold(truth);
                gold.iter_mut().skip(number_in(method, "first")).for_each(|class| *class = None);
                gold_majority(&crowd.votes, &gold).expect("everybody labelled gold")
            }
            _ => return,
        };
        crowd.same_posterior(what, &posterior, expected, 1e-12);
        crowd.same_of(what, &crowd.workers, &skills, &expected["skills"], 1e-12);
    });
}

#[test]
fn dawid_skene_is_that_of_the_reference_with_and_without_gold() {
    cases(|what, crowd, method, expected, _| {
        if !method.starts_with("DawidSkene") {
            return;
        }
        let gold = expected.get("gold").map_or_else(Vec::new, |gold| crowd.gold(gold));
        let fitted = dawid_skene(&crowd.votes, &gold, iterations(method));
        crowd.same_posterior(what, &fitted.posterior, expected, 1e-9);
        if let Some(bounds) = expected.get("loss_history") {
            let bounds: Vec<f64> = list(bounds).iter().map(number).collect();
            assert_eq!(fitted.bounds.len(), bounds.len(), "{what}");
            assert!(
                fitted.bounds.iter().zip(&bounds).all(|(one, other)| (one - other).abs() <= 1e-9),
                "{what}"
            );
        }
        if let Some(priors) = expected.get("priors") {
            crowd.same_of(what, &crowd.classes, &fitted.priors, priors, 1e-9);
        }
        for (worker, name) in crowd.workers.iter().enumerate() {
            for (class, given) in crowd.classes.iter().enumerate() {
                let Some(rates) = expected.get("errors").and_then(|errors| errors[name].get(given)) else {
                    continue;
                };
                let found: Vec<f64> =
                    (0..crowd.classes.len()).map(|truth| fitted.errors[(worker, class, truth)]).collect();
                crowd.same_of(&format!("{what} {name} {given}"), &crowd.classes, &found, rates, 1e-9);
            }
        }
    });
}

#[test]
fn one_coin_is_that_of_the_reference() {
    cases(|what, crowd, method, expected, _| {
        if method.starts_with("OneCoin") {
            // Its bound is no bound of one rate a worker, and may fall: the reference stops there.
            let run = Iterations { max: number_in(method, "n_iter_"), tolerance: Some(TOLERANCE) };
            let OneCoin { posterior, priors, skills } = one_coin(&crowd.votes, run);
            crowd.same_posterior(what, &posterior, expected, 1e-9);
            crowd.same_of(what, &crowd.workers, &skills, &expected["skills"], 1e-9);
            crowd.same_of(what, &crowd.classes, &priors, &expected["priors"], 1e-9);
        }
    });
}

/// crowd-kit 1.4.2 counts strategies with workers and classes in alphabetical order, and uses them in the order in which they first stand
/// in the table: its figures are had by putting the counts into its order.
#[test]
fn mace_is_that_of_the_reference_with_its_order_of_counts() {
    cases(|what, crowd, method, expected, _| {
        let kind = match method {
            _ if method.starts_with("MACE_em") => MaceMethod::Plain,
            _ if method.starts_with("MACE_vb") => MaceMethod::Variational,
            _ => return,
        };
        let [workers, classes] = &crowd.first_seen;
        let table = |rows: &Value, row: usize, column: usize| number(&rows[row][column]);
        let place = |names: &[String], name: &str| at(names, name);
        let init = &expected["init"];
        let start = Spamming {
            rates: Array2::from_shape_fn((crowd.workers.len(), 2), |(worker, column)| {
                table(&init["spamming0"], place(workers, &crowd.workers[worker]), column)
            }),
            strategies: Array2::from_shape_fn(
                (crowd.workers.len(), crowd.classes.len()),
                |(worker, class)| {
                    let row = place(workers, &crowd.workers[worker]);
                    table(&init["thetas0"], row, place(classes, &crowd.classes[class]))
                },
            ),
        };
        let reorder = |counts: Array2<f64>| {
            Array2::from_shape_fn(counts.dim(), |(worker, class)| {
                let row = place(workers, &crowd.workers[worker]);
                counts[(row, place(classes, &crowd.classes[class]))]
            })
        };
        let found = super::mace::fit(&crowd.votes, kind, start, number_in(method, "n_iter_"), reorder);
        crowd.same_posterior(what, &found.posterior, expected, 1e-9);
        let knows: Vec<f64> = found.spamming.rates.column(1).to_vec();
        crowd.same_of(what, &crowd.workers, &knows, &expected["competence_prob_not_spamming"], 1e-9);
    });
}

#[test]
fn mace_tells_spammers_from_those_who_know() {
    let crowd = &figures!("aggregation.json")["cases"];
    let spammers =
        list(crowd).iter().find(|case| text(&case["name"]).starts_with("spammer")).expect("the case");
    let (crowd, truth) = (Crowd::read(spammers), Crowd::read(spammers).gold(&spammers["truth"]));
    let found = mace(&crowd.votes, MaceMethod::Variational, Spamming::even(&crowd.votes), 50);
    let labels = most_likely(&found.posterior).into_iter();
    let right = labels.zip(truth).filter(|(found, truth)| Some(*found) == *truth);
    assert!(right.count() >= 17, "of 20");
    let knows = |name| found.spamming.rates[(at(&crowd.workers, name), 1)];
    assert!(knows("spamA") < 0.3 && knows("rand") < 0.3 && knows("h1") > 0.6);
}

#[test]
fn glad_is_near_the_reference_whose_optimiser_is_another() {
    cases(|what, crowd, method, expected, _| {
        if !method.starts_with("GLAD") {
            return;
        }
        let found = glad(&crowd.votes, number_in(method, "n_iter_"));
        crowd.same_posterior(what, &found.posterior, expected, 1e-2);
        let order = |abilities: Vec<f64>| {
            let mut order: Vec<usize> = (0..abilities.len()).collect();
            order.sort_by(|one, other| abilities[*one].total_cmp(&abilities[*other]));
            order
        };
        let theirs: Vec<f64> = crowd.workers.iter().map(|name| number(&expected["alphas"][name])).collect();
        let far =
            found.abilities.iter().zip(&theirs).map(|(one, other)| (one - other).abs()).fold(0.0, f64::max);
        assert!(far < 0.05, "{what}: {:?} for {theirs:?}", found.abilities);
        let distinct =
            theirs.iter().all(|one| theirs.iter().filter(|other| (*other - one).abs() < 0.01).count() == 1);
        assert!(!distinct || order(found.abilities) == order(theirs), "{what}");
    });
}

fn classes(labels: &Value) -> Vec<usize> {
    list(labels).iter().map(|class| class.as_u64().expect("a class") as usize).collect()
}

fn square(rows: &Value) -> Array2<f64> {
    let size = list(rows).len();
    Array2::from_shape_fn((size, size), |(row, column)| number(&rows[row][column]))
}

#[test]
fn payments_by_determinants_are_exact() {
    let figures = figures!("peer_prediction.json");
    for case in list(&figures["DMI"]) {
        let count = |key: &str| case[key].as_u64().expect("a count") as usize;
        let paid = dmi(&classes(&case["a"]), &classes(&case["b"]), count("C"), count("split"));
        assert_eq!(paid, Ok(number(&case["payment"])), "{}", case["name"]);
    }
    assert_eq!(dmi(&[0, 1], &[0, 1], 2, 1), Err(PeersError::Few { items: 1, classes: 2 }));
    assert_eq!(dmi(&[0, 2], &[0, 1], 2, 1), Err(PeersError::Class { class: 2, classes: 2 }));
}

#[test]
fn correlated_agreement_is_that_of_its_paper() {
    let figures = &figures!("peer_prediction.json")["CA"];
    let identity = square(&figures["S_identity"]).mapv(|cell| cell > 0.0);
    let (own, other) = (classes(&figures["r"]), classes(&figures["q"]));
    for case in list(&figures["cases"]) {
        let item = |key: &str| case[key].as_u64().expect("an item") as usize;
        let paid = correlated_agreement((&own, &other), &identity, (item("bonus"), item("l"), item("m")));
        assert_eq!(paid, Ok(number(&case["payment"])), "{case}");
    }
    for example in [&figures["delta_matrix_example"], &figures["three_class"]] {
        let found = delta(&square(&example["joint"]));
        assert!((&found - &square(&example["delta"])).iter().all(|off| off.abs() <= 1e-12), "{example}");
        assert_eq!(agreeing(&found), square(&example["S"]).mapv(|cell| cell > 0.0));
        if let Some(truthful) = example.get("expected_truthful") {
            assert!((expected(&found) - number(truthful)).abs() <= 1e-12);
        }
    }
}

fn near(found: &[f64], expected: &Value) {
    let expected: Vec<f64> = list(expected).iter().map(number).collect();
    assert!(
        found.iter().zip(&expected).all(|(one, other)| (one - other).abs() <= 1e-12),
        "{found:?} {expected:?}"
    );
    assert_eq!(found.len(), expected.len());
}

#[test]
fn truth_serums_score_as_published() {
    let figures = figures!("peer_prediction.json");
    for case in list(&figures["BTS"]).iter().filter(|case| case.get("answers").is_some()) {
        let predictions: Vec<Vec<f64>> =
            list(&case["predictions"]).iter().map(|row| list(row).iter().map(number).collect()).collect();
        let scores =
            truth_serum(&classes(&case["answers"]), &predictions, number(&case["alpha"])).expect("scores");
        near(&scores, &case["scores"]);
        assert!(number(&case["alpha"]) != 1.0 || scores.iter().sum::<f64>().abs() < 1e-12, "a zero-sum game");
    }
    for case in list(&figures["RBTS"]) {
        let answers: Vec<bool> = classes(&case["answers"]).iter().map(|answer| *answer == 1).collect();
        let predictions: Vec<f64> = list(&case["predictions"]).iter().map(number).collect();
        near(&robust_truth_serum(&answers, &predictions).expect("scores"), &case["scores"]);
    }
    assert_eq!(robust_truth_serum(&[true], &[0.5]), Err(PeersError::Workers { workers: 1, least: 3 }));
    let flat = truth_serum(&[0], &[vec![1.0, 0.0]], 1.0);
    assert_eq!(flat, Err(PeersError::Prediction { classes: 2 }));
}

#[test]
fn labels_outside_the_crowd_are_refused_and_items_without_labels_are_even() {
    let vote = Vote { item: 0, worker: 0, class: 1 };
    assert_eq!(Votes::new(1, 1, 1, vec![]), Err(VotesError::Classes(1)));
    let outside = Votes::new(1, 1, 2, vec![vote, Vote { class: 2, ..vote }]);
    assert_eq!(outside, Err(VotesError::Class { at: 1, class: 2, classes: 2 }));
    assert!(Votes::new(1, 0, 2, vec![vote]).is_err() && Votes::new(0, 1, 2, vec![vote]).is_err());
    let votes = Votes::new(2, 2, 2, vec![vote]).expect("a crowd");
    assert_eq!(majority(&votes).row(1).to_vec(), [0.5, 0.5]);
    let alone = Iterations { max: 10, tolerance: None };
    let fitted = dawid_skene(&votes, &[Some(1), Some(0)], alone);
    assert_eq!(most_likely(&fitted.posterior), [1, 0]);
    assert!(one_coin(&votes, alone).posterior.iter().all(|share| share.is_finite()));
    assert!(glad(&votes, 10).posterior.iter().all(|share| share.is_finite()));
    let none = Votes::new(0, 0, 2, vec![]).expect("an empty crowd");
    assert!(dawid_skene(&none, &[], alone).posterior.is_empty() && majority(&none).is_empty());
    assert_eq!(gold_majority(&votes, &[None, None]), Err(NoGold { worker: 0 }));
}
