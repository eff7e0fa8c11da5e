//! The `[bundles]` table.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::Deserialize;
use weighhouse_types::address;

use super::ByteSize;

/// The page from which anybody takes the evidence of epochs whose weights are public.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Bundles")]
pub struct BundlesSection {
    /// Address to listen on; nothing is served when absent.
    #[serde(deserialize_with = "address::deserialize_optional")]
    pub listen: Option<SocketAddr>,
    /// Epochs that are offered, the newest ones; what the journal has removed isn't.
    pub keep_epochs: usize,
    /// Bytes a second that all downloads together may take.
    pub bytes_per_second: ByteSize,
}

/// Below it a bundle of some size never ends.
const BYTES_PER_SECOND_MIN: ByteSize = ByteSize(64_000);

impl Default for BundlesSection {
    fn default() -> Self {
        Self { listen: None, keep_epochs: 64, bytes_per_second: ByteSize(20_000_000) }
    }
}

impl BundlesSection {
    /// Why nobody could take a bundle.
    pub(super) fn fault(&self) -> Option<(&'static str, &'static str)> {
        if self.keep_epochs == 0 {
            return Some((
                "bundles.keep_epochs",
                "must be at least 1; leave bundles.listen out to serve nothing",
            ));
        }
        (self.bytes_per_second < BYTES_PER_SECOND_MIN)
            .then_some(("bundles.bytes_per_second", "must be at least 64 kB"))
    }
}
