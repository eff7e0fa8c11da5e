//! A whole job of the lab as one value that can be sent to another machine, there to answer units of it.

use serde::{Deserialize, Serialize};
use weighhouse_scoring::policy::PolicyFile;

use crate::attack::{AttackPlan, Matrix, Runs};
use crate::report::{Data, RunVerdict};
use crate::search::{Game, Log, RedTeam, RedTeamError, Tuning, TuningError, TuningJob, Watch};
use crate::sim::ScenarioError;
use crate::work::{self, Hands};

/// What is to be computed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Job {
    Attack(Box<AttackPlan>),
    Redteam(Box<RedTeam>),
    Tune { tuning: Box<Tuning>, policy: PolicyFile },
}

/// A job made ready, to be run or to answer units of.
#[derive(Debug)]
pub enum Prepared {
    Attack(Box<Runs>),
    Redteam(Box<Game>),
    Tune(Box<TuningJob>),
}

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum JobError {
    #[error("{0}")]
    Attack(#[from] ScenarioError),
    #[error("{0}")]
    Redteam(#[from] RedTeamError),
    #[error("{0}")]
    Tune(#[from] TuningError),
    #[error("no unit of this job: {message}")]
    Unit { message: String },
}

/// A matrix with its verdicts, as `weighhouse policy attack --json` prints it.
#[derive(Clone, Debug, Serialize)]
pub struct Priced<'a> {
    #[serde(flatten)]
    pub matrix: &'a Matrix,
    pub verdicts: Vec<RunVerdict>,
}

impl<'a> Priced<'a> {
    pub fn new(matrix: &'a Matrix) -> Self {
        Self { matrix, verdicts: Data::of_matrix("", matrix).verdicts() }
    }
}

impl Prepared {
    /// Makes a job ready.
    ///
    /// # Errors
    /// A job that can't be run.
    pub fn new(job: Job) -> Result<Self, JobError> {
        Ok(match job {
            Job::Attack(plan) => Self::Attack(Box::new(Runs::new(*plan)?)),
            Job::Redteam(team) => Self::Redteam(Box::new(Game::new(*team)?)),
            Job::Tune { tuning, policy } => {
                let proving = tuning.proving()?;
                Self::Tune(Box::new(TuningJob::new(*tuning, policy, proving)?))
            }
        })
    }

    /// Answers one unit, both in their JSON form.
    ///
    /// # Errors
    /// A text that is no unit of this job.
    pub fn answer(&self, unit: &str) -> Result<String, JobError> {
        let reply = match self {
            Self::Attack(runs) => work::reply(&**runs, unit),
            Self::Redteam(game) => work::reply(&**game, unit),
            Self::Tune(job) => work::reply(&**job, unit),
        };
        reply.map_err(|error| JobError::Unit { message: error.to_string() })
    }

    /// Runs the job: the JSON text that the command with `--json` prints.
    ///
    /// # Errors
    /// As the command.
    pub fn run(
        &self,
        hands: &impl Hands,
        resumed: Option<Log>,
        watch: &mut dyn Watch,
    ) -> Result<String, JobError> {
        let text = match self {
            Self::Attack(runs) => serde_json::to_string(&Priced::new(&runs.matrix(hands)?)),
            Self::Redteam(game) => serde_json::to_string(&game.run(hands, resumed, watch)?),
            Self::Tune(job) => serde_json::to_string(&job.run(hands, resumed, watch)?),
        };
        Ok(text.expect("structs of numbers and strings have a JSON form"))
    }
}
