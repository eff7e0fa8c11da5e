//! The roles while they run.

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use weighhouse_types::Block;
use weighhouse_validator::Progress;

use crate::error::LocalnetError;

/// Everybody's tasks, the token that ends them, and how far those have come who set the pace.
#[derive(Debug)]
pub(super) struct Roles {
    pub(super) tasks: JoinSet<Result<(), LocalnetError>>,
    pub(super) stop: CancellationToken,
    pub(super) validators: Vec<watch::Receiver<Progress>>,
    pub(super) copier: Option<watch::Receiver<Block>>,
}

impl Roles {
    pub(super) fn new() -> Self {
        Self { tasks: JoinSet::new(), stop: CancellationToken::new(), validators: Vec::new(), copier: None }
    }

    /// Waits until all validators have worked through a block; false where one ended instead.
    pub(super) async fn have_done(&mut self, block: Block) -> bool {
        for validator in &mut self.validators {
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
        while let Some(ended) = self.tasks.try_join_next() {
            ended??;
        }
        Ok(())
    }

    /// Ends everybody; the first error that one of them ended with.
    pub(super) async fn end(mut self) -> Result<(), LocalnetError> {
        self.stop.cancel();
        let mut outcome = Ok(());
        while let Some(ended) = self.tasks.join_next().await {
            let ended = ended.map_err(LocalnetError::from).and_then(|ended| ended);
            outcome = outcome.and(ended);
        }
        outcome
    }
}
