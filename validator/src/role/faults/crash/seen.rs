//! What was seen of a validator through all of its lives, and what has to hold of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use weighhouse_chain::{Chain as _, Event};
use weighhouse_journal::{Journal, epoch_of_name, read_header};
use weighhouse_merkle::{Checkpoint, SignedNote};
use weighhouse_types::{Block, Digest, Epoch, IntentState, Mark, Record, Uid};

use super::super::child::Told;
use super::super::disk::Disk;
use super::super::history::{self, History, records};
use super::super::{ensure, publications};
use crate::log::Anchor;
use crate::publish::stored;
use crate::publish::tests::word;
use crate::testing::{NETUID, World, validator};

const ONE_INTENT: &str = "no intent is signed twice with other bytes";
const ONE_CALL: &str = "one included call an epoch";
const SAME: &str = "the same vectors as without a kill";
const SCORES: &str = "no score is lost";
const ONE_LOG: &str = "one history is signed";
const HONEST: [Uid; 2] = [Uid(1), Uid(4)];

type Vectors = BTreeMap<Epoch, Vec<(Uid, u16)>>;

/// A run that nothing befell.
#[derive(Debug, Default)]
pub(super) struct Undisturbed {
    pub(super) points: BTreeSet<String>,
    pub(super) vectors: Vectors,
}

#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The size at which another's log was signed last.
    pub(super) witnessed: Option<usize>,
    history: History,
    handed_in: BTreeSet<String>,
    /// Intents by epoch.
    intents: BTreeMap<Epoch, (Digest, Vec<(Uid, u16)>)>,
    /// Extrinsics of each intent, by stage.
    signed: BTreeMap<(Digest, u8), Digest>,
    outcomes: BTreeMap<Epoch, String>,
    /// Roots of our own checkpoints, by size.
    checkpoints: BTreeMap<u64, Digest>,
    /// What became of the intents, for whoever reads of a failure.
    story: Vec<String>,
}

impl Seen {
    pub(super) fn vectors(&self) -> Vectors {
        self.intents.iter().map(|(epoch, (_, vector))| (*epoch, vector.clone())).collect()
    }

    pub(super) fn take(&mut self, told: Told) {
        match told {
            Told::Witnessed(size) => self.witnessed = Some(size),
            Told::HandedIn(hash) => drop(self.handed_in.insert(hash)),
            Told::Block(done) => {
                let visible = done
                    .visible
                    .and_then(|(epoch, size, root)| Some((Epoch(epoch), size, root.parse::<Digest>().ok()?)));
                visible.into_iter().for_each(|(epoch, size, root)| self.history.saw(epoch, size, root));
            }
            _ => {}
        }
    }

    /// What a kill left, and what the next start makes of it.
    pub(super) fn look(&mut self, disk: Disk, removes: bool) -> Result<(), String> {
        let first = disk.names().into_iter().find(|name| epoch_of_name(name).is_some());
        let Some(file) = first.and_then(|name| disk.file(&name)) else { return Ok(()) };
        let identity = read_header(&file).map_err(|error| error.to_string())?.identity;
        // Cuts off a commit that was half written.
        Journal::open(Arc::new(disk.clone()), identity).map_err(|error| format!("{SCORES}: {error}"))?;
        self.history.check(&disk, removes)?;
        history::audits(&disk)?;
        for record in records(&disk)? {
            self.check_record(&record)?;
        }
        let signed: BTreeSet<String> = self.signed.values().map(Digest::to_string).collect();
        ensure(self.handed_in.is_subset(&signed), || {
            format!("{ONE_INTENT}: what was handed in isn't on record")
        })?;
        self.outcomes.extend(publications::outcomes(&disk)?);
        Ok(())
    }

