//! The engine of a localnet's miner: whatever its persona answers, at once, late or never.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use weighhouse_miner::engine::{Engine, EngineError, ServedModel};
use weighhouse_seams::{Clock, CpuPool, PoolError};
use weighhouse_tasks::persona::Answerer;
use weighhouse_types::{InferAnswer, InferRequest};

/// A challenge's size is the task file's affair.
const ITEMS_MAX: u32 = 1 << 20;

/// Serves one miner of a persona.
pub(crate) struct PersonaEngine {
    pub(crate) served: ServedModel,
    /// One question at a time: what a persona draws or repeats depends on the one before.
    pub(crate) answerer: Arc<tokio::sync::Mutex<Answerer>>,
    pub(crate) cpu: CpuPool,
    pub(crate) clock: Arc<dyn Clock>,
    /// The pause before an answer leaves.
    pub(crate) delay: Option<Duration>,
    /// The pause that is silence to whoever asked.
    pub(crate) silence: Duration,
}

impl fmt::Debug for PersonaEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PersonaEngine").field("served", &self.served).finish_non_exhaustive()
    }
}

#[async_trait]
impl Engine for PersonaEngine {
    fn model(&self) -> &ServedModel {
        &self.served
    }

    fn items_max(&self) -> u32 {
        ITEMS_MAX
    }

    async fn infer(&self, request: &InferRequest) -> Result<InferAnswer, EngineError> {
        let mut answerer = self.answerer.clone().lock_owned().await;
        let asked = request.clone();
        // The lock goes with the job, which runs on when its caller is gone:
        // the next question still waits for it.
        let answer = match self.cpu.run(move || answerer(&asked)).await {
            Ok(answer) => answer.map_err(|error| EngineError::Refused(error.to_string()))?,
            Err(PoolError::Full) => return Err(EngineError::Busy),
            Err(error @ PoolError::Panicked) => return Err(EngineError::Failed(error.to_string())),
        };
        let pause = if answer.is_none() { Some(self.silence) } else { self.delay };
        if let Some(pause) = pause {
            self.clock.sleep(pause).await;
        }
        answer.ok_or_else(|| EngineError::Failed("no answer".to_owned()))
    }
}
