//! The client of a judge outside, as this crate needs it. Whoever owns the sockets implements it.

use weighhouse_types::{DrawSeed, DrawnChallenge, JointVerdicts, JudgeAttempt, Judgement, LaterChallenge};

use crate::error::TaskError;

/// Judges that run the files which a task file pins. Calls block; they are made on threads for CPU work.
///
/// Every method fails with [`TaskError::Judge`] where no judge can answer: our trouble, never a miner's.
pub trait JudgeClient: Send + Sync {
    /// The operator on whose word it rests that another machine runs the pinned files; `None` where all judges run here.
    fn operator(&self) -> Option<String>;

    /// Draws a challenge for each seed, in order: the first, or the next where a seed comes with answers.
    ///
    /// # Errors
    /// See the trait.
    fn draw(&self, items: u32, seeds: Vec<DrawSeed>) -> Result<Vec<DrawnChallenge>, TaskError>;

    /// Gives a testimony on each attempt, in order.
    ///
    /// # Errors
    /// See the trait.
    fn testify(&self, attempts: Vec<JudgeAttempt>) -> Result<Vec<Vec<u8>>, TaskError>;

    /// Tells the truth about each challenge, `epochs` epochs after it was drawn; `None` while nobody knows it.
    ///
    /// # Errors
    /// See the trait.
    fn resolve(&self, asked: Vec<LaterChallenge>, epochs: u64) -> Result<Vec<Option<Vec<u8>>>, TaskError>;

    /// Gives a verdict on each attempt, in order.
    ///
    /// # Errors
    /// See the trait.
    fn judge(&self, attempts: Vec<JudgeAttempt>) -> Result<Vec<Judgement>, TaskError>;

    /// Gives verdicts on all attempts at one challenge, and finds those that are alike.
    ///
    /// # Errors
    /// See the trait.
    fn judge_together(&self, attempts: Vec<JudgeAttempt>) -> Result<JointVerdicts, TaskError>;
}
