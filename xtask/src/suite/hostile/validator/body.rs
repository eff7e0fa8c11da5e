//! Messages that are more than they look: what miners of bad will put into an answer.

use weighhouse_models::{Builtin, Classifier};
use weighhouse_proto::frame;
use weighhouse_proto::inference::model_infer_response::InferOutputTensor;
use weighhouse_proto::inference::{ModelInferRequest, ModelInferResponse};

use super::peers::honest_answer;

/// Empty tensors in a message of less than a window.
const MANY: usize = 30_000;
/// Of one scan of 64 pixels.
const SCAN_BYTES: usize = 256;
/// Bytes that nobody asked for.
const PADDING: usize = 900 << 10;

/// A message to be signed and sent whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// A length of 1 GiB.
    Gibibyte,
    /// What a decompressor would make a gigabyte of.
    Compressed,
    /// Tens of thousands of empty tensors.
    Tensors,
    /// Fields within fields, a hundred thousand deep.
    Deep,
    /// A tensor of more values than there are atoms.
    Absurd,
    /// Sides below zero.
    Negative,
    /// Nothing but NaN.
    Nan,
    /// The right answer to another question: each scan's is of the next one.
    Another,
    /// The right answer, with all that the cap allows besides.
    Padded,
    /// Random bytes.
    Junk,
}

/// The framed message, as an answer to a framed request.
pub(super) fn message(kind: Message, asked: &[u8]) -> Option<Vec<u8>> {
    let asked: ModelInferRequest = frame::decode(asked).ok()?;
    let named = ModelInferResponse {
        model_name: asked.model_name.clone(),
        id: asked.id.clone(),
        ..ModelInferResponse::default()
    };
    let shaped = |shape: Vec<i64>, bytes: Vec<u8>| ModelInferResponse {
        outputs: vec![InferOutputTensor {
            name: "scores".into(),
            datatype: "FP32".into(),
            shape,
            ..InferOutputTensor::default()
        }],
        raw_output_contents: vec![bytes],
        ..named.clone()
    };
    let encoded = |message: ModelInferResponse| frame::encode(&message).to_vec();
    Some(match kind {
        Message::Gibibyte => vec![0, 0x40, 0, 0, 0, 1, 2, 3],
        Message::Compressed => prefixed(1, &[0x1f; 0x4000]),
        Message::Tensors => {
            encoded(ModelInferResponse { outputs: vec![InferOutputTensor::default(); MANY], ..named })
        }
        // Groups that begin, and never end.
        Message::Deep => prefixed(0, &[0x0b; 50_000]),
        Message::Absurd => encoded(shaped(vec![i64::MAX; 64], vec![0; 64])),
        Message::Negative => encoded(shaped(vec![-1, -64], vec![0; 64])),
        Message::Nan => encoded(shaped(vec![1, 10], f32::NAN.to_le_bytes().repeat(10))),
        Message::Another => {
            let mut other = asked;
            for scans in &mut other.raw_input_contents {
                scans.rotate_left(SCAN_BYTES);
            }
            honest(&frame::encode(&other))?
        }
        Message::Padded => {
            let mut answer: ModelInferResponse = frame::decode(&honest(&frame::encode(&asked))?).ok()?;
            answer.outputs.push(InferOutputTensor {
                name: "padding".into(),
                datatype: "UINT8".into(),
                shape: vec![PADDING as i64],
                ..InferOutputTensor::default()
            });
            answer.raw_output_contents.push(vec![7; PADDING]);
            encoded(answer)
        }
        Message::Junk => prefixed(0, &[0xa7; 5_000]),
    })
}

fn honest(asked: &[u8]) -> Option<Vec<u8>> {
    let model = Classifier::load(Builtin::Reference.bytes()).ok()?;
    Some(honest_answer(&model, asked)?.to_vec())
}

fn prefixed(flag: u8, message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u32).to_be_bytes();
    [&[flag][..], &length, message].concat()
}
