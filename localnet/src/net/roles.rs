//! The roles while they run.

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use weighhouse_types::Block;
use weighhouse_validator::Progress;

use crate::error::LocalnetError;

/// Everybody's tasks, the tokens that end them, and how far those have come who set the pace.
#[derive(Debug)]
pub(super) struct Roles {
    pub(super) tasks: JoinSet<Result<(), LocalnetError>>,
    pub(super) stop: CancellationToken,
    pub(super) validators: Validators,
    pub(super) copier: Option<watch::Receiver<Block>>,
}

/// The honest validators, who may be ended and started again by themselves.
#[derive(Debug)]
pub(super) struct Validators {
    pub(super) tasks: JoinSet<Result<(), LocalnetError>>,
    pub(super) stop: CancellationToken,
    pub(super) progress: Vec<watch::Receiver<Progress>>,
    /// What each serves beside its work.
    pub(super) serving: JoinSet<()>,
}

impl Validators {
    fn new(stop: CancellationToken) -> Self {
        Self { tasks: JoinSet::new(), stop, progress: Vec::new(), serving: JoinSet::new() }
    }
}

impl Roles {
    pub(super) fn new() -> Self {
        let stop = CancellationToken::new();
        let validators = Validators::new(stop.child_token());
        Self { tasks: JoinSet::new(), stop, validators, copier: None }
    }

    /// Ends the validators, for others to be started over the same journals.
    pub(super) async fn end_validators(&mut self) -> Result<(), LocalnetError> {
        let next = Validators::new(self.stop.child_token());
        let Validators { tasks, stop, mut serving, .. } = std::mem::replace(&mut self.validators, next);
        stop.cancel();
        while serving.join_next().await.is_some() {}
        // A journal's folder stays locked until its validator has ended.
        ended(tasks).await
    }

    /// Waits until all validators have worked through a block; false where one ended instead.
    pub(super) async fn have_done(&mut self, block: Block) -> bool {
        for validator in &mut self.validators.progress {
            if validator.wait_for(|progress| progress.block >= block).await.is_err() {
                return false;
            }
        }
        match &mut self.copier {
            Some(copier) => copier.wait_for(|done| *done >= block).await.is_ok(),
            None => true,
        }
    }

    /// The error of a role that has ended with one.
    pub(super) fn first_failure(&mut self) -> Result<(), LocalnetError> {
        for tasks in [&mut self.tasks, &mut self.validators.tasks] {
            while let Some(ended) = tasks.try_join_next() {
                ended??;
            }
        }
        Ok(())
    }

    /// Ends everybody; the first error that one of them ended with.
    pub(super) async fn end(self) -> Result<(), LocalnetError> {
        self.stop.cancel();
        let mut serving = self.validators.serving;
        while serving.join_next().await.is_some() {}
        let validators = ended(self.validators.tasks).await;
        ended(self.tasks).await.and(validators)
    }
}

/// Waits for all; the first error that one of them ended with.
async fn ended(mut tasks: JoinSet<Result<(), LocalnetError>>) -> Result<(), LocalnetError> {
    let mut outcome = Ok(());
    while let Some(ended) = tasks.join_next().await {
        let ended = ended.map_err(LocalnetError::from).and_then(|ended| ended);
        outcome = outcome.and(ended);
    }
    outcome
}
