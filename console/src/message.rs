//! Requests and answers of the journal in a form that a page can show: names, shapes and the first values of their tensors.
//! They are foreign bytes: what can't be read is shown as bytes.

use serde_json::{Value, json};
use weighhouse_proto::frame;
use weighhouse_proto::inference::{ModelInferRequest, ModelInferResponse};
use weighhouse_types::{Datatype, Digest, InferAnswer, InferRequest, Tensor};

use crate::limits::{HEX_BYTES_SHOWN, TENSORS_SHOWN, TEXT_BYTES_SHOWN, VALUES_SHOWN};

/// A framed request.
pub(crate) fn request(framed: &[u8]) -> Value {
    let read = frame::decode::<ModelInferRequest>(framed).map_err(|error| error.to_string());
    let read = read.and_then(|message| InferRequest::try_from(message).map_err(|error| error.to_string()));
    match read {
        Ok(request) => message(framed, &request.model, &request.inputs),
        Err(why) => unreadable(framed, &why),
    }
}

/// A framed answer.
pub(crate) fn answer(framed: &[u8]) -> Value {
    let read = frame::decode::<ModelInferResponse>(framed).map_err(|error| error.to_string());
    let read = read.and_then(|message| InferAnswer::try_from(message).map_err(|error| error.to_string()));
    match read {
        Ok(answer) => message(framed, &answer.model, &answer.outputs),
        Err(why) => unreadable(framed, &why),
    }
}

fn message(framed: &[u8], model: &str, tensors: &[Tensor]) -> Value {
    let shown: Vec<Value> = tensors.iter().take(TENSORS_SHOWN).map(tensor).collect();
    json!({
        "bytes": framed.len(), "digest": Digest::of(framed), "model": text(model.as_bytes()), "tensors": shown,
        "tensors_left_out": tensors.len().saturating_sub(TENSORS_SHOWN),
    })
}

pub(crate) fn unreadable(bytes: &[u8], why: &str) -> Value {
    json!({
        "bytes": bytes.len(), "digest": Digest::of(bytes), "unreadable": text(why.as_bytes()), "hex": hex(bytes),
    })
}

fn tensor(tensor: &Tensor) -> Value {
    let (values, of) = values(tensor);
    json!({
        "name": text(tensor.name().as_bytes()), "datatype": tensor.datatype().name(),
        "shape": tensor.shape().iter().take(8).collect::<Vec<_>>(), "values": values, "values_of": of,
    })
}

/// The first values, and how many there are.
fn values(tensor: &Tensor) -> (Vec<Value>, usize) {
    let data = tensor.data();
    match tensor.datatype() {
        Datatype::Fp32 => each::<4>(data, |bytes| number(f64::from(f32::from_le_bytes(bytes)))),
        Datatype::Fp64 => each::<8>(data, |bytes| number(f64::from_le_bytes(bytes))),
        Datatype::Int64 => each::<8>(data, |bytes| whole(i64::from_le_bytes(bytes).into())),
        Datatype::Uint64 => each::<8>(data, |bytes| whole(u64::from_le_bytes(bytes).into())),
        Datatype::Int32 => each::<4>(data, |bytes| whole(i32::from_le_bytes(bytes).into())),
        Datatype::Uint32 => each::<4>(data, |bytes| whole(u32::from_le_bytes(bytes).into())),
        Datatype::Int16 => each::<2>(data, |bytes| whole(i16::from_le_bytes(bytes).into())),
        Datatype::Uint16 => each::<2>(data, |bytes| whole(u16::from_le_bytes(bytes).into())),
        Datatype::Int8 => each::<1>(data, |bytes| whole(i8::from_le_bytes(bytes).into())),
        Datatype::Uint8 => each::<1>(data, |[byte]| whole(byte.into())),
        Datatype::Bool => each::<1>(data, |[byte]| Value::Bool(byte != 0)),
        // Halves, as they stand.
        Datatype::Fp16 | Datatype::Bf16 => each::<2>(data, |bytes| Value::String(const_hex::encode(bytes))),
        Datatype::Bytes => elements(data),
    }
}

