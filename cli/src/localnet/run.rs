//! The run itself: build everybody, start the miners, then block by block until the epochs are over.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rand::Rng as _;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use weighhouse_chain::Chain;
use weighhouse_chain::ledger::Ledger;
use weighhouse_miner::server::{self, Parts as MinerParts};
use weighhouse_scoring::explain;
use weighhouse_seams::{
    Clock, ClockExt, CpuPool, DirStorage, Entropy, Storage, SystemClock, TcpBound, TcpDialer,
};
use weighhouse_types::{Block, Epoch, MechId, Record};
use weighhouse_validator::config::{Publish, Rounds};
use weighhouse_validator::{Parts as ValidatorParts, Progress, Validator};

use super::economy::{Economy, NETUID, Participant, Role, derive};
use super::report::EpochReport;
use super::served::Served;
use super::{Localnet, Mode, Work, copier};
use crate::failure::{Context, Exit, Failure};

const ROUNDS_PER_EPOCH: u32 = 3;
/// A block that some validator hasn't worked through by then is a bug, not a slow machine.
const BLOCK_DEADLINE: Duration = Duration::from_secs(120);
/// The offline miner answers the first epoch's first round, which runs at this block.
const OFFLINE_AFTER: Block = Block(1);

/// What a kept state was made with.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Kept {
    seed: u64,
    mode: Mode,
    #[serde(default)]
    task: Work,
    #[serde(default)]
    commit_reveal: bool,
}

pub(crate) async fn run(args: Localnet, shutdown: CancellationToken) -> Result<(), Failure> {
    let temporary = match &args.dir {
        Some(_) => None,
        None => Some(tempfile::Builder::new().prefix("weighhouse-localnet-").tempdir()?),
    };
    let dir =
        args.dir.clone().or_else(|| temporary.as_ref().map(|dir| dir.path().to_owned())).unwrap_or_default();
    let root = lock(&dir)?;
    let kept = settle(&root, &args)?;
    let net = Net::open(&dir, kept, &args).await?;
    net.run(&args, shutdown).await
}

fn lock(dir: &Path) -> Result<DirStorage, Failure> {
    DirStorage::open(dir).exit(Exit::Unavailable, format!("can't use {}", dir.display()))
}

/// The seed and mode of a kept state, or the ones asked for, then kept.
fn settle(root: &DirStorage, args: &Localnet) -> Result<Kept, Failure> {
    const NAME: &str = "localnet.json";
    let path = root.describe(NAME);
    if let Some(bytes) = root.read(NAME)? {
        let kept: Kept = serde_json::from_slice(&bytes)
            .exit(Exit::Data, format!("{path} is damaged; restore it or use another --dir"))?;
        let other =
            args.mode != kept.mode || args.task != kept.task || args.commit_reveal != kept.commit_reveal;
        if args.seed.is_some_and(|seed| seed != kept.seed) || other {
            let (seed, mode, task) = (kept.seed, kept.mode.name(), kept.task.name());
            let hidden = if kept.commit_reveal { " --commit-reveal" } else { "" };
            return Err(Failure::config(format!(
                "{path}: this state was made with --seed {seed} --mode {mode} --task {task}{hidden}; resume with the \
                 same or use another --dir"
            )));
        }
        return Ok(kept);
    }
    let seed = args.seed.unwrap_or_else(|| Entropy::system().next_u32().into());
    let kept = Kept { seed, mode: args.mode, task: args.task, commit_reveal: args.commit_reveal };
    let bytes = serde_json::to_vec(&kept).exit(Exit::Internal, "localnet.json")?;
    root.write_atomic(NAME, &bytes)?;
    Ok(kept)
}

struct Net {
    dir: PathBuf,
    kept: Kept,
    economy: Economy,
    ledger: Ledger,
    clock: Arc<dyn Clock>,
    cpu: CpuPool,
    served: Served,
}

