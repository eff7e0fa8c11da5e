//! Names and limits of the two staged files.

/// The file in the staging folder that holds the new policy.
pub const POLICY_FILE: &str = "policy.toml";
/// The file in the staging folder that holds the owner's signed roll-out.
pub const ROLLOUT_FILE: &str = "rollout.toml";
/// The version of the roll-out file's format.
pub(super) const VERSION: u32 = 1;
/// A roll-out file is refused above this size.
pub(super) const FILE_BYTES_MAX: usize = 4096;
