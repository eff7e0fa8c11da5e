//! What miners play: each from the acceptance of a connection to its end.

use std::convert::Infallible;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use futures::stream;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::StreamBody;
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustix::net::sockopt::set_socket_linger;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use weighhouse_seams::{BoxIo, TlsAcceptor};
use weighhouse_wallet::btauth::header;
use weighhouse_wallet::keypair::Keypair;

use super::super::frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PRIORITY, RST_STREAM, SETTINGS,
    WINDOW_UPDATE, block, frame,
};
use super::body::{Message, message};
use super::wire::request;
use crate::round::stubs::trailers;

/// Frames that are written at a time.
const BATCH: usize = 500;
/// The largest frame that every client takes.
const FRAME_MAX: usize = 16 << 10;
/// Between one byte and the next.
const DRIP: Duration = Duration::from_millis(20);
const PUSH_PROMISE: u8 = 5;
const GOAWAY: u8 = 7;
/// The first bytes of a TLS server's answer.
const SERVER_HELLO: [u8; 6] = [0x16, 3, 3, 0x40, 0, 2];

/// One miner's part in one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Play {
    /// Takes the connection and reads nothing.
    HalfOpen,
    /// Ends the connection before a byte.
    ResetAtOnce,
    /// Junk in place of a handshake.
    Junk,
    /// A handshake of TLS, a byte at a time.
    HandshakeDrips,
    /// Another protocol, without end.
    Http1,
    /// Shakes hands and says nothing.
    Silent,
    ResetBeforeHeaders,
    ResetInBody,
    /// Takes its stream back, whenever one is open.
    StreamReset,
    Farewell,
    HeadersDrip,
    BodyDrips,
    TrailersDrip,
    HeadersWithoutEnd,
    /// Headers, each of which names a large one again and again.
    HeaderBomb,
    GiantTrailers,
    /// Interim responses without end.
    Interim,
    Flood(u8, u8),
    /// Pings whose answers aren't read.
    UnreadPings,
    EndlessBody,
    /// A body in pieces of a byte, as fast as it goes.
    Crumbs,
    /// Refuses for the time, by a clock of another year, and again.
    OtherClock,
    Says(Message),
    /// The right answer under a signature that is none.
    Unsigned,
}

pub(super) const PLAYS: [Play; 43] = [
    Play::HalfOpen,
    Play::ResetAtOnce,
    Play::Junk,
    Play::HandshakeDrips,
    Play::Http1,
    Play::Silent,
    Play::ResetBeforeHeaders,
    Play::ResetInBody,
    Play::StreamReset,
    Play::Farewell,
    Play::HeadersDrip,
    Play::BodyDrips,
    Play::TrailersDrip,
    Play::HeadersWithoutEnd,
    Play::HeaderBomb,
    Play::GiantTrailers,
    Play::Interim,
    Play::Flood(PING, 0),
    Play::Flood(PING, ACK),
    Play::Flood(SETTINGS, 0),
    Play::Flood(SETTINGS, ACK),
    Play::Flood(RST_STREAM, 0),
    Play::Flood(WINDOW_UPDATE, 0),
    Play::Flood(PRIORITY, 0),
    Play::Flood(PUSH_PROMISE, 0),
    Play::Flood(GOAWAY, 0),
    Play::Flood(DATA, 0),
    Play::Flood(0xbe, 0),
    Play::UnreadPings,
    Play::EndlessBody,
    Play::Crumbs,
    Play::OtherClock,
    Play::Says(Message::Gibibyte),
    Play::Says(Message::Compressed),
    Play::Says(Message::Tensors),
    Play::Says(Message::Deep),
    Play::Says(Message::Absurd),
    Play::Says(Message::Negative),
    Play::Says(Message::Nan),
    Play::Says(Message::Another),
    Play::Says(Message::Padded),
    Play::Says(Message::Junk),
    Play::Unsigned,
];

