//! A stream of bytes, taken apart into gRPC frames.

use bytes::{Bytes, BytesMut};
use weighhouse_types::Failure;

/// Bytes in, whole gRPC frames out.
pub(crate) struct Messages {
    buffer: BytesMut,
    message_max: usize,
    left: usize,
}

impl Messages {
    /// Reads frames of at most `message_max`, all together at most `bytes_max`.
    pub(crate) fn new(message_max: usize, bytes_max: usize) -> Self {
        Self { buffer: BytesMut::new(), message_max, left: bytes_max }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    pub(crate) fn push(&mut self, data: &[u8]) -> Result<(), Failure> {
        self.left = self.left.checked_sub(data.len()).ok_or(Failure::Oversized)?;
        self.buffer.extend_from_slice(data);
        match weighhouse_proto::frame::length(&self.buffer) {
            Some(length) if length > self.message_max => Err(Failure::Oversized),
            _ => Ok(()),
        }
    }

    pub(crate) fn next(&mut self) -> Option<Bytes> {
        let length = weighhouse_proto::frame::length(&self.buffer)?;
        (self.buffer.len() >= length).then(|| self.buffer.split_to(length).freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(max: usize, pieces: &[&[u8]]) -> Result<Vec<Vec<u8>>, Failure> {
        let mut messages = Messages::new(max, usize::MAX);
        let mut found = Vec::new();
        for piece in pieces {
            messages.push(piece)?;
            while let Some(message) = messages.next() {
                found.push(message.to_vec());
            }
        }
        Ok(found)
    }

    #[test]
    fn frames_come_out_whole_however_the_bytes_are_cut() {
        let stream = [&[0, 0, 0, 0, 2][..], b"ab", &[0, 0, 0, 0, 0], &[0, 0, 0, 0, 1], b"c"].concat();
        let expected = vec![stream[..7].to_vec(), stream[7..12].to_vec(), stream[12..].to_vec()];
        for cut in 0..stream.len() {
            assert_eq!(read(64, &[&stream[..cut], &stream[cut..]]), Ok(expected.clone()), "cut at {cut}");
        }
    }

    #[test]
    fn a_frame_that_promises_too_much_is_refused_before_it_comes() {
        assert_eq!(read(64, &[&[0, 0xff, 0xff, 0xff, 0xff]]), Err(Failure::Oversized));
        assert_eq!(read(64, &[&[0, 0, 0, 0, 60]]), Err(Failure::Oversized));
        assert_eq!(read(64, &[&[0, 0, 0, 0, 59]]), Ok(vec![]));
    }
}
