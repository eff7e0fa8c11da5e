//! What an expression does to miners whom nobody has seen yet: divisions by zero, branches that are never taken, worse answers that
//! earn more, ages that earn nothing.

use super::Severity;
use weighhouse_scoring::policy::{Expression, Facts, Fault, FaultKind, Policy};

const KEY: &str = "expression.score";
/// Ages that are tried besides those that the expression itself names.
const AGES: [i64; 7] = [0, 1, 2, 5, 20, 1000, 1_000_000];

pub(super) fn examine(policy: &Policy, say: &mut impl FnMut(Severity, &'static str, String)) {
    let Some(expression) = policy.expression() else { return };
    let faults = expression.faults(policy.min_attempts(), policy.standard_errors());
    for fault in &faults {
        say(Severity::Error, KEY, fault_in_words(fault));
    }
    let mut ages: Vec<i64> = AGES.into_iter().chain(expression.ages()).collect();
    ages.sort_unstable();
    ages.dedup();
    let spread = spread(&ages);
    for branch in expression.unreached(&spread) {
        say(Severity::Warning, KEY, format!("{branch}, so one branch is never taken"));
    }
    if let Some(message) = falls(expression, &spread) {
        say(Severity::Error, KEY, message);
    }
    if faults.is_empty() {
        unpaid(policy, expression, &ages, say);
    }
}

fn fault_in_words(fault: &Fault) -> String {
    let Fault { kind, part, witness } = fault;
    let what = match kind {
        FaultKind::DivisionByZero => "divides by zero",
        FaultKind::NoValue => "has no value, so that the miner isn't scored,",
    };
    match witness {
        Some(facts) => format!("`{part}` {what} where {}", names_in(part, facts)),
        None => format!(
            "`{part}` {what} for all that can be shown: guard it by a condition on what it divides by"
        ),
    }
}

/// The names that the part holds, with their values.
fn names_in(part: &str, facts: &Facts) -> String {
    let values = [
        ("score", facts.score.to_string()),
        ("average", facts.average.to_string()),
        ("error", facts.error.to_string()),
        ("answered", facts.answered.to_string()),
        ("capacity", facts.capacity.to_string()),
        ("attempts", facts.attempts.to_string()),
        ("age", facts.age.to_string()),
    ];
    let words: Vec<&str> = part.split(|letter: char| !letter.is_alphanumeric()).collect();
    let held = values.into_iter().filter(|(name, _)| words.contains(name));
    held.map(|(name, value)| format!("{name} is {value}")).collect::<Vec<_>>().join(" and ")
}

/// A spread of miners, for what an expression does over all of them.
fn spread(ages: &[i64]) -> Vec<Facts> {
    let mut all = Vec::new();
    for attempts in [0, 1, 3, 10, 100, 10_000] {
        for &age in ages {
            for (answered, capacity) in [(0.0, 0.0), (0.5, 0.5), (1.0, 0.5), (1.0, 1.0)] {
                for error in [0.0, 0.02, 0.1, 0.4, 1.0] {
                    for step in -10..=10 {
                        let average = f64::from(step) / 10.0;
                        let score = f64::max(average, 0.0);
                        all.push(Facts { score, average, error, answered, capacity, attempts, age });
                    }
                }
            }
        }
    }
    all
}

/// An average that is worth less than a lower one.
fn falls(expression: &Expression, spread: &[Facts]) -> Option<String> {
    // The innermost loop of `spread`: 21 averages with all else equal.
    for ladder in spread.chunks(21) {
        let values: Vec<_> = ladder.iter().map(|facts| expression.value(facts).ok()).collect();
        for (pair, facts) in values.windows(2).zip(ladder.windows(2)) {
            if let [Some(worse), Some(better)] = pair
                && better < worse
            {
                return Some(format!(
                    "is not monotone: an average of {} is worth {:.4}, one of {} only {:.4} ({} verdicts, age {})",
                    facts[0].average,
                    *worse as f64 / 1e9,
                    facts[1].average,
                    *better as f64 / 1e9,
                    facts[0].attempts,
                    facts[0].age
                ));
            }
        }
    }
    None
}

/// Ages at which even the best miner earns nothing.
fn unpaid(
    policy: &Policy,
    expression: &Expression,
    ages: &[i64],
    say: &mut impl FnMut(Severity, &'static str, String),
) {
    let floor = policy.floor().to_f64().max(1e-9);
    let is_paid = |age: &i64| expression.range_at(*age).is_none_or(|[_, most]| most >= floor);
    let Some(last) = ages.iter().rposition(is_paid) else {
        let message = format!("pays nobody: no miner comes to {floor}, so that every validator abstains");
        return say(Severity::Error, KEY, message);
    };
    if let Some(age) = ages.get(last + 1) {
        let message = format!("pays nobody from age {age} on, so that validators of an old subnet abstain");
        return say(Severity::Error, KEY, message);
    }
    if let Some(age) = ages[..last].iter().find(|age| !is_paid(age)) {
        let message = format!(
            "pays no miner of age {age}: while all are of that age, as in a new subnet, validators abstain"
        );
        say(Severity::Warning, KEY, message);
    }
}
