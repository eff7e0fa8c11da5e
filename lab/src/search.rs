//! Looking for the best: an optimiser over a box of numbers, the tuning of a policy, and the red team that plays against one.
//!
//! [`search`] runs CMA-ES (Hansen and Ostermeier, "Completely derandomized self-adaptation in evolution strategies", 2001; the
//! `cmaes` crate) with restarts, for one figure or for a front of several. It asks its caller before each generation
//! whether to go on, and hands out each generation as a line of a [`log`](mod@log), from which a later run goes on.
//!
//! **Invariant.** What is found is a function of problem, settings and seed: no clock, no thread count. A run that was
//! interrupted and resumed finds what an uninterrupted one does. The optimiser's own matrix arithmetic is the processor's,
//! so that another machine may search elsewhere; what a found point is worth is the same on all.

pub mod fold;
pub mod log;
pub mod pareto;

mod archive;
mod error;
mod legs;
mod meter;
mod optimiser;
mod settings;

mod genome;
mod ground;
mod moves;
pub mod redteam;

mod candidate;
mod measure;
pub mod tuning;

pub use archive::Point;
pub use candidate::{CandidateError, Candidates, Parameter};
pub use error::{RedTeamError, SearchError};
pub use genome::Genome;
pub use ground::{Arena, Worth};
pub use legs::{BEST_MOST, LegProgress, Neighbours, Problem, SearchResult, Watch, search, solve};
pub use log::{Log, LogError};
pub use measure::{Measure, Measures, Proving};
pub use meter::{Evaluate, WORST};
pub use redteam::{Finalist, Game, RedTeam, RedTeamAnswer, RedTeamUnit, Response};
pub use settings::{DIMENSIONS_MAX, EVALUATIONS_MAX, Goal, Settings};
pub use tuning::{Tuning, TuningAnswer, TuningError, TuningJob, TuningResult, TuningUnit, tune};

#[cfg(test)]
mod tests;
