//! What a server's list says of a bundle, held against the bundle itself.

use weighhouse_ask::download::DownloadUrl;
use weighhouse_types::{Digest, Hotkey, MechId, Netuid};
use weighhouse_validator::audit::AuditReport;
use weighhouse_validator::bundles::{BundleEntry, BundleIndex, BundleWeights};

use crate::failure::{Exit, Failure};

#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub(super) entry: BundleEntry,
    of: (Hotkey, Digest, Netuid, MechId),
}

impl Listed {
    pub(super) fn new(index: &BundleIndex, entry: &BundleEntry) -> Self {
        let of = (index.validator, index.genesis, index.netuid, index.mechanism);
        Self { entry: entry.clone(), of }
    }

    pub(super) fn check_bytes(&self, bytes: &[u8], url: &DownloadUrl) -> Result<(), Failure> {
        let sha256 = Digest::of(bytes);
        if sha256 == self.entry.sha256 {
            return Ok(());
        }
        let wanted = self.entry.sha256;
        let why =
            format!("{url}: its SHA-256 is {sha256} and not {wanted}, as the list says; download it again");
        Err(Failure::new(Exit::Data, why))
    }

    /// Adds to the report what the list says otherwise, and what is the list's word alone.
    pub(super) fn compare(&self, report: &mut AuditReport) {
        let BundleEntry { epoch, root, weights, published_at, .. } = self.entry;
        if (report.epoch, report.root) != (epoch, root) {
            report
                .problems
                .push("it is another epoch, or has another Merkle root, than the list says".to_owned());
        }
        if (report.validator, report.genesis, report.netuid, report.mechanism) != self.of {
            report.problems.push("it is of another validator, subnet or chain than the list".to_owned());
        }
        match (weights, published_at, report.published_at) {
            (BundleWeights::Published, Some(listed), None) => report.on_trust.push(format!(
                "that the chain showed these weights at block {listed}: news of it stands in a later epoch's file"
            )),
            (_, listed, Some(block)) if listed != Some(block) => {
                report.problems.push(format!("published at block {block}, which the list says otherwise"));
            }
            _ => {}
        }
    }
}
