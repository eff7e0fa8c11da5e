//! The keys of a `[chain]` table that name a chain, old spellings included.

use std::fmt;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::{AddressError, ChainAddress, split};

/// Addresses as a list, or, as before, one text with commas between them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum EndpointList {
    List(Vec<String>),
    Text(String),
}

impl<'de> Deserialize<'de> for EndpointList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // By hand: the error of serde's untagged enums names neither of the two forms.
        struct Addresses;

        impl<'de> Visitor<'de> for Addresses {
            type Value = EndpointList;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a list of addresses, such as [\"wss://one.node:443\", \"wss://another.node:443\"]",
                )
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<EndpointList, E> {
                Ok(EndpointList::Text(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<EndpointList, A::Error> {
                let mut addresses = Vec::new();
                while let Some(address) = items.next_element()? {
                    addresses.push(address);
                }
                Ok(EndpointList::List(addresses))
            }
        }

        deserializer.deserialize_any(Addresses)
    }
}

/// Values of the keys `network`, `endpoints` and the old `endpoint`.
#[derive(Clone, Debug, Default)]
pub struct ChainKeys {
    pub network: Option<String>,
    pub endpoints: Option<EndpointList>,
    pub endpoint: Option<String>,
}

impl ChainKeys {
    /// The chain that the keys name, and a warning for each old spelling among them.
    pub fn read(self) -> Result<(ChainAddress, Vec<String>), AddressError> {
        let mut warnings = Vec::new();
        let (mut network, mut endpoints) = (self.network, Vec::new());
        match self.endpoints {
            Some(EndpointList::List(addresses)) => endpoints = addresses,
            Some(EndpointList::Text(text)) => {
                endpoints = split(&text);
                warnings.push(outdated("endpoints", &text, &endpoints));
            }
            None => {}
        }
        if let Some(text) = network.take_if(|text| text.contains("://")) {
            if !endpoints.is_empty() {
                return Err(AddressError::Unknown(text));
            }
            endpoints = split(&text);
            warnings.push(outdated("network", &text, &endpoints));
        }
        if let Some(text) = self.endpoint {
            let new = if text.contains("://") { "endpoints" } else { "network" };
            if network.is_some() || !endpoints.is_empty() {
                return Err(AddressError::Twice { new });
            }
            if new == "endpoints" {
                endpoints = split(&text);
                warnings.push(outdated("endpoint", &text, &endpoints));
            } else {
                warnings.push(format!(
                    "`endpoint = {text:?}` in [chain] is an old spelling: write `network = {text:?}`"
                ));
                network = Some(text);
            }
        }
        let network = network.map(|name| name.parse()).transpose()?;
        Ok((ChainAddress::new(network, endpoints)?, warnings))
    }
}

fn outdated(key: &str, text: &str, addresses: &[String]) -> String {
    format!("`{key} = {text:?}` in [chain] is an old spelling: write `endpoints = {addresses:?}`")
}
