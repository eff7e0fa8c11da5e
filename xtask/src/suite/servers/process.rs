//! Servers as processes: started, waited for, and ended with all that they started.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, anyhow};

use crate::suite::interop::until_within;
use crate::suite::{Running, last_lines};

/// vLLM compiles parts of itself when it starts, and a machine may be busy.
const START: Duration = Duration::from_secs(1_200);
/// Lines of a log that are shown where something went wrong.
const SHOWN_LINES: usize = 5;

/// A running server; its processes end when it is dropped.
pub(super) struct Serving {
    pub(super) url: String,
    /// The model's name there.
    pub(super) model: String,
    log: PathBuf,
    groups: Vec<Group>,
}

impl Serving {
    /// Keeps another server running for as long as this one.
    pub(super) fn stands_before(&mut self, behind: Serving) {
        self.groups.extend(behind.groups);
    }

    pub(super) fn last_lines(&self) -> String {
        last_lines(&self.log, SHOWN_LINES)
    }
}

/// A process with those that it starts, which would outlive it: vLLM's engine does.
struct Group(Running);

impl Group {
    fn start(command: &mut Command) -> anyhow::Result<Self> {
        Ok(Self(Running(command.process_group(0).spawn()?)))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // All of it may have ended by itself.
        let _ = Command::new("kill").args(["-s", "KILL", "--", &format!("-{}", self.0.0.id())]).output();
    }
}

/// Starts a process and waits until it answers a path.
pub(super) fn serve(
    name: &str,
    mut command: Command,
    (port, path): (u16, &str),
    scratch: &Path,
) -> anyhow::Result<Serving> {
    let log = scratch.join(format!("{name}.log"));
    let written = File::create(&log)?;
    let mut group = Group::start(command.stdin(Stdio::null()).stdout(written.try_clone()?).stderr(written))?;
    let mut ended = false;
    let waited = until_within(START, "it answers", || {
        ended = group.0.0.try_wait()?.is_some();
        Ok(ended || answers(port, path))
    });
    let ready = waited.and_then(|()| if ended { Err(anyhow!("it ended")) } else { Ok(()) });
    ready.with_context(|| last_lines(&log, SHOWN_LINES))?;
    let url = format!("http://127.0.0.1:{port}");
    Ok(Serving { url, model: "language".to_owned(), log, groups: vec![group] })
}

fn answers(port: u16, path: &str) -> bool {
    let asked = || {
        let mut io = TcpStream::connect(("127.0.0.1", port))?;
        io.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(io, "GET {path} HTTP/1.0\r\nhost: 127.0.0.1\r\n\r\n")?;
        let mut head = [0; 12];
        io.read_exact(&mut head)?;
        std::io::Result::Ok(head.ends_with(b" 200"))
    };
    asked().unwrap_or(false)
}
