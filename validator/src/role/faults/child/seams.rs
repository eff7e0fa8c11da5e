//! The world of a life: sockets of the process that started it, and a clock that somebody sets.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use weighhouse_seams::{BoxIo, Clock, Dialer, UnixNanos};

use super::super::life::Hurried;
use super::points::Points;

pub(super) const CHAIN_URL: &str = "http://127.0.0.1:8999";
pub(in crate::role::faults) const CHAIN_PORT: u16 = 8999;
pub(in crate::role::faults) const WITNESS_PORT: u16 = 8998;

/// The socket that stands for a port.
pub(in crate::role::faults) fn socket_name(port: u16) -> String {
    format!("{port}.socket")
}

/// Dials the socket in the place of each port.
#[derive(Debug)]
pub(super) struct Sockets {
    folder: PathBuf,
    silent: Vec<u16>,
    /// Open connections to miners that answer.
    busy: Arc<AtomicUsize>,
    points: Arc<Points>,
}

impl Sockets {
    pub(super) fn new(folder: PathBuf, silent: &[u16], points: Arc<Points>) -> Self {
        Self { folder, silent: silent.to_vec(), busy: Arc::default(), points }
    }

    pub(super) fn busy(&self) -> Arc<AtomicUsize> {
        self.busy.clone()
    }
}

#[async_trait]
impl Dialer for Sockets {
    async fn dial(&self, to: SocketAddr) -> io::Result<BoxIo> {
        let dialled = UnixStream::connect(self.folder.join(socket_name(to.port()))).await;
        let stream = dialled.map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
        if to.port() == CHAIN_PORT || self.silent.contains(&to.port()) {
            return Ok(Box::new(stream));
        }
        self.points.at(if to.port() == WITNESS_PORT { "witness dialled" } else { "miner dialled" });
        self.busy.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(Counted { stream, busy: self.busy.clone() }))
    }
}

struct Counted {
    stream: UnixStream,
    busy: Arc<AtomicUsize>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.busy.fetch_sub(1, Ordering::SeqCst);
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Of the blocks, one in so many moves the clock.
const MOVES_ONE_IN: u32 = 3;
const SECONDS: [i64; 11] = [0, 1, -1, 5, -5, 60, -60, 600, -600, 3_600, -3_600];

/// A clock whose hands are moved between blocks; deadlines run on.
#[derive(Debug)]
pub(super) struct MovedClock {
    clock: Hurried,
    seconds: AtomicI64,
    seed: Option<u64>,
}

impl MovedClock {
    pub(super) fn new(busy: Arc<AtomicUsize>, seed: Option<u64>) -> Self {
        Self { clock: Hurried::new(busy), seconds: AtomicI64::new(0), seed }
    }

    pub(super) fn seconds(&self) -> i64 {
        self.seconds.load(Ordering::SeqCst)
    }

    /// What is drawn for a block, whichever life works on it.
    pub(super) fn move_after(&self, block: u64) {
        let Some(seed) = self.seed else { return };
        let mut rng = ChaCha20Rng::seed_from_u64(seed ^ (block << 20));
        if rng.random_range(0..MOVES_ONE_IN) == 0 {
            let seconds = SECONDS[rng.random_range(0..SECONDS.len())];
            self.seconds.store(seconds, Ordering::SeqCst);
        }
    }
}

#[async_trait]
impl Clock for MovedClock {
    fn now(&self) -> UnixNanos {
        let nanos = self.seconds() * 1_000_000_000;
        UnixNanos(self.clock.now().0.saturating_add_signed(nanos))
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    async fn sleep(&self, duration: Duration) {
        self.clock.sleep(duration).await;
    }
}
