//! The engine over an embedding model: texts in, a row for each out, those of many callers in one pass.

use std::sync::Arc;

use async_trait::async_trait;
use ndarray::{Array2, Axis, Slice};
use weighhouse_models::encoder::Encoder;
use weighhouse_proto::ModelKind;
use weighhouse_seams::CpuPool;
use weighhouse_types::text::{TextsAnswer, TextsLimits, TextsRequest, name};
use weighhouse_types::{Datatype, InferAnswer, InferRequest};

use super::batch::{BatchModel, Batcher};
use super::error::EngineError;
use super::limits::EngineLimits;
use super::served::{Engine, ModelName, ServedModel, TensorSpec};

/// Serves an embedding model.
#[derive(Debug)]
pub struct EmbedEngine {
    served: ServedModel,
    batcher: Batcher<Texts>,
    limits: TextsLimits,
}

/// An encoder over the texts of several requests.
#[derive(Debug)]
struct Texts(Arc<dyn Encoder>);

impl BatchModel for Texts {
    type Input = Vec<String>;
    type Output = Array2<f32>;

    fn items(texts: &Vec<String>) -> usize {
        texts.len()
    }

    fn run(&self, inputs: &[Arc<Vec<String>>]) -> Vec<Result<Array2<f32>, EngineError>> {
        let embed = |inputs: &[Arc<Vec<String>>]| {
            let texts: Vec<&str> = inputs.iter().flat_map(|texts| texts.iter().map(String::as_str)).collect();
            self.0.embed(&texts).map_err(|error| EngineError::Refused(error.to_string()))
        };
        let Ok(rows) = embed(inputs) else {
            // Each alone, so that a text that the model refuses costs nobody else an answer.
            return inputs.iter().map(|texts| embed(std::slice::from_ref(texts))).collect();
        };
        let mut start = 0;
        let of = |texts: &Arc<Vec<String>>| {
            let end = start + texts.len();
            let own = rows.slice_axis(Axis(0), Slice::from(start..end)).to_owned();
            start = end;
            Ok(own)
        };
        inputs.iter().map(of).collect()
    }
}

impl EmbedEngine {
    /// Serves a model under a name; a request has at most this many bytes of text in all.
    pub fn new(
        name: ModelName,
        model: Arc<dyn Encoder>,
        (limits, bytes_max): (EngineLimits, usize),
        cpu: &CpuPool,
    ) -> Self {
        let served = describe(name, &*model);
        let texts = usize::try_from(limits.items_max).unwrap_or(usize::MAX);
        let dimensions = model.dimensions();
        let batcher = Batcher::new(Texts(model), limits, cpu);
        Self { served, batcher, limits: TextsLimits { texts, bytes: bytes_max, dimensions } }
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
        let rows = self.batcher.run(asked.texts).await?;
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
        let limits = EngineLimits { items_max: 2, queue_max: 64, batch_items_max: 64 };
        EmbedEngine::new(ModelName::new("e", "1"), Arc::new(Lengths), (limits, 16), &CpuPool::new(1, 4))
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

    #[test]
    fn texts_of_many_callers_come_back_to_each_and_a_refused_one_costs_nobody_else() {
        let inputs = [&["a", "bc"][..], &[""], &["d"]];
        let inputs = inputs.map(|texts| Arc::new(texts.iter().map(|text| (*text).to_owned()).collect()));
        let [both, refused, one] = Texts(Arc::new(Lengths)).run(&inputs).try_into().expect("three outcomes");
        assert_eq!(both, Ok(array![[1.0, 97.0], [2.0, 98.0]]));
        assert_eq!(refused, Err(EngineError::Refused(ForwardError::Empty.to_string())));
        assert_eq!(one, Ok(array![[1.0, 100.0]]));
        let sound = [inputs[0].clone(), inputs[2].clone()];
        assert_eq!(Texts(Arc::new(Lengths)).run(&sound), [both, one]);
    }
}
