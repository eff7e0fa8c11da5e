//! One module per command: arguments in, library calls, words out.

pub(crate) mod audit;
pub(crate) mod chain;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod explain;
pub(crate) mod forecast;
pub(crate) mod health;
pub(crate) mod history;
pub(crate) mod init;
pub(crate) mod keys;
pub(crate) mod label;
pub(crate) mod miner;
pub(crate) mod model;
pub(crate) mod policy;
pub(crate) mod proxy;
pub(crate) mod task;
pub(crate) mod validator;
pub(crate) mod wallet;
pub(crate) mod weights;

mod admin;
mod checks;
mod confirm;
mod earnings;
mod judges;
mod samples;
mod standing;
mod statements;
mod weights_file;

use std::io::Write as _;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use weighhouse_chain::address::ChainAddress;
use weighhouse_chain::ledger::Remote;
use weighhouse_chain::{ChainError, SharedChain};
use weighhouse_seams::{DialMap, Dialer, DirStorage, MappedDialer, SystemClock, TcpBound, TcpDialer};
use weighhouse_types::{Digest, address};

use crate::failure::{Context, Exit, Failure};

pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            let hint = "check the path; deploy/ in the source has an example of every file";
            Failure::new(Exit::Missing, format!("{}: there is no such file; {hint}", path.display()))
        }
        _ => Failure::new(Exit::Missing, format!("{}: {error}", path.display())),
    })
}

/// Connects to a served ledger, or to a subtensor network, and pins its genesis.
pub(crate) async fn connect(address: &ChainAddress, genesis: Option<Digest>) -> Result<SharedChain, Failure> {
    if address.is_subtensor() {
        return subtensor(address, genesis).await;
    }
    let (dialer, clock) = (Arc::new(TcpDialer), Arc::new(SystemClock::new()));
    let remote = Remote::connect(address.ledger_url(), genesis, dialer, clock).await;
    Ok(Arc::new(remote.map_err(chain_failure)?))
}

/// What `--chain` takes to mean this network.
pub(crate) fn chain_option(address: &ChainAddress) -> String {
    match (address.endpoints(), address.network()) {
        ([], Some(network)) => network.as_str().to_owned(),
        ([], None) => address.to_string(),
        (endpoints, _) => endpoints.join(","),
    }
}

/// Logs each old spelling of a configuration file with the new one.
pub(crate) fn warn_of(outdated: &[String]) {
    for advice in outdated {
        tracing::warn!("{advice}");
    }
}

/// Says what this build lacks, and how to get it.
#[cfg(not(all(feature = "hub", feature = "subtensor")))]
pub(crate) fn lacks(what: &str) -> Failure {
    Failure::config(format!(
        "{what} is not in this build: build it with `cargo build --release --features full`"
    ))
}

#[cfg(feature = "subtensor")]
async fn subtensor(address: &ChainAddress, genesis: Option<Digest>) -> Result<SharedChain, Failure> {
    use weighhouse_chain::subtensor::{Network, Subtensor};
    let network = Network::try_from(address).exit(Exit::Config, "chain")?;
    let chain = Subtensor::connect(&network.with_genesis(genesis)).await;
    Ok(Arc::new(chain.map_err(chain_failure)?))
}

#[cfg(not(feature = "subtensor"))]
async fn subtensor(address: &ChainAddress, _: Option<Digest>) -> Result<SharedChain, Failure> {
    Err(lacks(&format!("{address}: a subtensor network")))
}

/// Dials axons where the map says.
pub(crate) fn dialer(map: &DialMap) -> Arc<dyn Dialer> {
    if map.is_empty() {
        return Arc::new(TcpDialer);
    }
    Arc::new(MappedDialer::new(map.clone(), Arc::new(TcpDialer)))
}

