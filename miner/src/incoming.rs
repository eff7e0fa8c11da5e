//! Connections: how many there may be, how long each may live, and who is at the other end.
//!
//! **Invariants.** At no time are there more connections than the caps say, in all or of one network, but for those that are
//! being cut to make room: the oldest on which nobody has proven a request, else the oldest of the caller that has most. A
//! connection that has not begun HTTP/2 by the handshake timeout, within TLS where it is encrypted, is cut, and so is every connection at its age limit,
//! whatever its streams are doing: the server above asks politely before. One that sends more frames without a request or
//! a body than its budget has is cut at once.

mod frames;
mod slots;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::stream::{self, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Connected;
use weighhouse_seams::{BoxIo, Clock, Listener, TlsAcceptor};

use frames::FrameBudget;
pub(crate) use slots::{ConnectionLimits, Peer};
use slots::{ConnectionSlot, Slots};

use crate::metrics;

/// The client's preface and the header of its first frame: whoever sent them speaks HTTP/2.
const HANDSHAKE_BYTES: u64 = frames::PREFACE + frames::HEADER as u64;
/// Rest after a failed accept (mostly: out of file descriptors).
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Accepts connections for as long as it is polled. `kill` cuts all of them at once.
pub(crate) fn accept(
    listener: Box<dyn Listener>,
    limits: ConnectionLimits,
    tls: Option<TlsAcceptor>,
    clock: Arc<dyn Clock>,
    kill: CancellationToken,
) -> impl Stream<Item = io::Result<HeldConnection>> + Send {
    let slots = Slots::new(limits);
    stream::unfold((listener, slots, tls, clock, kill), |(listener, slots, tls, clock, kill)| async move {
        loop {
            match listener.accept().await {
                Ok((io, peer)) => match slots.take(peer.ip()) {
                    Ok(slot) => {
                        let io = match &tls {
                            Some(acceptor) => acceptor.accept(io),
                            None => io,
                        };
                        let connection = HeldConnection::new(io, slot, &clock, &kill);
                        return Some((Ok(connection), (listener, slots, tls, clock, kill)));
                    }
                    Err(limit) => {
                        metrics::connection_refused(limit);
                        tracing::debug!(%peer, limit, "connection refused");
                    }
                },
                Err(error) => {
                    tracing::warn!(%error, "accepting a connection failed");
                    // Out of file descriptors, accept fails at once and again: without a rest this loop would burn a
                    // core.
                    clock.sleep(ACCEPT_RETRY).await;
                }
            }
        }
    })
}

type Timer = Pin<Box<dyn Future<Output = ()> + Send>>;

/// An accepted connection within its limits.
pub(crate) struct HeldConnection {
    io: BoxIo,
    read: u64,
    frames: FrameBudget,
    clock: Arc<dyn Clock>,
    /// Gone once the handshake was seen.
    handshake: Option<Timer>,
    end: Timer,
    cut: bool,
    slot: ConnectionSlot,
}

impl HeldConnection {
    fn new(io: BoxIo, slot: ConnectionSlot, clock: &Arc<dyn Clock>, kill: &CancellationToken) -> Self {
        let limits = slot.slots.limits;
        let timer = |after: Duration| {
            let clock = clock.clone();
            async move { clock.sleep(after).await }
        };
        let (age, kill, evicted) = (timer(limits.age_max), kill.clone(), slot.state.evicted.clone());
        let end = async move {
            tokio::select! {
                () = age => {}
                () = kill.cancelled() => {}
                () = evicted.cancelled() => {}
            }
        };
        let handshake: Timer = Box::pin(timer(limits.handshake_timeout));
        let (frames, clock) = (FrameBudget::new(limits.streams_max, clock.monotonic()), clock.clone());
        Self { io, read: 0, frames, clock, handshake: Some(handshake), end: Box::pin(end), cut: false, slot }
    }

    /// Polled by reads and writes: a peer that takes nothing leaves HTTP/2 waiting in a write.
    fn poll_limits(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let late = self.handshake.as_mut().is_some_and(|timer| timer.as_mut().poll(context).is_ready());
        if self.cut || late || self.end.as_mut().poll(context).is_ready() {
            self.cut = true;
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }
}

impl Connected for HeldConnection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.slot.peer()
    }
}

impl AsyncRead for HeldConnection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.poll_limits(cx)?;
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.io).poll_read(cx, buffer))?;
        let came = &buffer.filled()[before..];
        this.read = this.read.saturating_add(came.len() as u64);
        if !this.frames.takes(came, this.clock.monotonic()) {
            this.cut = true;
            metrics::connection_flooded();
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        if this.read >= HANDSHAKE_BYTES {
            this.handshake = None;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for HeldConnection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.poll_limits(cx)?;
        let written = ready!(Pin::new(&mut this.io).poll_write(cx, bytes))?;
        this.frames.sends(&bytes[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.poll_limits(cx)?;
        Pin::new(&mut this.io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.poll_limits(cx)?;
        let written = ready!(Pin::new(&mut this.io).poll_write_vectored(cx, slices))?;
        let mut rest = written;
        for slice in slices {
            let sent = rest.min(slice.len());
            this.frames.sends(&slice[..sent]);
            rest -= sent;
        }
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestClock;

    #[tokio::test]
    async fn a_silent_connection_is_cut_at_the_handshake_and_a_live_one_at_its_age() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let test_clock = TestClock::new();
        let clock: Arc<dyn Clock> = test_clock.clone();
        let limits = ConnectionLimits {
            total: 2,
            per_network: 2,
            streams_max: 64,
            handshake_timeout: Duration::from_secs(5),
            age_max: Duration::from_secs(60),
        };
        let slots = Slots::new(limits);
        let open = |kill: &CancellationToken| {
            let (near, far) = tokio::io::duplex(1024);
            let slot = slots.take([10, 0, 0, 1].into()).expect("free");
            (HeldConnection::new(Box::new(near), slot, &clock, kill), far)
        };
        let kill = CancellationToken::new();
        let (mut silent, mut far) = open(&kill);
        far.write_all(&[0; HANDSHAKE_BYTES as usize - 1]).await.expect("room");
        silent.read_exact(&mut [0; HANDSHAKE_BYTES as usize - 1]).await.expect("sent");
        assert!(futures::poll!(Box::pin(silent.read_u8())).is_pending());
        test_clock.advance(Duration::from_secs(5));
        assert_eq!(silent.read_u8().await.expect_err("nothing came").kind(), io::ErrorKind::TimedOut);

        let (mut live, mut far) = open(&kill);
        far.write_all(&[0; HANDSHAKE_BYTES as usize]).await.expect("room");
        live.read_exact(&mut [0; HANDSHAKE_BYTES as usize]).await.expect("sent");
        test_clock.advance(Duration::from_secs(59));
        assert!(futures::poll!(Box::pin(live.read_u8())).is_pending());
        test_clock.advance(Duration::from_secs(1));
        assert!(live.read_u8().await.is_err());
        assert!(live.write_u8(1).await.is_err());

        drop(silent);
        let (mut killed, _far) = open(&kill);
        kill.cancel();
        assert!(killed.read_u8().await.is_err());
    }
}
