//! Starting the miners: each on a port of its own, with its axon on the chain before the first round.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use weighhouse_miner::Live;
use weighhouse_miner::engine::{Catalogue, Engine};
use weighhouse_miner::server::{self, Parts};
use weighhouse_seams::{ClockExt, Entropy, TcpBound};

use super::roles::Roles;
use super::{BLOCK_DEADLINE, Localnet, OFFLINE_AFTER, folder};
use crate::economy::{Participant, Role, Service, derive};
use crate::error::LocalnetError;
use crate::served::Served;
use crate::troubles::HeardMiner;

/// The pause between two looks at the calls that wait for a block.
const POOL_PAUSE: Duration = Duration::from_millis(10);

impl Localnet {
    /// Starts every miner and returns once their axons are on the chain; cancelling the token takes one offline.
    pub(super) async fn start_miners(&self, roles: &mut Roles) -> Result<CancellationToken, LocalnetError> {
        let offline = roles.stop.child_token();
        let state = self.subnet().await?;
        let is_late = state.head.number >= OFFLINE_AFTER;
        let (mut expected, mut ready) = (0, Vec::new());
        for participant in &self.economy.participants {
            if participant.validates() {
                continue;
            }
            let is_offline = matches!(participant.role, Role::Miner { service: Service::Offline, .. });
            if is_offline && is_late {
                continue;
            }
            let stop = if is_offline { offline.clone() } else { roles.stop.clone() };
            let axon = state.metagraph.neuron(participant.uid).and_then(|neuron| neuron.axon);
            let axon = axon.map(|axon| axon.address());
            let (parts, is_ready) = self.miner(participant, axon, stop).await?;
            // A miner that is back at its old address announces nothing, so no call of its is waited for.
            expected += usize::from(axon != Some(parts.listener.local_addr()));
            ready.push(is_ready);
            let persona = participant.persona.clone();
            roles.tasks.spawn(async move {
                server::run(parts).await.map_err(|source| LocalnetError::Miner { persona, source })
            });
        }
        self.wait_for_axons(expected, ready, roles).await?;
        Ok(offline)
    }

    /// Takes all axons into one block, so that its number doesn't depend on who was fastest. A resumed run finds its ports
    /// free and its axons published, and makes none.
    async fn wait_for_axons(
        &self,
        expected: usize,
        mut ready: Vec<watch::Receiver<bool>>,
        roles: &mut Roles,
    ) -> Result<(), LocalnetError> {
        let all_in = async {
            for is_ready in &mut ready {
                if is_ready.wait_for(|ready| *ready).await.is_err() {
                    // It ended: the deadline passes, and its error is told.
                    std::future::pending::<()>().await;
                }
            }
            while self.ledger.pool_len() < expected {
                self.clock.sleep(POOL_PAUSE).await;
            }
        };
        if self.clock.timeout(BLOCK_DEADLINE, all_in).await.is_err() {
            roles.first_failure()?;
            return Err(LocalnetError::NoAxons);
        }
        if expected > 0 {
            // One block holds all axons, whichever miner came first: two runs of a seed stay alike.
            self.ledger.produce_block().await?;
        }
        Ok(())
    }

    async fn miner(
        &self,
        participant: &Participant,
        axon: Option<SocketAddr>,
        shutdown: CancellationToken,
    ) -> Result<(Parts, watch::Receiver<bool>), LocalnetError> {
        let listener = match axon {
            // The old port again, where it is free: validators of a resumed localnet know no other.
            Some(address) => TcpBound::bind(address).await.ok(),
            None => None,
        };
        let listener = match listener {
            Some(listener) => listener,
            None => TcpBound::bind(([127, 0, 0, 1], 0).into()).await.map_err(LocalnetError::Port)?,
        };
        let (ready, is_ready) = watch::channel(false);
        let state = self.dir.join("miners").join(&participant.persona);
        let config = Served::config()?;
        let models = Catalogue::of(self.engine(participant)?);
        let parts = Parts {
            live: Live::new(models, &config, &self.clock),
            config,
            keypair: participant.keypair.clone(),
            chain: Arc::new(self.ledger.clone()),
            listener: Box::new(listener),
            clock: self.clock.clone(),
            storage: Arc::new(folder(&state)?),
            entropy: Entropy::system(),
            cpu: self.cpu.clone(),
            ready,
            shutdown,
        };
        Ok((parts, is_ready))
    }

    /// Engine of a miner: its persona's answers, or a program of the user's.
    fn engine(&self, participant: &Participant) -> Result<Arc<dyn Engine>, LocalnetError> {
        match &participant.role {
            Role::Guest(guest) => self.guest(*guest, participant),
            Role::Miner { persona, service } => {
                let guesses = derive(self.kept.seed, &participant.persona, "guesses");
                self.served.engine(persona, *service, guesses, &self.clock, &self.cpu)
            }
            Role::Validator | Role::Copier => {
                Err(LocalnetError::BuiltIn(format!("{} serves nothing", participant.persona)))
            }
        }
    }

    fn guest(&self, guest: usize, participant: &Participant) -> Result<Arc<dyn Engine>, LocalnetError> {
        let (name, deadline) = (&self.served.task.file().model, self.served.deadline());
        let engine = self.guests.engine(guest, name, deadline, &self.clock);
        let engine = engine.ok_or_else(|| LocalnetError::BuiltIn(format!("no engine for guest {guest}")))?;
        let (persona, troubles) = (participant.persona.clone(), self.troubles.clone());
        Ok(Arc::new(HeardMiner { engine, persona, troubles }))
    }
}
