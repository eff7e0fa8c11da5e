//! A judge whose failures are noted as they happen.

use std::sync::Arc;

use weighhouse_tasks::TaskError;
use weighhouse_tasks::judge::JudgeClient;
use weighhouse_types::{DrawSeed, DrawnChallenge, JointVerdicts, JudgeAttempt, Judgement, LaterChallenge};

use super::{JudgeFault, Troubles};

/// A client that takes note of what its judge fails at.
pub(crate) struct HeardJudge<C> {
    pub(crate) judge: C,
    /// Words before the judge's own, which the user of one judge needn't read.
    pub(crate) preamble: String,
    pub(crate) troubles: Arc<Troubles>,
}

impl<C> HeardJudge<C> {
    fn heard<T>(&self, is_void: bool, said: Result<T, TaskError>) -> Result<T, TaskError> {
        said.inspect_err(|error| {
            let why = error.to_string();
            let why = why.strip_prefix(&self.preamble).unwrap_or(&why).to_owned();
            self.troubles.judge_failed(JudgeFault { why, is_void });
        })
    }
}

impl<C: JudgeClient> JudgeClient for HeardJudge<C> {
    fn operator(&self) -> Option<String> {
        self.judge.operator()
    }

    fn draw(&self, items: u32, seeds: Vec<DrawSeed>) -> Result<Vec<DrawnChallenge>, TaskError> {
        let is_void = seeds.iter().any(|seed| !seed.answers.is_empty());
        self.heard(is_void, self.judge.draw(items, seeds))
    }

    fn testify(&self, attempts: Vec<JudgeAttempt>) -> Result<Vec<Vec<u8>>, TaskError> {
        self.heard(true, self.judge.testify(attempts))
    }

    fn resolve(&self, asked: Vec<LaterChallenge>, epochs: u64) -> Result<Vec<Option<Vec<u8>>>, TaskError> {
        self.heard(false, self.judge.resolve(asked, epochs))
    }

    fn judge(&self, attempts: Vec<JudgeAttempt>) -> Result<Vec<Judgement>, TaskError> {
        self.heard(true, self.judge.judge(attempts))
    }

    fn judge_together(&self, attempts: Vec<JudgeAttempt>) -> Result<JointVerdicts, TaskError> {
        self.heard(true, self.judge.judge_together(attempts))
    }
}
