//! The SS58 address format: base58 of prefix, public key and a two-byte BLAKE2b-512 checksum.

use blake2::Digest as _;

/// Bittensor's (and generic Substrate's) address prefix.
pub const SS58_PREFIX: u8 = 42;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ss58Error {
    #[error("not base58: {0}")]
    Base58(String),
    #[error("an address has 35 bytes (prefix, key, checksum), this one {0}")]
    Length(usize),
    #[error("address prefix {0}, expected {SS58_PREFIX}")]
    Prefix(u8),
    #[error("wrong checksum: a character of the address was mistyped")]
    Checksum,
}

fn checksum(body: &[u8]) -> [u8; 2] {
    let hash = blake2::Blake2b512::new().chain_update(b"SS58PRE").chain_update(body).finalize();
    [hash[0], hash[1]]
}

pub(crate) fn encode(key: &[u8; 32]) -> String {
    let mut bytes = [0; 35];
    bytes[0] = SS58_PREFIX;
    bytes[1..33].copy_from_slice(key);
    let sum = checksum(&bytes[..33]);
    bytes[33..].copy_from_slice(&sum);
    bs58::encode(bytes).into_string()
}

pub(crate) fn decode(address: &str) -> Result<[u8; 32], Ss58Error> {
    // 64 characters hold any 35 bytes; longer input is not worth decoding.
    if address.len() > 64 {
        return Err(Ss58Error::Length(address.len()));
    }
    let bytes = bs58::decode(address).into_vec().map_err(|error| Ss58Error::Base58(error.to_string()))?;
    let bytes: [u8; 35] = bytes.try_into().map_err(|bytes: Vec<u8>| Ss58Error::Length(bytes.len()))?;
    // Before the checksum: an address of another network is not a mistyped one.
    if bytes[0] != SS58_PREFIX {
        return Err(Ss58Error::Prefix(bytes[0]));
    }
    if bytes[33..] != checksum(&bytes[..33]) {
        return Err(Ss58Error::Checksum);
    }
    let mut key = [0; 32];
    key.copy_from_slice(&bytes[1..33]);
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    // The well-known development key //Dave.
    const DAVE: &str = "5DAAnrj7VHTznn2AWBemMuyBwZWs6FNFjdyVXUeYum3PTXFy";
    const DAVE_KEY: &str = "306721211d5404bd9da88e0204360a1a9ab8b87c66c1bc2fcdd37f3c2222cc20";

    #[test]
    fn known_address_round_trips() {
        let key = decode(DAVE).expect("a valid address");
        assert_eq!(const_hex::encode(key), DAVE_KEY);
        assert_eq!(encode(&key), DAVE);
    }

    #[test]
    fn damaged_addresses_are_refused() {
        assert_eq!(decode(&DAVE.replace('A', "B")), Err(Ss58Error::Checksum));
        assert!(matches!(decode("5DAA"), Err(Ss58Error::Length(_))));
        assert!(matches!(decode("0OIl"), Err(Ss58Error::Base58(_))));
        assert!(matches!(decode(""), Err(Ss58Error::Length(0))));
    }
}
