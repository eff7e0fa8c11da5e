//! The console in a browser: where it listens, the address that is printed, and who opens it.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use weighhouse_console::{ChainSource, Economy, Parts, Token, address, run};
use weighhouse_seams::{Entropy, Listener as _, SystemClock};

use crate::commands::bind;
use crate::failure::Failure;
use crate::output;

/// Where a page is served when nothing is said: a free port of this machine.
pub(crate) const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// A page as it is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) listen: SocketAddr,
    /// A name by which browsers may call this machine, besides loopback's.
    pub(crate) host: Option<String>,
    /// Opened in a browser; by whether this is a desktop's terminal, if nothing is said.
    pub(crate) opens: Option<bool>,
}

/// What the page is about.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) journal: PathBuf,
    pub(crate) chain: Option<ChainSource>,
    pub(crate) economy: Option<Economy>,
}

/// A page that is served.
#[derive(Debug)]
pub(crate) struct Served {
    /// With the token.
    pub(crate) url: String,
    pub(crate) local: SocketAddr,
    serving: JoinHandle<()>,
}

impl Served {
    /// Returns once it was told to stop.
    pub(crate) async fn ended(self) -> Result<(), Failure> {
        self.serving.await.map_err(Failure::internal)
    }
}

/// Serves the page until `shutdown`.
pub(crate) async fn serve(
    page: &Page,
    subject: Subject,
    shutdown: CancellationToken,
) -> Result<Served, Failure> {
    let bound = bind(page.listen, "--listen").await?;
    let local = bound.local_addr();
    if !local.ip().is_loopback() {
        output::note(format_args!(
            "{local} is reached from other machines, and what is sent there isn't encrypted: `ssh -L` to a loopback address is"
        ));
    }
    let token = Token::draw(&Entropy::system());
    let url = address(local, page.host.as_deref(), &token);
    let Subject { journal, chain, economy } = subject;
    let (host, clock) = (page.host.clone(), Arc::new(SystemClock::new()));
    let parts = Parts { journal, chain, economy, token, host, clock };
    let serving = tokio::spawn(run(parts, Box::new(bound), shutdown));
    Ok(Served { url, local, serving })
}

/// Opens the page in the desktop's browser, where there is one and it is wanted.
pub(crate) fn open(page: &Page, url: &str) {
    let has_desktop = || {
        cfg!(target_os = "macos")
            || ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| std::env::var_os(name).is_some())
    };
    if !page.opens.unwrap_or_else(|| std::io::stdout().is_terminal() && has_desktop()) {
        return;
    }
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let opened = Command::new(opener)
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    match opened {
        // It ends by itself; whoever waits for it keeps no process of it behind.
        Ok(mut child) => drop(std::thread::spawn(move || child.wait())),
        Err(error) => {
            output::note(format_args!("no browser was opened ({opener}: {error}): open the address yourself"))
        }
    }
}
