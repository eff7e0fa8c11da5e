//! A chain and miners for a life in another process, each at a socket, and that process.

use std::io::{self, BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use async_trait::async_trait;
use tokio::net::UnixListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use weighhouse_ask::verdicts::ENDPOINT_VERSION;
use weighhouse_chain::ledger::{LedgerLimits, serve};
use weighhouse_chain::{Call, Chain as _};
use weighhouse_journal::epoch_of_name;
use weighhouse_seams::{BoxIo, Dialer, Listener};
use weighhouse_types::{Axon, Block, Epoch};

use super::child::{CHAIN_PORT, ORDER, Order, TEST, TOLD, Told, WITNESS_PORT, socket_name};
use super::disk::Disk;
use crate::parts::Parts;
use crate::publish::tests::owner_sets;
use crate::role::Validator;
use crate::testing::{Behaviour, NETUID, World, address, validators};
use crate::verdicts::{self, VerdictsParts};

/// A subnet that other processes reach.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) world: World,
    folder: tempfile::TempDir,
    silent: Vec<u16>,
    witness: Option<Witness>,
    serving: JoinSet<()>,
}

/// Another validator, which signs checkpoints of the one that is killed, and notices a fork.
#[derive(Debug)]
struct Witness {
    validator: Validator,
    disk: Disk,
}

impl Served {
    /// `hides`: weights are committed and shown later.
    pub(super) async fn new(behaviours: &[Behaviour], hides: bool) -> io::Result<Self> {
        let world = World::with_validators(2, behaviours).await;
        if hides {
            owner_sets(&world, |rules| rules.commit_reveal_weights_enabled = true).await;
        }
        let folder = tempfile::tempdir()?;
        let sockets = folder.path();
        let mut serving = JoinSet::new();
        let bound = Bound::new(sockets, CHAIN_PORT)?;
        let ledger = world.ledger.clone();
        serving.spawn(async move {
            // It ends with this process.
            let _ = serve(ledger, Box::new(bound), LedgerLimits::default(), std::future::pending()).await;
        });
        let mut silent = Vec::new();
        for (index, behaviour) in behaviours.iter().enumerate() {
            let at = address(index);
            match behaviour {
                Behaviour::Gone => continue,
                Behaviour::Silent => silent.push(at.port()),
                _ => {}
            }
            let bound = Bound::new(sockets, at.port())?;
            let dialer = world.dialer();
            serving.spawn(async move {
                while let Ok((stream, _)) = bound.accept().await {
                    tokio::spawn(forward(stream, dialer.clone(), at));
                }
            });
        }
        Ok(Self { world, folder, silent, witness: None, serving })
    }

    /// Has a second validator sign the log.
    pub(super) async fn witness(&mut self) -> Result<(), String> {
        let keypair = Arc::new(validators(2).swap_remove(1));
        let ledger = &self.world.ledger;
        let endpoint = Axon::new(([127, 0, 0, 1], WITNESS_PORT).into(), ENDPOINT_VERSION, Block(0));
        let call = Call::ServePrometheus { netuid: NETUID, endpoint };
        let signed = ledger.sign(&keypair, call).await.map_err(|error| error.to_string())?;
        ledger.submit(&signed).await.map_err(|error| error.to_string())?;
        ledger.produce_block().await.map_err(|error| error.to_string())?;
        let disk = Disk::default();
        let parts = Parts { keypair, ..self.world.parts_on(Arc::new(disk.clone())) };
        let validator = Validator::open(parts).await.map_err(|error| error.to_string())?;
        let bound = Bound::new(self.folder.path(), WITNESS_PORT).map_err(|error| error.to_string())?;
        // A validator that is killed comes back sooner than others.
        let parts = VerdictsParts { requests_max: u32::MAX, ..validator.verdicts(Box::new(bound)) };
        self.serving.spawn(async move {
            // It ends with this process.
            let _ = verdicts::serve(parts, CancellationToken::new()).await;
        });
        self.witness = Some(Witness { validator, disk });
        Ok(())
    }

