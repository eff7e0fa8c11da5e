//! Starting the validators, and the one that copies them.

use std::sync::Arc;

use tokio::sync::watch;
use tracing::warn;
use weighhouse_chain::Chain;
use weighhouse_scoring::policy::DEFAULT_POLICY;
use weighhouse_seams::{Entropy, Listener as _, TcpBound, TcpDialer};
use weighhouse_types::{Block, MechId};
use weighhouse_validator::config::{Publish, Rounds};
use weighhouse_validator::verdicts;
use weighhouse_validator::{Parts, Retention, Validator};

use super::roles::Roles;
use super::{Localnet, folder};
use crate::copier;
use crate::economy::{NETUID, Participant, Role};
use crate::error::LocalnetError;

impl Localnet {
    pub(super) async fn start_validators(&self, roles: &mut Roles) -> Result<(), LocalnetError> {
        for participant in self.validators() {
            let persona = participant.persona.clone();
            // One after the other, before the first block, so that all of them see the same chain.
            let validator = Validator::open(self.validator(participant)?).await;
            let mut validator = validator
                .map_err(|source| LocalnetError::OpenValidator { persona: persona.clone(), source })?;
            roles.validators.progress.push(validator.progress());
            let stop = roles.validators.stop.clone();
            let listener = TcpBound::bind(([127, 0, 0, 1], 0).into()).await.map_err(LocalnetError::Port)?;
            validator.publish_endpoint(listener.local_addr());
            // Its epochs take less than a second, and each has requests of every other validator.
            let mut parts = validator.verdicts(Box::new(listener));
            parts.requests_max = u32::MAX;
            let served = verdicts::serve(parts, stop.clone());
            let who = persona.clone();
            roles.validators.serving.spawn(async move {
                if let Err(error) = served.await {
                    warn!(validator = who, %error, "it witnesses no other validator any more");
                }
            });
            roles.validators.tasks.spawn(async move {
                validator.run(stop).await.map_err(|source| LocalnetError::Validator { persona, source })
            });
        }
        Ok(())
    }

    pub(super) fn start_copier(&self, roles: &mut Roles) {
        let copier =
            self.economy.participants.iter().find(|participant| matches!(participant.role, Role::Copier));
        if let Some(participant) = copier {
            let (sender, receiver) = watch::channel(Block(0));
            roles.copier = Some(receiver);
            let (keypair, stop) = (participant.keypair.clone(), roles.stop.clone());
            let chain: Arc<dyn Chain> = Arc::new(self.ledger.clone());
            roles.tasks.spawn(async move { Ok(copier::run(chain, keypair, sender, stop).await?) });
        }
    }

    fn validator(&self, participant: &Participant) -> Result<Parts, LocalnetError> {
        let deadline = self.served.deadline();
        Ok(Parts {
            netuid: NETUID,
            mechanism: MechId(0),
            rounds: Rounds { per_epoch: self.rounds, deadline, ..Rounds::default() },
            publish: Publish::default(),
            retention: Retention::default(),
            policy: match &self.subnet {
                Some(subnet) => subnet.policy.clone(),
                None => DEFAULT_POLICY.as_bytes().to_vec(),
            },
            staged: None,
            task_file: self.served.task_file.as_bytes().to_vec(),
            task: self.served.task.clone(),
            next_task: None,
            keypair: participant.keypair.clone(),
            chain: Arc::new(self.ledger.clone()),
            dialer: Arc::new(TcpDialer),
            // Its miners are on this machine too.
            canary: None,
            clock: self.clock.clone(),
            entropy: Entropy::system(),
            storage: Arc::new(folder(&self.dir.join("validators").join(&participant.persona))?),
            cpu: self.cpu.clone(),
        })
    }
}
