//! Whether the miner can answer now, as `grpc.health.v1` and its supervisors are told.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::server::{HealthReporter, HealthService};
use weighhouse_proto::inference::grpc_inference_service_server::SERVICE_NAME;
use weighhouse_seams::Clock;

use weighhouse_wallet::replay::ReplayGuard;

use crate::live::Live;

/// Its name where people are told of it.
const STORAGE: &str = "state folder";
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
    /// No request passes while it can't store its mark.
    pub(super) guard: Arc<ReplayGuard>,
    pub(super) able: watch::Sender<bool>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) stop: CancellationToken,
}

impl HealthWatch {
    /// Tells until the miner stops, and that it does, so that nothing new is sent to it.
    pub(super) async fn run(mut self) {
        let (mut told_all, mut stored) = (false, true);
        loop {
            let stops = self.stop.is_cancelled();
            let stores = self.watch_storage(&mut stored).await;
            let passes = *self.passes.borrow_and_update();
            let able = !stops && stores && passes && self.live.offer().upstreams.all_answer();
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

    /// Whether the replay guard can store its mark; tried again while it can't, and told when that turns.
    async fn watch_storage(&self, stored: &mut bool) -> bool {
        if self.guard.stores() && *stored {
            return true;
        }
        let guard = self.guard.clone();
        let again = tokio::task::spawn_blocking(move || guard.try_storage());
        let outcome = again.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        match (std::mem::replace(stored, outcome.is_ok()), outcome) {
            (true, Err(error)) => tracing::error!(
                state = STORAGE, turned = "bad", %error,
                "every request is refused: which nonces were used can't be stored in state.dir; make room there, or make it writable"
            ),
            (false, Ok(())) => {
                tracing::info!(state = STORAGE, turned = "good", "state.dir can be written again")
            }
            _ => {}
        }
        *stored
    }
}
