//! A client's connection: it holds one of the server's slots and can be cut from here.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tonic::transport::server::Connected;
use weighhouse_seams::BoxIo;

pub(super) struct ServedConnection {
    io: BoxIo,
    /// Ready once the server's drain is over.
    cut: Pin<Box<dyn Future<Output = ()> + Send>>,
    _slot: OwnedSemaphorePermit,
}

impl ServedConnection {
    pub(super) fn new(io: BoxIo, slot: OwnedSemaphorePermit, mut cutting: watch::Receiver<bool>) -> Self {
        let cut = Box::pin(async move {
            // An error means that the server itself is gone.
            let _ = cutting.wait_for(|cut| *cut).await;
        });
        Self { io, cut, _slot: slot }
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
        Pin::new(&mut this.io).poll_read(cx, buf)
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
