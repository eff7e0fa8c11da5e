//! Paths of the methods that are signed and called below the generated code.

/// One request, one answer.
pub const MODEL_INFER: &str = "/inference.GRPCInferenceService/ModelInfer";
/// One request, an answer that comes piece by piece.
pub const MODEL_STREAM_INFER: &str = "/inference.GRPCInferenceService/ModelStreamInfer";
/// Whether a server of the protocol lives; open to all.
pub const SERVER_LIVE: &str = "/inference.GRPCInferenceService/ServerLive";
/// What a miner serves, by its own word.
pub const DESCRIBE: &str = "/weighhouse.v1.Miner/Describe";
/// That a validator received answers.
pub const ACKNOWLEDGE: &str = "/weighhouse.v1.Miner/Acknowledge";
/// What a validator's judgements came to for its caller.
pub const EXPLAIN: &str = "/weighhouse.v1.VerdictsService/Explain";

/// Whether a validator reaches its caller.
pub const REACH: &str = "/weighhouse.v1.VerdictsService/Reach";

/// A witness's signature on a checkpoint of its caller's log.
pub const COSIGN: &str = "/weighhouse.v1.WitnessService/Cosign";
/// The newest checkpoints that a witness has signed.
pub const NEWEST: &str = "/weighhouse.v1.WitnessService/Newest";

/// Returns a path's method, without its service.
pub fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::grpc_inference_service_server::SERVICE_NAME;
    use crate::v1::{miner_server, verdicts_service_server, witness_service_server};

    #[test]
    fn paths_are_those_of_the_generated_service() {
        for path in [DESCRIBE, ACKNOWLEDGE] {
            assert_eq!(path, format!("/{}/{}", miner_server::SERVICE_NAME, name(path)));
        }
        for path in [EXPLAIN, REACH] {
            assert_eq!(path, format!("/{}/{}", verdicts_service_server::SERVICE_NAME, name(path)));
        }
        for path in [COSIGN, NEWEST] {
            assert_eq!(path, format!("/{}/{}", witness_service_server::SERVICE_NAME, name(path)));
        }
        for path in [MODEL_INFER, MODEL_STREAM_INFER, SERVER_LIVE] {
            assert_eq!(path, format!("/{SERVICE_NAME}/{}", name(path)));
        }
    }
}