/// The roles while they run.
struct Roles {
    tasks: JoinSet<Result<(), Failure>>,
    stop: CancellationToken,
    validators: Vec<watch::Receiver<Progress>>,
    copier: watch::Receiver<Block>,
}

impl Net {
    async fn open(dir: &Path, kept: Kept, args: &Localnet) -> Result<Self, Failure> {
        let economy = Economy::new(kept.seed, kept.task, kept.commit_reveal)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        let cpu = CpuPool::new(threads, 4096);
        let ledger =
            crate::commands::chain::open_ledger(&dir.join("chain.redb"), &economy.genesis, clock.clone())
                .await?;
        let served = Served::load(kept.task, kept.mode, args)?;
        Ok(Self { dir: dir.to_owned(), kept, economy, ledger, clock, cpu, served })
    }

    async fn run(self, args: &Localnet, shutdown: CancellationToken) -> Result<(), Failure> {
        let started = self.subnet().await?;
        let last = args.epochs.map(|epochs| started.schedule.epoch.0 + epochs);
        self.greet(args, started.head.number)?;
        let mut roles = Roles {
            tasks: JoinSet::new(),
            stop: CancellationToken::new(),
            validators: Vec::new(),
            copier: watch::channel(Block(0)).1,
        };
        let outcome = self.drive(args, last, started.schedule.epoch, &mut roles, &shutdown).await;
        crate::output::live("");
        roles.stop.cancel();
        while let Some(ended) = roles.tasks.join_next().await {
            if let (Ok(_), Ok(Err(error))) = (&outcome, ended) {
                return Err(error);
            }
        }
        let report = match outcome? {
            Some(report) => report,
            None => return Ok(()),
        };
        let records = self.records(&self.validators()[0], Epoch(report.epoch)).await?;
        let explanations = explain(&records).exit(Exit::Internal, "explaining the last epoch")?;
        report.print_totals(&self.economy, self.kept.seed, self.kept.mode, &explanations, args.json)
    }

    fn greet(&self, args: &Localnet, block: Block) -> Result<(), Failure> {
        if args.json {
            return Ok(());
        }
        let (validators, miners): (Vec<_>, Vec<_>) =
            self.economy.participants.iter().partition(|participant| participant.role.validates());
        crate::output::line(format!(
            "localnet: {} miners and {} validators, task {}, mode {}, seed {}, {}",
            miners.len(),
            validators.len(),
            self.kept.task.name(),
            self.kept.mode.name(),
            self.kept.seed,
            if block.0 == 0 { "a new chain".to_owned() } else { format!("resumed at block {block}") },
        ))?;
        crate::output::line("")?;
        Ok(())
    }

    /// Produces blocks until `last` epochs are over or `shutdown`; the last closed epoch, if any closed.
    async fn drive(
        &self,
        args: &Localnet,
        last: Option<u64>,
        first: Epoch,
        roles: &mut Roles,
        shutdown: &CancellationToken,
    ) -> Result<Option<EpochReport>, Failure> {
        let offline = self.start_miners(roles).await?;
        self.start_validators(roles).await?;
        let mut epoch = first;
        let mut report = None;
        loop {
            let head = self.ledger.head().await.exit(Exit::Internal, "ledger")?.number;
            let state = self.subnet().await?;
            if let Some(next) = state.schedule.next_epoch_block() {
                crate::output::live(format_args!("epoch {}: block {head} of {next}", state.schedule.epoch));
            }
            if state.schedule.epoch > epoch {
                crate::output::live("");
                let closed = self.report(epoch, state).await?;
                closed.print(&self.economy, args.json)?;
                report = Some(closed);
                epoch = Epoch(epoch.0 + 1);
            }
            if last.is_some_and(|last| epoch.0 >= last) || shutdown.is_cancelled() {
                return Ok(report);
            }
            tokio::select! {
                worked = self.worked_through(head, roles) => worked?,
                () = shutdown.cancelled() => return Ok(report),
            }
            if head >= OFFLINE_AFTER {
                offline.cancel();
            }
            self.ledger.produce_block().await.exit(Exit::Internal, "ledger")?;
        }
    }