fn each<const N: usize>(data: &[u8], read: impl Fn([u8; N]) -> Value) -> (Vec<Value>, usize) {
    let (all, _) = data.as_chunks::<N>();
    (all.iter().take(VALUES_SHOWN).map(|bytes| read(*bytes)).collect(), all.len())
}

/// Texts, each behind its length.
fn elements(data: &[u8]) -> (Vec<Value>, usize) {
    let (mut rest, mut shown, mut all, mut bytes) = (data, Vec::new(), 0, 0);
    while let Some((length, tail)) = rest.split_first_chunk::<4>() {
        let Some((element, tail)) = tail.split_at_checked(u32::from_le_bytes(*length) as usize) else {
            break;
        };
        // Together no longer than a few texts: an answer may hold many long ones.
        if shown.len() < VALUES_SHOWN && bytes < 4 * TEXT_BYTES_SHOWN {
            bytes += element.len().min(TEXT_BYTES_SHOWN);
            shown.push(text(element));
        }
        (rest, all) = (tail, all + 1);
    }
    (shown, all)
}

/// JSON has no numbers for these.
pub(crate) fn number(value: f64) -> Value {
    if !value.is_finite() {
        return Value::String(value.to_string());
    }
    // A page shows a few digits, and what FP32 makes of 0.1 has seventeen.
    let rounded = if value.abs() < 1e6 { (value * 1e6).round() / 1e6 } else { value };
    json!(rounded)
}

/// Those that a script's numbers don't hold are text.
fn whole(value: i128) -> Value {
    const EXACT: i128 = 1 << 53;
    if value.abs() < EXACT { json!(value as i64) } else { Value::String(value.to_string()) }
}

/// The beginning of a text; what is no UTF-8 in it is shown as such.
pub(crate) fn text(bytes: &[u8]) -> Value {
    let shown = &bytes[..bytes.len().min(TEXT_BYTES_SHOWN)];
    let mut text = String::from_utf8_lossy(shown).into_owned();
    if bytes.len() > shown.len() {
        text.push('…');
    }
    Value::String(text)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const_hex::encode(&bytes[..bytes.len().min(HEX_BYTES_SHOWN)])
}

#[cfg(test)]
mod tests {
    use weighhouse_proto::frame::encode;

    use super::*;

    #[test]
    fn tensors_are_shown_by_their_first_values() {
        let request = InferRequest {
            model: "m".to_owned(),
            ..InferRequest::asking(
                vec![
                    Tensor::numbers("x", &[0.1, f32::NAN, f32::INFINITY]),
                    Tensor::texts("y", &["one", "<b>two</b>"]).expect("texts"),
                    Tensor::integers("z", &[3, i64::MAX]),
                    Tensor::numbers("long", &vec![1.0; VALUES_SHOWN + 1]),
                ],
                &[],
            )
        };
        let shown = super::request(&encode(&ModelInferRequest::try_from(request).expect("few dimensions")));
        let of = |at: usize| shown["tensors"][at]["values"].clone();
        assert_eq!(of(0), json!([0.1, "NaN", "inf"]));
        assert_eq!(of(1), json!(["one", "<b>two</b>"]));
        assert_eq!(of(2), json!([3, "9223372036854775807"]));
        let long = &shown["tensors"][3];
        let listed = long["values"].as_array().expect("values").len();
        assert_eq!((listed, long["values_of"].as_u64()), (VALUES_SHOWN, Some(VALUES_SHOWN as u64 + 1)));
    }

    #[test]
    fn bytes_that_are_no_message_are_shown_as_bytes() {
        for bytes in [&b""[..], b"\0\0\0\0\xff", b"\0\0\0\0\x02\x08\x01", &[0xff; 1000]] {
            let shown = answer(bytes);
            assert!(shown["unreadable"].is_string() || shown["tensors"].is_array(), "{shown}");
            assert_eq!(shown["bytes"], bytes.len());
        }
        assert_eq!(answer(&[0xff; 1000])["hex"].as_str().map(str::len), Some(2 * HEX_BYTES_SHOWN));
    }
}