/// Plays until the other end has enough.
pub(super) async fn act(
    play: Play,
    mut socket: TcpStream,
    tls: Option<TlsAcceptor>,
    keypair: &Keypair,
) -> anyhow::Result<()> {
    match play {
        Play::HalfOpen => std::future::pending().await,
        Play::ResetAtOnce => return Ok(set_socket_linger(&socket, Some(Duration::ZERO))?),
        Play::Junk => loop {
            socket.write_all(&[0x5a; FRAME_MAX]).await?;
        },
        Play::Http1 => {
            socket.write_all(b"HTTP/1.1 200 OK\r\n").await?;
            loop {
                socket.write_all(&b"x-more: and more\r\n".repeat(BATCH)).await?;
            }
        }
        Play::HandshakeDrips => {
            for byte in SERVER_HELLO.into_iter().chain(std::iter::repeat(0)) {
                socket.write_all(&[byte]).await?;
                tokio::time::sleep(DRIP).await;
            }
        }
        Play::ResetBeforeHeaders | Play::ResetInBody => {
            set_socket_linger(&socket, Some(Duration::ZERO))?;
        }
        _ => {}
    }
    let mut io: BoxIo = match tls {
        Some(tls) => tls.accept(Box::new(socket)),
        None => Box::new(socket),
    };
    if let Play::EndlessBody = play {
        return endless(io).await;
    }
    let asked = request(&mut io).await?;
    if play == Play::UnreadPings {
        loop {
            io.write_all(&control(PING, 0).repeat(BATCH)).await?;
        }
    }
    let (mut reading, mut writing) = tokio::io::split(io);
    tokio::select! {
        said = say(play, &mut writing, &asked, keypair) => {
            said?;
            // Ends of a connection are plays of their own.
            if !matches!(play, Play::ResetBeforeHeaders | Play::ResetInBody) {
                wait(&mut reading).await?;
            }
            Ok(())
        }
        ended = drain(&mut reading) => ended,
    }
}

fn head() -> Vec<u8> {
    block(&[(":status", "200"), ("content-type", "application/grpc")])
}

fn headers(flags: u8, block: &[u8]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | flags, 1, block)
}

/// What follows the request.
async fn say<W: AsyncWrite + Unpin>(
    play: Play,
    to: &mut W,
    asked: &[u8],
    keypair: &Keypair,
) -> anyhow::Result<()> {
    match play {
        Play::ResetInBody => {
            to.write_all(&[headers(0, &head()), frame(DATA, 0, 1, &[0; 9])].concat()).await?
        }
        Play::StreamReset => to.write_all(&frame(RST_STREAM, 0, 1, &2_u32.to_be_bytes())).await?,
        Play::Farewell => to.write_all(&control(GOAWAY, 0)).await?,
        Play::HeadersDrip => drip(to, &headers(0, &head().repeat(100)), 1).await?,
        Play::BodyDrips => {
            to.write_all(&headers(0, &head())).await?;
            drip(to, &frame(DATA, 0, 1, &[0]).repeat(1 << 16), 10).await?;
        }
        Play::TrailersDrip => {
            to.write_all(&headers(0, &head())).await?;
            to.write_all(&frame(HEADERS, END_STREAM, 1, &[])).await?;
            drip(to, &frame(CONTINUATION, 0, 1, &[0]).repeat(1 << 16), 10).await?;
        }
        Play::HeadersWithoutEnd => {
            to.write_all(&frame(HEADERS, 0, 1, &head())).await?;
            flood(to, &frame(CONTINUATION, 0, 1, &block(&[("x-more", &"y".repeat(1_000))]))).await?;
        }
        Play::HeaderBomb => {
            // Kept in the table of headers, then named by a byte each.
            let kept = [&[0x40][..], &block(&[("x-large", &"z".repeat(3_900))])[1..]].concat();
            let bomb = [head(), kept, vec![0xbe; FRAME_MAX / 2]].concat();
            to.write_all(&headers(0, &bomb)).await?;
        }
        Play::GiantTrailers => {
            let large = block(&[("x-large", &"z".repeat(FRAME_MAX / 2))]);
            to.write_all(&headers(0, &head())).await?;
            to.write_all(&frame(HEADERS, END_STREAM, 1, &large)).await?;
            flood(to, &frame(CONTINUATION, 0, 1, &large)).await?;
        }
        Play::Interim => flood(to, &headers(0, &block(&[(":status", "103")]))).await?,
        Play::Flood(DATA, _) | Play::Crumbs => {
            to.write_all(&headers(0, &head())).await?;
            let piece: &[u8] = if play == Play::Crumbs { &[0] } else { &[] };
            flood(to, &frame(DATA, 0, 1, piece)).await?;
        }
        Play::Flood(kind, flags) => flood(to, &control(kind, flags)).await?,
        Play::OtherClock => {
            let refusal = block(&[
                (":status", "200"),
                ("content-type", "application/grpc"),
                ("grpc-status", "16"),
                (header::TIME, "4102444800000000000"),
            ]);
            to.write_all(&headers(END_STREAM, &refusal)).await?;
        }
        Play::Says(kind) => {
            let framed = message(kind, asked).context("a message")?;
            answer(to, &framed, &trailers(keypair, asked, &framed).context("trailers")?).await?;
        }
        Play::Unsigned => {
            let framed = message(Message::Another, asked).context("a message")?;
            let mut status = HeaderMap::new();
            status.insert("grpc-status", HeaderValue::from_static("0"));
            answer(to, &framed, &status).await?;
        }
        _ => {}
    }
    to.flush().await?;
    Ok(())
}

