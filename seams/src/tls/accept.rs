//! The server's end: TLS and plaintext on one port, told apart by a connection's first byte.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{ServerConfig, version};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor as Handshake};

use super::{PROTOCOL, TlsKey, TlsPin};
use crate::{BoxIo, Io};

/// The first byte of a TLS handshake (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 0x16;

/// What becomes of connections that begin without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plaintext {
    Served,
    Refused,
}

/// Serves the holders of pins: TLS 1.3, by the key that the client asks for.
#[derive(Clone, Debug)]
pub struct TlsAcceptor {
    config: Arc<ServerConfig>,
    keys: Arc<Keys>,
    plaintext: Plaintext,
}

/// The newest first, which those see who ask for none of them.
#[derive(Debug)]
struct Keys(RwLock<Vec<(TlsPin, Arc<CertifiedKey>)>>);

impl Keys {
    fn find(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let keys = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let pin = name.and_then(TlsPin::of_server_name);
        let asked = keys.iter().find(|(other, _)| Some(*other) == pin);
        asked.or(keys.first()).map(|(_, key)| Arc::clone(key))
    }
}

impl ResolvesServerCert for Keys {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.find(hello.server_name())
    }
}

impl TlsAcceptor {
    /// `keys` has the newest first.
    pub fn new(keys: &[TlsKey], plaintext: Plaintext) -> Self {
        let keys = keys.iter().map(|key| (key.pin(), key.certified())).collect();
        let keys = Arc::new(Keys(RwLock::new(keys)));
        let resolver: Arc<dyn ResolvesServerCert> = Arc::<Keys>::clone(&keys);
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&version::TLS13])
            .expect("ring's provider has suites of TLS 1.3")
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        // A session that is taken up again would outlive the key that it began with.
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Self { config: Arc::new(config), keys, plaintext }
    }

    /// Serves no key but the newest from now on.
    pub fn keep_newest(&self) {
        self.keys.0.write().unwrap_or_else(PoisonError::into_inner).truncate(1);
    }

    /// The stream within: hands are shaken as it is used.
    pub fn accept(&self, io: BoxIo) -> BoxIo {
        Box::new(Accepted { state: State::Unread(Rewound { first: None, io }), acceptor: self.clone() })
    }
}

struct Accepted {
    state: State,
    acceptor: TlsAcceptor,
}

enum State {
    Unread(Rewound),
    Plain(Rewound),
    Handshake(Box<Accept<Rewound>>),
    Secure(Box<TlsStream<Rewound>>),
    Ended,
}

impl Accepted {
    /// Waits until it is clear what is spoken, and hands are shaken.
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match &mut self.state {
                State::Unread(stream) => {
                    ready!(stream.poll_first(cx))?;
                    let State::Unread(stream) = std::mem::replace(&mut self.state, State::Ended) else {
                        continue;
                    };
                    self.state = match stream.first {
                        Some(HANDSHAKE) => {
                            let handshake = Handshake::from(Arc::clone(&self.acceptor.config));
                            State::Handshake(Box::new(handshake.accept(stream)))
                        }
                        _ if self.acceptor.plaintext == Plaintext::Served => State::Plain(stream),
                        _ => State::Ended,
                    };
                }
                State::Handshake(handshake) => {
                    let shaken = ready!(Pin::new(&mut **handshake).poll(cx));
                    self.state = State::Ended;
                    self.state = State::Secure(Box::new(shaken?));
                }
                State::Plain(_) | State::Secure(_) => return Poll::Ready(Ok(())),
                State::Ended => return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into())),
            }
        }
    }

    fn poll_stream(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Pin<&mut (dyn Io + '_)>>> {
        ready!(self.poll_open(cx))?;
        Poll::Ready(match &mut self.state {
            State::Plain(stream) => Ok(Pin::new(stream as &mut dyn Io)),
            State::Secure(stream) => Ok(Pin::new(&mut **stream as &mut dyn Io)),
            _ => Err(io::ErrorKind::ConnectionAborted.into()),
        })
    }
}

impl AsyncRead for Accepted {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.get_mut().poll_stream(cx))?.poll_read(cx, buffer)
    }
}

impl AsyncWrite for Accepted {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.get_mut().poll_stream(cx))?.poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.get_mut().poll_stream(cx))?.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().state {
            State::Unread(stream) | State::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            State::Secure(stream) => Pin::new(stream).poll_shutdown(cx),
            // A peer that hasn't shaken hands is owed no farewell.
            State::Handshake(_) | State::Ended => Poll::Ready(Ok(())),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.get_mut().poll_stream(cx))?.poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}

/// A stream whose first byte was read already, and is read again.
struct Rewound {
    first: Option<u8>,
    io: BoxIo,
}

impl Rewound {
    fn poll_first(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut buffer))?;
        self.first = buffer.filled().first().copied();
        match self.first {
            Some(_) => Poll::Ready(Ok(())),
            None => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
        }
    }
}

impl AsyncRead for Rewound {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buffer.remaining() > 0
            && let Some(first) = self.first.take()
        {
            buffer.put_slice(&[first]);
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Rewound {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// One byte there and another one back.
    async fn exchange(acceptor: &TlsAcceptor, pin: Option<TlsPin>) -> io::Result<u8> {
        let (near, far) = tokio::io::duplex(1 << 16);
        let mut server = acceptor.accept(Box::new(near));
        let client = async {
            let far: BoxIo = Box::new(far);
            let mut stream = match pin {
                Some(pin) => pin.secure(far).await?,
                None => far,
            };
            stream.write_all(b"P").await?;
            stream.read_u8().await
        };
        let serving = async move {
            // A server may speak first.
            server.flush().await?;
            let asked = server.read_u8().await?;
            server.write_all(&[asked + 1]).await?;
            server.flush().await
        };
        let (told, served) = tokio::join!(client, serving);
        served.and(told)
    }

    #[tokio::test]
    async fn each_client_meets_the_key_that_it_asks_for_until_the_old_one_is_dropped() {
        let (new, old) = (TlsKey::generate().expect("a key"), TlsKey::generate().expect("a key"));
        let stranger = TlsKey::generate().expect("a key").pin();
        let acceptor = TlsAcceptor::new(&[new.clone(), old.clone()], Plaintext::Served);
        for pin in [Some(new.pin()), Some(old.pin()), None] {
            assert_eq!(exchange(&acceptor, pin).await.expect("served"), b'Q');
        }
        assert!(exchange(&acceptor, Some(stranger)).await.is_err());
        acceptor.keep_newest();
        assert!(exchange(&acceptor, Some(old.pin())).await.is_err());
        assert_eq!(exchange(&acceptor, Some(new.pin())).await.expect("served"), b'Q');

        let strict = TlsAcceptor::new(std::slice::from_ref(&new), Plaintext::Refused);
        assert!(exchange(&strict, None).await.is_err());
        assert_eq!(exchange(&strict, Some(new.pin())).await.expect("served"), b'Q');
    }

    #[tokio::test]
    async fn the_other_end_sees_a_certificate_of_its_pin() {
        let key = TlsKey::generate().expect("a key");
        let acceptor = TlsAcceptor::new(std::slice::from_ref(&key), Plaintext::Refused);
        let (near, far) = tokio::io::duplex(1 << 16);
        let mut server = acceptor.accept(Box::new(near));
        let pin = key.pin();
        let (shown, served) = tokio::join!(pin.certificate(Box::new(far)), server.flush());
        served.expect("shaken");
        assert!(key.to_pem().replace('\r', "").ends_with(&shown.expect("a certificate").replace('\r', "")));
    }
}
