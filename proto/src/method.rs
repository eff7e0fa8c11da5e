//! Paths of the methods that are signed and called below the generated code.

/// One request, one answer.
pub const MODEL_INFER: &str = "/inference.GRPCInferenceService/ModelInfer";
/// One request, an answer that comes piece by piece.
pub const MODEL_STREAM_INFER: &str = "/inference.GRPCInferenceService/ModelStreamInfer";

/// Returns a path's method, without its service.
pub fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::grpc_inference_service_server::SERVICE_NAME;

    #[test]
    fn paths_are_those_of_the_generated_service() {
        for path in [MODEL_INFER, MODEL_STREAM_INFER] {
            assert_eq!(path, format!("/{SERVICE_NAME}/{}", name(path)));
        }
    }
}
