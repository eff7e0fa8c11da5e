//! The engine over an embedding model: texts in, a row for each out.

use std::sync::Arc;

use async_trait::async_trait;
use weighhouse_models::encoder::Encoder;
use weighhouse_proto::ModelKind;
use weighhouse_seams::{CpuPool, PoolError};
use weighhouse_types::text::{TextsAnswer, TextsLimits, TextsRequest, name};
use weighhouse_types::{Datatype, InferAnswer, InferRequest};

use super::error::EngineError;
use super::served::{Engine, ModelName, ServedModel, TensorSpec};

/// Serves an embedding model.
#[derive(Debug)]
pub struct EmbedEngine {
    served: ServedModel,
    model: Arc<dyn Encoder>,
    limits: TextsLimits,
    cpu: CpuPool,
}

impl EmbedEngine {
    /// Serves a model under a name; a request has at most these texts, of these bytes in all.
    pub fn new(
        name: ModelName,
        model: Arc<dyn Encoder>,
        (texts_max, bytes_max): (u32, usize),
        cpu: &CpuPool,
    ) -> Self {
        let limits = TextsLimits {
            texts: usize::try_from(texts_max).unwrap_or(usize::MAX),
            bytes: bytes_max,
            dimensions: model.dimensions(),
        };
        Self { served: describe(name, &*model), model, limits, cpu: cpu.clone() }
    }
}

#[async_trait]
impl Engine for EmbedEngine {
    fn model(&self) -> &ServedModel {
        &self.served
    }

    fn items_max(&self) -> u32 {
        u32::try_from(self.limits.texts).unwrap_or(u32::MAX)
    }

    async fn infer(&self, request: &InferRequest) -> Result<InferAnswer, EngineError> {
        if let Some(name) = request.outputs.iter().find(|name| *name != name::EMBEDDING) {
            return Err(EngineError::UnknownOutput { name: name.clone() });
        }
        let asked = TextsRequest::from_infer(request, &self.limits)?;
        let model = self.model.clone();
        let embedding = self.cpu.run(move || {
            let texts: Vec<&str> = asked.texts.iter().map(String::as_str).collect();
            model.embed(&texts)
        });
        let rows = match embedding.await {
            Ok(embedded) => embedded.map_err(|error| EngineError::Refused(error.to_string()))?,
            Err(PoolError::Full) => return Err(EngineError::Busy),
            Err(error @ PoolError::Panicked) => return Err(EngineError::Failed(error.to_string())),
        };
        let ModelName { name, version } = &self.served.name;
        Ok(TextsAnswer { rows }.to_infer(name, version, &request.id)?)
    }
}

fn describe(name: ModelName, model: &dyn Encoder) -> ServedModel {
    let dimensions = u64::try_from(model.dimensions()).ok();
    let texts =
        TensorSpec { name: name::TEXT_INPUT.to_owned(), datatype: Datatype::Bytes, shape: vec![None] };
    let rows = TensorSpec {
        name: name::EMBEDDING.to_owned(),
        datatype: Datatype::Fp32,
        shape: vec![None, dimensions],
    };
    ServedModel {
        name,
        digest: model.digest(),
        kind: Some(ModelKind::Embedding),
        inputs: vec![texts],
        outputs: vec![rows],
        samplers: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};
    use weighhouse_models::encoder::EmbedError;
    use weighhouse_models::language::ForwardError;
    use weighhouse_types::Digest;
    use weighhouse_types::text::TextError;

    use super::*;

    /// Embeds a text as its length and its first byte.
    #[derive(Debug)]
    struct Lengths;

    impl Encoder for Lengths {
        fn digest(&self) -> Digest {
            Digest::of(b"lengths")
        }

        fn dimensions(&self) -> usize {
            2
        }

        fn embed(&self, texts: &[&str]) -> Result<Array2<f32>, EmbedError> {
            let row = |text: &&str| {
                let first = text.bytes().next().ok_or(ForwardError::Empty)?;
                Ok([text.len() as f32, f32::from(first)])
            };
            let rows: Vec<[f32; 2]> = texts.iter().map(row).collect::<Result<_, EmbedError>>()?;
            Ok(Array2::from(rows))
        }
    }

    fn engine() -> EmbedEngine {
        EmbedEngine::new(ModelName::new("e", "1"), Arc::new(Lengths), (2, 16), &CpuPool::new(1, 4))
    }

    async fn ask(texts: &[&str]) -> Result<Array2<f32>, EngineError> {
        let asked = TextsRequest { texts: texts.iter().map(|text| (*text).to_owned()).collect() };
        let request = asked.to_infer("e", "7").expect("small");
        let answer = engine().infer(&request).await?;
        assert_eq!((answer.id.as_str(), answer.model.as_str()), ("7", "e"));
        let limits = TextsLimits { texts: 2, bytes: 16, dimensions: 2 };
        Ok(TextsAnswer::from_infer(&answer, &limits).expect("well-formed").rows)
    }

    #[tokio::test]
    async fn each_text_gets_its_row() {
        assert_eq!(ask(&["a", "bc"]).await, Ok(array![[1.0, 97.0], [2.0, 98.0]]));
    }

    #[tokio::test]
    async fn too_many_too_long_and_unreadable_texts_are_refused() {
        for texts in [&["a", "b", "c"][..], &["aaaaaaaaaaaaaaaaa"], &[]] {
            let refused = ask(texts).await;
            let named = matches!(
                refused,
                Err(EngineError::Text(TextError::TooMany { .. } | TextError::Empty { .. }))
            );
            assert!(named, "{refused:?}");
        }
        assert_eq!(ask(&[""]).await, Err(EngineError::Refused(ForwardError::Empty.to_string())));
    }
}
