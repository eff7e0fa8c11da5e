//! The pace of a run: each block waits for the validators, and between two epochs what was saved is taken up.

use std::pin::pin;
use std::time::Duration;

use weighhouse_seams::ClockExt as _;
use weighhouse_types::{Block, Digest, Epoch};

use super::roles::Roles;
use super::{BLOCK_DEADLINE, Localnet, Observer};
use crate::error::LocalnetError;
use crate::served::Served;
use crate::subnet::SavedJudge;

/// Between the epochs of a subnet that runs without an end.
const SUBNET_PAUSE: Duration = Duration::from_secs(2);

impl Localnet {
    /// Of a subnet that is worked at, each epoch can be read before the next one.
    pub(super) async fn pause(&self) {
        if self.subnet.is_some() && self.epochs.is_none() {
            self.clock.sleep(SUBNET_PAUSE).await;
        }
    }

    /// Starts a saved judge, and then the validators under the task that pins it, as operators would.
    pub(super) async fn take_up_judge(
        &mut self,
        coming: Epoch,
        roles: &mut Roles,
        observer: &mut dyn Observer,
    ) -> Result<(), LocalnetError> {
        let Some(subnet) = &mut self.subnet else { return Ok(()) };
        match subnet.renew().await {
            Ok(None) => {}
            Ok(Some(judge)) => {
                let served = Served::of(subnet.task_file(), subnet.loader())?;
                roles.end_validators().await?;
                self.served = served;
                self.start_validators(roles).await?;
                self.troubles.judge_renewed();
                let task = Digest::of(self.served.task_file.as_bytes());
                observer.judge_saved(coming, Ok(SavedJudge { judge, task }));
            }
            Err(error) => observer.judge_saved(coming, Err(&error)),
        }
        Ok(())
    }

    /// Waits until every validator is done with a block, and tells of the judge's faults meanwhile; a role that ended is an
    /// error.
    pub(super) async fn work_through(
        &self,
        (epoch, block): (Epoch, Block),
        roles: &mut Roles,
        observer: &mut dyn Observer,
    ) -> Result<(), LocalnetError> {
        let is_done = {
            let mut done = pin!(self.clock.timeout(BLOCK_DEADLINE, roles.have_done(block)));
            loop {
                tokio::select! {
                    is_done = &mut done => break is_done == Ok(true),
                    fault = self.troubles.next() => observer.judge_failed(epoch, &fault),
                }
            }
        };
        while let Some(fault) = self.troubles.untold() {
            observer.judge_failed(epoch, &fault);
        }
        if is_done {
            return Ok(());
        }
        // A role that failed says why; the deadline alone would not.
        roles.first_failure()?;
        Err(LocalnetError::Stalled { block, seconds: BLOCK_DEADLINE.as_secs() })
    }
}
