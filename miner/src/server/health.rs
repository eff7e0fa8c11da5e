//! Whether the miner can answer now, as `grpc.health.v1` and its supervisors are told.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::server::{HealthReporter, HealthService};
use weighhouse_proto::inference::grpc_inference_service_server::SERVICE_NAME;
use weighhouse_seams::Clock;

use crate::live::Live;

/// Between two looks at the servers behind.
const INTERVAL: Duration = Duration::from_secs(1);

/// The service, and what tells it. Until it is told otherwise the miner doesn't serve.
pub(super) async fn service() -> (HealthReporter, HealthServer<impl Health>) {
    let reporter = HealthReporter::new();
    tell(&reporter, false).await;
    let server = HealthServer::new(HealthService::from_health_reporter(reporter.clone()));
    (reporter, server)
}

async fn tell(reporter: &HealthReporter, able: bool) {
    let status = if able { ServingStatus::Serving } else { ServingStatus::NotServing };
    for service in ["", SERVICE_NAME] {
        reporter.set_service_status(service, status).await;
    }
}

/// What the telling needs.
pub(super) struct HealthWatch {
    pub(super) reporter: HealthReporter,
    /// True once signed requests pass.
    pub(super) passes: watch::Receiver<bool>,
    pub(super) live: Arc<Live>,
    pub(super) able: watch::Sender<bool>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) stop: CancellationToken,
}

impl HealthWatch {
    /// Tells until the miner stops, and that it does, so that nothing new is sent to it.
    pub(super) async fn run(mut self) {
        let mut told_all = false;
        loop {
            let stops = self.stop.is_cancelled();
            let able = !stops && *self.passes.borrow_and_update() && self.live.offer().upstreams.all_answer();
            // Told anew each time, so that whoever waits for it sees that the miner moves.
            if self.able.send_replace(able) != able {
                tell(&self.reporter, able).await;
            }
            if stops {
                return;
            }
            tokio::select! {
                () = self.stop.cancelled() => {}
                // Without a sender nothing changes any more.
                changed = self.passes.changed(), if !told_all => told_all = changed.is_err(),
                () = self.clock.sleep(INTERVAL) => {}
            }
        }
    }
}
