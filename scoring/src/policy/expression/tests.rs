use proptest::prelude::*;

use super::*;

/// Facts as a policy without standard errors rates them, on whole steps.
fn facts() -> impl Strategy<Value = Facts> {
    let unit = || prop_oneof![Just(0), Just(1_000_000_000), Just(500_000_000), 0..=1_000_000_000_i64];
    let whole = || prop_oneof![Just(0), Just(1), Just(7), 0..=2000_i64];
    (-1_000_000_000..=1_000_000_000_i64, unit(), unit(), unit(), whole(), whole()).prop_map(
        |(average, error, answered, capacity, attempts, age)| {
            let step = |steps: i64| steps as f64 / 1e9;
            Facts {
                score: step(average.max(0)),
                average: step(average),
                error: step(error),
                answered: step(answered),
                capacity: step(capacity),
                attempts,
                age,
            }
        },
    )
}

/// Expressions of every operator, most of them well typed.
fn source() -> impl Strategy<Value = String> {
    let names = prop::sample::select(vec!["score", "average", "error", "answered", "capacity"]);
    let number = prop_oneof![
        4 => names.prop_map(str::to_owned),
        2 => prop::sample::select(vec!["0.0", "0.5", "1.0", "-0.25", "3.0"]).prop_map(str::to_owned),
        1 => prop::sample::select(vec!["double(age)", "double(attempts)", "age", "attempts", "2", "0"])
            .prop_map(str::to_owned),
    ];
    number.prop_recursive(5, 40, 3, |inner| {
        let operator = prop::sample::select(vec!["+", "-", "*", "/"]);
        let function = prop::sample::select(vec!["min", "max"]);
        let compare = prop::sample::select(vec!["<", "<=", ">", ">=", "==", "!="]);
        let truth = (inner.clone(), compare, inner.clone(), any::<bool>())
            .prop_map(|(a, op, b, not)| format!("{}({a} {op} {b})", if not { "!" } else { "" }));
        let truths = (truth.clone(), prop::sample::select(vec!["&&", "||"]), truth.clone())
            .prop_map(|(a, op, b)| format!("({a} {op} {b})"));
        prop_oneof![
            3 => (inner.clone(), operator, inner.clone()).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            1 => (function, inner.clone(), inner.clone()).prop_map(|(f, a, b)| format!("{f}({a}, {b})")),
            1 => (prop::sample::select(vec!["abs", "sqrt", "-", "double"]), inner.clone())
                .prop_map(|(f, a)| format!("{f}({a})")),
            2 => (prop_oneof![truth, truths], inner.clone(), inner)
                .prop_map(|(c, a, b)| format!("({c} ? {a} : {b})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn the_tree_has_the_values_that_cel_has(source in source(), facts in facts()) {
        let Ok(expression) = Expression::compile(&source) else { return Ok(()) };
        let ours = billionths(expression.tree.value(&facts));
        let theirs = expression.value_by_cel(&facts).ok();
        prop_assert_eq!(ours, theirs, "{} at {:?}", source, facts);
    }

    #[test]
    fn where_no_fault_is_found_every_miner_has_a_value_and_within_its_range(source in source(), facts in facts()) {
        let Ok(expression) = Expression::compile(&source) else { return Ok(()) };
        let faults = expression.faults(0, 0.0);
        if faults.is_empty() {
            let value = expression.tree.value(&facts);
            prop_assert!(billionths(value).is_some(), "{} at {:?}", source, facts);
            let value = match value {
                Some(Worth::Int(value)) => value as f64,
                Some(Worth::Float(value)) => value,
                other => panic!("{other:?}"),
            };
            // The whole box at once may hold a doubt that its halves don't.
            let Some([least, most]) = expression.range_at(facts.age) else { return Ok(()) };
            prop_assert!(least <= value && value <= most, "{} is {} at {:?}, not {}..{}", source, value, facts, least, most);
        }
        for fault in faults.iter().filter(|fault| fault.kind == FaultKind::NoValue) {
            let Some(witness) = fault.witness else { continue };
            prop_assert!(expression.value(&witness).is_err(), "{}: {:?}", source, fault);
        }
    }
}

fn faults(source: &str) -> Vec<Fault> {
    Expression::compile(source).expect(source).faults(1, 0.0)
}

#[test]
fn a_division_by_zero_is_found_wherever_it_lies() {
    for (source, part, seen) in [
        ("age < 2 ? score : score / double(age - 7)", "score / double(age - 7)", "age: 7"),
        ("age < 2 ? 1 : 100 / (age - 123457)", "100 / (age - 123457)", "age: 123457"),
        ("answered > 0.5 ? score / error : score", "score / error", "error: 0"),
        ("(average - 0.25) / (average - 0.3)", "(average - 0.25) / (average - 0.3)", "average: 0.3"),
        ("attempts > 90 && age > 3000 ? score / double(attempts - age) : score", "", "age: "),
    ] {
        let found = faults(source);
        let [fault] = &found[..] else { panic!("{source}: {found:?}") };
        assert_eq!(fault.kind, FaultKind::DivisionByZero, "{source}");
        assert!(fault.part.contains(part), "{source}: {}", fault.part);
        let witness = format!("{:?}", fault.witness.expect("a miner"));
        assert!(witness.contains(seen), "{source}: {witness}");
    }
}

#[test]
fn what_cannot_happen_is_not_found() {
    for source in [
        "error > 0.0 ? average / error : score",
        "score / double(age + 1)",
        "attempts == 0 ? 0.0 : score / double(attempts)",
        "average / (average * average + 0.01)",
        "score / max(error, 0.001)",
        "!(age == 7) ? score / double(age - 7) : score",
        "sqrt(score) * capacity",
        "age < 5 || answered > 0.9 ? score : score * 0.5",
    ] {
        assert_eq!(faults(source), [], "{source}");
    }
}

#[test]
fn an_age_without_a_value_is_found() {
    let found = faults("age > 2000 && average < 0.2 ? sqrt(average - 0.5) : score");
    assert!(matches!(found[..], [Fault { kind: FaultKind::NoValue, witness: Some(_), .. }]), "{found:?}");
    let witness = found[0].witness.expect("a miner");
    assert!(witness.age > 2000 && witness.average < 0.2, "{witness:?}");
}

#[test]
fn latency_is_refused_with_its_reason_and_the_way_round() {
    for source in ["latency", "score - 0.001 * latency_ms"] {
        let message = Expression::compile(source).expect_err(source).to_string();
        assert!(message.contains("honest ones would disagree") && message.contains("capacity"), "{message}");
    }
}