pub(crate) fn chain_failure(error: ChainError) -> Failure {
    let exit = match &error {
        ChainError::Unreachable { .. } | ChainError::TimedOut { .. } | ChainError::NoBlock { .. } => {
            Exit::Unavailable
        }
        ChainError::WrongGenesis { .. } | ChainError::NoSubnet(_) | ChainError::NoEpoch { .. } => {
            Exit::Config
        }
        ChainError::EndpointsDisagree { .. }
        | ChainError::AnswersDisagree { .. }
        | ChainError::FinalityBroken { .. }
        | ChainError::Discarded { .. }
        | ChainError::OutcomeDiscarded { .. } => Exit::Unavailable,
        ChainError::Runtime { .. } => Exit::Unavailable,
        ChainError::State { .. } => Exit::Data,
        ChainError::Refused(_) | ChainError::NotAccepted(_) | ChainError::Unsupported { .. } => Exit::Denied,
        ChainError::Expired { .. } => Exit::Unavailable,
        ChainError::Undecodable(_) => Exit::Internal,
    };
    let hint = match &error {
        ChainError::Unreachable { endpoint, .. } if endpoint.starts_with("http") => {
            "; is `weighhouse chain serve` running there?"
        }
        _ => "",
    };
    Failure::new(exit, format!("{error}{hint}"))
}

pub(crate) async fn bind(address: SocketAddr, key: &str) -> Result<TcpBound, Failure> {
    let bound = TcpBound::bind(address).await;
    bound.map_err(|error| {
        let fix = if error.kind() == std::io::ErrorKind::AddrInUse {
            format!("; another process has the port: stop it or choose another with `{key}`")
        } else {
            String::new()
        };
        Failure::new(Exit::Unavailable, format!("can't listen on {address}: {error}{fix}"))
    })
}

/// The address of a host to dial, which may have a name.
pub(crate) fn resolved(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = address::parse(text) {
        return Ok(address);
    }
    let form = "write HOST:PORT, such as 10.0.0.7:8091 or miner.example:8091";
    let found = text.trim().to_socket_addrs().map_err(|error| format!("{text:?}: {error}; {form}"))?;
    found.into_iter().next().ok_or_else(|| format!("{text:?} has no address; {form}"))
}

pub(crate) fn open_dir(dir: &Path, key: &str) -> Result<DirStorage, Failure> {
    DirStorage::open(dir).exit(Exit::Unavailable, format!("can't use {} ({key})", dir.display()))
}

/// Writes a file whole: whoever looks at it finds the old bytes or the new ones.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    ReservedFile::open(path)?.write(bytes)
}

/// A file that will be written: its folder took a temporary one, so that hours of work don't end where they can't be kept.
#[derive(Debug)]
pub(crate) struct ReservedFile {
    path: PathBuf,
    file: tempfile::NamedTempFile,
}

impl ReservedFile {
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let cant = || format!("can't write {}", path.display());
        if path.is_dir() {
            return Err(Failure::new(Exit::Unavailable, format!("{}: it is a folder", cant())));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // A temporary file is its owner's alone by default, and this one becomes the file that others read.
        let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        let file = tempfile::Builder::new().permissions(readable).tempfile_in(folder);
        Ok(Self { path: path.to_owned(), file: file.exit(Exit::Unavailable, cant())? })
    }

    pub(crate) fn write(mut self, bytes: &[u8]) -> Result<(), Failure> {
        let mut write = || {
            self.file.write_all(bytes)?;
            self.file.as_file().sync_all()
        };
        let cant = format!("can't write {}", self.path.display());
        write().exit(Exit::Unavailable, &cant)?;
        self.file.persist(&self.path).map(drop).exit(Exit::Unavailable, cant)
    }
}

/// Refuses to write over a file.
pub(crate) fn refuse_existing(path: &Path) -> Result<(), Failure> {
    if path.exists() {
        return Err(Failure::config(format!(
            "{} exists already and was left as it is; name another with --out",
            path.display()
        )));
    }
    Ok(())
}

/// `~/` at the start of a path is the home folder.
pub(crate) fn expand(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), std::env::var_os("HOME")) {
        (Ok(rest), Some(home)) => Path::new(&home).join(rest),
        _ => path.to_owned(),
    }
}
