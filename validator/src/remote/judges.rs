//! Judges in processes of their own, as a task's kind asks for them: blocking calls, repeated while there is patience.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tracing::debug;
use weighhouse_ask::judges::{JudgeAddress, JudgeDialing, JudgeError, JudgePool};
use weighhouse_seams::Clock;
use weighhouse_tasks::TaskError;
use weighhouse_tasks::judge::JudgeClient;
use weighhouse_types::{
    DrawSeed, DrawnChallenge, JointVerdicts, JudgeAttempt, JudgeDescription, JudgeTerms, Judgement,
    LaterChallenge,
};

/// Calls in all, before the judge is given up for this time. The first pause; each further one is twice as long.
const CALLS_MAX: u32 = 4;
const PAUSE_FIRST: Duration = Duration::from_millis(250);

/// A [`JudgeClient`] that asks the judges at some addresses.
#[derive(Debug)]
pub struct RemoteJudges {
    pool: JudgePool,
    operator: Option<String>,
    clock: Arc<dyn Clock>,
    runtime: Handle,
    repeats_failures: bool,
    is_of_record: bool,
}

impl RemoteJudges {
    /// `runtime` drives the connections, while the threads that judge wait. To be called within it.
    pub fn new(
        addresses: &[JudgeAddress],
        terms: JudgeTerms,
        dialing: &JudgeDialing,
        runtime: Handle,
    ) -> Self {
        let pool = JudgePool::new(addresses, terms, dialing);
        let (operator, clock) = (operator(addresses), dialing.clock.clone());
        Self { pool, operator, clock, runtime, repeats_failures: true, is_of_record: false }
    }

    /// Calls that failed within a judge are not repeated: whoever is writing it wants to know at once.
    #[must_use]
    pub fn failing_at_once(self) -> Self {
        Self { repeats_failures: false, ..self }
    }

    /// The task is one on record, which nobody can change any more.
    #[must_use]
    pub fn of_record(self) -> Self {
        Self { is_of_record: true, ..self }
    }

    /// The account that the first judge at hand gives of itself.
    ///
    /// # Errors
    /// No judge at hand that is the pinned one.
    pub async fn describe(&self) -> Result<JudgeDescription, JudgeError> {
        self.pool.describe().await
    }

    /// Repeats a call that may go better, and waits for its end.
    fn wait<T>(&self, call: impl AsyncFn(&JudgePool) -> Result<T, JudgeError>) -> Result<T, TaskError> {
        // Runs on a thread of the CPU pool: on one of the reactor's, tokio's `block_on` panics.
        self.runtime.block_on(async {
            let mut pause = PAUSE_FIRST;
            for _ in 1..CALLS_MAX {
                match call(&self.pool).await {
                    Ok(told) => return Ok(told),
                    Err(error) if self.may_pass(&error) => debug!(%error, "the judge is asked again"),
                    Err(error) => return Err(self.failed(&error)),
                }
                self.clock.sleep(pause).await;
                pause *= 2;
            }
            call(&self.pool).await.map_err(|error| self.failed(&error))
        })
    }

    fn failed(&self, error: &JudgeError) -> TaskError {
        let way_out = match error {
            JudgeError::OtherJudge { .. } if self.is_of_record => ": run the files that had this digest",
            JudgeError::OtherJudge { .. } => {
                ": start it with the pinned files, or pin its own with `weighhouse task digest FILES --pin TASK`"
            }
            _ => "",
        };
        TaskError::Judge(format!("{error}{way_out}"))
    }

    fn may_pass(&self, error: &JudgeError) -> bool {
        error.is_passing() && (self.repeats_failures || !matches!(error, JudgeError::Failed { .. }))
    }
}

/// The hosts that run judges elsewhere: that these run the pinned files is their operators' word.
fn operator(addresses: &[JudgeAddress]) -> Option<String> {
    let elsewhere = |address: &&JudgeAddress| matches!(address, JudgeAddress::Tls { .. });
    let hosts: Vec<_> = addresses.iter().filter(elsewhere).map(ToString::to_string).collect();
    (!hosts.is_empty()).then(|| hosts.join(", "))
}

impl JudgeClient for RemoteJudges {
    fn operator(&self) -> Option<String> {
        self.operator.clone()
    }

    fn draw(&self, items: u32, seeds: Vec<DrawSeed>) -> Result<Vec<DrawnChallenge>, TaskError> {
        self.wait(async |pool| pool.draw(items, seeds.clone()).await)
    }

    fn testify(&self, attempts: Vec<JudgeAttempt>) -> Result<Vec<Vec<u8>>, TaskError> {
        self.wait(async |pool| pool.testify(attempts.clone()).await)
    }

    fn resolve(&self, asked: Vec<LaterChallenge>, epochs: u64) -> Result<Vec<Option<Vec<u8>>>, TaskError> {
        self.wait(async |pool| pool.resolve(asked.clone(), epochs).await)
    }

    fn judge(&self, attempts: Vec<JudgeAttempt>) -> Result<Vec<Judgement>, TaskError> {
        self.wait(async |pool| pool.judge(attempts.clone()).await)
    }

    fn judge_together(&self, attempts: Vec<JudgeAttempt>) -> Result<JointVerdicts, TaskError> {
        self.wait(async |pool| pool.judge_together(attempts.clone()).await)
    }
}