    fn check_record(&mut self, record: &Record) -> Result<(), String> {
        match record {
            Record::Judged(judged) if HONEST.contains(&judged.uid) => {
                ensure(judged.judgement.mark == Mark::MAX, || {
                    format!("{SCORES}: uid {} in epoch {}: {:?}", judged.uid, judged.epoch, judged.judgement)
                })
            }
            Record::Intent(intent) => {
                let new = (intent.id, stored(intent));
                let known = self.intents.entry(intent.epoch).or_insert_with(|| new.clone());
                ensure(*known == new, || format!("{ONE_INTENT}: epoch {}: {known:?}, {new:?}", intent.epoch))
            }
            Record::IntentUpdate(update) => {
                let what = format!("{} {}", word(&update.state), update.epoch);
                if !self.story.contains(&what) {
                    self.story.push(what);
                }
                let (stage, hash) = match &update.state {
                    IntentState::Signed { hash, .. } | IntentState::Committing { hash, .. } => (0, *hash),
                    IntentState::Revealing { hash, .. } => (1, *hash),
                    _ => return Ok(()),
                };
                let known = *self.signed.entry((update.intent, stage)).or_insert(hash);
                ensure(known == hash, || format!("{ONE_INTENT}: epoch {}: {known}, {hash}", update.epoch))
            }
            Record::Checkpoint(checkpoint) => {
                let note = SignedNote::parse(&checkpoint.note).and_then(|note| Checkpoint::of(&note));
                let Checkpoint { size, root, .. } = note.map_err(|error| format!("{ONE_LOG}: {error}"))?;
                let known = *self.checkpoints.entry(size).or_insert(root);
                ensure(known == root, || format!("{ONE_LOG}: {size} records: {known}, {root}"))
            }
            _ => Ok(()),
        }
    }

    /// After everything: every epoch before `over` is published, with the weights of the undisturbed run.
    pub(super) async fn check_end(
        &self,
        world: &World,
        undisturbed: &Undisturbed,
        over: u64,
    ) -> Result<(), String> {
        for epoch in (0..over).map(Epoch) {
            let word = self.outcomes.get(&epoch).map_or("", String::as_str);
            ensure(word == "published", || format!("every epoch is published: epoch {epoch}: {word:?}"))?;
            let (vector, other) =
                (self.intents.get(&epoch).map(|known| &known.1), undisturbed.vectors.get(&epoch));
            ensure(other.is_none() || vector == other, || {
                format!("{SAME}: epoch {epoch}: {vector:?}, undisturbed {other:?}")
            })?;
        }
        self.check_chain(world).await
    }

    async fn check_chain(&self, world: &World) -> Result<(), String> {
        let (mut calls, mut story) = (Calls::default(), Vec::new());
        let head = world.ledger.head().await.map_err(|error| error.to_string())?;
        for block in (1..=head.number.0).map(Block) {
            let events = world.ledger.events(block).await.map_err(|error| error.to_string())?;
            for event in &events {
                calls.take(event).into_iter().for_each(|what| story.push(format!("{what} at {block}")));
            }
            ensure(calls.are_single(), || {
                format!("{ONE_CALL}: {}; on record {}", story.join(", "), self.story.join(", "))
            })?;
        }
        let commitment = world.ledger.commitment(NETUID, validator().hotkey()).await;
        let anchor = commitment.map_err(|error| error.to_string())?.and_then(|shown| Anchor::of(&shown.data));
        let anchor = anchor.ok_or_else(|| format!("{ONE_LOG}: no checkpoint is on the chain"))?;
        ensure(self.checkpoints.get(&anchor.size) == Some(&anchor.root), || {
            format!("{ONE_LOG}: the chain shows another checkpoint of {} records", anchor.size)
        })
    }
}

/// Calls of a validator in the chain's running epoch.
#[derive(Debug, Default)]
struct Calls {
    set: u32,
    hidden: u32,
    revealed: u32,
    /// Of all epochs.
    hidden_ever: u32,
}

impl Calls {
    /// In a word, where the event is one of them.
    fn take(&mut self, event: &Event) -> Option<&'static str> {
        Some(match event {
            Event::EpochRun { .. } => {
                *self = Self { hidden_ever: self.hidden_ever, ..Self::default() };
                "epoch"
            }
            Event::WeightsSet { .. } => {
                self.set += 1;
                "set"
            }
            Event::WeightsCommitted { .. } | Event::TimelockedWeightsCommitted { .. } => {
                self.hidden += 1;
                self.hidden_ever += 1;
                "commit"
            }
            Event::WeightsRevealed { .. } => {
                self.revealed += 1;
                "reveal"
            }
            _ => return None,
        })
    }

    fn are_single(&self) -> bool {
        // Showing what was hidden sets weights too, and the chain shows when it can.
        let set = if self.hidden_ever > 0 { 0 } else { self.set };
        set.max(self.hidden).max(self.revealed) <= 1
    }
}