    /// Waits until every validator is done with a block; a role that ended is an error.
    async fn worked_through(&self, block: Block, roles: &mut Roles) -> Result<(), Failure> {
        let (validators, copier, tasks) = (&mut roles.validators, &mut roles.copier, &mut roles.tasks);
        let everybody = async {
            for validator in validators {
                if validator.wait_for(|progress| progress.block >= block).await.is_err() {
                    return false;
                }
            }
            copier.wait_for(|done| *done >= block).await.is_ok()
        };
        let waited = self.clock.timeout(BLOCK_DEADLINE, everybody).await;
        if waited == Ok(true) {
            return Ok(());
        }
        while let Some(ended) = tasks.try_join_next() {
            ended.exit(Exit::Internal, "a role panicked")??;
        }
        Err(Failure::internal(format!(
            "a validator was not done with block {block} in {} s",
            BLOCK_DEADLINE.as_secs()
        )))
    }

    async fn subnet(&self) -> Result<weighhouse_types::SubnetState, Failure> {
        self.ledger.subnet(NETUID).await.exit(Exit::Internal, "ledger")
    }

    fn validators(&self) -> Vec<Participant> {
        let participants = self.economy.participants.iter();
        participants.filter(|participant| participant.role == Role::Validator).cloned().collect()
    }

    /// An epoch's records as a validator journalled them, read while it may still be running.
    async fn records(&self, validator: &Participant, epoch: Epoch) -> Result<Vec<Record>, Failure> {
        let path =
            self.dir.join("validators").join(validator.persona).join(weighhouse_journal::segment_name(epoch));
        let bytes = std::fs::read(&path).exit(Exit::Internal, path.display())?;
        let segment = weighhouse_journal::Segment::read(&bytes).exit(Exit::Data, path.display())?;
        Ok(segment.into_records())
    }

    async fn report(
        &self,
        epoch: Epoch,
        state: weighhouse_types::SubnetState,
    ) -> Result<EpochReport, Failure> {
        let largest = &self.validators()[0];
        let records = self.records(largest, epoch).await?;
        let decision = weighhouse_scoring::weigh(&records).exit(Exit::Internal, "weighing the journal")?;
        let scores = decision.scores().iter().map(|scored| (scored.uid, scored.score.to_f64())).collect();
        let published =
            self.ledger.weights(NETUID, MechId(0), largest.uid).await.exit(Exit::Internal, "ledger")?;
        let weights = weighhouse_types::WeightVector::new(published).ok();
        Ok(EpochReport { epoch: epoch.0, state, scores, weights })
    }

