//! What a trial is made of: a ledger in memory with a validator and a miner on it, and the parts of both.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use weighhouse_chain::ledger::{BlockTime, Genesis, GenesisFile, Ledger, NeuronEntry, SubnetEntry};
use weighhouse_chain::{Call, Chain as _};
use weighhouse_miner::{Live, server};
use weighhouse_scoring::policy::DEFAULT_POLICY;
use weighhouse_seams::{Clock, CpuPool, Entropy, Listener as _, SystemClock, TcpBound, TcpDialer};
use weighhouse_tasks::Task;
use weighhouse_types::{Axon, Block, Hyperparameters, MechId, Rao, Uid};
use weighhouse_validator::config::{Publish, Rounds};
use weighhouse_validator::{Parts, Retention};
use weighhouse_wallet::keypair::Keypair;

use super::{Trial, TrialError};
use crate::economy::{NETUID, derive};
use crate::net::folder;

/// The validator has 0.
pub(super) const MINER: Uid = Uid(1);

const VALIDATOR_STAKE_TAO: u64 = 1_000;
/// Jobs of models and signatures that wait.
const QUEUE_MAX: usize = 256;
/// A trial asks faster than any validator does.
const QUOTA: NonZeroU32 = NonZeroU32::new(1_000_000).expect("not zero");

/// The subnet, and what its validator judges by.
pub(super) struct TrialParts {
    pub(super) ledger: Ledger,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) journal: PathBuf,
    validator: Arc<Keypair>,
    cpu: CpuPool,
    task_file: String,
    task: Arc<Task>,
    rounds: u16,
    deadline: Duration,
}

impl TrialParts {
    /// Makes the subnet, and the miner on it, which is yet to be run.
    pub(super) async fn of(
        trial: Trial,
        stop: &CancellationToken,
    ) -> Result<(Self, server::Parts, watch::Receiver<bool>), TrialError> {
        let key = |who: &str| Keypair::from_seed(&derive(trial.seed, who, "trial").0);
        let (validator, miner) = (Arc::new(key("validator")), Arc::new(key("miner")));
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let genesis = genesis(&trial, [&validator, &miner, &key("owner")])?;
        let ledger = Ledger::in_memory(&genesis, clock.clone(), &mut Entropy::system())?;
        let listener = TcpBound::bind(([127, 0, 0, 1], 0).into()).await.map_err(TrialError::Port)?;
        // Published here, so that no block has to wait for the miner to do it.
        let axon = Axon::new(listener.local_addr(), 1, Block(0));
        let call = ledger.sign(&miner, Call::ServeAxon { netuid: NETUID, axon }).await?;
        ledger.submit(&call).await?;
        ledger.produce_block().await?;
        let cpu = CpuPool::new(std::thread::available_parallelism().map_or(2, usize::from), QUEUE_MAX);
        let Trial { mut config, models, task_file, task, rounds, deadline, seed: _, dir } = trial;
        (config.chain.netuid, config.serve.external) = (NETUID, None);
        (config.admission.requests_per_second, config.admission.burst) = (QUOTA, QUOTA);
        // Its one validator has a permit, and never as much stake as an operator may ask for.
        config.admission.stake_min = Rao(0);
        let (ready, is_ready) = watch::channel(false);
        let parts = server::Parts {
            live: Live::new(models, &config, &clock),
            config,
            keypair: miner,
            chain: Arc::new(ledger.clone()),
            listener: Box::new(listener),
            clock: clock.clone(),
            storage: Arc::new(folder(&dir.join("miner"))?),
            entropy: Entropy::system(),
            cpu: cpu.clone(),
            ready,
            shutdown: stop.clone(),
        };
        let journal = dir.join("journal");
        let task = Arc::new(task);
        Ok((
            Self { ledger, clock, journal, validator, cpu, task_file, task, rounds, deadline },
            parts,
            is_ready,
        ))
    }

    /// The validator's parts.
    pub(super) fn validator(&self) -> Result<Parts, TrialError> {
        Ok(Parts {
            netuid: NETUID,
            mechanism: MechId(0),
            rounds: Rounds { per_epoch: self.rounds.into(), deadline: self.deadline, ..Rounds::default() },
            publish: Publish::default(),
            retention: Retention::default(),
            policy: DEFAULT_POLICY.as_bytes().to_vec(),
            staged: None,
            task_file: self.task_file.as_bytes().to_vec(),
            task: self.task.clone(),
            next_task: None,
            keypair: self.validator.clone(),
            chain: Arc::new(self.ledger.clone()),
            dialer: Arc::new(TcpDialer),
            canary: None,
            clock: self.clock.clone(),
            entropy: Entropy::system(),
            storage: Arc::new(folder(&self.journal)?),
            cpu: self.cpu.clone(),
        })
    }
}

fn genesis(trial: &Trial, [validator, miner, owner]: [&Keypair; 3]) -> Result<Genesis, TrialError> {
    let neuron = |keypair: &Keypair, stake| NeuronEntry {
        hotkey: keypair.hotkey(),
        coldkey: owner.coldkey(),
        stake,
        validator_permit: stake > Rao(0),
    };
    Ok(Genesis::new(GenesisFile {
        name: "trial".to_owned(),
        block_time: BlockTime::OnDemand,
        beacon_seed: Some(derive(trial.seed, "beacon", "trial")),
        accounts: Vec::new(),
        subnets: vec![SubnetEntry {
            netuid: NETUID,
            owner_coldkey: owner.coldkey(),
            owner_hotkey: owner.hotkey(),
            emission_per_block: Rao::from_tao(1),
            registration_price: Rao::from_tao(1),
            hyperparameters: Hyperparameters {
                tempo: trial.tempo(),
                min_allowed_weights: 1,
                weights_set_rate_limit: 1,
                serving_rate_limit: 0,
                ..Hyperparameters::default()
            },
            neurons: vec![neuron(validator, Rao::from_tao(VALIDATOR_STAKE_TAO)), neuron(miner, Rao(0))],
        }],
    })?)
}
