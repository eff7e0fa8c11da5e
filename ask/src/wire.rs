//! The bytes of a connection to a peer: they and their frames have a budget, and nothing of a connection outlives whoever asked.
//!
//! **Invariants.** A peer makes us read no more than its answer may have, with what HTTP/2 and TLS need besides, and no more frames
//! than an answer of that size has. Once the call is over, however it ended, the connection is gone within [`FAREWELL`]: the library
//! below would wait for as long as the peer takes none of our bytes.

mod frames;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::{CancellationToken, DropGuard};
use weighhouse_seams::{BoxIo, Clock};

pub(crate) use frames::Framed;

/// Bytes besides the answer's: handshakes, headers, trailers, and frames that carry none.
const OVERHEAD_BYTES: u64 = 256 << 10;
/// Of each so many bytes of an answer, one more is for frames and records around them.
const OVERHEAD_SHARE: u64 = 8;
/// For a connection to end properly once nobody reads it any more.
pub(crate) const FAREWELL: Duration = Duration::from_secs(1);
/// Windows of HTTP/2: what a peer may send before it is read.
const WINDOW_MIN: usize = 64 << 10;
const WINDOW_MAX: usize = 2 << 20;

/// The window for an answer of at most so many bytes.
pub(crate) fn window(answer_bytes_max: usize) -> u32 {
    answer_bytes_max.clamp(WINDOW_MIN, WINDOW_MAX) as u32
}

/// The call that a connection is for; the connection ends with it.
pub(crate) struct Call {
    _over: DropGuard,
}

/// A connection within its budget of bytes.
pub(crate) struct Bounded {
    io: BoxIo,
    left: u64,
    end: Pin<Box<dyn Future<Output = ()> + Send>>,
    is_cut: bool,
}

/// Bounds what a peer may send on a connection whose answer has at most so many bytes.
pub(crate) fn bounded(io: BoxIo, answer_bytes_max: usize, clock: &Arc<dyn Clock>) -> (BoxIo, Call) {
    let (answer, over) = (answer_bytes_max as u64, CancellationToken::new());
    let left = answer
        .saturating_add(answer / OVERHEAD_SHARE)
        .saturating_add(window(answer_bytes_max).into())
        .saturating_add(OVERHEAD_BYTES);
    let (clock, is_over) = (clock.clone(), over.clone());
    let end = Box::pin(async move {
        is_over.cancelled().await;
        clock.sleep(FAREWELL).await;
    });
    (Box::new(Bounded { io, left, end, is_cut: false }), Call { _over: over.drop_guard() })
}

impl Bounded {
    /// Polled by reads and writes: a peer that takes nothing leaves HTTP/2 waiting in a write.
    fn poll_end(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        self.is_cut = self.is_cut || self.end.as_mut().poll(context).is_ready();
        if self.is_cut { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }
}

impl AsyncRead for Bounded {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.poll_end(context)?;
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.io).poll_read(context, buffer))?;
        let came = (buffer.filled().len() - before) as u64;
        match this.left.checked_sub(came) {
            Some(left) => this.left = left,
            None => {
                this.is_cut = true;
                return Poll::Ready(Err(io::Error::other("the peer sent more than an answer has")));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.poll_end(context)?;
        Pin::new(&mut this.io).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.poll_end(context)?;
        Pin::new(&mut this.io).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.poll_end(context)?;
        Pin::new(&mut this.io).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.poll_end(context)?;
        Pin::new(&mut this.io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests;
