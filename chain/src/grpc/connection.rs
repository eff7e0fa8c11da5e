//! A client's connection: it holds one of the server's slots and can be cut from here.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tonic::transport::server::Connected;
use weighhouse_seams::{BoxIo, Clock, NetworkPlace};

/// Ready at some time.
type Due = Pin<Box<dyn Future<Output = ()> + Send>>;

pub(super) struct ServedConnection {
    io: BoxIo,
    /// Ready once the server's drain is over.
    cut: Due,
    /// Until the peer has said that it speaks HTTP/2; whoever says nothing holds its place no longer.
    hello: Option<(usize, Due)>,
    _places: (OwnedSemaphorePermit, NetworkPlace),
}

/// Bytes of HTTP/2's preface, and the time for them.
const HELLO_BYTES: usize = 24;
const HELLO_TIME: Duration = Duration::from_secs(5);

impl ServedConnection {
    pub(super) fn new(
        io: BoxIo,
        places: (OwnedSemaphorePermit, NetworkPlace),
        mut cutting: watch::Receiver<bool>,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        let clock = clock.clone();
        let late = Box::pin(async move { clock.sleep(HELLO_TIME).await });
        let cut = Box::pin(async move {
            // An error means that the server itself is gone.
            let _ = cutting.wait_for(|cut| *cut).await;
        });
        Self { io, cut, hello: Some((0, late)), _places: places }
    }
}

impl Connected for ServedConnection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for ServedConnection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.cut.as_mut().poll(cx).is_ready() {
            // Never polled again after it was ready.
            this.cut = Box::pin(std::future::ready(()));
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let Some((heard, late)) = &mut this.hello else { return Pin::new(&mut this.io).poll_read(cx, buf) };
        let before = buf.filled().len();
        let read = Pin::new(&mut this.io).poll_read(cx, buf);
        *heard += buf.filled().len() - before;
        if *heard >= HELLO_BYTES {
            this.hello = None;
        } else if read.is_pending() && late.as_mut().poll(cx).is_ready() {
            this.hello = None;
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl AsyncWrite for ServedConnection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}
