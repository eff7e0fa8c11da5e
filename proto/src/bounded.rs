//! Decoding within bounds: a message's fields are counted before one of them is built.
//!
//! An empty submessage takes two bytes on the wire and hundreds in memory, so a peer's mebibyte could become a hundred
//! of ours. Every generated service decodes through here; whoever decodes foreign bytes by hand calls [`decode`].

use std::marker::PhantomData;

use prost::Message;
use prost::bytes::Buf as _;
use prost::encoding::{DecodeContext, decode_key, skip_field};
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder};
use tonic_prost::ProstEncoder;

/// Most fields of a message, repeated ones counted each. What lies within a field is bounded by its bytes: at most
/// about twelve in memory for each on the wire.
pub const FIELDS_MAX: usize = 4_096;

/// Why bytes are no message that is read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error("the message has more than {FIELDS_MAX} fields")]
    TooManyFields,
    #[error("not the expected message: {0}")]
    Malformed(String),
}

impl From<prost::DecodeError> for ReadError {
    fn from(error: prost::DecodeError) -> Self {
        Self::Malformed(error.to_string())
    }
}

/// Decodes a message (without gRPC's frame).
pub fn decode<M: Message + Default>(bytes: &[u8]) -> Result<M, ReadError> {
    check_fields(bytes)?;
    Ok(M::decode(bytes)?)
}

fn check_fields(bytes: &[u8]) -> Result<(), ReadError> {
    let mut rest = bytes;
    for _ in 0..FIELDS_MAX {
        if rest.is_empty() {
            return Ok(());
        }
        let (tag, wire_type) = decode_key(&mut rest)?;
        // The context's recursion limit bounds groups within groups.
        skip_field(wire_type, tag, &mut rest, DecodeContext::default())?;
    }
    if rest.is_empty() { Ok(()) } else { Err(ReadError::TooManyFields) }
}

/// The codec of the generated services: prost's, with [`decode`] for reading.
#[derive(Debug)]
pub struct BoundedCodec<T, U>(PhantomData<(T, U)>);

/// What is said of a message that can't be read.
pub const MALFORMED: &str = "malformed message";

impl<T, U> Default for BoundedCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T: Message + Send + 'static, U: Message + Default + Send + 'static> Codec for BoundedCodec<T, U> {
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = BoundedDecoder<U>;

    fn encoder(&mut self) -> ProstEncoder<T> {
        ProstEncoder::default()
    }

    fn decoder(&mut self) -> BoundedDecoder<U> {
        BoundedDecoder(PhantomData)
    }
}

/// [`BoundedCodec`]'s reading half.
#[derive(Debug)]
pub struct BoundedDecoder<U>(PhantomData<U>);

impl<U: Message + Default> Decoder for BoundedDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        let bytes = buffer.copy_to_bytes(buffer.remaining());
        // Not INTERNAL, which stands for our own faults: strangers could have any number of those counted.
        decode(&bytes).map(Some).map_err(|_| Status::invalid_argument(MALFORMED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::ModelInferResponse;
    use crate::inference::model_infer_response::InferOutputTensor;

    #[test]
    fn a_message_of_too_many_fields_is_not_built() {
        let of = |count| ModelInferResponse {
            outputs: vec![InferOutputTensor::default(); count],
            ..Default::default()
        };
        let largest = of(FIELDS_MAX);
        assert_eq!(decode::<ModelInferResponse>(&largest.encode_to_vec()), Ok(largest));
        let over = of(FIELDS_MAX + 1).encode_to_vec();
        assert_eq!(over.len(), 2 * (FIELDS_MAX + 1));
        assert_eq!(decode::<ModelInferResponse>(&over), Err(ReadError::TooManyFields));
    }

    #[test]
    fn bytes_that_are_no_message_are_refused() {
        for bytes in [&[0xff][..], &[0x2a, 0x05, 0x00], &[0x07]] {
            assert!(matches!(decode::<ModelInferResponse>(bytes), Err(ReadError::Malformed(_))), "{bytes:?}");
        }
    }
}
