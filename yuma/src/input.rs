//! Input of an epoch, and the refusal of input that no chain state can hold.

use serde::{Deserialize, Serialize};

use crate::hyperparameters::Hyperparameters;

/// The most uids in one subnet. It bounds every plain sum of the epoch: 4096 weights of 65535 stay below 2^31.
pub const UIDS_MAX: usize = 4096;

/// Runtime versions whose rules apply. They differ in how the subnet owner's uid is treated, and in nothing else here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rules {
    /// Spec 377 and before (spec 293 agrees): the owner keeps its self-weight, and that is all.
    Spec377,
    /// Spec 425: the owner is also exempt from the stake threshold and always holds a permit.
    Spec425,
}

/// The state that one epoch of one mechanism reads. Every outer vector has one entry per uid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochInput {
    /// The block that the epoch runs in.
    pub block: u64,
    /// Total stake weight in rao: alpha, and root stake in TAO times the TAO weight.
    pub stake: Vec<u64>,
    /// The block of each uid's last weights, commit or registration in this mechanism.
    pub last_update: Vec<u64>,
    pub block_at_registration: Vec<u64>,
    /// Permits as the previous epoch left them: they govern this epoch.
    pub validator_permit: Vec<bool>,
    /// Rows of (uid, weight) as stored, in the order of submission.
    pub weights: Vec<Vec<(u16, u16)>>,
    /// Rows of (uid, bond) as stored by the previous epoch.
    pub bonds: Vec<Vec<(u16, u16)>>,
    pub hyperparameters: Hyperparameters,
    /// The block of each uid's earliest commit that has neither expired nor been revealed; read if commit-reveal is on.
    pub earliest_commit_block: Vec<Option<u64>>,
    /// Bonds to miners that registered at or after this block are dropped. Spec 425: `LastMechansimStepBlock + 1`, or
    /// block less tempo if no epoch has run yet; spec 377: block less tempo.
    pub last_step_boundary_block: u64,
    /// The uid of the subnet owner's hotkey, if it has one.
    pub owner_uid: Option<u16>,
    /// Emission that the epoch distributes, in rao.
    pub emission_rao: u64,
}

/// Why an input is no state that a chain can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    #[error("{found} uids exceed the limit of {limit}")]
    TooManyUids { found: usize, limit: usize },
    #[error("{field} has {found} entries for {expected} uids")]
    Length { field: &'static str, found: usize, expected: usize },
    #[error("{field} of uid {row} name uid {uid} of {uids}")]
    UidOutOfRange { field: &'static str, row: usize, uid: u16, uids: usize },
    #[error("{field} of uid {row} name uid {uid} twice")]
    DuplicateUid { field: &'static str, row: usize, uid: u16 },
    #[error("owner uid {uid} is not among {uids} uids")]
    OwnerOutOfRange { uid: u16, uids: usize },
}

impl EpochInput {
    /// Passing this makes every index of the epoch's steps valid.
    pub(super) fn validate(&self, rows: &mut RowChecks) -> Result<(), InputError> {
        let uids = self.stake.len();
        if uids > UIDS_MAX {
            return Err(InputError::TooManyUids { found: uids, limit: UIDS_MAX });
        }
        let lengths = [
            ("last_update", self.last_update.len()),
            ("block_at_registration", self.block_at_registration.len()),
            ("validator_permit", self.validator_permit.len()),
            ("weights", self.weights.len()),
            ("bonds", self.bonds.len()),
            ("earliest_commit_block", self.earliest_commit_block.len()),
        ];
        for (field, found) in lengths {
            if found != uids {
                return Err(InputError::Length { field, found, expected: uids });
            }
        }
        if let Some(uid) = self.owner_uid.filter(|&uid| usize::from(uid) >= uids) {
            return Err(InputError::OwnerOutOfRange { uid, uids });
        }
        let RowChecks { named_by, weights_ascend, bonds_ascend } = rows;
        check_rows("weights", &self.weights, named_by, weights_ascend)?;
        check_rows("bonds", &self.bonds, named_by, bonds_ascend)
    }
}

/// Findings of the check of the rows; keeps its buffers.
#[derive(Debug, Default)]
pub(super) struct RowChecks {
    /// By uid, the last row that named it.
    named_by: Vec<Option<usize>>,
    /// By row, whether each uid in it is larger than the one before.
    pub(super) weights_ascend: Vec<bool>,
    pub(super) bonds_ascend: Vec<bool>,
}

/// Rows of ascending uids need no more than a look at their last.
fn check_rows(
    field: &'static str,
    rows: &[Vec<(u16, u16)>],
    named_by: &mut Vec<Option<usize>>,
    ascend: &mut Vec<bool>,
) -> Result<(), InputError> {
    named_by.clear();
    ascend.clear();
    for (row, entries) in rows.iter().enumerate() {
        let ascends = ascends(entries);
        ascend.push(ascends);
        let in_range = entries.last().is_none_or(|&(uid, _)| usize::from(uid) < rows.len());
        if !(ascends && in_range) {
            named_by.resize(rows.len(), None);
            // Marks of earlier rows may stay in the buffer: each carries its row's number.
            check_row(field, row, entries, named_by)?;
        }
    }
    Ok(())
}

fn check_row(
    field: &'static str,
    row: usize,
    entries: &[(u16, u16)],
    named_by: &mut [Option<usize>],
) -> Result<(), InputError> {
    let uids = named_by.len();
    for &(uid, _) in entries {
        let Some(last) = named_by.get_mut(usize::from(uid)) else {
            return Err(InputError::UidOutOfRange { field, row, uid, uids });
        };
        if last.replace(row) == Some(row) {
            return Err(InputError::DuplicateUid { field, row, uid });
        }
    }
    Ok(())
}

/// True if each uid is larger than the one before. Looks at all pairs and needs only arithmetic, so that it goes several
/// at a time.
fn ascends(row: &[(u16, u16)]) -> bool {
    let later = row.get(1..).unwrap_or_default();
    // Negative, as the sign bit has it, unless the next is larger by at least 1.
    let rise = |one: u16, next: u16| u32::from(next).wrapping_sub(u32::from(one)).wrapping_sub(1);
    row.iter().zip(later).fold(0, |falls, (one, next)| falls | rise(one.0, next.0)) >> 31 == 0
}
