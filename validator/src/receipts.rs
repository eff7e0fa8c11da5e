//! Receipts for a round's answers: signed in the commit of their verdicts, then sent to the miners that gave them, again with the next
//! ones where a miner wasn't reached.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tracing::debug;
use weighhouse_ask::receipts::acknowledge;
use weighhouse_ask::{Asker, ProxyLimits, Target};
use weighhouse_proto::ACKNOWLEDGEMENTS_MAX;
use weighhouse_types::{
    Acknowledgement, AnswerReceipt, EpochContext, Fields, Hotkey, ReceiptedRound, Record, RoundReceipts,
};
use weighhouse_wallet::keypair::Keypair;
use weighhouse_wallet::receipt::{acknowledgements, sign};

use crate::metrics;

/// Miners that are told at once.
const AT_ONCE: usize = 64;
const LIMITS: ProxyLimits = ProxyLimits { deadline: Duration::from_secs(8), body_bytes_max: 1 << 10 };

/// A round's receipts as they are recorded and as they are told.
pub(crate) struct SignedReceipts {
    pub(crate) record: Record,
    pub(crate) told: Vec<Acknowledgement>,
}

/// Signs for a round's answers in these records; `None` where nobody gave any.
pub(crate) fn signed<'a>(
    keypair: &Keypair,
    context: &EpochContext,
    round: u32,
    unix_us: u64,
    records: impl IntoIterator<Item = &'a Record>,
) -> Option<SignedReceipts> {
    let receipts = AnswerReceipt::of_round(records, context.epoch, round);
    if receipts.is_empty() {
        return None;
    }
    let receipted = ReceiptedRound::of(context, round, unix_us);
    let signature = sign(&receipted, keypair, &receipts);
    let told = acknowledgements(&receipted, &receipts, &signature);
    let (epoch, fields) = (context.epoch, Fields::default());
    let record = Record::RoundReceipts(RoundReceipts { epoch, round, unix_us, signature, fields });
    Some(SignedReceipts { record, told })
}

/// Receipts on their way to their miners.
#[derive(Debug)]
pub(crate) struct Deliveries {
    /// Of miners that weren't reached, at most as many of each as one message has.
    waiting: BTreeMap<Hotkey, Vec<Acknowledgement>>,
    sending: JoinSet<(Hotkey, Vec<Acknowledgement>)>,
    places: Arc<Semaphore>,
}

impl Default for Deliveries {
    fn default() -> Self {
        Self { waiting: BTreeMap::new(), sending: JoinSet::new(), places: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl Deliveries {
    /// Sends each miner what it has not been told. Nothing waits for it: a validator that is stopped meanwhile has told fewer.
    pub(crate) fn send(
        &mut self,
        asker: &Asker,
        targets: &BTreeMap<Hotkey, Target>,
        told: Vec<Acknowledgement>,
    ) {
        while let Some(ended) = self.sending.try_join_next() {
            let Ok((hotkey, untold)) = ended else { continue };
            if !untold.is_empty() {
                self.waiting.entry(hotkey).or_default().splice(0..0, untold);
            }
        }
        for acknowledged in told {
            self.waiting.entry(acknowledged.receipt.hotkey).or_default().push(acknowledged);
        }
        for (hotkey, mut told) in std::mem::take(&mut self.waiting) {
            told.drain(..told.len().saturating_sub(ACKNOWLEDGEMENTS_MAX));
            // Whoever has left the subnet is told no more.
            let Some(target) = targets.get(&hotkey).copied() else { continue };
            let (asker, places) = (asker.clone(), self.places.clone());
            self.sending.spawn(async move {
                let _place = places.acquire().await;
                let outcome = acknowledge(&asker, target, &told, LIMITS).await;
                metrics::receipts_sent(outcome.is_ok());
                match outcome {
                    Ok(_) => (hotkey, Vec::new()),
                    Err(error) => {
                        debug!(miner = %hotkey, %error, "it isn't told that its answers were received");
                        (hotkey, told)
                    }
                }
            });
        }
    }

    /// Waits until nothing is on its way.
    #[cfg(test)]
    pub(crate) async fn sent(&mut self) -> usize {
        let mut untold = 0;
        while let Some(ended) = self.sending.join_next().await {
            untold += ended.map_or(0, |(_, untold)| untold.len());
        }
        untold
    }
}
