//! gRPC's message frames: five bytes of prefix (a compression flag and a big-endian length), then the message.
//!
//! The framed bytes are what callers sign and journals keep, so whoever signs, checks or records works with them and
//! not with the messages inside.

use prost::Message;
use prost::bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use crate::bounded::{self, ReadError};

/// Bytes before a message.
pub const PREFIX_BYTES: usize = 5;

/// Why bytes are not exactly one uncompressed frame around a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("no whole gRPC message prefix")]
    Short,
    #[error("compressed messages are not accepted")]
    Compressed,
    #[error("the prefix promises {promised} bytes, {actual} follow")]
    Length { promised: u32, actual: usize },
    #[error(transparent)]
    Message(#[from] ReadError),
}

/// Frames a message, uncompressed.
///
/// # Panics
/// On a message of 4 GiB or more, which gRPC cannot carry.
pub fn encode(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut framed = BytesMut::with_capacity(PREFIX_BYTES + length);
    // gRPC's flag of a compressed message.
    framed.put_u8(0);
    framed.put_u32(u32::try_from(length).expect("a gRPC message is below 4 GiB"));
    message.encode(&mut framed).expect("the buffer grows");
    framed.freeze()
}

/// Reads the message of exactly one uncompressed frame.
///
/// # Errors
/// Bytes that are less or more than one frame, a compressed one, or one whose message can't be decoded.
pub fn decode<M: Message + Default>(framed: &[u8]) -> Result<M, FrameError> {
    let (prefix, message) = framed.split_first_chunk::<PREFIX_BYTES>().ok_or(FrameError::Short)?;
    let [compressed, length @ ..] = *prefix;
    if compressed != 0 {
        return Err(FrameError::Compressed);
    }
    let promised = u32::from_be_bytes(length);
    if usize::try_from(promised) != Ok(message.len()) {
        return Err(FrameError::Length { promised, actual: message.len() });
    }
    Ok(bounded::decode(message)?)
}

/// Returns the length of the frame at the front of a stream's bytes, prefix included; `None` until its prefix is whole.
pub fn length(stream: &[u8]) -> Option<usize> {
    let mut length = stream.get(1..PREFIX_BYTES)?;
    Some(PREFIX_BYTES.saturating_add(usize::try_from(length.get_u32()).unwrap_or(usize::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::ServerReadyResponse;

    #[test]
    fn frames_round_trip_and_liars_are_refused() {
        let message = ServerReadyResponse { ready: true };
        let framed = encode(&message);
        assert_eq!(&framed[..], b"\0\0\0\0\x02\x08\x01");
        let read = decode::<ServerReadyResponse>;
        assert_eq!(read(&framed), Ok(message));
        assert_eq!(read(b"\0\0\0\0"), Err(FrameError::Short));
        assert_eq!(read(b"\x01\0\0\0\0"), Err(FrameError::Compressed));
        assert_eq!(read(b"\0\0\0\0\x04abc"), Err(FrameError::Length { promised: 4, actual: 3 }));
        assert!(matches!(read(b"\0\0\0\0\x01\xff"), Err(FrameError::Message(ReadError::Malformed(_)))));
    }

    #[test]
    fn a_frames_length_is_known_with_its_prefix() {
        assert_eq!(length(b"\0\0\0\0"), None);
        assert_eq!(length(b"\0\0\0\0\x02\x08"), Some(7));
        let longest = usize::try_from(u32::MAX).map(|length| length.saturating_add(PREFIX_BYTES));
        assert_eq!(length(b"\0\xff\xff\xff\xff"), longest.ok());
    }
}
