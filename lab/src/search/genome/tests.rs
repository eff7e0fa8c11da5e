use super::*;
use crate::attack::CATALOGUE;
use crate::sim::fixture::profile;
use crate::sim::rng::Stream;
use crate::sim::run;
use crate::sim::{MinerGroup, fixture::small};
use weighhouse_types::profile::Scope;

fn genome() -> Genome {
    Genome::new(&profile(Scope::Private), 16, 0.75)
}

fn close(one: f64, other: f64) -> bool {
    (one - other).abs() < 1e-9
}

fn alike(one: &Mix, other: &Mix) -> bool {
    one.0.keys().chain(other.0.keys()).all(|kind| (one.share(kind) - other.share(kind)).abs() < 1e-9)
}

#[test]
fn every_persona_of_the_catalogue_comes_back_from_its_numbers() {
    let genome = genome();
    for (name, _) in CATALOGUE.iter().chain(&[("honest", false)]) {
        let mut persona = Strategy::persona(name).unwrap();
        if persona.identities > 1 {
            persona.backend = Some(1.0);
        }
        let at = genome.encode(&persona);
        assert_eq!(at.len(), genome.dimensions());
        assert!(at.iter().all(|unit| (0.0..=1.0).contains(unit)), "{name}: {at:?}");
        let decoded = genome.decode(&at);
        assert!(alike(&decoded.work, &persona.work), "{name}: {decoded:?}");
        assert_eq!(decoded.rest.is_some(), persona.rest.is_some(), "{name}");
        if let (Some(one), Some(other)) = (&decoded.rest, &persona.rest) {
            assert!(alike(one, other), "{name}");
        }
        assert_eq!(decoded.identities, persona.identities, "{name}");
        assert_eq!(decoded.decoys, persona.decoys, "{name}");
        assert_eq!(decoded.mirrored, persona.mirrored, "{name}");
        assert_eq!(decoded.copy_delay, persona.copy_delay, "{name}");
        assert_eq!(decoded.switch.period, persona.switch.period, "{name}");
        assert_eq!(decoded.backend.is_some(), persona.backend.is_some(), "{name}");
        assert!(close(decoded.backend.unwrap_or(0.0), persona.backend.unwrap_or(0.0)), "{name}");
        assert!(close(decoded.switch.duty, persona.switch.duty), "{name}");
        assert!(close(decoded.switch.rest_above.unwrap_or(9.0), persona.switch.rest_above.unwrap_or(9.0)));
        assert!(close(decoded.switch.work_below, persona.switch.work_below), "{name}");
        assert!(close(decoded.sight.unwrap_or(9.0), persona.sight.unwrap_or(9.0)), "{name}");
        assert!(close(decoded.served_stake, persona.served_stake), "{name}");
        assert!((decoded.late - persona.late).abs() < 1e-3, "{name}: {}", decoded.late);
    }
}

#[test]
fn a_sybil_that_comes_back_comes_back_from_its_numbers() {
    let comes_back = Some(Return { after_epochs: 3, unpaid_epochs: 5 });
    let switch = Switch { work_first: 12, ..Switch::default() };
    let strategy = Strategy { identities: 7, decoys: 3, comes_back, switch, ..Strategy::default() };
    let decoded = genome().decode(&genome().encode(&strategy));
    assert_eq!((decoded.identities, decoded.decoys), (7, 3));
    assert_eq!(decoded.comes_back, comes_back);
    assert_eq!(decoded.switch.work_first, 12);
}

#[test]
fn whatever_the_numbers_the_strategy_can_be_simulated() {
    let genome = genome();
    for draw in 0..200 {
        let stream = Stream::new(draw, &[]);
        // Corners of the box as often as its inside.
        let unit = |at: u64| match stream.at(1000 + at) % 4 {
            0 => 0.0,
            1 => 1.0,
            _ => stream.uniform(at),
        };
        let at: Vec<f64> = (0..genome.dimensions() as u64).map(unit).collect();
        let mut scenario = small();
        scenario.epochs = 3;
        scenario.warmup_epochs = 0;
        scenario.miners = vec![MinerGroup::honest(4), MinerGroup::attackers(genome.decode(&at), 1)];
        run(&scenario, draw).unwrap_or_else(|error| panic!("{error}: {:?}", genome.decode(&at)));
    }
}

#[test]
fn sight_and_cost_stay_within_what_an_operator_can_choose() {
    let strategy = genome().decode(&vec![1.0; genome().dimensions()]);
    assert_eq!((strategy.sight, strategy.cost_factor), (Some(0.75), 1.0));
    assert_eq!((strategy.identities, strategy.backend), (16, Some(1.0)));
    assert!(strategy.decoys < strategy.identities);
}

#[test]
fn no_uid_is_given_up_before_it_could_have_been_paid() {
    let strategy =
        Strategy { comes_back: Some(Return { after_epochs: 1, unpaid_epochs: 1 }), ..Strategy::default() };
    let decoded = genome().decode(&genome().encode(&strategy));
    assert_eq!(decoded.comes_back, Some(Return { after_epochs: 1, unpaid_epochs: 4 }));
}

#[test]
fn kinds_that_were_not_measured_are_never_played() {
    let mut profile = profile(Scope::Private);
    profile.personas.retain(|kind| kind.name == "honest" || kind.name == "noise");
    let genome = Genome::new(&profile, 4, 0.5);
    let strategy = genome.decode(&vec![1.0; genome.dimensions()]);
    assert!(!strategy.mirrored);
    assert_eq!(strategy.work.0.keys().collect::<Vec<_>>(), ["honest", "noise"]);
}
