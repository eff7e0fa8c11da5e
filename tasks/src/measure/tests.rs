use std::cell::Cell;

use super::statistics::{correlation, detections, deviation, mean, median, rounded};
use super::*;
use crate::{DIGITS_CONFORMANCE, DIGITS_QUALITY};
use weighhouse_models::Builtin;
use weighhouse_types::profile::{Paid, PersonaFigures};

const FEW: u32 = 40;

fn task(file: &str, scope: Scope) -> Task {
    let file = ["private", "shared"].iter().fold(file.to_owned(), |file, old| {
        file.replace(&format!("scope = \"{old}\""), &format!("scope = \"{}\"", scope.name()))
    });
    Task::load(file.as_bytes(), &Builtin::Reference.bytes()).expect("task")
}

/// A clock on which everything takes a second.
fn profile(task: &Task, challenges: u32) -> Result<Profile, MeasureError> {
    let reference = Builtin::Reference.bytes();
    let readings = Cell::new(0);
    let cpu = || {
        readings.set(readings.get() + 1);
        Duration::from_secs(readings.get())
    };
    let mut done = 0;
    let references = &reference;
    let measurement = Measurement { name: "digits", task, references, own: None, challenges, seed: 7 };
    let profile = measurement.run(&cpu, &mut |progress| done = progress.done)?;
    assert_eq!(done, challenges);
    Ok(profile)
}

fn of<'a>(profile: &'a Profile, persona: &str) -> &'a PersonaFigures {
    profile.personas.iter().find(|measured| measured.name == persona).expect("all are measured")
}

#[test]
fn in_conformance_only_the_agreed_model_is_paid() {
    let profile = profile(&task(DIGITS_CONFORMANCE, Scope::Private), FEW).expect("measured");
    assert_eq!(
        (profile.paid, profile.scope, profile.personas.len()),
        (Paid::Conformance, Scope::Private, 16)
    );
    let honest = of(&profile, "honest");
    assert_eq!((honest.mean, honest.deviation, honest.rejected, honest.detections), (1.0, 0.0, 0.0, None));
    for measured in profile.personas.iter().filter(|measured| measured.name != "honest") {
        assert!(measured.mean <= 0.0 && measured.rejected == 1.0, "{measured:?}");
        assert!(measured.detections.is_some_and(|challenges| challenges <= 2), "{measured:?}");
    }
}

#[test]
fn in_quality_the_better_model_earns_more_and_whoever_runs_none_earns_nothing() {
    let profile = profile(&task(DIGITS_QUALITY, Scope::Shared), FEW).expect("measured");
    let mean = |persona| of(&profile, persona).mean;
    assert!(mean("better") > mean("honest") && mean("honest") > mean("weak"));
    for persona in ["random", "lazy", "cached", "nan", "silent"] {
        let measured = of(&profile, persona);
        assert!(measured.mean <= 0.0 && measured.rejected == 1.0, "{measured:?}");
    }
    assert_eq!((mean("nan"), mean("silent")), (0.0, 0.0));
    assert_eq!(of(&profile, "honest").detections, None);
}

#[test]
fn marks_on_shared_challenges_go_together_and_on_private_ones_they_do_not() {
    let shared = profile(&task(DIGITS_QUALITY, Scope::Shared), FEW).expect("measured");
    let private = profile(&task(DIGITS_QUALITY, Scope::Private), FEW).expect("measured");
    for persona in ["honest", "better", "lazy"] {
        assert_eq!(of(&shared, persona).correlation, 1.0, "{}", persona);
        assert!(of(&private, persona).correlation.abs() < 0.6, "{}", persona);
    }
    let twins = ["noise", "mirror"].map(|persona| of(&shared, persona).correlation);
    assert_eq!(twins[0], twins[1]);
    assert!(of(&shared, "silent").correlation == 0.0);
}

