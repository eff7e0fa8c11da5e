//! Connections: how many there may be, how long each may live, and who is at the other end.
//!
//! **Invariants.** At no time are there more connections than the caps say, in all or of one network. A connection
//! that has not begun HTTP/2 by the handshake timeout is cut, and so is every connection at its age limit, whatever
//! its streams are doing: the server above asks politely before.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::stream::{self, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Connected;
use weighhouse_seams::{BoxIo, Clock, Listener};

use crate::metrics;

/// The client's preface and the header of its first frame: whoever sent them speaks HTTP/2.
const HANDSHAKE_BYTES: u64 = 24 + 9;
/// Rest after a failed accept (mostly: out of file descriptors).
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Limits that connections are held to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConnectionLimits {
    pub(crate) total: usize,
    /// Of one IPv4 address or IPv6 /64 network.
    pub(crate) per_network: usize,
    pub(crate) handshake_timeout: Duration,
    /// When a connection is cut.
    pub(crate) age_max: Duration,
}

/// Accepts connections for as long as it is polled. `kill` cuts all of them at once.
pub(crate) fn accept(
    listener: Box<dyn Listener>,
    limits: ConnectionLimits,
    clock: Arc<dyn Clock>,
    kill: CancellationToken,
) -> impl Stream<Item = io::Result<HeldConnection>> + Send {
    let slots = Arc::new(Slots { limits, open: Mutex::default() });
    stream::unfold((listener, slots, clock, kill), |(listener, slots, clock, kill)| async move {
        loop {
            match listener.accept().await {
                Ok((io, peer)) => match slots.take(peer.ip()) {
                    Ok(slot) => {
                        let connection = HeldConnection::new(io, peer, slot, &clock, &kill);
                        return Some((Ok(connection), (listener, slots, clock, kill)));
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

#[derive(Debug, Default)]
struct OpenConnections {
    total: usize,
    by_network: HashMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Slots {
    limits: ConnectionLimits,
    open: Mutex<OpenConnections>,
}

impl Slots {
    fn take(self: &Arc<Self>, ip: IpAddr) -> Result<ConnectionSlot, &'static str> {
        // The count and the check are under one lock, or two connections could take the last place.
        let network = network_of(ip);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.total >= self.limits.total {
            return Err("total");
        }
        if open.by_network.get(&network).is_some_and(|count| *count >= self.limits.per_network) {
            return Err("address");
        }
        open.total += 1;
        *open.by_network.entry(network).or_default() += 1;
        metrics::connections(1.0);
        Ok(ConnectionSlot { slots: self.clone(), network })
    }
}

/// The network that an address counts for: the holder of an IPv6 /64 can use every address in it.
fn network_of(ip: IpAddr) -> IpAddr {
    // On a dual-stack socket IPv4 peers come as `::ffff:a.b.c.d`; all of them would count as one /64.
    match ip.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() >> 64 << 64).into()),
    }
}

/// A connection's place; gives it back when dropped.
#[derive(Debug)]
struct ConnectionSlot {
    slots: Arc<Slots>,
    network: IpAddr,
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut open = self.slots.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.total -= 1;
        if let Some(count) = open.by_network.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                open.by_network.remove(&self.network);
            }
        }
        metrics::connections(-1.0);
    }
}

type Timer = Pin<Box<dyn Future<Output = ()> + Send>>;

/// An accepted connection within its limits.
pub(crate) struct HeldConnection {
    io: BoxIo,
    peer: SocketAddr,
    read: u64,
    /// Gone once the handshake was seen.
    handshake: Option<Timer>,
    end: Timer,
    cut: bool,
    _slot: ConnectionSlot,
}

impl HeldConnection {
    fn new(
        io: BoxIo,
        peer: SocketAddr,
        slot: ConnectionSlot,
        clock: &Arc<dyn Clock>,
        kill: &CancellationToken,
    ) -> Self {
        let limits = slot.slots.limits;
        let timer = |after: Duration| {
            let clock = clock.clone();
            async move { clock.sleep(after).await }
        };
        let (age, kill) = (timer(limits.age_max), kill.clone());
        let end = async move {
            tokio::select! {
                () = age => {}
                () = kill.cancelled() => {}
            }
        };
        let handshake: Timer = Box::pin(timer(limits.handshake_timeout));
        Self { io, peer, read: 0, handshake: Some(handshake), end: Box::pin(end), cut: false, _slot: slot }
    }

    fn poll_limits(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let late = self.handshake.as_mut().is_some_and(|timer| timer.as_mut().poll(context).is_ready());
        if self.cut || late || self.end.as_mut().poll(context).is_ready() {
            self.cut = true;
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }

    fn check_cut(&self) -> io::Result<()> {
        // The timers are polled on reads alone: HTTP/2 reads for as long as a connection lives.
        if self.cut { Err(io::ErrorKind::TimedOut.into()) } else { Ok(()) }
    }
}

impl Connected for HeldConnection {
    type ConnectInfo = SocketAddr;

    fn connect_info(&self) -> SocketAddr {
        self.peer
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
        this.read = this.read.saturating_add((buffer.filled().len() - before) as u64);
        if this.read >= HANDSHAKE_BYTES {
            this.handshake = None;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for HeldConnection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.check_cut()?;
        Pin::new(&mut this.io).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.check_cut()?;
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
        this.check_cut()?;
        Pin::new(&mut this.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestClock;

    fn slots(total: usize, per_network: usize) -> Arc<Slots> {
        let long = Duration::from_secs(60);
        let limits = ConnectionLimits { total, per_network, handshake_timeout: long, age_max: long };
        Arc::new(Slots { limits, open: Mutex::default() })
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_network_has_its_own_cap_and_gives_places_back() {
        let slots = slots(10, 2);
        let _first = slots.take(ip("2001:db8::1")).expect("free");
        let second = slots.take(ip("2001:db8::ffff:2")).expect("free");
        assert_eq!(slots.take(ip("2001:db8::3")).err(), Some("address"));
        assert!(slots.take(ip("2001:db8:0:1::3")).is_ok());
        drop(second);
        assert!(slots.take(ip("2001:db8::3")).is_ok());
        let _mapped = slots.take(ip("::ffff:10.0.0.1")).expect("free");
        let _plain = slots.take(ip("10.0.0.1")).expect("free");
        assert_eq!(slots.take(ip("10.0.0.1")).err(), Some("address"));
    }

    #[test]
    fn the_total_cap_holds_over_all_networks_and_nothing_is_left_behind() {
        let slots = slots(2, 2);
        let held = [slots.take(ip("10.0.0.1")).expect("free"), slots.take(ip("10.0.0.2")).expect("free")];
        assert_eq!(slots.take(ip("10.0.0.3")).err(), Some("total"));
        drop(held);
        let open = slots.open.lock().expect("not poisoned");
        assert_eq!((open.total, open.by_network.len()), (0, 0));
    }

    #[tokio::test]
    async fn a_silent_connection_is_cut_at_the_handshake_and_a_live_one_at_its_age() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let test_clock = TestClock::new();
        let clock: Arc<dyn Clock> = test_clock.clone();
        let limits = ConnectionLimits {
            total: 2,
            per_network: 2,
            handshake_timeout: Duration::from_secs(5),
            age_max: Duration::from_secs(60),
        };
        let slots = Arc::new(Slots { limits, open: Mutex::default() });
        let open = |kill: &CancellationToken| {
            let (near, far) = tokio::io::duplex(1024);
            let slot = slots.take(ip("10.0.0.1")).expect("free");
            let peer = SocketAddr::from(([10, 0, 0, 1], 1));
            (HeldConnection::new(Box::new(near), peer, slot, &clock, kill), far)
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
