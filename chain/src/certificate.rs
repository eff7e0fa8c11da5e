//! Neuron certificates: the key that a neuron's connections are encrypted by.

use std::collections::HashMap;

use weighhouse_seams::TlsPin;
use weighhouse_types::{Certificate, Hotkey, SubnetState};

use crate::{Chain, ChainError};

/// The keys of those who have published one.
pub type Pins = HashMap<Hotkey, TlsPin>;

/// Reads the keys of all who serve.
///
/// # Errors
/// Those of the chain.
pub async fn pins(chain: &dyn Chain, state: &SubnetState) -> Result<Pins, ChainError> {
    let serving = state.metagraph.neurons.iter().filter(|neuron| neuron.axon.is_some());
    let hotkeys: Vec<Hotkey> = serving.map(|neuron| neuron.hotkey).collect();
    let certificates = chain.certificates(state.metagraph.netuid, &hotkeys).await?;
    let pins = hotkeys.into_iter().zip(certificates);
    Ok(pins.filter_map(|(hotkey, found)| Some((hotkey, to_pin(&found?)?))).collect())
}

/// The certificate that publishes a key.
pub fn of_pin(pin: &TlsPin) -> Certificate {
    Certificate { algorithm: TlsPin::ALGORITHM, public_key: pin.as_bytes().to_vec() }
}

/// The certificate of one who has published a key before, and has none any more: a chain can't forget one.
pub fn none() -> Certificate {
    Certificate { algorithm: 0, public_key: vec![0] }
}

/// The key of a certificate; `None` where it is of another sort.
pub fn to_pin(certificate: &Certificate) -> Option<TlsPin> {
    TlsPin::of_chain(certificate.algorithm, &certificate.public_key)
}
