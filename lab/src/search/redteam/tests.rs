use super::*;
use crate::search::tests::Recorder;
use crate::sim::fixture::{profile, read};
use weighhouse_scoring::policy::DEFAULT_POLICY;
use weighhouse_types::profile::Scope;

/// Pays who answers in time, whatever the answer.
const GULLIBLE: &str = "version = 2\n[metrics]\nmark = 0.0\nanswered = 1.0\n";

/// Pays marks, steeply, and nothing below three quarters of what honest work deserves.
const STRICT: &str = "version = 2\n[shape]\nkind = \"power\"\nexponent = 3.0\nfloor = 0.72\n";

/// Pays marks in proportion, above a low floor.
pub(super) const LINEAR: &str = "version = 2\n[shape]\nfloor = 0.2\n";

/// A game of seconds.
pub(super) fn game(policy: &str, evaluations: u64) -> RedTeam {
    let mut game = RedTeam::new(
        profile(Scope::Private),
        &read(policy),
        evaluations,
        crate::world::Assumptions::default(),
    );
    game.training.base.validators[0].count = 2;
    game.training.base.subnet.max_uids = 18;
    game.screening = Arena { seeds: vec![71, 72], ..game.training.clone() };
    game.full = Arena { seeds: vec![91, 92, 93, 94], fractions: vec![0.0, 0.25], ..game.training.clone() };
    game.finalists = 3;
    game
}

#[test]
fn a_policy_that_pays_any_answer_is_beaten() {
    let response = game(GULLIBLE, 200).run(None, &mut Recorder::default()).unwrap();
    assert!(response.best_response > 1.5, "{response:?}");
    assert!(response.ci95[0] > 1.5, "{response:?}");
    assert!(response.evaluations >= 200);
    assert!(response.strategy.work.share("honest") < 0.2, "{:?}", response.strategy);
}

#[test]
fn a_gap_that_no_persona_uses_is_found_by_the_search() {
    // Half of the value is in the mark, half in having answered: what pays best is honest work mixed with nothing.
    let mixed = "version = 2\n[metrics]\nmark = 0.5\nanswered = 0.5\n[shape]\nfloor = 0.6\n";
    let game = game(mixed, 1500);
    let response = game.run(None, &mut Recorder::default()).unwrap();
    let plain = |strategy: &Strategy| game.evaluate(strategy).unwrap().ratio;
    let best_start = game.starting_strategies().iter().map(plain).fold(0.0, f64::max);
    assert!(response.best_response > best_start + 0.05, "{} {best_start}", response.best_response);
}

#[test]
fn a_policy_that_pays_for_quality_alone_is_beaten_by_nothing_but_crowding_others_out() {
    let response = game(STRICT, 1000).run(None, &mut Recorder::default()).unwrap();
    assert!(response.best_response >= 1.0, "{response:?}");
    // So small a subnet is full: who registers over and over evicts its competitors, and no policy sees that.
    let crowds = response.strategy.comes_back.is_some();
    assert!(response.best_response <= 1.05 || crowds, "{response:?}");
    assert!(response.strategy.work.share("honest") > 0.99, "{:?}", response.strategy);
}

#[test]
fn the_best_response_replays_to_the_same_figure() {
    let game = game(GULLIBLE, 60);
    let response = game.run(None, &mut Recorder::default()).unwrap();
    let json = serde_json::to_string(&response).unwrap();
    let read: Response = serde_json::from_str(&json).unwrap();
    assert_eq!(read, response);
    let worth = game.evaluate(&read.strategy).unwrap();
    assert_eq!((worth.ratio, worth.ci95), (response.best_response, response.ci95));
    for key in ["best_response", "evaluations", "strategy"] {
        assert!(json.contains(&format!("\"{key}\":")), "{json}");
    }
}

#[test]
fn honest_work_is_worth_exactly_itself() {
    let worth = game(DEFAULT_POLICY, 1).evaluate(&Strategy::default()).unwrap();
    assert_eq!((worth.ratio, worth.ci95), (1.0, [1.0, 1.0]));
}

#[test]
fn an_interrupted_game_goes_on_from_its_log_on_any_number_of_threads() {
    let game = game(GULLIBLE, 80);
    let mut whole = Recorder::default();
    let wanted = game.run(None, &mut whole).unwrap();
    let mut first = Recorder { generations_left: Some(3), ..Recorder::default() };
    game.run(None, &mut first).unwrap();
    let log = Log::parse(first.log.as_bytes()).unwrap();
    assert!(log.evaluations() < wanted.evaluations);
    first.generations_left = None;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    let resumed = pool.install(|| game.run(Some(log), &mut first)).unwrap();
    assert_eq!(resumed, wanted);
    assert_eq!(first.log, whole.log);
}

#[test]
fn a_game_against_another_policy_does_not_take_the_log() {
    let mut recorder = Recorder::default();
    game(GULLIBLE, 40).run(None, &mut recorder).unwrap();
    let log = Log::parse(recorder.log.as_bytes()).unwrap();
    let refused = game(STRICT, 40).run(Some(log), &mut Recorder::default());
    assert!(matches!(refused, Err(RedTeamError::Search(crate::search::SearchError::Log(_)))), "{refused:?}");
}

#[test]
fn games_that_cannot_be_played_are_refused() {
    let mut lacking = game(DEFAULT_POLICY, 10);
    lacking.full.seeds.clear();
    let refused = lacking.run(None, &mut Recorder::default());
    assert_eq!(refused, Err(RedTeamError::Missing { missing: "two held-out seeds" }));
    let nobody_paid = "version = 2\n[shape]\nfloor = 1.0\n";
    let refused = game(nobody_paid, 10).run(None, &mut Recorder::default());
    assert_eq!(refused, Err(RedTeamError::NoHonestProfit { world: "tiny" }));
    let many = Strategy { identities: 64, ..Strategy::default() };
    let refused = game(DEFAULT_POLICY, 10).evaluate(&many);
    assert_eq!(refused, Err(RedTeamError::Crowded { world: "full", identities: 64 }));
}
