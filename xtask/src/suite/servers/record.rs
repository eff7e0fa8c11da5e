//! What goes over the wire between a miner and a completion server, kept for tests that play the server.

use std::collections::HashSet;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, ensure};

/// Exchanges of one server that are kept at most.
const KEPT_MAX: usize = 96;
/// What completions of the task have in their requests; those at the miner's start are shorter.
const OF_TASK: [&str; 2] = ["\"max_tokens\":48", "\"n_predict\":48"];
/// Exchanges of the task that are kept.
const TASK_KEPT_MAX: usize = 3;
/// The longest request that is read.
const REQUEST_BYTES_MAX: usize = 1 << 20;
/// A longer reply isn't kept.
const REPLY_BYTES_MAX: usize = 32 << 10;
const HEAD_END: &[u8] = b"\r\n\r\n";

type Exchanges = Arc<Mutex<Vec<(Vec<u8>, Vec<u8>)>>>;

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

    /// Writes the exchanges into a folder, each request once, in place of those that were there.
    pub(super) fn save(&self, folder: &Path) -> anyhow::Result<()> {
        if folder.exists() {
            std::fs::remove_dir_all(folder)?;
        }
        std::fs::create_dir_all(folder)?;
        let exchanges = self.exchanges.lock().unwrap_or_else(PoisonError::into_inner);
        let mut seen = HashSet::new();
        let fresh = exchanges
            .iter()
            .filter(|(request, reply)| seen.insert(request) && reply.len() <= REPLY_BYTES_MAX);
        for (at, (request, reply)) in fresh.enumerate() {
            std::fs::write(folder.join(format!("{at:02}.request.http")), request)?;
            std::fs::write(folder.join(format!("{at:02}.reply.http")), reply)?;
        }
        Ok(())
    }
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
    let of_task = kept.iter().filter(|(request, _)| is_of_task(request)).count();
    if kept.len() < KEPT_MAX && !(is_of_task(&request) && of_task >= TASK_KEPT_MAX) {
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
