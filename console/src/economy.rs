//! A whole economy beside one validator's journal: who plays which part, and every validator's weights epoch by epoch. A localnet
//! tells it as it runs.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use weighhouse_types::{Epoch, Uid};

use crate::consensus::Rows;
use crate::limits::ECONOMY_EPOCHS_KEPT;

/// One neuron by the part that it plays.
#[derive(Clone, Debug, Serialize)]
pub struct Player {
    pub uid: Uid,
    pub persona: String,
    pub validates: bool,
}

/// One epoch that was closed.
#[derive(Clone, Debug)]
pub struct ClosedEpoch {
    pub epoch: Epoch,
    /// What it paid, in rao.
    pub emission: Vec<(Uid, u64)>,
    /// Every validator's weights on the chain.
    pub weights: BTreeMap<Uid, Vec<(Uid, u16)>>,
}

/// An economy that is told as it runs; clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Economy(Arc<Mutex<Told>>);

#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) players: Vec<Player>,
    pub(crate) closed: VecDeque<ClosedEpoch>,
    pub(crate) ended: bool,
    /// Counts what was told.
    pub(crate) turn: u64,
}

impl Economy {
    pub fn new(players: Vec<Player>) -> Self {
        Self(Arc::new(Mutex::new(Told { players, ..Told::default() })))
    }

    /// Tells of an epoch; the oldest ones are forgotten.
    pub fn epoch_closed(&self, closed: ClosedEpoch) {
        let mut told = self.told();
        told.turn += 1;
        told.closed.push_back(closed);
        if told.closed.len() > ECONOMY_EPOCHS_KEPT {
            told.closed.pop_front();
        }
    }

    /// Tells that no more epochs come.
    pub fn ended(&self) {
        let mut told = self.told();
        told.turn += 1;
        told.ended = true;
    }

    pub(crate) fn told(&self) -> MutexGuard<'_, Told> {
        // What was told stays true, whoever panicked while telling.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Told {
    pub(crate) fn of(&self, epoch: Epoch) -> Option<&ClosedEpoch> {
        self.closed.iter().rev().find(|closed| closed.epoch == epoch)
    }
}

/// Rows as a page takes them.
pub(crate) fn rows_json(rows: &Rows) -> serde_json::Value {
    let row = |(uid, row): (&Uid, &Vec<(Uid, u16)>)| {
        let total: u64 = row.iter().map(|(_, weight)| u64::from(*weight)).sum();
        // Zeros are explicit on some chains and say nothing on a map.
        let shares = row.iter().filter(|(_, weight)| *weight > 0);
        let share = |(uid, weight): &(Uid, u16)| (*uid, f64::from(*weight) / total.max(1) as f64);
        serde_json::json!({"uid": uid, "shares": shares.map(share).collect::<Vec<_>>()})
    };
    rows.iter().map(row).collect()
}
