//! Frames of HTTP/2 as a peer sends them: the library below answers or obeys PING, SETTINGS, RST_STREAM and the like at once, however
//! many come, and takes a body in pieces of a byte.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use weighhouse_seams::BoxIo;

/// The header of a frame.
const HEADER: usize = 9;
/// Frames that a peer may send, whatever their size.
const FRAMES_FREE: u64 = 1_000;
/// Bytes that bring one more along. A piece of a stream with the ping that measures the way are more; a flood's frames have 9 to 17.
const BYTES_PER_FRAME: u64 = 32;

/// A connection whose frames are counted: below it are bytes or TLS, above it is HTTP/2.
pub(crate) struct Framed {
    io: BoxIo,
    count: FrameCount,
}

/// Frames and bytes that came.
#[derive(Debug, Default)]
struct FrameCount {
    /// Bytes until the next header.
    skip: usize,
    header: [u8; 3],
    /// Bytes of the header that came.
    filled: usize,
    frames: u64,
    bytes: u64,
}

impl FrameCount {
    /// Takes note of bytes that came; false where they are a flood.
    fn takes(&mut self, mut came: &[u8]) -> bool {
        self.bytes = self.bytes.saturating_add(came.len() as u64);
        while !came.is_empty() {
            if self.skip > 0 {
                let skipped = self.skip.min(came.len());
                self.skip -= skipped;
                came = &came[skipped..];
                continue;
            }
            let taken = (self.header.len() - self.filled).min(came.len());
            self.header[self.filled..self.filled + taken].copy_from_slice(&came[..taken]);
            self.filled += taken;
            came = &came[taken..];
            if self.filled == self.header.len() {
                let [high, middle, low] = self.header;
                let length = u32::from_be_bytes([0, high, middle, low]) as usize;
                self.skip = HEADER - self.header.len() + length;
                self.filled = 0;
                self.frames += 1;
            }
        }
        self.frames <= FRAMES_FREE + self.bytes / BYTES_PER_FRAME
    }
}

impl Framed {
    pub(crate) fn new(io: BoxIo) -> Self {
        Self { io, count: FrameCount::default() }
    }
}

impl AsyncRead for Framed {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.io).poll_read(context, buffer))?;
        if this.count.takes(&buffer.filled()[before..]) {
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(Err(io::Error::other("the peer sent more frames than an answer has")))
    }
}

impl AsyncWrite for Framed {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, length: u32) -> Vec<u8> {
        let mut frame = length.to_be_bytes()[1..].to_vec();
        frame.extend([kind, 0, 0, 0, 0, 1]);
        frame.resize(HEADER + length as usize, 0);
        frame
    }

    #[test]
    fn floods_are_told_from_answers_however_they_are_cut() {
        let (data, settings, ping) = (0, 4, 6);
        for size in [1, 7, 17, 4_096] {
            let takes = |bytes: &[u8]| {
                let mut count = FrameCount::default();
                bytes.chunks(size).all(|came| count.takes(came))
            };
            for flood in [frame(ping, 8), frame(settings, 0), frame(data, 0), frame(data, 1)] {
                assert!(takes(&flood.repeat(FRAMES_FREE as usize)), "{size}");
                assert!(!takes(&flood.repeat(3 * FRAMES_FREE as usize)), "{size}");
            }
            // A completion that comes token by token, with a ping for each.
            let stream = [frame(data, 60), frame(ping, 8)].concat().repeat(5_000);
            assert!(takes(&stream), "{size}");
            // What lies in a frame is no frame.
            assert!(takes(&frame(data, 16_384).repeat(100)), "{size}");
        }
    }
}
