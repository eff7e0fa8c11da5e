//! Connections: how many there may be, how long each may live, and who is at the other end.
//!
//! **Invariants.** At no time are there more connections than the caps say, in all or of one network, but for those that are
//! being cut to make room. Room is made by one on which nobody has proven a request, an idle one first; the others stay. A
//! connection that has not begun HTTP/2 by the handshake timeout is cut, and so is every connection at its age limit,
//! whatever its streams are doing: the server above asks politely before.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
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
                Ok((io, peer)) => match slots.take(peer.ip(), clock.monotonic()) {
                    Ok(slot) => {
                        let connection = HeldConnection::new(io, slot, &clock, &kill);
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
    by_network: HashMap<IpAddr, Vec<Arc<ConnectionState>>>,
}

/// A connection as requests on it and newer connections see it.
#[derive(Debug, Default)]
struct ConnectionState {
    /// Somebody has proven a request on it.
    proven: AtomicBool,
    /// Requests on it that have no answer yet.
    requests: AtomicUsize,
    /// When the last one began, in nanoseconds of the monotonic clock.
    used: AtomicU64,
    evicted: CancellationToken,
}

/// The other end of a request's connection.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    network: IpAddr,
    connection: Arc<ConnectionState>,
}

/// A request that has no answer yet.
#[derive(Debug)]
pub(crate) struct OpenRequest(Arc<ConnectionState>);

impl Peer {
    pub(crate) fn network(&self) -> IpAddr {
        self.network
    }

    /// Takes note of a request that begins.
    pub(crate) fn begins(&self, now: Duration) -> OpenRequest {
        self.connection.requests.fetch_add(1, Ordering::Relaxed);
        self.connection.used.store(now.as_nanos() as u64, Ordering::Relaxed);
        OpenRequest(self.connection.clone())
    }

    /// Takes note that a request of this connection was proven.
    pub(crate) fn proves(&self) {
        self.connection.proven.store(true, Ordering::Relaxed);
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Debug)]
struct Slots {
    limits: ConnectionLimits,
    open: Mutex<OpenConnections>,
}

impl Slots {
    fn take(self: &Arc<Self>, ip: IpAddr, now: Duration) -> Result<ConnectionSlot, &'static str> {
        // The count and the check are under one lock, or two connections could take the last place.
        let network = network_of(ip);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.by_network.get(&network).is_some_and(|some| some.len() >= self.limits.per_network) {
            open.evict("address", |known| *known == network)?;
        } else if open.total >= self.limits.total {
            open.evict("total", |_| true)?;
        }
        let state = Arc::new(ConnectionState::default());
        state.used.store(now.as_nanos() as u64, Ordering::Relaxed);
        open.total += 1;
        open.by_network.entry(network).or_default().push(state.clone());
        metrics::connections(1.0);
        Ok(ConnectionSlot { slots: self.clone(), network, state })
    }
}

