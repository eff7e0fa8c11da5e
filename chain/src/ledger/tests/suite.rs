//! The suite of [`crate::conformance`], on the ledger in process and across the network.

use weighhouse_seams::TcpDialer;

use super::super::*;
use super::remote::served;
use super::world::*;
use crate::SharedChain;
use crate::conformance::{Actor, Actors, Connect, subnet, transport};
use weighhouse_types::Hyperparameters;

/// A ledger that makes blocks by itself, with time to act within an epoch.
fn running() -> Ledger {
    let mut file = file();
    file.block_time = BlockTime::Every { millis: 10 };
    file.subnets[0].hyperparameters = Hyperparameters { tempo: 40, ..rules() };
    let genesis = Genesis::new(file).expect("valid");
    Ledger::in_memory(&genesis, clock(), &mut entropy()).expect("opens")
}

fn actors() -> Actors {
    let actor = |uid: u8| Actor { hotkey: key(1 + uid), coldkey: coldkey(uid) };
    Actors {
        netuid: NETUID,
        owner: Some(owner()),
        validators: (0..VALIDATORS).map(actor).collect(),
        miners: (VALIDATORS..VALIDATORS + MINERS).map(actor).collect(),
        newcomer: Some(Actor { hotkey: key(50), coldkey: coldkey(4) }),
    }
}

struct InProcess(Ledger);

#[async_trait]
impl Connect for InProcess {
    async fn connect(&self) -> Result<SharedChain, ChainError> {
        Ok(Arc::new(self.0.clone()))
    }
}

struct OverGrpc(String);

#[async_trait]
impl Connect for OverGrpc {
    async fn connect(&self) -> Result<SharedChain, ChainError> {
        Ok(Arc::new(Remote::connect(&self.0, None, Arc::new(TcpDialer), clock()).await?))
    }
}

#[expect(clippy::print_stderr, reason = "what was not executed must be seen")]
async fn check(ledger: &Ledger, connect: &dyn Connect) {
    let suite = async {
        let reports = [transport(connect, &actors()).await, {
            let chain = connect.connect().await.expect("connects");
            subnet(&*chain, &actors()).await
        }];
        for report in reports {
            eprint!("{report}");
            assert_eq!(report.failed(), [], "{report}");
            assert_eq!(report.unexecuted(), [""; 0], "{report}");
        }
    };
    ledger.run(suite).await.expect("runs");
}

#[tokio::test]
async fn the_ledger_in_process_passes_the_suite() {
    let ledger = running();
    check(&ledger, &InProcess(ledger.clone())).await;
}

#[tokio::test]
async fn the_ledger_over_grpc_passes_the_suite() {
    let ledger = running();
    served(ledger.clone(), LedgerLimits::default(), async |url| check(&ledger, &OverGrpc(url)).await).await;
}

/// Without an owner and a newcomer, what needs them is not executed, and nothing fails.
#[tokio::test]
async fn what_nobody_can_act_is_unexecuted_by_name() {
    let ledger = running();
    let few = Actors { owner: None, newcomer: None, ..actors() };
    let suite = async {
        let report = subnet(&ledger, &few).await;
        assert_eq!(report.failed(), [], "{report}");
        let expected = [
            "a registration costs its price and gives a uid",
            "hashed weights are revealed in their epoch",
            "timelocked weights open by themselves",
            "an epoch is triggered ahead of time",
        ];
        assert_eq!(report.unexecuted(), expected, "{report}");
    };
    ledger.run(suite).await.expect("runs");
}