#[test]
fn likeness_is_the_judges_own_and_noise_hides_a_copy_from_it() {
    let shared = profile(&task(DIGITS_QUALITY, Scope::Shared), FEW).expect("measured");
    let alike = |one, other: &str| of(&shared, one).alike[other];
    // One rounded model, twice; and twins who know each other's noise.
    assert_eq!(alike("half", "half"), 1.0);
    assert!(alike("noise", "mirror") > 0.5 && alike("noise", "noise") == 0.0);
    // Two roundings of one model make mistakes of their own.
    assert_eq!(alike("half", "int8"), 0.0);
    assert!(alike("int4", "int4") > 0.9);
    // Noise of one's own: the stronger, the less the judge sees of a common model.
    assert_eq!(alike("veiled-0.5", "veiled-0.5"), 0.0);
    assert_eq!(alike("random", "random"), 0.0);
    assert!(
        of(&shared, "half").alike.contains_key("int8") && !of(&shared, "silent").alike.contains_key("half")
    );
    assert_eq!(shared.likeness.map(|likeness| likeness.rounds), Some(200));
    let private = profile(&task(DIGITS_QUALITY, Scope::Private), FEW).expect("measured");
    assert!(private.likeness.is_none() && of(&private, "half").alike.is_empty());
}

#[test]
fn the_same_seed_gives_the_same_profile_and_costs_are_the_clocks() {
    let task = task(DIGITS_CONFORMANCE, Scope::Shared);
    let one = profile(&task, FEW).expect("measured");
    assert_eq!(one, profile(&task, FEW).expect("measured again"));
    assert_eq!(one.cost, ChallengeCost { answer: 0.025, reference: 0.025, judge: 0.025 });
    assert!(one.personas.iter().all(|measured| measured.cost == 1.0));
}

#[test]
fn too_few_and_too_many_challenges_are_refused() {
    let task = task(DIGITS_CONFORMANCE, Scope::Private);
    for challenges in [0, 19, 100_001] {
        assert_eq!(profile(&task, challenges), Err(MeasureError::Challenges { challenges }));
    }
}

#[test]
fn twins_mirror_each_other_about_the_reference() {
    let task = task(DIGITS_QUALITY, Scope::Shared);
    let challenge = task.challenge(&[5; 32]).expect("drawn");
    let request = task.request(&challenge, String::new());
    let rows = |persona| {
        let setup = PersonaSetup {
            references: &Builtin::Reference.bytes(),
            rng: ChaCha20Rng::seed_from_u64(3),
            earlier: None,
            own: None,
        };
        let personas = task.personas();
        let persona: &Persona = personas.iter().find(|known| known.name == persona).expect("a persona");
        let mut answerer = persona.open(setup).expect("a miner");
        let answer = answerer(&request).expect("it answers").expect("an answer");
        answer.outputs[0].to_f32().expect("numbers")
    };
    let (honest, noise, mirror) = (rows("honest"), rows("noise"), rows("mirror"));
    assert_ne!(noise, mirror);
    let ratio = |row: usize, class: usize, values: &[f32]| {
        f64::from(values[row * 10 + class]) / f64::from(honest[row * 10 + class])
    };
    for row in 0..challenge.items() {
        // Up to one factor a row, what one is multiplied by the other is divided by.
        let product = |class| ratio(row, class, &noise) * ratio(row, class, &mirror);
        assert!((0..10).all(|class| (product(class) / product(0) - 1.0).abs() < 1e-4), "row {row}");
    }
}

#[test]
fn figures_are_what_the_textbook_says() {
    let values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
    assert_eq!(mean(&values), 5.0);
    assert!((deviation(&values) - (32.0_f64 / 7.0).sqrt()).abs() < 1e-12);
    assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
    let reversed: Vec<f64> = values.iter().map(|value| -value).collect();
    assert!((correlation(&values, &reversed) + 1.0).abs() < 1e-12);
    assert_eq!(correlation(&values, &[0.1; 8]), 0.0);
    assert_eq!((rounded(0.123_456_78, 3), rounded(-0.0, 3), rounded(98_765.0, 2)), (0.123, 0.0, 99_000.0));
}

#[test]
fn detections_follow_the_formula_and_end_where_nothing_can_be_told() {
    // Deviation 1 on both sides and means 1 apart: (3.7190 + 2.3263)^2 = 36.55.
    let around =
        |mean: f64| [mean - 1.0, mean + 1.0, mean - 1.0, mean + 1.0].map(|value| value * 0.75_f64.sqrt());
    let apart = |mean: f64| detections(&around(0.0), &around(mean));
    assert_eq!(apart(1.0 / 0.75_f64.sqrt()), Some(37));
    assert_eq!(apart(-0.1 / 0.75_f64.sqrt()), Some(3_655));
    assert_eq!((apart(0.0), apart(1e-4)), (None, None));
    assert_eq!(detections(&[1.0; 9], &[-1.0; 9]), Some(1));
}
