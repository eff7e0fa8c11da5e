//! The `[verdicts]` table.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::Deserialize;
use weighhouse_types::address;

/// The service that tells each miner what became of its answers, once an epoch's weights are public, and that witnesses the logs
/// of other validators.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Verdicts")]
pub struct VerdictsSection {
    /// Address to listen on; nothing is served when absent.
    #[serde(deserialize_with = "address::deserialize_optional")]
    pub listen: Option<SocketAddr>,
    /// The address to publish on the chain, as this hotkey's prometheus endpoint, where miners look for it; the one that is
    /// listened on when absent.
    #[serde(deserialize_with = "address::deserialize_optional")]
    pub external: Option<SocketAddr>,
}

impl VerdictsSection {
    /// Why miners couldn't find the service.
    pub(super) fn fault(&self) -> Option<(&'static str, &'static str)> {
        match (self.listen, self.external) {
            (None, Some(_)) => Some(("verdicts.listen", "must be set where verdicts.external is")),
            (Some(listen), None) if listen.ip().is_unspecified() => {
                Some(("verdicts.external", "must be set: nobody can dial the address in verdicts.listen"))
            }
            (_, Some(external)) if external.ip().is_unspecified() || external.port() == 0 => {
                Some(("verdicts.external", "must be an address that miners can dial"))
            }
            _ => None,
        }
    }
}
