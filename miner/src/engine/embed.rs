//! The engine over embedding models: texts in, a row for each out.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use weighhouse_models::encoder::Embedder;
use weighhouse_proto::ModelKind;
use weighhouse_seams::{CpuPool, PoolError};
use weighhouse_types::text::{TextsAnswer, TextsLimits, TextsRequest, name};
use weighhouse_types::{Datatype, Digest, InferAnswer, InferRequest};

use super::{Engine, EngineError, ServedModel, TensorSpec};

/// A model's arithmetic, apart from queues and names.
pub(super) trait Embed: Send + Sync + fmt::Debug {
    fn digest(&self) -> Digest;
    fn dimensions(&self) -> usize;
    /// A row per text; the error is the caller's doing.
    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, String>;
}

impl Embed for Embedder {
    fn digest(&self) -> Digest {
        self.digest()
    }

    fn dimensions(&self) -> usize {
        self.dimensions()
    }

    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, String> {
        self.embed(texts).map_err(|error| error.to_string())
    }
}

/// Serves embedding models.
#[derive(Debug)]
pub struct EmbedEngine {
    served: Vec<ServedModel>,
    /// In the order of `served`.
    models: Vec<Arc<dyn Embed>>,
    /// Texts in one request, and their bytes.
    texts_max: u32,
    bytes_max: usize,
    cpu: CpuPool,
}

impl EmbedEngine {
    /// An engine over named models: name, version, weights.
    pub fn new(
        models: Vec<(String, String, Embedder)>,
        texts_max: u32,
        bytes_max: usize,
        cpu: &CpuPool,
    ) -> Self {
        let models =
            models.into_iter().map(|(name, version, model)| (name, version, Arc::new(model) as Arc<_>));
        Self::over(models.collect(), texts_max, bytes_max, cpu)
    }

    fn over(
        models: Vec<(String, String, Arc<dyn Embed>)>,
        texts_max: u32,
        bytes_max: usize,
        cpu: &CpuPool,
    ) -> Self {
        let mut served = Vec::with_capacity(models.len());
        let mut embedders = Vec::with_capacity(models.len());
        for (name, version, model) in models {
            served.push(describe(name, version, &*model));
            embedders.push(model);
        }
        Self { served, models: embedders, texts_max, bytes_max, cpu: cpu.clone() }
    }
}

#[async_trait]
impl Engine for EmbedEngine {
    fn models(&self) -> &[ServedModel] {
        &self.served
    }

    fn items_max(&self) -> u32 {
        self.texts_max
    }

    async fn infer(&self, request: &InferRequest) -> Result<InferAnswer, EngineError> {
        let index = self
            .served
            .iter()
            .position(|model| model.is(&request.model, &request.version))
            .ok_or_else(|| EngineError::no_model(request))?;
        if let Some(name) = request.outputs.iter().find(|name| *name != name::EMBEDDING) {
            return Err(EngineError::UnknownOutput { name: name.clone() });
        }
        let model = self.models[index].clone();
        let limits = TextsLimits {
            texts: usize::try_from(self.texts_max).unwrap_or(usize::MAX),
            bytes: self.bytes_max,
            dimensions: model.dimensions(),
        };
        let asked = TextsRequest::from_infer(request, &limits)?;
        let embedding = self.cpu.run(move || {
            let texts: Vec<&str> = asked.texts.iter().map(String::as_str).collect();
            model.embed(&texts)
        });
        let rows = match embedding.await {
            Ok(embedded) => embedded.map_err(EngineError::Refused)?,
            Err(PoolError::Full) => return Err(EngineError::Busy),
            Err(error @ PoolError::Panicked) => return Err(EngineError::Failed(error.to_string())),
        };
        let served = &self.served[index];
        Ok(TextsAnswer { rows }.to_infer(&served.name, &served.version, &request.id)?)
    }
}

fn describe(name: String, version: String, model: &dyn Embed) -> ServedModel {
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
        version,
        digest: model.digest(),
        kind: Some(ModelKind::Embedding),
        inputs: vec![texts],
        outputs: vec![rows],
        samplers: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weighhouse_types::text::TextError;

    /// Embeds a text as its length and its first byte.
    #[derive(Debug)]
    struct Lengths;

    impl Embed for Lengths {
        fn digest(&self) -> Digest {
            Digest::of(b"lengths")
        }

        fn dimensions(&self) -> usize {
            2
        }

        fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, String> {
            let row = |text: &&str| {
                let first = text.bytes().next().ok_or("a text without a token")?;
                Ok(vec![text.len() as f32, f32::from(first)])
            };
            texts.iter().map(row).collect()
        }
    }

    fn engine() -> EmbedEngine {
        EmbedEngine::over(vec![("e".into(), "1".into(), Arc::new(Lengths))], 2, 16, &CpuPool::new(1, 4))
    }

    async fn ask(texts: &[&str]) -> Result<Vec<Vec<f32>>, EngineError> {
        let asked = TextsRequest { texts: texts.iter().map(|text| (*text).to_owned()).collect() };
        let request = asked.to_infer("e", "7").expect("small");
        let answer = engine().infer(&request).await?;
        assert_eq!((answer.id.as_str(), answer.model.as_str()), ("7", "e"));
        let limits = TextsLimits { texts: 2, bytes: 16, dimensions: 2 };
        Ok(TextsAnswer::from_infer(&answer, &limits).expect("well-formed").rows)
    }

    #[tokio::test]
    async fn each_text_gets_its_row() {
        assert_eq!(ask(&["a", "bc"]).await, Ok(vec![vec![1.0, 97.0], vec![2.0, 98.0]]));
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
        assert_eq!(ask(&[""]).await, Err(EngineError::Refused("a text without a token".into())));
    }
}
