//! Byte streams in and out.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixStream};

/// The longest that bytes may wait for the other end to take them.
#[cfg(target_os = "linux")]
const UNTAKEN_MAX: std::time::Duration = std::time::Duration::from_secs(30);

pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

pub type BoxIo = Box<dyn Io>;

#[async_trait]
pub trait Listener: Send + Sync + std::fmt::Debug {
    fn local_addr(&self) -> SocketAddr;

    async fn accept(&self) -> io::Result<(BoxIo, SocketAddr)>;
}

#[async_trait]
pub trait Dialer: Send + Sync + std::fmt::Debug {
    async fn dial(&self, to: SocketAddr) -> io::Result<BoxIo>;

    /// Connects to a server of this machine by the path of its socket. Dialers of tests need not know how.
    async fn dial_unix(&self, path: &Path) -> io::Result<BoxIo> {
        Err(io::Error::new(io::ErrorKind::Unsupported, format!("{} is not dialled", path.display())))
    }
}

/// A bound TCP port.
#[derive(Debug)]
pub struct TcpBound {
    listener: TcpListener,
    local: SocketAddr,
}

impl TcpBound {
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let local = listener.local_addr()?;
        Ok(Self { listener, local })
    }
}

#[async_trait]
impl Listener for TcpBound {
    fn local_addr(&self) -> SocketAddr {
        self.local
    }

    async fn accept(&self) -> io::Result<(BoxIo, SocketAddr)> {
        let (stream, peer) = self.listener.accept().await?;
        // Frames are written whole; Nagle's algorithm would only hold back the last packet of each.
        stream.set_nodelay(true)?;
        // A peer that went away without a word, or takes nothing: without this the kernel tries for a quarter of an hour.
        #[cfg(target_os = "linux")]
        let _ = rustix::net::sockopt::set_tcp_user_timeout(&stream, UNTAKEN_MAX.as_millis() as u32);
        Ok((Box::new(stream), peer))
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub struct TcpDialer;

#[async_trait]
impl Dialer for TcpDialer {
    async fn dial(&self, to: SocketAddr) -> io::Result<BoxIo> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(Box::new(stream))
    }

    async fn dial_unix(&self, path: &Path) -> io::Result<BoxIo> {
        Ok(Box::new(UnixStream::connect(path).await?))
    }
}
