//! What a reload exchanges while a miner serves: its models, and who may ask.
//!
//! **Invariant.** A request ends with the models that it began with: they go when the last of those requests ends.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use weighhouse_proto::ModelKind;
use weighhouse_seams::Clock;

use crate::config::{Admission, Config};
use crate::engine::Catalogue;
use crate::upstream::{self, Upstreams};

/// The models that are served, and what is known of the servers behind them.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) models: Catalogue,
    pub(crate) upstreams: Upstreams,
    pub(crate) has_texts: bool,
}

/// What is in force now. Shared by the identities of one process.
#[derive(Debug)]
pub struct Live {
    offer: watch::Sender<Arc<Offer>>,
    admission: watch::Sender<Arc<Admission>>,
    silence: Duration,
    clock: Arc<dyn Clock>,
    /// Held by whoever looks at the servers behind: one does for all.
    watching: Mutex<()>,
}

impl Live {
    /// Serves these models, as the configuration says.
    pub fn new(models: Catalogue, config: &Config, clock: &Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            offer: watch::Sender::new(Arc::new(Offer::of(models, clock))),
            admission: watch::Sender::new(Arc::new(config.admission.clone())),
            silence: config.text.silence_timeout,
            clock: clock.clone(),
            watching: Mutex::new(()),
        })
    }

    /// Answers what comes from now on with other models, and asks other callers in.
    pub fn exchange(&self, models: Catalogue, admission: Admission) {
        let before = self.offer.send_replace(Arc::new(Offer::of(models, &self.clock)));
        before.upstreams.end(&self.offer.borrow().upstreams);
        self.admission.send_replace(Arc::new(admission));
    }

    pub(crate) fn offer(&self) -> Arc<Offer> {
        // Copied, so that the channel's lock ends here.
        self.offer.borrow().clone()
    }

    pub(crate) fn admission(&self) -> watch::Receiver<Arc<Admission>> {
        self.admission.subscribe()
    }

    /// Looks at the servers behind the models that are served, for ever.
    pub(crate) async fn watch(&self) {
        let _alone = self.watching.lock().await;
        let mut offers = self.offer.subscribe();
        loop {
            let offer = offers.borrow_and_update().clone();
            tokio::select! {
                () = upstream::watch(offer.models.clone(), offer.upstreams.clone(), self.silence) => {}
                // The sender lives as long as this does.
                _ = offers.changed() => {}
            }
        }
    }
}

impl Offer {
    fn of(models: Catalogue, clock: &Arc<dyn Clock>) -> Self {
        let upstreams = Upstreams::of(&models, clock);
        let has_texts = models.engines().iter().any(|engine| engine.model().kind == Some(ModelKind::Text));
        Self { models, upstreams, has_texts }
    }
}