    /// Tells the witness of the epoch, and finds what it has seen: whether it has signed, and whether there is a fork.
    pub(super) fn witnessed(&self, epoch: Epoch) -> (bool, bool) {
        let Some(Witness { validator, disk }) = &self.witness else { return (false, false) };
        validator.book.note_epoch(epoch);
        let names = disk.names();
        let has = |prefix: &str| names.iter().any(|name| name.starts_with(prefix));
        (has("witnessed-"), has("fork-"))
    }

    pub(super) fn order(&self) -> Order {
        Order {
            journal: self.journal(),
            sockets: self.folder.path().to_owned(),
            silent: self.silent.clone(),
            ..Order::default()
        }
    }

    fn journal(&self) -> PathBuf {
        self.folder.path().join("journal")
    }

    pub(super) fn start(&self, order: &Order) -> io::Result<Process> {
        Process::start(order, &self.folder.path().join("errors"))
    }

    /// What the folder holds, of epochs from this one on: of a life that ended, or waits for a block.
    pub(super) fn disk(&self, from: Epoch) -> io::Result<Disk> {
        let disk = Disk::default();
        let Ok(entries) = std::fs::read_dir(self.journal()) else { return Ok(disk) };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().into_string().unwrap_or_default();
            let is_old = epoch_of_name(&name).is_some_and(|epoch| epoch < from);
            if !is_old && !name.starts_with('.') && name != "LOCK" {
                disk.put(&name, &std::fs::read(entry.path())?);
            }
        }
        Ok(disk)
    }
}

async fn forward(mut stream: BoxIo, dialer: Arc<dyn Dialer>, to: SocketAddr) {
    let Ok(mut miner) = dialer.dial(to).await else { return };
    // Either side may go away at any time.
    let _ = tokio::io::copy_bidirectional(&mut stream, &mut miner).await;
}

/// A socket that stands for a port.
#[derive(Debug)]
struct Bound {
    listener: UnixListener,
    local: SocketAddr,
}

impl Bound {
    fn new(folder: &Path, port: u16) -> io::Result<Self> {
        let listener = UnixListener::bind(folder.join(socket_name(port)))?;
        Ok(Self { listener, local: SocketAddr::from(([127, 0, 0, 1], port)) })
    }
}

#[async_trait]
impl Listener for Bound {
    fn local_addr(&self) -> SocketAddr {
        self.local
    }

    async fn accept(&self) -> io::Result<(BoxIo, SocketAddr)> {
        let (stream, _) = self.listener.accept().await?;
        Ok((Box::new(stream), self.local))
    }
}

/// A life under way; it ends with its owner.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    told: mpsc::UnboundedReceiver<Told>,
    errors: PathBuf,
}

impl Process {
    fn start(order: &Order, errors: &Path) -> io::Result<Self> {
        let json = serde_json::to_string(order)?;
        let mut child = Command::new(std::env::current_exe()?)
            .args([TEST, "--exact", "--ignored", "--nocapture"])
            .env(ORDER, json)
            // Else glibc spreads what is freed over as many arenas as there are threads, and nothing is seen of what is held.
            .env("MALLOC_ARENA_MAX", "1")
            // Held open for as long as this process lives.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(errors)?)
            .spawn()?;
        let said = child.stdout.take().expect("it is piped");
        let (teller, told) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in BufReader::new(said).lines().map_while(Result::ok) {
                let Some(json) = line.strip_prefix(TOLD) else { continue };
                // A line that the kill cut short tells nothing.
                let Ok(told) = serde_json::from_str(json) else { continue };
                let _ = teller.send(told);
            }
        });
        Ok(Self { child, told, errors: errors.to_owned() })
    }

    pub(super) async fn next(&mut self) -> Result<Told, String> {
        if let Some(told) = self.told.recv().await {
            return Ok(told);
        }
        let errors = std::fs::read_to_string(&self.errors).unwrap_or_default();
        let ended = self.child.wait().map_or_else(|error| error.to_string(), |ended| ended.to_string());
        Err(format!("it ended by itself: {ended}: {}", errors.trim()))
    }

    /// kill -9; what it had told until then.
    pub(super) async fn kill(mut self) -> io::Result<Vec<Told>> {
        self.child.kill()?;
        self.child.wait()?;
        let mut last = Vec::new();
        while let Some(told) = self.told.recv().await {
            last.push(told);
        }
        Ok(last)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended before; either way it is gone afterwards.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