impl OpenConnections {
    /// Cuts the connection that is least worth keeping, if there is one that nobody has proven anything on: an idle one before a
    /// busy one, of the networks that have most, the one that was longest without a request.
    fn evict(&mut self, limit: &'static str, of: impl Fn(&IpAddr) -> bool) -> Result<(), &'static str> {
        let known = self.by_network.iter().filter(|(network, _)| of(network));
        let all = known.flat_map(|(network, some)| some.iter().map(move |one| (network, some.len(), one)));
        let unproven = all.filter(|(_, _, one)| !one.proven.load(Ordering::Relaxed));
        let worth = |(_, count, one): &(&IpAddr, usize, &Arc<ConnectionState>)| {
            let is_busy = one.requests.load(Ordering::Relaxed) > 0;
            (is_busy, std::cmp::Reverse(*count), one.used.load(Ordering::Relaxed))
        };
        let least = unproven.min_by_key(worth).map(|(network, _, one)| (*network, one.clone()));
        let (network, state) = least.ok_or(limit)?;
        self.remove(network, &state);
        state.evicted.cancel();
        metrics::connection_evicted(limit);
        Ok(())
    }

    fn remove(&mut self, network: IpAddr, state: &Arc<ConnectionState>) {
        let Some(some) = self.by_network.get_mut(&network) else { return };
        let Some(at) = some.iter().position(|one| Arc::ptr_eq(one, state)) else { return };
        some.swap_remove(at);
        self.total -= 1;
        if some.is_empty() {
            self.by_network.remove(&network);
        }
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
    state: Arc<ConnectionState>,
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut open = self.slots.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.remove(self.network, &self.state);
        metrics::connections(-1.0);
    }
}

type Timer = Pin<Box<dyn Future<Output = ()> + Send>>;

/// An accepted connection within its limits.
pub(crate) struct HeldConnection {
    io: BoxIo,
    read: u64,
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
        Self { io, read: 0, handshake: Some(handshake), end: Box::pin(end), cut: false, slot }
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
        Peer { network: self.slot.network, connection: self.slot.state.clone() }
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
        this.poll_limits(cx)?;
        Pin::new(&mut this.io).poll_write(cx, bytes)
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

    /// One on which a request was proven, which makes no room.
    fn proven(slots: &Arc<Slots>, from: &str) -> ConnectionSlot {
        let slot = slots.take(ip(from), Duration::ZERO).expect("free");
        slot.state.proven.store(true, Ordering::Relaxed);
        slot
    }

    #[test]
    fn a_network_has_its_own_cap_and_gives_places_back() {
        let slots = slots(10, 2);
        let _first = proven(&slots, "2001:db8::1");
        let second = proven(&slots, "2001:db8::ffff:2");
        let take = |from| slots.take(ip(from), Duration::ZERO);
        assert_eq!(take("2001:db8::3").err(), Some("address"));
        assert!(take("2001:db8:0:1::3").is_ok());
        drop(second);
        assert!(take("2001:db8::3").is_ok());
        let _mapped = proven(&slots, "::ffff:10.0.0.1");
        let _plain = proven(&slots, "10.0.0.1");
        assert_eq!(take("10.0.0.1").err(), Some("address"));
    }

    #[test]
    fn the_total_cap_holds_over_all_networks_and_nothing_is_left_behind() {
        let slots = slots(2, 2);
        let held = [proven(&slots, "10.0.0.1"), proven(&slots, "10.0.0.2")];
        assert_eq!(slots.take(ip("10.0.0.3"), Duration::ZERO).err(), Some("total"));
        drop(held);
        let open = slots.open.lock().expect("not poisoned");
        assert_eq!((open.total, open.by_network.len()), (0, 0));
    }

    #[test]
    fn who_has_proven_nothing_makes_room_the_idle_first_and_the_largest_network() {
        let slots = slots(4, 3);
        let take = |from, at| slots.take(ip(from), Duration::from_secs(at)).expect("free");
        let is_cut = |slot: &ConnectionSlot| slot.state.evicted.is_cancelled();
        let (honest, busy) = (proven(&slots, "10.0.0.1"), take("10.0.0.1", 1));
        let peer = Peer { network: ip("10.0.0.1"), connection: busy.state.clone() };
        let request = peer.begins(Duration::from_secs(1));
        let (idle, _next) = (take("10.0.0.1", 2), take("10.0.0.1", 3));
        assert_eq!([&honest, &busy, &idle].map(is_cut), [false, false, true]);
        let (lone, newest) = (take("10.0.0.2", 0), take("10.0.0.3", 9));
        assert!(
            !is_cut(&lone) && !is_cut(&newest) && is_cut(&_next),
            "others keep what a large network loses"
        );
        drop(request);
        let _last = take("10.0.0.1", 10);
        assert!(is_cut(&busy) && !is_cut(&honest));
        drop(idle);
        assert_eq!(slots.open.lock().expect("not poisoned").total, 4, "a cut one was given back before");
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
            let slot = slots.take(ip("10.0.0.1"), Duration::ZERO).expect("free");
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