/// A whole answer, within the window that the validator opens.
async fn answer<W: AsyncWrite + Unpin>(
    to: &mut W,
    framed: &[u8],
    trailers: &HeaderMap,
) -> anyhow::Result<()> {
    to.write_all(&headers(0, &head())).await?;
    for piece in framed.chunks(FRAME_MAX) {
        to.write_all(&frame(DATA, 0, 1, piece)).await?;
    }
    let trailers = trailers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    to.write_all(&headers(END_STREAM, &block(&trailers.collect::<Vec<_>>()))).await?;
    Ok(())
}

/// So many bytes at a time, and a rest.
async fn drip<W: AsyncWrite + Unpin>(to: &mut W, bytes: &[u8], at_once: usize) -> anyhow::Result<()> {
    for piece in bytes.chunks(at_once) {
        to.write_all(piece).await?;
        to.flush().await?;
        tokio::time::sleep(DRIP).await;
    }
    Ok(())
}

async fn flood<W: AsyncWrite + Unpin>(to: &mut W, frame: &[u8]) -> anyhow::Result<()> {
    let flood = frame.repeat(BATCH);
    loop {
        to.write_all(&flood).await?;
    }
}

fn control(kind: u8, flags: u8) -> Vec<u8> {
    match kind {
        PING => frame(PING, flags, 0, &[7; 8]),
        PRIORITY => frame(PRIORITY, flags, 3, &[0, 0, 0, 0, 1]),
        RST_STREAM => frame(RST_STREAM, flags, 1, &8_u32.to_be_bytes()),
        WINDOW_UPDATE => frame(WINDOW_UPDATE, flags, 0, &1_u32.to_be_bytes()),
        PUSH_PROMISE => frame(PUSH_PROMISE, END_HEADERS, 1, &[&2_u32.to_be_bytes()[..], &head()].concat()),
        GOAWAY => frame(GOAWAY, flags, 0, &[0, 0, 0, 1, 0, 0, 0, 0]),
        other => frame(other, flags, 0, &[]),
    }
}

/// A body as large as it is taken.
async fn endless(io: BoxIo) -> anyhow::Result<()> {
    let answer = service_fn(|_: Request<Incoming>| async {
        let piece = Bytes::from_static(&[0; FRAME_MAX]);
        let pieces = stream::repeat_with(move || Ok::<_, Infallible>(Frame::data(piece.clone())));
        let mut response = Response::new(StreamBody::new(pieces));
        response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
        Ok::<_, Infallible>(response)
    });
    let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    Ok(server.serve_connection(TokioIo::new(io), answer).await?)
}

async fn drain<R: AsyncRead + Unpin>(from: &mut R) -> anyhow::Result<()> {
    let mut buffer = vec![0; 16 << 10];
    while from.read(&mut buffer).await? > 0 {}
    Ok(())
}

/// Until the other end has enough.
pub(super) async fn wait<R: AsyncRead + Unpin>(from: &mut R) -> anyhow::Result<()> {
    drain(from).await
}
