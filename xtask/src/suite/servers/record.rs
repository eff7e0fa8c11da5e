//! What goes over the wire between a miner and a completion server, kept for tests that play the server.

use std::collections::HashSet;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, ensure};

/// Exchanges of one server that are remembered at most.
const SEEN_MAX: usize = 4096;
/// What completions of the task have in their requests; other ones are questions at the start, or go with one of the task.
const OF_TASK: [&str; 2] = ["\"max_tokens\":48", "\"n_predict\":48"];
/// Completions of the task that are kept, besides the first one that took several requests.
const TASK_KEPT: usize = 2;
/// The longest request that is read.
const REQUEST_BYTES_MAX: usize = 1 << 20;
const HEAD_END: &[u8] = b"\r\n\r\n";

/// A request and the reply to it.
type Exchange = (Vec<u8>, Vec<u8>);
type Exchanges = Arc<Mutex<Vec<Exchange>>>;

/// A relay to one server that takes note of requests and replies. It ends with the process.
pub(super) struct Recorder {
    pub(super) url: String,
    exchanges: Exchanges,
}

impl Recorder {
    /// Listens in front of `http://HOST:PORT`.
    pub(super) fn before(url: &str) -> anyhow::Result<Self> {
        let server = url.strip_prefix("http://").context("no http:// address")?.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let own = format!("http://{}", listener.local_addr()?);
        let exchanges = Exchanges::default();
        let kept = exchanges.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (server, kept) = (server.clone(), kept.clone());
                // A caller that hangs up, as miners do at an answer's end, is no trouble of the relay's.
                std::thread::spawn(move || relay(client, &server, &kept));
            }
        });
        Ok(Self { url: own, exchanges })
    }

    /// Writes what the miner asked at its start and a few completions of the task into a folder, in place of those that were
    /// there. `private` is a path of this machine that replies may not name.
    pub(super) fn save(&self, folder: &Path, private: &Path) -> anyhow::Result<()> {
        if folder.exists() {
            std::fs::remove_dir_all(folder)?;
        }
        std::fs::create_dir_all(folder)?;
        let exchanges = self.exchanges.lock().unwrap_or_else(PoisonError::into_inner);
        for (at, (request, reply)) in worth_keeping(&exchanges).into_iter().enumerate() {
            let private = private.to_str().context("a path in UTF-8")?;
            ensure!(!String::from_utf8_lossy(reply).contains(private), "a reply names {private}");
            std::fs::write(folder.join(format!("{at:02}.request.http")), request)?;
            std::fs::write(folder.join(format!("{at:02}.reply.http")), reply)?;
        }
        Ok(())
    }
}

/// Those of the start, then those of a few completions; each request once.
fn worth_keeping(exchanges: &[Exchange]) -> Vec<&Exchange> {
    let mut seen = HashSet::new();
    let fresh: Vec<_> = exchanges.iter().filter(|(request, _)| seen.insert(request)).collect();
    let mut parts = fresh.chunk_by(|_, (next, _)| !is_of_task(next));
    let mut kept = parts.next().unwrap_or_default().to_vec();
    let completions: Vec<_> = parts.collect();
    let (first, others) = completions.split_at(TASK_KEPT.min(completions.len()));
    let long = others.iter().find(|requests| requests.len() > 1);
    kept.extend(first.iter().chain(long).copied().flatten());
    kept
}

fn relay(mut client: TcpStream, server: &str, kept: &Exchanges) -> anyhow::Result<()> {
    let request = read_request(&mut client)?;
    let mut behind = TcpStream::connect(server)?;
    // One exchange a connection: the reply's end is the connection's.
    let split = request.windows(4).position(|bytes| bytes == HEAD_END).context("a head")?;
    behind.write_all(&request[..split])?;
    behind.write_all(b"\r\nconnection: close")?;
    behind.write_all(&request[split..])?;
    let (mut reply, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let read = behind.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        // The reply is read to its end even where the caller has heard enough.
        let _ = client.write_all(&buffer[..read]);
        reply.extend_from_slice(&buffer[..read]);
    }
    let _ = client.shutdown(Shutdown::Both);
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.len() < SEEN_MAX {
        kept.push((request, reply));
    }
    Ok(())
}

fn is_of_task(request: &[u8]) -> bool {
    let request = String::from_utf8_lossy(request);
    OF_TASK.iter().any(|field| request.contains(field))
}

fn read_request(client: &mut TcpStream) -> anyhow::Result<Vec<u8>> {
    let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let read = client.read(&mut buffer)?;
        ensure!(read > 0 && request.len() < REQUEST_BYTES_MAX, "no request");
        request.extend_from_slice(&buffer[..read]);
        let Some(split) = request.windows(4).position(|bytes| bytes == HEAD_END) else { continue };
        let head = String::from_utf8_lossy(&request[..split]).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.map_or(Ok(0), |length| length.trim().parse())?;
        if request.len() >= split + HEAD_END.len() + length {
            return Ok(request);
        }
    }
}
