//! A localnet with its console: what the run tells its observer goes to the page as well.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use weighhouse_console::{ChainSource, ClosedEpoch, Economy, Player};
use weighhouse_localnet::{EpochReport, Localnet};
use weighhouse_types::{Epoch, MechId};

use crate::console::{Page, Served, Subject, open, serve};
use crate::failure::Failure;
use crate::output;

/// After each block, so that somebody can follow.
pub(super) const REST: Duration = Duration::from_millis(250);

/// The page beside a run.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) economy: Economy,
    served: Served,
}

impl Watched {
    pub(super) async fn start(
        localnet: &Localnet,
        page: &Page,
        is_json: bool,
        shutdown: CancellationToken,
    ) -> Result<Self, Failure> {
        let players = localnet.participants().iter().map(|participant| Player {
            uid: participant.uid,
            persona: participant.persona.clone(),
            validates: participant.validates(),
        });
        let economy = Economy::new(players.collect());
        let (chain, netuid) = localnet.chain();
        let chain = Some(ChainSource { chain, netuid, mechanism: MechId(0) });
        let subject = Subject { journal: localnet.journal(), chain, economy: Some(economy.clone()) };
        let served = serve(page, subject, shutdown).await?;
        if is_json {
            output::json(&serde_json::json!({"console": served.url}))?;
        } else {
            output::line(format_args!("console: {}\n", served.url))?;
        }
        open(page, &served.url);
        Ok(Self { economy, served })
    }

    /// Stays up for whoever reads, once the run is over.
    pub(super) async fn stay(self) -> Result<(), Failure> {
        self.economy.ended();
        output::note("the run is over; the console stays until Ctrl-C");
        self.served.ended().await
    }
}

pub(super) fn closed(report: &EpochReport) -> ClosedEpoch {
    ClosedEpoch {
        epoch: Epoch(report.epoch),
        emission: report.neurons.iter().map(|row| (row.uid, row.emission)).collect(),
        weights: report.weights.clone(),
    }
}
