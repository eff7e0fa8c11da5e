//! Steps from one strategy to others that an attacker would try next: one habit taken up, changed or dropped, one kind of answer more or
//! less in a mix.
//!
//! An optimiser of numbers crosses from one habit to another by luck only; most of what pays is a combination of a few habits, each of
//! which is one step. Each step changes one thing, so that what pays in combination is found where each part pays a little, and from
//! starts that hold two parts already.

use super::Genome;
use crate::sim::{Mix, Return, Strategy, Switch};

/// Shares of a kind that a mix is given.
const PARTS: [f64; 5] = [0.1, 0.25, 0.5, 0.75, 0.9];
const PERIODS: [u32; 5] = [2, 4, 8, 16, 48];
const DUTIES: [f64; 3] = [0.25, 0.5, 0.75];
const SERVED: [f64; 4] = [0.9, 0.75, 0.6, 0.5];
const IDENTITIES: [u16; 6] = [1, 2, 3, 4, 8, 16];
const BACKENDS: [f64; 3] = [1.0, 0.7, 0.4];

/// Strategies one step from `from`, of kinds and habits that the genome has.
pub(super) fn next_to(from: &Strategy, genome: &Genome) -> Vec<Strategy> {
    let mut found = Vec::new();
    identities(from, genome, &mut found);
    mixes(from, genome, &mut found);
    rests(from, genome, &mut found);
    conditions(from, genome, &mut found);
    found
}

/// Starts that hold two parts of a combination: every pair of kinds half and half, one uid and many, and every kind as the rest of
/// honest work under each condition.
pub(super) fn starts(genome: &Genome) -> Vec<Strategy> {
    let mut found = Vec::new();
    let kinds: Vec<&str> = genome.kinds().collect();
    for identities in [1, genome.identities_most()] {
        for (at, one) in kinds.iter().enumerate() {
            for other in &kinds[..at] {
                let work = Mix::of(&[(one, 0.5), (other, 0.5)]);
                found.push(fair(Strategy { identities, work, ..Strategy::plain("mixture", one) }));
            }
        }
    }
    for kind in kinds {
        let resting = Strategy { rest: Some(Mix::only(kind)), ..Strategy::default() };
        let cycle = Switch { period: 8, duty: 0.5, ..Switch::default() };
        found.push(Strategy { switch: cycle, ..resting.clone() });
        found.push(Strategy { sight: Some(genome.sight_most()), ..resting.clone() });
        found.push(Strategy { served_stake: 0.6, ..resting });
        let churn = Return { after_epochs: 1, unpaid_epochs: 4 };
        found.push(Strategy { comes_back: Some(churn), ..Strategy::plain("churn", kind) });
    }
    found
}

/// Many uids on the power that one honest miner needs, as the genome has it.
fn fair(strategy: Strategy) -> Strategy {
    let backend = if strategy.identities > 1 { strategy.backend.or(Some(1.0)) } else { strategy.backend };
    Strategy { backend, ..strategy }
}

fn identities(from: &Strategy, genome: &Genome, found: &mut Vec<Strategy>) {
    for identities in IDENTITIES.into_iter().filter(|count| *count <= genome.identities_most()) {
        for decoys in [0, identities / 2, identities - 1] {
            found.push(fair(Strategy { identities, decoys, ..from.clone() }));
        }
    }
    found.extend(BACKENDS.map(|backend| Strategy { backend: Some(backend), ..from.clone() }));
    if from.identities == 1 {
        found.push(Strategy { backend: None, ..from.clone() });
    }
    if genome.mirrors() {
        found.push(Strategy { mirrored: !from.mirrored, ..from.clone() });
    }
}

fn mixes(from: &Strategy, genome: &Genome, found: &mut Vec<Strategy>) {
    for kind in genome.kinds() {
        found.push(Strategy { work: Mix::only(kind), ..from.clone() });
        for part in PARTS {
            found.push(Strategy { work: mixed(&from.work, kind, part), ..from.clone() });
        }
    }
}

/// The mix with this part of a kind, and the rest of it as before.
fn mixed(mix: &Mix, kind: &str, part: f64) -> Mix {
    let mut with = Mix::default();
    for other in mix.0.keys().filter(|other| *other != kind) {
        with.0.insert(other.clone(), (1.0 - part) * mix.share(other));
    }
    with.0.insert(kind.to_owned(), part);
    with
}

fn rests(from: &Strategy, genome: &Genome, found: &mut Vec<Strategy>) {
    found.push(Strategy { rest: None, ..from.clone() });
    found.extend(genome.kinds().map(|kind| Strategy { rest: Some(Mix::only(kind)), ..from.clone() }));
}

fn conditions(from: &Strategy, genome: &Genome, found: &mut Vec<Strategy>) {
    let switched = |switch: Switch| Strategy { switch, ..from.clone() };
    let switch = &from.switch;
    for period in PERIODS {
        found.extend(DUTIES.map(|duty| switched(Switch { period, duty, ..switch.clone() })));
    }
    found.push(switched(Switch { period: 0, duty: 0.0, ..switch.clone() }));
    for above in [0.5, 0.8, 1.2] {
        let half = above / 2.0;
        found.push(switched(Switch { rest_above: Some(above), work_below: half, ..switch.clone() }));
    }
    found.push(switched(Switch { rest_above: None, work_below: 0.0, ..switch.clone() }));
    found.extend([0, 4, 16].map(|work_first| switched(Switch { work_first, ..switch.clone() })));
    found.extend([None, Some(genome.sight_most())].map(|sight| Strategy { sight, ..from.clone() }));
    found.push(Strategy { served_stake: 1.0, ..from.clone() });
    found.extend(SERVED.map(|served_stake| Strategy { served_stake, ..from.clone() }));
    found.extend([0.0, 0.1].map(|late| Strategy { late, ..from.clone() }));
    found.extend([0, 1].map(|copy_delay| Strategy { copy_delay, ..from.clone() }));
    let back = |unpaid_epochs| Some(Return { after_epochs: 1, unpaid_epochs });
    found.extend([None, back(0), back(4)].map(|comes_back| Strategy { comes_back, ..from.clone() }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::fixture::profile;
    use weighhouse_types::profile::Scope;

    #[test]
    fn every_step_is_read_back_from_its_numbers() {
        let profile = profile(Scope::Shared);
        let genome = Genome::new(&profile, 16, 0.75);
        let from = Strategy { rest: Some(Mix::only("lazy")), ..Strategy::default() };
        for strategy in next_to(&from, &genome).into_iter().chain(starts(&genome)) {
            assert!(strategy.is_measured(&profile), "{strategy:?}");
            let read = genome.decode(&genome.encode(&strategy));
            assert_eq!(read.identities, strategy.identities, "{strategy:?}");
            assert_eq!(
                (read.decoys, read.mirrored),
                (strategy.decoys.min(strategy.identities - 1), strategy.mirrored)
            );
            assert_eq!(read.rest.is_some(), strategy.rest.is_some(), "{strategy:?}");
            assert_eq!(read.switch.period, strategy.switch.period, "{strategy:?}");
            assert_eq!(read.comes_back.is_some(), strategy.comes_back.is_some());
            assert!((read.served_stake - strategy.served_stake).abs() < 1e-9, "{strategy:?}");
            for kind in strategy.work.0.keys() {
                assert!((read.work.share(kind) - strategy.work.share(kind)).abs() < 1e-9, "{strategy:?}");
            }
        }
    }
}
