//! gRPC on a role's admin port: health as `/readyz` has it, and reflection. What it describes is served elsewhere, the health
//! apart: the contracts of every role.

use tokio::sync::watch;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};
use tonic_reflection::server::Builder;

use crate::failure::{Context as _, Exit, Failure};

/// The services, told from now on.
pub(super) fn routes(ready: watch::Receiver<bool>) -> Result<Routes, Failure> {
    let reporter = HealthReporter::new();
    let health = HealthServer::new(HealthService::from_health_reporter(reporter.clone()));
    tokio::spawn(tell(reporter, ready));
    let described = || {
        Builder::configure()
            .register_encoded_file_descriptor_set(weighhouse_proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let newest = described().build_v1().exit(Exit::Internal, "reflection")?;
    // What older clients ask for.
    let older = described().build_v1alpha().exit(Exit::Internal, "reflection")?;
    Ok(Routes::new(health).add_service(newest).add_service(older))
}

async fn tell(reporter: HealthReporter, mut ready: watch::Receiver<bool>) {
    loop {
        let status =
            if *ready.borrow_and_update() { ServingStatus::Serving } else { ServingStatus::NotServing };
        reporter.set_service_status("", status).await;
        if ready.changed().await.is_err() {
            return;
        }
    }
}