    /// Starts every miner and returns once their axons are on the chain; cancelling the token takes one offline.
    async fn start_miners(&self, roles: &mut Roles) -> Result<CancellationToken, Failure> {
        let offline = roles.stop.child_token();
        let state = self.subnet().await?;
        let head = state.head.number;
        let (mut expected, mut ready) = (0, Vec::new());
        for participant in &self.economy.participants {
            if participant.role.validates() || (participant.role == Role::Offline && head >= OFFLINE_AFTER) {
                continue;
            }
            let stop = if participant.role == Role::Offline { offline.clone() } else { roles.stop.clone() };
            let axon = state.metagraph.neuron(participant.uid).and_then(|neuron| neuron.axon);
            let axon = axon.map(|axon| axon.address());
            let (parts, is_ready) = self.miner(participant, axon, stop).await?;
            expected += usize::from(axon != Some(parts.listener.local_addr()));
            ready.push(is_ready);
            let persona = participant.persona;
            roles.tasks.spawn(async move {
                server::run(parts).await.exit(Exit::Unavailable, format!("miner {persona}"))
            });
        }
        // One block takes all the axons, so that its number doesn't depend on who was fastest. A resumed run finds its
        // ports free and its axons published, and makes none.
        let all_in = async {
            for is_ready in &mut ready {
                if is_ready.wait_for(|ready| *ready).await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
            while self.ledger.pool_len() < expected {
                self.clock.sleep(Duration::from_millis(10)).await;
            }
        };
        if self.clock.timeout(BLOCK_DEADLINE, all_in).await.is_err() {
            while let Some(ended) = roles.tasks.try_join_next() {
                ended.exit(Exit::Internal, "a miner panicked")??;
            }
            return Err(Failure::internal("the miners didn't publish their axons"));
        }
        if expected > 0 {
            self.ledger.produce_block().await.exit(Exit::Internal, "ledger")?;
        }
        Ok(offline)
    }

    async fn miner(
        &self,
        participant: &Participant,
        axon: Option<SocketAddr>,
        shutdown: CancellationToken,
    ) -> Result<(MinerParts, watch::Receiver<bool>), Failure> {
        let listener = match axon {
            Some(address) => TcpBound::bind(address).await.ok(),
            None => None,
        };
        let listener = match listener {
            Some(listener) => listener,
            None => {
                TcpBound::bind(([127, 0, 0, 1], 0).into()).await.exit(Exit::Unavailable, "binding a port")?
            }
        };
        let (ready, is_ready) = watch::channel(false);
        let guesses = derive(self.kept.seed, participant.persona, "guesses");
        let (config, engine) = self.served.engine(participant.role, guesses, &self.clock, &self.cpu)?;
        let state = self.dir.join("miners").join(participant.persona);
        let parts = MinerParts {
            config,
            keypair: participant.keypair.clone(),
            chain: Arc::new(self.ledger.clone()),
            engine,
            listener: Box::new(listener),
            clock: self.clock.clone(),
            storage: Arc::new(lock(&state)?),
            cpu: self.cpu.clone(),
            ready,
            shutdown,
        };
        Ok((parts, is_ready))
    }

    async fn start_validators(&self, roles: &mut Roles) -> Result<(), Failure> {
        for participant in self.validators() {
            let parts = ValidatorParts {
                netuid: NETUID,
                mechanism: MechId(0),
                rounds: Rounds {
                    per_epoch: ROUNDS_PER_EPOCH,
                    deadline: self.served.deadline(),
                    ..Rounds::default()
                },
                publish: Publish::default(),
                policy: weighhouse_scoring::policy::DEFAULT_POLICY.as_bytes().to_vec(),
                staged: None,
                task_file: self.served.task_file.as_bytes().to_vec(),
                task: self.served.task.clone(),
                keypair: participant.keypair.clone(),
                chain: Arc::new(self.ledger.clone()),
                dialer: Arc::new(TcpDialer),
                clock: self.clock.clone(),
                entropy: Entropy::system(),
                storage: Arc::new(lock(&self.dir.join("validators").join(participant.persona))?),
                cpu: self.cpu.clone(),
            };
            let persona = participant.persona;
            let validator = Validator::open(parts).await.exit(Exit::Data, format!("validator {persona}"))?;
            roles.validators.push(validator.progress());
            let stop = roles.stop.clone();
            roles.tasks.spawn(async move {
                validator.run(stop).await.exit(Exit::Internal, format!("validator {persona}"))
            });
        }
        let copier = self.economy.participants.iter().find(|participant| participant.role == Role::Copier);
        if let Some(participant) = copier {
            let (sender, receiver) = watch::channel(Block(0));
            roles.copier = receiver;
            let (keypair, stop) = (participant.keypair.clone(), roles.stop.clone());
            let chain: Arc<dyn Chain> = Arc::new(self.ledger.clone());
            roles.tasks.spawn(async move {
                copier::run(chain, keypair, sender, stop).await.exit(Exit::Internal, "the copier")
            });
        }
        Ok(())
    }
}
