//! A ledger in memory with a validator and miners whose axons are where the caller says.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use weighhouse_chain::ledger::{BlockTime, Genesis, GenesisFile, Ledger, NeuronEntry, SubnetEntry};
use weighhouse_chain::{Call, Chain as _, certificate};
use weighhouse_models::Builtin;
use weighhouse_seams::{Clock, CpuPool, DirStorage, Entropy, SystemClock, TcpDialer, TlsPin};
use weighhouse_tasks::{DIGITS_CONFORMANCE, Task};
use weighhouse_types::{Axon, Block, Digest, Hyperparameters, MechId, Netuid, Rao};
use weighhouse_validator::config::{Publish, Rounds};
use weighhouse_validator::{Parts, Retention};
use weighhouse_wallet::keypair::Keypair;

use super::stubs::{miner, validator};

const NETUID: Netuid = Netuid(1);
/// Publications of axons that one block takes.
const CALLS: usize = 64;

/// Where a miner is, and the key that its connections are encrypted by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) address: SocketAddr,
    pub(crate) pin: Option<TlsPin>,
}

impl Place {
    pub(crate) fn plain(address: SocketAddr) -> Self {
        Self { address, pin: None }
    }
}

pub(crate) struct Subnet {
    ledger: Ledger,
    clock: Arc<dyn Clock>,
}

impl Subnet {
    pub(crate) async fn new(miners: &[Place], tempo: u16) -> anyhow::Result<Self> {
        let count = u16::try_from(miners.len())?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let key = |uri| Keypair::from_uri(uri).context("a development key");
        let entry = |keypair: &Keypair, stake, validator_permit| {
            anyhow::Ok(NeuronEntry {
                hotkey: keypair.hotkey(),
                coldkey: key("//Cold")?.coldkey(),
                stake,
                validator_permit,
            })
        };
        let mut neurons = vec![entry(&validator()?, Rao::from_tao(1000), true)?];
        for nth in 0..count {
            neurons.push(entry(&miner(nth), Rao(0), false)?);
        }
        let genesis = Genesis::new(GenesisFile {
            name: "round".into(),
            block_time: BlockTime::OnDemand,
            beacon_seed: Some(Digest::of(b"beacon")),
            accounts: Vec::new(),
            subnets: vec![SubnetEntry {
                netuid: NETUID,
                owner_coldkey: key("//Owner")?.coldkey(),
                owner_hotkey: key("//OwnerHot")?.hotkey(),
                emission_per_block: Rao(1_000_000_000),
                registration_price: Rao(1_000_000),
                hyperparameters: Hyperparameters {
                    tempo,
                    max_allowed_uids: count + 1,
                    min_allowed_weights: 1,
                    serving_rate_limit: 0,
                    ..Hyperparameters::default()
                },
                neurons,
            }],
        })?;
        let ledger = Ledger::in_memory(&genesis, clock.clone(), &mut Entropy::seeded([7; 32]))?;
        for (nth, place) in (0..).zip(miners) {
            let axon = Axon::new(place.address, 1, Block(0));
            let call = match &place.pin {
                Some(pin) => {
                    let certificate = certificate::of_pin(pin);
                    Call::ServeAxonTls { netuid: NETUID, axon, certificate }
                }
                None => Call::ServeAxon { netuid: NETUID, axon },
            };
            ledger.submit(&ledger.sign(&miner(nth), call).await?).await?;
            if usize::from(nth) % CALLS == CALLS - 1 {
                ledger.produce_block().await?;
            }
        }
        ledger.produce_block().await?;
        Ok(Self { ledger, clock })
    }

    pub(crate) async fn next_block(&self) -> anyhow::Result<()> {
        self.ledger.produce_block().await?;
        Ok(())
    }

    pub(crate) fn parts(&self, dir: &Path, rounds: Rounds) -> anyhow::Result<Parts> {
        Ok(Parts {
            netuid: NETUID,
            mechanism: MechId(0),
            rounds,
            publish: Publish::default(),
            policy: weighhouse_scoring::policy::DEFAULT_POLICY.as_bytes().to_vec(),
            staged: None,
            task_file: DIGITS_CONFORMANCE.as_bytes().to_vec(),
            task: Arc::new(Task::load(DIGITS_CONFORMANCE.as_bytes(), &Builtin::Reference.bytes())?),
            next_task: None,
            keypair: Arc::new(validator()?),
            chain: Arc::new(self.ledger.clone()),
            dialer: Arc::new(TcpDialer),
            canary: None,
            clock: self.clock.clone(),
            entropy: Entropy::seeded([1; 32]),
            storage: Arc::new(DirStorage::open(dir)?),
            cpu: CpuPool::new(2, 64),
            retention: Retention::default(),
        })
    }
}
