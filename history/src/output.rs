//! Epochs as rows of the four tables, and what was written in all.

use std::collections::HashMap;
use std::path::Path;

use weighhouse_journal::Segment;
use weighhouse_types::{Epoch, Record, RegistrationId, Uid};

use crate::error::ExportError;
use crate::held::{self, HeldEpoch};
use crate::partition::{PartitionSize, PartitionWriter, Staging};
use crate::rows::{self, Addresses, Subject, WeightRow};
use crate::schema::TableSchema;
use crate::words;

/// The tables being written.
#[derive(Debug)]
pub(crate) struct Output {
    staging: Staging,
    /// By table.
    sizes: [PartitionSize; 4],
    pub(crate) unsettled: u64,
    addresses: Addresses,
}

impl Output {
    pub(crate) fn create(dir: &Path) -> Result<Self, ExportError> {
        let staging = Staging::create(dir)?;
        Ok(Self { staging, sizes: Default::default(), unsettled: 0, addresses: Addresses::default() })
    }

    pub(crate) fn rows(&self, table: TableSchema) -> u64 {
        self.sizes[table as usize].rows
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.sizes.iter().map(|size| size.bytes).sum()
    }

    fn begin(&self, table: TableSchema, epoch: Epoch) -> Result<PartitionWriter, ExportError> {
        self.staging.begin(table, epoch)
    }

    /// Adds an epoch's judgements and standings, which nothing later changes.
    pub(crate) fn add(&mut self, segment: &Segment) -> Result<(), ExportError> {
        let epoch = segment.header().epoch;
        let context = held::context(segment);
        let subject = Subject::of(segment, context);
        let mut judgements = self.begin(TableSchema::Judgements, epoch)?;
        for record in segment.records() {
            let Record::Judged(judged) = record else { continue };
            judgements.push(rows::judgement(&subject, judged, &mut self.addresses)?)?;
        }
        let mut standings = self.begin(TableSchema::Standings, epoch)?;
        // An epoch that was begun and never opened carries none.
        if let Some(context) = context {
            let neurons = &context.state.metagraph.neurons;
            let uids: HashMap<RegistrationId, Uid> =
                neurons.iter().map(|neuron| (neuron.registration(), neuron.uid)).collect();
            for standing in &context.carried {
                let uid = uids.get(&standing.who).copied();
                standings.push(rows::standing(&subject, uid, standing, &mut self.addresses)?)?;
            }
        }
        self.finish(TableSchema::Judgements, judgements, &segment.root())?;
        self.finish(TableSchema::Standings, standings, &segment.root())
    }

    /// Adds what became of an epoch, and its vectors.
    pub(crate) fn add_settled(&mut self, held: &HeldEpoch) -> Result<(), ExportError> {
        self.unsettled += u64::from(held.is_unsettled());
        let epoch = held.subject.epoch;
        let mut epochs = self.begin(TableSchema::Epochs, epoch)?;
        epochs.push(rows::epoch(&held.subject, &held.row, &held.outcome(), &mut self.addresses)?)?;
        let mut weights = self.begin(TableSchema::Weights, epoch)?;
        for (at, of) in held.intents.iter().enumerate() {
            let entries = of.intent.weights.entries();
            let intent = of.intent.id.to_string().into_bytes().into();
            let total = entries.iter().map(|(_, weight)| u64::from(*weight)).sum();
            for (uid, weight) in entries {
                let row = WeightRow {
                    intent: &intent,
                    uid: *uid,
                    hotkey: held.hotkeys.get(uid.index()),
                    weight: *weight,
                    total,
                    state: words::state(of.state.as_ref()),
                    superseded: at + 1 < held.intents.len(),
                };
                weights.push(rows::weight(&held.subject, &row, &mut self.addresses))?;
            }
        }
        self.finish(TableSchema::Epochs, epochs, &held.root)?;
        self.finish(TableSchema::Weights, weights, &held.root)
    }

    fn finish(
        &mut self,
        table: TableSchema,
        writer: PartitionWriter,
        evidence: &weighhouse_types::Digest,
    ) -> Result<(), ExportError> {
        let PartitionSize { rows, bytes } = writer.finish(&mut self.staging, evidence)?;
        let size = &mut self.sizes[table as usize];
        size.rows += rows;
        size.bytes += bytes;
        Ok(())
    }

    /// Gives every file its name.
    pub(crate) fn publish(self) -> Result<(), ExportError> {
        self.staging.publish()
    }
}
